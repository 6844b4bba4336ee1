#include "net/http_server.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "test/net/server_harness.h"

namespace meshlib::net {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr char kOk[] = "GET /ok HTTP/1.1\r\nhost: a\r\n\r\n";
constexpr char kOkAnswer[] = "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n/ok";

TEST_F(ServerTest, AnswersBothProtocolsAtOneAddress) {
  Serve();
  ByteClient one;
  Connect(one);
  one.Send(kOk);
  Http2Client two(clock_.Now());
  Connect(two);
  Http2Client::Answer& answer = two.Request("/ok");
  ASSERT_TRUE(Until([&] { return one.received == kOkAnswer && answer.closed; }))
      << one.received;
  EXPECT_EQ(answer.statuses, "200 ");
  EXPECT_EQ(answer.body, "/ok");
  const char kSeen[] = ":method=GET :scheme=http :authority=a :path=/ok .";
  EXPECT_THAT(log_.requests, ElementsAre(kSeen, kSeen));
  EXPECT_EQ(log_.open, 0);
  EXPECT_EQ(stats().http1_connections, 1u);
  EXPECT_EQ(stats().http2_connections, 1u);
  EXPECT_EQ(stats().responses, 2u);
  EXPECT_EQ(stats().open_requests, 0u);
}

TEST_F(ServerTest, KnowsThePrefaceInAnyPieces) {
  Serve();
  Http2Client client(clock_.Now());
  std::string hello;
  ASSERT_TRUE(client.session().TakeOutput(hello).ok());
  Connect(client);
  // The preface has 24 bytes; its last one comes with the rest.
  for (size_t i = 0; i < 23; ++i) {
    client.Send(hello.substr(i, 1));
    ASSERT_TRUE(Until([&] { return client.all_sent(); }));
    loop_->RunReady();
  }
  client.Send(hello.substr(23));
  Http2Client::Answer& answer = client.Request("/ok");
  ASSERT_TRUE(Until([&] { return answer.closed; }));
  EXPECT_EQ(answer.body, "/ok");
}

TEST_F(ServerTest, StreamsBothWaysWithTrailers) {
  Serve();
  Http2Client two(clock_.Now());
  Connect(two);
  Http2Client::Answer& answer = two.Request("/echo", false);
  answer.stream->Write("one", false);
  two.Flush();
  ASSERT_TRUE(Until([&] { return answer.body == "one"; }));
  EXPECT_FALSE(answer.ended);
  answer.stream->Write("two", false);
  (void)answer.stream->SendTrailers({});
  two.Flush();
  ASSERT_TRUE(Until([&] { return answer.closed; }));
  EXPECT_EQ(answer.body, "onetwo");
  EXPECT_EQ(answer.trailers, "t=1");

  ByteClient one;
  Connect(one);
  one.Send(
      "POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n"
      "\r\n3\r\none\r\n");
  ASSERT_TRUE(Until([&] {
    return one.received ==
           "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n";
  })) << one.received;
  one.received.clear();
  one.Send("3\r\ntwo\r\n0\r\nu: 2\r\n\r\n");
  ASSERT_TRUE(Until([&] {
    return one.received == "3\r\ntwo\r\n0\r\nt: 1\r\n\r\n";
  })) << one.received;
  EXPECT_THAT(log_.requests[1], HasSubstr("<one><two>Tu=2."));
  one.received.clear();
  one.Send(kOk);  // the connection goes on
  ASSERT_TRUE(Until([&] { return one.received == kOkAnswer; }));
}

TEST_F(ServerTest, WaitsForSlowReaders) {
  Serve();
  Http2Client two(clock_.Now());
  Connect(two);
  two.Request("/ok");
  Http2Client::Answer& answer = two.Request("/big");
  ByteClient one;
  Connect(one);
  one.Send("GET /big HTTP/1.1\r\nhost: a\r\n\r\n");
  one.Read(false);
  ASSERT_TRUE(Until([&] { return answer.closed; }));
  EXPECT_EQ(answer.body.size(), 30'000'000u);
  one.Read(true);
  ASSERT_TRUE(Until([&] { return one.received.size() > 30'000'000u; }));
  EXPECT_EQ(one.received.size(), 30'000'000u + one.received.find("bbb"));
}

TEST_F(ServerTest, MakesClientsWaitForHandlersThatDoNotConsume) {
  ServerOptions options;
  options.http1_window = 100'000;
  options.http2.initial_stream_window = 100'000;
  Serve(options);
  for (const bool http2 : {true, false}) {
    SCOPED_TRACE(http2);
    ByteClient one;
    Http2Options large;
    large.send_buffer = 1 << 20;
    Http2Client two(clock_.Now(), large);
    log_.requests.clear();
    if (http2) {
      Connect(two);
      Http2Client::Answer& answer = two.Request("/hold", false);
      ASSERT_TRUE(Until([&] { return !log_.requests.empty(); }));
      answer.stream->Write(std::string(300'000, 'm'), false);
      two.Flush();
    } else {
      Connect(one);
      one.Send(
          "POST /hold HTTP/1.1\r\nhost: a\r\ncontent-length: 20000000\r\n"
          "\r\n" +
          std::string(20'000'000, 'm'));
    }
    ASSERT_TRUE(Until([&] {
      return !log_.requests.empty() && log_.requests[0].size() > 60'000;
    }));
    for (int i = 0; i < 50; ++i) loop_->RunOnce(absl::Milliseconds(1));
    EXPECT_LT(log_.requests[0].size(), 200'000u);
    EXPECT_EQ(log_.open, 1);
    two.Drop();
    EXPECT_TRUE(Until([&] { return log_.open == (http2 ? 0 : 1); }));
  }
}

TEST_F(ServerTest, AnswersPipelinedRequestsInOrder) {
  Serve();
  std::string all;
  std::string wanted;
  for (int i = 0; i < 500; ++i) {
    const std::string path = "/ok" + std::to_string(100 + i);
    all += "GET " + path + " HTTP/1.1\r\nhost: a\r\n\r\n";
    wanted += "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n" + path;
  }
  ByteClient client;
  Connect(client);
  client.Send(all);
  ASSERT_TRUE(Until([&] { return client.received.size() >= wanted.size(); }));
  EXPECT_EQ(client.received, wanted);
}

TEST_F(ServerTest, KeepsFewOfTheRequestsThatAreSentAhead) {
  Serve();
  ByteClient client;
  Connect(client);
  client.Send("GET /stall HTTP/1.1\r\nhost: a\r\n\r\n");
  ASSERT_TRUE(Until([&] { return log_.open == 1; }));
  std::string all;
  for (int i = 0; i < 500'000; ++i) all += kOk;
  client.Send(all);
  for (int i = 0; i < 100; ++i) loop_->RunOnce(absl::Milliseconds(1));
  EXPECT_FALSE(client.all_sent());
  EXPECT_LT(stats().bytes_received, 300'000u);
  EXPECT_EQ(log_.requests.size(), 1u);
  // Those come to their turn.
  log_.last->SendHeaders({{":status", "204"}}, true).IgnoreError();
  ASSERT_TRUE(Until([&] { return log_.requests.size() > 20'000u; }));
}

TEST_F(ServerTest, SaysContinueBeforeABody) {
  Serve();
  ByteClient client;
  Connect(client);
  client.Send(
      "POST /ok HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\n"
      "content-length: 2\r\n\r\n");
  ASSERT_TRUE(Until(
      [&] { return client.received == "HTTP/1.1 100 Continue\r\n\r\n"; }));
  client.received.clear();
  client.Send("hi");
  ASSERT_TRUE(Until([&] { return client.received == kOkAnswer; }));
  // A client that is answered at once may not send the body at all.
  client.received.clear();
  client.Send(
      "POST /early HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\n"
      "content-length: 2\r\n\r\n");
  ASSERT_TRUE(Until([&] { return client.ended; }));
  EXPECT_EQ(client.received,
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\n"
            "early");
  Http2Client two(clock_.Now());
  Connect(two);
  Http2Client::Answer& answer =
      two.Request("/ok", false, {{"expect", "100-continue"}});
  ASSERT_TRUE(Until([&] { return answer.statuses == "100 "; }));
  answer.stream->Write("hi", true);
  two.Flush();
  ASSERT_TRUE(Until([&] { return answer.closed; }));
  EXPECT_EQ(answer.statuses, "100 200 ");
}

TEST_F(ServerTest, HandsOverAnUpgradedConnection) {
  Serve();
  ByteClient client;
  Connect(client);
  client.Send(
      "GET /upgrade HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\n"
      "upgrade: test\r\n\r\nahead");
  const std::string head =
      "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\n"
      "upgrade: test\r\n\r\n";
  ASSERT_TRUE(Until([&] { return client.received == head + "ahead"; }))
      << client.received;
  client.Send(" GET / HTTP/1.1\r\n\r\n");
  ASSERT_TRUE(Until([&] {
    return client.received == head + "ahead GET / HTTP/1.1\r\n\r\n";
  }));
  client.EndWrite();
  ASSERT_TRUE(Until([&] { return client.over(); }));
  EXPECT_TRUE(client.ended);
  EXPECT_EQ(log_.open, 0);
  EXPECT_EQ(log_.resets, 0);
}

TEST_F(ServerTest, FramesResponsesAsTheirRequestsAllow) {
  Serve();
  EXPECT_EQ(
      Ask("HEAD /ok HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"),
      "HTTP/1.1 200 OK\r\ncontent-length: 3\r\nconnection: close\r\n\r\n");
  EXPECT_EQ(Ask("GET /ok HTTP/1.0\r\n\r\n"),
            "HTTP/1.1 200 OK\r\ncontent-length: 3\r\nconnection: close\r\n\r\n"
            "/ok");
  // No chunks for who knows none: the end is the connection's.
  EXPECT_EQ(Ask("GET /echo HTTP/1.0\r\nconnection: keep-alive\r\n\r\n"),
            "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n");
  // A body that is too short is no whole response.
  EXPECT_EQ(Ask("GET /short HTTP/1.1\r\nhost: a\r\n\r\n"),
            "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nshort");
  EXPECT_THAT(Ask("GET http://b/ok?x HTTP/1.1\r\nhost: a\r\n"
                  "connection: close\r\n\r\n"),
              HasSubstr("/ok?x"));
  EXPECT_THAT(log_.requests.back(), HasSubstr(":authority=b :path=/ok?x ."));
}

TEST_F(ServerTest, SendsNoBodyToHeadOverHttp2) {
  Serve();
  Http2Client two(clock_.Now());
  Connect(two);
  Http2Client::Answer& head = two.Request("/ok", true, {}, "HEAD");
  Http2Client::Answer& get = two.Request("/ok");
  ASSERT_TRUE(Until([&] { return head.closed && get.closed; }));
  EXPECT_FALSE(head.reset.has_value());
  EXPECT_EQ(head.statuses, get.statuses);
  EXPECT_EQ(head.body, "");
  EXPECT_NE(get.body, "");
}

TEST_F(ServerTest, TellsOfClientsThatGiveUp) {
  Serve();
  ByteClient one;
  Connect(one);
  one.Send("GET /stall HTTP/1.1\r\nhost: a\r\n\r\n");
  Http2Client two(clock_.Now());
  Connect(two);
  Http2Client::Answer& cancelled = two.Request("/stall");
  two.Request("/stall");
  ASSERT_TRUE(Until([&] { return log_.open == 3; }));
  cancelled.stream->Cancel();
  two.Flush();
  ASSERT_TRUE(Until([&] { return log_.resets == 1; }));
  one.Drop();
  ASSERT_TRUE(Until([&] { return log_.resets == 2; }));
  two.ResetIt();
  ASSERT_TRUE(Until([&] { return log_.resets == 3; }));
  EXPECT_EQ(log_.open, 0);
  EXPECT_EQ(stats().resets_received, 3u);
  EXPECT_EQ(stats().open_connections, 0u);
}

TEST_F(ServerTest, ResetsOneRequestForAHandler) {
  Serve();
  Http2Client two(clock_.Now());
  Connect(two);
  Http2Client::Answer& reset = two.Request("/reset");
  Http2Client::Answer& other = two.Request("/ok");
  ASSERT_TRUE(Until([&] { return reset.closed && other.closed; }));
  EXPECT_EQ(reset.reset->error_code, 11u);
  EXPECT_EQ(other.statuses, "200 ");
  EXPECT_EQ(Ask("GET /reset HTTP/1.1\r\nhost: a\r\n\r\n"), "");
  EXPECT_EQ(stats().resets_sent, 2u);
  EXPECT_EQ(log_.open, 0);
}

TEST_F(ServerTest, RefusesWhatTheFactoryRefuses) {
  Serve();
  refuse_ = true;
  Http2Client two(clock_.Now());
  Connect(two);
  Http2Client::Answer& answer = two.Request("/ok");
  ASSERT_TRUE(Until([&] { return answer.closed; }));
  EXPECT_TRUE(answer.reset->retriable);
  EXPECT_THAT(Ask(kOk), StartsWith("HTTP/1.1 503 "));
  EXPECT_EQ(stats().refused_requests, 2u);
}

TEST_F(ServerTest, DrainsWithoutALostRequest) {
  Serve();
  ByteClient idle;
  Connect(idle);
  idle.Send(kOk);
  ByteClient again;
  Connect(again);
  again.Send(kOk);
  ByteClient fresh;
  Connect(fresh);
  ByteClient silent;
  Connect(silent);
  ByteClient one;
  Connect(one);
  one.Send("GET /stall HTTP/1.1\r\nhost: a\r\n\r\n");
  Http2Client two(clock_.Now());
  Connect(two);
  Http2Client::Answer& before = two.Request("/stall");
  ASSERT_TRUE(Until([&] {
    return log_.open == 2 && !idle.received.empty() &&
           !again.received.empty() && stats().open_connections == 6;
  }));
  ServerStream* const stalled = log_.last;
  bool done = false;
  server_->Drain(clock_.Now() + absl::Seconds(10), [&] { done = true; });
  // Not told yet: these are under way when the server goes.
  Http2Client::Answer& meanwhile = two.Request("/ok");
  again.Send(kOk);
  fresh.Send(kOk);
  ASSERT_TRUE(Until([&] { return again.ended && fresh.ended; }));
  EXPECT_THAT(again.received, HasSubstr("connection: close"));
  EXPECT_THAT(fresh.received, StartsWith("HTTP/1.1 200 "));
  EXPECT_FALSE(idle.ended);
  EXPECT_FALSE(silent.ended);
  Advance(ServerOptions().drain_grace);
  ASSERT_TRUE(Until([&] { return idle.ended && silent.ended; }));
  ASSERT_TRUE(Until([&] { return meanwhile.closed; }));
  EXPECT_EQ(meanwhile.statuses, "200 ");
  ASSERT_TRUE(Until([&] { return two.goaways.size() == 2; }));
  EXPECT_FALSE(done);
  stalled->SendHeaders({{":status", "204"}}, true).IgnoreError();
  ASSERT_TRUE(Until([&] { return before.closed && two.over(); }));
  EXPECT_EQ(before.statuses, "204 ");
  ByteClient late;
  Connect(late);
  Settle();
  EXPECT_FALSE(late.connected);
  // The last one has until the deadline.
  EXPECT_FALSE(done);
  Advance(absl::Seconds(10));
  ASSERT_TRUE(Until([&] { return one.reset && done; }));
  EXPECT_EQ(log_.open, 0);
}

TEST_F(ServerTest, EndsConnectionsThatHadTheirRequests) {
  ServerOptions options;
  options.max_requests_per_connection = 2;
  Serve(options);
  EXPECT_EQ(Ask(std::string(kOk) + kOk + kOk),
            std::string(kOkAnswer) +
                "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n"
                "connection: close\r\n\r\n/ok");
  Http2Client two(clock_.Now());
  Connect(two);
  two.Request("/ok");
  Http2Client::Answer& last = two.Request("/ok");
  ASSERT_TRUE(Until([&] { return two.ended; }));
  EXPECT_EQ(last.statuses, "200 ");
  ASSERT_FALSE(two.goaways.empty());
  EXPECT_EQ(two.goaways[0], 0u);
}

TEST_F(ServerTest, MayBeDestroyedWithRequestsOpen) {
  Serve();
  ByteClient one;
  Connect(one);
  one.Send("GET /stall HTTP/1.1\r\nhost: a\r\n\r\n");
  Http2Client two(clock_.Now());
  Connect(two);
  two.Request("/stall");
  ASSERT_TRUE(Until([&] { return log_.open == 2; }));
  log_.last->Write("x", false);  // a task is posted
  server_.reset();
  EXPECT_EQ(log_.open, 0);
  EXPECT_EQ(log_.resets, 2);
  ASSERT_TRUE(Until([&] { return one.over() && two.over(); }));
}

TEST_F(ServerTest, AbortsAllConnections) {
  Serve();
  ByteClient clients[5];
  for (ByteClient& client : clients) {
    Connect(client);
    client.Send("GET /stall HTTP/1.1\r\nhost: a\r\n\r\n");
  }
  ASSERT_TRUE(Until([&] { return log_.open == 5; }));
  server_->AbortConnections();
  EXPECT_EQ(log_.open, 0);
  for (ByteClient& client : clients) {
    EXPECT_TRUE(Until([&] { return client.reset; }));
  }
  EXPECT_THAT(Ask("GET /ok HTTP/1.0\r\n\r\n"), HasSubstr("/ok"));
}

TEST_F(ServerTest, PingsIdleClients) {
  ServerOptions options;
  options.http2.keepalive_interval = absl::Seconds(30);
  options.http2.keepalive_timeout = absl::Seconds(5);
  options.idle_timeout = absl::Hours(5);
  Serve(options);
  Http2Client client(clock_.Now());
  Connect(client);
  Http2Client::Answer& answer = client.Request("/stall");
  ASSERT_TRUE(Until([&] { return log_.open == 1; }));
  const uint64_t before = stats().bytes_received;
  Advance(absl::Seconds(30));
  ASSERT_TRUE(Until([&] { return stats().bytes_received > before; }));
  EXPECT_FALSE(answer.closed);
  client.Read(false);
  Advance(absl::Seconds(30));
  Advance(absl::Seconds(5));
  EXPECT_TRUE(Until([&] { return log_.resets == 1; }));
  Advance(absl::Seconds(2));
  EXPECT_TRUE(Until([&] { return stats().keepalive_timeouts == 1; }));
}

}  // namespace
}  // namespace meshlib::net
