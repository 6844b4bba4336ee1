#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <future>
#include <string>
#include <thread>

#include "test/lifecycle/in_child.h"
#include "test/lifecycle/stream_fixture.h"

namespace meshlib {
namespace {

class ForkTest : public StreamTest {
 protected:
  ForkTest() { text_.http2 = true; }  // one connection, for all callers
  void SetUp() override { MESHLIB_SKIP_WITHOUT_ALLOCATION_IN_CHILDREN(); }

  // Keeps calls in flight, on several threads, until the end of the test.
  void StartCallers() {
    for (int i = 0; i < 2; ++i) {
      callers_.emplace_back([this] {
        while (!stop_) {
          const Answer answer = client_->Get("http://echo/parent");
          if (!answer.ok() || answer->status != 200) ++bad_;
          ++calls_;
        }
      });
    }
    while (calls_ < 20) std::this_thread::yield();
  }
  void StopCallers() {
    const int before = calls_;
    while (calls_ < before + 20) std::this_thread::yield();
    stop_ = true;
    for (std::thread& caller : callers_) caller.join();
    EXPECT_EQ(bad_, 0);
  }

  std::vector<std::thread> callers_;
  std::atomic<bool> stop_{false};
  std::atomic<int> calls_{0}, bad_{0};
};

TEST_F(ForkTest, TheChildsCopyAnswersAtOnce) {
  Start();
  auto target = mesh_->Resolve("echo");
  ASSERT_TRUE(target.ok());
  PickResult pick = target->Pick();
  StartCallers();
  const int status = InChild([&] {
    CHILD_EXPECT(target->Pick().failure == PickFailure::kForked);
    CHILD_EXPECT(target->Pick().status().code() == kOver);
    CHILD_EXPECT(!target->Report(pick.token, Outcome::Http(503)).retry);
    CHILD_EXPECT(target->WaitForPick({}, absl::InfiniteFuture()).failure ==
                 PickFailure::kForked);
    CHILD_EXPECT(!target->Explain({}).failure.empty());
    CHILD_EXPECT(mesh_->Resolve("echo").status().code() == kOver);
    CHILD_EXPECT(mesh_->WaitReady(*target, absl::InfiniteFuture()).code() ==
                 kOver);
    CHILD_EXPECT(mesh_->Reload().code() == kOver);
    CHILD_EXPECT(mesh_->ReloadText(text_.ToString()).code() == kOver);
    CHILD_EXPECT(mesh_->RunPending() == absl::InfiniteFuture());
    CHILD_EXPECT(http::Client::Create(*mesh_).status().code() == kOver);
    CHILD_EXPECT(client_->Get("http://echo/").status().code() == kOver);
    CHILD_EXPECT(client_->Get("http://new/").status().code() == kOver);
    bool told = false;
    SendAsync([&](Answer answer) { told = answer.status().code() == kOver; });
    CHILD_EXPECT(told);
    mesh_->Shutdown(absl::InfiniteFuture());
    { const PickResult dropped = std::move(pick); }
    target = absl::CancelledError();
    client_.reset();
    mesh_.reset();
    CHILD_EXPECT(MeshThreads().empty());
  });
  EXPECT_EQ(status, 0);
  StopCallers();
}

TEST_F(ForkTest, TheChildMakesAMeshOfItsOwn) {
  MESHLIB_SKIP_WITHOUT_THREADS_IN_CHILDREN();
  Start();
  StartCallers();
  const uint64_t connections = backends_[0]->Counts().connections;
  for (int round = 0; round < 5; ++round) {
    const int status = InChild([&] {
      auto mesh = mesh_->RestartAfterFork();
      CHILD_EXPECT(mesh.ok());
      mesh_.reset();
      auto client = http::Client::Create(**mesh);
      CHILD_EXPECT(client.ok());
      for (int i = 0; i < 10; ++i) {
        const Answer answer = client->Get("http://echo/child");
        CHILD_EXPECT(answer.ok() && answer->status == 200);
      }
      (*mesh)->Shutdown(absl::InfiniteFuture());
      WaitForNoMeshThread();
    });
    EXPECT_EQ(status, 0);
  }
  StopCallers();
  const auto counts = backends_[0]->Counts();
  EXPECT_EQ(counts.by_path.at("/child"), 50u);
  EXPECT_EQ(counts.by_path.at("/parent"), static_cast<uint64_t>(calls_));
  // The parent's connections went on.
  EXPECT_EQ(counts.connections, connections + 5);
}

// A parent's socket lives as long as a copy of it.
TEST_F(ForkTest, TheChildClosesWhatItInherited) {
  Start();
  ASSERT_TRUE(client_->Get("http://echo/").ok());
  int told[2], wait[2];
  ASSERT_EQ(pipe(told), 0);
  ASSERT_EQ(pipe(wait), 0);
  const pid_t child = Fork([&] {
    mesh_.reset();
    client_.reset();
    char byte = 1;
    CHILD_EXPECT(write(told[1], &byte, 1) == 1);
    close(wait[1]);
    (void)!read(wait[0], &byte, 1);
  });
  char byte = 0;
  ASSERT_EQ(read(told[0], &byte, 1), 1);
  mesh_.reset();
  EXPECT_TRUE(backends_[0]->WaitFor(
      [](const auto& counts) { return counts.open_connections == 0; }));
  for (const int fd : {told[0], told[1], wait[0], wait[1]}) close(fd);
  EXPECT_EQ(WaitFor(child), 0);
}

TEST_F(ForkTest, TheChildsCopyOfAStreamIsOver) {
  StartEcho();
  auto stream = Open();
  ExpectEcho(stream, "first");
  const auto observer = std::make_shared<Observer>();
  http::AsyncStream async = client_->OpenAsync(Post(), observer);
  EXPECT_TRUE(async.Write("x"));
  StartCallers();
  const int status = InChild([&] {
    std::string bytes;
    CHILD_EXPECT(stream.Write("child").code() == kOver);
    CHILD_EXPECT(stream.ReadHead().status().code() == kOver);
    CHILD_EXPECT(stream.Read(bytes).status().code() == kOver);
    CHILD_EXPECT(stream.CloseWrite().code() == kOver);
    CHILD_EXPECT(stream.trailers().empty());
    CHILD_EXPECT(client_->Open(Post()).status().code() == kOver);
    { const http::Stream dropped = std::move(stream); }
    CHILD_EXPECT(!async.Write("child"));
    CHILD_EXPECT(async.CloseWrite().code() == kOver);
    CHILD_EXPECT(async.Read(bytes) == http::AsyncStream::ReadResult::kEnd);
    async.Cancel();
    async = http::AsyncStream();
    const auto late = std::make_shared<Observer>();
    client_->OpenAsync(Post(), late);
    CHILD_EXPECT(late->is_done() && late->done().code() == kOver);
    client_.reset();
    mesh_.reset();
  });
  EXPECT_EQ(status, 0);
  StopCallers();
  ExpectEcho(stream, "second");
  EXPECT_TRUE(stream.CloseWrite().ok());
  std::string bytes;
  EXPECT_FALSE(*stream.Read(bytes));
  EXPECT_TRUE(async.CloseWrite().ok());
  EXPECT_TRUE(observer->done().ok()) << observer->done();
}

TEST_F(ForkTest, AChildThatExitsDoesNotDisturbItsParent) {
  Start();
  StartCallers();
  const uint64_t connections = backends_[0]->Counts().connections;
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(InChild([&] {
                client_.reset();
                mesh_.reset();
              }),
              0);
  }
  StopCallers();
  EXPECT_EQ(backends_[0]->Counts().connections, connections);
}

TEST_F(ForkTest, ARestartTakesTheSameOptions) {
  StartBackend();
  MeshOptions options;
  options.own_thread = false;
  options.seed = 7;
  StartMesh(std::move(options));
  auto again = mesh_->RestartAfterFork();
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_TRUE(http::Client::Create(**again)->Get("http://echo/").ok());
  EXPECT_TRUE(MeshThreads().empty());
}

}  // namespace
}  // namespace meshlib
