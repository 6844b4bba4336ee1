#ifndef MESHLIB_EVENT_TIMER_LOOP_H_
#define MESHLIB_EVENT_TIMER_LOOP_H_

#include <semaphore.h>

#include <atomic>
#include <cstdint>
#include <map>
#include <thread>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "event/loop.h"
#include "meshlib/clock.h"

namespace meshlib::event {

// A loop of tasks and timers without file descriptors. Either somebody calls
// RunPending(), or Start() gives it a thread of its own.
class TimerLoop final : public Loop {
 public:
  // `clock` is borrowed.
  explicit TimerLoop(Clock* clock);
  ~TimerLoop() override;

  void Post(Task task) override;
  TimerId RunAt(absl::Time when, Task task) override;
  bool Cancel(TimerId timer) override;
  // At most 64 signals.
  Signal AddSignal(Task task) override;
  void Raise(Signal signal) override;
  absl::Time Now() override { return clock_->Now(); }

  // Runs what is due, tasks before timers, and gives the time of the next
  // timer. Thread-safe; not from the loop itself.
  absl::Time RunPending();

  // Whether RunPending() would have a task to run; timers aside. Thread-safe,
  // two loads.
  bool HasTasks() const {
    return has_tasks_.load(std::memory_order_acquire) ||
           raised_.load(std::memory_order_acquire) != 0;
  }

  // Starts the thread. Only with a clock that runs with real time: waits are
  // real waits.
  void Start();
  // Ends the thread after the task that it runs; drops the rest. Thread-safe,
  // not from the loop itself.
  void Stop();

  // Runs `task` now, on the calling thread, between the loop's own work: to
  // everything else on the loop it looks as if the loop had run it. May wait
  // for the work that is under way. Not from the loop itself.
  template <typename F>
  auto RunNow(F&& task) {
    base::MutexLock lock(running_);
    return std::forward<F>(task)();
  }

 private:
  void Run();
  void Wake();
  bool RunTasks();
  bool RunSignals();
  void SleepUntil(absl::Time when);

  Clock* const clock_;
  // What the thread sleeps on: posted once for each change of `woken_` to
  // true. A semaphore, since posting it takes no lock.
  sem_t wake_;
  std::atomic<bool> woken_{false};
  std::atomic<uint64_t> raised_{0};  // a bit for each signal

  base::Mutex mutex_;
  std::vector<Task> tasks_ MESHLIB_GUARDED_BY(mutex_);
  std::atomic<bool> has_tasks_{false};
  bool stopping_ MESHLIB_GUARDED_BY(mutex_) = false;
  std::thread thread_;

  // Held while work of the loop runs, so that it is one thing at a time
  // whichever thread does it.
  base::Mutex running_;
  // On the loop only.
  std::vector<Task> signals_;
  std::map<std::pair<absl::Time, TimerId>, Task> timers_;
  std::map<TimerId, absl::Time> timer_times_;
  TimerId next_timer_ = 1;
};

}  // namespace meshlib::event

#endif  // MESHLIB_EVENT_TIMER_LOOP_H_
