// Servers that mean no good, against the clients' pools, on virtual time: what
// each sends is refused in bounded time and memory and counted, and requests on
// other connections go on.
#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "meshlib/testing/fake_clock.h"
#include "net/client_exchange.h"
#include "net/host_pool.h"
#include "net/http_server.h"
#include "net/server_tls.h"
#include "net/tls_stream.h"
#include "test/net/http2_frames.h"
#include "test/net/server_harness.h"
#include "test/net/stream_end.h"
#include "test/security/test_certificates.h"
#include "testing/simulated_loop.h"
#include "testing/simulated_network.h"

namespace meshlib::testing {
namespace {

using namespace net;  // NOLINT: the frames of the tables
using ::testing::HasSubstr;

constexpr char kAddress[] = "server:80";
// What a flood may get across: our windows and limits, and what the simulated
// network holds in one direction.
constexpr uint64_t kMostSent = 1'000'000;
constexpr size_t kMaxBody = 200'000;

// What the server does, in this order.
struct Script {
  std::string at_once = {};  // when it accepts
  std::string answer = {};   // when the request is there
  std::string flood = {};    // over and over, after the answer
  enum class End : uint8_t { kStay, kEnd, kReset } end = End::kStay;
};

struct Row {
  const char* name;
  Script script;
  // kNone: the response is whole.
  ExchangeFailure failure;
  const char* text = "";
  // Of these, one each; all others but kCxTotal stay 0.
  std::vector<UpstreamCounter> counters;
};
std::ostream& operator<<(std::ostream& out, const Row& row) {
  return out << row.name;
}

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
      unsent_ = Repeat(script_.flood, 1 + 20'000 / script_.flood.size());
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
    size_t at = sizeof(kPreface) - 1;
    while (at + 9 <= bytes.size()) {
      if (bytes[at + 3] == kHeaders) return true;
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

class FreeBreakers final : public PoolBreakers {
 public:
  bool TryConnect(bool) override { return ++connections, true; }
  void Disconnected() override { --connections; }
  bool TryWait() override { return true; }
  void StoppedWaiting() override {}

  int connections = 0;
};

class Told final : public ExchangeSink {
 public:
  void OnExchange(ClientExchange&) override {}
};

// One pool to a server whose first connection is in bad hands.
class HostileServer : public ::testing::Test, public ServerHandlerFactory {
 protected:
  HostileServer() {
    SimulatedLink link;
    link.latency = absl::Milliseconds(10);
    network_.SetDefaultLink(link);
    server_ = std::make_unique<HttpServer>(&loop_, ServerOptions(), this);
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

  std::unique_ptr<ServerHandler> NewRequest(ServerStream&) override {
    log_.requests.emplace_back();
    return std::make_unique<LoggingHandler>(log_, log_.requests.size() - 1);
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
    WireRequest wire;
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
    for (size_t i = 1; i < kUpstreamCounters; ++i) {
      const auto counter = static_cast<UpstreamCounter>(i);
      const auto count = static_cast<uint64_t>(
          std::count(expected.begin(), expected.end(), counter));
      EXPECT_EQ(options_->counters->Get(counter), count)
          << UpstreamCounterName(counter);
    }
  }
  void Run(HttpProtocol protocol, const Row& row) {
    options_->protocol = protocol;
    Listen(row.script);
    const auto bad = Start();
    ASSERT_TRUE(Until([&] { return peer_ != nullptr; }));
    // Another connection: the bad one may have room again.
    HostPool other(ios_, breakers_);
    const auto beside = Start(other);
    ASSERT_TRUE(Until([&] { return Over(*bad); }));
    EXPECT_EQ(bad->failure(), row.failure)
        << ExchangeFailureName(bad->failure());
    EXPECT_THAT(bad->failure_text(), HasSubstr(row.text));
    EXPECT_TRUE(Succeeds(*beside));
    loop_.RunFor(absl::Seconds(5));
    EXPECT_LT(network_.stats("server", "client").bytes, kMostSent);
    ExpectCounted(row.counters);
    if (breakers_->connections > 1) return;  // the bad connection goes on
    EXPECT_TRUE(Succeeds(*Start()));
    EXPECT_EQ(breakers_->connections, 2);
  }

  FakeClock clock_;
  SimulatedLoop loop_{&clock_};
  SimulatedNetwork network_{&loop_};
  ServerLog log_;
  std::unique_ptr<HttpServer> server_;
  std::unique_ptr<event::Listener> listener_;
  std::unique_ptr<HostilePeer> peer_;
  const std::shared_ptr<Told> sink_ = std::make_shared<Told>();
  const std::shared_ptr<FreeBreakers> breakers_ =
      std::make_shared<FreeBreakers>();
  const std::shared_ptr<UpstreamOptions> options_ =
      std::make_shared<UpstreamOptions>();
  std::vector<std::unique_ptr<ClientIo>> ios_;
  std::unique_ptr<model::Host> host_;
  std::vector<std::shared_ptr<ClientExchange>> exchanges_;
  std::unique_ptr<HostPool> pool_;
};

constexpr auto kEnd = Script::End::kEnd;
constexpr auto kWhole = ExchangeFailure::kNone;
constexpr auto kLost = ExchangeFailure::kConnectionLost;
constexpr auto kProtocol = ExchangeFailure::kProtocolError;
constexpr auto kTooLarge = ExchangeFailure::kHeadersTooLarge;
using C = UpstreamCounter;

// ---- HTTP/1.1

const std::vector<C> kBadHttp1 = {C::kCxProtocolError, C::kRqTxReset,
                                  C::kHttp1MessagingError};
const std::vector<C> kLargeHttp1 = {C::kCxProtocolError, C::kRqTxReset,
                                    C::kHttp1HeaderOverflow};
constexpr char kHead[] = "HTTP/1.1 200 OK\r\n";

std::vector<Row> Http1Rows() {
  const std::string head = kHead;
  const std::string ok = head + "content-length: 2\r\n\r\nok";
  const std::string chunked = head + "transfer-encoding: chunked\r\n\r\n";
  return {
      {"Tls",
       {"", "\x15\x03\x03\x01\x02\x02\x28", "", kEnd},
       kLost,
       "",
       {C::kCxDestroyWithActiveRq}},
      {"Lines", {"", "HELO there\r\n\r\n"}, kProtocol, "", kBadHttp1},
      {"Version", {"", "HTTP/9.9 200 OK\r\n\r\n"}, kProtocol, "", kBadHttp1},
      {"Status", {"", "HTTP/1.1 2x0 OK\r\n\r\n"}, kProtocol, "", kBadHttp1},
      {"NameWithoutColon",
       {"", head + "a b\r\n\r\n"},
       kProtocol,
       "",
       kBadHttp1},
      {"BothLengths",
       {"", head + "content-length: 0\r\ntransfer-encoding: chunked\r\n\r\n"},
       kProtocol,
       "Transfer-Encoding",
       kBadHttp1},
      {"TwoLengths",
       {"", head + "content-length: 0\r\ncontent-length: 2\r\n\r\nok"},
       kProtocol,
       "",
       kBadHttp1},
      {"NegativeLength",
       {"", head + "content-length: -1\r\n\r\n"},
       kProtocol,
       "",
       kBadHttp1},
      {"HugeLength",
       {"", head + "content-length: 99999999999999999999\r\n\r\n"},
       kProtocol,
       "",
       kBadHttp1},
      {"Coding",
       {"", head + "transfer-encoding: gzip, chunked\r\n\r\n"},
       kProtocol,
       "Transfer-Encoding",
       kBadHttp1},
      {"ChunkSize", {"", chunked + "xyz\r\n"}, kProtocol, "", kBadHttp1},
      {"ChunkSizeTooLarge",
       {"", chunked + "fffffffffffffffff\r\n"},
       kProtocol,
       "",
       kBadHttp1},
      {"UpgradeUnasked",
       {"", "HTTP/1.1 101 Go\r\nupgrade: x\r\n\r\n"},
       kProtocol,
       "nobody asked",
       kBadHttp1},
      {"EndlessHeaders",
       {"", head, "name: value\r\n"},
       kTooLarge,
       "100 headers",
       kLargeHttp1},
      {"EndlessHeader",
       {"", head + "name: ", "xxxxxxxx"},
       kTooLarge,
       "61440",
       kLargeHttp1},
      {"EndlessReason",
       {"", "HTTP/1.1 200 ", "xxxxxxxx"},
       kTooLarge,
       "61440",
       kLargeHttp1},
      {"EndlessNoise", {"", "", "xxxxxxxx"}, kProtocol, "", kBadHttp1},
      {"EndlessChunkExtension",
       {"", chunked + "1;", "xxxxxxxx"},
       kTooLarge,
       "61440",
       kLargeHttp1},
      {"EndlessTrailers",
       {"", chunked + "0\r\n", "name: value\r\n"},
       kTooLarge,
       "",
       kLargeHttp1},
      {"EndlessInformation",
       {"", "", "HTTP/1.1 100 Continue\r\n\r\n"},
       kProtocol,
       "informational",
       kBadHttp1},
      {"EndlessChunks",
       {"", chunked, "4\r\nbody\r\n"},
       ExchangeFailure::kBodyTooLarge,
       "",
       {C::kRqTxReset}},
      {"EndlessBody",
       {"", head + "\r\n", "xxxxxxxx"},
       ExchangeFailure::kBodyTooLarge,
       "",
       {C::kRqTxReset}},
      {"BodyTooLong",
       {"", head + "content-length: 1000000000\r\n\r\n", "xxxxxxxx"},
       ExchangeFailure::kBodyTooLarge,
       "",
       {C::kRqTxReset}},
      {"CutHead",
       {"", head + "content-", "", kEnd},
       kLost,
       "cut short",
       {C::kCxDestroyWithActiveRq}},
      {"CutBody",
       {"", head + "content-length: 10\r\n\r\nshort", "", kEnd},
       kLost,
       "cut short",
       {C::kCxDestroyWithActiveRq}},
      {"CutChunk",
       {"", chunked + "9\r\nshort", "", kEnd},
       kLost,
       "cut short",
       {C::kCxDestroyWithActiveRq}},
      {"CutChunks",
       {"", chunked + "5\r\nshort\r\n", "", kEnd},
       kLost,
       "cut short",
       {C::kCxDestroyWithActiveRq}},
      {"Silent",
       {"", "", "", kEnd},
       kLost,
       "closed the connection",
       {C::kCxDestroyWithActiveRq}},
      {"Resets",
       {"", head, "", Script::End::kReset},
       kLost,
       "",
       {C::kCxDestroyWithActiveRq}},
      // The answer is taken, what follows it is not.
      {"AnswersTwice", {"", ok + ok}, kWhole, "", {C::kCxProtocolError}},
      {"BodyGoesOn", {"", ok + "more"}, kWhole, "", {C::kCxProtocolError}},
      {"AnswersEndlessly", {"", ok, ok}, kWhole, "", {C::kCxProtocolError}},
      // Nothing tells it from an answer.
      {"AnswersBefore", {ok, ""}, kWhole, "", {}},
  };
}

class HostileHttp1 : public HostileServer,
                     public ::testing::WithParamInterface<Row> {};
INSTANTIATE_TEST_SUITE_P(Servers, HostileHttp1,
                         ::testing::ValuesIn(Http1Rows()),
                         [](const auto& info) { return info.param.name; });

TEST_P(HostileHttp1, IsRefusedAndCounted) {
  Run(HttpProtocol::kHttp1, GetParam());
}

TEST_F(HostileServer, ClosesAnIdleConnectionThatSpeaks) {
  options_->protocol = HttpProtocol::kHttp1;
  const std::string answer = std::string(kHead) + "content-length: 0\r\n\r\n";
  Listen({"", answer});
  EXPECT_TRUE(Succeeds(*Start()));
  peer_->Say(answer);
  EXPECT_TRUE(Until([&] { return peer_->over; }));
  ExpectCounted({C::kCxProtocolError});
  EXPECT_TRUE(Succeeds(*Start()));
}

TEST_F(HostileServer, CountsNoRequestTimeoutOfAnIdleConnection) {
  options_->protocol = HttpProtocol::kHttp1;
  Listen({"", std::string(kHead) + "content-length: 0\r\n\r\n"});
  EXPECT_TRUE(Succeeds(*Start()));
  peer_->Say("HTTP/1.1 408 Request Timeout\r\nconnection: close\r\n\r\n");
  EXPECT_TRUE(Until([&] { return peer_->over; }));
  ExpectCounted({});
  EXPECT_TRUE(Succeeds(*Start()));
}

// ---- HTTP/2

const std::vector<C> kBrokenHttp2 = {C::kCxProtocolError,
                                     C::kCxDestroyWithActiveRq};
const std::vector<C> kBadHttp2 = {C::kHttp2MessagingError, C::kRqTxReset};
const std::vector<C> kLargeHttp2 = {C::kHttp2HeaderOverflow, C::kRqTxReset};
const std::vector<C> kResetHttp2 = {C::kRqRxReset};

std::vector<C> Flooded(C flood) {
  return {C::kCxProtocolError, C::kCxDestroyWithActiveRq, flood};
}
std::string Number(uint32_t number) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) {
    bytes.push_back(static_cast<char>(number >> shift));
  }
  return bytes;
}
// Response headers on the first stream, from a block of HPACK.
std::string Headers(std::string_view block, int flags = kEndHeaders,
                    uint32_t stream = 1) {
  return Frame(kHeaders, flags, stream, block);
}

std::vector<Row> Http2Rows() {
  const std::string hello = Frame(kSettings, 0, 0, "");
  const std::string ok = Headers("\x88");
  const std::string end = Frame(kData, kEndStream, 1, "ok");
  const int both = kEndHeaders | kEndStream;
  const auto row = [&](const char* name, std::string answer,
                       ExchangeFailure failure, const char* text,
                       std::vector<C> counters, std::string flood = "",
                       Script::End how = Script::End::kStay) {
    return Row{name,
               {hello, std::move(answer), std::move(flood), how},
               failure,
               text,
               std::move(counters)};
  };
  const auto flood = [&](const char* name, std::string frame, C counter,
                         const char* text, std::string before = "") {
    return row(name, std::move(before), kProtocol, text, Flooded(counter),
               std::move(frame));
  };
  return {
      {"Http1",
       {"", "HTTP/1.1 400 Bad Request\r\n\r\n"},
       kProtocol,
       "broke the protocol",
       kBrokenHttp2},
      {"Noise", {"", "", "xxxxxxxx"}, kProtocol, "", kBrokenHttp2},
      flood("Pings", Frame(kPing, 0, 0, "12345678"), C::kHttp2ControlFlood,
            "floods us with PING"),
      flood("Settings", hello, C::kHttp2ControlFlood, "SETTINGS"),
      flood("WindowUpdates", Frame(kWindowUpdate, 0, 0, Number(1)),
            C::kHttp2WindowUpdateFlood, "WINDOW_UPDATE"),
      flood("EmptyData", Frame(kData, 0, 1, ""), C::kHttp2EmptyFramesFlood,
            "empty DATA", ok),
      flood("UnknownFrames", Frame(99, 0, 0, "what"), C::kHttp2PriorityFlood,
            "unknown"),
      flood("Priorities", Frame(kPriority, 0, 1, Number(0) + "x"),
            C::kHttp2PriorityFlood, "PRIORITY"),
      flood("GoAways", Frame(kGoAway, 0, 0, Number(1) + Number(0)),
            C::kHttp2PriorityFlood, ""),
      flood("Continuations", Frame(kContinuation, 0, 1, Literal("a", "b")),
            C::kHttp2ContinuationFlood, "CONTINUATION", Headers("\x88", 0)),
      row("ResetsFlood", Headers("\x88"), ExchangeFailure::kReset,
          "HTTP/2 error 8",
          {C::kRqRxReset, C::kCxProtocolError, C::kHttp2ResetFlood},
          Frame(kReset, 0, 1, Number(8))),
      row("EndlessInformation", "", kProtocol, "malformed",
          {C::kHttp2MessagingError, C::kRqTxReset, C::kCxProtocolError,
           C::kHttp2ClosedStreamsFlood},
          Headers(Literal(":status", "103"))),
      row("HeaderBomb",
          Headers(HeaderBomb("\x88", 12'000).substr(0, 16'000), kEndStream) +
              Frame(kContinuation, kEndHeaders, 1,
                    HeaderBomb("\x88", 12'000).substr(16'000)),
          kTooLarge, "61440 bytes", kLargeHttp2),
      row("ManyHeaders", Headers("\x88" + Repeat(Literal("a", "b"), 100), both),
          kTooLarge, "100 headers", kLargeHttp2),
      row("ManyTrailers", ok + Headers(Repeat(Literal("a", "b"), 101), both),
          kTooLarge, "100 headers", kLargeHttp2),
      row("NoStatus", Headers(Literal("a", "b"), both), kProtocol, "malformed",
          kBadHttp2),
      row("BadStatus", Headers(Literal(":status", "2x0"), both), kProtocol,
          "malformed", kBadHttp2),
      row("UpperCase", Headers("\x88" + Literal("A", "b"), both), kProtocol,
          "malformed", kBadHttp2),
      row("ConnectionHeader",
          Headers("\x88" + Literal("connection", "close"), both), kProtocol,
          "malformed", kBadHttp2),
      row("Switching", Headers(Literal(":status", "101")), kProtocol,
          "malformed", kBadHttp2),
      row("BodyFirst", Frame(kData, 0, 1, "body"), kProtocol,
          "broke the protocol", kBrokenHttp2),
      row("BodyTooShort",
          Headers("\x88" + Literal("content-length", "9")) + end, kProtocol,
          "malformed", kBadHttp2),
      row("BodyTooLong", Headers("\x88" + Literal("content-length", "1")) + end,
          kProtocol, "malformed", kBadHttp2),
      row("TwoLengths",
          Headers("\x88" + Literal("content-length", "2") +
                  Literal("content-length", "3")) +
              end,
          kProtocol, "malformed", kBadHttp2),
      row("EndlessBody", ok, ExchangeFailure::kBodyTooLarge, "",
          {C::kRqTxReset, C::kCxProtocolError, C::kHttp2ClosedStreamsFlood},
          Frame(kData, 0, 1, std::string(10'000, 'x'))),
      row("LargeFrame", std::string("\xff\xff\xff\0\0\0\0\0\1", 9), kProtocol,
          "FRAME_SIZE", kBrokenHttp2, "xxxxxxxx"),
      row("HeadersOfNobody", Headers("\x88", both, 3), kProtocol,
          "broke the protocol", kBrokenHttp2),
      row("HeadersOfItsOwn", Headers("\x88", both, 2), kProtocol,
          "broke the protocol", kBrokenHttp2),
      row("Push",
          Frame(kPush, kEndHeaders, 1,
                Number(2) + "\x82\x86\x84" + Literal(":authority", "a")),
          kProtocol, "push", kBrokenHttp2),
      row("Compression", Headers("\xff\xff\xff\xff\xff\xff\xff", both),
          kProtocol, "broke the protocol", kBrokenHttp2),
      row("BadSettings",
          Frame(kSettings, 0, 0, std::string("\0\4", 2) + Number(0x80000000u)),
          kProtocol, "broke the protocol", kBrokenHttp2),
      row("WindowOverflow", Frame(kWindowUpdate, 0, 0, Number(0x7fffffff)),
          kProtocol, "broke the protocol", kBrokenHttp2),
      row("ContinuationOfNothing", Frame(kContinuation, kEndHeaders, 1, "\x88"),
          kProtocol, "broke the protocol", kBrokenHttp2),
      row("ResetOfNobody", Frame(kReset, 0, 7, Number(8)), kProtocol,
          "broke the protocol", kBrokenHttp2),
      row("CutFrame", ok + Frame(kData, 0, 1, "body").substr(0, 11), kLost, "",
          {C::kCxDestroyWithActiveRq}, "", kEnd),
      row("CutBody", ok + Frame(kData, 0, 1, "body"), kLost, "",
          {C::kCxDestroyWithActiveRq}, "", kEnd),
      row("Silent", "", kLost, "closed the connection",
          {C::kCxDestroyWithActiveRq}, "", kEnd),
      row("Refuses", Frame(kReset, 0, 1, Number(7)), ExchangeFailure::kRefused,
          "HTTP/2 error 7", kResetHttp2),
      row("ResetsInBody",
          ok + Frame(kData, 0, 1, "body") + Frame(kReset, 0, 1, Number(2)),
          ExchangeFailure::kReset, "HTTP/2 error 2", kResetHttp2),
      // The answer is taken, what follows it on its stream is not.
      row("AnswersTwice", ok + end + ok + end, kWhole, "", {}),
      row("AnswersEndlessly", ok + end, kWhole, "",
          {C::kCxProtocolError, C::kHttp2ClosedStreamsFlood}, ok + end),
      {"AnswersBefore", {hello + ok + end}, kWhole, "", {}},
  };
}

class HostileHttp2 : public HostileServer,
                     public ::testing::WithParamInterface<Row> {};
INSTANTIATE_TEST_SUITE_P(Servers, HostileHttp2,
                         ::testing::ValuesIn(Http2Rows()),
                         [](const auto& info) { return info.param.name; });

TEST_P(HostileHttp2, IsRefusedAndCounted) {
  Run(HttpProtocol::kHttp2, GetParam());
}

// ---- TLS

constexpr char kServerName[] = "echo.test";

// Servers that cannot, or do not mean to, show that they are who they should
// be; the next one does.
class HostileTls : public HostileServer {
 protected:
  HostileTls() {
    security::TlsOptions trust;
    trust.material.trusted_ca = root_.pem();
    security::SanMatcher name;
    name.san_type = security::SanMatcher::Type::kDns;
    name.matcher.value = kServerName;
    trust.match_typed_subject_alt_names = {name};
    const TlsStream::Context context =
        Make(security::TlsContext::Role::kClient, trust);
    options_->tls = [context](std::string_view, std::string_view) {
      TlsParameters parameters;
      parameters.context = context;
      return parameters;
    };
    options_->connect_timeout = absl::Seconds(3);
  }

  static TlsStream::Context Make(security::TlsContext::Role role,
                                 const security::TlsOptions& options) {
    auto made = security::TlsContext::Create(role, options);
    EXPECT_TRUE(made.ok()) << made.status();
    return *std::move(made);
  }
  TlsStream::Context Server(const security::TestCa& ca,
                            const security::TestLeaf& leaf) {
    security::TlsOptions options;
    options.material = ca.Issue(leaf);
    return Make(security::TlsContext::Role::kServer, options);
  }
  static security::TestLeaf Named(const std::string& name) {
    security::TestLeaf leaf;
    leaf.alternative_names = "DNS:" + name;
    return leaf;
  }

  // `bad` null: it does not speak TLS but the script.
  void Run(const Script& script, const TlsStream::Context& bad,
           ExchangeFailure failure, const char* text,
           const std::vector<C>& counters) {
    ServerTls security(&loop_, Server(root_, Named(kServerName)));
    server_ =
        std::make_unique<HttpServer>(&loop_, ServerOptions(), this, &security);
    std::unique_ptr<event::Stream> tls;
    StreamEnd nobody;
    bool first = true;
    auto listener = network_.Listen(kAddress, [&](auto stream) {
      if (!std::exchange(first, false)) {
        return server_->Accept(std::move(stream));
      }
      if (bad == nullptr) {
        peer_ = std::make_unique<HostilePeer>(std::move(stream), script);
      } else {
        tls = TlsStream::Server(&loop_, std::move(stream), absl::Seconds(9),
                                bad, &nobody);
      }
    });
    ASSERT_TRUE(listener.ok()) << listener.status();
    const auto begun = loop_.Now();
    const auto refused = Start();
    ASSERT_TRUE(Until([&] { return !first; }));
    HostPool other(ios_, breakers_);
    const auto beside = Start(other);
    ASSERT_TRUE(Until([&] { return Over(*refused); }));
    EXPECT_LE(loop_.Now() - begun, absl::Seconds(3));
    EXPECT_EQ(refused->failure(), failure)
        << ExchangeFailureName(refused->failure());
    EXPECT_THAT(refused->failure_text(), HasSubstr(text));
    EXPECT_FALSE(refused->request_sent());
    EXPECT_TRUE(Succeeds(*beside)) << beside->failure_text();
    EXPECT_TRUE(Succeeds(*Start()));
    EXPECT_LT(network_.stats("server", "client").bytes, kMostSent);
    ExpectCounted(counters);
    server_.reset();
  }

  const security::TestCa root_;
};

const std::vector<C> kNoHandshake = {C::kCxConnectFail, C::kSslConnectionError};
const std::vector<C> kNotBelieved = {C::kCxConnectFail, C::kSslConnectionError,
                                     C::kSslFailVerifyError};

TEST_F(HostileTls, StallsAreGivenTheirTime) {
  Run({}, nullptr, ExchangeFailure::kConnectTimeout, "",
      {C::kCxConnectFail, C::kCxConnectTimeout, C::kSslConnectionError});
}

TEST_F(HostileTls, HalfAHandshakeIsGivenItsTime) {
  Run({std::string("\x16\x03\x03\0\x7a\2\0\0\x76\3\3", 11), ""}, nullptr,
      ExchangeFailure::kConnectTimeout, "",
      {C::kCxConnectFail, C::kCxConnectTimeout, C::kSslConnectionError});
}

TEST_F(HostileTls, NoiseIsRefused) {
  Run({"HTTP/1.1 400 Bad Request\r\n\r\n", ""}, nullptr,
      ExchangeFailure::kConnectFailure, "", kNoHandshake);
}

TEST_F(HostileTls, AnAlertIsRefused) {
  Run({std::string("\x15\3\3\0\2\2\x28", 7), ""}, nullptr,
      ExchangeFailure::kConnectFailure, "alert", kNoHandshake);
}

TEST_F(HostileTls, AHandshakeHasAnEnd) {
  // A message of 16 MB in records of 16 KB.
  std::string record("\x16\3\3\x40\0", 5);
  Run({record + std::string("\2\xff\xff\xff", 4) +
           Repeat(std::string(16'380, 'x') + record, 100),
       ""},
      nullptr, ExchangeFailure::kConnectFailure, "", kNoHandshake);
}

TEST_F(HostileTls, ACertificateThatExpiredIsRefused) {
  security::TestLeaf leaf = Named(kServerName);
  leaf.not_before_seconds = -7200;
  leaf.not_after_seconds = -60;
  Run({}, Server(root_, leaf), ExchangeFailure::kConnectFailure, "expired",
      kNotBelieved);
}

TEST_F(HostileTls, ACertificateOfAnotherRootIsRefused) {
  const security::TestCa other("another root");
  Run({}, Server(other, Named(kServerName)), ExchangeFailure::kConnectFailure,
      "certificate", kNotBelieved);
}

TEST_F(HostileTls, ACertificateOfAnotherNameIsRefused) {
  Run({}, Server(root_, Named("other.test")), ExchangeFailure::kConnectFailure,
      "other.test", kNotBelieved);
}

}  // namespace
}  // namespace meshlib::testing
