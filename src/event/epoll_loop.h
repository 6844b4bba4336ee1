#ifndef MESHLIB_EVENT_EPOLL_LOOP_H_
#define MESHLIB_EVENT_EPOLL_LOOP_H_

#include <sys/epoll.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/mutex.h"
#include "event/agenda.h"
#include "event/descriptor_set.h"
#include "event/io_loop.h"
#include "meshlib/clock.h"

namespace meshlib::event {

// A loop on epoll(7). It is driven in one of three ways:
//   its own thread   Start() and Stop();
//   a host's loop    watch PollDescriptor() for reading, call RunReady() when
//                    it is readable and at the time that RunReady() gave;
//   a caller         RunOnce(), which waits.
// Timers are run to the millisecond, never early. It installs no signal
// handlers.
class EpollLoop final : public IoLoop {
 public:
  // `clock` is borrowed. Fails where the process has no descriptors left.
  static absl::StatusOr<std::unique_ptr<EpollLoop>> Create(Clock* clock);
  ~EpollLoop() override;

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

  absl::StatusOr<WatchId> WatchFd(int fd, Interest interest,
                                  WatchCallback callback) override;
  bool SetInterest(WatchId watch, Interest interest) override;
  bool Unwatch(WatchId watch) override;

  // Readable when RunReady() has something to do, timers aside. Borrowed, for
  // as long as the loop lives; for poll(2), select(2) or another epoll.
  int PollDescriptor() const { return epoll_; }
  // Runs what is ready and due, never waits, and gives the time at which to
  // call again even if nothing became readable: the next timer, or
  // InfinitePast() if there is more to do at once. Not from the loop itself.
  absl::Time RunReady();
  // The same, but first waits until something is ready, a timer is due or
  // `longest` is over. The waits are real waits.
  absl::Time RunOnce(absl::Duration longest);

  // Starts the thread, under a name of at most 15 bytes. Only with a clock that
  // runs with real time.
  absl::Status Start(std::string name = "");
  // Ends the thread after the work that it is at; drops tasks that were not
  // run. Not from the loop itself, and by one thread at a time.
  void Stop();
  // From the loop's own thread: this is the last work that it does, and
  // `task` the last thing that its thread does. The task may destroy the
  // loop, and may do whatever the loop's own work may not.
  void EndWith(Task task);

  // In the child of a fork(), which must use the loop no more, not even
  // destroy it: closes the child's copies of the loop's own descriptors and of
  // those that were watched, so that they do not outlive the parent's.
  void CloseInherited() { descriptors_.CloseAll(); }

  // Whether the calling thread is the one that Start() has started.
  bool OnOwnThread() const {
    return own_thread_.load(std::memory_order_relaxed) ==
           std::this_thread::get_id();
  }

  // Whether the calling thread runs work of the loop now.
  bool InWork() const { return agenda_.InTurn(); }

  // Runs `task` now, on the calling thread, between the loop's own work, as
  // if the loop had run it; from the loop itself as a part of its work.
  template <typename F>
  auto RunNow(F&& task) {
    return agenda_.RunNow(std::forward<F>(task), [this] { Wake(); });
  }

 private:
  struct Watch {
    int fd;
    Interest interest;
    bool added = false;  // known to epoll
    std::shared_ptr<WatchCallback> callback;
  };
  struct Batch {
    static constexpr int kMost = 128;
    epoll_event events[kMost];
    int size = 0;
  };

  EpollLoop(Clock* clock, int epoll, int wake)
      : agenda_(clock), epoll_(epoll), wake_(wake) {
    descriptors_.Add(epoll);
    descriptors_.Add(wake);
  }

  void Run();
  void Wake();
  void Wait(absl::Duration longest, Batch* batch);
  absl::Time RunBatch(const Batch& batch);
  void Dispatch(const epoll_event& event);
  bool Apply(WatchId id, Watch* watch) MESHLIB_REQUIRES(watches_mutex_);

  Agenda agenda_;
  const int epoll_;
  const int wake_;             // an eventfd
  DescriptorSet descriptors_;  // those two and the watched ones
  // False only while the loop may be waiting: who makes it true writes to
  // `wake_`, so that work asked for by the loop's own work costs no call.
  std::atomic<bool> woken_{false};
  std::thread thread_;
  Task last_;  // of EndWith()
  std::atomic<std::thread::id> own_thread_{};

  base::Mutex watches_mutex_;
  absl::flat_hash_map<WatchId, Watch> watches_
      MESHLIB_GUARDED_BY(watches_mutex_);
  // Whose a descriptor is now.
  absl::flat_hash_map<int, WatchId> owners_ MESHLIB_GUARDED_BY(watches_mutex_);
  WatchId next_watch_ MESHLIB_GUARDED_BY(watches_mutex_) = 1;
};

}  // namespace meshlib::event

#endif  // MESHLIB_EVENT_EPOLL_LOOP_H_
