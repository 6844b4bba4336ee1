#include "lb/zone_aware.h"

#include <algorithm>

#include "absl/container/flat_hash_map.h"

namespace meshlib::lb {
namespace {

using Mode = ZoneAwarePlan::Mode;

// The deprecated force_locality_direct_routing is force_local_zone with one
// host.
std::optional<uint32_t> ForcedMinimum(const model::ZoneAwareLb& config) {
  if (config.force_local_zone_min_size) return config.force_local_zone_min_size;
  if (config.force_locality_direct_routing) return 1;
  return std::nullopt;
}

bool Applies(const ZoneAwareInput& in) {
  if (in.local_cluster == nullptr || in.own_locality == nullptr) return false;
  if (in.zones.size() < 2) return false;
  size_t local_zones = 0;
  bool own_zone_has_hosts = false;
  for (const LocalCluster::Zone& zone : in.local_cluster->zones) {
    if (zone.hosts == 0) continue;
    ++local_zones;
    if (zone.locality == *in.own_locality) own_zone_has_hosts = true;
  }
  if (local_zones < 2 && !ForcedMinimum(*in.config)) return false;
  return own_zone_has_hosts && in.healthy_hosts >= in.config->min_cluster_size;
}

bool LocalClusterPanics(const ZoneAwareInput& in) {
  PriorityCounts counts;
  for (const LocalCluster::Zone& zone : in.local_cluster->zones) {
    counts.hosts += zone.hosts;
    counts.healthy += zone.healthy;
    counts.degraded += zone.degraded;
    counts.excluded += zone.excluded;
  }
  return BelowPanicThreshold(counts, in.panic_threshold);
}

std::vector<ZoneAwarePlan::Percentages> ComputePercentages(
    const ZoneAwareInput& in) {
  const bool by_weight =
      in.config->locality_basis == model::LocalityBasis::kHealthyHostsWeight;
  absl::flat_hash_map<model::Locality, uint64_t> local;
  uint64_t local_total = 0;
  for (const LocalCluster::Zone& zone : in.local_cluster->zones) {
    const uint64_t size = by_weight ? zone.healthy_weight : zone.healthy;
    local_total += size;
    local[zone.locality] += size;
  }
  const auto upstream_size = [by_weight](const UpstreamZone& zone) {
    return by_weight ? zone.healthy_weight : zone.healthy;
  };
  uint64_t upstream_total = 0;
  for (const UpstreamZone& zone : in.zones) {
    upstream_total += upstream_size(zone);
  }
  std::vector<ZoneAwarePlan::Percentages> result(in.zones.size());
  for (size_t i = 0; i < in.zones.size(); ++i) {
    const UpstreamZone& zone = in.zones[i];
    // Nothing is compared for a zone without healthy hosts.
    if (zone.healthy == 0) continue;
    const auto found = local.find(*zone.locality);
    if (found != local.end() && local_total > 0) {
      result[i].local = 10000 * found->second / local_total;
    }
    if (upstream_total > 0) {
      result[i].upstream = 10000 * upstream_size(zone) / upstream_total;
    }
  }
  return result;
}

bool RoutesDirectly(const ZoneAwareInput& in,
                    const ZoneAwarePlan::Percentages& own) {
  if (own.upstream > 0 && own.upstream >= own.local) return true;
  const std::optional<uint32_t> minimum = ForcedMinimum(*in.config);
  return minimum && in.zones[0].healthy >= *minimum;
}

void PlanResidual(const ZoneAwareInput& in, ZoneAwarePlan* plan) {
  if (in.own_zone_first && plan->percentages[0].local > 0) {
    plan->local_share =
        plan->percentages[0].upstream * 10000 / plan->percentages[0].local;
  }
  uint64_t sum = 0;
  for (size_t i = 0; i < plan->percentages.size(); ++i) {
    const ZoneAwarePlan::Percentages& zone = plan->percentages[i];
    const bool own = i == 0 && in.own_zone_first;
    if (!own && zone.upstream > zone.local) sum += zone.upstream - zone.local;
    plan->residual.push_back(sum);
  }
}

}  // namespace

ZoneAwarePlan PlanZoneAware(const ZoneAwareInput& in) {
  ZoneAwarePlan plan;
  if (!Applies(in)) return plan;
  plan.percentages = ComputePercentages(in);
  plan.routing_enabled = TruncatedPercent(in.config->routing_enabled_percent);
  if (plan.routing_enabled == 0) return plan;
  if (LocalClusterPanics(in)) {
    if (in.config->fail_traffic_on_panic) plan.mode = Mode::kFail;
    return plan;
  }
  if (in.own_zone_first && RoutesDirectly(in, plan.percentages[0])) {
    plan.mode = Mode::kDirect;
    return plan;
  }
  plan.mode = Mode::kResidual;
  PlanResidual(in, &plan);
  return plan;
}

bool DrawRoutedByZone(const ZoneAwarePlan& plan, base::Random& random) {
  return plan.routing_enabled >= 100 ||
         random.Next() % 100 < plan.routing_enabled;
}

uint32_t DrawZone(const ZoneAwarePlan& plan, base::Random& random) {
  if (plan.mode == Mode::kDirect) return 0;
  if (random.Next() % 10000 < plan.local_share) return 0;
  const uint64_t total = plan.residual.back();
  // Rounding may leave no zone with free capacity.
  if (total == 0) {
    return static_cast<uint32_t>(random.Next() % plan.residual.size());
  }
  const uint64_t drawn = random.Next() % total;
  uint32_t zone = 0;
  while (drawn >= plan.residual[zone]) ++zone;
  return zone;
}

double ZoneShare(const ZoneAwarePlan& plan, size_t zone) {
  if (plan.mode == Mode::kDirect) return zone == 0 ? 1 : 0;
  if (plan.mode != Mode::kResidual) return 0;
  const double local =
      static_cast<double>(std::min<uint64_t>(plan.local_share, 10000)) / 10000;
  const auto total = static_cast<double>(plan.residual.back());
  const uint64_t before = zone == 0 ? 0 : plan.residual[zone - 1];
  const double part =
      total > 0 ? static_cast<double>(plan.residual[zone] - before) / total
                : 1.0 / static_cast<double>(plan.residual.size());
  return (zone == 0 ? local : 0) + (1 - local) * part;
}

}  // namespace meshlib::lb
