#ifndef MESHLIB_LB_HOST_SOURCE_H_
#define MESHLIB_LB_HOST_SOURCE_H_

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/random.h"
#include "lb/weighted_round_robin/static_stride.h"
#include "meshlib/load_balancer.h"
#include "model/host.h"
#include "model/host_counters.h"

namespace meshlib::lb {

// A uniform number below n from one draw (multiply and shift: no division).
inline uint32_t DrawBelow(base::Random& random, uint32_t n) {
  return static_cast<uint32_t>(
      static_cast<unsigned __int128>(random.Next()) * n >> 64);
}

// Two of them from one draw, of 32 bits each: for n far below 2^32.
inline std::array<uint32_t, 2> DrawPairBelow(base::Random& random, uint32_t n) {
  const uint64_t drawn = random.Next();
  return {static_cast<uint32_t>((drawn >> 32) * n >> 32),
          static_cast<uint32_t>((drawn & 0xffffffffu) * n >> 32)};
}

// A policy of the application with its hosts.
struct CustomBalancer {
  std::unique_ptr<LoadBalancerHosts> hosts;
  std::shared_ptr<const LoadBalancer> balancer;
};

// One set of hosts that a policy chooses from: all, the healthy or the
// degraded hosts of a priority or of one of its localities. Immutable once
// built, shared by versions of a Balancer.
struct HostSource {
  std::vector<const model::Host*> hosts;  // borrowed
  model::ActiveRequests active;           // of these hosts
  // Where they are counted, so that hosts are compared without a look at them.
  // Empty if the policy compares none, if there are too few hosts for it to
  // pay or too many to look at them all for this, or if a host inherited
  // requests that are counted elsewhere.
  std::vector<model::CounterPlace> places;
  // Empty if all weights are equal.
  std::vector<uint32_t> weights;
  // Running sums of `weights`, for draws without a scheduler.
  std::vector<uint64_t> weight_sums;
  // Some host was in slow start when this was built.
  bool slow_start = false;
  // Slow start holds for healthy hosts only. Empty: they all are, or slow
  // start is off.
  std::vector<bool> ramps;
  CustomBalancer custom;
  // Client-side weighted round robin. What is immutable here is the pointer:
  // its weights change.
  std::unique_ptr<StaticStride> stride;

  uint32_t size() const { return static_cast<uint32_t>(hosts.size()); }
  bool weighted() const { return !weights.empty(); }
  uint32_t weight(uint32_t index) const {
    return weights.empty() ? 1 : weights[index];
  }

  // A host by its weight's share of the sum. Not for an empty source.
  uint32_t DrawWeighted(base::Random& random) const {
    if (weights.empty()) return DrawBelow(random, size());
    const auto drawn = static_cast<uint64_t>(
        static_cast<unsigned __int128>(random.Next()) * weight_sums.back() >>
        64);
    return static_cast<uint32_t>(
        std::upper_bound(weight_sums.begin(), weight_sums.end(), drawn) -
        weight_sums.begin());
  }
};

}  // namespace meshlib::lb

#endif  // MESHLIB_LB_HOST_SOURCE_H_
