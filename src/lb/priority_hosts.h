#ifndef MESHLIB_LB_PRIORITY_HOSTS_H_
#define MESHLIB_LB_PRIORITY_HOSTS_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "lb/host_set.h"
#include "lb/priority_load.h"
#include "model/host.h"
#include "model/locality.h"

namespace meshlib::lb {

// Which hosts a source has.
enum class SourceKind : uint8_t { kAll, kHealthy, kDegraded };

// The hosts of one locality in one priority, counted.
struct LocalityGroup {
  const model::Locality* locality = nullptr;  // never null
  uint32_t weight = 0;                        // 0: not set, or 0
  bool own = false;                           // the node's
  PriorityCounts counts;
  std::vector<const HostEntries*> blocks;  // never empty ones

  uint64_t Count(SourceKind kind) const {
    switch (kind) {
      case SourceKind::kAll:
        return counts.hosts;
      case SourceKind::kHealthy:
        return counts.healthy;
      case SourceKind::kDegraded:
        return counts.degraded;
    }
    return 0;
  }
};

// One priority of a cluster, counted and grouped. Immutable; its address stays.
struct CountedPriority {
  CountedPriority() = default;
  CountedPriority(const CountedPriority&) = delete;
  CountedPriority& operator=(const CountedPriority&) = delete;

  PriorityHosts input;  // keeps the blocks alive
  std::shared_ptr<const model::Locality> own_locality;
  const model::Locality no_locality;  // of hosts without one
  PriorityCounts counts;
  // In Envoy's order: the node's own locality first, the others by region,
  // zone and sub-zone. Only those that have hosts.
  std::vector<LocalityGroup> groups;
  // In the order of the configuration.
  std::vector<const HostEntries*> blocks;
};

std::shared_ptr<const CountedPriority> CountPriority(
    const PriorityHosts& input,
    const std::shared_ptr<const model::Locality>& own_locality);

// Whether `counted` was made from the same hosts, shared by identity.
bool SameHosts(const CountedPriority& counted, const PriorityHosts& input,
               const std::shared_ptr<const model::Locality>& own_locality);

// Envoy's weight of a locality after availability (its document "Locality
// weighted load balancing"):
//   weight * min(1, factor / 100 * eligible / (hosts - excluded))
double EffectiveLocalityWeight(const LocalityGroup& group, SourceKind kind,
                               uint32_t overprovisioning_factor);

inline bool Belongs(model::HostHealth health, SourceKind kind) {
  switch (kind) {
    case SourceKind::kAll:
      return true;
    case SourceKind::kHealthy:
      return health == model::HostHealth::kHealthy;
    case SourceKind::kDegraded:
      return health == model::HostHealth::kDegraded;
  }
  return false;
}

}  // namespace meshlib::lb

#endif  // MESHLIB_LB_PRIORITY_HOSTS_H_
