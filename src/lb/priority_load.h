#ifndef MESHLIB_LB_PRIORITY_LOAD_H_
#define MESHLIB_LB_PRIORITY_LOAD_H_

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "model/endpoints.h"

namespace meshlib::lb {

using model::kMaxPriorities;

// What counts of one priority's hosts.
struct PriorityCounts {
  uint64_t hosts = 0;
  uint64_t healthy = 0;
  uint64_t degraded = 0;
  uint64_t excluded = 0;
  // The same as sums of weights, for weighted_priority_health.
  uint64_t hosts_weight = 0;
  uint64_t healthy_weight = 0;
  uint64_t degraded_weight = 0;
  uint64_t excluded_weight = 0;
};

struct PriorityLoad {
  uint32_t health = 0;         // availability of healthy hosts, 0..100
  uint32_t degraded = 0;       // of degraded ones
  uint32_t healthy_load = 0;   // percent of requests
  uint32_t degraded_load = 0;  // percent of requests
  bool panic = false;          // choose among all hosts
};

struct PriorityLoadOptions {
  uint32_t overprovisioning_factor = 140;  // percent
  bool weighted_priority_health = false;
  uint32_t panic_threshold = 50;  // percent, see TruncatedPercent
};

// Envoy's priority load, overprovisioning, degraded endpoints and panic
// threshold (its documents "Priority levels", "Degraded endpoints" and
// "Panic threshold"), integer by integer:
//   health_p   = min(100, floor(factor * healthy / (hosts - excluded)))
//   T          = min(100, sum of health and degraded)
//   healthy_p  = min(rest, floor(health_p * 100 / T)), then degraded_p alike;
//                what rounding leaves goes to the first available priority
//   panic_p    = T != 100 and healthy + degraded percent < threshold
// When every priority panics, load follows the number of hosts. When nothing
// is available and the threshold is 0, P0 gets everything and has no host.
std::vector<PriorityLoad> ComputePriorityLoads(
    const std::vector<PriorityCounts>& counts,
    const PriorityLoadOptions& options);

// Whether `counts` alone is below the panic threshold.
bool BelowPanicThreshold(const PriorityCounts& counts, uint32_t threshold);

// Loads that one request uses instead of the cluster's: retry_priority's
// previous_priorities. A value, no allocation.
struct PriorityLoadOverride {
  uint32_t priorities = 0;
  // Not a retry's wish but where the request must go: hash policies obey too.
  bool forced = false;
  // Only the first `priorities` of each have a value.
  std::array<uint8_t, kMaxPriorities> healthy;
  std::array<uint8_t, kMaxPriorities> degraded;

  // All requests to the healthy or the degraded hosts of one priority.
  void SendAllTo(uint32_t priority, bool to_degraded) {
    priorities = priority + 1;
    forced = true;
    std::fill_n(healthy.begin(), priorities, uint8_t{0});
    std::fill_n(degraded.begin(), priorities, uint8_t{0});
    (to_degraded ? degraded : healthy)[priority] = 100;
  }
};

// A percentage of configuration as the integer that Envoy makes of it.
uint32_t TruncatedPercent(double percent);

}  // namespace meshlib::lb

#endif  // MESHLIB_LB_PRIORITY_LOAD_H_
