#include "base/backoff.h"

#include <algorithm>
#include <cmath>

namespace meshlib::base {
namespace {

// A year: beyond this, times would overflow for nothing.
constexpr int64_t kLongestMs = int64_t{366} * 24 * 3600 * 1000;

uint64_t WholeMs(absl::Duration duration) {
  return static_cast<uint64_t>(
      std::clamp(absl::ToInt64Milliseconds(duration), int64_t{0}, kLongestMs));
}

}  // namespace

JitteredExponentialBackoff::JitteredExponentialBackoff(absl::Duration base,
                                                       absl::Duration max)
    : base_ms_(std::max<uint64_t>(WholeMs(base), 1)),
      max_ms_(std::max(WholeMs(max), base_ms_)),
      next_ms_(base_ms_) {}

absl::Duration JitteredExponentialBackoff::Next(uint64_t random) {
  const uint64_t window = next_ms_;
  next_ms_ = window < max_ms_ / 2 ? window * 2 : max_ms_;
  return absl::Milliseconds(static_cast<int64_t>(random % window));
}

absl::Duration JitteredLowerBound(absl::Duration value, uint64_t random) {
  const uint64_t ms = WholeMs(value);
  if (ms < 2) return value;
  return absl::Milliseconds(static_cast<int64_t>(ms + random % (ms / 2)));
}

absl::Duration ExponentialBackoff::Delay(uint32_t n, uint64_t random) const {
  const double limit = absl::ToDoubleSeconds(max);
  const double grown = absl::ToDoubleSeconds(initial) *
                       std::pow(multiplier, n == 0 ? 0.0 : n - 1.0);
  const double uniform = static_cast<double>(random >> 11) * 0x1.0p-53;
  const double factor = 1.0 + jitter * (2.0 * uniform - 1.0);
  return absl::Seconds(std::min(grown, limit) * factor);
}

}  // namespace meshlib::base
