#ifndef MESHLIB_EVENT_IO_LOOP_H_
#define MESHLIB_EVENT_IO_LOOP_H_

#include <cstdint>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "event/loop.h"

namespace meshlib::event {

// What a descriptor is watched for, and what it is ready for.
struct Interest {
  bool read = false;
  bool write = false;

  bool none() const { return !read && !write; }
  friend bool operator==(Interest a, Interest b) {
    return a.read == b.read && a.write == b.write;
  }
};

// A loop that watches file descriptors too.
class IoLoop : public Loop {
 public:
  // Never used twice in a loop's life, so that a late event cannot reach the
  // successor of a descriptor that was closed.
  using WatchId = uint64_t;
  // Runs on the loop; gets what the descriptor is ready for, of what it is
  // watched for. An error or a hang-up counts as ready for all of that: the
  // next read or write tells. May come once more than there was reason for,
  // so reads and writes must not block. May call everything, also to unwatch
  // itself and others.
  using WatchCallback = absl::AnyInvocable<void(Interest ready)>;

  // On the loop only. Calls `callback` again and again for as long as `fd` is
  // ready (level-triggered). The descriptor is borrowed: call Unwatch() before
  // it is closed. Should it have been closed all the same and its number
  // returned, the older watch is dead. Fails if `fd` cannot be watched or
  // is watched already.
  virtual absl::StatusOr<WatchId> WatchFd(int fd, Interest interest,
                                          WatchCallback callback) = 0;
  // Thread-safe: a thread that waits for an answer of its own may take a
  // descriptor from the loop and give it back. With no interest a hang-up
  // is not seen either, and costs nothing. One more call of the callback may be
  // under way. False if the watch is not known or the system refuses.
  virtual bool SetInterest(WatchId watch, Interest interest) = 0;
  // On the loop only. The callback is not called after it; false if the watch
  // is not known.
  virtual bool Unwatch(WatchId watch) = 0;
};

}  // namespace meshlib::event

#endif  // MESHLIB_EVENT_IO_LOOP_H_
