#ifndef MESHLIB_LB_HOST_SET_H_
#define MESHLIB_LB_HOST_SET_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "model/cluster.h"
#include "model/host.h"
#include "model/host_counters.h"
#include "model/locality.h"

namespace meshlib::lb {

// One host as a version of its cluster sees it. 16 bytes, so that a scan over
// 100,000 of them streams and never touches the hosts themselves.
struct HostEntry {
  const model::Host* host = nullptr;
  uint32_t weight = 1;  // load_balancing_weight; 0: no traffic by weight
  model::HostHealth health = model::HostHealth::kHealthy;
};
static_assert(sizeof(HostEntry) == 16, "HostEntry must stream");

using HostEntries = std::vector<HostEntry>;

// The hosts of one locality in one priority. Share `hosts` between versions
// of a cluster where nothing in it changed: what was computed from it is then
// kept too.
struct LocalityHosts {
  // Borrowed: must live as long as the Balancer. Null: the empty locality.
  const model::Locality* locality = nullptr;
  uint32_t weight = 0;
  bool weight_set = false;
  std::shared_ptr<const HostEntries> hosts;  // null: none
};

struct PriorityHosts {
  std::vector<LocalityHosts> localities;  // in the order of the configuration
};

// The cluster that this process belongs to (Envoy's local_cluster_name), for
// zone-aware routing.
struct LocalCluster {
  struct Zone {
    model::Locality locality;
    uint32_t hosts = 0;
    uint32_t healthy = 0;
    uint32_t degraded = 0;
    uint32_t excluded = 0;
    uint64_t healthy_weight = 0;
  };
  std::vector<Zone> zones;
};

// What a Balancer is made of.
struct BalancerInput {
  std::vector<PriorityHosts> priorities;   // 0..n-1, none missing
  uint32_t overprovisioning_factor = 140;  // percent
  bool weighted_priority_health = false;
  // The node's; null: not known.
  std::shared_ptr<const model::Locality> own_locality;
  std::shared_ptr<const LocalCluster> local_cluster;   // null: none
  std::shared_ptr<const model::LoadBalancing> config;  // never null
  int64_t now_ns = 0;  // of the mesh's clock: who is in slow start
  // The requests in flight to the hosts. Its tables live as long as the hosts.
  model::ActiveRequests active;
};

}  // namespace meshlib::lb

#endif  // MESHLIB_LB_HOST_SET_H_
