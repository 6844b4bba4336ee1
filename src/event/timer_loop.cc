#include "event/timer_loop.h"

#include <algorithm>
#include <ctime>

namespace meshlib::event {

TimerLoop::TimerLoop(Clock* clock) : agenda_(clock) { sem_init(&wake_, 0, 0); }

TimerLoop::~TimerLoop() {
  Stop();
  sem_destroy(&wake_);
}

void TimerLoop::Wake() {
  // Acquire and release pair with those in SleepUntil(): who finds it true
  // may rely on the thread to look at what there is to do once more.
  if (!woken_.exchange(true, std::memory_order_acq_rel)) sem_post(&wake_);
}

void TimerLoop::Raise(Signal signal) {
  agenda_.Raise(signal);
  Wake();
}

void TimerLoop::Post(Task task) {
  if (agenda_.Post(std::move(task))) Wake();
}

absl::Time TimerLoop::RunPending() {
  const Agenda::Turn turn(agenda_);
  return agenda_.RunDue();
}

void TimerLoop::Start() {
  thread_ = std::thread([this] { Run(); });
}

void TimerLoop::Run() {
  while (true) {
    const absl::Time next = RunPending();
    if (agenda_.closed()) return;
    SleepUntil(next);
  }
}

void TimerLoop::SleepUntil(absl::Time when) {
  const absl::Duration wait = std::min(when - Now(), absl::Hours(1));
  if (wait > absl::ZeroDuration()) {
    timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    const timespec until =
        absl::ToTimespec(absl::DurationFromTimespec(now) + wait);
    // Also a signal handler's interruption is only a wake-up too many.
    sem_clockwait(&wake_, CLOCK_MONOTONIC, &until);
  } else {
    sem_trywait(&wake_);
  }
  // What was asked for before this is seen by the RunPending() after it.
  woken_.exchange(false, std::memory_order_acq_rel);
}

void TimerLoop::Stop() {
  agenda_.Close();
  Wake();
  if (thread_.joinable()) thread_.join();
  agenda_.Clear();
}

}  // namespace meshlib::event
