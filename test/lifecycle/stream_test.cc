#include <gtest/gtest.h>

#include <future>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "meshlib/grpc_bytes.h"
#include "test/lifecycle/stream_fixture.h"

namespace meshlib {
namespace {

using meshlib::testing::BackendAnswer;

class StreamLifecycleTest : public StreamTest,
                            public ::testing::WithParamInterface<bool> {
 protected:
  StreamLifecycleTest() { text_.http2 = GetParam(); }

  // Once the shutdown under way refuses what is new.
  void WaitUntilRefusing() {
    while (mesh_->Resolve("echo").ok()) std::this_thread::yield();
  }
};

INSTANTIATE_TEST_SUITE_P(Http, StreamLifecycleTest, ::testing::Bool(),
                         [](const auto& info) {
                           return info.param ? "Http2" : "Http1";
                         });

TEST_P(StreamLifecycleTest, AShutdownEndsAnOpenStream) {
  StartEcho();
  auto stream = Open();
  ExpectEcho(stream, "first");
  std::future<absl::Status> reader = std::async(std::launch::async, [&] {
    std::string bytes;
    return stream.Read(bytes).status();
  });
  mesh_->Shutdown(absl::Milliseconds(20));
  EXPECT_EQ(reader.get().code(), kOver);
  EXPECT_EQ(stream.Write("more").code(), kOver);
  std::string bytes;
  EXPECT_EQ(stream.Read(bytes).status().code(), kOver);
  WaitForNoMeshThread();
}

TEST_P(StreamLifecycleTest, AShutdownWaitsForAStreamUntilItsDeadline) {
  StartEcho();
  auto stream = Open();
  ExpectEcho(stream, "first");
  std::future<void> down = std::async(
      std::launch::async, [&] { mesh_->Shutdown(absl::InfiniteFuture()); });
  WaitUntilRefusing();
  EXPECT_EQ(client_->Open(Post()).status().code(), kOver);
  ExpectEcho(stream, "second");
  EXPECT_TRUE(stream.CloseWrite().ok());
  std::string bytes;
  const absl::StatusOr<bool> more = stream.Read(bytes);
  ASSERT_TRUE(more.ok()) << more.status();
  EXPECT_FALSE(*more);
  down.get();
}

// Nothing that the peer does would end it.
TEST_P(StreamLifecycleTest, AShutdownEndsAStreamThatWaitsForARetry) {
  text_.action =
      "timeout: 0s, retry_policy: {retry_on: 5xx, num_retries: 5, "
      "retry_back_off: {base_interval: 1000s}}";
  Start();
  backends_[0]->SetAnswer(BackendAnswer::Status(503, ""));
  auto stream = Open(http::Client::Body::kWhole);
  std::future<absl::Status> reader = std::async(
      std::launch::async, [&] { return stream.ReadHead().status(); });
  const auto observer = std::make_shared<Observer>();
  http::AsyncStream async =
      client_->OpenAsync(Post(), observer, http::Client::Body::kWhole);
  ASSERT_TRUE(backends_[0]->WaitForRequests(2));
  mesh_->Shutdown();
  EXPECT_EQ(reader.get().code(), kOver);
  EXPECT_EQ(observer->done().code(), kOver);
}

TEST_P(StreamLifecycleTest, AShutdownEndsAWriterThatIsHeldBack) {
  StartEcho();
  auto stream = Open();
  std::atomic<size_t> written{0};
  // The echo is not read, so that in the end nobody takes any more.
  std::future<absl::Status> writer = std::async(std::launch::async, [&] {
    const std::string piece(1 << 14, 'x');
    absl::Status status;
    while (status.ok()) {
      status = stream.Write(piece);
      ++written;
    }
    return status;
  });
  ASSERT_TRUE(backends_[0]->WaitForRequests(1));
  while (written == 0) std::this_thread::yield();
  mesh_->Shutdown(absl::Milliseconds(20));
  EXPECT_EQ(writer.get().code(), kOver);
}

TEST_P(StreamLifecycleTest, ObserversAreToldBeforeAShutdownReturns) {
  StartEcho();
  std::vector<std::shared_ptr<Observer>> observers;
  for (int i = 0; i < 10; ++i) {
    observers.push_back(std::make_shared<Observer>());
    EXPECT_TRUE(client_->OpenAsync(Post(), observers.back()).Write("x"));
  }
  ASSERT_TRUE(backends_[0]->WaitForRequests(10));
  mesh_->Shutdown(absl::Milliseconds(20));
  for (const auto& observer : observers) {
    ASSERT_TRUE(observer->is_done());
    EXPECT_EQ(observer->done().code(), kOver);
  }
  // There is no thread any more that could tell it later.
  const auto late = std::make_shared<Observer>();
  http::AsyncStream none = client_->OpenAsync(Post(), late);
  ASSERT_TRUE(late->is_done());
  EXPECT_EQ(late->done().code(), kOver);
  EXPECT_FALSE(none.Write("x"));
}

TEST_P(StreamLifecycleTest, AnObserverMayShutDownOrDestroyTheMesh) {
  for (const bool destroy : {false, true}) {
    StartEcho();
    const auto observer = std::make_shared<Observer>();
    const auto other = std::make_shared<Observer>();
    http::AsyncStream second = client_->OpenAsync(Post(), other);
    EXPECT_TRUE(second.Write("x"));
    ASSERT_TRUE(backends_[0]->WaitForRequests(1));
    std::promise<void> gone;
    observer->on_readable = [&] {
      if (destroy) {
        mesh_.reset();
        client_.reset();
      } else {
        mesh_->Shutdown(absl::InfiniteFuture());
      }
      gone.set_value();
    };
    {
      http::AsyncStream first = client_->OpenAsync(Post(), observer);
      EXPECT_TRUE(first.Write("x"));
    }
    gone.get_future().get();
    EXPECT_EQ(observer->done().code(), kOver);
    EXPECT_EQ(other->done().code(), kOver);
    second = http::AsyncStream();
    mesh_.reset();
    client_.reset();
    WaitForNoMeshThread();
  }
}

TEST_P(StreamLifecycleTest, StreamsOutliveTheMesh) {
  StartEcho();
  auto stream = Open();
  const auto observer = std::make_shared<Observer>();
  http::AsyncStream async = client_->OpenAsync(Post(), observer);
  ExpectEcho(stream, "first");
  client_.reset();
  mesh_.reset();
  WaitForNoMeshThread();
  EXPECT_EQ(observer->done().code(), kOver);
  EXPECT_EQ(stream.Write("x").code(), kOver);
  EXPECT_FALSE(async.Write("x"));
  async.Cancel();
  stream.Cancel();
}

TEST_P(StreamLifecycleTest, ShutdownsRaceWithStreamsThatBegin) {
  for (int round = 0; round < 5; ++round) {
    StartEcho();
    std::vector<std::future<void>> callers;
    for (int i = 0; i < 3; ++i) {
      callers.push_back(std::async(std::launch::async, [&] {
        while (true) {
          auto stream = client_->Open(Post());
          if (!stream.ok() || !stream->Write("x").ok()) return;
          std::string bytes;
          if (!stream->Read(bytes).ok()) return;
        }
      }));
    }
    ASSERT_TRUE(backends_[0]->WaitForRequests(10));
    mesh_->Shutdown(absl::Milliseconds(round));
    for (auto& one : callers) one.get();
    WaitForNoMeshThread();
  }
}

TEST_P(StreamLifecycleTest, AnObserverThatThrowsDisturbsNobody) {
  std::atomic<int> logged{0};
  MeshOptions options;
  options.log = [&](LogLevel level, std::string_view text) {
    if (text == "the callback of a call threw: exception: of the user") {
      ++logged;
    }
  };
  StartEcho(std::move(options));
  const auto observer = std::make_shared<Observer>();
  observer->on_head = [] { throw std::runtime_error("of the user"); };
  observer->on_readable = [] { throw std::runtime_error("of the user"); };
  observer->on_done = [] { throw std::runtime_error("of the user"); };
  http::AsyncStream stream = client_->OpenAsync(Post(), observer);
  EXPECT_TRUE(stream.Write("x"));
  EXPECT_TRUE(stream.CloseWrite().ok());
  EXPECT_TRUE(observer->done().ok()) << observer->done();
  std::string bytes;
  EXPECT_EQ(stream.Read(bytes), http::AsyncStream::ReadResult::kData);
  EXPECT_EQ(bytes, "x");
  auto other = Open();
  ExpectEcho(other, "first");
  other.Cancel();
  // The stream that threw is over too.
  mesh_->Shutdown(absl::InfiniteFuture());
  EXPECT_GE(logged, 3);
}

TEST_P(StreamLifecycleTest, WithoutThreadsAStreamDoesTheWorkItself) {
  MeshOptions options;
  options.own_thread = false;
  StartEcho(std::move(options));
  auto stream = Open();
  ExpectEcho(stream, "first");
  ExpectEcho(stream, std::string(50000, 'x'));
  EXPECT_TRUE(stream.CloseWrite().ok());
  std::string bytes;
  const absl::StatusOr<bool> more = stream.Read(bytes);
  ASSERT_TRUE(more.ok()) << more.status();
  EXPECT_FALSE(*more);
  auto open = Open();
  ExpectEcho(open, "first");
  EXPECT_TRUE(MeshThreads().empty());
  mesh_->Shutdown();
  EXPECT_EQ(open.Read(bytes).status().code(), kOver);
}

// They stand on streams and calls, and so on what those promise.
class GrpcLifecycleTest : public StreamTest {};

TEST_F(GrpcLifecycleTest, AShutdownEndsCallsOfBytes) {
  text_.http2 = true;
  Start();
  Stall();
  auto client = grpc_bytes::Client::Create(*mesh_);
  ASSERT_TRUE(client.ok()) << client.status();
  std::future<absl::Status> unary = std::async(std::launch::async, [&] {
    return client->Unary("http://echo/a.B/C", "x").status;
  });
  auto stream = client->Open("http://echo/a.B/C");
  ASSERT_TRUE(stream.ok()) << stream.status();
  std::string message;
  std::future<bool> reader =
      std::async(std::launch::async, [&] { return stream->Read(message); });
  ASSERT_TRUE(backends_[0]->WaitForRequests(2));
  mesh_->Shutdown(absl::Milliseconds(20));
  EXPECT_EQ(unary.get().code(), kOver);
  EXPECT_FALSE(reader.get());
  EXPECT_EQ(stream->Finish().code(), kOver);
}

}  // namespace
}  // namespace meshlib
