#include "testing/simulated_network.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "meshlib/testing/fake_clock.h"
#include "test/net/stream_end.h"
#include "testing/simulated_loop.h"

namespace meshlib::testing {
namespace {

using event::IoResult;
using net::StreamEnd;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr absl::Duration kLatency = absl::Milliseconds(10);
constexpr char kServer[] = "server:80";

SimulatedLink WithLatency(absl::Duration latency) {
  SimulatedLink link;
  link.latency = latency;
  return link;
}

class SimulatedNetworkTest : public ::testing::Test {
 protected:
  explicit SimulatedNetworkTest(const SimulatedNetworkOptions& options = {})
      : network_(&loop_, options) {
    network_.SetDefaultLink(WithLatency(kLatency));
  }

  void Listen() {
    auto listener = network_.Listen(kServer, [this](auto stream) {
      server_.Take(std::move(stream));
      server_.stream().WantRead(true);
      accepted_at_ = Elapsed();
    });
    ASSERT_TRUE(listener.ok()) << listener.status();
    listener_ = *std::move(listener);
  }
  void Connect(StreamEnd& end,
               absl::Duration timeout = absl::InfiniteDuration()) {
    end.Take(network_.Connect(kServer, timeout, &end));
    end.stream().WantRead(true);
  }
  void ConnectBoth() {
    Listen();
    Connect(client_);
    ASSERT_TRUE(Until([&] { return client_.connects > 0; }));
    loop_.RunFor(kLatency);
    ASSERT_TRUE(accepted_at_.has_value());
  }
  bool Until(const std::function<bool()>& done) {
    return loop_.RunUntil(done, loop_.Now() + absl::Hours(24));
  }
  // How long `done` takes to come true.
  absl::Duration TimeUntil(const std::function<bool()>& done) {
    const absl::Time start = loop_.Now();
    EXPECT_TRUE(Until(done));
    return loop_.Now() - start;
  }
  absl::Duration Elapsed() { return loop_.Now() - start_; }

