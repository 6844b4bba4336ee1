#include "security/client_tls_source.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <future>
#include <string>
#include <utility>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "security/client_tls_sources.h"
#include "test/security/test_certificates.h"
#include "test/security/tls_pair.h"

namespace meshlib::security {
namespace {

using model::DataSource;
using model::SecretSource;
using model::UpstreamTls;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Kind = SecretSource::Kind;

constexpr char kServerId[] = "spiffe://cluster.local/ns/demo/sa/echo";

class ClientTlsSourceTest : public ::testing::Test {
 protected:
  ClientTlsSourceTest() {
    std::string pattern = ::testing::TempDir() + "/clienttlsXXXXXX";
    folder_ = mkdtemp(pattern.data());
    TestLeaf leaf;
    leaf.alternative_names = std::string("URI:") + kServerId + ",DNS:echo.shop";
    server_.material = ca_.Issue(leaf);
    server_.require_client_certificate = true;
    own_ = Issue("first");
  }
  ~ClientTlsSourceTest() override { std::filesystem::remove_all(folder_); }

  TlsMaterial Issue(const std::string& name) const {
    TestLeaf leaf;
    leaf.alternative_names = "URI:spiffe://client/" + name;
    return ca_.Issue(leaf);
  }
  std::string Write(const std::string& name, const std::string& text) const {
    std::string path = folder_ + "/" + name;
    std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
    return path;
  }
  // Everything in the configuration itself.
  UpstreamTls Inline() const {
    UpstreamTls out;
    out.common.certificate.certificate_chain =
        DataSource::Inline(own_.certificate_chain);
    out.common.certificate.private_key = DataSource::Inline(own_.private_key);
    out.common.validation.trusted_ca = DataSource::Inline(ca_.pem());
    return out;
  }
  UpstreamTls InFiles() const {
    WriteOwn(own_);
    UpstreamTls out;
    out.common.certificate.certificate_chain =
        DataSource::File(folder_ + "/tls.crt");
    out.common.certificate.private_key = DataSource::File(folder_ + "/tls.key");
    out.common.validation.trusted_ca = DataSource::File(folder_ + "/ca.crt");
    return out;
  }
  void WriteOwn(const TlsMaterial& material) const {
    Write("tls.crt", material.certificate_chain);
    Write("tls.key", material.private_key);
    Write("ca.crt", ca_.pem());
  }
  static ClientTlsSource Source(const UpstreamTls& config,
                                ReadSecret read = nullptr) {
    return ClientTlsSource(std::make_shared<const UpstreamTls>(config),
                           std::move(read));
  }
  // Who the server takes the client for; or why not.
  std::string Shown(const ClientTlsSource& source) const {
    const auto context = source.Latest();
    if (!context.ok()) return context.status().ToString();
    const auto options = source.SessionOptions("", "");
    if (!options.ok()) return options.status().ToString();
    TlsPair pair(*context,
                 *TlsContext::Create(TlsContext::Role::kServer, server_),
                 *options);
    if (!pair.Handshake()) {
      return pair.client->status().ToString() + " / " +
             pair.server->status().ToString();
    }
    const auto& uris = pair.server->peer().uris;
    return uris.empty() ? "nobody" : uris.front();
  }

