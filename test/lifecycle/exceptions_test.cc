#include <gtest/gtest.h>

#include <future>
#include <stdexcept>
#include <string>

#include "test/lifecycle/lifecycle_fixture.h"

namespace meshlib {
namespace {

class ExceptionsTest : public LifecycleTest {};

TEST_F(ExceptionsTest, ACallbackThatThrowsDisturbsNobody) {
  std::promise<std::string> logged;
  MeshOptions options;
  options.log = [&](LogLevel level, std::string_view text) {
    if (level == LogLevel::kError) logged.set_value(std::string(text));
  };
  Start(std::move(options));
  ASSERT_TRUE(client_->Get("http://echo/").ok());
  SendAsync([](Answer) { throw std::runtime_error("of the user"); });
  EXPECT_EQ(logged.get_future().get(),
            "the callback of a call threw: exception: of the user");
  std::promise<Answer> told;
  SendAsync([&](Answer answer) { told.set_value(std::move(answer)); });
  EXPECT_TRUE(told.get_future().get().ok());
  // The call that threw is over too.
  mesh_->Shutdown(absl::InfiniteFuture());
}

TEST_F(ExceptionsTest, AnythingMayBeThrown) {
  Start();
  std::promise<void> called;
  SendAsync([&](Answer) {
    called.set_value();
    throw 1;
  });
  called.get_future().get();
  EXPECT_TRUE(client_->Get("http://echo/").ok());
  mesh_->Shutdown();
  SendAsync([](Answer) { throw 2; });  // called at once
}

TEST_F(ExceptionsTest, ARefusedCallCountsAsOneUntilItsCallbackIsOver) {
  Start();
  http::Request bad;
  bad.url = "ftp://echo/";
  bool told = false;
  client_->SendAsync(bad, [&](Answer answer) {
    EXPECT_EQ(answer.status().code(), absl::StatusCode::kInvalidArgument);
    told = true;
    throw 3;
  });
  mesh_->Shutdown(absl::InfiniteFuture());
  EXPECT_TRUE(told);
}

}  // namespace
}  // namespace meshlib
