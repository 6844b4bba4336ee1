#include "event/timer_loop.h"

#include <algorithm>

namespace meshlib::event {

void TimerLoop::Post(Task task) {
  {
    base::MutexLock lock(mutex_);
    if (stopping_) return;
    tasks_.push_back(std::move(task));
    // Release pairs with the acquire in HasTasks().
    has_tasks_.store(true, std::memory_order_release);
  }
  wake_.NotifyOne();
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

absl::Time TimerLoop::RunPending() {
  base::MutexLock running(running_);
  while (true) {
    std::vector<Task> tasks;
    {
      base::MutexLock lock(mutex_);
      tasks.swap(tasks_);
      has_tasks_.store(false, std::memory_order_relaxed);
    }
    for (Task& task : tasks) task();
    if (!tasks.empty()) continue;
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
    base::MutexLock lock(mutex_);
    while (!stopping_ && tasks_.empty()) {
      const absl::Duration wait = next - Now();
      if (wait <= absl::ZeroDuration()) break;
      wake_.WaitFor(mutex_, std::min(wait, absl::Hours(1)));
    }
    if (stopping_) return;
  }
}

void TimerLoop::Stop() {
  {
    base::MutexLock lock(mutex_);
    stopping_ = true;
  }
  wake_.NotifyAll();
  if (thread_.joinable()) thread_.join();
  base::MutexLock lock(mutex_);
  tasks_.clear();
  has_tasks_.store(false, std::memory_order_relaxed);
}

}  // namespace meshlib::event
