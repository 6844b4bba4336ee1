#ifndef MESHLIB_LB_RANDOM_RANDOM_H_
#define MESHLIB_LB_RANDOM_RANDOM_H_

#include "lb/host_policy.h"

namespace meshlib::lb {

// RANDOM: every host alike; weights do not count, as in Envoy.
class RandomPolicy final : public HostPolicy {
 public:
  bool uses_weights() const override { return false; }
  const model::Host* Pick(const HostSource& source, SourceState& state,
                          base::Random& random,
                          const PickContext& context) const override;
  const model::Host* PickStateless(const HostSource& source,
                                   base::Random& random,
                                   const PickContext& context) const override;
};

}  // namespace meshlib::lb

#endif  // MESHLIB_LB_RANDOM_RANDOM_H_
