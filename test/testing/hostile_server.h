#ifndef MESHLIB_TEST_TESTING_HOSTILE_SERVER_H_
#define MESHLIB_TEST_TESTING_HOSTILE_SERVER_H_

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "meshlib/testing/fake_clock.h"
#include "net/client_exchange.h"
#include "net/host_pool.h"
#include "net/http_server.h"
#include "test/net/http2_frames.h"
#include "test/net/server_harness.h"
#include "testing/simulated_loop.h"
#include "testing/simulated_network.h"

namespace meshlib::testing {

using net::ClientExchange;
using net::ClientIo;
using net::ExchangeFailure;
using net::HostPool;
using net::HttpProtocol;
using net::UpstreamCounter;

inline constexpr char kAddress[] = "server:80";
// What a flood may get across: our windows and limits, what may be on its way
// when a stream is reset, and what the simulated network holds.
inline constexpr uint64_t kMostSent = 1'500'000;
inline constexpr size_t kMaxBody = 200'000;

// What the server does, in this order.
struct Script {
  std::string at_once = {};  // when it accepts
  std::string answer = {};   // when the request is there
  std::string flood = {};    // over and over, after the answer
  enum class End : uint8_t { kStay, kEnd, kReset } end = End::kStay;
};

class HostilePeer final : public event::StreamHandler {
 public:
  HostilePeer(std::unique_ptr<event::Stream> stream, const Script& script)
      : script_(script), stream_(std::move(stream)), unsent_(script.at_once) {
    stream_->SetHandler(this);
    stream_->WantRead(true);
    stream_->WantWrite(true);
  }

