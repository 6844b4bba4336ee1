// Servers that mean no good, against the clients' pools, on virtual time: what
// each sends is refused in bounded time and memory and counted, and requests on
// other connections go on.
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "test/testing/hostile_server.h"

namespace meshlib::testing {
namespace {

using namespace net;  // NOLINT: the frames of the tables
using ::testing::HasSubstr;
using C = UpstreamCounter;

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

class HostileHttp : public HostileServer,
                    public ::testing::WithParamInterface<Row> {
 protected:
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
};

constexpr auto kEnd = Script::End::kEnd;
constexpr auto kWhole = ExchangeFailure::kNone;
constexpr auto kLost = ExchangeFailure::kConnectionLost;
constexpr auto kProtocol = ExchangeFailure::kProtocolError;
constexpr auto kTooLarge = ExchangeFailure::kHeadersTooLarge;

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

class HostileHttp1 : public HostileHttp {};
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

class HostileHttp2 : public HostileHttp {};
INSTANTIATE_TEST_SUITE_P(Servers, HostileHttp2,
                         ::testing::ValuesIn(Http2Rows()),
                         [](const auto& info) { return info.param.name; });

TEST_P(HostileHttp2, IsRefusedAndCounted) {
  Run(HttpProtocol::kHttp2, GetParam());
}

}  // namespace
}  // namespace meshlib::testing
