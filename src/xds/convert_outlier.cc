#include "xds/convert_outlier.h"

#include <algorithm>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "xds/convert_values.h"

namespace meshlib::xds {
namespace {

namespace cluster = envoy::config::cluster::v3;
using cluster::CircuitBreakers;

// Leaves `out` at its default when the field is absent.
void SetDuration(bool has, const ::google::protobuf::Duration& in,
                 std::string_view field, FieldErrors& errors,
                 absl::Duration& out) {
  if (!has) return;
  ScopedField scope(errors, field);
  out = ConvertDuration(in, errors);
}

void Set(bool has, const ::google::protobuf::UInt32Value& in, uint32_t& out) {
  if (has) out = in.value();
}

void ConvertTimes(const cluster::OutlierDetection& in, FieldErrors& errors,
                  model::OutlierDetection& out) {
  SetDuration(in.has_interval(), in.interval(), "interval", errors,
              out.interval);
  SetDuration(in.has_base_ejection_time(), in.base_ejection_time(),
              "base_ejection_time", errors, out.base_ejection_time);
  SetDuration(in.has_max_ejection_time_jitter(), in.max_ejection_time_jitter(),
              "max_ejection_time_jitter", errors, out.max_ejection_time_jitter);
  if (!in.has_max_ejection_time()) {
    // The larger of the default and the base.
    out.max_ejection_time =
        std::max(out.max_ejection_time, out.base_ejection_time);
    return;
  }
  SetDuration(true, in.max_ejection_time(), "max_ejection_time", errors,
              out.max_ejection_time);
  if (out.max_ejection_time < out.base_ejection_time) {
    errors.ErrorAt("max_ejection_time",
                   absl::StrCat("max_ejection_time ",
                                absl::FormatDuration(out.max_ejection_time),
                                " < base_ejection_time ",
                                absl::FormatDuration(out.base_ejection_time)));
  }
}

void ConvertDetectors(const cluster::OutlierDetection& in,
                      model::OutlierDetection& out) {
  Set(in.has_consecutive_5xx(), in.consecutive_5xx(), out.consecutive_5xx);
  Set(in.has_enforcing_consecutive_5xx(), in.enforcing_consecutive_5xx(),
      out.enforcing_consecutive_5xx);
  Set(in.has_consecutive_gateway_failure(), in.consecutive_gateway_failure(),
      out.consecutive_gateway_failure);
  Set(in.has_enforcing_consecutive_gateway_failure(),
      in.enforcing_consecutive_gateway_failure(),
      out.enforcing_consecutive_gateway_failure);
  Set(in.has_consecutive_local_origin_failure(),
      in.consecutive_local_origin_failure(),
      out.consecutive_local_origin_failure);
  Set(in.has_enforcing_consecutive_local_origin_failure(),
      in.enforcing_consecutive_local_origin_failure(),
      out.enforcing_consecutive_local_origin_failure);
  Set(in.has_success_rate_minimum_hosts(), in.success_rate_minimum_hosts(),
      out.success_rate_minimum_hosts);
  Set(in.has_success_rate_request_volume(), in.success_rate_request_volume(),
      out.success_rate_request_volume);
  Set(in.has_success_rate_stdev_factor(), in.success_rate_stdev_factor(),
      out.success_rate_stdev_factor);
  Set(in.has_enforcing_success_rate(), in.enforcing_success_rate(),
      out.enforcing_success_rate);
  Set(in.has_enforcing_local_origin_success_rate(),
      in.enforcing_local_origin_success_rate(),
      out.enforcing_local_origin_success_rate);
  Set(in.has_failure_percentage_threshold(), in.failure_percentage_threshold(),
      out.failure_percentage_threshold);
  Set(in.has_failure_percentage_minimum_hosts(),
      in.failure_percentage_minimum_hosts(),
      out.failure_percentage_minimum_hosts);
  Set(in.has_failure_percentage_request_volume(),
      in.failure_percentage_request_volume(),
      out.failure_percentage_request_volume);
  Set(in.has_enforcing_failure_percentage(), in.enforcing_failure_percentage(),
      out.enforcing_failure_percentage);
  Set(in.has_enforcing_failure_percentage_local_origin(),
      in.enforcing_failure_percentage_local_origin(),
      out.enforcing_failure_percentage_local_origin);
}

model::CircuitBreakerThresholds ConvertThresholds(
    const CircuitBreakers::Thresholds& in) {
  model::CircuitBreakerThresholds out;
  Set(in.has_max_connections(), in.max_connections(), out.max_connections);
  Set(in.has_max_pending_requests(), in.max_pending_requests(),
      out.max_pending_requests);
  Set(in.has_max_requests(), in.max_requests(), out.max_requests);
  Set(in.has_max_retries(), in.max_retries(), out.max_retries);
  Set(in.has_max_connection_pools(), in.max_connection_pools(),
      out.max_connection_pools);
  out.track_remaining = in.track_remaining();
  if (in.has_retry_budget()) {
    const auto& budget = in.retry_budget();
    out.retry_budget = model::RetryBudget{
        ValueOr(budget.has_budget_percent(), budget.budget_percent(), 20.0),
        ValueOr(budget.has_min_retry_concurrency(),
                budget.min_retry_concurrency(), 3u)};
  }
  return out;
}

// Per host only connections can be limited.
void CheckPerHost(const CircuitBreakers::Thresholds& in, FieldErrors& errors) {
  const std::pair<bool, std::string_view> others[] = {
      {in.has_max_pending_requests(), "max_pending_requests"},
      {in.has_max_requests(), "max_requests"},
      {in.has_max_retries(), "max_retries"},
      {in.has_max_connection_pools(), "max_connection_pools"},
      {in.has_retry_budget(), "retry_budget"},
  };
  for (const auto& [has, field] : others) {
    if (has) {
      errors.ErrorAt(field,
                     "is not supported per host, only max_connections is");
    }
  }
}

}  // namespace

model::OutlierDetection ConvertOutlierDetection(
    const cluster::OutlierDetection& in, FieldErrors& errors) {
  model::OutlierDetection out;
  ConvertTimes(in, errors, out);
  ConvertDetectors(in, out);
  Set(in.has_max_ejection_percent(), in.max_ejection_percent(),
      out.max_ejection_percent);
  out.always_eject_one_host = in.always_eject_one_host().value();
  out.split_external_local_origin_errors =
      in.split_external_local_origin_errors();
  out.successful_active_health_check_uneject_host =
      ValueOr(in.has_successful_active_health_check_uneject_host(),
              in.successful_active_health_check_uneject_host(), true);
  if (in.monitors_size() > 0) {
    errors.UnsupportedAt("monitors",
                         "outlier detection monitors are not supported");
  }
  if (in.detect_degraded_hosts().value()) {
    errors.UnsupportedAt("detect_degraded_hosts",
                         "degraded hosts are not detected yet");
  }
  return out;
}

model::CircuitBreakers ConvertCircuitBreakers(const CircuitBreakers& in,
                                              FieldErrors& errors) {
  model::CircuitBreakers out;
  std::array<bool, 2> seen = {};
  for (int i = 0; i < in.thresholds_size(); ++i) {
    const auto& thresholds = in.thresholds(i);
    const auto priority = static_cast<size_t>(thresholds.priority());
    if (priority >= seen.size()) continue;
    if (seen[priority]) {
      ScopedField scope(errors, "thresholds", i);
      errors.WarningAt("priority",
                       "stands twice; only the first thresholds hold");
      continue;
    }
    seen[priority] = true;
    out.thresholds[priority] = ConvertThresholds(thresholds);
  }
  bool per_host_seen = false;
  for (int i = 0; i < in.per_host_thresholds_size(); ++i) {
    const auto& thresholds = in.per_host_thresholds(i);
    ScopedField scope(errors, "per_host_thresholds", i);
    CheckPerHost(thresholds, errors);
    if (thresholds.priority() == 0 && !per_host_seen) {
      per_host_seen = true;
      Set(thresholds.has_max_connections(), thresholds.max_connections(),
          out.per_host_max_connections);
    }
  }
  return out;
}

}  // namespace meshlib::xds
