#include "event/epoll_loop.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace meshlib::event {
namespace {

constexpr IoLoop::WatchId kWakeId = 0;
// So that tasks that ask for tasks cannot keep descriptors waiting.
constexpr int kMostRounds = 64;

uint32_t EpollBits(Interest interest) {
  return (interest.read ? uint32_t{EPOLLIN} : 0) |
         (interest.write ? uint32_t{EPOLLOUT} : 0);
}

int WaitMillis(absl::Duration wait) {
  if (wait <= absl::ZeroDuration()) return 0;
  wait = std::min(wait, absl::Hours(1));
  return static_cast<int>(
      absl::ToInt64Milliseconds(absl::Ceil(wait, absl::Milliseconds(1))));
}

}  // namespace

absl::StatusOr<std::unique_ptr<EpollLoop>> EpollLoop::Create(Clock* clock) {
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  if (epoll < 0) return absl::ErrnoToStatus(errno, "epoll_create1");
  const int wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  epoll_event event = {};
  event.events = EPOLLIN;
  event.data.u64 = kWakeId;
  if (wake < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, wake, &event) != 0) {
    const absl::Status status = absl::ErrnoToStatus(errno, "eventfd");
    if (wake >= 0) close(wake);
    close(epoll);
    return status;
  }
  return std::unique_ptr<EpollLoop>(new EpollLoop(clock, epoll, wake));
}

EpollLoop::~EpollLoop() {
  Stop();
  close(wake_);
  close(epoll_);
}

void EpollLoop::Wake() {
  // Acquire and release pair with those in RunBatch(): who finds it true may
  // rely on the loop to look at what there is to do once more.
  if (woken_.exchange(true, std::memory_order_acq_rel)) return;
  const uint64_t one = 1;
  // Fails only if it is readable already.
  [[maybe_unused]] const ssize_t written = write(wake_, &one, sizeof(one));
}

void EpollLoop::Post(Task task) {
  if (agenda_.Post(std::move(task))) Wake();
}

void EpollLoop::Raise(Signal signal) {
  agenda_.Raise(signal);
  Wake();
}

bool EpollLoop::Apply(WatchId id, Watch* watch) {
  epoll_event event = {};
  event.events = EpollBits(watch->interest);
  event.data.u64 = id;
  if (watch->interest.none()) {
    // Epoll would report hang-ups even of what nobody wants to read.
    if (watch->added) epoll_ctl(epoll_, EPOLL_CTL_DEL, watch->fd, nullptr);
    watch->added = false;
    return true;
  }
  const int operation = watch->added ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
  if (epoll_ctl(epoll_, operation, watch->fd, &event) != 0) return false;
  watch->added = true;
  return true;
}

absl::StatusOr<IoLoop::WatchId> EpollLoop::WatchFd(int fd, Interest interest,
                                                   WatchCallback callback) {
  if (fcntl(fd, F_GETFD) < 0) return absl::ErrnoToStatus(errno, "watched fd");
  base::MutexLock lock(watches_mutex_);
  const auto owner = owners_.find(fd);
  if (owner != owners_.end()) {
    const Watch& old = watches_.at(owner->second);
    epoll_event event = {};
    event.events = EpollBits(old.interest);
    event.data.u64 = owner->second;
    // What epoll still knows was not closed. Without interest it cannot tell.
    if (!old.added || epoll_ctl(epoll_, EPOLL_CTL_MOD, fd, &event) == 0) {
      return absl::AlreadyExistsError("the descriptor is watched already");
    }
    watches_.erase(owner->second);
    owners_.erase(owner);
  }
  const WatchId id = next_watch_++;
  Watch watch{fd, interest, false,
              std::make_shared<WatchCallback>(std::move(callback))};
  if (!Apply(id, &watch)) return absl::ErrnoToStatus(errno, "epoll_ctl");
  watches_.emplace(id, std::move(watch));
  owners_.emplace(fd, id);
  descriptors_.Add(fd);
  return id;
}

bool EpollLoop::SetInterest(WatchId watch, Interest interest) {
  base::MutexLock lock(watches_mutex_);
  const auto found = watches_.find(watch);
  if (found == watches_.end()) return false;
  if (found->second.interest == interest) return true;
  found->second.interest = interest;
  return Apply(watch, &found->second);
}

