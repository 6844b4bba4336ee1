// Built as C++20.
#include <gtest/gtest.h>

#include <coroutine>
#include <future>
#include <stdexcept>
#include <string>

#include "meshlib/http_coroutine.h"
#include "test/lifecycle/lifecycle_fixture.h"

namespace meshlib {
namespace {

// Runs until it first waits, and then by itself. What it throws goes to
// whoever lets it go on; then it is not gone, and `handle` may destroy it.
struct Detached {
  struct promise_type {
    Detached get_return_object() {
      return {std::coroutine_handle<promise_type>::from_promise(*this)};
    }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() { throw; }
  };

  std::coroutine_handle<> handle;
};

class CoroutineLifecycleTest : public LifecycleTest {
 protected:
  static Detached Ask(http::CoroutineClient client,
                      std::promise<absl::Status>& told) {
    http::Request request;
    request.url = "http://echo/";
    const auto response = co_await client.Send(request);
    told.set_value(response.status());
  }

  static Detached AskAndThrow(http::CoroutineClient client) {
    http::Request request;
    request.url = "http://echo/";
    const auto response = co_await client.Send(request);
    throw std::runtime_error("of the user");
  }
};

TEST_F(CoroutineLifecycleTest, AShutdownLetsCoroutinesGoOn) {
  Start();
  Stall();
  std::promise<absl::Status> told;
  Ask(http::CoroutineClient(*client_), told);
  ASSERT_TRUE(backends_[0]->WaitForRequests(1));
  mesh_->Shutdown(absl::Milliseconds(20));
  std::future<absl::Status> result = told.get_future();
  ASSERT_EQ(result.wait_for(std::chrono::seconds(0)),
            std::future_status::ready);
  EXPECT_EQ(result.get().code(), kOver);
}

TEST_F(CoroutineLifecycleTest, AfterAShutdownTheyGoOnAtOnce) {
  Start();
  mesh_->Shutdown();
  std::promise<absl::Status> told;
  Ask(http::CoroutineClient(*client_), told);
  EXPECT_EQ(told.get_future().get().code(), kOver);
}

TEST_F(CoroutineLifecycleTest, WhatACoroutineThrowsIsLogged) {
  std::promise<std::string> logged;
  MeshOptions options;
  options.log = [&](LogLevel level, std::string_view text) {
    if (level == LogLevel::kError) logged.set_value(std::string(text));
  };
  Start(std::move(options));
  const Detached thrower = AskAndThrow(http::CoroutineClient(*client_));
  EXPECT_EQ(logged.get_future().get(),
            "the callback of a call threw: exception: of the user");
  thrower.handle.destroy();
  EXPECT_TRUE(client_->Get("http://echo/").ok());
  mesh_->Shutdown(absl::InfiniteFuture());
}

}  // namespace
}  // namespace meshlib
