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
  mesh_.reset();
  EXPECT_EQ(stream->Write("x").code(), kOver);
}

// Throws wherever it is called.
class Thrower final : public tcp::StreamObserver {
 public:
  void OnConnect(tcp::AsyncStream& stream, const tcp::Peer& peer) override {
    Read(stream);
    Throw();
  }
  void OnWritable(tcp::AsyncStream& stream) override {
    writable = true;
    Read(stream);
    stream.Write("the last");  // and is sent back
    Throw();
  }
  void OnReadable(tcp::AsyncStream& stream) override {
    Read(stream);
    if (writable) stream.Cancel();
    Throw();
  }
  void OnDone(tcp::AsyncStream& stream, const absl::Status& status) override {
    done.set_value(status);
    Throw();
  }

  std::promise<absl::Status> done;
  bool writable = false;
  int thrown = 0;

 private:
  // Until OnReadable() follows.
  static void Read(tcp::AsyncStream& stream) {
    std::string bytes;
    while (stream.Read(bytes) == tcp::AsyncStream::ReadResult::kData) {
    }
  }
  void Throw() { throw ++thrown; }
};

TEST_F(TcpLifecycleTest, AnObserverMayThrow) {
  MeshOptions options;
  options.own_thread = false;
  int logged = 0;
  options.log = [&](LogLevel level, std::string_view text) {
    if (level == LogLevel::kError) ++logged;
  };
  Start(1, std::move(options));
  const auto target = mesh_->Resolve("tcp://db:5432");
  const auto observer = std::make_shared<Thrower>();
  tcp::AsyncStream stream = tcp::ConnectAsync(*target, observer);
  EXPECT_FALSE(stream.Write(std::string(size_t{1} << 20, 'x')));
  auto done = observer->done.get_future();
  ASSERT_TRUE(Eventually([&] { return Drive(done); }));
  EXPECT_TRUE(absl::IsCancelled(done.get()));
  mesh_->Shutdown(absl::InfiniteFuture());
  EXPECT_GE(observer->thrown, 4);
  EXPECT_EQ(logged, observer->thrown);
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
  const auto recorder = std::make_shared<Recorder>();
  tcp::AsyncStream async = tcp::ConnectAsync(*target, recorder);
  const int status = InChild([&] {
    std::string bytes;
    CHILD_EXPECT(stream->Read(bytes).status().code() == kOver);
    CHILD_EXPECT(stream->Write("x").code() == kOver);
    CHILD_EXPECT(stream->CloseWrite().ok());
    CHILD_EXPECT(stream->peer().host.empty());
    stream->Cancel();
    CHILD_EXPECT(!async.Write("child"));
    async.CloseWrite();
    CHILD_EXPECT(async.Read(bytes) == tcp::AsyncStream::ReadResult::kEnd);
    async.Cancel();
    CHILD_EXPECT(tcp::Connect(*target).status().code() == kOver);
    const auto observer = std::make_shared<Thrower>();
    tcp::ConnectAsync(*target, observer);
    CHILD_EXPECT(observer->done.get_future().get().code() == kOver);
    async = tcp::AsyncStream();
    stream.reset();
    mesh_.reset();
  });
  EXPECT_EQ(status, 0);
  // The parent's is as it was.
  EXPECT_TRUE(Echo(*stream, "hello").ok());
  EXPECT_TRUE(async.Write("parent"));
  async.CloseWrite();
  EXPECT_EQ(recorder->done.get_future().get(), absl::OkStatus());
  EXPECT_EQ(recorder->received, "parent");
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

TEST_F(TcpLifecycleTest, WhoBlocksDrivesTheConnectionsOfOthers) {
  MeshOptions options;
  options.own_thread = false;
  Start(1, std::move(options));
  auto stream = Connect();
  ASSERT_TRUE(stream.ok()) << stream.status();
  const auto observer = std::make_shared<Recorder>();
  const auto target = mesh_->Resolve("tcp://db:5432");
  tcp::AsyncStream other = tcp::ConnectAsync(*target, observer);
  EXPECT_TRUE(other.Write("hello"));
  other.CloseWrite();
  auto done = observer->done.get_future();
  EXPECT_TRUE(Eventually([&] {
    std::string none;
    EXPECT_FALSE(stream->Read(none, absl::Now() + absl::Milliseconds(5)).ok());
    return done.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
  }));
  EXPECT_EQ(observer->received, "hello");
}

}  // namespace
}  // namespace meshlib::client
