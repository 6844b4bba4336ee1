// Servers whose TLS handshakes lead nowhere, against the clients' pools.
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "net/server_tls.h"
#include "net/tls_stream.h"
#include "test/net/stream_end.h"
#include "test/security/test_certificates.h"
#include "test/testing/hostile_server.h"

namespace meshlib::testing {
namespace {

using namespace net;  // NOLINT: the frames of the tables
using ::testing::HasSubstr;
using C = UpstreamCounter;

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
    options_->tls = [context](std::string_view, std::string_view,
                              std::string_view) {
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
      ExchangeFailure::kConnectFailure, "", kNoHandshake);
}

TEST_F(HostileTls, AHandshakeHasAnEnd) {
  // A message of 16 MB in records of 16 KB.
  const std::string record("\x16\3\3\x40\0", 5);
  Run({record + std::string("\2\xff\xff\xff", 4) + std::string(16'380, 'x') +
           Repeat(record + std::string(16'384, 'x'), 100),
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
      "", kNotBelieved);
}

}  // namespace
}  // namespace meshlib::testing
