#include "lb/least_request/least_request.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <vector>

namespace meshlib::lb {

LeastRequest::LeastRequest(const model::LoadBalancing& config)
    : slow_start_(config.slow_start),
      choice_count_(std::clamp<uint32_t>(config.choice_count, 2, kMaxChoices)),
      // What is not a bias counts as the default.
      bias_(config.active_request_bias >= 0 ? config.active_request_bias : 1.0),
      bias_explicit_(config.active_request_bias_explicit),
      full_scan_(config.selection == model::LeastRequestSelection::kFullScan) {}

double LeastRequest::Weight(const HostSource& source, uint32_t index,
                            int64_t now_ns) const {
  const model::Host& host = *source.hosts[index];
  double weight = source.weight(index);
  const double load = 1.0 + source.active.Of(host);
  if (bias_ == 1.0) {
    weight /= load;
  } else if (bias_ != 0.0) {
    // A huge bias must not make the weight vanish.
    weight = std::max(weight / std::pow(load, bias_), 1e-100);
  }
  if (!source.slow_start) return weight;
  if (!source.ramps.empty() && !source.ramps[index]) return weight;
  return weight * slow_start_.Factor(host.state().available_since_ns.load(
                                         std::memory_order_relaxed),
                                     now_ns);
}

bool LeastRequest::Schedules(const HostSource& source) const {
  return source.size() >= 2 &&
         (source.weighted() || source.slow_start || bias_explicit_);
}

void LeastRequest::Adopt(HostSource* source, int64_t now_ns) const {
  if (source->size() < kNearFrom || source->size() >= kFarFrom) return;
  if (Schedules(*source) || choice_count_ != 2 || full_scan_) return;
  source->places.reserve(source->size());
  for (const model::Host* host : source->hosts) {
    if (host->inherited_index() != model::Host::kNoIndex) {
      source->places.clear();
      return;
    }
    source->places.push_back(host->counter_place());
  }
}

void LeastRequest::Prepare(const HostSource& source, uint64_t seed,
                           int64_t now_ns, SourceState* state) const {
  if (!Schedules(source)) return;
  std::vector<double> weights;
  weights.reserve(source.size());
  for (uint32_t i = 0; i < source.size(); ++i) {
    weights.push_back(Weight(source, i, now_ns));
  }
  if (bias_ == 0.0 && !source.slow_start) {  // weights that stay
    state->wrr = std::make_unique<WrrScheduler>(weights, seed);
  } else {
    state->edf = std::make_unique<EdfScheduler>(weights, seed);
  }
}

const model::Host* LeastRequest::PickOfChoices(const HostSource& source,
                                               base::Random& random) const {
  const uint32_t n = source.size();
  const model::Host* best = source.hosts[DrawBelow(random, n)];
  const model::Host* other = source.hosts[DrawBelow(random, n)];
  auto [least, active] = source.active.Of(*best, *other);
  if (active < least) {
    best = other;
    least = active;
  }
  for (uint32_t i = 2; i < choice_count_; ++i) {
    other = source.hosts[DrawBelow(random, n)];
    active = source.active.Of(*other);
    if (active < least) {
      best = other;
      least = active;
    }
  }
  return best;
}

const model::Host* LeastRequest::PickByFullScan(const HostSource& source,
                                                base::Random& random) const {
  const model::Host* best = source.hosts[0];
  uint32_t least = source.active.Of(*best);
  uint32_t ties = 1;
  for (uint32_t i = 1; i < source.size(); ++i) {
    const model::Host* host = source.hosts[i];
    const uint32_t active = source.active.Of(*host);
    if (active > least) continue;
    if (active < least) {
      least = active;
      best = host;
      ties = 1;
      // Reservoir sampling: the k-th of the tied hosts replaces the one held
      // with probability 1/k.
    } else if (DrawBelow(random, ++ties) == 0) {
      best = host;
    }
  }
  return best;
}

// What needs no scheduler comes first and alone, with as few registers to
// save as can be.
const model::Host* LeastRequest::Pick(const HostSource& source,
                                      SourceState& state, base::Random& random,
                                      const PickContext& context) const {
  if (source.places.empty()) {
    return PickOtherwise(source, state, random, context);
  }
  const LookAhead::Pair pair =
      state.ahead.NearPair(source, random, context.stripe);
  const auto [active, other] =
      source.active.Of(source.places[pair[0]], source.places[pair[1]]);
  return source.hosts[other < active ? pair[1] : pair[0]];
}

[[gnu::noinline]] const model::Host* LeastRequest::PickOtherwise(
    const HostSource& source, SourceState& state, base::Random& random,
    const PickContext& context) const {
  if (state.edf) {
    return source.hosts[state.edf->Pick(
        [&](uint32_t index) { return Weight(source, index, context.now_ns); })];
  }
  if (state.wrr) return source.hosts[state.wrr->Pick()];
  if (source.size() == 1) return source.hosts[0];
  if (source.size() >= kNearFrom && choice_count_ == 2 && !full_scan_) {
    const LookAhead::Pair pair =
        source.size() < kFarFrom
            ? state.ahead.NearPair(source, random, context.stripe)
            : state.ahead.Far(source, random, 2, context.stripe);
    const model::Host* first = source.hosts[pair[0]];
    const model::Host* second = source.hosts[pair[1]];
    const auto [active, other] = source.active.Of(*first, *second);
    return other < active ? second : first;
  }
  return full_scan_ ? PickByFullScan(source, random)
                    : PickOfChoices(source, random);
}

const model::Host* LeastRequest::PickStateless(
    const HostSource& source, base::Random& random,
    const PickContext& context) const {
  if (!source.weighted()) {
    return full_scan_ ? PickByFullScan(source, random)
                      : PickOfChoices(source, random);
  }
  uint32_t best = source.DrawWeighted(random);
  const uint32_t other = source.DrawWeighted(random);
  if (source.active.Of(*source.hosts[other]) <
      source.active.Of(*source.hosts[best])) {
    best = other;
  }
  return source.hosts[best];
}

}  // namespace meshlib::lb
