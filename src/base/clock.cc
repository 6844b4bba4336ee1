#include "meshlib/clock.h"

#include <chrono>

#include "absl/time/clock.h"

namespace meshlib {
namespace {

class MonotonicClock final : public Clock {
 public:
  MonotonicClock() : offset_(absl::ToUnixNanos(absl::Now()) - SteadyNanos()) {}

  absl::Time Now() override {
    return absl::FromUnixNanos(SteadyNanos() + offset_);
  }

 private:
  static int64_t SteadyNanos() {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(
               std::chrono::steady_clock::now().time_since_epoch())
        .count();
  }

  const int64_t offset_;  // monotonic time to wall time, at the start
};

}  // namespace

Clock* SystemClock() {
  // Constant after its construction and never destroyed: threads may still
  // ask for the time while the process exits.
  static MonotonicClock* const clock = new MonotonicClock;
  return clock;
}

}  // namespace meshlib
