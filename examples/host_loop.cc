// A mesh on the application's own event loop, by four functions: no thread is
// started, and callbacks run on the loop's thread.
//
//   host_loop

#include "meshlib/host_loop.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <map>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "echo_mesh.h"
#include "meshlib/http.h"

namespace {

// The application's loop. Real ones stand on libuv, Asio, GLib, ...
class PollLoop final : public meshlib::HostLoop {
 public:
  PollLoop() { (void)!pipe(wake_); }
  ~PollLoop() override {
    close(wake_[0]);
    close(wake_[1]);
  }

  void WatchFd(int fd, bool read, bool write, Ready ready) override {
    watched_.erase(fd);
    if (!read && !write) return;
    const int events = (read ? POLLIN : 0) | (write ? POLLOUT : 0);
    watched_[fd] = {events, std::make_shared<Ready>(std::move(ready))};
  }
  void RunAt(absl::Time when, Task task) override {
    timers_.emplace(when, std::move(task));
  }
  void Post(Task task) override {  // thread-safe
    const std::lock_guard<std::mutex> lock(mutex_);
    tasks_.push_back(std::move(task));
    (void)!write(wake_[1], "", 1);
  }
  absl::Time Now() override { return absl::Now(); }

  void RunOnce() {
    std::vector<pollfd> polled = {{wake_[0], POLLIN, 0}};
    for (const auto& [fd, watch] : watched_) {
      polled.push_back({fd, static_cast<short>(watch.events), 0});
    }
    poll(polled.data(), polled.size(), MillisToTimer());
    for (size_t i = 1; i < polled.size(); ++i) {
      const int got = polled[i].revents;
      const auto found = watched_.find(polled[i].fd);
      if (got == 0 || found == watched_.end()) continue;
      const std::shared_ptr<Ready> ready = found->second.ready;
      const bool failed = (got & (POLLERR | POLLHUP)) != 0;
      (*ready)(failed || (got & POLLIN), failed || (got & POLLOUT));
    }
    RunTasks(polled[0].revents != 0);
    while (!timers_.empty() && timers_.begin()->first <= Now()) {
      Task task = std::move(timers_.begin()->second);
      timers_.erase(timers_.begin());
      task();
    }
  }

 private:
  struct Watch {
    int events = 0;
    std::shared_ptr<Ready> ready;  // may replace itself
  };

  int MillisToTimer() {
    if (timers_.empty()) return -1;
    const absl::Duration wait = std::clamp(
        timers_.begin()->first - Now(), absl::ZeroDuration(), absl::Hours(1));
    return static_cast<int>(absl::ToInt64Milliseconds(wait)) + 1;
  }
  void RunTasks(bool woken) {
    char bytes[64];
    if (woken) (void)!read(wake_[0], bytes, sizeof(bytes));
    std::vector<Task> tasks;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      tasks.swap(tasks_);
    }
    for (Task& task : tasks) task();
  }

  int wake_[2] = {-1, -1};
  std::map<int, Watch> watched_;
  std::multimap<absl::Time, Task> timers_;
  std::mutex mutex_;
  std::vector<Task> tasks_;
};

}  // namespace

int main() {
  PollLoop loop;  // outlives the mesh
  meshlib::MeshOptions options;
  options.host_loop = &loop;
  const examples::EchoMesh echo = examples::MakeEchoMesh(
      meshlib::testing::BackendAnswer::Status(200, "hello"),
      std::move(options));
  if (echo.mesh == nullptr) return 1;
  const auto client = meshlib::http::Client::Create(*echo.mesh);
  if (!client.ok()) return std::cerr << client.status() << "\n", 1;

  bool done = false;
  meshlib::http::Request request;
  request.url = "http://cluster:echo/";
  client->SendAsync(request, [&](auto response) {
    if (response.ok()) std::cout << "called back: " << response->body << "\n";
    done = true;
  });
  while (!done) loop.RunOnce();

  // A call that blocks on the loop's thread does the mesh's work meanwhile.
  const auto response = client->Get("http://cluster:echo/");
  if (!response.ok()) return std::cerr << response.status() << "\n", 1;
  std::cout << "blocking: " << response->body << "\n";
}
