#include "xds/convert_lb_policy.h"

#include <algorithm>
#include <string>

#include "absl/time/time.h"
#include "meshlib/xds/envoy/extensions/load_balancing_policies/client_side_weighted_round_robin/v3/client_side_weighted_round_robin.pb.h"
#include "meshlib/xds/envoy/extensions/load_balancing_policies/cluster_provided/v3/cluster_provided.pb.h"
#include "meshlib/xds/envoy/extensions/load_balancing_policies/common/v3/common.pb.h"
#include "meshlib/xds/envoy/extensions/load_balancing_policies/least_request/v3/least_request.pb.h"
#include "meshlib/xds/envoy/extensions/load_balancing_policies/maglev/v3/maglev.pb.h"
#include "meshlib/xds/envoy/extensions/load_balancing_policies/override_host/v3/override_host.pb.h"
#include "meshlib/xds/envoy/extensions/load_balancing_policies/random/v3/random.pb.h"
#include "meshlib/xds/envoy/extensions/load_balancing_policies/random_subsetting/v3/random_subsetting.pb.h"
#include "meshlib/xds/envoy/extensions/load_balancing_policies/ring_hash/v3/ring_hash.pb.h"
#include "meshlib/xds/envoy/extensions/load_balancing_policies/round_robin/v3/round_robin.pb.h"
#include "meshlib/xds/envoy/extensions/load_balancing_policies/subset/v3/subset.pb.h"
#include "meshlib/xds/envoy/extensions/load_balancing_policies/wrr_locality/v3/wrr_locality.pb.h"

