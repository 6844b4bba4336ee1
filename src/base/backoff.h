#ifndef MESHLIB_BASE_BACKOFF_H_
#define MESHLIB_BASE_BACKOFF_H_

#include <cstdint>

#include "absl/time/time.h"

namespace meshlib::base {

// The back-off of Envoy's router and xDS client: the n-th delay is a whole
// number of milliseconds drawn from [0, min(base * 2^(n-1), max)). Where
// doubling would reach beyond half of what is left, the next window is max.
// A value; not thread-safe.
class JitteredExponentialBackoff {
 public:
  // Both are at least 1 ms, and max at least base.
  JitteredExponentialBackoff(absl::Duration base, absl::Duration max);
  // 25 ms and 250 ms. Trivial, since every request's state holds one.
  constexpr JitteredExponentialBackoff() = default;

  // Draws with `random`, any uniform 64-bit value.
  absl::Duration Next(uint64_t random);
  void Reset() { next_ms_ = base_ms_; }

  // The window that the next delay is drawn from.
  absl::Duration window() const {
    return absl::Milliseconds(static_cast<int64_t>(next_ms_));
  }

 private:
  uint64_t base_ms_ = 25;
  uint64_t max_ms_ = 250;
  uint64_t next_ms_ = 25;
};

// A delay that a peer asked for, spread upward: value + rand % (value / 2), in
// milliseconds. A value below 2 ms is returned as it is.
absl::Duration JitteredLowerBound(absl::Duration value, uint64_t random);

// The connection back-off of gRPC (doc/connection-backoff.md): the n-th delay
// (from 1) is min(initial * multiplier^(n-1), max), times a uniform draw from
// [1 - jitter, 1 + jitter).
struct ExponentialBackoff {
  absl::Duration initial = absl::Seconds(1);
  double multiplier = 1.6;
  absl::Duration max = absl::Seconds(120);
  double jitter = 0.2;

  absl::Duration Delay(uint32_t n, uint64_t random) const;
};

}  // namespace meshlib::base

#endif  // MESHLIB_BASE_BACKOFF_H_
