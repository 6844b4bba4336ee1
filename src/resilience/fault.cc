#include "resilience/fault.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/strings.h"
#include "model/headers.h"

namespace meshlib::resilience {
namespace {

constexpr std::string_view kAbort = "x-envoy-fault-abort-request";
constexpr std::string_view kAbortGrpc = "x-envoy-fault-abort-grpc-request";
constexpr std::string_view kAbortPart =
    "x-envoy-fault-abort-request-percentage";
constexpr std::string_view kDelay = "x-envoy-fault-delay-request";
constexpr std::string_view kDelayPart =
    "x-envoy-fault-delay-request-percentage";
constexpr std::string_view kDownstreamCluster =
    "x-envoy-downstream-service-cluster";
constexpr std::string_view kDownstreamNode = "x-envoy-downstream-service-node";

// The number in the first header of that name.
template <typename T>
std::optional<T> NumberIn(const Request& request, std::string_view name) {
  const Header* const header = model::FindHeader(request.headers, name);
  T number = 0;
  if (header == nullptr ||
      !absl::SimpleAtoi(base::ToAbsl(header->value), &number)) {
    return std::nullopt;
  }
  return number;
}

// The key "fault.http.CLUSTER.REST" of the runtime, where the request says
// which cluster it comes from; else empty.
std::string ClusterKey(const Request& request, std::string_view rest) {
  const Header* const header =
      model::FindHeader(request.headers, kDownstreamCluster);
  if (header == nullptr) return "";
  return absl::StrCat("fault.http.", base::ToAbsl(header->value), ".",
                      base::ToAbsl(rest));
}

}  // namespace

uint32_t GrpcStatusOfHttp(int http_status) {
  switch (http_status) {
    case 400:
      return 13;  // internal
    case 401:
      return 16;  // unauthenticated
    case 403:
      return 7;  // permission denied
    case 404:
      return 12;  // unimplemented
    case 429:
    case 502:
    case 503:
    case 504:
      return 14;  // unavailable
    default:
      return 2;  // unknown
  }
}

std::optional<uint32_t> FaultAnswer::GrpcStatusFor(
    const Request& request) const {
  if (grpc_status.has_value() || !model::IsGrpc(request)) return grpc_status;
  return GrpcStatusOfHttp(http_status);
}

struct CompiledFault::Part {
  uint32_t numerator = 0;
  uint32_t denominator = 100;

