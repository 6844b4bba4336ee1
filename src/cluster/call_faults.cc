// What Call does where a connection manager has fault filters: they come before
// the router, as in Envoy, and so once for each request, not for each attempt.

#include <utility>

#include "cluster/call.h"

namespace meshlib::cluster {

// What the filters have done to one request so far.
struct Call::Faults {
  resilience::FaultStats* stats;
  uint64_t random;         // that its route was found with
  uint32_t filter = 0;     // the one that it has come to
  bool delayed = false;    // by that one
  bool active = false;     // that one counts as active
  int64_t all_active = 0;  // so many do

  void GoTo(uint32_t index) {
    if (index == filter) return;
    filter = index;
    delayed = active = false;
  }

  // Counts a fault that is to be injected, if there may be one more. A fuzzy
  // limit, as Envoy's is.
  bool Admit(uint64_t max_active) {
    if (active) return true;
    if (static_cast<uint64_t>(stats->active.load(std::memory_order_relaxed)) >=
        max_active) {
      stats->overflow.fetch_add(1, std::memory_order_relaxed);
      return false;
    }
    stats->active.fetch_add(1, std::memory_order_relaxed);
    active = true;
    ++all_active;
    return true;
  }
};

// Envoy finds the route of a request once: here it is found again, in the same
// way, when the request has waited.
[[gnu::noinline]] uint64_t Call::FaultRandom() const { return faults_->random; }

[[gnu::noinline]] PickFailure Call::Inject(
    const Scope& scope, const TargetBinding& binding,
    const routing::RouteTable::Match& match, uint64_t random,
    Attempt& attempt) {
  const resilience::FaultChain& chain = *binding.faults;
  const FaultScope at =
      FaultScope::Of(scope.request, *binding.routes, match, random);
  Faults state = faults_ != nullptr ? *faults_ : Faults{chain.stats, random};
  PickFailure injected = PickFailure::kNone;
  for (uint32_t i = state.filter;
       i < chain.filters.size() && injected == PickFailure::kNone; ++i) {
    state.GoTo(i);
    const resilience::CompiledFault* fault = chain.At(i, at.overrides);
    if (fault == nullptr || !fault->active() ||
        !fault->Matches(scope.request, at.cluster)) {
      continue;
    }
    injected = Apply(scope, *fault, state, attempt);
  }
  if (injected == PickFailure::kNone) {
    // A further pick for this request meets no filter again.
    state.GoTo(static_cast<uint32_t>(chain.filters.size()));
  }
  if (faults_ != nullptr) {
    *faults_ = state;
  } else if (injected != PickFailure::kNone) {
    faults_ = new Faults(state);
  }
  return injected;
}

PickFailure Call::Apply(const Scope& scope,
                        const resilience::CompiledFault& fault, Faults& state,
                        Attempt& attempt) {
  base::Random& random = scope.slot.random;
  if (!state.delayed) {
    const absl::Duration delay = fault.Delay(scope.request, random);
    if (delay > absl::ZeroDuration() && state.Admit(fault.max_active())) {
      state.delayed = true;
      state.stats->delays_injected.fetch_add(1, std::memory_order_relaxed);
      attempt.Delayed(delay);
      return PickFailure::kDelayed;
    }
  }
  const auto answer = fault.Abort(scope.request, random);
  if (!answer.has_value() || !state.Admit(fault.max_active())) {
    return PickFailure::kNone;
  }
  state.stats->aborts_injected.fetch_add(1, std::memory_order_relaxed);
  attempt.Aborted(*answer, scope.request);
  return PickFailure::kFaultAbort;
}

[[gnu::noinline]] void Call::EndFaults() {
  faults_->stats->active.fetch_sub(faults_->all_active,
                                   std::memory_order_relaxed);
  delete std::exchange(faults_, nullptr);
}

}  // namespace meshlib::cluster