  FakeClock clock_;
  SimulatedLoop loop_{&clock_};
  const absl::Time start_ = clock_.Now();
  SimulatedNetwork network_;
  std::unique_ptr<event::Listener> listener_;
  StreamEnd client_;
  StreamEnd server_;
  std::optional<absl::Duration> accepted_at_;
};

TEST_F(SimulatedNetworkTest, TakesExactlyTheLatency) {
  Listen();
  Connect(client_);
  client_.Send("question");
  EXPECT_EQ(TimeUntil([&] { return client_.connects > 0; }), 2 * kLatency);
  EXPECT_EQ(TimeUntil([&] { return server_.received == "question"; }),
            kLatency);
  EXPECT_EQ(accepted_at_, 3 * kLatency);
  server_.Send("answer");
  EXPECT_EQ(TimeUntil([&] { return client_.received == "answer"; }), kLatency);
  EXPECT_EQ(network_.stats("client", "server").bytes, 8u);
  EXPECT_EQ(network_.stats("server", "client").bytes, 6u);
  EXPECT_EQ(network_.stats("client", "server").connects, 1u);
  EXPECT_EQ(network_.stats().segments, 2u);
}

TEST_F(SimulatedNetworkTest, RefusesAfterARoundTrip) {
  Connect(client_);
  EXPECT_EQ(TimeUntil([&] { return client_.connects > 0; }), 2 * kLatency);
  EXPECT_THAT(std::string(client_.connected.message()), HasSubstr("refused"));
  EXPECT_EQ(network_.stats("client", "server").refused, 1u);
}

TEST_F(SimulatedNetworkTest, SharesALinksBandwidth) {
  ConnectBoth();
  SimulatedLink link = WithLatency(kLatency);
  link.bytes_per_second = 1e6;
  network_.SetLink("client", "server", link);
  client_.Send(std::string(100'000, 'x'));
  EXPECT_EQ(TimeUntil([&] { return server_.received.size() == 100'000; }),
            kLatency + absl::Milliseconds(100));
  // Two connections share what there is.
  StreamEnd& first = server_;
  StreamEnd second;
  listener_.reset();
  auto listener = network_.Listen(kServer, [&](auto stream) {
    second.Take(std::move(stream));
    second.stream().WantRead(true);
  });
  StreamEnd other;
  Connect(other);
  loop_.RunFor(3 * kLatency);
  first.received.clear();
  client_.Send(std::string(100'000, 'x'));
  other.Send(std::string(50'000, 'x'));
  EXPECT_EQ(TimeUntil([&] {
              return first.received.size() + second.received.size() == 150'000;
            }),
            kLatency + absl::Milliseconds(150));
}

TEST_F(SimulatedNetworkTest, HoldsBackForASlowReader) {
  ConnectBoth();
  server_.stream().WantRead(false);
  const size_t buffer = SimulatedNetworkOptions().buffer;
  client_.Send(std::string(buffer + 1, 'x'));
  loop_.RunUntilIdle(loop_.Now() + absl::Hours(1));
  EXPECT_EQ(client_.unsent.size(), 1u);
  server_.stream().WantRead(true);
  // Reading makes room at once; a latency later it is known.
  EXPECT_EQ(TimeUntil([&] { return client_.unsent.empty(); }), kLatency);
}

TEST_F(SimulatedNetworkTest, SendsAgainWhatWasLost) {
  ConnectBoth();
  SimulatedLink link = WithLatency(kLatency);
  link.loss = 1;
  network_.SetLink("client", "server", link);
  client_.Send("x");
  loop_.RunFor(absl::Milliseconds(1));
  link.loss = 0;
  network_.SetLink("client", "server", link);
  EXPECT_EQ(TimeUntil([&] { return server_.received == "x"; }),
            absl::Milliseconds(200) + 3 * kLatency - absl::Milliseconds(1));
  EXPECT_EQ(network_.stats("client", "server").lost, 1u);
  EXPECT_EQ(network_.stats("client", "server").segments, 2u);
}

TEST_F(SimulatedNetworkTest, KeepsTheOrderOverLossAndJitter) {
  ConnectBoth();
  SimulatedLink link = WithLatency(kLatency);
  link.loss = 0.2;
  link.jitter = absl::Milliseconds(50);
  network_.SetLink("client", "server", link);
  std::string text;
  for (int i = 0; i < 50'000; ++i) absl::StrAppend(&text, i, ",");
  client_.Send(text);
  ASSERT_TRUE(Until([&] { return server_.received.size() == text.size(); }));
  EXPECT_TRUE(server_.received == text);
  const SimulatedLinkStats stats = network_.stats("client", "server");
  EXPECT_NEAR(static_cast<double>(stats.lost), 0.2 * stats.segments,
              0.06 * stats.segments);
}

TEST_F(SimulatedNetworkTest, GivesUpAConnectThroughACut) {
  Listen();
  network_.SetCut("client", "server", true);
  Connect(client_, absl::Seconds(5));
  EXPECT_EQ(TimeUntil([&] { return client_.connects > 0; }), absl::Seconds(5));
  EXPECT_EQ(client_.connected.code(), absl::StatusCode::kDeadlineExceeded);
  StreamEnd patient;
  Connect(patient);
  // 1 + 2 + 4 + ... + 64
  EXPECT_EQ(TimeUntil([&] { return patient.connects > 0; }),
            absl::Seconds(127));
  EXPECT_EQ(patient.connected.code(), absl::StatusCode::kUnavailable);
  StreamEnd lucky;
  Connect(lucky);
  loop_.RunFor(absl::Seconds(2));
  network_.SetCut("client", "server", false);
  EXPECT_EQ(TimeUntil([&] { return lucky.connects > 0; }),
            absl::Seconds(1) + 2 * kLatency);
  EXPECT_TRUE(lucky.connected.ok());
}

TEST_F(SimulatedNetworkTest, GoesOnWhenACutHeals) {
  ConnectBoth();
  client_.Send("on its way");
  loop_.RunFor(kLatency / 2);
  network_.SetIsolated("server", true);
  loop_.RunFor(absl::Minutes(3));
  EXPECT_EQ(server_.received, "");
  network_.SetIsolated("server", false);
  EXPECT_LE(TimeUntil([&] { return server_.received == "on its way"; }),
            absl::Minutes(2) + kLatency);
  EXPECT_FALSE(client_.ended);
}

TEST_F(SimulatedNetworkTest, FailsAConnectionThatStaysCut) {
  ConnectBoth();
  network_.SetIsolated("server", true);
  client_.Send("x");
  EXPECT_EQ(TimeUntil([&] { return client_.ended; }), absl::Minutes(15));
  EXPECT_THAT(std::string(client_.stream().error().message()),
              HasSubstr("timed out"));
  loop_.RunFor(absl::Hours(24));
  EXPECT_FALSE(server_.ended);  // it sent nothing, and was sent nothing
}

TEST_F(SimulatedNetworkTest, LosesResetsInACut) {
  ConnectBoth();
  network_.SetCut("client", "server", true);
  server_.stream().Reset();
  loop_.RunFor(absl::Hours(1));
  EXPECT_FALSE(client_.ended);
  network_.SetCut("client", "server", false);
  client_.Send("x");  // is answered by one
  EXPECT_EQ(TimeUntil([&] { return client_.ended; }), 2 * kLatency);
}

TEST_F(SimulatedNetworkTest, ResetsOnDemand) {
  ConnectBoth();
  EXPECT_EQ(network_.ResetConnections("client", "other"), 0u);
  EXPECT_EQ(network_.ResetConnections("server", "client"), 1u);
  EXPECT_EQ(TimeUntil([&] { return client_.ended && server_.ended; }),
            absl::ZeroDuration());
  StreamEnd another;
  Connect(another);
  EXPECT_EQ(network_.ResetConnections("server"), 2u);
  ASSERT_TRUE(Until([&] { return another.connects > 0; }));
  EXPECT_EQ(another.connected.code(), absl::StatusCode::kUnavailable);
}

TEST_F(SimulatedNetworkTest, ResetsByChance) {
  Listen();
  SimulatedLink link = WithLatency(kLatency);
  link.reset = 0.5;
  network_.SetLink("client", "server", link);
  int resets = 0;
  for (int i = 0; i < 200; ++i) {
    StreamEnd client;
    Connect(client);
    client.Send("x");
    loop_.RunFor(5 * kLatency);
    resets += client.ended ? 1 : 0;
    EXPECT_EQ(client.ended, server_.received != "x");
    EXPECT_EQ(client.ended, server_.ended);
    client.Drop();
    server_ = StreamEnd();
  }
  EXPECT_NEAR(resets, 100, 30);
}

TEST_F(SimulatedNetworkTest, KillsAnEndpoint) {
  ConnectBoth();
  network_.Kill("server");
  EXPECT_EQ(TimeUntil([&] { return client_.ended; }), kLatency);
  EXPECT_EQ(client_.end, IoResult::Code::kFailed);
  EXPECT_TRUE(server_.ended);
  StreamEnd late;
  Connect(late);
  ASSERT_TRUE(Until([&] { return late.connects > 0; }));
  EXPECT_FALSE(late.connected.ok());
  auto dead = std::move(listener_);
  Listen();
  dead.reset();  // takes nothing away from the new one
  StreamEnd again;
  Connect(again);
  ASSERT_TRUE(Until([&] { return again.connects > 0; }));
  EXPECT_TRUE(again.connected.ok());
}

TEST_F(SimulatedNetworkTest, KillsWhatIsNotAcceptedYet) {
  Listen();
  Connect(client_);
  loop_.RunFor(2 * kLatency);
  EXPECT_TRUE(client_.connected.ok());
  network_.Kill("server");
  EXPECT_EQ(TimeUntil([&] { return client_.ended; }), 2 * kLatency);
  EXPECT_FALSE(accepted_at_.has_value());
}

TEST_F(SimulatedNetworkTest, TellsEndpointsApart) {
  Listen();
  network_.SetLink("far", "server", WithLatency(absl::Seconds(1)));
  network_.SetCut("nowhere", "server", true);
  StreamEnd far;
  far.Take(network_.At("far").Connect(kServer, absl::Hours(1), &far));
  EXPECT_EQ(far.stream().LocalAddress().substr(0, 4), "far:");
  StreamEnd nowhere;
  nowhere.Take(
      network_.At("nowhere").Connect(kServer, absl::Hours(1), &nowhere));
  Connect(client_);
  EXPECT_EQ(TimeUntil([&] { return client_.connects > 0; }), 2 * kLatency);
  EXPECT_EQ(TimeUntil([&] { return far.connects > 0; }),
            absl::Seconds(2) - 2 * kLatency);
  EXPECT_EQ(nowhere.connects, 0);
}

TEST_F(SimulatedNetworkTest, ForgetsConnections) {
  ConnectBoth();
  client_.Send("unread");
  loop_.RunFor(kLatency);
  EXPECT_EQ(network_.connections(), 1u);
  client_.Drop();
  EXPECT_TRUE(loop_.RunUntilIdle(loop_.Now() + absl::Hours(1)));
  EXPECT_EQ(network_.connections(), 1u);
  server_.Drop();
  EXPECT_TRUE(loop_.RunUntilIdle(loop_.Now() + absl::Hours(1)));
  EXPECT_EQ(network_.connections(), 0u);
}

TEST(SimulatedNetwork, HasNoMoreConnectionsThanItMay) {
  FakeClock clock;
  SimulatedLoop loop(&clock);
  SimulatedNetworkOptions options;
  options.max_connections = 1;
  SimulatedNetwork network(&loop, options);
  StreamEnd first;
  first.Take(network.Connect("a", absl::Seconds(1), &first));
  StreamEnd second;
  second.Take(network.Connect("a", absl::Seconds(1), &second));
  loop.RunUntilIdle(absl::InfiniteFuture());
  EXPECT_EQ(first.connected.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(second.connected.code(), absl::StatusCode::kResourceExhausted);
}

TEST(SimulatedNetwork, MayGoBeforeItsStreams) {
  FakeClock clock;
  SimulatedLoop loop(&clock);
  StreamEnd client;
  {
    SimulatedNetwork network(&loop);
    client.Take(network.Connect("a:1", absl::Seconds(1), &client));
  }
  loop.RunUntilIdle(absl::InfiniteFuture());
  EXPECT_EQ(client.connects, 1);
}

// A text of all that happened, with its times.
std::string RunOf(uint64_t seed) {
  FakeClock clock;
  SimulatedLoop loop(&clock);
  SimulatedNetworkOptions options;
  options.seed = seed;
  SimulatedNetwork network(&loop, options);
  SimulatedLink link = WithLatency(kLatency);
  link.jitter = kLatency;
  link.loss = 0.1;
  link.reset = 0.02;
  network.SetDefaultLink(link);
  std::vector<std::unique_ptr<StreamEnd>> ends;
  std::string log;
  const absl::Time start = loop.Now();
  const auto note = [&](std::string_view what) {
    absl::StrAppend(&log, std::string(what), "@",
                    absl::ToInt64Nanoseconds(loop.Now() - start), " ");
  };
  auto listener = network.Listen("s:1", [&](auto stream) {
    ends.push_back(std::make_unique<StreamEnd>());
    StreamEnd* const end = ends.back().get();
    end->on_readable = [&note, end] {
      note(std::to_string(end->received.size()));
    };
    end->Take(std::move(stream));
    end->stream().WantRead(true);
  });
  for (int i = 0; i < 20; ++i) {
    ends.push_back(std::make_unique<StreamEnd>());
    StreamEnd* const end = ends.back().get();
    end->Take(network.Connect("s:1", absl::Seconds(1), end));
    end->Send(std::string(10'000, 'x'));
  }
  EXPECT_TRUE(loop.RunUntilIdle(loop.Now() + absl::Hours(1)));
  return log;
}

TEST(SimulatedNetwork, RepeatsARunFromItsSeed) {
  const std::string one = RunOf(1);
  EXPECT_GT(one.size(), 300u);
  EXPECT_EQ(one, RunOf(1));
  EXPECT_NE(one, RunOf(2));
}

TEST(SimulatedLoop, RunsInTheOrderOfVirtualTime) {
  FakeClock clock;
  SimulatedLoop loop(&clock);
  const absl::Time start = loop.Now();
  std::vector<int> ran;
  loop.RunAt(start + absl::Hours(2), [&] { ran.push_back(3); });
  loop.RunAt(start + absl::Hours(1), [&] {
    ran.push_back(2);
    loop.Post([&] { ran.push_back(20); });
  });
  loop.Post([&] { ran.push_back(1); });
  EXPECT_TRUE(loop.RunFor(absl::Minutes(90)));
  EXPECT_THAT(ran, ElementsAre(1, 2, 20));
  EXPECT_EQ(loop.Now(), start + absl::Minutes(90));
  EXPECT_FALSE(loop.RunUntilIdle(start + absl::Minutes(100)));
  EXPECT_TRUE(loop.RunUntilIdle(start + absl::Hours(3)));
  EXPECT_THAT(ran, ElementsAre(1, 2, 20, 3));
  EXPECT_EQ(loop.Now(), start + absl::Hours(2));
  EXPECT_FALSE(loop.RunUntil([] { return false; }, start + absl::Hours(3)));
}

TEST(SimulatedLoop, RunsTimersOfPartsOfANanosecond) {
  FakeClock clock;
  SimulatedLoop loop(&clock);
  bool ran = false;
  loop.RunAt(loop.Now() + absl::Nanoseconds(1) / 2, [&] { ran = true; });
  EXPECT_TRUE(loop.RunUntilIdle(absl::InfiniteFuture()));
  EXPECT_TRUE(ran);
}

TEST(SimulatedLoop, GivesUpOnWhatKeepsItselfBusy) {
  FakeClock clock;
  SimulatedLoop loop(&clock);
  loop.set_max_steps(1000);
  std::function<void()> again = [&] { loop.Post(again); };
  loop.Post(again);
  EXPECT_FALSE(loop.RunFor(absl::Seconds(1)));
  EXPECT_FALSE(loop.RunUntilIdle(absl::InfiniteFuture()));
  EXPECT_FALSE(loop.RunUntil([] { return false; }, absl::InfiniteFuture()));
}

TEST(SimulatedLoop, WatchesNoDescriptors) {
  FakeClock clock;
  SimulatedLoop loop(&clock);
  EXPECT_EQ(loop.WatchFd(0, {}, [](event::Interest) {}).status().code(),
            absl::StatusCode::kUnimplemented);
}

}  // namespace
}  // namespace meshlib::testing
