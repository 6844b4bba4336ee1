#include "net/socket_network.h"

#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "net/socket_address.h"
#include "test/net/stream_end.h"

namespace meshlib::net {
namespace {

using End = StreamEnd;

// What holds for every network is in test/testing/network_contract_test.cc.
class SocketNetworkTest : public ::testing::Test {
 protected:
  bool Until(const std::function<bool()>& done) {
    return test_loop_.Until(done);
  }
  void Listen(std::string_view address) {
    auto listener = network_.Listen(address, [this](auto stream) {
      server_.Take(std::move(stream));
      ++accepted_;
    });
    ASSERT_TRUE(listener.ok()) << listener.status();
    listener_ = *std::move(listener);
  }
  void Connect(absl::Duration timeout = absl::InfiniteDuration()) {
    client_.Take(network_.Connect(listener_->Address(), timeout, &client_));
  }
  void ConnectBoth(std::string_view address) {
    Listen(address);
    Connect();
    EXPECT_EQ(client_.connects, 0);  // never from within
    ASSERT_TRUE(Until([&] { return accepted_ > 0 && client_.connects > 0; }));
    ASSERT_TRUE(client_.connected.ok()) << client_.connected;
    server_.stream().WantRead(true);
    client_.stream().WantRead(true);
  }

  TestLoop test_loop_;
  testing::FakeClock& clock_ = test_loop_.clock;
  event::EpollLoop* const loop_ = test_loop_.loop.get();
  SocketNetwork network_{loop_};
  std::unique_ptr<event::Listener> listener_;
  End client_;
  End server_;
  int accepted_ = 0;
};

TEST_F(SocketNetworkTest, KnowsWhetherThePeerHasAll) {
  ConnectBoth("127.0.0.1:0");
  const int fd = client_.stream().Descriptor();
  EXPECT_TRUE(PeerHasAll(fd));
  client_.Send("hello");
  ASSERT_TRUE(Until([&] { return server_.received == "hello"; }));
  EXPECT_TRUE(Until([&] { return PeerHasAll(fd); }));
  server_.Drop();
  ASSERT_TRUE(Until([&] { return client_.ended; }));
  client_.Send("nobody is there");
  EXPECT_TRUE(Until([&] { return !PeerHasAll(fd); }));
  EXPECT_TRUE(PeerHasAll(-1));
}

TEST_F(SocketNetworkTest, CarriesBytesBothWaysOverEveryFamily) {
  const std::string path =
      ::testing::TempDir() + "/s" + std::to_string(getpid()) + ".sock";
  for (const std::string& address :
       {std::string("127.0.0.1:0"), std::string("[::1]:0"), "unix:" + path,
        "unix:@meshlib-test-" + std::to_string(getpid())}) {
    SCOPED_TRACE(address);
    ConnectBoth(address);
    if (HasFatalFailure()) return;
    client_.Send("question");
    ASSERT_TRUE(Until([&] { return server_.received == "question"; }));
    server_.Send("answer");
    ASSERT_TRUE(Until([&] { return client_.received == "answer"; }));
    EXPECT_EQ(client_.stream().PeerAddress(), listener_->Address());
    EXPECT_EQ(server_.stream().LocalAddress(), listener_->Address());
    client_.stream().CloseWrite();
    ASSERT_TRUE(Until([&] { return server_.ended; }));
    EXPECT_TRUE(server_.stream().error().ok());
    client_.Drop();
    server_.Drop();
    listener_.reset();
    client_ = End();
    server_ = End();
    accepted_ = 0;
  }
  EXPECT_NE(access(path.c_str(), F_OK), 0);
}

TEST_F(SocketNetworkTest, ReadingWaitsUntilSomethingComesOrItIsInterrupted) {
  ConnectBoth("127.0.0.1:0");
  event::Stream& stream = client_.stream();
  stream.WantRead(false);
  ASSERT_TRUE(stream.CanWait());
  char buffer[8];
  const auto read = [&](absl::Duration longest) {
    return stream.ReadWithin(absl::MakeSpan(buffer), longest);
  };
  using Code = event::IoResult::Code;
  EXPECT_EQ(read(absl::Milliseconds(1)).code, Code::kBlocked);
  EXPECT_EQ(read(absl::Milliseconds(20)).code, Code::kBlocked);
  std::thread peer([&] { server_.stream().Write({"x"}); });
  EXPECT_EQ(read(absl::InfiniteDuration()).code, Code::kDone);
  EXPECT_EQ(buffer[0], 'x');
  peer.join();
  // The descriptor may block now; nothing else does.
  EXPECT_EQ(stream.Read(absl::MakeSpan(buffer)).code, Code::kBlocked);
  const std::string much(size_t{64} << 20, 'm');
  EXPECT_LT(stream.Write({much}).bytes, much.size());
  EXPECT_EQ(stream.Write({much}).code, Code::kBlocked);
  std::thread other([&] { stream.Interrupt(); });
  EXPECT_EQ(read(absl::InfiniteDuration()).code, Code::kEnded);
  other.join();
  EXPECT_EQ(read(absl::InfiniteDuration()).code, Code::kEnded);
}

TEST_F(SocketNetworkTest, RefusesWhatIsNoAddress) {
  client_.Take(network_.Connect("nowhere:80", absl::Seconds(1), &client_));
  EXPECT_EQ(client_.connects, 0);
  ASSERT_TRUE(Until([&] { return client_.connects > 0; }));
  EXPECT_EQ(client_.connected.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_FALSE(network_.Listen("nowhere:80", [](auto) {}).ok());
}

TEST_F(SocketNetworkTest, GivesUpAConnectInTime) {
  // A listener whose queue is full does not answer.
  const int full = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  SocketAddress address = *SocketAddress::Parse("127.0.0.1:0");
  ASSERT_EQ(bind(full, address.get(), address.size), 0);
  ASSERT_EQ(listen(full, 0), 0);
  ASSERT_EQ(getsockname(full, address.get(), &address.size), 0);
  std::vector<std::unique_ptr<End>> fillers;
  for (int i = 0; i < 4; ++i) {
    fillers.push_back(std::make_unique<End>());
    fillers.back()->Take(network_.Connect(
        address.ToString(), absl::InfiniteDuration(), fillers.back().get()));
  }
  client_.Take(
      network_.Connect(address.ToString(), absl::Seconds(5), &client_));
  for (int i = 0; i < 5; ++i) loop_->RunReady();
  clock_.Advance(absl::Seconds(5) - absl::Milliseconds(1));
  loop_->RunReady();
  EXPECT_EQ(client_.connects, 0);
  clock_.Advance(absl::Milliseconds(1));
  loop_->RunReady();
  EXPECT_EQ(client_.connects, 1);
  EXPECT_EQ(client_.connected.code(), absl::StatusCode::kDeadlineExceeded);
  close(full);
}

TEST_F(SocketNetworkTest, AcceptsAgainWhenThereAreDescriptorsAgain) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "UBSan looks at objects through a pipe";
#endif
  Listen("127.0.0.1:0");
  Connect();
  rlimit limit;
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  const int next = dup(0);
  close(next);
  const rlimit none = {static_cast<rlim_t>(next), limit.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  for (int i = 0; i < 5; ++i) loop_->RunOnce(absl::Milliseconds(1));
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
  EXPECT_EQ(accepted_, 0);
  loop_->RunReady();
  EXPECT_EQ(accepted_, 0);  // it waits
  clock_.Advance(absl::Milliseconds(100));
  EXPECT_TRUE(Until([&] { return accepted_ == 1; }));
}

TEST(SocketAddress, ReadsWhatItWrites) {
  for (const char* text : {"127.0.0.1:80", "0.0.0.0:0", "[::1]:65535",
                           "[2001:db8::1]:443", "unix:/tmp/a", "unix:@a b"}) {
    const auto address = SocketAddress::Parse(text);
    ASSERT_TRUE(address.ok()) << text;
    EXPECT_EQ(address->ToString(), text);
  }
  for (const std::string& text :
       {std::string(""), std::string("127.0.0.1"), std::string("127.0.0.1:"),
        std::string("127.0.0.1:65536"), std::string("127.0.0.1:-1"),
        std::string("::1:80"), std::string("[::1:80"), std::string("[]:80"),
        std::string("host:80"), std::string("unix:"),
        "unix:/" + std::string(108, 'a'), std::string("unix:/a\0b", 9)}) {
    EXPECT_EQ(SocketAddress::Parse(text).status().code(),
              absl::StatusCode::kInvalidArgument)
        << text;
  }
}

}  // namespace
}  // namespace meshlib::net
