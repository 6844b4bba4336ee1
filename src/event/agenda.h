#ifndef MESHLIB_EVENT_AGENDA_H_
#define MESHLIB_EVENT_AGENDA_H_

#include <atomic>
#include <cstdint>
#include <limits>
#include <map>
#include <thread>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "event/loop.h"
#include "meshlib/clock.h"

namespace meshlib::event {

// What every loop has to do, however it waits: tasks, signals and timers.
// The loop wakes its thread; this only keeps the work and runs it.
class Agenda {
 public:
  static constexpr int kNoLimit = std::numeric_limits<int>::max();

  // `clock` is borrowed.
  explicit Agenda(Clock* clock) : clock_(clock) {}

  // Thread-safe. False if the agenda is closed: the task is dropped.
  bool Post(Loop::Task task);
  // Thread-safe. Never locks or allocates.
  void Raise(Loop::Signal signal);

  // While work of the loop runs only.
  Loop::TimerId RunAt(absl::Time when, Loop::Task task);
  bool Cancel(Loop::TimerId timer);
  Loop::Signal AddSignal(Loop::Task task);
  // The time of the next timer, InfiniteFuture() if there is none.
  absl::Time NextTimer() const;

  // Runs what is due, tasks before timers, and gives the time of the next
  // timer. After `limit` rounds of tasks or signals and timers it stops, and
  // gives InfinitePast() if there may be more. In a Turn.
  absl::Time RunDue(int limit = kNoLimit);

  // Held while work of the loop runs, so that it is one thing at a time
  // whichever thread does it.
  class MESHLIB_SCOPED_CAPABILITY Turn {
   public:
    explicit Turn(Agenda& agenda) MESHLIB_ACQUIRE(agenda.running_)
        : agenda_(agenda) {
      agenda_.running_.Lock();
      agenda_.runner_.store(std::this_thread::get_id(),
                            std::memory_order_relaxed);
    }
    ~Turn() MESHLIB_RELEASE() {
      agenda_.runner_.store({}, std::memory_order_relaxed);
      agenda_.running_.Unlock();
    }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

   private:
    Agenda& agenda_;
  };
  // Whether the caller is in a piece of work, on the same thread.
  bool InTurn() const {
    // Relaxed: a thread's own stores are what it compares with.
    return runner_.load(std::memory_order_relaxed) ==
           std::this_thread::get_id();
  }

  // Runs `task` now, on the calling thread, as a piece of the loop's work, or
  // of the piece that calls this. Calls `wake` in the end if the loop's thread
  // would sleep over a timer that it did not know of when it began to wait.
  template <typename F, typename Wake>
  auto RunNow(F&& task, const Wake& wake) {
    if (InTurn()) return std::forward<F>(task)();
    const Turn turn(*this);
    struct WakeForTimer {
      ~WakeForTimer() {
        if (agenda->NextTimer() < before) wake();
      }
      const Agenda* agenda;
      const Wake& wake;
      absl::Time before;
    } const at_end{this, wake, NextTimer()};
    return std::forward<F>(task)();
  }

  // Runs a piece of work. What it throws (memory ran out, say) costs that piece
  // and not the loop's thread with all others.
  template <typename F>
  static void RunGuarded(F&& work) {
    try {
      std::forward<F>(work)();
    } catch (...) {  // NOLINT(bugprone-empty-catch)
    }
  }

  // Whether RunDue() would have a task to run; timers aside. Thread-safe,
  // two loads.
  bool HasTasks() const {
    return has_tasks_.load(std::memory_order_acquire) ||
           raised_.load(std::memory_order_acquire) != 0;
  }

  // Thread-safe. Close() refuses further tasks; Clear() drops those posted.
  void Close();
  bool closed() const;
  void Clear();

  absl::Time Now() { return clock_->Now(); }

 private:
  bool RunTasks();
  bool RunSignals();

  Clock* const clock_;
  std::atomic<uint64_t> raised_{0};  // a bit for each signal

  mutable base::Mutex mutex_;
  std::vector<Loop::Task> tasks_ MESHLIB_GUARDED_BY(mutex_);
  bool closed_ MESHLIB_GUARDED_BY(mutex_) = false;
  std::atomic<bool> has_tasks_{false};

  base::Mutex running_;  // see Turn
  std::atomic<std::thread::id> runner_{};
  // While `running_` is held only.
  std::vector<Loop::Task> signals_;
  std::map<std::pair<absl::Time, Loop::TimerId>, Loop::Task> timers_;
  std::map<Loop::TimerId, absl::Time> timer_times_;
  Loop::TimerId next_timer_ = 1;
};

}  // namespace meshlib::event

#endif  // MESHLIB_EVENT_AGENDA_H_
