#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "test/client/tcp_fixture.h"
#include "test/lifecycle/in_child.h"
#include "test/lifecycle/lifecycle_fixture.h"

namespace meshlib::client {
namespace {

class TcpLifecycleTest : public TcpTest {
 protected:
  static absl::Status Echo(tcp::Stream& stream, const std::string& text) {
    absl::Status status = stream.Write(text);
    std::string all, piece;
    while (status.ok() && all.size() < text.size()) {
      status = stream.Read(piece).status();
      all += piece;
    }
    if (status.ok()) {
      EXPECT_EQ(all, text);
    }
    return status;
  }
};

TEST_F(TcpLifecycleTest, AShutdownWaitsForConnections) {
  Start(1);
  const auto target = mesh_->Resolve("tcp://db:5432");
  auto stream = Connect();
  ASSERT_TRUE(stream.ok()) << stream.status();
  auto over = std::async(std::launch::async,
                         [&] { mesh_->Shutdown(absl::InfiniteFuture()); });
  while (tcp::Connect(*target).status().code() != kOver) {
  }
  EXPECT_TRUE(Echo(*stream, "still here").ok());
  EXPECT_EQ(over.wait_for(std::chrono::seconds(0)),
            std::future_status::timeout);
  ASSERT_TRUE(stream->CloseWrite().ok());
  EXPECT_EQ(*ReadAll(*stream), "");
  over.get();
}

TEST_F(TcpLifecycleTest, AShutdownEndsWhatIsLeft) {
  Start(1);
  auto stream = Connect();
  ASSERT_TRUE(stream.ok()) << stream.status();
  auto reading = std::async(std::launch::async, [&] {
    std::string bytes;
    return stream->Read(bytes).status();
  });
  mesh_->Shutdown();
  EXPECT_EQ(reading.get().code(), kOver);
  EXPECT_EQ(stream->Write("x").code(), kOver);
}

// Tells of what it is told, and throws.
class Thrower final : public tcp::StreamObserver {
 public:
  void OnConnect(tcp::AsyncStream& stream, const tcp::Peer& peer) override {
    // First, so that OnReadable() follows whenever the answer comes.
    std::string none;
    stream.Read(none);
    stream.Write("x");
    throw 1;
  }
  void OnReadable(tcp::AsyncStream& stream) override {
    stream.Cancel();
    throw 2;
  }
  void OnDone(tcp::AsyncStream& stream, const absl::Status& status) override {
    done.set_value(status);
    throw 3;
  }

  std::promise<absl::Status> done;
};

TEST_F(TcpLifecycleTest, AnObserverMayThrow) {
  MeshOptions options;
  std::atomic<int> logged{0};
  options.log = [&](LogLevel level, std::string_view text) {
    if (level == LogLevel::kError) ++logged;
  };
  Start(1, std::move(options));
  const auto target = mesh_->Resolve("tcp://db:5432");
  const auto observer = std::make_shared<Thrower>();
  tcp::ConnectAsync(*target, observer);
  EXPECT_EQ(observer->done.get_future().get().code(),
            absl::StatusCode::kCancelled);
  mesh_->Shutdown(absl::InfiniteFuture());
  EXPECT_EQ(logged, 3);
  const auto late = std::make_shared<Thrower>();
  tcp::ConnectAsync(*target, late);
  EXPECT_EQ(late->done.get_future().get().code(), kOver);
}

TEST_F(TcpLifecycleTest, TheChildsCopyIsOver) {
  MESHLIB_SKIP_WITHOUT_ALLOCATION_IN_CHILDREN();
  Start(1);
  const auto target = mesh_->Resolve("tcp://db:5432");
  auto opened = Connect();
  ASSERT_TRUE(opened.ok()) << opened.status();
  std::optional<tcp::Stream> stream(*std::move(opened));
  const int status = InChild([&] {
    std::string bytes;
    CHILD_EXPECT(stream->Read(bytes).status().code() == kOver);
    CHILD_EXPECT(stream->Write("x").code() == kOver);
    CHILD_EXPECT(stream->CloseWrite().ok());
    CHILD_EXPECT(stream->peer().host.empty());
    stream->Cancel();
    CHILD_EXPECT(tcp::Connect(*target).status().code() == kOver);
    const auto observer = std::make_shared<Thrower>();
    tcp::ConnectAsync(*target, observer);
    CHILD_EXPECT(observer->done.get_future().get().code() == kOver);
    stream.reset();
    mesh_.reset();
  });
  EXPECT_EQ(status, 0);
  // The parent's is as it was.
  EXPECT_TRUE(Echo(*stream, "hello").ok());
}

TEST_F(TcpLifecycleTest, WhoBlocksDrivesAMeshWithoutThreads) {
  MeshOptions options;
  options.own_thread = false;
  Start(1, std::move(options));
  auto stream = Connect();
  ASSERT_TRUE(stream.ok()) << stream.status();
  EXPECT_TRUE(Echo(*stream, "hello").ok());
  std::string none;
  EXPECT_EQ(
      stream->Read(none, absl::Now() + absl::Milliseconds(5)).status().code(),
      absl::StatusCode::kDeadlineExceeded);
  ASSERT_TRUE(stream->CloseWrite().ok());
  EXPECT_EQ(*ReadAll(*stream), "");
}

}  // namespace
}  // namespace meshlib::client