  void OnConnect(absl::Status) override {}
  void OnReadable() override {
    char buffer[10'000];
    const event::IoResult result = stream_->Read(absl::MakeSpan(buffer));
    received_.append(buffer, result.bytes);
    if (result.code == event::IoResult::Code::kEnded ||
        result.code == event::IoResult::Code::kFailed) {
      over = true;
      stream_->WantRead(false);
      return;
    }
    if (answered_ || !HasRequest()) return;
    answered_ = true;
    unsent_ += script_.answer;
    stream_->WantWrite(true);
  }
  void OnWritable() override {
    if (over) return stream_->WantWrite(false);
    if (unsent_.empty() && answered_ && !script_.flood.empty()) {
      unsent_ = net::Repeat(script_.flood, 1 + 20'000 / script_.flood.size());
    }
    if (!unsent_.empty()) {
      const std::string_view piece = unsent_;
      unsent_.erase(0, stream_->Write({&piece, 1}).bytes);
      return;
    }
    stream_->WantWrite(false);
    if (!answered_) return;
    if (script_.end == Script::End::kEnd) stream_->CloseWrite();
    if (script_.end == Script::End::kReset) stream_->Reset();
  }
  void Say(std::string_view text) {
    unsent_ += text;
    stream_->WantWrite(true);
  }

  bool over = false;

 private:
  bool HasRequest() const {
    const std::string_view bytes = received_;
    if (bytes.substr(0, 3) != "PRI") {
      return bytes.find("\r\n\r\n") != std::string_view::npos;
    }
    size_t at = sizeof(net::kPreface) - 1;
    while (at + 9 <= bytes.size()) {
      if (bytes[at + 3] == net::kHeaders) return true;
      at += 9 + static_cast<unsigned char>(bytes[at + 2]) +
            (size_t{static_cast<unsigned char>(bytes[at + 1])} << 8);
    }
    return false;
  }

  const Script script_;
  std::unique_ptr<event::Stream> stream_;
  std::string unsent_;
  std::string received_;
  bool answered_ = false;
};

class FreeBreakers final : public net::PoolBreakers {
 public:
  bool TryConnect(bool) override { return ++connections, true; }
  void Disconnected() override { --connections; }
  bool TryWait() override { return true; }
  void StoppedWaiting() override {}

  int connections = 0;
};

class Told final : public net::ExchangeSink {
 public:
  void OnExchange(ClientExchange&) override {}
};

// One pool to a server whose first connection is in bad hands.
class HostileServer : public ::testing::Test, public net::ServerHandlerFactory {
 protected:
  HostileServer() {
    SimulatedLink link;
    link.latency = absl::Milliseconds(10);
    network_.SetDefaultLink(link);
    server_ =
        std::make_unique<net::HttpServer>(&loop_, net::ServerOptions(), this);
    ios_.push_back(std::make_unique<ClientIo>(&loop_, &network_));
    options_->max_concurrent_streams = 1;  // a connection for each
    model::Host::Identity identity;
    identity.address = kAddress;
    identity.locality = std::make_shared<const model::Locality>();
    host_ = std::make_unique<model::Host>(0, std::move(identity),
                                          std::make_shared<model::HostState>());
    pool_ = std::make_unique<HostPool>(ios_, breakers_);
  }
  ~HostileServer() override {
    exchanges_.clear();
    ios_[0]->Shutdown();
  }

  std::unique_ptr<net::ServerHandler> NewRequest(net::ServerStream&) override {
    log_.requests.emplace_back();
    return std::make_unique<net::LoggingHandler>(log_,
                                                 log_.requests.size() - 1);
  }
  void Listen(const Script& script) {
    auto listener = network_.Listen(kAddress, [this, script](auto stream) {
      if (peer_ != nullptr) return server_->Accept(std::move(stream));
      peer_ = std::make_unique<HostilePeer>(std::move(stream), script);
    });
    ASSERT_TRUE(listener.ok()) << listener.status();
    listener_ = *std::move(listener);
  }
  std::shared_ptr<ClientExchange> Start(HostPool& pool) {
    net::WireRequest wire;
    wire.method = "GET";
    wire.scheme = "http";
    wire.authority = "server";
    wire.path = "/ok";
    ClientExchange::Options options;
    options.max_body = kMaxBody;
    options.sink = sink_;
    exchanges_.push_back(std::make_shared<ClientExchange>(wire, options));
    pool.Start(0, *host_, options_, exchanges_.back());
    return exchanges_.back();
  }
  std::shared_ptr<ClientExchange> Start() { return Start(*pool_); }
  static bool Over(const ClientExchange& exchange) {
    return (exchange.events() & ClientExchange::kOver) != 0;
  }
  bool Until(const std::function<bool()>& done) {
    return loop_.RunUntil(done, loop_.Now() + absl::Minutes(1));
  }
  bool Succeeds(ClientExchange& exchange) {
    return Until([&] { return Over(exchange); }) &&
           (exchange.events() & ClientExchange::kComplete) != 0 &&
           exchange.status() == 200;
  }
  void ExpectCounted(const std::vector<UpstreamCounter>& expected) {
    for (size_t i = 1; i < net::kUpstreamCounters; ++i) {
      const auto counter = static_cast<UpstreamCounter>(i);
      const auto count = static_cast<uint64_t>(
          std::count(expected.begin(), expected.end(), counter));
      EXPECT_EQ(options_->counters->Get(counter), count)
          << net::UpstreamCounterName(counter);
    }
  }
  FakeClock clock_;
  SimulatedLoop loop_{&clock_};
  SimulatedNetwork network_{&loop_};
  net::ServerLog log_;
  std::unique_ptr<net::HttpServer> server_;
  std::unique_ptr<event::Listener> listener_;
  std::unique_ptr<HostilePeer> peer_;
  const std::shared_ptr<Told> sink_ = std::make_shared<Told>();
  const std::shared_ptr<FreeBreakers> breakers_ =
      std::make_shared<FreeBreakers>();
  const std::shared_ptr<net::UpstreamOptions> options_ =
      std::make_shared<net::UpstreamOptions>();
  std::vector<std::unique_ptr<ClientIo>> ios_;
  std::unique_ptr<model::Host> host_;
  std::vector<std::shared_ptr<ClientExchange>> exchanges_;
  std::unique_ptr<HostPool> pool_;
};

}  // namespace meshlib::testing

#endif  // MESHLIB_TEST_TESTING_HOSTILE_SERVER_H_
