#ifndef MESHLIB_LB_LEAST_REQUEST_LEAST_REQUEST_H_
#define MESHLIB_LB_LEAST_REQUEST_LEAST_REQUEST_H_

#include <cstdint>

#include "lb/host_policy.h"

namespace meshlib::lb {

// LEAST_REQUEST. Equal weights: of `choice_count` hosts drawn with
// replacement the first with the fewest requests in flight (Mitzenmacher's
// power of two choices), or with FULL_SCAN of all hosts, ties by chance.
// Unequal weights, or an active_request_bias that was given: earliest deadline
// first with weight / (active + 1)^bias.
class LeastRequest final : public HostPolicy {
 public:
  explicit LeastRequest(const model::LoadBalancing& config);

  void Adopt(HostSource* source, int64_t now_ns) const override;
  void Prepare(const HostSource& source, uint64_t seed, int64_t now_ns,
               SourceState* state) const override;
  const model::Host* Pick(const HostSource& source, SourceState& state,
                          base::Random& random,
                          const PickContext& context) const override;
  const model::Host* PickStateless(const HostSource& source,
                                   base::Random& random,
                                   const PickContext& context) const override;

 private:
  // More choices than this cost time and change nothing.
  static constexpr uint32_t kMaxChoices = 1024;

  // Whether a scheduler orders the hosts.
  bool Schedules(const HostSource& source) const;
  double Weight(const HostSource& source, uint32_t index, int64_t now_ns) const;
  const model::Host* PickOtherwise(const HostSource& source, SourceState& state,
                                   base::Random& random,
                                   const PickContext& context) const;
  const model::Host* PickOfChoices(const HostSource& source,
                                   base::Random& random) const;
  const model::Host* PickByFullScan(const HostSource& source,
                                    base::Random& random) const;

  const SlowStartRamp slow_start_;
  const uint32_t choice_count_;
  const double bias_;
  const bool bias_explicit_;
  const bool full_scan_;
};

}  // namespace meshlib::lb

#endif  // MESHLIB_LB_LEAST_REQUEST_LEAST_REQUEST_H_
