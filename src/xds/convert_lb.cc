#include "xds/convert_lb.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "xds/convert_lb_policy.h"
#include "xds/convert_values.h"

namespace meshlib::xds {
namespace {

namespace cluster = envoy::config::cluster::v3;
using cluster::Cluster;

bool ProvidesBalancer(model::DiscoveryType type) {
  return type == model::DiscoveryType::kOriginalDst ||
         type == model::DiscoveryType::kAggregate;
}

// The fields of common_lb_config that hold for every policy.
void ConvertCommon(const Cluster::CommonLbConfig& in, FieldErrors& errors,
                   model::LoadBalancing& out) {
  ScopedField scope(errors, "common_lb_config");
  out.healthy_panic_threshold = ValueOr(in.has_healthy_panic_threshold(),
                                        in.healthy_panic_threshold(), 50.0);
  out.ignore_new_hosts_until_first_hc = in.ignore_new_hosts_until_first_hc();
  if (in.has_update_merge_window()) {
    ScopedField field(errors, "update_merge_window");
    out.update_merge_window = ConvertDuration(in.update_merge_window(), errors);
  }
  if (in.close_connections_on_host_set_change()) {
    errors.UnsupportedAt("close_connections_on_host_set_change",
                         "is not supported yet; connections stay open");
  }
  if (in.has_override_host_status()) {
    errors.UnsupportedAt("override_host_status",
                         "overriding hosts is not supported yet");
  }
}

void CheckHostnameHashing(const Cluster& in, model::DiscoveryType type,
                          FieldErrors& errors) {
  if (!in.common_lb_config()
           .consistent_hashing_lb_config()
           .use_hostname_for_hashing() ||
      type == model::DiscoveryType::kStrictDns) {
    return;
  }
  ScopedField common(errors, "common_lb_config");
  ScopedField hashing(errors, "consistent_hashing_lb_config");
  errors.ErrorAt("use_hostname_for_hashing",
                 absl::StrCat("needs cluster type STRICT_DNS, got ",
                              model::DiscoveryTypeName(type)));
}

// A policy's configuration that another policy does not read.
void WarnOfUnreadConfig(const Cluster& in, FieldErrors& errors) {
  const char* field = nullptr;
  Cluster::LbPolicy reader = Cluster::ROUND_ROBIN;
  switch (in.lb_config_case()) {
    case Cluster::kRingHashLbConfig:
      field = "ring_hash_lb_config";
      reader = Cluster::RING_HASH;
      break;
    case Cluster::kMaglevLbConfig:
      field = "maglev_lb_config";
      reader = Cluster::MAGLEV;
      break;
    case Cluster::kLeastRequestLbConfig:
      field = "least_request_lb_config";
      reader = Cluster::LEAST_REQUEST;
      break;
    case Cluster::kRoundRobinLbConfig:
      field = "round_robin_lb_config";
      reader = Cluster::ROUND_ROBIN;
      break;
    case Cluster::kOriginalDstLbConfig:
    case Cluster::LB_CONFIG_NOT_SET:
      return;
  }
  if (!in.has_load_balancing_policy() && in.lb_policy() == reader) return;
  errors.WarningAt(field,
                   in.has_load_balancing_policy()
                       ? "has no effect beside load_balancing_policy"
                       : absl::StrCat("has no effect with lb_policy ",
                                      Cluster::LbPolicy_Name(in.lb_policy())));
}

void ConvertLegacyPolicy(const Cluster& in, FieldErrors& errors,
                         model::LoadBalancing& out) {
  switch (in.lb_policy()) {
    case Cluster::LEAST_REQUEST: {
      ScopedField scope(errors, "least_request_lb_config");
      ConvertLeastRequest(in.least_request_lb_config(), errors, out);
      break;
    }
    case Cluster::RANDOM:
      out.policy = model::LbPolicy::kRandom;
      break;
    case Cluster::RING_HASH: {
      ScopedField scope(errors, "ring_hash_lb_config");
      ConvertRingSizes(in.ring_hash_lb_config(), errors, out);
      if (in.ring_hash_lb_config().hash_function() ==
          Cluster::RingHashLbConfig::MURMUR_HASH_2) {
        out.hash_function = model::RingHashFunction::kMurmurHash2;
      }
      break;
    }
    case Cluster::MAGLEV: {
      ScopedField scope(errors, "maglev_lb_config");
      ConvertMaglevTable(in.maglev_lb_config(), errors, out);
      break;
    }
    default: {
      out.policy = model::LbPolicy::kRoundRobin;
      ScopedField scope(errors, "round_robin_lb_config");
      const auto& config = in.round_robin_lb_config();
      if (config.has_slow_start_config()) {
        out.slow_start = ConvertSlowStart(config.slow_start_config(), errors);
      }
      break;
    }
  }
}

void ConvertLegacy(const Cluster& in, FieldErrors& errors,
                   model::LoadBalancing& out) {
  ConvertLegacyPolicy(in, errors, out);
  const auto& common = in.common_lb_config();
  out.locality_weighted = common.has_locality_weighted_lb_config();
  // Zone-aware routing is on by default; it acts when a local cluster is
  // known and for policies that choose a locality before a host.
  const bool hashes = out.policy == model::LbPolicy::kRingHash ||
                      out.policy == model::LbPolicy::kMaglev;
  if (!hashes && !out.locality_weighted) {
    out.zone_aware = ConvertZoneAware(common.zone_aware_lb_config());
  }
  ConvertConsistentHashing(common.consistent_hashing_lb_config(), out);
}

// What Envoy does not let stand beside load_balancing_policy.
void CheckBesidePolicy(const Cluster& in, FieldErrors& errors) {
  if (in.has_lb_subset_config()) {
    errors.ErrorAt("lb_subset_config",
                   "cannot be combined with load_balancing_policy");
  }
  const auto& common = in.common_lb_config();
  ScopedField scope(errors, "common_lb_config");
  const std::string message = "cannot be combined with load_balancing_policy";
  if (common.has_zone_aware_lb_config()) {
    errors.ErrorAt("zone_aware_lb_config", message);
  }
  if (common.has_locality_weighted_lb_config()) {
    errors.ErrorAt("locality_weighted_lb_config", message);
  }
  if (common.has_consistent_hashing_lb_config()) {
    errors.ErrorAt("consistent_hashing_lb_config", message);
  }
}

bool ConvertExtension(const Cluster& in, FieldErrors& errors,
                      absl::Span<const std::string> custom_policies,
                      model::LoadBalancing& out) {
  CheckBesidePolicy(in, errors);
  ScopedField scope(errors, "load_balancing_policy");
  PolicyListContext context{errors, custom_policies};
  if (!ConvertPolicyList(in.load_balancing_policy(), context, out)) {
    errors.Error("has no policy that is supported");
  }
  return context.provided;
}

void CheckProvided(bool provided, model::DiscoveryType type,
                   std::string_view field, FieldErrors& errors) {
  if (provided == ProvidesBalancer(type)) return;
  const char* const name = model::DiscoveryTypeName(type);
  errors.ErrorAt(
      field,
      provided
          ? absl::StrCat("CLUSTER_PROVIDED is not for clusters of type ", name)
          : absl::StrCat("clusters of type ", name, " need CLUSTER_PROVIDED"));
}

void CheckSubset(const Cluster& in, FieldErrors& errors) {
  if (!in.has_lb_subset_config()) return;
  const auto& subset = in.lb_subset_config();
  if (in.lb_policy() == Cluster::CLUSTER_PROVIDED &&
      !in.has_load_balancing_policy() && subset.subset_selectors_size() > 0) {
    errors.ErrorAt("lb_subset_config",
                   "cannot be combined with lb_policy CLUSTER_PROVIDED");
  }
  ScopedField scope(errors, "lb_subset_config");
  if (subset.locality_weight_aware() &&
      !in.common_lb_config().has_locality_weighted_lb_config()) {
    errors.ErrorAt("locality_weight_aware",
                   "needs common_lb_config.locality_weighted_lb_config");
  }
  // Without selectors Envoy does not make subsets either.
  if (subset.subset_selectors_size() > 0) {
    errors.ErrorAt("subset_selectors",
                   "subset load balancing is not supported yet; requests "
                   "would reach hosts outside their subset");
  }
}

}  // namespace

bool IsPrime(uint64_t number) {
  if (number < 2) return false;
  for (uint64_t d = 2; d <= number / d; ++d) {
    if (number % d == 0) return false;
  }
  return true;
}

model::LoadBalancing ConvertLoadBalancing(
    const Cluster& in, model::DiscoveryType type, FieldErrors& errors,
    absl::Span<const std::string> custom_policies) {
  model::LoadBalancing out;
  ConvertCommon(in.common_lb_config(), errors, out);
  CheckHostnameHashing(in, type, errors);
  CheckSubset(in, errors);
  WarnOfUnreadConfig(in, errors);
  if (in.has_load_balancing_policy()) {
    const bool provided = ConvertExtension(in, errors, custom_policies, out);
    CheckProvided(provided, type, "load_balancing_policy", errors);
    return out;
  }
  if (in.lb_policy() == Cluster::LOAD_BALANCING_POLICY_CONFIG) {
    errors.ErrorAt("lb_policy",
                   "LOAD_BALANCING_POLICY_CONFIG needs load_balancing_policy");
    return out;
  }
  ConvertLegacy(in, errors, out);
  CheckProvided(in.lb_policy() == Cluster::CLUSTER_PROVIDED, type, "lb_policy",
                errors);
  return out;
}

}  // namespace meshlib::xds
