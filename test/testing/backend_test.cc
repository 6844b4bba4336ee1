#include "meshlib/testing/backend.h"

#include <unistd.h>

#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "event/epoll_loop.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "meshlib/clock.h"
#include "net/socket_network.h"
#include "security/tls_context.h"
#include "test/net/run_until.h"
#include "test/net/server_harness.h"
#include "test/security/test_certificates.h"

namespace meshlib::testing {
namespace {

using net::ByteClient;
using net::Http2Client;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using Fault = BackendAnswer::Fault;

class BackendTest : public ::testing::Test {
 protected:
  bool Until(const std::function<bool()>& done) {
    return net::RunUntil(*loop_, done);
  }
  // The whole of an HTTP/1.1 response to a request that closes, or what came
  // of it.
  std::string Ask(std::string_view path, std::string_view headers = "") {
    ByteClient client;
    client.Connect(network_, backend_->address());
    client.Send(std::string("GET ").append(path).append(
        " HTTP/1.1\r\nhost: a\r\nconnection: close\r\n"));
    client.Send(std::string(headers).append("\r\n"));
    EXPECT_TRUE(Until([&] { return client.over(); })) << client.received;
    reset_ = client.reset;
    return client.received;
  }
  struct Result {
    std::string statuses;
    std::string body;
    std::string trailers;
    std::optional<net::StreamReset> reset;
  };
  // The same by HTTP/2, on a connection that stays.
  Result Ask2(std::string_view path, std::vector<Header> headers = {}) {
    if (client2_ == nullptr || client2_->over()) {
      client2_ = std::make_unique<Http2Client>(absl::Now());
      client2_->Connect(network_, backend_->address());
    }
    const Http2Client::Answer& answer =
        client2_->Request(path, true, std::move(headers));
    EXPECT_TRUE(Until([&] { return answer.closed; }));
    return {answer.statuses, answer.body, answer.trailers, answer.reset};
  }
  uint32_t ResetCode(const Result& result) {
    return result.reset.has_value() ? result.reset->error_code : 0;
  }

