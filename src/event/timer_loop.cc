#include "event/timer_loop.h"

#include <algorithm>
#include <ctime>

namespace meshlib::event {

TimerLoop::TimerLoop(Clock* clock) : clock_(clock) { sem_init(&wake_, 0, 0); }

TimerLoop::~TimerLoop() {
  Stop();
  sem_destroy(&wake_);
}

void TimerLoop::Wake() {
  // Acquire and release pair with those in SleepUntil(): who finds it true
  // may rely on the thread to look at what there is to do once more.
  if (!woken_.exchange(true, std::memory_order_acq_rel)) sem_post(&wake_);
}

Loop::Signal TimerLoop::AddSignal(Task task) {
  signals_.push_back(std::move(task));
  return static_cast<Signal>(signals_.size() - 1);
}

void TimerLoop::Raise(Signal signal) {
  // Release pairs with the acquire in RunSignals().
  raised_.fetch_or(uint64_t{1} << signal, std::memory_order_release);
  Wake();
}

void TimerLoop::Post(Task task) {
  {
    base::MutexLock lock(mutex_);
    if (stopping_) return;
    tasks_.push_back(std::move(task));
    // Release pairs with the acquire in HasTasks().
    has_tasks_.store(true, std::memory_order_release);
  }
  Wake();
}

Loop::TimerId TimerLoop::RunAt(absl::Time when, Task task) {
  const TimerId id = next_timer_++;
  timers_.emplace(std::make_pair(when, id), std::move(task));
  timer_times_.emplace(id, when);
  return id;
}

bool TimerLoop::Cancel(TimerId timer) {
  const auto found = timer_times_.find(timer);
  if (found == timer_times_.end()) return false;
  timers_.erase({found->second, timer});
  timer_times_.erase(found);
  return true;
}

bool TimerLoop::RunTasks() {
  std::vector<Task> tasks;
  {
    base::MutexLock lock(mutex_);
    tasks.swap(tasks_);
    has_tasks_.store(false, std::memory_order_relaxed);
  }
  for (Task& task : tasks) task();
  return !tasks.empty();
}

bool TimerLoop::RunSignals() {
  // Not written while there is none: this is asked often.
  if (raised_.load(std::memory_order_relaxed) == 0) return false;
  const uint64_t raised = raised_.exchange(0, std::memory_order_acquire);
  for (Signal i = 0; i < signals_.size(); ++i) {
    if ((raised >> i & 1) != 0) signals_[i]();
  }
  return true;
}

absl::Time TimerLoop::RunPending() {
  base::MutexLock running(running_);
  while (true) {
    if (RunTasks() || RunSignals()) continue;
    if (timers_.empty()) return absl::InfiniteFuture();
    const auto first = timers_.begin();
    if (first->first.first > Now()) return first->first.first;
    Task task = std::move(first->second);
    timer_times_.erase(first->first.second);
    timers_.erase(first);
    task();
  }
}

void TimerLoop::Start() {
  thread_ = std::thread([this] { Run(); });
}

void TimerLoop::Run() {
  while (true) {
    const absl::Time next = RunPending();
    {
      base::MutexLock lock(mutex_);
      if (stopping_) return;
    }
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
  {
    base::MutexLock lock(mutex_);
    stopping_ = true;
  }
  Wake();
  if (thread_.joinable()) thread_.join();
  base::MutexLock lock(mutex_);
  tasks_.clear();
  has_tasks_.store(false, std::memory_order_relaxed);
}

}  // namespace meshlib::event
