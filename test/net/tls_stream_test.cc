#include "net/tls_stream.h"

#include <poll.h>
#include <sys/socket.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "net/socket_network.h"
#include "test/net/counting_stream.h"
#include "test/net/stream_end.h"
#include "test/net/tls_stream_fixture.h"
#include "test/security/test_certificates.h"

namespace meshlib::net {
namespace {

using event::IoResult;
using security::TestCa;
using security::TestLeaf;
using security::TlsContext;
using security::TlsOptions;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST_F(TlsStreamTest, ConnectsAfterTheHandshakeAndTellsWhoThePeerIs) {
  ConnectBoth();
  EXPECT_EQ(client_.connects, 1);
  EXPECT_EQ(server_.connects, 1);
  EXPECT_EQ(client_tls_->alpn(), "h2");
  EXPECT_EQ(server_tls_->alpn(), "h2");
  EXPECT_EQ(server_tls_->sni(), "echo.shop");
  EXPECT_THAT(client_tls_->peer().uris, ElementsAre(kServerId));
  EXPECT_THAT(server_tls_->peer().uris, ElementsAre(kClientId));
  EXPECT_EQ(client_tls_->version(), "TLSv1.3");
  EXPECT_FALSE(client_tls_->resumed());
  EXPECT_EQ(client_.stream().PeerAddress(), listener_->Address());
}

TEST_F(TlsStreamTest, ResumesSessionsOfTheSameKey) {
  session_.session_key = "echo";
  ConnectBoth();
  server_.Send("answer");  // behind the tickets
  ASSERT_TRUE(Until([&] { return client_.received == "answer"; }));
  client_.Drop();
  ASSERT_TRUE(Until([&] { return server_.ended; }));
  EXPECT_EQ(server_.end, IoResult::Code::kEnded);  // close_notify was sent
  Connect();
  ASSERT_TRUE(
      Until([&] { return client_.connects == 2 && server_.connects == 2; }));
  EXPECT_TRUE(client_tls_->resumed());
  EXPECT_TRUE(server_tls_->resumed());
  EXPECT_THAT(client_tls_->peer().uris, ElementsAre(kServerId));
}

TEST_F(TlsStreamTest, CarriesMuchInBothDirectionsAtOnce) {
  ConnectBoth();
  const std::string up = Pattern(12'345'678);
  const std::string down = Pattern(11'111'111);
  client_.Send(up);
  server_.Send(down);
  ASSERT_TRUE(Until([&] {
    return server_.received.size() == up.size() &&
           client_.received.size() == down.size();
  }));
  EXPECT_TRUE(server_.received == up);
  EXPECT_TRUE(client_.received == down);
}

TEST_F(TlsStreamTest, WaitsForAPeerThatDoesNotRead) {
  ConnectBoth();
  server_.stream().WantRead(false);
  const std::string much = Pattern(20'000'000);
  client_.Send(much);
  ASSERT_TRUE(Until([&] { return client_.blocked > 0; }));
  const size_t left = client_.unsent.size();
  for (int i = 0; i < 20; ++i) loop_->RunReady();
  EXPECT_EQ(client_.unsent.size(), left);
  server_.stream().WantRead(true);
  ASSERT_TRUE(Until([&] { return server_.received.size() == much.size(); }));
  EXPECT_TRUE(server_.received == much);
}

TEST_F(TlsStreamTest, SendsWhatWaitsThoughNobodyWantsToWrite) {
  ConnectBoth();
  server_.stream().WantRead(false);
  const std::string much = Pattern(20'000'000);
  size_t taken = 0;
  while (true) {
    const std::string_view piece = std::string_view(much).substr(taken);
    const IoResult result = client_.stream().Write({&piece, 1});
    if (result.code != IoResult::Code::kDone) break;
    taken += result.bytes;
  }
  ASSERT_LT(taken, much.size());
  server_.stream().WantRead(true);
  ASSERT_TRUE(Until([&] { return server_.received.size() == taken; }));
  EXPECT_TRUE(server_.received == much.substr(0, taken));
}

TEST_F(TlsStreamTest, OneThreadReadsWhileAnotherWrites) {
  ConnectBoth();
  // The server sends back what it gets.
  server_.on_readable = [&] {
    server_.unsent += std::exchange(server_.received, "");
    server_.stream().WantWrite(true);
  };
  std::atomic<bool> done{false};
  const std::string much = Pattern(5'000'000);
  std::string received;
  client_.stream().WantRead(false);
  event::Stream& stream = client_.stream();
  const auto wait = [&](short what) {
    pollfd descriptor = {stream.Descriptor(), what, 0};
    EXPECT_EQ(poll(&descriptor, 1, 10'000), 1);
    return descriptor.revents != 0;
  };
  std::thread writer([&] {
    std::string_view rest = much;
    while (!rest.empty()) {
      const std::string_view piece = rest.substr(0, 70'001);
      const IoResult result = stream.Write({&piece, 1});
      if (result.code == IoResult::Code::kFailed) return;
      if (result.code == IoResult::Code::kBlocked && !wait(POLLOUT)) return;
      rest.remove_prefix(result.bytes);
    }
  });
  std::thread reader([&] {
    std::vector<char> buffer(50'000);
    while (received.size() < much.size()) {
      const IoResult result = stream.Read(absl::MakeSpan(buffer));
      if (result.code == IoResult::Code::kFailed) break;
      if (result.code == IoResult::Code::kBlocked && !wait(POLLIN)) break;
      received.append(buffer.data(), result.bytes);
    }
    done = true;
  });
  EXPECT_TRUE(Until([&] { return done.load(); }));
  writer.join();
  reader.join();
  EXPECT_TRUE(received == much);
}

TEST_F(TlsStreamTest, ComesBackForWhatIsLeftInsideTls) {
  ConnectBoth();
  client_.read_size = 7;
  const std::string text = Pattern(1000);  // one record
  server_.Send(text);
  ASSERT_TRUE(Until([&] { return client_.received.size() == text.size(); }));
  EXPECT_EQ(client_.received, text);
}

TEST_F(TlsStreamTest, WantingToReadFindsWhatIsLeftInsideTls) {
  ConnectBoth();
  client_.read_size = 7;
  client_.on_readable = [&] {
    if (!client_.received.empty()) client_.stream().WantRead(false);
  };
  server_.Send("0123456789");
  ASSERT_TRUE(Until([&] { return !client_.received.empty(); }));
  pollfd descriptor = {client_.stream().Descriptor(), POLLIN, 0};
  EXPECT_EQ(poll(&descriptor, 1, 0), 0);  // the system has nothing
  for (int i = 0; i < 5; ++i) loop_->RunReady();
  EXPECT_EQ(client_.received, "0123456");
  client_.stream().WantRead(true);
  ASSERT_TRUE(Until([&] { return client_.received == "0123456789"; }));
  EXPECT_EQ(Read(client_.stream()).code, IoResult::Code::kBlocked);
}

TEST_F(TlsStreamTest, GathersSmallPiecesIntoOneRecord) {
  Listen(/*tls=*/false);
  // The server's end stands on plain bytes, to count what comes.
  TlsOptions options = server_options_;
  options.require_client_certificate = false;
  options.tls_maximum_protocol_version = security::TlsVersion::kTls12;
  Connect();
  ASSERT_TRUE(Until([&] { return accepted_ > 0; }));
  auto session = security::TlsSession::Create(
      Make(TlsContext::Role::kServer, options), {});
  ASSERT_TRUE(session.ok());
  std::string raw;
  server_.on_readable = [&] {
    raw = std::exchange(server_.received, "");
    ASSERT_TRUE((*session)->Receive(raw).ok());
    server_.unsent += (*session)->PendingCiphertext();
    (*session)->ConsumeCiphertext((*session)->PendingCiphertext().size());
    server_.stream().WantWrite(true);
  };
  server_.stream().WantRead(true);
  ASSERT_TRUE(Until([&] { return client_.connects > 0; }));
  ASSERT_TRUE(client_.connected.ok()) << client_.connected;
  const std::vector<std::string_view> pieces = {"", "head", "", "er", "body"};
  EXPECT_EQ(client_.stream().Write(pieces).bytes, 10);
  raw.clear();
  ASSERT_TRUE(Until([&] { return !raw.empty(); }));
  // A header of five bytes, an explicit nonce of eight and a tag of 16 at the
  // most: there is room for one record only.
  EXPECT_LE(raw.size(), 10U + 5 + 8 + 16);
  char buffer[100];
  const auto size = (*session)->Read(absl::MakeSpan(buffer));
  ASSERT_TRUE(size.ok()) << size.status();
  EXPECT_EQ(std::string_view(buffer, *size), "headerbody");
}

TEST_F(TlsStreamTest, PiecesOfAnySizeArriveInOrder) {
  ConnectBoth();
  const std::string text = Pattern(400'000);
  std::vector<std::string_view> pieces;
  std::string_view rest = text;
  for (const size_t size : {1UL, 16'383UL, 16'384UL, 0UL, 16'385UL, 5UL,
                            100'000UL, 3UL, 0UL, 70'000UL}) {
    pieces.push_back(rest.substr(0, size));
    rest.remove_prefix(size);
  }
  pieces.push_back(rest);
  size_t taken = 0;
  while (taken < text.size()) {
    std::vector<std::string_view> left;
    size_t skip = taken;
    for (std::string_view piece : pieces) {
      const size_t part = std::min(skip, piece.size());
      skip -= part;
      left.push_back(piece.substr(part));
    }
    taken += client_.stream().Write(left).bytes;
    loop_->RunReady();
  }
  ASSERT_TRUE(Until([&] { return server_.received.size() == text.size(); }));
  EXPECT_TRUE(server_.received == text);
}

TEST_F(TlsStreamTest, EndsOneDirectionAndReadsOn) {
  ConnectBoth();
  client_.Send("question");
  ASSERT_TRUE(Until([&] { return client_.unsent.empty(); }));
  client_.stream().CloseWrite();
  ASSERT_TRUE(Until([&] { return server_.ended; }));
  EXPECT_EQ(server_.received, "question");
  EXPECT_EQ(server_.end, IoResult::Code::kEnded);
  EXPECT_TRUE(server_.stream().error().ok());
  const std::string_view more = "more";
  EXPECT_EQ(client_.stream().Write({&more, 1}).code, IoResult::Code::kFailed);
  server_.Send("answer");
  ASSERT_TRUE(Until([&] { return client_.received == "answer"; }));
  server_.Drop();
  ASSERT_TRUE(Until([&] { return client_.ended; }));
  EXPECT_EQ(client_.end, IoResult::Code::kEnded);
}

TEST_F(TlsStreamTest, TellsACutStreamFromAnEnd) {
  ConnectBoth();
  server_.Send("half an ans");
  ASSERT_TRUE(Until([&] { return server_.unsent.empty(); }));
  ASSERT_EQ(shutdown(server_.stream().Descriptor(), SHUT_WR), 0);
  ASSERT_TRUE(Until([&] { return client_.ended; }));
  EXPECT_EQ(client_.received, "half an ans");
  EXPECT_EQ(client_.end, IoResult::Code::kFailed);
  EXPECT_EQ(client_.stream().error().code(), absl::StatusCode::kDataLoss);
}

TEST_F(TlsStreamTest, ResetsReachThePeer) {
  ConnectBoth();
  server_.stream().Reset();
  ASSERT_TRUE(Until([&] { return client_.ended; }));
  EXPECT_EQ(client_.end, IoResult::Code::kFailed);
  EXPECT_EQ(client_.stream().error().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(Read(server_.stream()).code, IoResult::Code::kFailed);
}

TEST_F(TlsStreamTest, RefusesAServerOfAnotherRoot) {
  const TestCa other("other root");
  client_options_.material.trusted_ca = other.pem();
  EXPECT_THAT(Refusal(), HasSubstr("no trusted_ca has signed it"));
}

TEST_F(TlsStreamTest, RefusesAServerWhoseCertificateExpired) {
  TestLeaf leaf;
  leaf.not_after_seconds = -60;
  server_options_.material = ca_.Issue(leaf);
  EXPECT_THAT(Refusal(), HasSubstr("expired"));
}

TEST_F(TlsStreamTest, RefusesAServerOfAnotherName) {
  session_.expected_name = "other.shop";
  EXPECT_THAT(Refusal(), HasSubstr("other.shop"));
}

TEST_F(TlsStreamTest, ARefusedClientLearnsItByReading) {
  const TestCa other("other root");
  TestLeaf leaf;
  leaf.alternative_names = std::string("URI:") + kClientId;
  client_options_.material = other.Issue(leaf);
  client_options_.material.trusted_ca = ca_.pem();
  Listen();
  Connect();
  ASSERT_TRUE(
      Until([&] { return client_.connects > 0 && server_.connects > 0; }));
  EXPECT_EQ(server_.connected.code(), absl::StatusCode::kUnauthenticated);
  ASSERT_TRUE(client_.connected.ok()) << client_.connected;
  client_.stream().WantRead(true);
  ASSERT_TRUE(Until([&] { return client_.ended; }));
  EXPECT_EQ(client_.end, IoResult::Code::kFailed);
  EXPECT_THAT(client_.stream().error().ToString(), HasSubstr("alert"));
}

TEST_F(TlsStreamTest, ConnectingAndTheHandshakeShareOneTime) {
  Listen(/*tls=*/false);
  Connect(absl::Seconds(5));
  ASSERT_TRUE(Until([&] { return accepted_ > 0; }));
  for (int i = 0; i < 5; ++i) loop_->RunReady();
  test_loop_.clock.Advance(absl::Seconds(5) - absl::Milliseconds(1));
  loop_->RunReady();
  EXPECT_EQ(client_.connects, 0);
  EXPECT_EQ(Read(client_.stream()).code, IoResult::Code::kBlocked);
  test_loop_.clock.Advance(absl::Milliseconds(1));
  loop_->RunReady();
  EXPECT_EQ(client_.connects, 1);
  EXPECT_EQ(client_.connected.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(Read(client_.stream()).code, IoResult::Code::kFailed);
}

TEST_F(TlsStreamTest, AServerDoesNotWaitForAClientThatStalls) {
  Listen();
  ConnectPlain();
  client_.Send("\x16\x03\x01");  // the first bytes of a record
  for (int i = 0; i < 5; ++i) loop_->RunReady();
  EXPECT_EQ(server_.connects, 0);
  test_loop_.clock.Advance(absl::Seconds(5));
  loop_->RunReady();
  EXPECT_EQ(server_.connects, 1);
  EXPECT_EQ(server_.connected.code(), absl::StatusCode::kDeadlineExceeded);
}

TEST_F(TlsStreamTest, ServersSurviveClientsThatDoNotSpeakTls) {
  struct Case {
    std::string sent;
    bool close;
    const char* want;
  };
  for (const Case& test : {
           Case{"GET / HTTP/1.1\r\nHost: a\r\n\r\n", false,
                "does not speak TLS"},
           Case{std::string(1000, '\xff'), false, "TLS"},
           Case{std::string(100'000, '\0'), false, "TLS"},
           Case{std::string("\x16\x03\x01\x02\x00\x01\x00", 7), true,
                "ended in the middle"},
           Case{"", true, "ended in the middle"},
       }) {
    SCOPED_TRACE(test.sent.substr(0, 10));
    Listen();
    ConnectPlain();
    client_.Send(test.sent);
    ASSERT_TRUE(Until([&] { return client_.unsent.empty(); }));
    if (test.close) client_.stream().CloseWrite();
    ASSERT_TRUE(Until([&] { return server_.connects > 0; }));
    EXPECT_EQ(server_.connected.code(), absl::StatusCode::kUnavailable);
    EXPECT_THAT(server_.connected.ToString(), HasSubstr(test.want));
    client_ = StreamEnd();
    server_ = StreamEnd();
    accepted_ = 0;
  }
}

TEST_F(TlsStreamTest, ClientsSurviveServersThatDoNotSpeakTls) {
  for (const std::string& answer :
       {std::string("HTTP/1.1 400 Bad Request\r\n\r\n"),
        std::string(200'000, 'x'), std::string()}) {
    SCOPED_TRACE(answer.substr(0, 10));
    Listen(/*tls=*/false);
    Connect();
    ASSERT_TRUE(Until([&] { return accepted_ > 0; }));
    server_.Send(answer);
    ASSERT_TRUE(
        Until([&] { return server_.unsent.empty() || client_.connects > 0; }));
    if (answer.empty()) server_.stream().CloseWrite();
    ASSERT_TRUE(Until([&] { return client_.connects > 0; }));
    EXPECT_EQ(client_.connected.code(), absl::StatusCode::kUnavailable);
    EXPECT_THAT(client_.connected.ToString(), HasSubstr("TLS"));
    client_ = StreamEnd();
    server_ = StreamEnd();
    accepted_ = 0;
  }
}

TEST_F(TlsStreamTest, SaysWhyAConnectFailed) {
  Listen();
  const std::string gone = listener_->Address();
  listener_.reset();
  const auto context = Make(TlsContext::Role::kClient, client_options_);
  client_.Take(TlsStream::Connect(loop_, &network_, gone, absl::Seconds(5),
                                  context, {}, &client_));
  EXPECT_EQ(client_.connects, 0);
  ASSERT_TRUE(Until([&] { return client_.connects > 0; }));
  EXPECT_EQ(client_.connected.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(client_.connected.ToString(), HasSubstr("refused"));
  Listen();
  session_.alpn_protocols = {""};
  Connect();
  ASSERT_TRUE(Until([&] { return client_.connects > 1; }));
  EXPECT_EQ(client_.connected.code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(TlsStreamTest, MayBeDestroyedByItsOwnHandler) {
  Listen();
  Connect();
  client_.on_connect = [&] { client_.Drop(); };
  ASSERT_TRUE(Until([&] { return client_.connects > 0; }));
  ASSERT_TRUE(Until([&] { return server_.connects > 0; }));
  client_.on_connect = nullptr;
  Connect();
  ASSERT_TRUE(
      Until([&] { return client_.connects == 2 && server_.connects == 2; }));
  client_.stream().WantRead(true);
  client_.stream().WantWrite(true);
  client_.read_size = 1;  // more is left, and is no longer to be told
  client_.on_readable = [&] { client_.Drop(); };
  server_.stream().WantRead(true);
  server_.Send("xyz");
  ASSERT_TRUE(Until([&] { return server_.ended; }));
}

TEST_F(TlsStreamTest, WhoWaitsWaitsOnceForEachPieceOfARecord) {
  ConnectCounting();
  event::Stream& stream = client_.stream();
  ASSERT_TRUE(stream.CanWait());
  const std::string_view text = "a record in pieces";
  ASSERT_EQ(server_.stream().Write({&text, 1}).bytes, text.size());
  counts_ = {};
  counts_.most = 10;
  char buffer[100];
  IoResult got{IoResult::Code::kBlocked, 0};
  int calls = 0;
  while (got.code == IoResult::Code::kBlocked && calls < 9999) {
    ++calls;
    got = stream.ReadWithin(absl::MakeSpan(buffer), absl::InfiniteDuration());
    EXPECT_EQ(counts_.reads, calls);  // whose time may be over then
  }
  EXPECT_EQ(std::string_view(buffer, got.bytes), text);
  EXPECT_GT(calls, 3);
}

TEST_F(TlsStreamTest, MakesOneCallOfTheSystemForASmallMessage) {
  ConnectCounting();
  CountingStream::Counts& counts = counts_;
  event::Stream& stream = client_.stream();
  server_.stream().WantRead(true);
  server_.on_readable = [&] { server_.Send(server_.received); };
  for (int round = 0; round < 3; ++round) {
    counts = {};
    const std::string_view pieces[] = {"head", "body"};
    ASSERT_EQ(stream.Write(pieces).bytes, 8u);
    server_.received.clear();
    pollfd descriptor = {stream.Descriptor(), POLLIN, 0};
    ASSERT_TRUE(Until([&] { return poll(&descriptor, 1, 0) == 1; }));
    EXPECT_EQ(Read(stream).bytes, 8u);
    EXPECT_EQ(Read(stream).code, IoResult::Code::kBlocked);
    EXPECT_EQ(counts.writes, 1);
    EXPECT_EQ(counts.reads, 1);
  }
  // On the loop too, for one that reads once each time.
  stream.WantRead(true);
  counts = {};
  int events = 0;
  client_.on_readable = [&] { ++events; };
  const std::string_view piece = "more";
  ASSERT_EQ(stream.Write({&piece, 1}).bytes, 4u);
  server_.received.clear();
  ASSERT_TRUE(Until([&] { return client_.received == "more"; }));
  ASSERT_EQ(stream.Write({&piece, 1}).bytes, 4u);
  server_.received.clear();
  ASSERT_TRUE(Until([&] { return client_.received == "moremore"; }));
  EXPECT_EQ(counts.reads, 2);
  EXPECT_EQ(events, 2);
}

TEST_F(TlsStreamTest, RunsOverAStreamThatIsConnectedAlready) {
  Listen();
  StreamEnd plain;
  plain.Take(network_.Connect(listener_->Address(), absl::Seconds(5), &plain));
  auto inner = network_.Connect(listener_->Address(), absl::Seconds(5), &plain);
  ASSERT_TRUE(Until([&] { return plain.connects == 2; }));
  client_.Take(TlsStream::Client(
      loop_, std::move(inner), absl::Seconds(5),
      Make(TlsContext::Role::kClient, client_options_), session_, &client_));
  EXPECT_EQ(client_.connects, 0);
  ASSERT_TRUE(Until([&] { return client_.connects > 0; }));
  EXPECT_TRUE(client_.connected.ok()) << client_.connected;
}

}  // namespace
}  // namespace meshlib::net