  const TestCa ca_;
  TlsOptions server_;
  TlsMaterial own_;
  std::string folder_;
};

TEST_F(ClientTlsSourceTest, IsReadyAtOnceWithoutFiles) {
  const ClientTlsSource source = Source(Inline());
  EXPECT_FALSE(source.changes());
  EXPECT_EQ(Shown(source), "spiffe://client/first");
  EXPECT_EQ(source.counts().failures, 0u);
  EXPECT_EQ(source.counts().rotations, 0u);
}

TEST_F(ClientTlsSourceTest, FollowsFilesAndKeepsTheOldPairOverErrors) {
  ClientTlsSource source = Source(InFiles());
  EXPECT_TRUE(source.changes());
  EXPECT_THAT(source.Latest().status().ToString(),
              HasSubstr("UNAVAILABLE: TLS is not ready: the certificates have "
                        "not been read yet"));
  ASSERT_TRUE(source.Refresh().ok());
  EXPECT_EQ(Shown(source), "spiffe://client/first");
  const auto before = *source.Latest();
  ASSERT_TRUE(source.Refresh().ok());
  EXPECT_EQ(*source.Latest(), before);  // nothing changed

  // A key that is not the certificate's.
  const TlsMaterial second = Issue("second");
  Write("tls.crt", second.certificate_chain);
  EXPECT_THAT(source.Refresh().ToString(),
              HasSubstr("private_key is not the key of the certificate"));
  EXPECT_EQ(*source.Latest(), before);
  EXPECT_EQ(source.counts().failures, 1u);
  EXPECT_EQ(source.counts().rotations, 0u);

  Write("tls.key", second.private_key);
  ASSERT_TRUE(source.Refresh().ok());
  EXPECT_EQ(Shown(source), "spiffe://client/second");
  EXPECT_EQ(source.counts().rotations, 1u);

  std::filesystem::remove(folder_ + "/ca.crt");
  EXPECT_FALSE(source.Refresh().ok());
  EXPECT_EQ(Shown(source), "spiffe://client/second");
  EXPECT_EQ(source.counts().failures, 2u);
}

TEST_F(ClientTlsSourceTest, FollowsSecretsOfFiles) {
  model::TlsSecret own;
  own.certificate = Inline().common.certificate;
  model::TlsSecret roots;
  roots.validation = Inline().common.validation;
  bool broken = false;
  const auto read =
      [&](const std::string& path,
          const std::string& name) -> absl::StatusOr<model::TlsSecret> {
    EXPECT_EQ(path, "/sds.yaml");
    if (broken) return absl::InvalidArgumentError("line 3");
    return name == "own" ? own : roots;
  };
  UpstreamTls config;
  config.common.certificate_secret = {Kind::kFile, "own", "/sds.yaml"};
  config.common.validation_secret = {Kind::kFile, "roots", "/sds.yaml"};
  SanMatcher matcher;
  matcher.matcher.value = kServerId;
  config.common.validation.match_typed_subject_alt_names = {matcher};
  ClientTlsSource source = Source(config, read);
  ASSERT_TRUE(source.Refresh().ok());
  EXPECT_EQ(Shown(source), "spiffe://client/first");

  const TlsMaterial second = Issue("second");
  own.certificate->certificate_chain =
      DataSource::Inline(second.certificate_chain);
  own.certificate->private_key = DataSource::Inline(second.private_key);
  ASSERT_TRUE(source.Refresh().ok());
  EXPECT_EQ(Shown(source), "spiffe://client/second");
  EXPECT_EQ(source.counts().rotations, 1u);

  broken = true;
  EXPECT_THAT(source.Refresh().ToString(), HasSubstr("secret \"own\": line 3"));
  EXPECT_EQ(Shown(source), "spiffe://client/second");

  // Rules change with the secret, too; the default ones stay.
  broken = false;
  roots.validation->match_typed_subject_alt_names = {matcher};
  roots.validation->trusted_ca = DataSource::Inline(TestCa("other").pem());
  ASSERT_TRUE(source.Refresh().ok());
  EXPECT_THAT(Shown(source), HasSubstr("no trusted_ca has signed it"));
  roots.validation->trusted_ca = {};
  EXPECT_THAT(source.Refresh().ToString(), HasSubstr("has no trusted_ca"));
  roots.validation.reset();
  EXPECT_THAT(source.Refresh().ToString(),
              HasSubstr("has no validation context"));
}

TEST_F(ClientTlsSourceTest, IsNotReadyWithoutTheSecretThatItNames) {
  struct Case {
    Kind kind;
    const char* want;
  };
  for (const Case& test :
       {Case{Kind::kControlPlane, "no control plane has sent it"},
        Case{Kind::kStatic, "there is no such static secret"},
        Case{Kind::kProvider, "certificate providers"}}) {
    UpstreamTls config = Inline();
    config.common.certificate_secret = {test.kind, "own", ""};
    const ClientTlsSource source = Source(config);
    const absl::Status status = source.Latest().status();
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
    EXPECT_THAT(status.ToString(), HasSubstr("secret \"own\""));
    EXPECT_THAT(status.ToString(), HasSubstr(test.want));
  }
  UpstreamTls config;
  config.common.validation_secret = {Kind::kFile, "roots", "/sds.yaml"};
  EXPECT_THAT(Source(config).Refresh().ToString(), HasSubstr("\"roots\""));
}

TEST_F(ClientTlsSourceTest, VerifiesWhatItWasToldToVerify) {
  UpstreamTls config = Inline();
  SanMatcher other;
  other.matcher.value = "spiffe://other";
  config.common.validation.match_typed_subject_alt_names = {other};
  EXPECT_THAT(Shown(Source(config)), HasSubstr("spiffe://other"));
  // Names without trust are no verification.
  config.common.validation.trusted_ca = {};
  EXPECT_THAT(Shown(Source(config)), HasSubstr("say nothing"));
  // As in Envoy: nothing to verify by.
  config.common.validation = {};
  EXPECT_EQ(Shown(Source(config)), "spiffe://client/first");
}

TEST_F(ClientTlsSourceTest, VerifiesTheSniInsteadOfTheNames) {
  UpstreamTls config = Inline();
  SanMatcher other;
  other.matcher.value = "spiffe://other";
  config.common.validation.match_typed_subject_alt_names = {other};
  config.auto_sni_san_validation = true;
  EXPECT_THAT(Shown(Source(config)), HasSubstr("there is no SNI"));
  config.sni = "echo.shop";
  EXPECT_EQ(Shown(Source(config)), "spiffe://client/first");
  config.sni = "other.shop";
  EXPECT_THAT(Shown(Source(config)), HasSubstr("DNS exact other.shop"));
}

TEST_F(ClientTlsSourceTest, SessionsAreForTheHost) {
  UpstreamTls config = Inline();
  config.sni = "configured";
  auto options = *Source(config).SessionOptions("host.name", "key");
  EXPECT_EQ(options.sni, "configured");
  EXPECT_EQ(options.session_key, "key");
  EXPECT_EQ(options.expected_name, "");
  config.auto_host_sni = true;
  config.max_session_keys = 0;
  options = *Source(config).SessionOptions("host.name", "key");
  EXPECT_EQ(options.sni, "host.name");
  EXPECT_EQ(options.session_key, "");
  EXPECT_EQ(Source(config).SessionOptions("", "k")->sni, "configured");
  EXPECT_EQ(Source(config).SessionOptions("10.0.0.1", "k")->sni, "configured");
  EXPECT_EQ(Source(config).SessionOptions("::1", "k")->sni, "configured");
}

TEST_F(ClientTlsSourceTest, EqualConfigurationsShareASource) {
  ClientTlsSources sources;
  const auto get = [&](const UpstreamTls& config) {
    return sources.Get(std::make_shared<const UpstreamTls>(config));
  };
  auto first = get(Inline());
  EXPECT_EQ(get(Inline()), first);
  UpstreamTls other = Inline();
  other.auto_host_sni = true;  // not in the hash
  const auto second = get(other);
  EXPECT_NE(second, first);
  EXPECT_EQ(get(other), second);
  const std::weak_ptr<ClientTlsSource> gone = first;
  first.reset();
  EXPECT_TRUE(gone.expired());
  EXPECT_EQ(Shown(*get(Inline())), "spiffe://client/first");
}

TEST_F(ClientTlsSourceTest, RefreshesAllThatCanChange) {
  ClientTlsSources sources;
  const auto fixed = sources.Get(std::make_shared<const UpstreamTls>(Inline()));
  const auto changing =
      sources.Get(std::make_shared<const UpstreamTls>(InFiles()));
  EXPECT_FALSE(changing->Latest().ok());
  ASSERT_TRUE(sources.RefreshAll().ok());
  EXPECT_TRUE(changing->Latest().ok());
  WriteOwn(Issue("second"));
  ASSERT_TRUE(sources.RefreshAll().ok());
  EXPECT_EQ(Shown(*changing), "spiffe://client/second");
  EXPECT_EQ(sources.counts().rotations, 1u);
  Write("tls.key", "x");
  EXPECT_FALSE(sources.RefreshAll().ok());
  EXPECT_EQ(sources.counts().failures, 1u);
}

TEST_F(ClientTlsSourceTest, ItsThreadReadsNewSourcesAtOnce) {
  std::promise<void> read_once;
  model::TlsSecret own;
  own.certificate = Inline().common.certificate;
  int reads = 0;  // of the thread
  ClientTlsSources sources(
      [&](const std::string&,
          const std::string&) -> absl::StatusOr<model::TlsSecret> {
        if (++reads == 2) read_once.set_value();  // the first has been used
        return own;
      });
  ASSERT_TRUE(sources.Start(absl::Hours(1)).ok());
  UpstreamTls config = Inline();
  config.common.certificate = {};
  config.common.certificate_secret = {Kind::kFile, "own", "/sds.yaml"};
  const auto source = sources.Get(std::make_shared<const UpstreamTls>(config));
  // Another new one makes it look at both again.
  config.sni = "other";
  const auto other = sources.Get(std::make_shared<const UpstreamTls>(config));
  ASSERT_EQ(read_once.get_future().wait_for(std::chrono::seconds(20)),
            std::future_status::ready);
  sources.Stop();
  EXPECT_TRUE(source->Latest().ok());
  EXPECT_TRUE(other->Latest().ok());
  ASSERT_TRUE(sources.Start(absl::Hours(1)).ok());  // stopped by its end
}

}  // namespace
}  // namespace meshlib::security
