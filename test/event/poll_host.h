#ifndef MESHLIB_TEST_EVENT_POLL_HOST_H_
#define MESHLIB_TEST_EVENT_POLL_HOST_H_

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "gtest/gtest.h"
#include "meshlib/clock.h"
#include "meshlib/host_loop.h"

namespace meshlib::event {

// An application's loop on poll(2), as small as can be.
class PollHost final : public HostLoop {
 public:
  explicit PollHost(Clock* clock) : clock_(clock) {}
  ~PollHost() override { close(wake_); }

  void WatchFd(int fd, bool read, bool write, Ready ready) override {
    watched_.erase(fd);
    if (!read && !write) return;
    const int events = (read ? POLLIN : 0) | (write ? POLLOUT : 0);
    watched_.emplace(fd, Watched{static_cast<int16_t>(events),
                                 std::make_shared<Ready>(std::move(ready))});
  }
  void RunAt(absl::Time when, Task task) override {
    ++alarms;
    timers_.emplace(when, std::move(task));
  }
  void Post(Task task) override {
    const base::MutexLock lock(mutex_);
    ++posts_;
    tasks_.push_back(std::move(task));
    const uint64_t one = 1;
    EXPECT_EQ(write(wake_, &one, sizeof(one)), 8);
  }
  absl::Time Now() override { return clock_->Now(); }

  // Runs what is ready, tasks, and timers that are due, once. Waits for
  // something to be ready, or until `longest_ms` is over.
  void RunOnce(int longest_ms = 0) {
    std::vector<pollfd> polled = {{wake_, POLLIN, 0}};
    std::vector<std::shared_ptr<Ready>> callbacks = {nullptr};
    for (const auto& [fd, watched] : watched_) {
      polled.push_back({fd, watched.events, 0});
      callbacks.push_back(watched.ready);
    }
    poll(polled.data(), polled.size(), longest_ms);
    for (size_t i = 1; i < polled.size(); ++i) {
      const bool failed = (polled[i].revents & (POLLERR | POLLHUP)) != 0;
      const int ready = failed ? polled[i].events : polled[i].revents;
      if (ready == 0) continue;
      (*callbacks[i])((ready & POLLIN) != 0, (ready & POLLOUT) != 0);
    }
    RunTasks();
    while (!timers_.empty() && timers_.begin()->first <= Now()) {
      Task task = std::move(timers_.begin()->second);
      timers_.erase(timers_.begin());
      task();
    }
  }
  size_t watched() const { return watched_.size(); }
  int posts() const {
    const base::MutexLock lock(mutex_);
    return posts_;
  }

  int alarms = 0;

 private:
  struct Watched {
    int16_t events;
    std::shared_ptr<Ready> ready;
  };

  void RunTasks() {
    uint64_t count = 0;
    [[maybe_unused]] const ssize_t got = read(wake_, &count, sizeof(count));
    std::vector<Task> tasks;
    {
      const base::MutexLock lock(mutex_);
      tasks.swap(tasks_);
    }
    for (Task& task : tasks) task();
  }

  Clock* const clock_;
  const int wake_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  std::map<int, Watched> watched_;
  std::multimap<absl::Time, Task> timers_;
  mutable base::Mutex mutex_;
  std::vector<Task> tasks_ MESHLIB_GUARDED_BY(mutex_);
  int posts_ MESHLIB_GUARDED_BY(mutex_) = 0;
};

}  // namespace meshlib::event

#endif  // MESHLIB_TEST_EVENT_POLL_HOST_H_
