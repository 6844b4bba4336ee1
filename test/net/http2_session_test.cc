#include "net/http2/session.h"

#include <string>

#include "gtest/gtest.h"
#include "test/net/http2_pair.h"

namespace meshlib::net {
namespace {

// Answers each whole request with its path's worth of nothing.
void AnswerOk(Http2Stream& stream) {
  ASSERT_TRUE(stream.SendHeaders({{":status", "200"}}, true).ok());
}

TEST(Http2Session, RequestWithBodyAndTrailersAtAnyCut) {
  for (size_t max_piece : {1, 3, 50, 100000}) {
    for (uint64_t seed = 0; seed < 5; ++seed) {
      Http2Pair p;
      p.max_piece = max_piece;
      p.random = base::Random(seed);
      const std::string body(30000, 'b');
      p.server_events.on_end = [&](Http2Stream& stream) {
        EXPECT_TRUE(stream.SendHeaders({{":status", "103"}}, false).ok());
        EXPECT_TRUE(stream.SendHeaders({{":status", "200"}}, false).ok());
        EXPECT_EQ(stream.Write("hello", false), 5u);
        EXPECT_TRUE(stream.SendTrailers({{"grpc-status", "0"}}).ok());
      };
      RecordingHandler answer;
      auto stream = p.client->Request(Get(), false, answer);
      ASSERT_TRUE(stream.ok());
      EXPECT_EQ((*stream)->Write(body, false), body.size());
      EXPECT_TRUE((*stream)->SendTrailers({{"t", "1"}}).ok());
      p.Run();
      ASSERT_EQ(p.server_events.requests.size(), 1u);
      RecordingHandler& request = *p.server_events.requests[0];
      EXPECT_EQ(request.log,
                "[:method=GET :scheme=http :authority=a :path=/ ]T[t=1 ]");
      EXPECT_EQ(request.body, body);
      EXPECT_EQ(request.closed, 1);
      EXPECT_EQ(answer.log, "[:status=103 ][:status=200 ]T[grpc-status=0 ]");
      EXPECT_EQ(answer.body, "hello");
      EXPECT_EQ(answer.closed, 1);
      EXPECT_FALSE(answer.reset.has_value());
      EXPECT_FALSE(request.reset.has_value());
      EXPECT_EQ(p.client->open_streams() + p.server->open_streams(), 0u);
    }
  }
}

TEST(Http2Session, WritesWaitForTheApplicationToConsume) {
  Http2Options small;
  small.initial_stream_window = 1000;
  small.send_buffer = 500;
  Http2Pair p(small, small);
  p.server_events.auto_consume = false;
  p.Run();
  RecordingHandler answer;
  const std::string body(5000, 'x');
  size_t written = 0;
  answer.on_writable = [&](Http2Stream& s) {
    written += s.Write(std::string_view(body).substr(written), true);
  };
  auto stream = p.client->Request(Get(), false, answer);
  ASSERT_TRUE(stream.ok());
  answer.on_writable(**stream);
  EXPECT_EQ(written, 500u);
  p.Run();
  RecordingHandler& request = *p.server_events.requests[0];
  EXPECT_EQ(request.body.size(), 1000u);
  EXPECT_LE(written, 1500u);
  // Each consumption opens the window by as much.
  for (int i = 0; i < 20 && !request.ended; ++i) {
    p.server_events.streams[0]->Consume(800);
    EXPECT_LE(p.server_events.streams[0]->unconsumed_bytes(), 1000u);
    p.Run();
  }
  EXPECT_EQ(request.body, body);
  EXPECT_TRUE(request.ended);
  EXPECT_GT(answer.writable, 2);
}

TEST(Http2Session, ClosedStreamsGiveTheConnectionsWindowBack) {
  Http2Options options;
  options.connection_window = 65535;
  Http2Pair p(options, options);
  p.server_events.auto_consume = false;
  for (int i = 0; i < 20; ++i) {
    RecordingHandler answer;
    auto stream = p.client->Request(Get(), false, answer);
    ASSERT_TRUE(stream.ok());
    EXPECT_EQ((*stream)->Write(std::string(40000, 'x'), true), 40000u);
    p.Run();
    ASSERT_TRUE(p.server_events.requests.back()->ended) << i;
    if (i % 2 == 0) {
      AnswerOk(*p.server_events.streams.back());
      p.Run();
      EXPECT_EQ(answer.closed, 1);
      continue;
    }
    p.server_events.streams.back()->Cancel();
    p.Run();
    EXPECT_TRUE(answer.reset.has_value());
    EXPECT_FALSE(answer.reset->retriable);
    EXPECT_EQ(answer.reset->error_code, 8u);
  }
}

TEST(Http2Session, PeersLimitQueuesAndThenRefuses) {
  Http2Options server_options;
  server_options.max_concurrent_streams = 2;
  Http2Options client_options;
  client_options.max_pending_requests = 3;
  Http2Pair p(client_options, server_options);
  p.Run();
  RecordingHandler answer[5];
  Http2Stream* streams[5];
  for (int i = 0; i < 5; ++i) {
    auto stream = p.client->Request(Get(), true, answer[i]);
    ASSERT_TRUE(stream.ok());
    streams[i] = *stream;
  }
  EXPECT_EQ(p.client->Request(Get(), true, answer[0]).status().code(),
            absl::StatusCode::kResourceExhausted);
  p.Run();
  EXPECT_EQ(p.server_events.requests.size(), 2u);
  EXPECT_EQ(p.client->pending_requests(), 3u);
  streams[3]->Cancel();  // never seen by the server
  AnswerOk(*p.server_events.streams[0]);
  p.Run();
  AnswerOk(*p.server_events.streams[1]);
  p.Run();
  EXPECT_EQ(p.server_events.requests.size(), 4u);
  AnswerOk(*p.server_events.streams[2]);
  AnswerOk(*p.server_events.streams[3]);
  p.Run();
  EXPECT_EQ(answer[4].closed, 1);
  EXPECT_EQ(answer[3].closed, 0);
  EXPECT_EQ(p.server_events.requests.size(), 4u);
}

TEST(Http2Session, CancelledBeforeItWasSentIsNotSent) {
  Http2Pair p;
  RecordingHandler answer, other;
  auto stream = p.client->Request(Get(), true, answer);
  ASSERT_TRUE(stream.ok());
  (*stream)->Cancel();
  // Uses the same object.
  ASSERT_TRUE(p.client->Request(Get(), true, other).ok());
  p.server_events.on_headers = AnswerOk;
  p.Run();
  EXPECT_EQ(other.closed, 1);
  EXPECT_EQ(answer.closed, 0);
  EXPECT_EQ(p.server_events.requests.size(), 1u);
}

TEST(Http2Session, RefusedIsRetriable) {
  Http2Pair p;
  p.server_events.refuse = true;
  RecordingHandler answer;
  ASSERT_TRUE(p.client->Request(Get(), true, answer).ok());
  p.Run();
  ASSERT_TRUE(answer.reset.has_value());
  EXPECT_TRUE(answer.reset->retriable);
  EXPECT_EQ(answer.closed, 1);
}

TEST(Http2Session, AnswerBeforeTheBodyEndsStopsTheClient) {
  Http2Pair p;
  p.server_events.on_headers = AnswerOk;
  RecordingHandler answer;
  ASSERT_TRUE(p.client->Request(Get(), false, answer).ok());
  p.Run();
  EXPECT_EQ(answer.log, "[:status=200 ].");
  EXPECT_EQ(answer.closed, 1);
  EXPECT_FALSE(answer.reset.has_value());
  EXPECT_EQ(p.server_events.requests[0]->closed, 1);
  EXPECT_FALSE(p.server_events.requests[0]->reset.has_value());
}

TEST(Http2Session, DrainLosesNoRequest) {
  Http2Pair p;
  p.Run();
  RecordingHandler before, crossing, after;
  ASSERT_TRUE(p.client->Request(Get(), true, before).ok());
  p.Run();
  p.server->Drain(p.now);
  // This one crosses the announcement.
  ASSERT_TRUE(p.client->Request(Get(), true, crossing).ok());
  p.Run();
  EXPECT_EQ(p.client->Request(Get(), true, after).status().code(),
            absl::StatusCode::kUnavailable);
  ASSERT_EQ(p.server_events.streams.size(), 2u);
  EXPECT_FALSE(p.server->Finished());
  AnswerOk(*p.server_events.streams[0]);
  AnswerOk(*p.server_events.streams[1]);
  p.Run();
  EXPECT_EQ(before.closed + crossing.closed, 2);
  EXPECT_FALSE(before.reset.has_value() || crossing.reset.has_value());
  EXPECT_TRUE(p.server->Finished());
  EXPECT_TRUE(p.client->Finished());
  EXPECT_EQ(p.client_events.goaways.size(), 2u);
}

TEST(Http2Session, RequestsAboveTheLastStreamAreRetriable) {
  Http2Pair p;
  p.Run();
  RecordingHandler a, b, waits;
  ASSERT_TRUE(p.client->Request(Get(), true, a).ok());
  p.Run();
  ASSERT_TRUE(p.client->Request(Get(), true, b).ok());
  std::string sent;
  ASSERT_TRUE(p.client->TakeOutput(sent).ok());
  ASSERT_TRUE(p.client->Request(Get(), true, waits).ok());
  // GOAWAY, last stream 1, no error.
  const std::string goaway("\0\0\x08\x07\0\0\0\0\0\0\0\0\x01\0\0\0\0", 17);
  ASSERT_TRUE(p.client->Receive(goaway, p.now).ok());
  p.Run();
  EXPECT_FALSE(a.reset.has_value());
  ASSERT_TRUE(b.reset.has_value() && waits.reset.has_value());
  EXPECT_TRUE(b.reset->retriable && waits.reset->retriable);
  EXPECT_EQ(b.reset->cause, StreamReset::Cause::kGoAway);
  EXPECT_EQ(b.closed + waits.closed, 2);
  AnswerOk(*p.server_events.streams[0]);
  p.Run();
  EXPECT_EQ(a.closed, 1);
}

TEST(Http2Session, KeepalivePingsAndGivesUp) {
  Http2Options options;
  options.keepalive_interval = absl::Seconds(10);
  options.keepalive_timeout = absl::Seconds(3);
  Http2Pair p(options);
  p.Run();
  EXPECT_EQ(p.client->NextTick(), absl::InfiniteFuture());
  RecordingHandler answer;
  ASSERT_TRUE(p.client->Request(Get(), true, answer).ok());
  p.Run();
  p.now += absl::Seconds(10);
  EXPECT_EQ(p.client->NextTick(), p.now);
  ASSERT_TRUE(p.client->Tick(p.now).ok());
  p.Run();  // answered
  p.now += absl::Seconds(10);
  ASSERT_TRUE(p.client->Tick(p.now).ok());
  std::string lost;
  ASSERT_TRUE(p.client->TakeOutput(lost).ok());
  EXPECT_EQ(lost.size(), 17u);
  p.now += absl::Seconds(3);
  EXPECT_EQ(p.client->Tick(p.now).code(), absl::StatusCode::kUnavailable);
  ASSERT_TRUE(answer.reset.has_value());
  EXPECT_EQ(answer.reset->cause, StreamReset::Cause::kConnectionLost);
  EXPECT_FALSE(answer.reset->retriable);
  EXPECT_EQ(p.client->stats().keepalive_pings, 2u);
  EXPECT_EQ(p.client->stats().keepalive_timeouts, 1u);
}

TEST(Http2Session, ALostConnectionTellsWhatWasNeverSent) {
  Http2Pair p;
  RecordingHandler sent, unsent;
  ASSERT_TRUE(p.client->Request(Get(), true, sent).ok());
  p.Run();
  ASSERT_TRUE(p.client->Request(Get(), true, unsent).ok());
  p.client->ConnectionLost(absl::UnavailableError("reset by peer"));
  EXPECT_FALSE(sent.reset.value().retriable);
  EXPECT_TRUE(unsent.reset.value().retriable);
  EXPECT_EQ(sent.closed + unsent.closed, 2);
  EXPECT_FALSE(p.client->Request(Get(), true, sent).ok());
}

TEST(Http2Session, TooLargeHeadersCostTheStreamOnly) {
  Http2Options options;
  options.max_header_list_size = 2000;
  Http2Pair p(options, options);
  p.server_events.on_headers = [](Http2Stream& stream) {
    const std::string big(3000, 'v');
    ASSERT_TRUE(
        stream.SendHeaders({{":status", "200"}, {"x", big}}, true).ok());
  };
  RecordingHandler too_big, fine;
  std::vector<Header> headers = Get();
  const std::string big(3000, 'v');
  headers.push_back({"x", big});
  ASSERT_TRUE(p.client->Request(headers, true, too_big).ok());
  ASSERT_TRUE(p.client->Request(Get(), true, fine).ok());
  p.Run();
  EXPECT_EQ(too_big.log, "[:status=431 ].");
  EXPECT_EQ(p.server_events.requests.size(), 1u);
  EXPECT_EQ(fine.reset.value().cause, StreamReset::Cause::kHeadersTooLarge);
  EXPECT_FALSE(fine.reset->retriable);
  EXPECT_TRUE(p.client->status().ok() && p.server->status().ok());
  EXPECT_EQ(p.server->stats().headers_too_large, 1u);
  EXPECT_EQ(p.client->stats().headers_too_large, 1u);
}

}  // namespace
}  // namespace meshlib::net
