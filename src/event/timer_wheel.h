#ifndef MESHLIB_EVENT_TIMER_WHEEL_H_
#define MESHLIB_EVENT_TIMER_WHEEL_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/time/time.h"
#include "base/mutex.h"
#include "event/loop.h"

namespace meshlib::event {

class TimerWheel;

// Something that wants to be told when its time has come. Belongs to whoever
// made it; told at most once for each Set().
class WheelTimer : public std::enable_shared_from_this<WheelTimer> {
 public:
  virtual ~WheelTimer() = default;
  // On the wheel's loop, without locks.
  virtual void OnTimer() = 0;

 private:
  friend class TimerWheel;
  // The wheel's, under its lock.
  size_t slot_ = SIZE_MAX;  // where it is; SIZE_MAX: nowhere
  size_t index_ = 0;        // in that slot
  absl::Time when_;
};

// Very many timers that hardly ever come due, such as the timeouts of
// requests: set and unset from any thread without waking the loop, unless the
// new one is due before all others. A hashed timing wheel (G. Varghese and T.
// Lauck, SOSP 1987, scheme 6). Timers come up to kTick late, never early.
// Thread-safe.
class TimerWheel : public std::enable_shared_from_this<TimerWheel> {
 public:
  static constexpr int64_t kTickNanos = 2'000'000;
  static constexpr absl::Duration kTick = absl::Nanoseconds(kTickNanos);

  // `loop` is borrowed and outlives the wheel.
  explicit TimerWheel(Loop* loop) : loop_(loop), start_(loop->Now()) {}

  // Sets the timer, or sets it anew. The wheel keeps it alive until it is told
  // or unset.
  void Set(const std::shared_ptr<WheelTimer>& timer, absl::Time when);
  // The timer will not be told, unless that is under way.
  void Unset(WheelTimer& timer);

 private:
  static constexpr size_t kSlots = 8192;
  static constexpr size_t kWordBits = 64;

  int64_t TickOf(absl::Time when) const;
  void Insert(const std::shared_ptr<WheelTimer>& timer)
      MESHLIB_REQUIRES(mutex_);
  std::shared_ptr<WheelTimer> Remove(WheelTimer& timer)
      MESHLIB_REQUIRES(mutex_);
  // The tick of the next slot that is in use; nothing: none is.
  std::optional<int64_t> NextTick() const MESHLIB_REQUIRES(mutex_);
  void WakeFor(int64_t tick) MESHLIB_REQUIRES(mutex_);
  // On the loop.
  void Arm();
  void Run();

  Loop* const loop_;
  const absl::Time start_;

  base::Mutex mutex_;
  int64_t now_tick_ MESHLIB_GUARDED_BY(mutex_) = 0;  // done with
  // When the loop will look; INT64_MAX: it will not.
  int64_t armed_tick_ MESHLIB_GUARDED_BY(mutex_) = INT64_MAX;
  std::vector<std::vector<std::shared_ptr<WheelTimer>>> slots_
      MESHLIB_GUARDED_BY(mutex_){kSlots};
  std::array<uint64_t, kSlots / kWordBits> used_ MESHLIB_GUARDED_BY(mutex_){};
  // On the loop only.
  std::optional<Loop::TimerId> timer_;
};

}  // namespace meshlib::event

#endif  // MESHLIB_EVENT_TIMER_WHEEL_H_
