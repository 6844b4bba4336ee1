#ifndef MESHLIB_TESTING_FAKE_CLOCK_H_
#define MESHLIB_TESTING_FAKE_CLOCK_H_

#include <atomic>
#include <cstdint>

#include "absl/time/time.h"
#include "meshlib/clock.h"

namespace meshlib::testing {

// A clock that stands still until it is told to move: for tests of meshes
// and for simulations. Its resolution is one nanosecond.
//
// Moving it runs nothing by itself: with MeshOptions::own_thread false, call
// Mesh::RunPending() after it. Like every clock it never goes backwards.
// Thread-safe; never blocks.
class FakeClock final : public Clock {
 public:
  // 2001-09-09 01:46:40 UTC: not zero, so that a time that was forgotten shows.
  FakeClock() : FakeClock(absl::UnixEpoch() + absl::Seconds(1000000000)) {}
  explicit FakeClock(absl::Time start) : since_epoch_ns_(ToNanos(start)) {}

  absl::Time Now() override {
    return absl::UnixEpoch() +
           absl::Nanoseconds(since_epoch_ns_.load(std::memory_order_acquire));
  }

  // Moves on by `step`; a negative one changes nothing.
  void Advance(absl::Duration step) {
    const int64_t nanos = step / absl::Nanoseconds(1);
    if (nanos <= 0) return;
    since_epoch_ns_.fetch_add(nanos, std::memory_order_acq_rel);
  }

  // Moves on to `now`; a time that has passed already changes nothing.
  void SetTime(absl::Time now) {
    const int64_t wanted = ToNanos(now);
    int64_t current = since_epoch_ns_.load(std::memory_order_acquire);
    while (current < wanted && !since_epoch_ns_.compare_exchange_weak(
                                   current, wanted, std::memory_order_acq_rel,
                                   std::memory_order_acquire)) {
    }
  }

 private:
  static int64_t ToNanos(absl::Time time) {
    return (time - absl::UnixEpoch()) / absl::Nanoseconds(1);
  }

  std::atomic<int64_t> since_epoch_ns_;
};

}  // namespace meshlib::testing

#endif  // MESHLIB_TESTING_FAKE_CLOCK_H_
