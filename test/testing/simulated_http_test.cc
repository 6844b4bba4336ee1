// The HTTP server and the clients' pools, over a simulated network: all in one
// thread, on virtual time.

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/random.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "meshlib/testing/fake_clock.h"
#include "net/client_exchange.h"
#include "net/host_pool.h"
#include "net/http_server.h"
#include "test/net/server_harness.h"
#include "testing/simulated_loop.h"
#include "testing/simulated_network.h"

namespace meshlib::testing {
namespace {

using net::ClientExchange;
using net::ExchangeFailure;
using net::HttpProtocol;
using ::testing::TestWithParam;

constexpr absl::Duration kLatency = absl::Milliseconds(10);
constexpr char kAddress[] = "server:80";

class Breakers final : public net::PoolBreakers {
 public:
  explicit Breakers(size_t max_connections = SIZE_MAX)
      : max_connections_(max_connections) {}
  bool TryConnect(bool force) override {
    if (!force && connections >= max_connections_) return false;
    ++connections;
    return true;
  }
  void Disconnected() override { --connections; }
  bool TryWait() override {
    ++waiting;
    return true;
  }
  void StoppedWaiting() override { --waiting; }
  uint32_t max_connections_per_host() const override { return per_host; }

  uint32_t per_host = UINT32_MAX;
  size_t connections = 0;
  size_t waiting = 0;

 private:
  const size_t max_connections_;
};

// One request, and when its sink was told of its end (or its caller was).
struct Request {
  explicit Request(std::string_view the_path, std::string the_body = "")
      : path(the_path), body(std::move(the_body)) {}

  std::string path;
  std::string body;
  std::shared_ptr<ClientExchange> exchange;
  bool over() const {
    return (exchange->events() & ClientExchange::kOver) != 0;
  }
  bool succeeded() const {
    return (exchange->events() & ClientExchange::kComplete) != 0 &&
           exchange->status() == 200;
  }
  std::optional<absl::Time> ended_at;
};

// Notes when the exchange of a request ends.
class EndSink final : public net::ExchangeSink {
 public:
  EndSink(Request* request, SimulatedLoop* loop)
      : request_(request), loop_(loop) {}
  void OnExchange(ClientExchange& exchange) override {
    if ((exchange.events() & ClientExchange::kOver) == 0) return;
    if (request_->ended_at.has_value()) return;
    request_->ended_at = loop_->Now();
  }

 private:
  Request* const request_;
  SimulatedLoop* const loop_;
};

model::Host::Identity TheServer() {
  model::Host::Identity identity;
  identity.address = kAddress;
  identity.locality = std::make_shared<const model::Locality>();
  return identity;
}

// A process with one pool to the server.
class Client {
 public:
  Client(SimulatedLoop* loop, event::Network* network, HttpProtocol protocol,
         const net::UpstreamOptions& options = {},
         size_t max_connections = SIZE_MAX)
      : loop_(loop),
        host_(0, TheServer(), std::make_shared<model::HostState>()),
        breakers_(std::make_shared<Breakers>(max_connections)) {
    ios_.push_back(std::make_unique<net::ClientIo>(loop, network));
    auto own = std::make_shared<net::UpstreamOptions>(options);
    own->protocol = protocol;
    options_ = std::move(own);
    pool_ = std::make_unique<net::HostPool>(ios_, breakers_);
  }
  ~Client() { ios_[0]->Shutdown(); }

  Request& Start(std::string_view path, std::string body = "",
                 std::string_view server_name = "") {
    requests_.push_back(std::make_unique<Request>(path, std::move(body)));
    Request& request = *requests_.back();
    net::WireRequest wire;
    wire.method = request.body.empty() ? "GET" : "POST";
    wire.scheme = "http";
    wire.authority = "server";
    wire.path = request.path;
    wire.body = request.body;
    ClientExchange::Options options;
    options.sink = std::make_shared<EndSink>(&request, loop_);
    request.exchange = std::make_shared<ClientExchange>(wire, options);
    pool_->Start(0, host_, options_, request.exchange, server_name);
    if (request.over()) request.ended_at = loop_->Now();
    return request;
  }
  void DropPool() { pool_.reset(); }
  net::HostPool& pool() { return *pool_; }
  void DropBreakers() { breakers_.reset(); }

