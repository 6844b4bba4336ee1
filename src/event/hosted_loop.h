#ifndef MESHLIB_EVENT_HOSTED_LOOP_H_
#define MESHLIB_EVENT_HOSTED_LOOP_H_

#include <sys/types.h>

#include <atomic>
#include <memory>
#include <thread>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "base/mutex.h"
#include "event/agenda.h"
#include "event/descriptor_set.h"
#include "event/io_loop.h"
#include "meshlib/clock.h"
#include "meshlib/host_loop.h"

namespace meshlib::event {

// A loop that runs on the loop of an application. Keeps tasks, signals and
// timers itself: the host sees one timer, one posted task and the descriptors.
class HostedLoop final : public IoLoop {
 public:
  // On the host's thread, which is the one that calls this. `host` is borrowed.
  // Fails where the process has no descriptors left.
  static absl::StatusOr<std::unique_ptr<HostedLoop>> Create(HostLoop* host);
  // Ends it, on the host's thread if End() was not called before.
  ~HostedLoop() override;

  void Post(Task task) override;
  TimerId RunAt(absl::Time when, Task task) override;
  bool Cancel(TimerId timer) override { return agenda_.Cancel(timer); }
  // At most 64 signals.
  Signal AddSignal(Task task) override {
    return agenda_.AddSignal(std::move(task));
  }
  void Raise(Signal signal) override;
  absl::Time Now() override { return clock_.Now(); }

  absl::StatusOr<WatchId> WatchFd(int fd, Interest interest,
                                  WatchCallback callback) override;
  bool SetInterest(WatchId watch, Interest interest) override;
  bool Unwatch(WatchId watch) override;

  // On the host's thread, not from the loop itself, for one who waits there and
  // keeps the host from its work: what the host would do, once something is
  // ready, a timer is due or `longest` is over. The wait is a real wait; a task
  // that another thread posts does not end it.
  void RunOnce(absl::Duration longest);

  // On the host's thread, also from the loop itself. Drops what has not run and
  // what comes, and uses the host no more; Now() stands still.
  void End();

  bool ended() const { return ended_.load(std::memory_order_acquire); }

  // In the child of a fork(): as EpollLoop::CloseInherited().
  void CloseInherited() { descriptors_.CloseAll(); }

  // Whether the calling thread is the host's.
  bool OnHost() const { return std::this_thread::get_id() == host_thread_; }
  // Whether the calling thread runs work of the loop now.
  bool InWork() const { return agenda_.InTurn(); }
  // The host's. Lives as long as the loop.
  Clock* clock() { return &clock_; }

  // Runs `task` now, on the calling thread, between the loop's own work, as
  // if the loop had run it; from the loop itself as a part of its work.
  template <typename F>
  auto RunNow(F&& task) {
    return agenda_.RunNow(std::forward<F>(task), [this] { Wake(); });
  }

 private:
  class HostClock final : public Clock {
   public:
    explicit HostClock(HostLoop* host) : host_(host) {}
    absl::Time Now() override {
      // Acquire pairs with the release in Stop().
      return stopped_.load(std::memory_order_acquire) ? last_ : host_->Now();
    }
    void Stop() {
      last_ = host_->Now();
      stopped_.store(true, std::memory_order_release);
    }

   private:
    HostLoop* const host_;
    absl::Time last_;
    std::atomic<bool> stopped_{false};
  };
  struct Watch {
    int fd;
    Interest interest;
    std::shared_ptr<WatchCallback> callback;
  };
  // What the host is handed outlives this.
  using Self = std::shared_ptr<HostedLoop*>;

  HostedLoop(HostLoop* host, int wake);

  // Where the host calls. False: there is nothing left to do, or this is the
  // child of a fork(), where the loop is its parent's.
  bool Usable() const;
  void Wake();
  void ClearWake();
  // On the host's thread.
  void Run();
  void RunDue();
  void Arm(absl::Time when);
  void OnReady(WatchId id, Interest ready);
  // Tells the host what `fd` is watched for, now or soon.
  void Tell(int fd);
  void TellNow(int fd);
  void TellAll();

  HostLoop* const host_;
  const std::thread::id host_thread_;
  const pid_t process_;
  const int wake_;             // an eventfd: a signal's raise must not allocate
  DescriptorSet descriptors_;  // that one and the watched ones
  HostClock clock_;
  Agenda agenda_;
  const Self self_;
  std::atomic<bool> ended_{false};
  // False only while nothing will look at the agenda soon.
  std::atomic<bool> woken_{false};
  // On the host's thread only: the earliest alarm that it was asked for.
  absl::Time alarm_ = absl::InfiniteFuture();

  base::Mutex mutex_;
  absl::flat_hash_map<WatchId, Watch> watches_ MESHLIB_GUARDED_BY(mutex_);
  // Whose a descriptor is.
  absl::flat_hash_map<int, WatchId> owners_ MESHLIB_GUARDED_BY(mutex_);
  // Changed by other threads; the host does not know yet.
  absl::flat_hash_set<int> changed_ MESHLIB_GUARDED_BY(mutex_);
  WatchId next_watch_ MESHLIB_GUARDED_BY(mutex_) = 1;
};

}  // namespace meshlib::event

#endif  // MESHLIB_EVENT_HOSTED_LOOP_H_
