#include "event/agenda.h"

namespace meshlib::event {

bool Agenda::Post(Loop::Task task) {
  base::MutexLock lock(mutex_);
  if (closed_) return false;
  tasks_.push_back(std::move(task));
  // Release pairs with the acquire in HasTasks().
  has_tasks_.store(true, std::memory_order_release);
  return true;
}

void Agenda::Raise(Loop::Signal signal) {
  // Release pairs with the acquire in RunSignals().
  raised_.fetch_or(uint64_t{1} << signal, std::memory_order_release);
}

Loop::Signal Agenda::AddSignal(Loop::Task task) {
  signals_.push_back(std::move(task));
  return static_cast<Loop::Signal>(signals_.size() - 1);
}

Loop::TimerId Agenda::RunAt(absl::Time when, Loop::Task task) {
  const Loop::TimerId id = next_timer_++;
  timers_.emplace(std::make_pair(when, id), std::move(task));
  timer_times_.emplace(id, when);
  return id;
}

bool Agenda::Cancel(Loop::TimerId timer) {
  const auto found = timer_times_.find(timer);
  if (found == timer_times_.end()) return false;
  timers_.erase({found->second, timer});
  timer_times_.erase(found);
  return true;
}

absl::Time Agenda::NextTimer() const {
  return timers_.empty() ? absl::InfiniteFuture()
                         : timers_.begin()->first.first;
}

bool Agenda::RunTasks() {
  std::vector<Loop::Task> tasks;
  {
    base::MutexLock lock(mutex_);
    tasks.swap(tasks_);
    has_tasks_.store(false, std::memory_order_relaxed);
  }
  for (Loop::Task& task : tasks) RunGuarded(task);
  return !tasks.empty();
}

bool Agenda::RunSignals() {
  // Not written while there is none: this is asked often.
  if (raised_.load(std::memory_order_relaxed) == 0) return false;
  const uint64_t raised = raised_.exchange(0, std::memory_order_acquire);
  for (Loop::Signal i = 0; i < signals_.size(); ++i) {
    if ((raised >> i & 1) != 0) RunGuarded(signals_[i]);
  }
  return true;
}

absl::Time Agenda::RunDue(int limit) {
  for (int round = 0; round < limit; ++round) {
    if (RunTasks() || RunSignals()) continue;
    if (timers_.empty()) return absl::InfiniteFuture();
    const auto first = timers_.begin();
    if (first->first.first > Now()) return first->first.first;
    Loop::Task task = std::move(first->second);
    timer_times_.erase(first->first.second);
    timers_.erase(first);
    RunGuarded(task);
  }
  return absl::InfinitePast();
}

void Agenda::Close() {
  base::MutexLock lock(mutex_);
  closed_ = true;
}

bool Agenda::closed() const {
  base::MutexLock lock(mutex_);
  return closed_;
}

void Agenda::Clear() {
  std::vector<Loop::Task> dropped;  // destroyed without the lock
  base::MutexLock lock(mutex_);
  dropped.swap(tasks_);
  has_tasks_.store(false, std::memory_order_relaxed);
}

}  // namespace meshlib::event
