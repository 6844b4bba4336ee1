#include <cstddef>
#include <cstdint>
#include <numeric>

#include "lb/balancer.h"
#include "lb/balancer_parts.h"

namespace meshlib::lb {

using HostSet = absl::flat_hash_set<const model::Host*>;

// The hosts that requests which take this route may get.
void Balancer::AddEligible(size_t index, HostSet& hosts) const {
  if (!hashes_.empty()) {
    const HashPriority& priority = *hashes_[index / 2];
    if (priority.bounded != nullptr) {  // may turn to any
      for (const WeightedHost& weighted : priority.hosts) {
        hosts.insert(weighted.host);
      }
      return;
    }
    // Hosts of little weight may have no place in the table.
    HostSet found;
    const HashTable& table = *priority.table;
    for (size_t place = 0;
         place < table.size() && found.size() < priority.hosts.size();
         ++place) {
      found.insert(table.HostAt(place));
    }
    hosts.insert(found.begin(), found.end());
    return;
  }
  const auto add = [&](uint32_t source) {
    if (source == kNoSource) return;
    hosts.insert(sources_[source]->hosts.begin(),
                 sources_[source]->hosts.end());
  };
  const Route& route = routes_[index];
  switch (route.kind) {
    case Route::Kind::kFlat:
      return add(route.flat);
    case Route::Kind::kLocalityWeighted:
      for (const uint32_t source : schedules_[route.schedule].sources) {
        add(source);
      }
      return;
    case Route::Kind::kZoneAware:
      if (zone_plan_.routing_enabled < 100) add(route.flat);
      for (size_t i = 0; i < route.zones.size(); ++i) {
        if (ZoneShare(zone_plan_, i) > 0) add(route.zones[i]);
      }
      return;
  }
}

HostSet Balancer::Eligible() const {
  HostSet hosts;
  if (routes_.empty()) return hosts;
  std::vector<bool> added(routes_.size());
  for (const uint16_t route : route_of_) {
    if (added[route]) continue;
    added[route] = true;
    AddEligible(route, hosts);
  }
  return hosts;
}

const HashTable* Balancer::table(size_t priority) const {
  return priority < hashes_.size() ? hashes_[priority]->table.get() : nullptr;
}

std::vector<Balancer::LocalityReport> Balancer::DescribeLocalities() const {
  std::vector<LocalityReport> reports;
  for (size_t p = 0; p < counted_.size(); ++p) {
    const std::vector<double> weights = EffectiveWeights(p);
    const std::vector<LocalityGroup>& groups = counted_[p]->groups;
    for (size_t i = 0; i < groups.size(); ++i) {
      const LocalityGroup& group = groups[i];
      LocalityReport report;
      report.locality = group.locality;
      report.priority = static_cast<uint32_t>(p);
      report.weight = group.weight;
      report.hosts = group.counts.hosts;
      report.healthy = group.counts.healthy;
      report.degraded = group.counts.degraded;
      report.effective_weight = weights[i];
      if (p == 0 && i < zone_plan_.percentages.size()) {
        report.local_percentage = zone_plan_.percentages[i].local;
        report.upstream_percentage = zone_plan_.percentages[i].upstream;
      }
      reports.push_back(report);
    }
  }
  return reports;
}

std::vector<double> Balancer::EffectiveWeights(size_t priority) const {
  const std::vector<LocalityGroup>& groups = counted_[priority]->groups;
  std::vector<double> weights;
  if (!input_.config->locality_weighted) {
    weights = WeightsOfEligible(priority);
    if (routes_[2 * priority].kind == Route::Kind::kZoneAware) {
      ShareByZone(weights);
    }
    return weights;
  }
  for (const LocalityGroup& group : groups) {
    if (policy_ != nullptr) {
      weights.push_back(EffectiveLocalityWeight(
          group, SourceKind::kHealthy, input_.overprovisioning_factor));
    } else {
      const bool any = loads_[priority].panic || group.counts.healthy > 0;
      weights.push_back(any ? group.weight : 0);
    }
  }
  return weights;
}

// By locality, the weights of the hosts that requests which have come to the
// priority may get.
std::vector<double> Balancer::WeightsOfEligible(size_t priority) const {
  HostSet hosts;
  AddEligible(2 * priority, hosts);
  if (loads_[priority].degraded_load > 0) AddEligible(2 * priority + 1, hosts);
  std::vector<double> weights;
  for (const LocalityGroup& group : counted_[priority]->groups) {
    uint64_t sum = 0;
    for (const HostEntries* block : group.blocks) {
      for (const HostEntry& entry : *block) {
        if (hosts.contains(entry.host)) sum += entry.weight;
      }
    }
    weights.push_back(static_cast<double>(sum));
  }
  return weights;
}

// Makes of weights, which the requests go by that are not routed by zone, the
// percent of requests that each zone gets.
void Balancer::ShareByZone(std::vector<double>& weights) const {
  const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
  const double routed = zone_plan_.routing_enabled;
  for (size_t i = 0; i < weights.size(); ++i) {
    const double alike = sum > 0 ? weights[i] / sum : 0;
    weights[i] = routed * ZoneShare(zone_plan_, i) + (100 - routed) * alike;
  }
}

}  // namespace meshlib::lb
