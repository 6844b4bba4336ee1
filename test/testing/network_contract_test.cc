// What every event::Network promises, held against the system's sockets (on
// both loops that watch descriptors) and against the simulated network.

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "event/hosted_loop.h"
#include "event/stream.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "meshlib/testing/fake_clock.h"
#include "net/socket_network.h"
#include "test/event/poll_host.h"
#include "test/net/stream_end.h"
#include "testing/simulated_loop.h"
#include "testing/simulated_network.h"

namespace meshlib::testing {
namespace {

using event::IoResult;
using net::StreamEnd;
using ::testing::HasSubstr;

struct Sockets {
  bool Until(const std::function<bool()>& done) { return loop.Until(done); }
  // Runs what there is to run, as far as one can know.
  void Settle() {
    for (int i = 0; i < 5; ++i) loop.loop->RunOnce(absl::Milliseconds(2));
  }

  net::TestLoop loop;
  net::SocketNetwork network{loop.loop.get()};
};

// On a loop of the application's.
struct HostedSockets {
  bool Until(const std::function<bool()>& done) {
    for (int i = 0; i < 2000 && !done(); ++i) host.RunOnce(10);
    return done();
  }
  void Settle() {
    for (int i = 0; i < 5; ++i) host.RunOnce(2);
  }

  FakeClock clock;
  event::PollHost host{&clock};
  std::unique_ptr<event::HostedLoop> loop =
      event::HostedLoop::Create(&host).value();
  net::SocketNetwork network{loop.get()};
};

template <int kLatencyMillis>
struct Simulated {
  Simulated() {
    SimulatedLink link;
    link.latency = absl::Milliseconds(kLatencyMillis);
    link.jitter = link.latency / 3;
    network.SetDefaultLink(link);
  }
  bool Until(const std::function<bool()>& done) {
    return loop.RunUntil(done, loop.Now() + absl::Hours(1));
  }
  void Settle() { loop.RunUntilIdle(loop.Now() + absl::Hours(1)); }

  FakeClock clock;
  SimulatedLoop loop{&clock};
  SimulatedNetwork network{&loop};
};

template <typename World>
class NetworkContract : public ::testing::Test {
 protected:
  bool Until(const std::function<bool()>& done) { return world_.Until(done); }
  void Listen(std::string_view address = "127.0.0.1:0") {
    auto listener = world_.network.Listen(address, [this](auto stream) {
      server_.Take(std::move(stream));
      ++accepted_;
    });
    ASSERT_TRUE(listener.ok()) << listener.status();
    listener_ = *std::move(listener);
  }
  void Connect() {
    client_.Take(world_.network.Connect(listener_->Address(),
                                        absl::InfiniteDuration(), &client_));
  }
  void ConnectBoth() {
    Listen();
    Connect();
    EXPECT_EQ(client_.connects, 0);  // never from within
    ASSERT_TRUE(Until([&] { return accepted_ > 0 && client_.connects > 0; }));
    ASSERT_TRUE(client_.connected.ok()) << client_.connected;
    server_.stream().WantRead(true);
    client_.stream().WantRead(true);
  }
  static IoResult ReadOne(StreamEnd& end) {
    char byte = 0;
    return end.stream().Read({&byte, 1});
  }
  static IoResult WriteOne(StreamEnd& end) {
    const std::string_view piece = "x";
    return end.stream().Write({&piece, 1});
  }

