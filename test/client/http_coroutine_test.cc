// Built as C++20.
#include "meshlib/http_coroutine.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <coroutine>
#include <deque>
#include <exception>
#include <future>
#include <mutex>
#include <thread>

#include "test/client/test_mesh.h"

namespace meshlib::client {
namespace {

using http::CoroutineClient;
using meshlib::testing::Backend;
using meshlib::testing::BackendAnswer;

// A coroutine that runs until it first waits, and then by itself.
struct Detached {
  struct promise_type {
    Detached get_return_object() { return {}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() { std::terminate(); }
  };
};

class HttpCoroutineTest : public ::testing::TestWithParam<bool> {
 protected:
  HttpCoroutineTest() {
    backends_ = *meshlib::testing::StartBackends(1);
    backends_[0]->SetAnswer(BackendAnswer::Echo());
    MeshText text;
    text.http2 = GetParam();
    text.addresses = meshlib::testing::BackendAddresses(backends_);
    MeshOptions options;
    options.config_text = text.ToString();
    mesh_ = *Mesh::Create(std::move(options));
    client_ = *http::Client::Create(*mesh_);
  }

  // Asks again and again, each time with the answer before.
  static Detached Ask(CoroutineClient client, int times,
                      std::promise<std::string>& told) {
    std::string text;
    for (int i = 0; i < times; ++i) {
      http::Request request;
      request.method = "POST";
      request.url = "http://echo/";
      request.body = absl::StrCat(text, i, ",");
      const absl::StatusOr<http::Response> response =
          co_await client.Send(std::move(request));
      text = response.ok() ? response->body : response.status().ToString();
    }
    told.set_value(text);
  }

  static Detached AskWhat(CoroutineClient client, std::string url,
                          std::promise<absl::Status>& told,
                          std::thread::id* thread) {
    http::Request request;
    request.url = url;
    const auto response = co_await client.Send(request);
    *thread = std::this_thread::get_id();
    told.set_value(response.status());
  }

  std::vector<std::unique_ptr<Backend>> backends_;
  std::unique_ptr<Mesh> mesh_;
  std::optional<http::Client> client_;
};

INSTANTIATE_TEST_SUITE_P(Http, HttpCoroutineTest, ::testing::Bool(),
                         [](const auto& info) {
                           return info.param ? "Http2" : "Http1";
                         });

TEST_P(HttpCoroutineTest, GivesOneResponseAfterTheOther) {
  std::promise<std::string> told;
  Ask(CoroutineClient(*client_), 5, told);
  EXPECT_EQ(told.get_future().get(), "0,1,2,3,4,");
}

TEST_P(HttpCoroutineTest, GivesErrors) {
  std::promise<absl::Status> told;
  std::thread::id thread;
  AskWhat(CoroutineClient(*client_), "nothing", told, &thread);
  EXPECT_EQ(told.get_future().get().code(), absl::StatusCode::kInvalidArgument);
}

TEST_P(HttpCoroutineTest, GoesOnWhereItsExecutorSays) {
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<CoroutineClient::Resume> tasks;
  CoroutineClient client(*client_, [&](CoroutineClient::Resume resume) {
    const std::lock_guard<std::mutex> lock(mutex);
    tasks.push_back(std::move(resume));
    changed.notify_one();
  });
  std::promise<absl::Status> told;
  std::thread::id thread;
  AskWhat(client, "http://echo/", told, &thread);
  std::unique_lock<std::mutex> lock(mutex);
  changed.wait(lock, [&] { return !tasks.empty(); });
  CoroutineClient::Resume resume = std::move(tasks.front());
  lock.unlock();
  resume();
  EXPECT_TRUE(told.get_future().get().ok());
  EXPECT_EQ(thread, std::this_thread::get_id());
}

}  // namespace
}  // namespace meshlib::client
