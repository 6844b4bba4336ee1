// Clients that mean no good, over sockets: each is refused in bounded time and
// memory and counted, and others are served.
#include <string>
#include <vector>

#include "base/random.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "net/server_tls.h"
#include "test/net/http2_frames.h"
#include "test/net/server_harness.h"
#include "test/security/test_certificates.h"

namespace meshlib::net {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

// A few reads, then what is discarded until the client has seen the end.
constexpr uint64_t kMostRead = 1'500'000;

std::string Hello() { return kPreface + Frame(4, 0, 0, ""); }
// GET http://a/, which LoggingHandler does not answer.
std::string Get(uint32_t stream, int flags = 5) {
  return Frame(1, flags, stream,
               "\x82\x86\x84\x41\x01"
               "a");
}
class HostileTest : public ServerTest {
 protected:
  void SetUp() override { Serve(); }
  void TearDown() override {
    EXPECT_THAT(Ask("GET /ok HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"),
                HasSubstr("/ok"));
    Advance(absl::Hours(2));  // whatever is left lingers no longer
    EXPECT_TRUE(Until([&] { return stats().open_connections == 0; }));
    EXPECT_EQ(log_.open, 0);
    EXPECT_EQ(stats().open_requests, 0u);
  }
  // Sends for as long as the server lets us, at most so many bytes, and gives
  // how many the server read.
  uint64_t Flood(std::string_view first, std::string_view piece,
                 size_t most = size_t{50} << 20) {
    ByteClient client;
    Connect(client);
    client.Send(first);
    const std::string many = Repeat(piece, 1 + 100'000 / piece.size());
    const uint64_t before = stats().bytes_received;
    for (size_t sent = 0; sent < most; sent += many.size()) {
      client.Send(many);
      Until([&] { return client.over() || client.all_sent(); });
      if (client.over()) break;
    }
    EXPECT_TRUE(client.over());
    received_ = client.received;
    return stats().bytes_received - before;
  }
  uint64_t floods(Http2Flood kind) {
    Advance(absl::Seconds(3));  // counted when the connection is gone
    return stats().floods[static_cast<size_t>(kind)];
  }

  std::string received_;
};

// ---- HTTP/1.1

TEST_F(HostileTest, AnswersWhatCouldBeReadTwoWaysWith400) {
  const std::string kSmuggled = "GET /smuggled HTTP/1.1\r\nhost: a\r\n\r\n";
  for (const std::string& head : {
           std::string("content-length: 0\r\ntransfer-encoding: chunked\r\n"),
           std::string("content-length: 0\r\ncontent-length: 41\r\n"),
           std::string("content-length: 0, 41\r\n"),
           std::string("content-length: +1\r\n"),
           std::string("content-length: -1\r\n"),
           std::string("content-length: 0x10\r\n"),
           std::string("content-length: 99999999999999999999\r\n"),
           std::string("transfer-encoding: xchunked\r\n"),
           std::string("transfer-encoding: gzip, chunked\r\n"),
           std::string("transfer-encoding: chunked\r\n"
                       "transfer-encoding: identity\r\n"),
           std::string("transfer-encoding : chunked\r\n"),
           std::string("host: b\r\n"),
           std::string("x\0y: z\r\n", 8),
           std::string("x: y\rz: z\r\n"),
       }) {
    SCOPED_TRACE(head);
    const std::string answer = Ask("POST /ok HTTP/1.1\r\nhost: a\r\n" + head +
                                   "\r\n0\r\n\r\n" + kSmuggled);
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 400 Bad Request\r\n"));
    EXPECT_THAT(answer, HasSubstr("connection: close\r\n"));
    EXPECT_EQ(answer.find("HTTP/1.1", 1), std::string::npos);
  }
  for (const auto& request : log_.requests) {
    EXPECT_THAT(request, Not(HasSubstr("smuggled")));
  }
  EXPECT_EQ(stats().bad_requests, 14u);
}

TEST_F(HostileTest, RefusesWhatIsNoRequest) {
  for (const std::string& text :
       {std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc", 9) +
            std::string(64, '\0'),
        std::string("HELO there\r\n\r\n"), std::string("GET /\r\n\r\n"),
        std::string("GET / HTTP/9.9\r\n\r\n"),
        std::string("GET / HTTP/1.1\r\n\r\n"),
        std::string("GET / HTTP/1.1\r\nhost a\r\n\r\n"),
        std::string("PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n")}) {
    SCOPED_TRACE(text);
    EXPECT_THAT(Ask(text), StartsWith("HTTP/1.1 400 "));
  }
  EXPECT_TRUE(log_.requests.empty());
}

TEST_F(HostileTest, TakesNoMoreOfABodyThanWasAnnounced) {
  const std::string answer =
      Ask("POST /ok HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n\r\n"
          "bodyand more\r\n\r\n");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(answer, HasSubstr("/okHTTP/1.1 400 "));
  EXPECT_THAT(log_.requests[0], HasSubstr("<body>."));
}

TEST_F(HostileTest, ReadsEndlessHeadsNoFurtherThanTheirLimit) {
  const std::string kStart = "GET /ok HTTP/1.1\r\nhost: a\r\n";
  EXPECT_LT(Flood(kStart, "name: value\r\n"), kMostRead);
  EXPECT_THAT(received_, StartsWith("HTTP/1.1 431 "));
  EXPECT_LT(Flood(kStart + "name: ", "xxxxxxxx"), kMostRead);
  EXPECT_THAT(received_, StartsWith("HTTP/1.1 431 "));
  EXPECT_LT(Flood(kStart, "xxxxxxxx"), kMostRead);
  EXPECT_LT(Flood("GET /", "xxxxxxxx"), kMostRead);
  EXPECT_LT(Flood("", "xxxxxxxx"), kMostRead);
  EXPECT_GE(stats().headers_too_large, 3u);
}

TEST_F(HostileTest, ReadsEndlessFramingNoFurtherThanItsLimit) {
  const std::string kStart =
      "POST /stall HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";
  EXPECT_LT(Flood(kStart + "1;", "xxxxxxxx"), kMostRead);
  EXPECT_LT(Flood(kStart + "0\r\n", "name: value\r\n"), kMostRead);
  EXPECT_LT(Flood(kStart + "fffffffffffffffff\r\n", "xxxxxxxx"), kMostRead);
  EXPECT_LT(Flood(kStart, "0"), kMostRead);
  EXPECT_EQ(log_.resets, 4);
}

TEST_F(HostileTest, LimitsBodies) {
  ServerOptions options;
  options.max_request_body = 1000;
  Serve(options);
  EXPECT_THAT(Ask("POST /ok HTTP/1.1\r\nhost: a\r\ncontent-length: 1001\r\n"
                  "\r\n"),
              StartsWith("HTTP/1.1 413 "));
  EXPECT_TRUE(log_.requests.empty());
  EXPECT_THAT(Ask("POST /ok HTTP/1.1\r\nhost: a\r\n"
                  "transfer-encoding: chunked\r\n\r\n3e9\r\n" +
                  std::string(1001, 'x')),
              StartsWith("HTTP/1.1 413 "));
  Http2Client client(clock_.Now());
  Connect(client);
  Http2Client::Answer& said =
      client.Request("/ok", false, {{"content-length", "1001"}});
  ASSERT_TRUE(Until([&] { return said.closed; }));
  EXPECT_EQ(said.statuses, "413 ");
  Http2Client::Answer& unsaid = client.Request("/ok", false);
  unsaid.stream->Write(std::string(1001, 'x'), false);
  client.Flush();
  ASSERT_TRUE(Until([&] { return unsaid.closed; }));
  EXPECT_EQ(unsaid.statuses, "413 ");
  Http2Client::Answer& begun = client.Request("/echo", false);
  begun.stream->Write(std::string(1001, 'x'), false);
  client.Flush();
  ASSERT_TRUE(Until([&] { return begun.closed; }));
  EXPECT_TRUE(begun.reset.has_value());
  Http2Client::Answer& fine = client.Request("/ok", false);
  fine.stream->Write(std::string(1000, 'x'), true);
  client.Flush();
  ASSERT_TRUE(Until([&] { return fine.closed; }));
  EXPECT_EQ(fine.statuses, "200 ");
  EXPECT_EQ(stats().bodies_too_large, 5u);
}

TEST_F(HostileTest, LeavesABodyThatNobodyWants) {
  const uint64_t read = Flood(
      "POST /early HTTP/1.1\r\nhost: a\r\n"
      "content-length: 1000000000\r\n\r\n",
      "xxxxxxxx");
  EXPECT_THAT(received_, HasSubstr("early"));
  EXPECT_LT(read, 3'000'000u);
}

// ---- Slow clients

TEST_F(HostileTest, GivesAHeadItsTimeAndNoMore) {
  ByteClient slow;
  Connect(slow);
  ByteClient silent;
  Connect(silent);
  ByteClient undecided;
  Connect(undecided);
  undecided.Send("PRI * HTTP/2.0");
  ByteClient half;  // a preface without SETTINGS
  Connect(half);
  half.Send(kPreface);
  slow.Send("GET /ok HTTP/1.1\r\n");
  ASSERT_TRUE(Until([&] { return stats().connections == 4; }));
  Settle();
  for (int i = 0; i < 9; ++i) {
    slow.Send("x");
    Advance(absl::Seconds(1));
    ASSERT_FALSE(slow.over() || silent.over() || half.over());
  }
  Advance(absl::Seconds(1));
  EXPECT_TRUE(Until([&] {
    return slow.over() && silent.over() && undecided.over() && half.over();
  }));
  EXPECT_THAT(slow.received, StartsWith("HTTP/1.1 408 "));
  EXPECT_EQ(stats().header_timeouts, 4u);
  // The same for a later head.
  ByteClient later;
  Connect(later);
  later.Send("GET /ok HTTP/1.1\r\nhost: a\r\n\r\n");
  ASSERT_TRUE(Until([&] { return !later.received.empty(); }));
  Advance(absl::Seconds(60));
  later.Send("G");
  Settle();
  Advance(absl::Seconds(9));
  EXPECT_FALSE(later.over());
  Advance(absl::Seconds(1));
  EXPECT_TRUE(Until([&] { return later.over(); }));
  EXPECT_EQ(stats().header_timeouts, 5u);
}

TEST_F(HostileTest, TimesBodiesAndIdleness) {
  ByteClient body;
  Connect(body);
  body.Send("POST /ok HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nx");
  ByteClient idle;
  Connect(idle);
  idle.Send("GET /ok HTTP/1.1\r\nhost: a\r\n\r\n");
  Http2Client idle2(clock_.Now());
  Connect(idle2);
  Http2Client::Answer& answer = idle2.Request("/ok");
  ASSERT_TRUE(Until([&] {
    return answer.closed && !idle.received.empty() && log_.requests.size() == 3;
  }));
  Settle();
  Advance(absl::Minutes(5));
  EXPECT_TRUE(Until([&] { return body.over(); }));
  EXPECT_EQ(stats().body_timeouts, 1u);
  EXPECT_FALSE(idle.over() || idle2.over());
  Advance(absl::Minutes(55));
  EXPECT_TRUE(Until([&] { return idle.over() && idle2.over(); }));
  EXPECT_EQ(stats().idle_timeouts, 2u);
}

TEST_F(HostileTest, TimesReaders) {
  ByteClient reader;
  Connect(reader);
  reader.Send("GET /big HTTP/1.1\r\nhost: a\r\n\r\n");
  reader.Read(false);
  Http2Client reader2(clock_.Now());
  Connect(reader2);
  reader2.Request("/big").consume = false;  // its window stays shut
  ASSERT_TRUE(Until([&] { return log_.requests.size() == 2; }));
  // The system's buffers take more of it for a while.
  for (int i = 0; i < 20 && stats().write_timeouts == 0; ++i) {
    Advance(absl::Minutes(1));
  }
  EXPECT_EQ(stats().write_timeouts, 1u);
  EXPECT_EQ(log_.resets, 1);
  EXPECT_LT(stats().bytes_sent, 20'000'000u);
  reader2.Drop();
  EXPECT_TRUE(Until([&] { return log_.resets == 2; }));
}

// ---- HTTP/2

TEST_F(HostileTest, StopsFloodsOfFramesThatCostMore) {
  const std::string kPing = Frame(6, 0, 0, "12345678");
  const std::string kSettings = Frame(4, 0, 0, "");
  EXPECT_LT(Flood(Hello(), kPing), kMostRead);
  EXPECT_EQ(floods(Http2Flood::kPing), 1u);
  EXPECT_LT(Flood(Hello(), kSettings), kMostRead);
  EXPECT_EQ(floods(Http2Flood::kSettings), 1u);
  EXPECT_LT(Flood(Hello() + Get(1, 4), Frame(0, 0, 1, "")), kMostRead);
  EXPECT_EQ(floods(Http2Flood::kEmptyData), 1u);
  EXPECT_LT(Flood(Hello() + Get(1), Frame(8, 0, 0, std::string("\0\0\0\1", 4))),
            kMostRead);
  EXPECT_EQ(floods(Http2Flood::kWindowUpdate), 1u);
  EXPECT_LT(Flood(Hello(), Frame(99, 0, 0, "what")), kMostRead);
  EXPECT_EQ(floods(Http2Flood::kOther), 1u);
  const std::string kMore = Frame(9, 0, 1, std::string("\0\1a\1b", 5));
  EXPECT_LT(Flood(Hello() + Get(1, 1), kMore), kMostRead);
  EXPECT_EQ(floods(Http2Flood::kContinuation), 1u);
}

TEST_F(HostileTest, StopsRapidResets) {
  const auto pairs = [](uint32_t first, uint32_t count) {
    std::string all;
    for (uint32_t id = first; id < first + 2 * count; id += 2) {
      all += Get(id) + Frame(3, 0, id, std::string("\0\0\0\x8", 4));
    }
    return all;
  };
  ByteClient fast;
  Connect(fast);
  fast.Send(Hello() + pairs(1, 10'000));
  ASSERT_TRUE(Until([&] { return fast.over(); }));
  EXPECT_EQ(floods(Http2Flood::kReset), 1u);
  EXPECT_LT(log_.requests.size(), 6000u);
  ByteClient steady;
  Connect(steady);
  steady.Send(Hello());
  for (uint32_t first = 1; first < 10'000 && !steady.over(); first += 20) {
    steady.Send(pairs(first, 10));
    ASSERT_TRUE(Until([&] { return steady.all_sent() || steady.over(); }));
    loop_->RunReady();
  }
  ASSERT_TRUE(Until([&] { return steady.over(); }));
  Advance(absl::Seconds(3));
  EXPECT_GT(stats().premature_resets, 500u);
}

TEST_F(HostileTest, RefusesHeadersThatAreTooLargeFor2) {
  Http2Client client(clock_.Now());
  Connect(client);
  const std::string large(62'000, 'x');
  Http2Client::Answer& answer = client.Request("/ok", true, {{"x", large}});
  ASSERT_TRUE(Until([&] { return answer.closed || client.over(); }));
  EXPECT_EQ(answer.statuses, "431 ");
  EXPECT_TRUE(log_.requests.empty());
}

TEST_F(HostileTest, RefusesAHeaderBombOfTheCompression) {
  const std::string bomb = HeaderBomb(
      "\x82\x86\x84\x41\x01"
      "a",
      12'000);
  ByteClient client;
  Connect(client);
  client.Send(Hello() + Frame(1, 1, 1, bomb.substr(0, 16'000)) +
              Frame(9, 4, 1, bomb.substr(16'000)));
  ASSERT_TRUE(Until([&] { return client.received.size() > 60; }));
  Settle();
  EXPECT_TRUE(log_.requests.empty());
  client.Drop();
  EXPECT_TRUE(Until([&] { return stats().open_connections == 0; }));
  EXPECT_EQ(stats().headers_too_large, 1u);
}

TEST_F(HostileTest, SurvivesFramesThatAreCutOrChanged) {
  std::string whole =
      Hello() + Get(1) + Get(3, 4) + Frame(0, 0, 3, std::string(500, 'd')) +
      Frame(8, 0, 0, std::string("\0\0\1\0", 4)) + Frame(6, 0, 0, "12345678") +
      Get(5) + Frame(3, 0, 5, std::string("\0\0\0\x8", 4)) +
      Frame(7, 0, 0, std::string(8, '\0'));
  base::Random random(1);
  for (int i = 0; i < 300; ++i) {
    std::string bytes = whole.substr(0, random.Next() % whole.size());
    for (int changes = i % 3; changes > 0 && bytes.size() > 24; --changes) {
      bytes[24 + random.Next() % (bytes.size() - 24)] =
          static_cast<char>(random.Next());
    }
    ByteClient client;
    Connect(client);
    client.Send(bytes);
    ASSERT_TRUE(Until([&] { return client.all_sent() || client.over(); }));
    loop_->RunReady();
    if (i % 2 == 0) client.EndWrite();
  }
  EXPECT_TRUE(Until([&] {
    return stats().connections == 300 && stats().open_connections == 0;
  }));
}

TEST_F(HostileTest, LimitsConnectionsAndStreams) {
  ServerOptions options;
  options.max_connections = 3;
  options.http2.max_concurrent_streams = 2;
  Serve(options);
  ByteClient clients[5];
  for (ByteClient& client : clients) Connect(client);
  ASSERT_TRUE(Until([&] { return clients[3].over() && clients[4].over(); }));
  EXPECT_EQ(stats().open_connections, 3u);
  EXPECT_EQ(stats().refused_connections, 2u);
  clients[0].Send(Hello() + Get(1) + Get(3) + Get(5) + Get(7));
  const std::string kRefused = Frame(3, 0, 7, std::string("\0\0\0\x7", 4));
  EXPECT_TRUE(Until(
      [&] { return clients[0].received.find(kRefused) != std::string::npos; }));
  EXPECT_EQ(log_.open, 2);
  for (ByteClient& client : clients) client.Drop();
  EXPECT_TRUE(Until([&] { return stats().open_connections == 0; }));
}

// ---- One by one: what is answered, and what is counted

struct ClientRow {
  const char* name;
  std::string bytes;
  std::string answer;              // a part of it
  uint64_t ServerStats::*counter;  // one more; null: none
  bool ends = false;               // the client, after its bytes
};

std::vector<ClientRow> ClientRows() {
  using S = ServerStats;
  const std::string post = "POST /ok HTTP/1.1\r\nhost: a\r\n";
  const std::string chunked = post + "transfer-encoding: chunked\r\n\r\n";
  const auto number = [](uint32_t n) {
    return std::string({static_cast<char>(n >> 24), static_cast<char>(n >> 16),
                        static_cast<char>(n >> 8), static_cast<char>(n)});
  };
  const std::string get =
      "\x82\x86\x84\x41\x01"
      "a";
  const std::string head =
      "\x83\x86\x84\x41\x01"
      "a";
  const auto reset = [&](uint32_t code) {
    return Frame(kReset, 0, 1, number(code));
  };
  const std::string kGoodbye("\x07\0\0\0\0\0", 6);  // a GOAWAY
  return {
      {"ChunkSize", chunked + "xyz\r\n", " 400 ", &S::bad_requests},
      {"CutHead", "GET /ok HTTP/1.1\r\nho", "", nullptr, true},
      {"CutBody", post + "content-length: 9\r\n\r\nshort", "",
       &S::resets_received, true},
      {"CutChunk", chunked + "9\r\nshort", "", &S::resets_received, true},
      {"NoHttp2", Hello() + "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", kGoodbye,
       &S::invalid_frames},
      {"LargeFrame", Hello() + std::string("\xff\xff\xff\0\0\0\0\0\1", 9),
       kGoodbye, &S::invalid_frames},
      {"BadSettings",
       Hello() +
           Frame(kSettings, 0, 0, std::string("\0\4", 2) + number(0x80000000u)),
       kGoodbye, &S::invalid_frames},
      {"WindowOverflow",
       Hello() + Frame(kWindowUpdate, 0, 0, number(0x7fffffff)), kGoodbye,
       &S::invalid_frames},
      {"ContinuationOfNothing",
       Hello() + Frame(kContinuation, kEndHeaders, 1, get), kGoodbye,
       &S::invalid_frames},
      {"Push", Hello() + Frame(kPush, kEndHeaders, 1, number(2) + get),
       kGoodbye, &S::invalid_frames},
      {"ResetOfNobody", Hello() + reset(8), kGoodbye, &S::invalid_frames},
      {"DataOfNobody", Hello() + Frame(kData, 0, 1, "x"), kGoodbye,
       &S::invalid_frames},
      {"EvenStream", Hello() + Get(2), kGoodbye, &S::invalid_frames},
      {"Compression",
       Hello() + Frame(kHeaders, 5, 1, "\xff\xff\xff\xff\xff\xff\xff"),
       kGoodbye, &S::invalid_frames},
      {"UpperCase", Hello() + Frame(kHeaders, 5, 1, get + Literal("A", "b")),
       reset(1), &S::invalid_frames},
      {"ConnectionHeader",
       Hello() +
           Frame(kHeaders, 5, 1, get + Literal("connection", "keep-alive")),
       reset(1), &S::invalid_frames},
      {"NoPath", Hello() + Frame(kHeaders, 5, 1, "\x82\x86"), reset(1),
       &S::invalid_frames},
      {"BodyTooLong",
       Hello() +
           Frame(kHeaders, kEndHeaders, 1,
                 head + Literal("content-length", "1")) +
           Frame(kData, kEndStream, 1, "xx"),
       reset(1), &S::invalid_frames},
      {"BodyTooShort",
       Hello() +
           Frame(kHeaders, kEndHeaders, 1,
                 head + Literal("content-length", "9")) +
           Frame(kData, kEndStream, 1, "xx"),
       reset(1), &S::invalid_frames},
      {"ManyHeaders",
       Hello() + Frame(kHeaders, 5, 1, get + Repeat(Literal("a", "b"), 101)),
       "", &S::headers_too_large},
      {"CutFrame", Hello() + Get(1, kEndHeaders) + std::string(5, '\0'), "",
       &S::resets_received, true},
  };
}

TEST_F(HostileTest, RefusesAndCountsEach) {
  for (const ClientRow& row : ClientRows()) {
    SCOPED_TRACE(row.name);
    // A request that has begun when the bad one comes.
    ByteClient good;
    Connect(good);
    good.Send("GET /ok HTTP/1.1\r\nconnection: close\r\n");
    ASSERT_TRUE(Until([&] { return good.all_sent(); }));
    const uint64_t before = row.counter == nullptr ? 0 : stats().*row.counter;
    const uint64_t read_before = stats().bytes_received;
    ByteClient bad;
    Connect(bad);
    bad.Send(row.bytes);
    ASSERT_TRUE(Until([&] { return bad.all_sent() || bad.over(); }));
    if (row.ends) bad.EndWrite();
    ASSERT_TRUE(Until([&] {
      return row.ends ? bad.over()
                      : bad.received.find(row.answer) != std::string::npos;
    })) << bad.received;
    Settle();
    good.Send("host: a\r\n\r\n");
    ASSERT_TRUE(Until([&] { return good.over(); }));
    EXPECT_THAT(good.received, HasSubstr("/ok"));
    good.Drop();
    bad.Drop();
    Advance(absl::Seconds(3));
    ASSERT_TRUE(Until([&] { return stats().open_connections == 0; }));
    if (row.counter != nullptr) EXPECT_EQ(stats().*row.counter, before + 1);
    EXPECT_LT(stats().bytes_received - read_before, 10'000u);
  }
}

class HostileTlsClients : public ServerTest {
 protected:
  void SetUp() override {
    security::TlsOptions options;
    options.material = root_.Issue({"leaf", "DNS:a"});
    options.material.trusted_ca = root_.pem();
    options.require_client_certificate = true;
    security_ = std::make_unique<ServerTls>(
        loop_.get(), Make(security::TlsContext::Role::kServer, options));
    server_ = std::make_unique<HttpServer>(loop_.get(), ServerOptions(), this,
                                           security_.get());
    const auto address = server_->Listen(network_, "127.0.0.1:0");
    ASSERT_TRUE(address.ok()) << address.status();
    address_ = *address;
  }
  static TlsStream::Context Make(security::TlsContext::Role role,
                                 const security::TlsOptions& options) {
    auto made = security::TlsContext::Create(role, options);
    EXPECT_TRUE(made.ok()) << made.status();
    return *std::move(made);
  }
  // A client of this root with such a certificate; null: none.
  void ConnectTls(ByteClient& client, const security::TlsMaterial* own) {
    security::TlsOptions options;
    if (own != nullptr) options.material = *own;
    options.material.trusted_ca = root_.pem();
    client.ConnectTls(loop_.get(), network_, address_,
                      Make(security::TlsContext::Role::kClient, options), {});
  }
  void ExpectServed() {
    const security::TlsMaterial own = root_.Issue({"leaf", "DNS:b"});
    ByteClient good;
    ConnectTls(good, &own);
    good.Send("GET /ok HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
    EXPECT_TRUE(Until([&] { return good.over(); }));
    EXPECT_THAT(good.received, HasSubstr("/ok"));
  }

  const security::TestCa root_;
  std::unique_ptr<ServerTls> security_;
};

TEST_F(HostileTlsClients, AreGivenTheirTimeAndNoMore) {
  ByteClient silent;
  Connect(silent);
  ByteClient half;
  Connect(half);
  half.Send(std::string("\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03", 11));
  ASSERT_TRUE(Until([&] { return stats().connections == 2; }));
  Settle();
  Advance(absl::Seconds(9));
  EXPECT_FALSE(silent.over() || half.over());
  ExpectServed();
  Advance(absl::Seconds(1));
  EXPECT_TRUE(Until([&] { return silent.over() && half.over(); }));
  EXPECT_EQ(stats().handshake_timeouts, 2u);
  EXPECT_TRUE(Until([&] { return stats().open_connections == 0; }));
}

TEST_F(HostileTlsClients, AreRefusedWithoutTheirCertificates) {
  security::TestLeaf expired;
  expired.not_before_seconds = -7200;
  expired.not_after_seconds = -60;
  const security::TlsMaterial old = root_.Issue(expired);
  const security::TlsMaterial foreign =
      security::TestCa("another root").Issue({"leaf", "DNS:b"});
  uint64_t refused = 0;
  for (const security::TlsMaterial* const own :
       {static_cast<const security::TlsMaterial*>(nullptr), &old, &foreign}) {
    ByteClient client;
    ConnectTls(client, own);
    client.Send("GET /ok HTTP/1.1\r\nhost: a\r\n\r\n");
    EXPECT_TRUE(Until([&] { return client.over(); }));
    EXPECT_EQ(client.received, "");
    EXPECT_EQ(stats().failed_handshakes, ++refused);
  }
  ByteClient noise;
  Connect(noise);
  noise.Send("GET /ok HTTP/1.1\r\nhost: a\r\n\r\n");
  EXPECT_TRUE(Until([&] { return noise.over(); }));
  EXPECT_EQ(stats().failed_handshakes, ++refused);
  EXPECT_TRUE(log_.requests.empty());
  ExpectServed();
}

}  // namespace
}  // namespace meshlib::net
