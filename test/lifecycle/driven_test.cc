#include <gtest/gtest.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <future>
#include <thread>

#include "test/lifecycle/lifecycle_fixture.h"

namespace meshlib {
namespace {

// A mesh without threads of its own.
class DrivenTest : public LifecycleTest {
 protected:
  void StartDriven() {
    MeshOptions options;
    options.own_thread = false;
    options.io_threads = 3;
    Start(std::move(options));
  }

  // What a host's loop does, until `done`.
  void DriveUntil(const std::function<bool()>& done) {
    while (true) {
      const absl::Time next = mesh_->RunPending();
      if (done()) return;
      pollfd polled{mesh_->PollDescriptor(), POLLIN, 0};
      const absl::Duration wait =
          std::clamp(next - absl::Now(), absl::ZeroDuration(), absl::Hours(1));
      poll(&polled, 1,
           static_cast<int>(absl::ToInt64Milliseconds(
               absl::Ceil(wait, absl::Milliseconds(1)))));
    }
  }
};

TEST_F(DrivenTest, CallsWithoutAnyThread) {
  StartDriven();
  int answers = 0;
  for (int i = 0; i < 10; ++i) {
    SendAsync([&](Answer answer) {
      EXPECT_TRUE(answer.ok()) << answer.status();
      ++answers;
    });
  }
  EXPECT_EQ(answers, 0);
  DriveUntil([&] { return answers == 10; });
  EXPECT_TRUE(MeshThreads().empty());
}

TEST_F(DrivenTest, ABlockingCallDoesTheWorkItself) {
  StartDriven();
  int others = 0;
  SendAsync([&](Answer answer) { others += answer.ok() ? 1 : 0; });
  for (int i = 0; i < 3; ++i) {
    const Answer answer = client_->Get("http://echo/");
    EXPECT_TRUE(answer.ok()) << answer.status();
  }
  EXPECT_EQ(others, 1);
  EXPECT_TRUE(MeshThreads().empty());
}

TEST_F(DrivenTest, BlockingCallsOfOtherThreadsShareTheWork) {
  StartDriven();
  std::vector<std::future<void>> callers;
  std::atomic<int> over{0};
  for (int i = 0; i < 3; ++i) {
    callers.push_back(std::async(std::launch::async, [&] {
      for (int j = 0; j < 20; ++j)
        EXPECT_TRUE(client_->Get("http://echo/").ok());
      ++over;
    }));
  }
  while (over != 3) mesh_->RunPending();
}

// The callback runs in the loop's work: what it calls must not wait for it.
TEST_F(DrivenTest, CallbacksMayUseTheMesh) {
  StartDriven();
  std::optional<Answer> second;
  SendAsync([&](Answer answer) {
    ASSERT_TRUE(answer.ok()) << answer.status();
    EXPECT_EQ(client_->Get("http://echo/").status().code(), kOver);
    auto target = mesh_->Resolve("cluster:c");
    EXPECT_TRUE(target.ok() && target->Pick().ok());
    EXPECT_EQ(mesh_->RunPending(), absl::InfiniteFuture());
    EXPECT_TRUE(mesh_->ReloadText(text_.ToString()).ok());
    http::Request request;
    request.url = "http://cluster:c/";
    client_->SendAsync(request,
                       [&](Answer other) { second = std::move(other); });
  });
  DriveUntil([&] { return second.has_value(); });
  EXPECT_TRUE(second->ok()) << second->status();
}

TEST_F(DrivenTest, ShutsDownOnTheDrivingThread) {
  StartDriven();
  Stall();
  int failed = 0;
  for (int i = 0; i < 3; ++i) {
    SendAsync([&](Answer answer) {
      failed += answer.status().code() == kOver ? 1 : 0;
    });
  }
  mesh_->Shutdown(absl::Milliseconds(20));
  EXPECT_EQ(failed, 3);
}

TEST_F(DrivenTest, MayBeDestroyedWithinACallback) {
  StartDriven();
  bool gone = false;
  SendAsync([&](Answer) {
    client_.reset();
    mesh_.reset();
    gone = true;
  });
  Mesh* const mesh = mesh_.get();
  while (!gone) mesh->RunPending();
}

}  // namespace
}  // namespace meshlib
