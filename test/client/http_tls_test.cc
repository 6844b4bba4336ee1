// Calls over TLS: who is believed, and what a refusal costs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "meshlib/http.h"
#include "test/client/test_mesh.h"
#include "test/security/test_certificates.h"

namespace meshlib::client {
namespace {

using meshlib::testing::Backend;
using security::TestCa;
using security::TestLeaf;
using security::TlsMaterial;
using ::testing::HasSubstr;

constexpr char kServer[] = "spiffe://mesh.test/ns/shop/sa/echo";
constexpr char kCaller[] = "spiffe://mesh.test/ns/shop/sa/front";

class HttpTlsTest : public ::testing::TestWithParam<bool> {
 protected:
  HttpTlsTest() {
    std::string name = ::testing::TempDir() + "/tlsXXXXXX";
    folder_ = mkdtemp(name.data());
    Write("root.pem", root_.pem());
    WritePair("server", Leaf(kServer));
    WritePair("client", Leaf(kCaller));
  }
  ~HttpTlsTest() override { std::filesystem::remove_all(folder_); }

  static TestLeaf Leaf(const std::string& uri) {
    TestLeaf leaf;
    leaf.alternative_names = "URI:" + uri + ",DNS:echo.test";
    return leaf;
  }

  // Whole at once, as a rotation does it.
  void Write(const std::string& name, const std::string& text) {
    std::ofstream(folder_ + "/" + name + ".new") << text;
    std::filesystem::rename(folder_ + "/" + name + ".new",
                            folder_ + "/" + name);
  }
  void WritePair(const std::string& name, const TestLeaf& leaf,
                 const TestCa* ca = nullptr) {
    const TlsMaterial made = (ca == nullptr ? root_ : *ca).Issue(leaf);
    Write(name + ".pem", made.certificate_chain);
    Write(name + ".key", made.private_key);
  }

  void StartBackend() {
    meshlib::testing::BackendOptions options;
    options.certificate_file = folder_ + "/server.pem";
    options.private_key_file = folder_ + "/server.key";
    options.client_ca_file = folder_ + "/root.pem";
    auto backend = Backend::Start(options);
    ASSERT_TRUE(backend.ok()) << backend.status();
    backends_.push_back(*std::move(backend));
  }

  std::string File(const std::string& name) const {
    return "{filename: " + folder_ + "/" + name + "}";
  }

  void StartMesh(const std::string& uri = kServer, bool with_client = true) {
    MeshText text;
    text.http2 = GetParam();
    text.addresses = meshlib::testing::BackendAddresses(backends_);
    text.action = kRetries;
    text.http_options = http_options_;
    text.cluster = absl::StrCat(
        "transport_socket: {name: tls, typed_config: {'@type': "
        "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3."
        "UpstreamTlsContext, sni: echo.test, common_tls_context: {",
        with_client
            ? "tls_certificates: [{certificate_chain: " + File("client.pem") +
                  ", private_key: " + File("client.key") + "}], "
            : "",
        "validation_context: {trusted_ca: ", File("root.pem"),
        ", match_typed_subject_alt_names: [{san_type: URI, matcher: {exact: '",
        uri, "'}}]}}}}");
    mesh_ = MeshOf(text);
    ASSERT_NE(mesh_, nullptr);
    client_ = *http::Client::Create(*mesh_);
  }

  absl::StatusOr<http::Response> Get() { return client_->Get("http://echo/"); }

