#ifndef MESHLIB_LB_WEIGHTED_ROUND_ROBIN_WEIGHTED_ROUND_ROBIN_H_
#define MESHLIB_LB_WEIGHTED_ROUND_ROBIN_WEIGHTED_ROUND_ROBIN_H_

#include <cstdint>

#include "lb/host_policy.h"
#include "model/cluster.h"

namespace meshlib::lb {

// client_side_weighted_round_robin (gRFC A58 and A114, and Envoy's extension
// of that name): hosts take turns by weights that come from their own load
// reports (see load_weight.h), scheduled by static stride. Weights of the
// configuration do not count. Hosts whose load is not known get the mean;
// where fewer than two are known all take turns alike.
//
// With slow start, which gRPC does not have here, the weight of a new host
// ramps up at each update of the weights.
class ClientSideWeightedRoundRobin final : public HostPolicy {
 public:
  explicit ClientSideWeightedRoundRobin(const model::LoadBalancing& config)
      : config_(config.load_report_weights), slow_start_(config.slow_start) {}

  bool uses_weights() const override { return false; }
  void Adopt(HostSource* source, int64_t now_ns) const override;
  void UpdateWeights(const HostSource& source, int64_t now_ns) const override;
  void Prepare(const HostSource& source, uint64_t seed, int64_t now_ns,
               SourceState* state) const override;
  const model::Host* Pick(const HostSource& source, SourceState& state,
                          base::Random& random,
                          const PickContext& context) const override;
  const model::Host* PickStateless(const HostSource& source,
                                   base::Random& random,
                                   const PickContext& context) const override;

 private:
  const model::LoadReportWeights config_;
  const SlowStartRamp slow_start_;
};

}  // namespace meshlib::lb

#endif  // MESHLIB_LB_WEIGHTED_ROUND_ROBIN_WEIGHTED_ROUND_ROBIN_H_
