#include <cstddef>

#include "lb/balancer.h"
#include "lb/balancer_parts.h"

namespace meshlib::lb {

bool Balancer::Available(size_t priority, model::HostHealth health) const {
  if (priority >= loads_.size()) return false;
  if (loads_[priority].panic) {
    const bool fails = policy_ != nullptr && input_.config->zone_aware &&
                       input_.config->zone_aware->fail_traffic_on_panic;
    return !fails;
  }
  if (health == model::HostHealth::kHealthy) return true;
  // Rings and tables have no degraded hosts.
  return health == model::HostHealth::kDegraded && policy_ != nullptr;
}

const HashTable* Balancer::table(size_t priority) const {
  return priority < hashes_.size() ? hashes_[priority]->table.get() : nullptr;
}

std::vector<Balancer::LocalityReport> Balancer::DescribeLocalities() const {
  std::vector<LocalityReport> reports;
  for (size_t p = 0; p < counted_.size(); ++p) {
    const CountedPriority& counted = *counted_[p];
    for (size_t i = 0; i < counted.groups.size(); ++i) {
      const LocalityGroup& group = counted.groups[i];
      LocalityReport report;
      report.locality = group.locality;
      report.priority = static_cast<uint32_t>(p);
      report.weight = group.weight;
      report.hosts = group.counts.hosts;
      report.healthy = group.counts.healthy;
      report.degraded = group.counts.degraded;
      if (!input_.config->locality_weighted) {
        for (const HostEntries* block : group.blocks) {
          for (const HostEntry& entry : *block) {
            if (!Available(p, entry.health)) continue;
            report.effective_weight += entry.weight;
          }
        }
      } else if (policy_ == nullptr) {
        const bool any = loads_[p].panic || group.counts.healthy > 0;
        report.effective_weight = any ? group.weight : 0;
      } else {
        report.effective_weight = EffectiveLocalityWeight(
            group, SourceKind::kHealthy, input_.overprovisioning_factor);
      }
      if (p == 0 && i < zone_plan_.percentages.size()) {
        report.local_percentage = zone_plan_.percentages[i].local;
        report.upstream_percentage = zone_plan_.percentages[i].upstream;
      }
      reports.push_back(report);
    }
  }
  return reports;
}

}  // namespace meshlib::lb
