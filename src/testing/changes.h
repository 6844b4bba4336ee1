#ifndef MESHLIB_TESTING_CHANGES_H_
#define MESHLIB_TESTING_CHANGES_H_

#include <cstdint>

#include "absl/time/time.h"
#include "base/mutex.h"
#include "meshlib/clock.h"

namespace meshlib::testing {

// Lets threads wait for what a loop's thread brings about. Thread-safe.
class Changes {
 public:
  // Something that one may wait for has happened.
  void Happened() {
    const base::MutexLock lock(mutex_);
    ++generation_;
    changed_.NotifyAll();
  }

  // Calls `condition` until it holds, once after each change; false if it does
  // not within `timeout` of real time. It runs on the calling thread.
  template <typename Condition>
  bool WaitFor(Condition&& condition, absl::Duration timeout) {
    const absl::Time deadline = SystemClock()->Now() + timeout;
    while (true) {
      const uint64_t before = generation();
      if (condition()) return true;
      const absl::Duration left = deadline - SystemClock()->Now();
      if (left <= absl::ZeroDuration()) return false;
      WaitForOther(before, left);
    }
  }

 private:
  uint64_t generation() {
    const base::MutexLock lock(mutex_);
    return generation_;
  }
  void WaitForOther(uint64_t generation, absl::Duration longest) {
    const base::MutexLock lock(mutex_);
    if (generation_ == generation) changed_.WaitFor(mutex_, longest);
  }

  base::Mutex mutex_;
  base::CondVar changed_;
  uint64_t generation_ MESHLIB_GUARDED_BY(mutex_) = 0;
};

}  // namespace meshlib::testing

#endif  // MESHLIB_TESTING_CHANGES_H_
