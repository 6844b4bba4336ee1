#include "lb/weighted_round_robin/load_weight.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <string>
#include <string_view>

#include "absl/time/time.h"

namespace meshlib::lb {
namespace {

constexpr int64_t kTimeGrain = 1'000'000;  // ns

// Sums and ratios of weights stay finite within these.
constexpr double kLeast = 1e-30;
constexpr double kMost = 1e30;

bool Counts(double value) { return value > 0 && std::isfinite(value); }

double Metric(const LoadReport& report, std::string_view name) {
  if (name == "application_utilization") return report.application_utilization;
  if (name == "cpu_utilization") return report.cpu_utilization;
  if (name == "mem_utilization") return report.mem_utilization;
  for (const LoadReport::Metric& metric : report.named_metrics) {
    if (metric.name == name) return metric.value;
  }
  return 0;
}

double Utilization(const LoadReport& report,
                   const model::LoadReportWeights& config) {
  if (Counts(report.application_utilization)) {
    return report.application_utilization;
  }
  double greatest = 0;
  for (const std::string& name : config.metric_names) {
    const double value = Metric(report, name);
    if (Counts(value)) greatest = std::max(greatest, value);
  }
  return greatest > 0 ? greatest : report.cpu_utilization;
}

bool Expired(int64_t last_report_ns, const model::LoadReportWeights& config,
             int64_t now_ns) {
  return last_report_ns == model::HostLoad::kNever ||
         now_ns - last_report_ns >=
             absl::ToInt64Nanoseconds(config.weight_expiration_period);
}

}  // namespace

double WeightOf(const LoadReport& report,
                const model::LoadReportWeights& config) {
  const double utilization = Utilization(report, config);
  if (!Counts(report.qps) || !Counts(utilization)) return 0;
  const double errors = Counts(report.eps) ? report.eps / report.qps : 0;
  const double weight =
      report.qps / (utilization + errors * config.error_utilization_penalty);
  return Counts(weight) ? std::clamp(weight, kLeast, kMost) : 0;
}

void RecordLoadReport(const LoadReport& report,
                      const model::LoadReportWeights& config, int64_t now_ns,
                      model::HostLoad& load) {
  const double weight = WeightOf(report, config);
  if (weight == 0) return;
  const int64_t last = load.last_report_ns.load(std::memory_order_relaxed);
  const bool expired = Expired(last, config, now_ns);
  if (expired) load.first_report_ns.store(now_ns, std::memory_order_relaxed);
  if (load.weight.load(std::memory_order_relaxed) != weight) {
    load.weight.store(weight, std::memory_order_relaxed);
  }
  if (expired || now_ns - last >= kTimeGrain) {
    // Release: who sees the time sees the first report and a weight.
    load.last_report_ns.store(now_ns, std::memory_order_release);
  }
}

double UsableWeight(const model::HostLoad& load,
                    const model::LoadReportWeights& config, int64_t now_ns) {
  const int64_t last = load.last_report_ns.load(std::memory_order_acquire);
  if (Expired(last, config, now_ns)) return 0;
  const int64_t first = load.first_report_ns.load(std::memory_order_relaxed);
  if (now_ns - first < absl::ToInt64Nanoseconds(config.blackout_period)) {
    return 0;
  }
  return load.weight.load(std::memory_order_relaxed);
}

}  // namespace meshlib::lb
