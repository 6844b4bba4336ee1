#include "lb/round_robin/round_robin.h"

#include <atomic>
#include <vector>

namespace meshlib::lb {
double RoundRobin::Weight(const HostSource& source, uint32_t index,
                          int64_t now_ns) const {
  const double weight = source.weight(index);
  if (!source.ramps.empty() && !source.ramps[index]) return weight;
  // Relaxed: an older time only moves the ramp a little.
  return weight * slow_start_.Factor(
                      source.hosts[index]->state().available_since_ns.load(
                          std::memory_order_relaxed),
                      now_ns);
}

void RoundRobin::Prepare(const HostSource& source, uint64_t seed,
                         int64_t now_ns, SourceState* state) const {
  state->next = static_cast<uint32_t>(seed % source.size());
  if (source.size() < 2) return;
  if (source.slow_start) {
    std::vector<double> weights;
    weights.reserve(source.size());
    for (uint32_t i = 0; i < source.size(); ++i) {
      weights.push_back(Weight(source, i, now_ns));
    }
    state->edf = std::make_unique<EdfScheduler>(weights, seed);
  } else if (source.weighted()) {
    state->wrr = std::make_unique<WrrScheduler>(
        std::vector<double>(source.weights.begin(), source.weights.end()),
        seed);
  }
}

const model::Host* RoundRobin::Pick(const HostSource& source,
                                    SourceState& state, base::Random& random,
                                    const PickContext& context) const {
  if (state.wrr) return source.hosts[state.wrr->Pick()];
  if (state.edf) {
    return source.hosts[state.edf->Pick(
        [&](uint32_t index) { return Weight(source, index, context.now_ns); })];
  }
  const uint32_t index = state.next;
  state.next = index + 1 == source.size() ? 0 : index + 1;
  FetchAhead(source, index, context.stripe);
  return source.hosts[index];
}

const model::Host* RoundRobin::PickStateless(const HostSource& source,
                                             base::Random& random,
                                             const PickContext& context) const {
  return source.hosts[source.DrawWeighted(random)];
}

}  // namespace meshlib::lb
