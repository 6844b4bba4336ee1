#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <memory>
#include <thread>

#include "test/lifecycle/in_child.h"
#include "test/lifecycle/lifecycle_fixture.h"

namespace meshlib {
namespace {

class ShutdownTest : public LifecycleTest {};

TEST_F(ShutdownTest, LeavesNoThread) {
  MeshOptions options;
  options.io_threads = 2;
  Start(std::move(options));
  ASSERT_TRUE(client_->Get("http://echo/").ok());
  // Each names itself, once it runs.
  const std::multiset<std::string> names = {"mesh-control", "mesh-io-0",
                                            "mesh-io-1", "mesh-tls"};
  while (MeshThreads() != names) std::this_thread::yield();
  mesh_->Shutdown();
  WaitForNoMeshThread();
  mesh_->Shutdown();
  EXPECT_EQ(client_->Get("http://echo/").status().code(), kOver);
  EXPECT_EQ(mesh_->Resolve("echo").status().code(), kOver);
  EXPECT_EQ(http::Client::Create(*mesh_).status().code(), kOver);
  EXPECT_EQ(mesh_->Reload().code(), kOver);
}

TEST_F(ShutdownTest, LetsCallsInFlightEndUntilTheDeadline) {
  Start();
  Stall();
  std::promise<Answer> told;
  SendAsync([&](Answer answer) { told.set_value(std::move(answer)); });
  std::future<Answer> blocking = std::async(
      std::launch::async, [&] { return client_->Get("http://echo/"); });
  ASSERT_TRUE(backends_[0]->WaitForRequests(2));
  std::future<void> down = std::async(
      std::launch::async, [&] { mesh_->Shutdown(absl::InfiniteFuture()); });
  // What is new is refused, from now on and already.
  while (mesh_->Resolve("echo").ok()) std::this_thread::yield();
  EXPECT_EQ(client_->Get("http://echo/").status().code(), kOver);
  std::optional<Answer> refused;
  SendAsync([&](Answer answer) { refused = std::move(answer); });
  ASSERT_TRUE(refused.has_value());
  EXPECT_EQ(refused->status().code(), kOver);
  backends_[0]->Release();
  down.get();
  EXPECT_TRUE(told.get_future().get().ok());
  EXPECT_TRUE(blocking.get().ok());
}

TEST_F(ShutdownTest, FailsEveryCallAfterTheDeadline) {
  constexpr int kCalls = 200;
  Start();
  Stall();
  std::atomic<int> failed{0};
  for (int i = 0; i < kCalls; ++i) {
    SendAsync([&](Answer answer) {
      EXPECT_EQ(answer.status().code(), kOver) << answer.status();
      ++failed;
    });
  }
  std::vector<std::future<Answer>> blocking;
  for (int i = 0; i < 4; ++i) {
    blocking.push_back(std::async(
        std::launch::async, [&] { return client_->Get("http://echo/"); }));
  }
  ASSERT_TRUE(backends_[0]->WaitForRequests(kCalls + 4));
  mesh_->Shutdown(absl::Milliseconds(20));
  EXPECT_EQ(failed, kCalls);
  for (auto& one : blocking) EXPECT_EQ(one.get().status().code(), kOver);
  WaitForNoMeshThread();
}

TEST_F(ShutdownTest, EndsCallsThatWaitForARetry) {
  text_.action =
      "timeout: 0s, retry_policy: {retry_on: 5xx, num_retries: 5, "
      "retry_back_off: {base_interval: 1000s}}";
  Start();
  backends_[0]->SetAnswer(meshlib::testing::BackendAnswer::Status(503, ""));
  std::promise<Answer> told;
  SendAsync([&](Answer answer) { told.set_value(std::move(answer)); });
  std::future<Answer> blocking = std::async(
      std::launch::async, [&] { return client_->Get("http://echo/"); });
  ASSERT_TRUE(backends_[0]->WaitForRequests(2));
  mesh_->Shutdown();
  EXPECT_EQ(told.get_future().get().status().code(), kOver);
  EXPECT_EQ(blocking.get().status().code(), kOver);
}

TEST_F(ShutdownTest, MayComeFromSeveralThreadsWhileCallsBegin) {
  for (int round = 0; round < 10; ++round) {
    Start();
    std::atomic<int> begun{0}, ended{0};  // asynchronous ones
    std::vector<std::future<void>> callers, enders;
    for (int i = 0; i < 2; ++i) {
      callers.push_back(std::async(std::launch::async, [&] {
        while (client_->Get("http://echo/").ok()) {
        }
      }));
      callers.push_back(std::async(std::launch::async, [&] {
        std::atomic<bool> over{false};
        // Not more than the breakers allow.
        while (!over) {
          ++begun;
          SendAsync([&](Answer answer) {
            if (!answer.ok()) over = true;
            ++ended;
          });
          while (begun - ended > 16) std::this_thread::yield();
        }
        while (begun != ended) std::this_thread::yield();
      }));
    }
    ASSERT_TRUE(backends_[0]->WaitForRequests(20));
    for (int i = 0; i < 3; ++i) {
      enders.push_back(std::async(std::launch::async, [&, i] {
        mesh_->Shutdown(absl::Milliseconds(i));
        EXPECT_EQ(client_->Get("http://echo/").status().code(), kOver);
      }));
    }
    for (auto& one : enders) one.get();
    for (auto& one : callers) one.get();
    EXPECT_EQ(begun, ended);
    WaitForNoMeshThread();
  }
}

// Whoever calls it, on a thread that is none of the mesh's too.
TEST_F(ShutdownTest, WaitsForFiltersOfBlockingCalls) {
  struct Slow final : http::Filter {
    explicit Slow(std::atomic<bool>& over) : over(over) {}
    void OnEnd(const absl::Status& status, http::Headers& trailers) override {
      for (int i = 0; i < 1000; ++i) std::this_thread::yield();
      over = true;
    }
    std::atomic<bool>& over;
  };
  Start();
  Stall();
  std::atomic<bool> over{false};
  http::ClientOptions options;
  options.filters.push_back([&] { return std::make_unique<Slow>(over); });
  auto client = http::Client::Create(*mesh_, std::move(options));
  ASSERT_TRUE(client.ok()) << client.status();
  std::future<Answer> blocking = std::async(
      std::launch::async, [&] { return client->Get("http://echo/"); });
  ASSERT_TRUE(backends_[0]->WaitForRequests(1));
  mesh_->Shutdown();
  EXPECT_TRUE(over);
  EXPECT_EQ(blocking.get().status().code(), kOver);
}

TEST_F(ShutdownTest, WithinACallbackClosesConnectionsSoon) {
  Start();
  SendAsync([&](Answer) { mesh_->Shutdown(); });
  EXPECT_TRUE(backends_[0]->WaitFor([](const auto& counts) {
    return counts.connections == 1 && counts.open_connections == 0;
  }));
}

TEST_F(ShutdownTest, WithinACallbackDoesNotWait) {
  Start();
  std::promise<void> first;
  std::promise<Answer> second;
  Stall();
  SendAsync([&](Answer answer) { second.set_value(std::move(answer)); });
  ASSERT_TRUE(backends_[0]->WaitForRequests(1));
  backends_[0]->SetAnswer({});
  SendAsync([&](Answer answer) {
    EXPECT_TRUE(answer.ok()) << answer.status();
    mesh_->Shutdown(absl::InfiniteFuture());
    EXPECT_EQ(client_->Get("http://echo/").status().code(), kOver);
    first.set_value();
  });
  first.get_future().get();
  EXPECT_EQ(second.get_future().get().status().code(), kOver);
  mesh_->Shutdown();
  WaitForNoMeshThread();
}

// Everything goes on an I/O thread, also what the loop stands on.
TEST_F(ShutdownTest, DestroysEverythingWithinACallback) {
  for (const uint32_t io_threads : {0u, 1u, 2u}) {
    MeshOptions options;
    options.io_threads = io_threads;
    Start(std::move(options));
    ASSERT_TRUE(client_->Get("http://echo/").ok());
    Stall();
    std::atomic<int> failed{0};
    for (int i = 0; i < 3; ++i) {
      SendAsync([&](Answer answer) { failed += answer.ok() ? 0 : 1; });
    }
    ASSERT_TRUE(backends_[0]->WaitForRequests(4));
    backends_[0]->SetAnswer({});
    std::promise<void> gone;
    SendAsync([&](Answer answer) {
      EXPECT_TRUE(answer.ok());
      mesh_.reset();
      client_.reset();
      gone.set_value();
    });
    gone.get_future().get();
    WaitForNoMeshThread();
    EXPECT_EQ(failed, 3);
    EXPECT_EQ(mesh_, nullptr);
  }
}

TEST_F(ShutdownTest, TargetsTokensAndClientsOutliveTheMesh) {
  Start();
  auto target = mesh_->Resolve("echo");
  ASSERT_TRUE(target.ok());
  PickResult pick = target->Pick();
  PickResult other = target->Pick();
  ASSERT_TRUE(pick.ok());
  Stall();
  std::promise<Answer> told;
  SendAsync([&](Answer answer) { told.set_value(std::move(answer)); });
  ASSERT_TRUE(backends_[0]->WaitForRequests(1));
  mesh_.reset();
  WaitForNoMeshThread();
  EXPECT_EQ(told.get_future().get().status().code(), kOver);
  EXPECT_EQ(target->Pick().failure, PickFailure::kShutdown);
  EXPECT_FALSE(target->Report(pick.token, Outcome::Http(200)).retry);
  EXPECT_EQ(client_->Get("http://echo/").status().code(), kOver);
  EXPECT_EQ(client_->Get("http://other/").status().code(), kOver);
}

TEST_F(ShutdownTest, PicksOfRequestsThatHaveBegunGoOnUntilTheDeadline) {
  Start();
  auto target = mesh_->Resolve("echo");
  ASSERT_TRUE(target.ok());
  PickResult pick = target->Pick();
  ASSERT_TRUE(pick.ok());
  Stall();
  SendAsync([](Answer) {});  // something to wait for
  ASSERT_TRUE(backends_[0]->WaitForRequests(1));
  std::future<void> down = std::async(
      std::launch::async, [&] { mesh_->Shutdown(absl::InfiniteFuture()); });
  while (target->Pick().ok()) std::this_thread::yield();
  pick = target->Pick({}, std::move(pick.token));
  EXPECT_TRUE(pick.ok()) << pick.status();
  EXPECT_EQ(pick.attempt, 2u);
  backends_[0]->Release();
  down.get();
  pick = target->Pick({}, std::move(pick.token));
  EXPECT_EQ(pick.failure, PickFailure::kShutdown);
}

// In a process of its own, since it ends one.
TEST_F(ShutdownTest, SurvivesTheEndOfTheProcess) {
  MESHLIB_SKIP_WITHOUT_THREADS_IN_CHILDREN();
  StartBackend();
  const int status = InChild([&] {
    StartMesh();
    CHILD_EXPECT(!HasFatalFailure());
    static std::unique_ptr<Mesh> mesh;
    mesh = std::move(mesh_);
    // Threads that go on while the process ends; their client is leaked.
    auto* const client = new http::Client(*client_);
    for (int i = 0; i < 2; ++i) {
      std::thread([client] {
        while (true) (void)client->Get("http://echo/");
      }).detach();
    }
    http::Request request;
    request.url = "http://echo/";
    client->SendAsync(request, [](Answer) {});
    for (int i = 0; i < 20; ++i) (void)client->Get("http://echo/");
    std::exit(0);
  });
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace meshlib
