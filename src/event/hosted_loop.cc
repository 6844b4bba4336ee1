#include "event/hosted_loop.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <vector>

#include "absl/status/status.h"

namespace meshlib::event {
namespace {

// So that tasks that ask for tasks cannot keep the host waiting.
constexpr int kMostRounds = 64;

}  // namespace

absl::StatusOr<std::unique_ptr<HostedLoop>> HostedLoop::Create(HostLoop* host) {
  const int wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (wake < 0) return absl::ErrnoToStatus(errno, "eventfd");
  return std::unique_ptr<HostedLoop>(new HostedLoop(host, wake));
}

HostedLoop::HostedLoop(HostLoop* host, int wake)
    : host_(host),
      host_thread_(std::this_thread::get_id()),
      process_(getpid()),
      wake_(wake),
      clock_(host),
      agenda_(&clock_),
      self_(std::make_shared<HostedLoop*>(this)) {
  descriptors_.Add(wake_);
  host_->WatchFd(wake_, true, false, [self = self_](bool, bool) {
    if (*self == nullptr || !(*self)->Usable()) return;
    (*self)->ClearWake();
    (*self)->Run();
  });
}

HostedLoop::~HostedLoop() {
  End();
  close(wake_);
}

void HostedLoop::End() {
  if (ended_.exchange(true, std::memory_order_acq_rel)) return;
  // Another thread may destroy this while the host still has something of it.
  *self_ = nullptr;
  agenda_.Close();
  host_->WatchFd(wake_, false, false, nullptr);
  absl::flat_hash_map<int, WatchId> owners;
  {
    const base::MutexLock lock(mutex_);
    owners = owners_;
  }
  for (const auto& [fd, id] : owners) {
    host_->WatchFd(fd, false, false, nullptr);
  }
  clock_.Stop();
  agenda_.Clear();
}

bool HostedLoop::Usable() const { return !ended() && getpid() == process_; }

void HostedLoop::Post(Task task) {
  if (agenda_.Post(std::move(task))) Wake();
}

Loop::TimerId HostedLoop::RunAt(absl::Time when, Task task) {
  const TimerId timer = agenda_.RunAt(when, std::move(task));
  // Whatever work this is part of looks at the timers in the end; RunNow()
  // does for other threads.
  if (OnHost() && when < alarm_) Wake();
  return timer;
}

void HostedLoop::Raise(Signal signal) {
  agenda_.Raise(signal);
  if (woken_.exchange(true, std::memory_order_acq_rel)) return;
  const uint64_t one = 1;
  // Fails only if it is readable already.
  [[maybe_unused]] const ssize_t written = write(wake_, &one, sizeof(one));
}

void HostedLoop::Wake() {
  // Acquire and release pair with those in RunDue(): who finds it true may
  // rely on the loop to look at what there is to do once more.
  if (ended() || woken_.exchange(true, std::memory_order_acq_rel)) {
    return;
  }
  host_->Post([self = self_] {
    if (*self != nullptr) (*self)->Run();
  });
}

// --- On the host's thread ---

void HostedLoop::ClearWake() {
  uint64_t count = 0;
  [[maybe_unused]] const ssize_t got = read(wake_, &count, sizeof(count));
}

void HostedLoop::Run() {
  if (!Usable()) return;
  TellAll();
  RunDue();
}

void HostedLoop::RunOnce(absl::Duration longest) {
  absl::Time next;
  {
    const Agenda::Turn turn(agenda_);
    next = agenda_.HasTasks() ? absl::InfinitePast() : agenda_.NextTimer();
  }
  std::vector<pollfd> polled = {{wake_, POLLIN, 0}};
  std::vector<WatchId> watched = {0};
  {
    const base::MutexLock lock(mutex_);
    for (const auto& [id, watch] : watches_) {
      if (watch.interest.none()) continue;
      const int events = (watch.interest.read ? POLLIN : 0) |
                         (watch.interest.write ? POLLOUT : 0);
      polled.push_back({watch.fd, static_cast<int16_t>(events), 0});
      watched.push_back(id);
    }
  }
  const absl::Duration wait =
      std::clamp(next - Now(), absl::ZeroDuration(), longest);
  poll(polled.data(), polled.size(),
       static_cast<int>(
           absl::ToInt64Milliseconds(absl::Ceil(wait, absl::Milliseconds(1)))));
  if (polled[0].revents != 0) ClearWake();
  for (size_t i = 1; i < polled.size(); ++i) {
    const bool failed = (polled[i].revents & (POLLERR | POLLHUP)) != 0;
    const int ready = failed ? polled[i].events : polled[i].revents;
    if (ready == 0) continue;
    OnReady(watched[i], {(ready & POLLIN) != 0, (ready & POLLOUT) != 0});
  }
  Run();
}

void HostedLoop::RunDue() {
  absl::Time next;
  bool more = false;
  {
    const Agenda::Turn turn(agenda_);
    woken_.store(true, std::memory_order_relaxed);
    next = agenda_.RunDue(kMostRounds);
    // What was asked for before this is seen by the look after it, what comes
    // later wakes.
    woken_.exchange(false, std::memory_order_acq_rel);
    more = next == absl::InfinitePast() || agenda_.HasTasks();
  }
  if (more) {
    Wake();
  } else {
    Arm(next);
  }
}

void HostedLoop::Arm(absl::Time when) {
  // From the work that this follows the loop may have been ended.
  if (when >= alarm_ || ended()) return;
  alarm_ = when;
  host_->RunAt(when, [self = self_, when] {
    if (*self == nullptr) return;
    if ((*self)->alarm_ == when) (*self)->alarm_ = absl::InfiniteFuture();
    (*self)->Run();
  });
}

void HostedLoop::OnReady(WatchId id, Interest ready) {
  if (!Usable()) return;
  std::shared_ptr<WatchCallback> callback;  // may unwatch itself
  {
    const Agenda::Turn turn(agenda_);
    woken_.store(true, std::memory_order_relaxed);  // RunDue() follows
    {
      const base::MutexLock lock(mutex_);
      const auto found = watches_.find(id);
      if (found == watches_.end()) return;  // the host is late
      const Watch& watch = found->second;
      ready.read = ready.read && watch.interest.read;
      ready.write = ready.write && watch.interest.write;
      callback = watch.callback;
    }
    if (!ready.none()) Agenda::RunGuarded([&] { (*callback)(ready); });
  }
  RunDue();
}

// --- Descriptors ---

absl::StatusOr<IoLoop::WatchId> HostedLoop::WatchFd(int fd, Interest interest,
                                                    WatchCallback callback) {
  if (fcntl(fd, F_GETFD) < 0) return absl::ErrnoToStatus(errno, "watched fd");
  WatchId id = 0;
  {
    const base::MutexLock lock(mutex_);
    if (owners_.contains(fd)) {
      return absl::AlreadyExistsError("the descriptor is watched already");
    }
    id = next_watch_++;
    watches_.emplace(
        id, Watch{fd, interest,
                  std::make_shared<WatchCallback>(std::move(callback))});
    owners_.emplace(fd, id);
    descriptors_.Add(fd);
  }
  if (!interest.none()) Tell(fd);
  return id;
}

bool HostedLoop::SetInterest(WatchId watch, Interest interest) {
  int fd = -1;
  {
    const base::MutexLock lock(mutex_);
    const auto found = watches_.find(watch);
    if (found == watches_.end()) return false;
    if (found->second.interest == interest) return true;
    found->second.interest = interest;
    fd = found->second.fd;
  }
  Tell(fd);
  return true;
}

bool HostedLoop::Unwatch(WatchId watch) {
  std::shared_ptr<WatchCallback> dropped;  // destroyed without the lock
  int fd = -1;
  {
    const base::MutexLock lock(mutex_);
    const auto found = watches_.find(watch);
    if (found == watches_.end()) return false;
    fd = found->second.fd;
    dropped = std::move(found->second.callback);
    owners_.erase(fd);
    descriptors_.Remove(fd);
    watches_.erase(found);
  }
  Tell(fd);
  return true;
}

void HostedLoop::Tell(int fd) {
  if (ended()) return;
  if (OnHost()) return TellNow(fd);
  {
    const base::MutexLock lock(mutex_);
    changed_.insert(fd);
  }
  Wake();
}

void HostedLoop::TellNow(int fd) {
  Interest interest;
  WatchId id = 0;
  {
    const base::MutexLock lock(mutex_);
    changed_.erase(fd);
    const auto owner = owners_.find(fd);
    if (owner != owners_.end()) {
      id = owner->second;
      interest = watches_.at(id).interest;
    }
  }
  if (interest.none()) return host_->WatchFd(fd, false, false, nullptr);
  host_->WatchFd(fd, interest.read, interest.write,
                 [self = self_, id](bool read, bool write) {
                   if (*self != nullptr) (*self)->OnReady(id, {read, write});
                 });
}

void HostedLoop::TellAll() {
  absl::flat_hash_set<int> changed;
  {
    const base::MutexLock lock(mutex_);
    changed.swap(changed_);
  }
  for (const int fd : changed) TellNow(fd);
}

}  // namespace meshlib::event
