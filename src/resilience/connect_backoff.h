#ifndef MESHLIB_RESILIENCE_CONNECT_BACKOFF_H_
#define MESHLIB_RESILIENCE_CONNECT_BACKOFF_H_

#include <atomic>
#include <cstdint>

#include "absl/time/time.h"
#include "base/backoff.h"
#include "model/host.h"

namespace meshlib::resilience {

// A pick passes over a host whose last connect failed, until its back-off
// ends, while another host can be picked: a deliberate deviation from Envoy,
// so that no call fails that a healthy host could have served. The back-off
// is gRPC's connection back-off (1 s, times 1.6, at most 120 s, jitter 0.2):
// a host that refuses connections has rarely come back within a second, and
// passing it over costs nothing while others serve.
//
// Thread-safe: everything is in the host's atomics. Times are ns of the
// mesh's clock. Relaxed everywhere: no other memory hangs on these values.

// Whether a pick should pass over the host.
inline bool InConnectBackoff(const model::HostState& state, int64_t now_ns) {
  return now_ns <
         state.connect_backoff_until_ns.load(std::memory_order_relaxed);
}

// A connect to the host failed or timed out. Of several connects that fail
// during one back-off the first alone counts: many callers that meet a dead
// host at once are one event. Returns whether this one counted. `random` is
// any uniform 64-bit value.
inline bool OnConnectFailure(model::HostState& state, int64_t now_ns,
                             uint64_t random,
                             const base::ExponentialBackoff& backoff = {}) {
  int64_t until =
      state.connect_backoff_until_ns.load(std::memory_order_relaxed);
  if (now_ns < until) return false;
  const uint32_t failures =
      state.connect_failures.load(std::memory_order_relaxed) + 1;
  const int64_t delay =
      absl::ToInt64Nanoseconds(backoff.Delay(failures, random));
  if (!state.connect_backoff_until_ns.compare_exchange_strong(
          until, now_ns + delay, std::memory_order_relaxed)) {
    return false;  // another thread saw the same event
  }
  state.connect_failures.store(failures, std::memory_order_relaxed);
  return true;
}

// Whether the last connects to the host failed.
inline bool HasConnectFailures(const model::HostState& state) {
  return state.connect_failures.load(std::memory_order_relaxed) != 0;
}

// A connect succeeded, or a response came. Only reads a host without
// failures.
inline void OnConnectSuccess(model::HostState& state) {
  if (!HasConnectFailures(state)) return;
  state.connect_failures.store(0, std::memory_order_relaxed);
  state.connect_backoff_until_ns.store(0, std::memory_order_relaxed);
}

}  // namespace meshlib::resilience

#endif  // MESHLIB_RESILIENCE_CONNECT_BACKOFF_H_