namespace meshlib::xds {
namespace {

namespace cluster = envoy::config::cluster::v3;
namespace lb = envoy::extensions::load_balancing_policies;
using lb::client_side_weighted_round_robin::v3::ClientSideWeightedRoundRobin;
using lb::cluster_provided::v3::ClusterProvided;
using lb::common::v3::LocalityLbConfig;
using lb::least_request::v3::LeastRequest;
using lb::maglev::v3::Maglev;
using lb::override_host::v3::OverrideHost;
using lb::random::v3::Random;
using lb::random_subsetting::v3::RandomSubsetting;
using lb::ring_hash::v3::RingHash;
using lb::round_robin::v3::RoundRobin;
using lb::subset::v3::Subset;
using lb::wrr_locality::v3::WrrLocality;

constexpr int kMaxDepth = 16;  // of policies in policies, as gRFC A52
constexpr absl::Duration kLeastWeightUpdatePeriod = absl::Milliseconds(100);

void ConvertLocality(const LocalityLbConfig& in, model::LoadBalancing& out) {
  out.locality_weighted = in.has_locality_weighted_lb_config();
  if (out.locality_weighted) return;
  const auto& zone = in.zone_aware_lb_config();
  out.zone_aware = ConvertZoneAware(zone);
  out.zone_aware->force_locality_direct_routing =
      zone.force_locality_direct_routing();
  if (zone.has_force_local_zone()) {
    const auto& force = zone.force_local_zone();
    out.zone_aware->force_local_zone_min_size =
        ValueOr(force.has_min_size(), force.min_size(), 1u);
  }
  if (zone.locality_basis() ==
      LocalityLbConfig::ZoneAwareLbConfig::HEALTHY_HOSTS_WEIGHT) {
    out.zone_aware->locality_basis = model::LocalityBasis::kHealthyHostsWeight;
  }
}

bool Convert(const RoundRobin& in, FieldErrors& errors,
             model::LoadBalancing& out) {
  out.policy = model::LbPolicy::kRoundRobin;
  ConvertLocality(in.locality_lb_config(), out);
  if (in.has_slow_start_config()) {
    out.slow_start = ConvertSlowStart(in.slow_start_config(), errors);
  }
  return true;
}

bool Convert(const LeastRequest& in, FieldErrors& errors,
             model::LoadBalancing& out) {
  ConvertLeastRequest(in, errors, out);
  ConvertLocality(in.locality_lb_config(), out);
  if (in.selection_method() == LeastRequest::FULL_SCAN ||
      in.enable_full_scan().value()) {
    out.selection = model::LeastRequestSelection::kFullScan;
  }
  return true;
}

bool Convert(const Random& in, FieldErrors&, model::LoadBalancing& out) {
  out.policy = model::LbPolicy::kRandom;
  ConvertLocality(in.locality_lb_config(), out);
  return true;
}

// Hash policies of the balancer itself would decide which host is taken.
template <typename HashPolicy>
void RefuseHashPolicy(const HashPolicy& in, FieldErrors& errors) {
  if (in.hash_policy_size() > 0) {
    ScopedField scope(errors, "consistent_hashing_lb_config");
    errors.ErrorAt("hash_policy",
                   "is not supported here; requests would be hashed by the "
                   "route's hash_policy");
  }
}

bool Convert(const RingHash& in, FieldErrors& errors,
             model::LoadBalancing& out) {
  ConvertRingSizes(in, errors, out);
  out.hash_function = in.hash_function() == RingHash::MURMUR_HASH_2
                          ? model::RingHashFunction::kMurmurHash2
                          : model::RingHashFunction::kXxHash;
  out.locality_weighted = in.has_locality_weighted_lb_config();
  if (in.has_consistent_hashing_lb_config()) {
    ConvertConsistentHashing(in.consistent_hashing_lb_config(), out);
    RefuseHashPolicy(in.consistent_hashing_lb_config(), errors);
  } else {
    ConvertConsistentHashing(in, out);
  }
  return true;
}

bool Convert(const Maglev& in, FieldErrors& errors, model::LoadBalancing& out) {
  ConvertMaglevTable(in, errors, out);
  out.locality_weighted = in.has_locality_weighted_lb_config();
  ConvertConsistentHashing(in.consistent_hashing_lb_config(), out);
  RefuseHashPolicy(in.consistent_hashing_lb_config(), errors);
  return true;
}

// gRFC A58, A114.
model::LoadReportWeights ConvertWeights(const ClientSideWeightedRoundRobin& in,
                                        FieldErrors& errors) {
  model::LoadReportWeights out;
  const auto duration = [&](bool set, const auto& value, std::string_view name,
                            absl::Duration& field) {
    if (!set) return;
    ScopedField scope(errors, name);
    field = ConvertDuration(value, errors);
  };
  duration(in.has_blackout_period(), in.blackout_period(), "blackout_period",
           out.blackout_period);
  duration(in.has_weight_expiration_period(), in.weight_expiration_period(),
           "weight_expiration_period", out.weight_expiration_period);
  duration(in.has_weight_update_period(), in.weight_update_period(),
           "weight_update_period", out.weight_update_period);
  out.weight_update_period =
      std::max(out.weight_update_period, kLeastWeightUpdatePeriod);
  // The rules refuse what is below 0.
  out.error_utilization_penalty = ValueOr(in.has_error_utilization_penalty(),
                                          in.error_utilization_penalty(), 1.0f);
  out.metric_names.assign(in.metric_names_for_computing_utilization().begin(),
                          in.metric_names_for_computing_utilization().end());
  return out;
}

bool Convert(const ClientSideWeightedRoundRobin& in, FieldErrors& errors,
             model::LoadBalancing& out) {
  out.policy = model::LbPolicy::kClientSideWeightedRoundRobin;
  out.load_report_weights = ConvertWeights(in, errors);
  out.locality_weighted = true;
  if (in.enable_oob_load_report().value()) {
    errors.UnsupportedAt("enable_oob_load_report",
                         "out-of-band load reports are not supported yet; "
                         "those of answers count");
  }
  if (in.has_slow_start_config()) {
    out.slow_start = ConvertSlowStart(in.slow_start_config(), errors);
  }
  return true;
}

// Reads the policy as a T and converts it. An error counts as taken: a broken
// policy is not passed over for the next one.
template <typename T>
bool Take(const ::google::protobuf::Any& any, FieldErrors& errors,
          model::LoadBalancing& out) {
  T policy;
  if (!UnpackInto(any, policy, errors)) return true;
  return Convert(policy, errors, out);
}

// The list of policies in a policy.
bool Nested(const cluster::LoadBalancingPolicy& in, std::string_view field,
            PolicyListContext& context, model::LoadBalancing& out) {
  ScopedField scope(context.errors, field);
  ++context.depth;
  const bool taken = ConvertPolicyList(in, context, out);
  --context.depth;
  return taken;
}

bool TakeWrrLocality(const ::google::protobuf::Any& any,
                     PolicyListContext& context, model::LoadBalancing& out) {
  WrrLocality policy;
  if (!UnpackInto(any, policy, context.errors)) return true;
  if (!Nested(policy.endpoint_picking_policy(), "endpoint_picking_policy",
              context, out)) {
    return false;
  }
  out.locality_weighted = true;
  out.zone_aware.reset();
  out.random_subset_by_locality = out.random_subset_size > 0;
  if (policy.endpoint_picking_policy().policies_size() > 0 &&
      !HoldsA<ClientSideWeightedRoundRobin>(policy.endpoint_picking_policy()
                                                .policies(0)
                                                .typed_extension_config()
                                                .typed_config())) {
    context.errors.WarningAt("endpoint_picking_policy",
                             "Envoy refuses any but "
                             "client_side_weighted_round_robin here");
  }
  return true;
}

// gRFC A68.
bool TakeRandomSubsetting(const ::google::protobuf::Any& any,
                          PolicyListContext& context,
                          model::LoadBalancing& out) {
  RandomSubsetting policy;
  if (!UnpackInto(any, policy, context.errors)) return true;
  if (!policy.has_subset_size()) {
    context.errors.ErrorAt("subset_size", "is required");
  }
  if (!Nested(policy.child_policy(), "child_policy", context, out)) {
    return false;
  }
  if (out.random_subset_size > 0) {
    context.errors.ErrorAt("child_policy",
                           "random_subsetting within random_subsetting is not "
                           "supported");
  }
  out.random_subset_size = policy.subset_size().value();
  return true;
}

bool TakeOverrideHost(const ::google::protobuf::Any& any,
                      PolicyListContext& context, model::LoadBalancing& out) {
  OverrideHost policy;
  if (!UnpackInto(any, policy, context.errors)) return true;
  context.errors.Unsupported(
      "override_host is not supported yet; its fallback_policy always picks");
  return Nested(policy.fallback_policy(), "fallback_policy", context, out);
}

bool TakeSubset(const ::google::protobuf::Any& any, PolicyListContext& context,
                model::LoadBalancing& out) {
  Subset policy;
  if (!UnpackInto(any, policy, context.errors)) return true;
  if (policy.subset_selectors_size() > 0) {
    context.errors.ErrorAt("subset_selectors",
                           "subset load balancing is not supported yet; "
                           "requests would reach hosts outside their subset");
    return true;
  }
  return Nested(policy.subset_lb_policy(), "subset_lb_policy", context, out);
}

// A policy of the application's own, by the name of the extension or of the
// type that its configuration has.
bool TakeCustom(const envoy::config::core::v3::TypedExtensionConfig& in,
                const PolicyListContext& context, model::LoadBalancing& out) {
  const std::string_view type = AnyTypeName(in.typed_config());
  for (const std::string& name : context.custom_policies) {
    if (name != in.name() && name != type) continue;
    out.policy = model::LbPolicy::kCustom;
    out.custom_name = name;
    out.custom_config = AnyAsJson(in.typed_config());
    out.zone_aware.emplace();
    return true;
  }
  return false;
}

bool ConvertOne(const ::google::protobuf::Any& any, PolicyListContext& context,
                model::LoadBalancing& out) {
  FieldErrors& errors = context.errors;
  if (HoldsA<RoundRobin>(any)) return Take<RoundRobin>(any, errors, out);
  if (HoldsA<LeastRequest>(any)) return Take<LeastRequest>(any, errors, out);
  if (HoldsA<Random>(any)) return Take<Random>(any, errors, out);
  if (HoldsA<RingHash>(any)) return Take<RingHash>(any, errors, out);
  if (HoldsA<Maglev>(any)) return Take<Maglev>(any, errors, out);
  if (HoldsA<ClientSideWeightedRoundRobin>(any)) {
    return Take<ClientSideWeightedRoundRobin>(any, errors, out);
  }
  if (HoldsA<WrrLocality>(any)) return TakeWrrLocality(any, context, out);
  if (HoldsA<RandomSubsetting>(any)) {
    return TakeRandomSubsetting(any, context, out);
  }
  if (HoldsA<OverrideHost>(any)) return TakeOverrideHost(any, context, out);
  if (HoldsA<Subset>(any)) return TakeSubset(any, context, out);
  if (!HoldsA<ClusterProvided>(any)) return false;
  context.provided = true;
  return true;
}

}  // namespace

bool ConvertPolicyList(const cluster::LoadBalancingPolicy& in,
                       PolicyListContext& context, model::LoadBalancing& out) {
  if (context.depth > kMaxDepth) {
    context.errors.Error(
        absl::StrCat("policies are nested more than ", kMaxDepth, " deep"));
    return true;
  }
  for (int i = 0; i < in.policies_size(); ++i) {
    ScopedField scope(context.errors, "policies", i);
    ScopedField extension(context.errors, "typed_extension_config");
    const auto& config = in.policies(i).typed_extension_config();
    if (TakeCustom(config, context, out)) return true;
    ScopedField any_scope(context.errors, "typed_config");
    if (ConvertOne(config.typed_config(), context, out)) return true;
    context.errors.Unsupported(
        IsUnknownExtension(config.typed_config())
            ? UnknownExtension(config.typed_config())
            : absl::StrCat("load balancing policy ",
                           Quoted(AnyTypeName(config.typed_config())),
                           " is not supported; passed over"));
  }
  return false;
}

}  // namespace meshlib::xds