  std::string http_options_;
  TestCa root_;
  std::string folder_;
  std::vector<std::unique_ptr<Backend>> backends_;
  std::unique_ptr<Mesh> mesh_;
  std::optional<http::Client> client_;
};

INSTANTIATE_TEST_SUITE_P(Http, HttpTlsTest, ::testing::Bool(),
                         [](const auto& info) {
                           return info.param ? "Http2" : "Http1";
                         });

TEST_P(HttpTlsTest, BothEndsKnowEachOther) {
  StartBackend();
  StartMesh();
  for (int i = 0; i < 20; ++i) {
    const auto response = Get();
    ASSERT_TRUE(response.ok()) << response.status();
    EXPECT_EQ(response->status, 200);
  }
  EXPECT_THAT(backends_[0]->LastRequest()->peer_uris,
              ::testing::ElementsAre(kCaller));
  EXPECT_EQ(backends_[0]->LastRequest()->http_version, GetParam() ? 2 : 1);
  EXPECT_EQ(backends_[0]->Counts().connections, 1u);
}

TEST_P(HttpTlsTest, CarriesLargeBodiesBothWays) {
  StartBackend();
  StartMesh();
  http::Request request;
  request.method = "POST";
  request.url = "http://echo/";
  request.headers = {{"x-backend-echo", "1"}};
  request.body = std::string(2u << 20, 'y');
  const auto response = client_->Send(request);
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_TRUE(response->body == request.body);
}

TEST_P(HttpTlsTest, BelievesNobodyOfAnotherName) {
  StartBackend();
  StartMesh("spiffe://mesh.test/ns/shop/sa/other");
  const absl::Status status = Get().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr("connect failure"));
  EXPECT_EQ(backends_[0]->Counts().requests, 0u);
  EXPECT_GE(CountedIn(*mesh_, "ssl.fail_verify_error"), 1u);
}

TEST_P(HttpTlsTest, BelievesNobodyOfAnotherRoot) {
  const TestCa other("other root");
  WritePair("server", Leaf(kServer), &other);
  StartBackend();
  StartMesh();
  EXPECT_EQ(Get().status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(backends_[0]->Counts().requests, 0u);
}

TEST_P(HttpTlsTest, BelievesNoExpiredCertificate) {
  TestLeaf old = Leaf(kServer);
  old.not_before_seconds = -7200;
  old.not_after_seconds = -60;
  WritePair("server", old);
  StartBackend();
  StartMesh();
  const absl::Status status = Get().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr("expired"));
}

TEST_P(HttpTlsTest, ServesNobodyWithoutACertificate) {
  StartBackend();
  StartMesh(kServer, false);
  EXPECT_EQ(Get().status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(backends_[0]->Counts().requests, 0u);
}

TEST_P(HttpTlsTest, UsesTheHostsThatItBelieves) {
  StartBackend();
  const TestCa other("other root");
  WritePair("server", Leaf(kServer), &other);
  StartBackend();
  StartMesh();
  for (int i = 0; i < 20; ++i) {
    const auto response = Get();
    ASSERT_TRUE(response.ok()) << response.status();
    EXPECT_EQ(response->host, backends_[0]->address());
  }
}

TEST_P(HttpTlsTest, AsksForTheServerThatTheRequestNames) {
  http_options_ = "upstream_http_protocol_options: {auto_sni: true}";
  StartBackend();
  StartMesh();
  const auto sni_of = [&](const std::string& url) {
    const auto response = client_->Get(url);
    EXPECT_TRUE(response.ok()) << response.status();
    return backends_[0]->LastRequest()->sni;
  };
  EXPECT_EQ(sni_of("http://one.test/"), "one.test");
  EXPECT_EQ(sni_of("http://two.test:80/"), "two.test");
  EXPECT_EQ(sni_of("http://one.test/"), "one.test");
  EXPECT_EQ(backends_[0]->Counts().connections, 2u);
  // An address is no name.
  EXPECT_EQ(sni_of("http://10.1.2.3:80/"), "echo.test");
}

TEST_P(HttpTlsTest, TakesTheNameOfTheServerFromAHeader) {
  http_options_ =
      "upstream_http_protocol_options: {auto_sni: true, "
      "override_auto_sni_header: X-Server}";
  StartBackend();
  StartMesh();
  http::Request request;
  request.url = "http://one.test/";
  request.headers = {{"x-server", "three.test:443"}};
  ASSERT_TRUE(client_->Send(request).ok());
  EXPECT_EQ(backends_[0]->LastRequest()->sni, "three.test");
  request.headers.Clear();
  ASSERT_TRUE(client_->Send(request).ok());
  EXPECT_EQ(backends_[0]->LastRequest()->sni, "one.test");
}

TEST_P(HttpTlsTest, BelievesOnlyWhoHasTheNameThatTheRequestGives) {
  http_options_ =
      "upstream_http_protocol_options: {auto_sni: true, "
      "auto_san_validation: true}";
  StartBackend();
  StartMesh();
  const auto right = client_->Get("http://echo.test/");
  EXPECT_TRUE(right.ok()) << right.status();
  EXPECT_EQ(client_->Get("http://other.test/").status().code(),
            absl::StatusCode::kUnavailable);
  EXPECT_EQ(client_->Get("http://10.1.2.3:80/").status().code(),
            absl::StatusCode::kUnavailable);
  EXPECT_EQ(backends_[0]->Counts().requests, 1u);
}

// New connections show the new certificate, the old ones go on; a pair that
// does not fit together changes nothing.
TEST_P(HttpTlsTest, FollowsItsCertificatesOnDisk) {
  StartBackend();
  StartMesh();
  ASSERT_TRUE(Get().ok());
  Write("client.key", root_.Issue(Leaf(kCaller)).private_key);
  backends_[0]->ResetConnections();
  ASSERT_TRUE(Get().ok());
  WritePair("client", Leaf("spiffe://mesh.test/ns/shop/sa/renamed"));
  const absl::Time end = absl::Now() + absl::Seconds(20);
  std::vector<std::string> seen;
  while (absl::Now() < end) {
    backends_[0]->ResetConnections();
    ASSERT_TRUE(Get().ok());
    seen = backends_[0]->LastRequest()->peer_uris;
    if (seen.at(0) != kCaller) break;
  }
  EXPECT_THAT(seen,
              ::testing::ElementsAre("spiffe://mesh.test/ns/shop/sa/renamed"));
}

}  // namespace
}  // namespace meshlib::client
