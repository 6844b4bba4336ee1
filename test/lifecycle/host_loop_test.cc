#include "meshlib/host_loop.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <future>
#include <thread>
#include <vector>

#include "test/event/poll_host.h"
#include "test/lifecycle/in_child.h"
#include "test/lifecycle/stream_fixture.h"

namespace meshlib {
namespace {

// A mesh on the loop of an application, whose thread is the test's.
class HostLoopTest : public StreamTest {
 protected:
  void StartOnHost() {
    MeshOptions options;
    options.host_loop = host_.get();
    Start(std::move(options));
  }
  void DriveUntil(const std::function<bool()>& done) {
    while (!done()) host_->RunOnce(1);
  }

  // Before the fixture's mesh; test bodies end that first.
  std::unique_ptr<event::PollHost> host_ =
      std::make_unique<event::PollHost>(SystemClock());

  void TearDown() override {
    client_.reset();
    mesh_.reset();
    if (host_ != nullptr) {
      EXPECT_EQ(host_->watched(), 0u);
    }
  }
};

TEST_F(HostLoopTest, CallsBackOnTheApplicationsThread) {
  StartOnHost();
  int answers = 0;
  for (int i = 0; i < 10; ++i) {
    SendAsync([&, self = std::this_thread::get_id()](Answer answer) {
      EXPECT_TRUE(answer.ok()) << answer.status();
      EXPECT_EQ(std::this_thread::get_id(), self);
      ++answers;
    });
  }
  EXPECT_EQ(answers, 0);
  DriveUntil([&] { return answers == 10; });
  EXPECT_TRUE(MeshThreads().empty());
  EXPECT_EQ(mesh_->RunPending(), absl::InfiniteFuture());
  EXPECT_EQ(mesh_->PollDescriptor(), -1);
}

TEST_F(HostLoopTest, TimersAreTheApplications) {
  StartOnHost();
  Stall();
  std::optional<Answer> told;
  http::Request request;
  request.url = "http://echo/";
  request.timeout = absl::Milliseconds(20);
  client_->SendAsync(request, [&](Answer answer) { told = std::move(answer); });
  DriveUntil([&] { return told.has_value(); });
  EXPECT_EQ(told->status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_GT(host_->alarms, 0);
}

TEST_F(HostLoopTest, ABlockingCallOnItsThreadDoesTheWorkItself) {
  StartOnHost();
  int others = 0;
  SendAsync([&](Answer answer) { others += answer.ok() ? 1 : 0; });
  for (int i = 0; i < 3; ++i) {
    const Answer answer = client_->Get("http://echo/");
    EXPECT_TRUE(answer.ok()) << answer.status();
  }
  EXPECT_EQ(others, 1);
  backends_[0]->SetAnswer(meshlib::testing::BackendAnswer::Echo());
  auto stream = Open();
  ExpectEcho(stream, "first");
}

TEST_F(HostLoopTest, OtherThreadsMayBlockWhileItRuns) {
  for (const bool http2 : {false, true}) {
    text_.http2 = http2;
    StartOnHost();
    backends_[0]->SetAnswer(meshlib::testing::BackendAnswer::Echo());
    std::atomic<int> over{0};
    std::vector<std::future<void>> callers;
    for (int i = 0; i < 3; ++i) {
      callers.push_back(std::async(std::launch::async, [&] {
        for (int j = 0; j < 20; ++j) {
          EXPECT_TRUE(client_->Get("http://echo/").ok());
        }
        auto target = mesh_->Resolve("cluster:c");
        EXPECT_TRUE(target.ok() && target->Pick().ok());
        auto stream = Open();
        ExpectEcho(stream, "first");
        stream.Cancel();
        ++over;
      }));
    }
    DriveUntil([&] { return over == 3; });
    EXPECT_TRUE(MeshThreads().empty());
    TearDown();
  }
}

// What the mesh does when a thread lets go of something is not waited for.
TEST_F(HostLoopTest, ItsThreadMayWaitForOneThatDropsATarget) {
  StartOnHost();
  auto target = mesh_->Resolve("echo");
  ASSERT_TRUE(target.ok()) << target.status();
  std::thread([dropped = *std::move(target)]() mutable {
    const Target last = std::move(dropped);
  }).join();
  EXPECT_TRUE(client_->Get("http://echo/").ok());
}

TEST_F(HostLoopTest, ShutsDownOnItsThread) {
  StartOnHost();
  Stall();
  int failed = 0;
  for (int i = 0; i < 3; ++i) {
    SendAsync([&](Answer answer) {
      failed += answer.status().code() == kOver ? 1 : 0;
    });
  }
  mesh_->Shutdown(absl::Milliseconds(20));
  EXPECT_EQ(failed, 3);
  EXPECT_EQ(host_->watched(), 0u);
  host_.reset();  // it is not used after it
  EXPECT_EQ(client_->Get("http://echo/").status().code(), kOver);
  EXPECT_EQ(mesh_->Reload().code(), kOver);
}

TEST_F(HostLoopTest, ShutsDownOnAnotherThreadWhileItRuns) {
  StartOnHost();
  Stall();
  std::optional<Answer> told;
  SendAsync([&](Answer answer) { told = std::move(answer); });
  DriveUntil([&] { return backends_[0]->Counts().requests == 1; });
  std::atomic<bool> down{false};
  std::thread other([&] {
    mesh_->Shutdown(absl::Milliseconds(20));
    down = true;
  });
  DriveUntil([&] { return down.load(); });
  other.join();
  ASSERT_TRUE(told.has_value());
  EXPECT_EQ(told->status().code(), kOver);
  EXPECT_EQ(host_->watched(), 0u);
}

TEST_F(HostLoopTest, MayBeDestroyedWithinACallback) {
  for (const bool ends_at_once : {false, true}) {
    StartOnHost();
    ASSERT_TRUE(client_->Get("http://echo/").ok());
    bool gone = false;
    SendAsync([&](Answer) {
      client_.reset();
      mesh_.reset();
      gone = true;
    });
    DriveUntil([&] { return gone; });
    EXPECT_EQ(host_->watched(), 0u);
    if (!ends_at_once) {
      host_->RunOnce();
      EXPECT_TRUE(backends_[0]->WaitFor(
          [](const auto& counts) { return counts.open_connections == 0; }));
    }
    host_ = std::make_unique<event::PollHost>(SystemClock());
    EXPECT_TRUE(backends_[0]->WaitFor(
        [](const auto& counts) { return counts.open_connections == 0; }));
  }
}

TEST_F(HostLoopTest, HasAClockOfItsOwn) {
  StartBackend();
  MeshOptions options;
  options.config_text = text_.ToString();
  options.host_loop = host_.get();
  options.clock = SystemClock();
  EXPECT_EQ(Mesh::Create(std::move(options)).status().code(),
            absl::StatusCode::kInvalidArgument);
}

// The child has a copy of the loop, which goes on to call the mesh's copy.
TEST_F(HostLoopTest, AChildsCopyDoesNotDisturbItsParent) {
  MESHLIB_SKIP_WITHOUT_ALLOCATION_IN_CHILDREN();
  text_.http2 = true;
  StartOnHost();
  ASSERT_TRUE(client_->Get("http://echo/").ok());
  const pid_t child = Fork([&] {
    for (int i = 0; i < 20; ++i) host_->RunOnce(1);
    CHILD_EXPECT(client_->Get("http://echo/").status().code() == kOver);
    client_.reset();
    auto mesh = mesh_->RestartAfterFork();
    mesh_.reset();
    CHILD_EXPECT(mesh.ok());
    auto client = http::Client::Create(**mesh);
    CHILD_EXPECT(client.ok() && client->Get("http://echo/").ok());
    _exit(0);
  });
  for (int i = 0; i < 20; ++i) {
    EXPECT_TRUE(client_->Get("http://echo/").ok());
  }
  EXPECT_EQ(WaitFor(child), 0);
  EXPECT_TRUE(client_->Get("http://echo/").ok());
  EXPECT_EQ(backends_[0]->Counts().connections, 2u);  // one is the child's
}

}  // namespace
}  // namespace meshlib