  std::unique_ptr<event::EpollLoop> loop_ =
      event::EpollLoop::Create(SystemClock()).value();
  net::SocketNetwork network_{loop_.get()};
  std::unique_ptr<Backend> backend_ = Backend::Start().value();
  std::unique_ptr<Http2Client> client2_;
  bool reset_ = false;
};

TEST_F(BackendTest, AnswersAsItIsToldInBothProtocols) {
  EXPECT_THAT(Ask("/a"), StartsWith("HTTP/1.1 200 OK\r\nx-backend: " +
                                    backend_->address()));
  BackendAnswer answer = BackendAnswer::Status(503, "busy");
  answer.headers = {{"retry-after", "1"}};
  backend_->SetAnswer(answer);
  EXPECT_THAT(Ask("/a"), HasSubstr("retry-after: 1\r\n"));
  EXPECT_THAT(Ask("/a"), EndsWith("\r\n\r\nbusy"));
  const Result two = Ask2("/b");
  EXPECT_EQ(two.statuses, "503 ");
  EXPECT_EQ(two.body, "busy");
  const BackendCounts counts = backend_->Counts();
  EXPECT_EQ(counts.requests, 4u);
  EXPECT_EQ(counts.complete_requests, 4u);
  EXPECT_EQ(counts.responses, 4u);
  EXPECT_EQ(counts.complete_responses, 4u);
  EXPECT_EQ(counts.connections, 4u);
  EXPECT_EQ(counts.http2_connections, 1u);
  EXPECT_EQ(counts.by_path.at("/a"), 3u);
  EXPECT_EQ(counts.by_method.at("GET"), 4u);
  EXPECT_GT(counts.bytes_received, 0u);
  backend_->ResetCounts();
  EXPECT_EQ(backend_->Counts().requests, 0u);
  EXPECT_EQ(backend_->Counts().connections, 0u);
}

TEST_F(BackendTest, HearsTheRequestsOwnWishes) {
  EXPECT_THAT(Ask("/", "x-backend-status: 404\r\nx-backend-body: no\r\n"),
              StartsWith("HTTP/1.1 404 Not Found"));
  EXPECT_EQ(Ask2("/", {{"x-backend-body-bytes", "70000"}}).body.size(),
            70'000u);
  const Result grpc = Ask2("/", {{"x-backend-grpc-status", "14"}});
  EXPECT_EQ(grpc.body, std::string(5, '\0'));
  EXPECT_EQ(grpc.trailers, "grpc-status=14");
  EXPECT_EQ(ResetCode(Ask2("/", {{"x-backend-fault", "reset-before-headers"},
                                 {"x-backend-error-code", "7"}})),
            7u);
}

TEST_F(BackendTest, WorksThroughItsScriptThenItsResponder) {
  backend_->Script({BackendAnswer::Status(501), BackendAnswer::Status(502)});
  EXPECT_EQ(Ask2("/").statuses, "501 ");
  EXPECT_EQ(backend_->script_left(), 1u);
  EXPECT_EQ(Ask2("/").statuses, "502 ");
  backend_->SetResponder([](const BackendRequest& request) {
    return BackendAnswer::Status(request.path == "/x" ? 201 : 202);
  });
  EXPECT_EQ(Ask2("/x").statuses, "201 ");
  EXPECT_EQ(Ask2("/y").statuses, "202 ");
}

TEST_F(BackendTest, ShowsTheLastRequest) {
  EXPECT_FALSE(backend_->LastRequest().has_value());
  backend_->SetAnswer(BackendAnswer::Echo());
  Http2Client client(absl::Now());
  client.Connect(network_, backend_->address());
  Http2Client::Answer& answer = client.Request("/e", false, {{"k", "v"}});
  answer.stream->Write("body", true);
  client.Flush();
  ASSERT_TRUE(Until([&] { return answer.closed; }));
  EXPECT_EQ(answer.body, "body");
  const BackendRequest last = *backend_->LastRequest();
  EXPECT_EQ(last.method, "POST");
  EXPECT_EQ(last.path, "/e");
  EXPECT_EQ(last.authority, "a");
  EXPECT_EQ(last.http_version, 2);
  EXPECT_EQ(last.Get("k"), "v");
  EXPECT_EQ(last.body, "body");
  EXPECT_TRUE(last.complete);
}

TEST_F(BackendTest, ResetsWhereItIsTold) {
  backend_->SetAnswer(BackendAnswer::Failing(Fault::kResetBeforeHeaders, 8));
  Result two = Ask2("/");
  EXPECT_EQ(two.statuses, "");
  EXPECT_EQ(ResetCode(two), 8u);
  EXPECT_EQ(Ask("/"), "");
  EXPECT_EQ(backend_->Counts().responses, 0u);

  backend_->SetAnswer(BackendAnswer::Failing(Fault::kResetAfterHeaders, 8));
  two = Ask2("/");
  EXPECT_EQ(two.statuses, "200 ");
  EXPECT_EQ(ResetCode(two), 8u);
  EXPECT_THAT(Ask("/"),
              EndsWith("content-length: 0\r\nconnection: close\r\n\r\n"));

  backend_->SetAnswer(BackendAnswer::Failing(Fault::kResetInBody, 8));
  two = Ask2("/");
  EXPECT_EQ(two.body.size(), 500u);
  EXPECT_EQ(ResetCode(two), 8u);
  EXPECT_THAT(Ask("/"), EndsWith("\r\n\r\n" + std::string(500, 'x')));
  EXPECT_EQ(backend_->Counts().responses, 4u);
  EXPECT_EQ(backend_->Counts().complete_responses, 0u);
  EXPECT_FALSE(client2_->over());

  backend_->SetAnswer(BackendAnswer::Failing(Fault::kAbortBeforeHeaders));
  EXPECT_EQ(Ask("/"), "");
  EXPECT_TRUE(reset_);
  Ask2("/");
  EXPECT_TRUE(client2_->reset);
  backend_->SetAnswer(BackendAnswer::Failing(Fault::kAbortInBody));
  Ask("/");
  EXPECT_TRUE(reset_);
}

TEST_F(BackendTest, SaysGoAway) {
  backend_->Script({BackendAnswer::Failing(Fault::kGoAway)});
  EXPECT_EQ(Ask2("/").statuses, "200 ");
  ASSERT_TRUE(Until([&] { return client2_->over(); }));
  EXPECT_THAT(client2_->goaways, Contains(0u));
  backend_->Script({BackendAnswer::Failing(Fault::kGoAwayError, 11)});
  EXPECT_TRUE(Ask2("/").reset.has_value());
  ASSERT_TRUE(Until([&] { return client2_->over(); }));
  EXPECT_THAT(client2_->goaways, Contains(11u));
  EXPECT_EQ(Ask2("/").statuses, "200 ");
  backend_->GoAway();
  ASSERT_TRUE(Until([&] { return client2_->over(); }));
  EXPECT_EQ(Ask2("/").statuses, "200 ");
}

TEST_F(BackendTest, MisframesWhereItIsTold) {
  backend_->SetAnswer(BackendAnswer::Failing(Fault::kShortBody));
  std::string one = Ask("/");
  EXPECT_THAT(one, HasSubstr("content-length: 1010\r\n"));
  EXPECT_THAT(one, EndsWith("\r\n\r\n" + std::string(1000, 'x')));
  // Clients of HTTP/2 take it for an error of the protocol.
  EXPECT_EQ(ResetCode(Ask2("/")), 1u);
  backend_->SetAnswer(BackendAnswer::Failing(Fault::kLongBody));
  one = Ask("/");
  EXPECT_THAT(one, HasSubstr("content-length: 500\r\n"));
  EXPECT_THAT(one, EndsWith("\r\n\r\n" + std::string(1000, 'x')));
  EXPECT_EQ(ResetCode(Ask2("/")), 1u);
  backend_->SetAnswer(BackendAnswer::Failing(Fault::kGarbage));
  EXPECT_THAT(Ask("/"), HasSubstr("garbage"));
  EXPECT_TRUE(Ask2("/").reset.has_value());
}

TEST_F(BackendTest, StallsUntilItIsReleased) {
  backend_->Script({BackendAnswer::Failing(Fault::kStall)});
  Http2Client client(absl::Now());
  client.Connect(network_, backend_->address());
  Http2Client::Answer& answer = client.Request("/");
  ASSERT_TRUE(Until([&] { return backend_->Counts().complete_requests == 1; }));
  EXPECT_EQ(Ask2("/").statuses, "200 ");
  EXPECT_FALSE(answer.closed);
  EXPECT_EQ(backend_->Counts().open_requests, 1u);
  EXPECT_EQ(backend_->Counts().most_open_requests, 2u);
  backend_->Release();
  ASSERT_TRUE(Until([&] { return answer.closed; }));
  EXPECT_EQ(answer.statuses, "200 ");
  backend_->Script({BackendAnswer::Failing(Fault::kStallAfterHeaders)});
  Http2Client::Answer& half = client.Request("/");
  ASSERT_TRUE(Until([&] { return half.statuses == "200 "; }));
  half.stream->Cancel();
  client.Flush();
  ASSERT_TRUE(Until([&] { return backend_->Counts().resets_received == 1; }));
}

TEST_F(BackendTest, AnswersBeforeTheRequestIsComplete) {
  BackendAnswer early;
  early.early = true;
  early.body = "early";
  backend_->SetAnswer(early);
  Http2Client client(absl::Now());
  client.Connect(network_, backend_->address());
  Http2Client::Answer& answer = client.Request("/", false);
  ASSERT_TRUE(Until([&] { return answer.closed; }));
  EXPECT_EQ(answer.body, "early");
  EXPECT_EQ(backend_->Counts().complete_requests, 0u);
}

TEST_F(BackendTest, DelaysItsAnswers) {
  backend_->SetAnswer(BackendAnswer::After(absl::Milliseconds(30)));
  const absl::Time start = absl::Now();
  EXPECT_EQ(Ask2("/").statuses, "200 ");
  EXPECT_GE(absl::Now() - start, absl::Milliseconds(29));
}

TEST_F(BackendTest, RefusesAndComesBack) {
  EXPECT_EQ(Ask2("/").statuses, "200 ");
  const std::string address = backend_->address();
  backend_->StopListening();
  EXPECT_EQ(Ask2("/").statuses, "200 ");  // what is open stays
  ByteClient refused;
  refused.Connect(network_, address);
  for (int i = 0; i < 10; ++i) loop_->RunOnce(absl::Milliseconds(1));
  EXPECT_FALSE(refused.connected);
  ASSERT_TRUE(backend_->Resume().ok());
  EXPECT_EQ(backend_->address(), address);
  EXPECT_THAT(Ask("/"), StartsWith("HTTP/1.1 200"));
  backend_->AcceptAndClose(true);
  EXPECT_EQ(Ask("/"), "");
  EXPECT_EQ(backend_->Counts().closed_at_once, 1u);
  backend_->AcceptAndClose(false);
  EXPECT_THAT(Ask("/"), StartsWith("HTTP/1.1 200"));
}

TEST_F(BackendTest, DiesLikeAProcess) {
  backend_->SetAnswer(BackendAnswer::Failing(Fault::kStall));
  ByteClient clients[3];
  for (ByteClient& client : clients) {
    client.Connect(network_, backend_->address());
    client.Send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
  }
  ASSERT_TRUE(Until([&] { return backend_->Counts().requests == 3; }));
  backend_->Kill();
  for (ByteClient& client : clients) {
    EXPECT_TRUE(Until([&] { return client.reset; }));
  }
  ByteClient late;
  late.Connect(network_, backend_->address());
  for (int i = 0; i < 10; ++i) loop_->RunOnce(absl::Milliseconds(1));
  EXPECT_FALSE(late.connected);
  EXPECT_EQ(backend_->Counts().open_requests, 0u);
  EXPECT_EQ(backend_->Counts().open_connections, 0u);
}

TEST_F(BackendTest, WaitsForWhatComes) {
  EXPECT_FALSE(backend_->WaitForRequests(1, absl::Milliseconds(5)));
  Ask2("/");
  EXPECT_TRUE(backend_->WaitForRequests(1));
  client2_.reset();
  EXPECT_TRUE(backend_->WaitFor(
      [](const BackendCounts& c) { return c.open_connections == 0; }));
}

TEST_F(BackendTest, ListensWhereItIsTold) {
  for (const std::string& address :
       {std::string("[::1]:0"),
        "unix:@meshlib-backend-" + std::to_string(getpid())}) {
    BackendOptions options;
    options.address = address;
    auto backend = Backend::Start(options);
    ASSERT_TRUE(backend.ok()) << backend.status();
    backend_ = *std::move(backend);
    EXPECT_THAT(Ask("/"), StartsWith("HTTP/1.1 200"));
    EXPECT_EQ(backend_->port() == 0, address[0] == 'u');
  }
  BackendOptions taken;
  taken.address = backend_->address();
  EXPECT_FALSE(Backend::Start(taken).ok());
  const auto many = StartBackends(3).value();
  EXPECT_EQ(BackendAddresses(many).size(), 3u);
}

// Writes PEM texts where a backend reads them.
std::string Write(const std::string& name, const std::string& text) {
  const std::string path =
      ::testing::TempDir() + "/" + std::to_string(getpid()) + name;
  std::ofstream(path) << text;
  return path;
}

class TlsBackendTest : public BackendTest {
 protected:
  void Start(const security::TlsMaterial& own, const std::string& client_ca) {
    BackendOptions options;
    options.certificate_file = Write("cert.pem", own.certificate_chain);
    options.private_key_file = Write("key.pem", own.private_key);
    if (!client_ca.empty()) options.client_ca_file = Write("ca.pem", client_ca);
    auto backend = Backend::Start(options);
    ASSERT_TRUE(backend.ok()) << backend.status();
    backend_ = *std::move(backend);
  }
  // A request over TLS, with this to show.
  std::string AskTls(ByteClient& client, const security::TlsMaterial& own) {
    security::TlsOptions tls;
    tls.material = own;
    tls.material.trusted_ca = ca_.pem();
    tls.alpn_protocols = {"http/1.1"};
    security::TlsSessionOptions session;
    session.sni = "backend.test";
    client.ConnectTls(
        loop_.get(), network_, backend_->address(),
        security::TlsContext::Create(security::TlsContext::Role::kClient, tls)
            .value(),
        session);
    client.Send("GET /tls HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
    EXPECT_TRUE(Until([&] { return client.over(); })) << client.received;
    return client.received;
  }

  const security::TestCa ca_;
};

TEST_F(TlsBackendTest, ServesWhoShowsACertificate) {
  Start(ca_.Issue({"backend", "DNS:backend.test"}), ca_.pem());
  ByteClient known;
  EXPECT_THAT(AskTls(known, ca_.Issue({"client", "URI:spiffe://t/client"})),
              StartsWith("HTTP/1.1 200"));
  EXPECT_TRUE(known.ended);
  const BackendRequest seen = *backend_->LastRequest();
  EXPECT_TRUE(seen.tls);
  EXPECT_EQ(seen.sni, "backend.test");
  EXPECT_THAT(seen.peer_uris, ElementsAre("spiffe://t/client"));
  EXPECT_EQ(seen.Get(":scheme"), "https");
  ByteClient unknown;
  EXPECT_EQ(AskTls(unknown, {}), "");
  ByteClient plain;
  plain.Connect(network_, backend_->address());
  plain.Send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
  EXPECT_TRUE(Until([&] { return plain.over(); }));
  EXPECT_TRUE(backend_->WaitFor(
      [](const BackendCounts& c) { return c.failed_handshakes == 2; }));
  EXPECT_EQ(backend_->Counts().requests, 1u);
}

TEST_F(TlsBackendTest, TakesAnotherCertificate) {
  Start(ca_.Issue({"backend", "DNS:backend.test"}), "");
  ByteClient before;
  EXPECT_THAT(AskTls(before, {}), StartsWith("HTTP/1.1 200"));
  const security::TlsMaterial other =
      security::TestCa("other root").Issue({"backend", "DNS:backend.test"});
  const std::string key = Write("other-key.pem", other.private_key);
  ASSERT_FALSE(
      backend_->SetCertificate(Write("cert.pem", "no certificate"), key).ok());
  ASSERT_TRUE(
      backend_->SetCertificate(Write("other.pem", other.certificate_chain), key)
          .ok());
  ByteClient after;
  EXPECT_EQ(AskTls(after, {}), "");
  EXPECT_FALSE(after.connected);
}

}  // namespace
}  // namespace meshlib::testing
