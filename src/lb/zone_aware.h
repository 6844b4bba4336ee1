#ifndef MESHLIB_LB_ZONE_AWARE_H_
#define MESHLIB_LB_ZONE_AWARE_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/random.h"
#include "lb/host_set.h"
#include "lb/priority_load.h"
#include "model/cluster.h"
#include "model/locality.h"

namespace meshlib::lb {

// One locality of priority 0, the node's own first if it has hosts there.
struct UpstreamZone {
  const model::Locality* locality = nullptr;  // never null
  uint64_t healthy = 0;
  uint64_t healthy_weight = 0;
};

// How zone-aware routing spreads the requests of priority 0 (Envoy's document
// "Zone aware routing"). Percentages are in hundredths of a percent.
struct ZoneAwarePlan {
  enum class Mode : uint8_t {
    kOff,       // all hosts of the priority alike
    kDirect,    // everything to the node's own locality
    kResidual,  // as much as fits to the own one, the rest by free capacity
    kFail,      // the local cluster panics and fail_traffic_on_panic is set
  };
  struct Percentages {
    uint64_t local = 0;     // the locality's part of the local cluster
    uint64_t upstream = 0;  // its part of this cluster
  };
  Mode mode = Mode::kOff;
  uint32_t routing_enabled = 100;        // percent of requests
  uint64_t local_share = 0;              // of 10000 requests
  std::vector<uint64_t> residual;        // accumulated, by upstream zone
  std::vector<Percentages> percentages;  // by upstream zone
};

struct ZoneAwareInput {
  const model::ZoneAwareLb* config = nullptr;
  const LocalCluster* local_cluster = nullptr;  // null: the plan is kOff
  const model::Locality* own_locality = nullptr;
  std::vector<UpstreamZone> zones;
  bool own_zone_first = false;  // zones[0] is the own locality
  uint64_t healthy_hosts = 0;   // of priority 0
  uint32_t panic_threshold = 50;
};

ZoneAwarePlan PlanZoneAware(const ZoneAwareInput& input);

// Whether one request is routed by zone at all: draws only if routing_enabled
// is between 0 and 100. For every mode but kOff.
bool DrawRoutedByZone(const ZoneAwarePlan& plan, base::Random& random);

// The index of the zone for one request. Draws whether it stays in the own
// zone and, if not, the zone; for kDirect nothing. For kDirect and kResidual.
uint32_t DrawZone(const ZoneAwarePlan& plan, base::Random& random);

// The part of the requests routed by zone that DrawZone sends to a zone, 0 to
// 1; 0 for kFail.
double ZoneShare(const ZoneAwarePlan& plan, size_t zone);

}  // namespace meshlib::lb

#endif  // MESHLIB_LB_ZONE_AWARE_H_
