#ifndef MESHLIB_LB_BALANCER_PARTS_H_
#define MESHLIB_LB_BALANCER_PARTS_H_

// What Balancer's source files share.

#include <memory>
#include <vector>

#include "lb/balancer.h"

namespace meshlib::lb {

struct Balancer::PrioritySources {
  bool panic = false;
  bool by_locality = false;
  std::shared_ptr<const HostSource> all;  // only in panic
  std::shared_ptr<const HostSource> healthy;
  std::shared_ptr<const HostSource> degraded;
  // By group, null where there are no hosts; empty unless by_locality.
  std::vector<std::shared_ptr<const HostSource>> healthy_by_locality;
  std::vector<std::shared_ptr<const HostSource>> degraded_by_locality;
};

struct Balancer::HashPriority {
  std::vector<WeightedHost> hosts;
  std::shared_ptr<const HashTable> table;      // never null
  std::shared_ptr<const BoundedLoad> bounded;  // null: no bound
};

}  // namespace meshlib::lb

#endif  // MESHLIB_LB_BALANCER_PARTS_H_
