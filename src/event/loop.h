#ifndef MESHLIB_EVENT_LOOP_H_
#define MESHLIB_EVENT_LOOP_H_

#include <cstdint>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"

namespace meshlib::event {

// Where control work runs: one thing at a time, in order.
class Loop {
 public:
  using Task = absl::AnyInvocable<void()>;
  using TimerId = uint64_t;

  virtual ~Loop() = default;

  // Thread-safe. Never runs the task at once.
  virtual void Post(Task task) = 0;

  // On the loop only. Runs `task` once, at `when` or soon after; equal times
  // run in the order in which they were asked for.
  virtual TimerId RunAt(absl::Time when, Task task) = 0;
  // On the loop only. False if the timer has run or is not known.
  virtual bool Cancel(TimerId timer) = 0;

  // A task that is run again and again, soon after each Raise(); several
  // raises may become one run. On the loop only; for as long as the loop
  // lives.
  using Signal = uint32_t;
  virtual Signal AddSignal(Task task) = 0;
  // Thread-safe. Never locks or allocates; makes one system call if it has to
  // wake the loop's thread.
  virtual void Raise(Signal signal) = 0;

  // Thread-safe.
  virtual absl::Time Now() = 0;
};

}  // namespace meshlib::event

#endif  // MESHLIB_EVENT_LOOP_H_
