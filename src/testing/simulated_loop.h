#ifndef MESHLIB_TESTING_SIMULATED_LOOP_H_
#define MESHLIB_TESTING_SIMULATED_LOOP_H_

#include <cstdint>
#include <functional>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "event/agenda.h"
#include "event/io_loop.h"
#include "meshlib/testing/fake_clock.h"

namespace meshlib::testing {

// A loop on virtual time: when it has nothing to do it moves its clock to the
// next timer. It has no descriptors: SimulatedNetwork is what it reads from.
// Run by one thread at a time; never waits.
class SimulatedLoop final : public event::IoLoop {
 public:
  // `clock` is borrowed; nobody else should move it while the loop runs.
  explicit SimulatedLoop(FakeClock* clock) : clock_(clock), agenda_(clock) {}

  void Post(Task task) override { agenda_.Post(std::move(task)); }
  TimerId RunAt(absl::Time when, Task task) override {
    return agenda_.RunAt(when, std::move(task));
  }
  bool Cancel(TimerId timer) override { return agenda_.Cancel(timer); }
  Signal AddSignal(Task task) override {
    return agenda_.AddSignal(std::move(task));
  }
  void Raise(Signal signal) override { agenda_.Raise(signal); }
  absl::Time Now() override { return clock_->Now(); }

  // Always Unimplemented, and false.
  absl::StatusOr<WatchId> WatchFd(int fd, event::Interest interest,
                                  WatchCallback callback) override;
  bool SetInterest(WatchId watch, event::Interest interest) override;
  bool Unwatch(WatchId watch) override;

  // These run the loop, not from the loop itself. All give up, and return
  // false, after `max_steps()` pieces of work within one instant: something
  // keeps itself busy.

  // Runs what is due up to `time`, which is the time then.
  bool RunUntil(absl::Time time);
  bool RunFor(absl::Duration duration) { return RunUntil(Now() + duration); }
  // Until `done()`, which is asked between any two pieces of work. False: it is
  // not at `latest`, or when nothing is left to do.
  bool RunUntil(const std::function<bool()>& done, absl::Time latest);
  // Until nothing is left to do, and no timer. False: there is, at `latest`.
  bool RunUntilIdle(absl::Time latest);

  // How many pieces of work have run.
  uint64_t steps() const { return steps_; }
  uint64_t max_steps() const { return max_steps_; }
  void set_max_steps(uint64_t most) { max_steps_ = most; }

 private:
  enum class Step { kRan, kNothing, kLater, kStuck };
  // Runs one piece of work, or moves the clock to the next timer, if that is
  // not after `latest`.
  Step RunStep(absl::Time latest);

  FakeClock* const clock_;
  event::Agenda agenda_;
  uint64_t steps_ = 0;
  uint64_t max_steps_ = 10'000'000;
  uint64_t steps_now_ = 0;  // within this instant
};

}  // namespace meshlib::testing

#endif  // MESHLIB_TESTING_SIMULATED_LOOP_H_
