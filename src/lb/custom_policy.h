#ifndef MESHLIB_LB_CUSTOM_POLICY_H_
#define MESHLIB_LB_CUSTOM_POLICY_H_

#include <memory>
#include <string_view>

#include "absl/status/statusor.h"
#include "lb/host_policy.h"
#include "lb/host_source.h"
#include "meshlib/load_balancer.h"

namespace meshlib::lb {

// A policy of the application: asks the LoadBalancer of each source.
class CustomPolicy final : public HostPolicy {
 public:
  void Prepare(const HostSource& source, uint64_t seed, int64_t now_ns,
               SourceState* state) const override;
  const model::Host* Pick(const HostSource& source, SourceState& state,
                          base::Random& random,
                          const PickContext& context) const override;
  const model::Host* PickStateless(const HostSource& source,
                                   base::Random& random,
                                   const PickContext& context) const override;
};

// Asks the factory for the LoadBalancer of a source. The result refers to the
// source, whose address must stay.
absl::StatusOr<CustomBalancer> MakeCustomBalancer(const HostSource& source,
                                                  LoadBalancerFactory& factory,
                                                  std::string_view config);

}  // namespace meshlib::lb

#endif  // MESHLIB_LB_CUSTOM_POLICY_H_