  World world_;
  std::unique_ptr<event::Listener> listener_;
  StreamEnd client_;
  StreamEnd server_;
  int accepted_ = 0;
};

using Worlds =
    ::testing::Types<Sockets, HostedSockets, Simulated<0>, Simulated<30>>;
TYPED_TEST_SUITE(NetworkContract, Worlds);

TYPED_TEST(NetworkContract, CarriesBytesBothWays) {
  this->ConnectBoth();
  this->client_.Send("question");
  ASSERT_TRUE(
      this->Until([&] { return this->server_.received == "question"; }));
  this->server_.Send("answer");
  ASSERT_TRUE(this->Until([&] { return this->client_.received == "answer"; }));
  event::Stream& client = this->client_.stream();
  event::Stream& server = this->server_.stream();
  EXPECT_EQ(client.PeerAddress(), this->listener_->Address());
  EXPECT_EQ(server.LocalAddress(), this->listener_->Address());
  EXPECT_EQ(client.LocalAddress(), server.PeerAddress());
  EXPECT_NE(client.LocalAddress(), client.PeerAddress());
}

TYPED_TEST(NetworkContract, GoesOnWhereAFullBufferStopped) {
  this->ConnectBoth();
  std::string much(20'000'000, 'x');
  much[12'345'678] = 'y';
  this->client_.Send(much);
  ASSERT_TRUE(this->Until([&] { return this->client_.blocked > 0; }));
  ASSERT_TRUE(this->Until(
      [&] { return this->server_.received.size() == much.size(); }));
  EXPECT_TRUE(this->server_.received == much);
}

TYPED_TEST(NetworkContract, TakesNoMoreThanABufferForOneThatDoesNotRead) {
  this->ConnectBoth();
  this->server_.stream().WantRead(false);
  this->client_.Send(std::string(50'000'000, 'x'));
  this->world_.Settle();
  EXPECT_GT(this->client_.unsent.size(), 1'000'000u);
  // The system's buffers may grow a little longer.
  const std::string_view piece = "x";
  EXPECT_TRUE(this->Until([&] {
    return this->client_.stream().Write({&piece, 1}).code ==
           IoResult::Code::kBlocked;
  }));
  EXPECT_EQ(this->server_.received, "");
}

TYPED_TEST(NetworkContract, TellsAgainForAsLongAsThereAreBytes) {
  this->ConnectBoth();
  this->server_.read_size = 1;
  this->client_.Send("one by one");
  EXPECT_TRUE(
      this->Until([&] { return this->server_.received == "one by one"; }));
}

TYPED_TEST(NetworkContract, TellsNobodyWhoDoesNotWantToKnow) {
  this->ConnectBoth();
  this->server_.stream().WantRead(false);
  this->client_.Send("later");
  this->world_.Settle();
  EXPECT_EQ(this->server_.received, "");
  EXPECT_EQ(this->ReadOne(this->server_).code, IoResult::Code::kDone);
  this->server_.stream().WantRead(true);
  EXPECT_TRUE(this->Until([&] { return this->server_.received == "ater"; }));
  EXPECT_EQ(this->ReadOne(this->server_).code, IoResult::Code::kBlocked);
}

TYPED_TEST(NetworkContract, KnowsWhatIsWantedBeforeItIsConnected) {
  this->Listen();
  this->Connect();
  this->client_.stream().WantRead(true);
  EXPECT_EQ(this->ReadOne(this->client_).code, IoResult::Code::kBlocked);
  this->client_.Send("early");
  ASSERT_TRUE(this->Until([&] { return this->accepted_ > 0; }));
  this->server_.Send("too");
  this->server_.stream().WantRead(true);
  EXPECT_TRUE(this->Until([&] {
    return this->client_.received == "too" && this->server_.received == "early";
  }));
  EXPECT_EQ(this->client_.connects, 1);
}

TYPED_TEST(NetworkContract, EndsEachDirectionByItself) {
  this->ConnectBoth();
  this->client_.Send("last words");
  ASSERT_TRUE(this->Until([&] { return this->client_.unsent.empty(); }));
  this->client_.stream().CloseWrite();
  ASSERT_TRUE(this->Until([&] { return this->server_.ended; }));
  EXPECT_EQ(this->server_.received, "last words");
  EXPECT_EQ(this->server_.end, IoResult::Code::kEnded);
  EXPECT_TRUE(this->server_.stream().error().ok());
  EXPECT_EQ(this->ReadOne(this->server_).code, IoResult::Code::kEnded);
  this->server_.Send("answer");
  ASSERT_TRUE(this->Until([&] { return this->client_.received == "answer"; }));
  EXPECT_EQ(this->WriteOne(this->client_).code, IoResult::Code::kFailed);
  EXPECT_EQ(this->client_.stream().error().code(),
            absl::StatusCode::kUnavailable);
}

TYPED_TEST(NetworkContract, ReadsNothingIntoNothing) {
  this->ConnectBoth();
  this->client_.stream().WantRead(false);
  this->server_.Send("x");
  this->world_.Settle();
  const IoResult result = this->client_.stream().Read({});
  EXPECT_EQ(result.code, IoResult::Code::kDone);
  EXPECT_EQ(result.bytes, 0u);
  EXPECT_EQ(this->ReadOne(this->client_).code, IoResult::Code::kDone);
}

TYPED_TEST(NetworkContract, SaysThatAConnectWasRefused) {
  this->Listen();
  const std::string gone = this->listener_->Address();
  this->listener_.reset();
  StreamEnd& client = this->client_;
  client.Take(this->world_.network.Connect(gone, absl::Seconds(1), &client));
  EXPECT_EQ(client.connects, 0);
  ASSERT_TRUE(this->Until([&] { return client.connects > 0; }));
  EXPECT_EQ(client.connected.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(client.connected.message()), HasSubstr("refused"));
  EXPECT_EQ(client.stream().error(), client.connected);
  EXPECT_EQ(this->ReadOne(client).code, IoResult::Code::kFailed);
  EXPECT_EQ(this->WriteOne(client).code, IoResult::Code::kFailed);
  client.stream().WantRead(true);
  this->world_.Settle();
  EXPECT_FALSE(client.ended);  // it was told
  EXPECT_EQ(client.connects, 1);
}

TYPED_TEST(NetworkContract, SaysThatThereIsNoAddress) {
  StreamEnd& client = this->client_;
  client.Take(this->world_.network.Connect("", absl::Seconds(1), &client));
  EXPECT_EQ(client.connects, 0);
  ASSERT_TRUE(this->Until([&] { return client.connects > 0; }));
  EXPECT_EQ(client.connected.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_FALSE(this->world_.network.Listen("", [](auto) {}).ok());
}

TYPED_TEST(NetworkContract, ListensOnceAtAnAddress) {
  this->Listen();
  const std::string address = this->listener_->Address();
  const auto second = this->world_.network.Listen(address, [](auto) {});
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(second.status().message()), HasSubstr("in use"));
  this->listener_.reset();
  this->Listen(address);
  EXPECT_EQ(this->listener_->Address(), address);
}

TYPED_TEST(NetworkContract, ResetsReachThePeer) {
  this->ConnectBoth();
  this->server_.stream().Reset();
  EXPECT_EQ(this->ReadOne(this->server_).code, IoResult::Code::kFailed);
  EXPECT_EQ(this->WriteOne(this->server_).code, IoResult::Code::kFailed);
  ASSERT_TRUE(this->Until([&] { return this->client_.ended; }));
  EXPECT_EQ(this->client_.end, IoResult::Code::kFailed);
  EXPECT_EQ(this->client_.stream().error().code(),
            absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(this->client_.stream().error().message()),
              HasSubstr("reset"));
  EXPECT_EQ(this->WriteOne(this->client_).code, IoResult::Code::kFailed);
  this->world_.Settle();
  EXPECT_FALSE(this->server_.ended);  // it did that itself
}

TYPED_TEST(NetworkContract, ReadsWhatCameBeforeAReset) {
  this->ConnectBoth();
  this->client_.stream().WantRead(false);
  this->server_.Send("last words");
  this->world_.Settle();
  this->server_.stream().Reset();
  this->world_.Settle();
  this->client_.stream().WantRead(true);
  ASSERT_TRUE(this->Until([&] { return this->client_.ended; }));
  EXPECT_EQ(this->client_.received, "last words");
  EXPECT_EQ(this->client_.end, IoResult::Code::kFailed);
}

TYPED_TEST(NetworkContract, EndsWhenDestroyed) {
  this->ConnectBoth();
  this->client_.Send("last words");
  ASSERT_TRUE(this->Until([&] { return this->client_.unsent.empty(); }));
  this->client_.Drop();
  ASSERT_TRUE(this->Until([&] { return this->server_.ended; }));
  EXPECT_EQ(this->server_.received, "last words");
  EXPECT_EQ(this->server_.end, IoResult::Code::kEnded);
}

TYPED_TEST(NetworkContract, ResetsWhenDestroyedWithUnreadBytes) {
  this->ConnectBoth();
  this->client_.stream().WantRead(false);
  this->server_.Send("unread");
  this->world_.Settle();
  this->client_.Drop();
  ASSERT_TRUE(this->Until([&] { return this->server_.ended; }));
  EXPECT_EQ(this->server_.end, IoResult::Code::kFailed);
}

TYPED_TEST(NetworkContract, FailsToWriteToOneThatIsGone) {
  this->ConnectBoth();
  this->client_.Drop();
  ASSERT_TRUE(this->Until([&] { return this->server_.ended; }));
  EXPECT_EQ(this->WriteOne(this->server_).code, IoResult::Code::kDone);
  this->world_.Settle();  // a reset comes back
  EXPECT_EQ(this->WriteOne(this->server_).code, IoResult::Code::kFailed);
}

TYPED_TEST(NetworkContract, TellsNothingOfAConnectThatWasGivenUp) {
  this->Listen();
  this->Connect();
  this->client_.Drop();
  this->world_.Settle();
  EXPECT_EQ(this->client_.connects, 0);
}

TYPED_TEST(NetworkContract, MayBeDestroyedByItsOwnHandler) {
  this->ConnectBoth();
  this->server_.on_readable = [&] { this->server_.Drop(); };
  this->server_.stream().WantWrite(true);  // OnWritable would follow
  this->client_.Send("x");
  ASSERT_TRUE(this->Until([&] { return this->client_.ended; }));
  StreamEnd other;
  other.on_connect = [&] { other.Drop(); };
  other.Take(this->world_.network.Connect(this->listener_->Address(),
                                          absl::Seconds(1), &other));
  ASSERT_TRUE(this->Until([&] { return other.connects > 0; }));
  auto again = this->world_.network.Listen(
      "127.0.0.1:0", [&](auto) { this->listener_.reset(); });
  ASSERT_TRUE(again.ok());
  this->listener_ = *std::move(again);
  this->Connect();
  ASSERT_TRUE(this->Until([&] { return this->listener_ == nullptr; }));
}

}  // namespace
}  // namespace meshlib::testing
