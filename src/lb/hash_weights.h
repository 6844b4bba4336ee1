#ifndef MESHLIB_LB_HASH_WEIGHTS_H_
#define MESHLIB_LB_HASH_WEIGHTS_H_

#include <cstdint>
#include <string_view>
#include <vector>

#include "model/cluster.h"
#include "model/host.h"

namespace meshlib::lb {

// One host of a ring or table with its share of all requests.
struct WeightedHost {
  const model::Host* host = nullptr;
  double weight = 0;  // above 0; all of a table sum to 1

  friend bool operator==(const WeightedHost& a, const WeightedHost& b) {
    return a.host == b.host && a.weight == b.weight;
  }
};

// A group of hosts that shares `weight` by the hosts' own weights.
struct HashGroup {
  uint64_t weight = 1;
  std::vector<const model::Host*> hosts;
  std::vector<uint32_t> weights;  // by host
};

// What ring hash and Maglev build from: each host's weight is
//   group weight / sum of groups * host weight / sum of the group,
// in the order given. Groups and hosts of weight 0 are left out. The
// availability of localities does not count here, unlike everywhere else: so
// Envoy's thread-aware load balancers.
std::vector<WeightedHost> NormalizeWeights(
    const std::vector<HashGroup>& groups);

// What a host is hashed by: the endpoint's metadata envoy.lb / hash_key, else
// the host name if that is asked for and there is one, else the address.
std::string_view HashKey(const model::Host& host, bool use_hostname);

}  // namespace meshlib::lb

#endif  // MESHLIB_LB_HASH_WEIGHTS_H_
