// A peer that does not play by the rules: each costs bounded work, is counted,
// and ends in a status that says what it was.
#include <string>

#include "gtest/gtest.h"
#include "test/net/http2_frames.h"
#include "test/net/http2_pair.h"

namespace meshlib::net {
namespace {

// GET http / with authority "a": indexed 2, 6, 4 and a literal.
std::string GetBlock() { return "\x82\x86\x84" + Literal(":authority", "a"); }

struct Victim {
  explicit Victim(const Http2Options& options = {})
      : session(Http2Session::Server(options, events, now)) {
    (void)Send(std::string(kPreface) + Frame(kSettings, 0, 0, ""));
  }
  // Until the session gives up, in one go; what it answers is dropped.
  absl::Status Send(std::string_view bytes) {
    absl::Status status =
        session->Receive(absl::MakeConstSpan(bytes.data(), bytes.size()), now);
    std::string out;
    if (status.ok()) return session->TakeOutput(out);
    (void)session->TakeOutput(out);
    // The connection's last word.
    said_goaway =
        out.find(std::string_view("\x07\0\0\0\0\0", 6)) != std::string::npos;
    return status;
  }
  absl::Status Repeat(std::string_view frame, int n) {
    for (int i = 0; i < n; ++i) {
      absl::Status status = Send(frame);
      if (!status.ok()) return status;
    }
    return absl::OkStatus();
  }

  absl::Time now = absl::UnixEpoch();
  RecordingServer events;
  std::unique_ptr<Http2Session> session;
  bool said_goaway = false;
};

TEST(Http2Hostile, FloodsEndTheSession) {
  const struct {
    Http2Flood kind;
    std::string frame;
    int fine, too_many;
  } kCases[] = {
      {Http2Flood::kSettings, Frame(kSettings, 0, 0, ""), 40, 60},
      {Http2Flood::kPing, Frame(kPing, 0, 0, "12345678"), 190, 210},
      {Http2Flood::kReset, Frame(kReset, 0, 1, std::string(4, '\0')), 190, 210},
      {Http2Flood::kWindowUpdate,
       Frame(kWindowUpdate, 0, 0, std::string_view("\0\0\0\1", 4)), 990, 1100},
      {Http2Flood::kEmptyData, Frame(kData, 0, 1, ""), 90, 110},
      {Http2Flood::kOther, Frame(0x77, 0, 0, ""), 990, 1010},
  };
  for (const auto& c : kCases) {
    SCOPED_TRACE(Http2FloodName(c.kind));
    Victim v;
    ASSERT_TRUE(v.Send(Frame(kHeaders, kEndHeaders, 1, GetBlock())).ok());
    ASSERT_TRUE(v.Repeat(c.frame, c.fine).ok());
    // Time makes up for it.
    v.now += absl::Seconds(10);
    ASSERT_TRUE(v.Repeat(c.frame, c.fine).ok());
    const absl::Status status = v.Repeat(c.frame, c.too_many);
    EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
    EXPECT_EQ(v.session->stats().floods[static_cast<size_t>(c.kind)], 1u);
    EXPECT_TRUE(v.said_goaway);
    EXPECT_EQ(v.session->open_streams(), 0u);
    EXPECT_TRUE(v.session->Finished());
  }
}

// gRPC's libraries measure the bandwidth so.
TEST(Http2Hostile, APingForEachDataFrameIsNoFlood) {
  const absl::Time now = absl::UnixEpoch();
  const std::string ping = Frame(kPing, 0, 0, "12345678");
  FrameGuard guard(Http2FloodLimits(), false, now);
  for (int i = 0; i < 10000; ++i) {
    guard.OnDataFrameSent();
    guard.Scan(ping, now);
  }
  EXPECT_FALSE(guard.violation().has_value());
  for (int i = 0; i < 201; ++i) guard.Scan(ping, now);
  EXPECT_EQ(guard.violation(), Http2Flood::kPing);
}

TEST(Http2Hostile, RequestsOnIdsThatWerePassedOver) {
  const std::string first = Frame(kHeaders, kEndHeaders, 1, GetBlock());
  const std::string third = Frame(kHeaders, kEndHeaders, 5, GetBlock());
  const std::string trailers =
      Frame(kHeaders, kEndHeaders | kEndStream, 1, Literal("t", "1"));
  Victim v;
  ASSERT_TRUE(v.Send(first + third + trailers).ok());
  EXPECT_EQ(v.session->open_streams(), 2u);
  const absl::Status status =
      v.Send(Frame(kHeaders, kEndHeaders, 3, GetBlock()));
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal) << status;
  EXPECT_TRUE(v.said_goaway);