  bool Selects(base::Random& random) const {
    if (numerator == 0) return false;
    return numerator >= denominator || random.Next() % denominator < numerator;
  }
  double part() const { return std::min(1.0, 1.0 * numerator / denominator); }
};

CompiledFault::CompiledFault(std::shared_ptr<const model::Fault> config,
                             std::shared_ptr<const model::Runtime> runtime)
    : config_(std::move(config)),
      runtime_(std::move(runtime)),
      headers_(model::CompileHeaderMatchers(config_->headers)),
      max_active_(
          runtime_->GetInteger(config_->max_active_faults_runtime,
                               config_->max_active_faults.has_value()
                                   ? *config_->max_active_faults
                                   : std::numeric_limits<uint64_t>::max())) {}

bool CompiledFault::Matches(const Request& request,
                            std::string_view cluster) const {
  if (!config_->upstream_cluster.empty() &&
      cluster != config_->upstream_cluster) {
    return false;
  }
  if (!config_->downstream_nodes.empty()) {
    const Header* const node =
        model::FindHeader(request.headers, kDownstreamNode);
    if (node == nullptr ||
        std::find(config_->downstream_nodes.begin(),
                  config_->downstream_nodes.end(),
                  node->value) == config_->downstream_nodes.end()) {
      return false;
    }
  }
  return std::all_of(headers_.begin(), headers_.end(),
                     [&](const model::CompiledHeaderMatcher& matcher) {
                       return matcher.Matches(request);
                     });
}

// `header`: of the percentage; empty: requests have no say in it. They can
// only lower it.
CompiledFault::Part CompiledFault::PartOf(const Request& request,
                                          const model::Fraction& percentage,
                                          std::string_view header,
                                          std::string_view cluster_key) const {
  model::Fraction fraction = percentage;
  if (!header.empty()) {
    const auto asked = NumberIn<uint32_t>(request, header);
    if (asked.has_value()) {
      fraction.numerator = std::min(*asked, fraction.numerator);
    }
  }
  std::string key = ClusterKey(request, cluster_key);
  if (!key.empty()) fraction.runtime_key = std::move(key);
  fraction = runtime_->GetFraction(fraction);
  return {fraction.numerator, fraction.denominator};
}

CompiledFault::Part CompiledFault::DelayPart(const Request& request) const {
  return PartOf(request, config_->delay->percentage,
                config_->delay->fixed.has_value() ? "" : kDelayPart,
                "delay.fixed_delay_percent");
}

CompiledFault::Part CompiledFault::AbortPart(const Request& request) const {
  const model::FaultAbort& abort = *config_->abort;
  const bool fixed =
      abort.http_status.has_value() || abort.grpc_status.has_value();
  return PartOf(request, abort.percentage, fixed ? "" : kAbortPart,
                "abort.abort_percent");
}

// With `both` the downstream cluster's key overrides the other, which
// overrides `value`; else it overrides `value` in the other's place.
uint64_t CompiledFault::RuntimeInteger(const Request& request,
                                       const std::string& key,
                                       std::string_view cluster_key,
                                       uint64_t value, bool both) const {
  const uint64_t general = runtime_->GetInteger(key, value);
  const std::string own = ClusterKey(request, cluster_key);
  return own.empty() ? general
                     : runtime_->GetInteger(own, both ? general : value);
}

absl::Duration CompiledFault::DelayOf(const Request& request) const {
  uint64_t milliseconds = 0;
  if (config_->delay->fixed.has_value()) {
    milliseconds = static_cast<uint64_t>(
        absl::ToInt64Milliseconds(*config_->delay->fixed));
  } else {
    const auto asked = NumberIn<uint64_t>(request, kDelay);
    if (!asked.has_value()) return absl::ZeroDuration();
    milliseconds = *asked;
  }
  milliseconds = RuntimeInteger(request, config_->delay_duration_runtime,
                                "delay.fixed_duration_ms", milliseconds, true);
  constexpr uint64_t kMost = uint64_t{1} << 53;
  return absl::Milliseconds(
      static_cast<int64_t>(std::min(milliseconds, kMost)));
}

absl::Duration CompiledFault::Delay(const Request& request,
                                    base::Random& random) const {
  if (!config_->delay.has_value() || !DelayPart(request).Selects(random)) {
    return absl::ZeroDuration();
  }
  return DelayOf(request);
}

std::optional<FaultAnswer> CompiledFault::AnswerTo(
    const Request& request) const {
  const model::FaultAbort& abort = *config_->abort;
  const bool by_header =
      !abort.http_status.has_value() && !abort.grpc_status.has_value();
  std::optional<uint64_t> http = abort.http_status;
  std::optional<uint64_t> grpc = abort.grpc_status;
  if (by_header) {
    http = NumberIn<uint64_t>(request, kAbort);
    if (http.has_value() && (*http < 200 || *http >= 600)) http.reset();
    grpc = NumberIn<uint64_t>(request, kAbortGrpc);
  }
  FaultAnswer answer;
  answer.body = abort.response_body;
  if (http.has_value()) {
    answer.http_status = static_cast<int>(
        RuntimeInteger(request, config_->abort_http_status_runtime,
                       "abort.http_status", *http, false));
    return answer;
  }
  if (!grpc.has_value()) return std::nullopt;
  answer.http_status = 200;
  answer.grpc_status = static_cast<uint32_t>(
      RuntimeInteger(request, config_->abort_grpc_status_runtime,
                     "abort.grpc_status", *grpc, false));
  return answer;
}

std::optional<FaultAnswer> CompiledFault::Abort(const Request& request,
                                                base::Random& random) const {
  if (!config_->abort.has_value() || !AbortPart(request).Selects(random)) {
    return std::nullopt;
  }
  return AnswerTo(request);
}

CompiledFault::Chances CompiledFault::ChancesOf(const Request& request) const {
  Chances chances;
  if (config_->delay.has_value()) {
    chances.delay = DelayOf(request);
    if (chances.delay > absl::ZeroDuration()) {
      chances.delay_part = DelayPart(request).part();
    }
  }
  if (config_->abort.has_value()) {
    const std::optional<FaultAnswer> answer = AnswerTo(request);
    if (answer.has_value()) {
      chances.abort = *answer;
      chances.abort_part = AbortPart(request).part();
    }
  }
  return chances;
}

bool FaultChain::active() const {
  return std::any_of(filters.begin(), filters.end(), [](const Filter& filter) {
    return !filter.disabled && filter.fault->active();
  });
}

const CompiledFault* FaultChain::At(
    size_t index, const std::vector<FaultOverride>* overrides) const {
  const Filter& filter = filters[index];
  if (overrides != nullptr) {
    for (const FaultOverride& o : *overrides) {
      if (o.filter != filter.name) continue;
      if (o.disabled) return nullptr;
      return o.fault != nullptr ? o.fault.get() : filter.fault.get();
    }
  }
  return filter.disabled ? nullptr : filter.fault.get();
}

}  // namespace meshlib::resilience
