// Two calls one after the other in a coroutine (C++20), which goes on where
// the executor says: here on the main thread.

#include <condition_variable>
#include <coroutine>
#include <deque>
#include <exception>
#include <iostream>
#include <mutex>
#include <string>
#include <utility>

#include "echo_mesh.h"
#include "meshlib/http_coroutine.h"

namespace {

using meshlib::http::CoroutineClient;

// The loop of the application.
class MainLoop {
 public:
  void Post(CoroutineClient::Resume task) {
    const std::lock_guard<std::mutex> lock(mutex_);
    tasks_.push_back(std::move(task));
    changed_.notify_one();
  }
  void RunUntil(const bool& done) {
    while (!done) Next()();
  }

 private:
  CoroutineClient::Resume Next() {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [this] { return !tasks_.empty(); });
    CoroutineClient::Resume task = std::move(tasks_.front());
    tasks_.pop_front();
    return task;
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<CoroutineClient::Resume> tasks_;
};

// Whatever the application has of coroutines; this one runs by itself.
struct Task {
  struct promise_type {
    Task get_return_object() { return {}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() { std::terminate(); }
  };
};

Task AskTwice(CoroutineClient client, bool& done) {
  std::string text = "hello";
  for (int i = 0; i < 2; ++i) {
    meshlib::http::Request request;
    request.method = "POST";
    request.url = "http://cluster:echo/";
    request.body = text + "!";
    const auto response = co_await client.Send(std::move(request));
    text = response.ok() ? response->body : response.status().ToString();
    std::cout << text << "\n";
  }
  done = true;
}

}  // namespace

int main() {
  const examples::EchoMesh echo =
      examples::MakeEchoMesh(meshlib::testing::BackendAnswer::Echo());
  if (echo.mesh == nullptr) return 1;
  const auto client = meshlib::http::Client::Create(*echo.mesh);
  if (!client.ok()) return std::cerr << client.status() << "\n", 1;
  MainLoop loop;
  bool done = false;
  AskTwice(CoroutineClient(*client,
                           [&loop](CoroutineClient::Resume resume) {
                             loop.Post(std::move(resume));
                           }),
           done);
  loop.RunUntil(done);
  return 0;
}
