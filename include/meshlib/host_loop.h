#ifndef MESHLIB_HOST_LOOP_H_
#define MESHLIB_HOST_LOOP_H_

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "meshlib/export.h"

namespace meshlib {

// The event loop of an application, as far as meshlib has to know it in order
// to run there: the application implements these four functions over its own
// loop (libuv, Asio, a poll(2) of its own).
//
// The loop's thread is the one on which what is handed over here runs, one
// thing at a time. Each function returns soon and runs nothing of what it is
// given by itself. What is handed over may be dropped unrun when the loop ends;
// it may also be run late, and after the mesh is gone: then it does nothing.
class MESHLIB_EXPORT HostLoop {
 public:
  // Gets what the descriptor is ready for. An error or a hang-up is readiness
  // for all that it is watched for.
  using Ready = absl::AnyInvocable<void(bool read, bool write)>;
  using Task = absl::AnyInvocable<void()>;

  virtual ~HostLoop() = default;

  // On the loop's thread. Calls `ready` again and again for as long as `fd` can
  // be read or written, whichever is asked for (level-triggered). A further
  // call for the same descriptor replaces the one before; with neither, `ready`
  // is empty and the descriptor is forgotten, if it was known at all: it may be
  // closed after that. This may be called from within any `ready`.
  virtual void WatchFd(int fd, bool read, bool write, Ready ready) = 0;

  // On the loop's thread. Runs `task` once, at `when` by Now() or soon after.
  virtual void RunAt(absl::Time when, Task task) = 0;

  // Thread-safe. Runs `task` soon.
  virtual void Post(Task task) = 0;

  // Thread-safe. Never goes backwards.
  virtual absl::Time Now() = 0;
};

}  // namespace meshlib

#endif  // MESHLIB_HOST_LOOP_H_