  Victim at_once;
  ASSERT_TRUE(at_once.Send(third).ok());
  EXPECT_FALSE(at_once.Send(first).ok());
}

TEST(Http2Hostile, ContinuationsWithoutEnd) {
  Victim v;
  ASSERT_TRUE(v.Send(Frame(kHeaders, 0, 1, GetBlock())).ok());
  const absl::Status status = v.Repeat(Frame(kContinuation, 0, 1, ""), 100);
  EXPECT_FALSE(status.ok());
  EXPECT_TRUE(v.said_goaway);
}

TEST(Http2Hostile, RapidResets) {
  Victim v;
  absl::Status status;
  int n = 0;
  for (; n < 5000 && status.ok(); ++n) {
    const auto id = static_cast<uint32_t>(2 * n + 1);
    status = v.Send(Frame(kHeaders, kEndHeaders | kEndStream, id, GetBlock()) +
                    Frame(kReset, 0, id, std::string_view("\0\0\0\x8", 4)));
  }
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
  EXPECT_EQ(n, 501);
}

TEST(Http2Hostile, MalformedRequestsCountAsResets) {
  Victim v;
  absl::Status status;
  int n = 0;
  for (; n < 5000 && status.ok(); ++n) {
    // No pseudo-headers.
    status = v.Send(Frame(kHeaders, kEndHeaders | kEndStream,
                          static_cast<uint32_t>(2 * n + 1), Literal("a", "b")));
  }
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
  EXPECT_EQ(n, 501);
  EXPECT_TRUE(v.events.requests.empty());
}

TEST(Http2Hostile, ResetsAmongManyServedRequestsAreFine) {
  Victim v;
  for (int n = 0; n < 4000; ++n) {
    const auto id = static_cast<uint32_t>(2 * n + 1);
    ASSERT_TRUE(
        v.Send(Frame(kHeaders, kEndHeaders | kEndStream, id, GetBlock())).ok());
    if (n % 3 == 0) {
      ASSERT_TRUE(
          v.Send(Frame(kReset, 0, id, std::string_view("\0\0\0\x8", 4))).ok());
    } else {
      ASSERT_TRUE(v.events.streams.back()
                      ->SendHeaders({{":status", "200"}}, true)
                      .ok());
    }
  }
}

TEST(Http2Hostile, HpackBombIsNotKept) {
  Victim v;
  // One entry of 4000 bytes goes into the table; then each byte names it.
  std::string block = GetBlock();
  block += "\x40\x01x";
  block += "\x7f\xa1\x1e";  // 127 + 33 + 30 * 128 = 4000
  block.append(4000, 'v');
  ASSERT_TRUE(v.Send(Frame(kHeaders, kEndHeaders | kEndStream, 1, block)).ok());
  EXPECT_EQ(v.events.requests.size(), 1u);
  ASSERT_TRUE(v.Send(Frame(kHeaders, kEndHeaders | kEndStream, 3,
                           GetBlock() + std::string(16000, '\xbe')))
                  .ok());
  EXPECT_EQ(v.session->stats().headers_too_large, 1u);
  EXPECT_EQ(v.events.requests.size(), 1u);
}

TEST(Http2Hostile, RefusedWithoutHarmToOthers) {
  const struct {
    const char* what;
    std::string bytes;
  } kCases[] = {
      {"no pseudo-headers",
       Frame(kHeaders, kEndHeaders | kEndStream, 3, Literal("a", "b"))},
      {"upper case", Frame(kHeaders, kEndHeaders | kEndStream, 3,
                           GetBlock() + Literal("A", "b"))},
      {"connection header", Frame(kHeaders, kEndHeaders | kEndStream, 3,
                                  GetBlock() + Literal("connection", "x"))},
      {"body shorter than said",
       Frame(kHeaders, kEndHeaders, 3,
             GetBlock() + Literal("content-length", "5")) +
           Frame(kData, kEndStream, 3, "1234")},
      {"body longer than said",
       Frame(kHeaders, kEndHeaders, 3,
             GetBlock() + Literal("content-length", "3")) +
           Frame(kData, kEndStream, 3, "1234")},
  };
  for (const auto& c : kCases) {
    SCOPED_TRACE(c.what);
    Victim v;
    ASSERT_TRUE(v.Send(Frame(kHeaders, kEndHeaders, 1, GetBlock())).ok());
    ASSERT_TRUE(v.Send(c.bytes).ok());
    EXPECT_EQ(v.session->open_streams(), 1u);
    EXPECT_EQ(v.session->stats().invalid_frames, 1u);
    for (size_t i = 1; i < v.events.requests.size(); ++i) {
      EXPECT_FALSE(v.events.requests[i]->ended);
      EXPECT_TRUE(v.events.requests[i]->reset.has_value());
    }
    ASSERT_TRUE(v.Send(Frame(kData, kEndStream, 1, "fine")).ok());
    EXPECT_TRUE(v.events.requests[0]->ended);
  }
}

TEST(Http2Hostile, BrokenProtocolEndsTheSession) {
  const struct {
    const char* what;
    std::string bytes;
  } kCases[] = {
      {"DATA before HEADERS", Frame(kData, 0, 3, "x")},
      {"even stream", Frame(kHeaders, kEndHeaders, 2, GetBlock())},
      {"push", Frame(kPush, kEndHeaders, 1, std::string(4, '\0'))},
      {"frame within a header block",
       Frame(kHeaders, 0, 3, GetBlock()) + Frame(kPing, 0, 0, "12345678")},
      {"CONTINUATION without HEADERS",
       Frame(kContinuation, kEndHeaders, 3, GetBlock())},
      {"frame too large", Frame(kData, 0, 1, std::string(20000, 'x'))},
      {"bad HPACK index", Frame(kHeaders, kEndHeaders, 3, "\xff\xff\xff\x0f")},
      {"PING of 7", Frame(kPing, 0, 0, "1234567")},
      {"SETTINGS of 5", Frame(kSettings, 0, 0, "12345")},
      {"zero WINDOW_UPDATE", Frame(kWindowUpdate, 0, 0, std::string(4, '\0'))},
      {"window overflow", Frame(kWindowUpdate, 0, 0, "\x7f\xff\xff\xff")},
  };
  for (const auto& c : kCases) {
    SCOPED_TRACE(c.what);
    Victim v;
    ASSERT_TRUE(v.Send(Frame(kHeaders, kEndHeaders, 1, GetBlock())).ok());
    const absl::Status status = v.Send(c.bytes);
    EXPECT_EQ(status.code(), absl::StatusCode::kInternal) << status;
    EXPECT_EQ(v.session->open_streams(), 0u);
    ASSERT_EQ(v.events.requests[0]->closed, 1);
    EXPECT_EQ(v.events.requests[0]->reset->cause,
              StreamReset::Cause::kConnectionLost);
    EXPECT_FALSE(v.Send(Frame(kPing, 0, 0, "12345678")).ok());
  }
}

TEST(Http2Hostile, ABodyBeyondTheWindowIsRefused) {
  Http2Options options;
  options.initial_stream_window = 20000;
  Victim v(options);
  v.events.auto_consume = false;
  ASSERT_TRUE(v.Send(Frame(kSettings, 1, 0, "")).ok());
  ASSERT_TRUE(v.Send(Frame(kHeaders, kEndHeaders, 1, GetBlock())).ok());
  (void)v.Repeat(Frame(kData, 0, 1, std::string(10000, 'x')), 10);
  EXPECT_LE(v.events.requests[0]->body.size(), 20000u);
  EXPECT_TRUE(v.events.requests[0]->reset.has_value());
}

TEST(Http2Hostile, NotHttp2AtAll) {
  RecordingServer events;
  auto session =
      Http2Session::Server(Http2Options(), events, absl::UnixEpoch());
  const std::string_view text = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  EXPECT_FALSE(session
                   ->Receive(absl::MakeConstSpan(text.data(), text.size()),
                             absl::UnixEpoch())
                   .ok());
}

}  // namespace
}  // namespace meshlib::net
