#include "testing/simulated_loop.h"

#include "absl/status/status.h"

namespace meshlib::testing {

absl::StatusOr<event::IoLoop::WatchId> SimulatedLoop::WatchFd(
    int fd, event::Interest interest, WatchCallback callback) {
  return absl::UnimplementedError("a simulated loop watches no descriptors");
}

bool SimulatedLoop::SetInterest(WatchId watch, event::Interest interest) {
  return false;
}

bool SimulatedLoop::Unwatch(WatchId watch) { return false; }

SimulatedLoop::Step SimulatedLoop::RunStep(absl::Time latest) {
  const event::Agenda::Turn turn(agenda_);
  const absl::Time next = agenda_.RunDue(1);
  if (next == absl::InfinitePast()) {
    ++steps_;
    return ++steps_now_ > max_steps_ ? Step::kStuck : Step::kRan;
  }
  if (next == absl::InfiniteFuture()) return Step::kNothing;
  if (next > latest) return Step::kLater;
  clock_->SetTime(next);
  // The clock knows whole nanoseconds only.
  if (clock_->Now() < next) clock_->Advance(absl::Nanoseconds(1));
  steps_now_ = 0;
  return Step::kRan;
}

bool SimulatedLoop::RunUntil(absl::Time time) {
  steps_now_ = 0;
  while (true) {
    const Step step = RunStep(time);
    if (step == Step::kStuck) return false;
    if (step != Step::kRan) break;
  }
  clock_->SetTime(time);
  return true;
}

bool SimulatedLoop::RunUntil(const std::function<bool()>& done,
                             absl::Time latest) {
  steps_now_ = 0;
  while (!done()) {
    if (RunStep(latest) != Step::kRan) return done();
  }
  return true;
}

bool SimulatedLoop::RunUntilIdle(absl::Time latest) {
  steps_now_ = 0;
  while (true) {
    const Step step = RunStep(latest);
    if (step != Step::kRan) return step == Step::kNothing;
  }
}

}  // namespace meshlib::testing
