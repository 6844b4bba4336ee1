#ifndef MESHLIB_LB_RANDOM_SUBSET_H_
#define MESHLIB_LB_RANDOM_SUBSET_H_

#include <cstdint>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/types/span.h"
#include "lb/host_set.h"
#include "model/host.h"

namespace meshlib::lb {

struct RandomSubsetOptions {
  uint32_t size = 0;         // above 0
  bool by_locality = false;  // a subset of each locality of a priority
  uint64_t seed = 0;
};

// random_subsetting (gRFC A68): leaves in `priorities` the hosts that get
// traffic. There the policy stands below the choice of a priority, so that
// each priority has a subset of its own; below WrrLocality each locality of a
// priority has. Hosts for which `candidate` is false are left out beforehand,
// unless there are no others. Lists that come out as they are in `previous`
// (the last result; null: none) are the same objects.
void KeepRandomSubset(const RandomSubsetOptions& options,
                      absl::FunctionRef<bool(const model::Host&)> candidate,
                      const std::vector<PriorityHosts>* previous,
                      std::vector<PriorityHosts>& priorities);

// Which hosts that are: the `size` whose
// XXH64(address, seed) is least; all if there are no more. By index whether the
// host is kept. Clients with different seeds choose independently, so that all
// hosts have about as many clients; and since a hash does not depend on the
// other hosts (rendezvous hashing), each host that comes or goes changes the
// choice by one at most.
std::vector<bool> RandomSubset(absl::Span<const std::string_view> addresses,
                               uint32_t size, uint64_t seed);

}  // namespace meshlib::lb

#endif  // MESHLIB_LB_RANDOM_SUBSET_H_
