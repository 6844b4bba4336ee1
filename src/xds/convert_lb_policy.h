#ifndef MESHLIB_XDS_CONVERT_LB_POLICY_H_
#define MESHLIB_XDS_CONVERT_LB_POLICY_H_

#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "meshlib/xds/envoy/config/cluster/v3/cluster.pb.h"
#include "model/cluster.h"
#include "xds/convert_errors.h"
#include "xds/convert_values.h"

namespace meshlib::xds {

// Shared by the legacy fields of Cluster and the policies of
// load_balancing_policy, whose messages say the same under two names.

struct PolicyListContext {
  FieldErrors& errors;
  absl::Span<const std::string> custom_policies;
  bool provided = false;  // set: cluster_provided was found
  int depth = 0;          // of policies in policies
};

// Fills `out` from the first policy of the list that is supported, and
// returns true; false (without an error) if none is.
bool ConvertPolicyList(
    const envoy::config::cluster::v3::LoadBalancingPolicy& in,
    PolicyListContext& context, model::LoadBalancing& out);

// A number that Envoy takes for `fallback` when it is negative or NaN.
inline double NotNegative(double value, double fallback, std::string_view field,
                          FieldErrors& errors) {
  if (value >= 0) return value;
  errors.WarningAt(field,
                   absl::StrCat("is ", value, ", which counts as ", fallback));
  return fallback;
}

template <typename SlowStartConfig>
model::SlowStart ConvertSlowStart(const SlowStartConfig& in,
                                  FieldErrors& errors) {
  ScopedField scope(errors, "slow_start_config");
  model::SlowStart out;
  if (in.has_slow_start_window()) {
    ScopedField field(errors, "slow_start_window");
    out.window = ConvertDuration(in.slow_start_window(), errors);
  }
  if (in.has_aggression()) {
    out.aggression =
        NotNegative(in.aggression().default_value(), 1.0, "aggression", errors);
  }
  out.min_weight_percent =
      ValueOr(in.has_min_weight_percent(), in.min_weight_percent(), 10.0);
  return out;
}

template <typename LeastRequestConfig>
void ConvertLeastRequest(const LeastRequestConfig& in, FieldErrors& errors,
                         model::LoadBalancing& out) {
  out.policy = model::LbPolicy::kLeastRequest;
  out.choice_count = ValueOr(in.has_choice_count(), in.choice_count(), 2u);
  if (in.has_active_request_bias()) {
    out.active_request_bias =
        NotNegative(in.active_request_bias().default_value(), 1.0,
                    "active_request_bias", errors);
    out.active_request_bias_explicit = true;
  }
  if (in.has_slow_start_config()) {
    out.slow_start = ConvertSlowStart(in.slow_start_config(), errors);
  }
}

template <typename RingHashConfig>
void ConvertRingSizes(const RingHashConfig& in, FieldErrors& errors,
                      model::LoadBalancing& out) {
  out.policy = model::LbPolicy::kRingHash;
  out.minimum_ring_size = ValueOr(in.has_minimum_ring_size(),
                                  in.minimum_ring_size(), uint64_t{1024});
  out.maximum_ring_size =
      ValueOr(in.has_maximum_ring_size(), in.maximum_ring_size(),
              uint64_t{8} * 1024 * 1024);
  if (out.minimum_ring_size > out.maximum_ring_size) {
    errors.ErrorAt(
        in.has_minimum_ring_size() ? "minimum_ring_size" : "maximum_ring_size",
        absl::StrCat("minimum_ring_size ", out.minimum_ring_size,
                     " > maximum_ring_size ", out.maximum_ring_size));
  }
}

template <typename ZoneAwareConfig>
model::ZoneAwareLb ConvertZoneAware(const ZoneAwareConfig& in) {
  model::ZoneAwareLb out;
  // Envoy rounds this percentage to an integer.
  out.routing_enabled_percent = std::round(
      ValueOr(in.has_routing_enabled(), in.routing_enabled(), 100.0));
  out.min_cluster_size =
      ValueOr(in.has_min_cluster_size(), in.min_cluster_size(), uint64_t{6});
  out.fail_traffic_on_panic = in.fail_traffic_on_panic();
  return out;
}

template <typename ConsistentHashingConfig>
void ConvertConsistentHashing(const ConsistentHashingConfig& in,
                              model::LoadBalancing& out) {
  out.use_hostname_for_hashing = in.use_hostname_for_hashing();
  out.hash_balance_factor =
      ValueOr(in.has_hash_balance_factor(), in.hash_balance_factor(), 0u);
}

bool IsPrime(uint64_t number);

template <typename MaglevConfig>
void ConvertMaglevTable(const MaglevConfig& in, FieldErrors& errors,
                        model::LoadBalancing& out) {
  out.policy = model::LbPolicy::kMaglev;
  out.maglev_table_size =
      ValueOr(in.has_table_size(), in.table_size(), uint64_t{65537});
  constexpr uint64_t kLargest = 5000011;  // more is refused by the rules
  if (out.maglev_table_size <= kLargest && !IsPrime(out.maglev_table_size)) {
    errors.ErrorAt("table_size", absl::StrCat("is ", out.maglev_table_size,
                                              ", want a prime number"));
  }
}

}  // namespace meshlib::xds

#endif  // MESHLIB_XDS_CONVERT_LB_POLICY_H_
