#include "lb/weighted_round_robin/weighted_round_robin.h"

#include <atomic>
#include <memory>
#include <vector>

#include "absl/types/span.h"
#include "lb/weighted_round_robin/load_weight.h"

namespace meshlib::lb {
namespace {

// What an unknown weight counts as, before slow start takes its part.
double MeanOfKnown(absl::Span<const double> weights) {
  double sum = 0;
  size_t known = 0;
  for (const double weight : weights) {
    sum += weight;
    if (weight > 0) ++known;
  }
  return known == 0 ? 1 : sum / static_cast<double>(known);
}

}  // namespace

void ClientSideWeightedRoundRobin::Adopt(HostSource* source,
                                         int64_t now_ns) const {
  for (const model::Host* host : source->hosts) host->state().EnsureLoad();
  source->stride = std::make_unique<StaticStride>(source->size());
  UpdateWeights(*source, now_ns);
}

void ClientSideWeightedRoundRobin::UpdateWeights(const HostSource& source,
                                                 int64_t now_ns) const {
  std::vector<double> weights;
  weights.reserve(source.size());
  for (const model::Host* host : source.hosts) {
    // Relaxed: this thread made it.
    const model::HostLoad& load = *host->state().load();
    weights.push_back(UsableWeight(load, config_, now_ns));
  }
  if (source.slow_start) {
    const double mean = MeanOfKnown(weights);
    for (uint32_t i = 0; i < source.size(); ++i) {
      if (weights[i] == 0) weights[i] = mean;
      if (!source.ramps.empty() && !source.ramps[i]) continue;
      weights[i] *=
          slow_start_.Factor(source.hosts[i]->state().available_since_ns.load(
                                 std::memory_order_relaxed),
                             now_ns);
    }
  }
  source.stride->SetWeights(weights);
}

void ClientSideWeightedRoundRobin::Prepare(const HostSource& source,
                                           uint64_t seed, int64_t now_ns,
                                           SourceState* state) const {
  state->turn = source.stride->Start(static_cast<uint32_t>(seed));
}

const model::Host* ClientSideWeightedRoundRobin::Pick(
    const HostSource& source, SourceState& state, base::Random& random,
    const PickContext& context) const {
  const uint32_t index = source.stride->Pick(state.turn);
  FetchAhead(source, index, context.stripe);
  return source.hosts[index];
}

const model::Host* ClientSideWeightedRoundRobin::PickStateless(
    const HostSource& source, base::Random& random,
    const PickContext& context) const {
  return source.hosts[source.stride->Draw(random)];
}

}  // namespace meshlib::lb
