#ifndef MESHLIB_LB_ROUND_ROBIN_ROUND_ROBIN_H_
#define MESHLIB_LB_ROUND_ROBIN_ROUND_ROBIN_H_

#include "lb/host_policy.h"

namespace meshlib::lb {

// ROUND_ROBIN. Equal weights: hosts in turn, from a seeded place on. Unequal
// weights: earliest deadline first, so that over a cycle of the weights' sum
// each host's share is exact. While hosts are in slow start their weights
// change from pick to pick.
class RoundRobin final : public HostPolicy {
 public:
  explicit RoundRobin(const model::SlowStart& slow_start)
      : slow_start_(slow_start) {}

  void Prepare(const HostSource& source, uint64_t seed, int64_t now_ns,
               SourceState* state) const override;
  const model::Host* Pick(const HostSource& source, SourceState& state,
                          base::Random& random,
                          const PickContext& context) const override;
  const model::Host* PickStateless(const HostSource& source,
                                   base::Random& random,
                                   const PickContext& context) const override;

 private:
  double Weight(const HostSource& source, uint32_t index, int64_t now_ns) const;

  const SlowStartRamp slow_start_;
};

}  // namespace meshlib::lb

#endif  // MESHLIB_LB_ROUND_ROBIN_ROUND_ROBIN_H_