bool EpollLoop::Unwatch(WatchId watch) {
  std::shared_ptr<WatchCallback> dropped;  // destroyed without the lock
  base::MutexLock lock(watches_mutex_);
  const auto found = watches_.find(watch);
  if (found == watches_.end()) return false;
  if (found->second.added) {
    epoll_ctl(epoll_, EPOLL_CTL_DEL, found->second.fd, nullptr);
  }
  owners_.erase(found->second.fd);
  descriptors_.Remove(found->second.fd);
  dropped = std::move(found->second.callback);
  watches_.erase(found);
  return true;
}

void EpollLoop::Dispatch(const epoll_event& event) {
  if (event.data.u64 == kWakeId) {
    uint64_t count;
    [[maybe_unused]] const ssize_t got = read(wake_, &count, sizeof(count));
    return;
  }
  std::shared_ptr<WatchCallback> callback;  // may unwatch itself
  Interest ready;
  {
    base::MutexLock lock(watches_mutex_);
    const auto found = watches_.find(event.data.u64);
    if (found == watches_.end()) return;  // by an earlier one of this batch
    const bool failed = (event.events & (EPOLLERR | EPOLLHUP)) != 0;
    const Interest wanted = found->second.interest;
    ready.read = wanted.read && (failed || (event.events & EPOLLIN) != 0);
    ready.write = wanted.write && (failed || (event.events & EPOLLOUT) != 0);
    if (ready.none()) return;
    callback = found->second.callback;
  }
  Agenda::RunGuarded([&] { (*callback)(ready); });
}

void EpollLoop::Wait(absl::Duration longest, Batch* batch) {
  // A signal handler's interruption is only a wake-up too many.
  const int count =
      epoll_wait(epoll_, batch->events, Batch::kMost, WaitMillis(longest));
  batch->size = std::max(count, 0);
}

absl::Time EpollLoop::RunBatch(const Batch& batch) {
  const Agenda::Turn turn(agenda_);
  woken_.store(true, std::memory_order_relaxed);
  for (int i = 0; i < batch.size; ++i) Dispatch(batch.events[i]);
  absl::Time next = agenda_.RunDue(kMostRounds);
  // What was asked for before this is seen by the look after it, what comes
  // later writes to `wake_`.
  woken_.exchange(false, std::memory_order_acq_rel);
  if (agenda_.HasTasks()) {
    next = absl::InfinitePast();
    Wake();  // for a host that only polls
  }
  return next;
}

absl::Time EpollLoop::RunReady() { return RunOnce(absl::ZeroDuration()); }

absl::Time EpollLoop::RunOnce(absl::Duration longest) {
  absl::Time next;
  {
    const Agenda::Turn turn(agenda_);
    next = agenda_.HasTasks() ? absl::InfinitePast() : agenda_.NextTimer();
  }
  Batch batch;
  Wait(std::min(longest, next - Now()), &batch);
  return RunBatch(batch);
}

absl::Status EpollLoop::Start(std::string name) {
  try {
    thread_ = std::thread([this, name = std::move(name)] {
      if (!name.empty()) pthread_setname_np(pthread_self(), name.c_str());
      Run();
      // May destroy the loop.
      Task last = std::move(last_);
      if (last) Agenda::RunGuarded(last);
    });
  } catch (const std::system_error& error) {
    return absl::ResourceExhaustedError(error.what());
  }
  return absl::OkStatus();
}

void EpollLoop::Run() {
  own_thread_.store(std::this_thread::get_id(), std::memory_order_relaxed);
  while (!agenda_.closed()) RunOnce(absl::InfiniteDuration());
}

void EpollLoop::Stop() {
  agenda_.Close();
  Wake();
  if (thread_.joinable()) {
    if (OnOwnThread()) {
      thread_.detach();
    } else {
      thread_.join();
    }
    own_thread_.store({}, std::memory_order_relaxed);  // ids come again
  }
  agenda_.Clear();
}

void EpollLoop::EndWith(Task task) {
  last_ = std::move(task);
  agenda_.Close();
}

}  // namespace meshlib::event
