#ifndef MESHLIB_EVENT_TIMER_LOOP_H_
#define MESHLIB_EVENT_TIMER_LOOP_H_

#include <semaphore.h>

#include <atomic>
#include <thread>
#include <utility>

#include "base/mutex.h"
#include "event/agenda.h"
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
  TimerId RunAt(absl::Time when, Task task) override {
    return agenda_.RunAt(when, std::move(task));
  }
  bool Cancel(TimerId timer) override { return agenda_.Cancel(timer); }
  // At most 64 signals.
  Signal AddSignal(Task task) override {
    return agenda_.AddSignal(std::move(task));
  }
  void Raise(Signal signal) override;
  absl::Time Now() override { return agenda_.Now(); }

  // Runs what is due, tasks before timers, and gives the time of the next
  // timer. Thread-safe; not from the loop itself.
  absl::Time RunPending();

  // Whether RunPending() would have a task to run; timers aside. Thread-safe,
  // two loads.
  bool HasTasks() const { return agenda_.HasTasks(); }

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
    return agenda_.RunNow(std::forward<F>(task), [this] { Wake(); });
  }

 private:
  void Run();
  void Wake();
  void SleepUntil(absl::Time when);

  Agenda agenda_;
  // What the thread sleeps on: posted once for each change of `woken_` to
  // true. A semaphore, since posting it takes no lock.
  sem_t wake_;
  std::atomic<bool> woken_{false};
  std::thread thread_;
};

}  // namespace meshlib::event

#endif  // MESHLIB_EVENT_TIMER_LOOP_H_