  const std::vector<std::unique_ptr<Request>>& requests() const {
    return requests_;
  }
  Breakers& breakers() const { return *breakers_; }
  const std::shared_ptr<Breakers>& shared_breakers() const { return breakers_; }

 private:
  SimulatedLoop* const loop_;
  const model::Host host_;
  std::shared_ptr<Breakers> breakers_;
  std::vector<std::unique_ptr<net::ClientIo>> ios_;
  std::shared_ptr<const net::UpstreamOptions> options_;
  // Before the pool, whose connections may still know of them.
  std::vector<std::unique_ptr<Request>> requests_;
  std::unique_ptr<net::HostPool> pool_;
};

class SimulatedHttp : public TestWithParam<HttpProtocol>,
                      public net::ServerHandlerFactory {
 protected:
  explicit SimulatedHttp(uint64_t seed = 1) : network_(&loop_, Seeded(seed)) {
    link_.latency = kLatency;
    network_.SetDefaultLink(link_);
    Serve();
  }
  static SimulatedNetworkOptions Seeded(uint64_t seed) {
    SimulatedNetworkOptions options;
    options.seed = seed;
    return options;
  }
  std::unique_ptr<net::ServerHandler> NewRequest(net::ServerStream&) override {
    log_.requests.emplace_back();
    return std::make_unique<net::LoggingHandler>(log_,
                                                 log_.requests.size() - 1);
  }
  void Serve() {
    server_ =
        std::make_unique<net::HttpServer>(&loop_, net::ServerOptions(), this);
    const auto address = server_->Listen(network_, kAddress);
    ASSERT_TRUE(address.ok()) << address.status();
  }
  bool Until(const std::function<bool()>& done) {
    return loop_.RunUntil(done, loop_.Now() + absl::Hours(1));
  }

  FakeClock clock_;
  SimulatedLoop loop_{&clock_};
  SimulatedNetwork network_;
  SimulatedLink link_;
  net::ServerLog log_;
  net::ServerOptions server_options_;
  std::unique_ptr<net::HttpServer> server_;
};

INSTANTIATE_TEST_SUITE_P(Protocols, SimulatedHttp,
                         ::testing::Values(HttpProtocol::kHttp1,
                                           HttpProtocol::kHttp2),
                         [](const auto& info) {
                           return info.param == HttpProtocol::kHttp1
                                      ? std::string("Http1")
                                      : std::string("Http2");
                         });

TEST_P(SimulatedHttp, TakesOneRoundTripMoreForTheFirstRequest) {
  Client client(&loop_, &network_, GetParam());
  const absl::Time start = loop_.Now();
  Request& first = client.Start("/ok");
  ASSERT_TRUE(Until([&] { return first.over(); }));
  EXPECT_TRUE(first.succeeded());
  EXPECT_EQ(first.ended_at, start + 4 * kLatency);
  const absl::Time then = loop_.Now();
  Request& second = client.Start("/ok");
  ASSERT_TRUE(Until([&] { return second.over(); }));
  EXPECT_EQ(second.ended_at, then + 2 * kLatency);
  EXPECT_EQ(server_->stats().connections, 1u);
}

TEST_P(SimulatedHttp, ServesTenThousandClients) {
  constexpr size_t kClients = 10'000;
  std::vector<std::unique_ptr<Client>> clients;
  const absl::Time start = loop_.Now();
  for (size_t i = 0; i < kClients; ++i) {
    clients.push_back(std::make_unique<Client>(
        &loop_, &network_.At(absl::StrCat("client-", i)), GetParam()));
    clients.back()->Start("/ok");
  }
  loop_.RunUntil(start + 4 * kLatency);
  size_t right = 0;
  for (const auto& client : clients) {
    const Request& request = *client->requests()[0];
    if (request.succeeded() && request.ended_at == start + 4 * kLatency) {
      ++right;
    }
  }
  EXPECT_EQ(right, kClients);
  EXPECT_EQ(server_->stats().open_connections, kClients);
  EXPECT_EQ(log_.requests.size(), kClients);

  for (const auto& client : clients) client->Start("/ok");
  loop_.RunFor(2 * kLatency);
  EXPECT_EQ(server_->stats().connections, kClients);
  EXPECT_EQ(server_->stats().responses, 2 * kClients);
  // Their pools go, and with them the connections.
  for (const auto& client : clients) client->DropPool();
  loop_.RunFor(absl::Minutes(1));
  EXPECT_EQ(server_->stats().open_connections, 0u);
  EXPECT_EQ(network_.connections(), 0u);
}

TEST_P(SimulatedHttp, GoesOnWhenAPartitionHeals) {
  Client client(&loop_, &network_, GetParam());
  Request& before = client.Start("/ok");
  ASSERT_TRUE(Until([&] { return before.over(); }));
  network_.SetCut("client", "server", true);
  Request& during = client.Start("/ok");
  loop_.RunFor(absl::Seconds(30));
  EXPECT_FALSE(during.over());
  network_.SetCut("client", "server", false);
  ASSERT_TRUE(Until([&] { return during.over(); }));
  EXPECT_TRUE(during.succeeded());
  EXPECT_EQ(server_->stats().connections, 1u);
}

TEST_P(SimulatedHttp, FailsWhatCannotConnectInTime) {
  network_.SetIsolated("server", true);
  Client client(&loop_, &network_, GetParam());
  const absl::Time start = loop_.Now();
  Request& request = client.Start("/ok");
  ASSERT_TRUE(Until([&] { return request.over(); }));
  EXPECT_EQ(request.ended_at, start + absl::Seconds(5));
  EXPECT_EQ(request.exchange->failure(), ExchangeFailure::kConnectTimeout);
  EXPECT_FALSE(request.exchange->request_sent());
  EXPECT_EQ(client.breakers().connections, 0u);
  network_.SetIsolated("server", false);
  Request& again = client.Start("/ok");
  ASSERT_TRUE(Until([&] { return again.over(); }));
  EXPECT_TRUE(again.succeeded());
}

TEST_P(SimulatedHttp, FailsWhatRunsWhenTheServerIsKilled) {
  Client client(&loop_, &network_, GetParam());
  Request& before = client.Start("/ok");
  ASSERT_TRUE(Until([&] { return before.over(); }));
  Request& running = client.Start("/hold", "x");
  loop_.RunFor(2 * kLatency);
  EXPECT_FALSE(running.over());
  const absl::Time killed = loop_.Now();
  network_.Kill("server");
  ASSERT_TRUE(Until([&] { return running.over(); }));
  EXPECT_EQ(running.ended_at, killed + kLatency);
  EXPECT_EQ(running.exchange->failure(), ExchangeFailure::kConnectionLost);
  EXPECT_TRUE(running.exchange->request_sent());
  Request& refused = client.Start("/ok");
  ASSERT_TRUE(Until([&] { return refused.over(); }));
  EXPECT_EQ(refused.exchange->failure(), ExchangeFailure::kConnectFailure);
  server_.reset();
  Serve();
  Request& again = client.Start("/ok");
  ASSERT_TRUE(Until([&] { return again.over(); }));
  EXPECT_TRUE(again.succeeded());
}

TEST_P(SimulatedHttp, ConnectsAgainWhereALimitLeavesRoomAgain) {
  net::UpstreamOptions options;
  options.max_concurrent_streams = 1;
  Client client(&loop_, &network_, GetParam(), options, 2);
  Request& first = client.Start("/hold", "x");
  client.Start("/hold", "x");
  Request& third = client.Start("/ok");
  loop_.RunFor(absl::Seconds(1));
  EXPECT_EQ(server_->stats().open_requests, 2u);
  EXPECT_EQ(client.breakers().connections, 2u);
  EXPECT_FALSE(third.over());
  const absl::Time cancelled = loop_.Now();
  first.exchange->Cancel();
  ASSERT_TRUE(Until([&] { return third.over(); }));
  EXPECT_TRUE(third.succeeded());
  // HTTP/1.1 has to close the connection of what was cancelled.
  const int latencies = GetParam() == HttpProtocol::kHttp1 ? 4 : 3;
  EXPECT_LE(*third.ended_at, cancelled + latencies * kLatency);
}

TEST_P(SimulatedHttp, MakesNoMoreConnectionsThanAHostMayHave) {
  net::UpstreamOptions options;
  options.max_concurrent_streams = 1;
  Client client(&loop_, &network_, GetParam(), options);
  client.breakers().per_host = 2;
  Request& first = client.Start("/hold", "x");
  client.Start("/hold", "x");
  Request& third = client.Start("/ok");
  loop_.RunFor(absl::Seconds(1));
  EXPECT_EQ(client.breakers().connections, 2u);
  EXPECT_EQ(client.breakers().waiting, 1u);
  EXPECT_FALSE(third.over());
  first.exchange->Cancel();
  ASSERT_TRUE(Until([&] { return third.over(); }));
  EXPECT_TRUE(third.succeeded());
  // Each gave back what it had taken.
  EXPECT_LE(client.breakers().connections, 2u);
}

TEST_P(SimulatedHttp, DrainsConnectionsThatAreTooOld) {
  net::UpstreamOptions options;
  options.max_connection_duration = absl::Seconds(10);
  Client client(&loop_, &network_, GetParam(), options);
  Request& first = client.Start("/ok");
  ASSERT_TRUE(Until([&] { return first.over(); }));
  loop_.RunFor(absl::Seconds(9));
  Request& held = client.Start("/hold", "x");
  loop_.RunFor(absl::Seconds(5));
  // What began before goes on, what comes after gets another connection.
  EXPECT_FALSE(held.over());
  Request& later = client.Start("/ok");
  ASSERT_TRUE(Until([&] { return later.over(); }));
  EXPECT_TRUE(later.succeeded());
  EXPECT_EQ(server_->stats().connections, 2u);
  held.exchange->Cancel();
  loop_.RunFor(absl::Seconds(1));
  EXPECT_EQ(client.breakers().connections, 1u);
  loop_.RunFor(absl::Minutes(1));
  EXPECT_EQ(client.breakers().connections, 0u);
  EXPECT_EQ(server_->stats().open_connections, 0u);
}

TEST_P(SimulatedHttp, SharesConnectionsUnderOneServerNameOnly) {
  Client client(&loop_, &network_, GetParam());
  for (const char* const name : {"a", "b", "a", "", "b"}) {
    Request& request = client.Start("/ok", "", name);
    ASSERT_TRUE(Until([&] { return request.over(); }));
    EXPECT_TRUE(request.succeeded());
  }
  EXPECT_EQ(server_->stats().connections, 3u);
  client.DropPool();
  loop_.RunFor(absl::Minutes(1));
  EXPECT_EQ(server_->stats().open_connections, 0u);
}

TEST_P(SimulatedHttp, ForgetsServerNamesThatAreNotInUse) {
  net::UpstreamOptions options;
  options.idle_timeout = absl::Seconds(1);
  Client client(&loop_, &network_, GetParam(), options);
  for (int i = 0; i < 1000; ++i) {
    Request& request = client.Start("/ok", "", absl::StrCat("name-", i));
    ASSERT_TRUE(Until([&] { return request.over(); }));
    loop_.RunFor(absl::Seconds(2));
  }
  EXPECT_LE(client.pool().server_names(), 64u);
}

TEST_P(SimulatedHttp, KeepsNothingOfAHostThatWentWhileItWasConnectedTo) {
  network_.SetIsolated("server", true);
  std::weak_ptr<Breakers> breakers;
  Client client(&loop_, &network_, GetParam());
  breakers = client.shared_breakers();
  Request& request = client.Start("/ok");
  loop_.RunFor(kLatency);
  client.DropPool();
  loop_.RunFor(kLatency);
  EXPECT_EQ(request.exchange->failure(), ExchangeFailure::kConnectFailure);
  loop_.RunFor(absl::Seconds(5));
  EXPECT_EQ(client.breakers().connections, 0u);
  client.DropBreakers();
  EXPECT_TRUE(breakers.expired());
}

TEST_P(SimulatedHttp, CarriesBodiesOverALossyLink) {
  link_.loss = 0.05;
  link_.jitter = kLatency;
  link_.bytes_per_second = 1e7;
  network_.SetDefaultLink(link_);
  Client client(&loop_, &network_, GetParam());
  std::string body;
  for (int i = 0; i < 10'000; ++i) absl::StrAppend(&body, i, ",");
  Request& echoed = client.Start("/echo", body);
  Request& big = client.Start("/big");
  ASSERT_TRUE(Until([&] { return echoed.over() && big.over(); }));
  ASSERT_TRUE(echoed.succeeded());
  ASSERT_TRUE(big.succeeded());
  std::string received;
  echoed.exchange->TakeBody(received);
  EXPECT_TRUE(received == body);
  received.clear();
  big.exchange->TakeBody(received);
  EXPECT_EQ(received.size(), 30'000'000u);
  EXPECT_GT(network_.stats().lost, 50u);
}

TEST(SimulatedHttpKeepalive, FindsAPartitionWithoutWritingRequests) {
  FakeClock clock;
  SimulatedLoop loop(&clock);
  SimulatedNetwork network(&loop);
  net::ServerLog log;
  struct Factory final : net::ServerHandlerFactory {
    std::unique_ptr<net::ServerHandler> NewRequest(
        net::ServerStream&) override {
      log->requests.emplace_back();
      return std::make_unique<net::LoggingHandler>(*log,
                                                   log->requests.size() - 1);
    }
    net::ServerLog* log;
  } factory;
  factory.log = &log;
  net::HttpServer server(&loop, net::ServerOptions(), &factory);
  ASSERT_TRUE(server.Listen(network, kAddress).ok());
  net::UpstreamOptions options;
  options.http2.keepalive_interval = absl::Seconds(10);
  options.http2.keepalive_timeout = absl::Seconds(3);
  Client client(&loop, &network, HttpProtocol::kHttp2, options);
  Request& held = client.Start("/hold", "x");
  loop.RunFor(absl::Minutes(1));
  EXPECT_FALSE(held.over());
  network.SetIsolated("server", true);
  const absl::Time cut = loop.Now();
  ASSERT_TRUE(
      loop.RunUntil([&] { return held.over(); }, loop.Now() + absl::Hours(1)));
  EXPECT_EQ(held.exchange->failure(), ExchangeFailure::kConnectionLost);
  EXPECT_LE(*held.ended_at - cut, absl::Seconds(13));
}

// --- Storms ---

// One run with resets by chance, on demand and of whole processes, requests
// that are cancelled, and few connections.
class Storm : public SimulatedHttp {
 public:
  Storm(uint64_t seed, HttpProtocol protocol)
      : SimulatedHttp(seed), random_(seed) {
    link_.jitter = kLatency;
    link_.reset = 0.001;
    network_.SetDefaultLink(link_);
    net::UpstreamOptions options;
    options.max_concurrent_streams = 3;
    options.max_requests_per_connection = seed % 3 == 0 ? 5 : 0;
    options.idle_timeout = absl::Seconds(20);
    // For cuts, which HTTP/1.1 would not notice.
    http2_ = protocol == HttpProtocol::kHttp2;
    options.http2.keepalive_interval = absl::Seconds(1);
    server_options_.idle_timeout = absl::Seconds(30);
    server_options_.http2.keepalive_interval = absl::Seconds(10);
    server_.reset();
    Serve();
    client_ = std::make_unique<Client>(&loop_, &network_, protocol, options, 4);
  }
  void TestBody() override {}

  void Run() {
    const absl::Time start = loop_.Now();
    for (int i = 0; i < 300; ++i) {
      loop_.RunAt(start + i * absl::Milliseconds(3), [this] { StartOne(); });
    }
    for (int i = 1; i < 20; ++i) {
      loop_.RunAt(start + i * absl::Milliseconds(47), [this, i] { Strike(i); });
    }
    EXPECT_TRUE(loop_.RunUntil(start + absl::Seconds(5)));
    link_.reset = 0;
    network_.SetDefaultLink(link_);
    EXPECT_TRUE(loop_.RunUntil(start + absl::Minutes(2)));
    Check();
  }

 private:
  void StartOne() {
    static const char* const kPaths[] = {"/ok",    "/big",   "/echo", "/reset",
                                         "/short", "/early", "/ok/2"};
    const uint64_t draw = random_.Next();
    std::string body;
    if (draw % 7 == 2 || draw % 7 == 5) body.assign(draw % 300'000, 'e');
    Request& request = client_->Start(kPaths[draw % 7], std::move(body));
    if (draw % 5 != 0) return;
    cancelled_.insert(&request);
    loop_.RunAt(
        loop_.Now() + absl::Milliseconds(static_cast<int64_t>(draw % 100)),
        [&request] { request.exchange->Cancel(); });
  }
  void Strike(int i) {
    if (i % 3 == 0) network_.ResetConnections("client", "server");
    if (i % 10 == 5) {
      network_.Kill("server");
      server_.reset();
    }
    if (i % 10 == 6) Serve();
    if (http2_ && i % 9 == 2) network_.SetCut("client", "server", true);
    if (http2_ && i % 9 == 3) network_.SetCut("client", "server", false);
  }
  void Check() {
    size_t successes = 0;
    size_t failures = 0;
    for (const auto& request : client_->requests()) {
      EXPECT_TRUE(request->over()) << request->path;
      if (cancelled_.count(request.get()) != 0) continue;
      EXPECT_TRUE(request->ended_at.has_value()) << request->path;
      (request->succeeded() ? successes : failures) += 1;
    }
    EXPECT_GT(successes, 10u);
    EXPECT_GT(failures, 10u);
    EXPECT_EQ(client_->breakers().waiting, 0u);
    EXPECT_EQ(client_->breakers().connections, 0u);  // idle for too long
    EXPECT_EQ(log_.open, 0);
    EXPECT_EQ(server_->stats().open_connections, 0u);
    EXPECT_EQ(network_.connections(), 0u);
  }

  base::Random random_;
  bool http2_ = false;
  std::set<const Request*> cancelled_;
  std::unique_ptr<Client> client_;
};

TEST(SimulatedHttpStorm, LeavesNoExchangeWithoutAnEnd) {
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    for (const HttpProtocol protocol :
         {HttpProtocol::kHttp1, HttpProtocol::kHttp2}) {
      SCOPED_TRACE(absl::StrCat("seed ", seed, " protocol ",
                                static_cast<int>(protocol)));
      Storm(seed, protocol).Run();
      if (::testing::Test::HasFailure()) return;
    }
  }
}

}  // namespace
}  // namespace meshlib::testing
