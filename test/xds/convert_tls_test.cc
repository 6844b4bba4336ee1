#include "xds/convert_tls.h"

#include <cstdlib>
#include <fstream>
#include <string>

#include "absl/strings/str_replace.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "test/security/test_certificates.h"
#include "test/xds/convert_harness.h"
#include "xds/secret_file.h"

namespace meshlib::xds {
namespace {

using model::DataSource;
using model::SecretSource;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using Kind = model::StringMatcher::Kind;
using SanType = model::SubjectAltNameMatcher::Type;

// One pair for all tests: a configuration's pairs must fit together.
const security::TlsMaterial& Pair() {
  static const auto* const made = new security::TlsMaterial(
      security::TestCa().Issue({"leaf", "URI:spiffe://test/leaf"}));
  return *made;
}
const std::string& Certificate() { return Pair().certificate_chain; }
const std::string& Key() { return Pair().private_key; }

// As a quoted scalar takes it.
std::string InlineText(const std::string& text) {
  return "{inline_string: \"" + absl::StrReplaceAll(text, {{"\n", "\\n"}}) +
         "\"}";
}

constexpr char kExtensions[] =
    "type.googleapis.com/envoy.extensions.transport_sockets.";

std::string InlineCertificate() { return InlineText(Certificate()); }

std::string TlsSocket(const std::string& fields) {
  return "{name: tls, typed_config: {'@type': " + std::string(kExtensions) +
         "tls.v3.UpstreamTlsContext, " + fields + "}}";
}
std::string WithTls(const std::string& fields) {
  return "transport_socket: " + TlsSocket(fields);
}
std::string WithValidation(const std::string& fields) {
  return WithTls("common_tls_context: {validation_context: {trusted_ca: " +
                 InlineCertificate() + ", " + fields + "}}");
}
model::UpstreamTls LoadedTls(const std::string& cluster_fields) {
  const model::Cluster cluster = LoadedCluster(cluster_fields);
  EXPECT_NE(cluster.tls, nullptr);
  return cluster.tls == nullptr ? model::UpstreamTls() : *cluster.tls;
}

class TlsFile {
 public:
  TlsFile(const std::string& name, const std::string& text)
      : path_(::testing::TempDir() + "/" + name) {
    std::ofstream(path_) << text;
  }
  ~TlsFile() { remove(path_.c_str()); }
  const std::string& path() const { return path_; }

 private:
  const std::string path_;
};

TEST(ConvertTls, CarriesWhatAClientContextNeeds) {
  const auto tls = LoadedTls(
      WithTls("sni: s.example, auto_host_sni: true, auto_sni_san_validation: "
              "true, max_session_keys: 7, common_tls_context: {alpn_protocols: "
              "[h2], tls_params: {tls_minimum_protocol_version: TLSv1_3, "
              "cipher_suites: [A, '[B|C]'], ecdh_curves: [P-256], "
              "signature_algorithms: [rsa_pss_rsae_sha256]}, "
              "validation_context: {system_root_certs: {}, "
              "allow_expired_certificate: true, only_verify_leaf_cert_crl: "
              "true, max_verify_depth: 3, verify_certificate_spki: "
              "['AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=']}}"));
  EXPECT_EQ(tls.sni, "s.example");
  EXPECT_TRUE(tls.auto_host_sni);
  EXPECT_TRUE(tls.auto_sni_san_validation);
  EXPECT_EQ(tls.max_session_keys, 7u);
  const model::CommonTls& common = tls.common;
  EXPECT_THAT(common.alpn_protocols, ElementsAre("h2"));
  EXPECT_EQ(common.tls_params.tls_minimum_protocol_version,
            model::TlsVersion::kTls13);
  EXPECT_THAT(common.tls_params.cipher_suites, ElementsAre("A", "[B|C]"));
  EXPECT_THAT(common.tls_params.ecdh_curves, ElementsAre("P-256"));
  EXPECT_THAT(common.tls_params.signature_algorithms,
              ElementsAre("rsa_pss_rsae_sha256"));
  EXPECT_TRUE(common.validation.system_root_certs);
  EXPECT_TRUE(common.validation.allow_expired_certificate);
  EXPECT_TRUE(common.validation.only_verify_leaf_cert_crl);
  EXPECT_EQ(common.validation.max_verify_depth, 3u);
  EXPECT_EQ(common.validation.verify_certificate_spki.size(), 1u);
  EXPECT_TRUE(common.certificate.empty());
  EXPECT_TRUE(common.certificate_secret.none());
}

TEST(ConvertTls, CarriesEveryKindOfName) {
  const auto names =
      LoadedTls(WithValidation(
                    "match_typed_subject_alt_names: ["
                    "{san_type: URI, matcher: {prefix: 'spiffe://'}}, "
                    "{san_type: DNS, matcher: {exact: a.b, ignore_case: true}},"
                    "{san_type: EMAIL, matcher: {suffix: '@a'}}, "
                    "{san_type: IP_ADDRESS, matcher: {contains: '10.'}}, "
                    "{san_type: OTHER_NAME, oid: 1.2.3, matcher: "
                    "{safe_regex: {regex: 'a.*'}}}]"))
          .common.validation.match_typed_subject_alt_names;
  ASSERT_EQ(names.size(), 5u);
  EXPECT_EQ(names[0].san_type, SanType::kUri);
  EXPECT_EQ(names[0].matcher.kind, Kind::kPrefix);
  EXPECT_EQ(names[1].san_type, SanType::kDns);
  EXPECT_TRUE(names[1].matcher.ignore_case);
  EXPECT_EQ(names[2].matcher.kind, Kind::kSuffix);
  EXPECT_EQ(names[3].san_type, SanType::kIpAddress);
  EXPECT_EQ(names[3].matcher.kind, Kind::kContains);
  EXPECT_EQ(names[4].san_type, SanType::kOtherName);
  EXPECT_EQ(names[4].oid, "1.2.3");
  EXPECT_EQ(names[4].matcher.kind, Kind::kRegex);
  EXPECT_EQ(names[4].matcher.value, "a.*");
}

TEST(ConvertTls, TheOldNamesStandForOneOfEachKind) {
  const auto cluster = LoadedCluster(WithValidation(
      "match_subject_alt_names: [{exact: 'spiffe://a'}, {exact: 10.0.0.1}]"));
  std::vector<SanType> types;
  for (const auto& name :
       cluster.tls->common.validation.match_typed_subject_alt_names) {
    types.push_back(name.san_type);
  }
  // An address is asked for only where the text is one.
  EXPECT_THAT(types, ElementsAre(SanType::kUri, SanType::kDns, SanType::kEmail,
                                 SanType::kUri, SanType::kDns, SanType::kEmail,
                                 SanType::kIpAddress));
  EXPECT_THAT(cluster.expected_identities,
              ElementsAre("spiffe://a", "10.0.0.1"));
}

TEST(ConvertTls, FilesStayFilesAndTheRestBecomesBytes) {
  const TlsFile certificate("convert_tls.crt", Certificate());
  const TlsFile key("convert_tls.key", Key());
  setenv("MESHLIB_TEST_CONVERT_TLS", Certificate().c_str(), 1);
  const auto tls = LoadedTls(WithTls(
      "common_tls_context: {tls_certificates: [{certificate_chain: {filename: "
      "'" +
      certificate.path() + "'}, private_key: {filename: '" + key.path() +
      "'}, password: {inline_string: p}, watched_directory: {path: /tmp}}], "
      "validation_context: {trusted_ca: {environment_variable: "
      "MESHLIB_TEST_CONVERT_TLS}}}"));
  unsetenv("MESHLIB_TEST_CONVERT_TLS");
  EXPECT_EQ(tls.common.certificate.certificate_chain,
            DataSource::File(certificate.path()));
  EXPECT_EQ(tls.common.certificate.private_key, DataSource::File(key.path()));
  EXPECT_EQ(tls.common.certificate.password, DataSource::Inline("p"));
  EXPECT_EQ(tls.common.validation.trusted_ca,
            DataSource::Inline(Certificate()));
}

TEST(ConvertTls, SecretsAreNamedByWhereTheyComeFrom) {
  const auto tls = LoadedTls(WithTls(
      "common_tls_context: {tls_certificate_sds_secret_configs: [{name: own, "
      "sds_config: {path_config_source: {path: /etc/sds.yaml}}}], "
      "combined_validation_context: {default_validation_context: "
      "{match_typed_subject_alt_names: [{san_type: URI, matcher: {exact: u}}]},"
      " validation_context_sds_secret_config: {name: ROOTCA, sds_config: {ads: "
      "{}}}}}"));
  EXPECT_EQ(tls.common.certificate_secret,
            (SecretSource{SecretSource::Kind::kFile, "own", "/etc/sds.yaml"}));
  EXPECT_EQ(tls.common.validation_secret,
            (SecretSource{SecretSource::Kind::kControlPlane, "ROOTCA", ""}));
  EXPECT_EQ(tls.common.validation.match_typed_subject_alt_names.size(), 1u);
}

TEST(ConvertTls, StaticSecretsBecomePartOfTheCluster) {
  const std::string yaml =
      "static_resources: {clusters: [{name: c, " +
      WithTls(
          "common_tls_context: {tls_certificate_sds_secret_configs: [{name:"
          " own}], combined_validation_context: "
          "{default_validation_context: {match_typed_subject_alt_names: "
          "[{san_type: URI, matcher: {exact: u}}]}, "
          "validation_context_sds_secret_config: {name: roots}}}") +
      "}, {name: plain}], secrets: [{name: own, tls_certificate: "
      "{certificate_chain: " +
      InlineCertificate() + ", private_key: " + InlineText(Key()) +
      "}}, {name: roots, validation_context: {trusted_ca: " +
      InlineCertificate() +
      ", match_typed_subject_alt_names: [{san_type: URI, matcher: {exact: "
      "v}}]}}]}";
  const auto config = Loaded(yaml);
  ASSERT_EQ(config->clusters.size(), 2u);
  EXPECT_EQ(config->secrets.size(), 2u);
  ASSERT_NE(config->clusters[0]->tls, nullptr);
  const model::CommonTls& common = config->clusters[0]->tls->common;
  EXPECT_TRUE(common.certificate_secret.none());
  EXPECT_TRUE(common.validation_secret.none());
  EXPECT_EQ(common.certificate.certificate_chain,
            DataSource::Inline(Certificate()));
  EXPECT_EQ(common.certificate.private_key, DataSource::Inline(Key()));
  EXPECT_EQ(common.validation.trusted_ca, DataSource::Inline(Certificate()));
  EXPECT_EQ(common.validation.match_typed_subject_alt_names.size(), 2u);
}

TEST(ConvertTls, HostsAreMatchedByTheirMetadataInOrder) {
  const auto cluster = LoadedCluster(
      WithTls("sni: default") +
      ", transport_socket_matches: ["
      "{name: m, match: {tlsMode: istio, zone: 1}, transport_socket: " +
      TlsSocket("sni: both") + "}, " +
      "{name: i, match: {tlsMode: istio}, transport_socket: " +
      TlsSocket("sni: istio") +
      "}, {name: p, match: {tlsMode: disabled}, transport_socket: {name: raw, "
      "typed_config: {'@type': " +
      kExtensions + "raw_buffer.v3.RawBuffer}}}]");
  const auto sni = [&](std::map<std::string, model::Value, std::less<>> with) {
    model::Metadata metadata;
    metadata.filters["envoy.transport_socket_match"].fields = std::move(with);
    const auto& tls = model::TlsFor(cluster, &metadata);
    return tls == nullptr ? "plaintext" : tls->sni;
  };
  const auto text = [](const std::string& string) {
    model::Value out;
    out.kind = model::Value::Kind::kString;
    out.string = string;
    return out;
  };
  model::Value one;
  one.kind = model::Value::Kind::kNumber;
  one.number = 1;
  EXPECT_EQ(sni({{"tlsMode", text("istio")}, {"zone", one}}), "both");
  EXPECT_EQ(sni({{"tlsMode", text("istio")}, {"zone", text("1")}}), "istio");
  EXPECT_EQ(sni({{"tlsMode", text("istio")}}), "istio");
  EXPECT_EQ(sni({{"tlsMode", text("disabled")}}), "plaintext");
  EXPECT_EQ(sni({{"tlsMode", text("other")}}), "default");
  EXPECT_EQ(sni({}), "default");
  EXPECT_EQ(model::TlsFor(cluster, nullptr)->sni, "default");
}

TEST(ConvertTls, AnEmptyMatchIsForEveryHost) {
  const auto cluster = LoadedCluster(
      "transport_socket_matches: [{name: m, match: {}, transport_socket: " +
      TlsSocket("sni: all") + "}]");
  ASSERT_NE(model::TlsFor(cluster, nullptr), nullptr);
  EXPECT_EQ(model::TlsFor(cluster, nullptr)->sni, "all");
}

TEST(ConvertTls, SaysWhatItCannotDo) {
  struct Case {
    std::string fields;
    const char* want;
  };
  for (const Case& test : {
           Case{WithTls("common_tls_context: {tls_params: "
                        "{tls_maximum_protocol_version: TLSv1_1}}"),
                "error: static_resources.clusters[0].transport_socket."
                "typed_config.common_tls_context.tls_params."
                "tls_maximum_protocol_version: is before TLSv1_2"},
           Case{WithValidation("custom_validator_config: {name: x, "
                               "typed_config: {'@type': " +
                               std::string(kExtensions) +
                               "tls.v3.SPIFFECertValidatorConfig}}"),
                "custom_validator_config: is not supported"},
           Case{WithValidation(
                    "match_typed_subject_alt_names: [{san_type: OTHER_NAME, "
                    "matcher: {exact: a}}]"),
                "match_typed_subject_alt_names[0].oid: is required"},
           Case{WithValidation("match_typed_subject_alt_names: [{san_type: "
                               "URI, matcher: {safe_regex: {regex: '('}}}]"),
                "match_typed_subject_alt_names[0].matcher.safe_regex.regex"},
           Case{WithTls("sni: x"),
                "warning: static_resources.clusters[0].transport_socket."
                "typed_config.common_tls_context: without a trusted_ca"},
           Case{WithTls("allow_renegotiation: true"), "never renegotiated"},
       }) {
    EXPECT_THAT(ProblemsOf(ClusterYaml(test.fields)), HasSubstr(test.want))
        << test.fields;
  }
  EXPECT_THAT(ProblemsOf(ClusterYaml(WithValidation("max_verify_depth: 1"))),
              Not(HasSubstr("trusted_ca")));
}

TEST(SecretFile, GivesTheSecretOfTheName) {
  const std::string secret =
      "'@type': " + std::string(kExtensions) + "tls.v3.Secret, name: ";
  const TlsFile file("secret_file.yaml",
                     "resources: [{" + secret +
                         "other, generic_secret: {secret: {inline_string: "
                         "x}}}, {" +
                         secret + "roots, validation_context: {trusted_ca: " +
                         InlineCertificate() + "}}]\n");
  const auto roots = ReadSecretFile(file.path(), "roots");
  ASSERT_TRUE(roots.ok()) << roots.status();
  EXPECT_EQ(roots->name, "roots");
  ASSERT_TRUE(roots->validation.has_value());
  EXPECT_EQ(roots->validation->trusted_ca, DataSource::Inline(Certificate()));
  EXPECT_FALSE(roots->certificate.has_value());
  EXPECT_EQ(ReadSecretFile(file.path(), "other").status().code(),
            absl::StatusCode::kNotFound);
  EXPECT_EQ(ReadSecretFile(file.path(), "absent").status().code(),
            absl::StatusCode::kNotFound);
  EXPECT_EQ(ReadSecretFile(file.path() + ".absent", "a").status().code(),
            absl::StatusCode::kInvalidArgument);
  const TlsFile broken("secret_file_broken.yaml",
                       "resources: [{" + secret +
                           "roots, validation_context: {trusted_ca: "
                           "{inline_string: x}}}]\n");
  EXPECT_THAT(ReadSecretFile(broken.path(), "roots").status().ToString(),
              HasSubstr("trusted_ca: holds no readable PEM block"));
}

// ---- Of listeners

constexpr char kChain[] =
    "filters: [{name: t, typed_config: {'@type': type.googleapis.com/"
    "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy, stat_prefix: s, "
    "cluster: c}}]";

std::string WithListener(const std::string& socket,
                         const std::string& secrets = "") {
  return "static_resources: {" + secrets +
         "listeners: [{name: l, address: {socket_address: {address: 0.0.0.0, "
         "port_value: 80}}, filter_chains: [{" +
         std::string(kChain) + ", transport_socket: " + socket +
         "}]}], clusters: [{name: c}]}";
}
std::string Downstream(const std::string& fields) {
  return "{name: t, typed_config: {'@type': " + std::string(kExtensions) +
         "tls.v3.DownstreamTlsContext, " + fields + "}}";
}
std::string OnePair() {
  return "{certificate_chain: " + InlineCertificate() +
         ", private_key: " + InlineText(Key()) + "}";
}

TEST(ConvertTls, CarriesWhatAServerContextNeeds) {
  const auto config = Loaded(WithListener(Downstream(
      "require_client_certificate: true, require_sni: true, "
      "session_timeout: 5s, common_tls_context: {alpn_protocols: "
      "[h2], tls_certificates: [" +
      OnePair() + ", " + OnePair() +
      "], validation_context: {trusted_ca: " + InlineCertificate() + "}}")));
  const auto& tls = config->listeners.at(0)->filter_chains.at(0).tls;
  ASSERT_NE(tls, nullptr);
  EXPECT_TRUE(tls->require_client_certificate);
  EXPECT_TRUE(tls->require_sni);
  EXPECT_EQ(tls->session_timeout, absl::Seconds(5));
  EXPECT_THAT(tls->common.alpn_protocols, ElementsAre("h2"));
  EXPECT_EQ(tls->common.certificate.private_key, DataSource::Inline(Key()));
  EXPECT_EQ(tls->common.more_certificates.size(), 1u);
  EXPECT_TRUE(tls->common.validation.has_trust());
}

TEST(ConvertTls, GivesServersTheirStaticSecrets) {
  const auto config = Loaded(WithListener(
      Downstream("common_tls_context: {tls_certificate_sds_secret_configs: "
                 "[{name: a}, {name: b}]}"),
      "secrets: [{name: a, tls_certificate: " + OnePair() +
          "}, {name: b, tls_certificate: " + OnePair() + "}], "));
  const auto& common = config->listeners.at(0)->filter_chains.at(0).tls->common;
  EXPECT_TRUE(common.certificate_secret.none());
  EXPECT_FALSE(common.certificate.empty());
  EXPECT_TRUE(common.more_certificate_secrets.empty());
  EXPECT_EQ(common.more_certificates.size(), 1u);
}

TEST(ConvertTls, RefusesWhatEnvoyRefusesOfAServer) {
  const std::string good = "tls_certificates: [" + OnePair() + "]";
  const struct {
    std::string socket;
    std::string text;
  } cases[] = {
      {"{name: t}", "typed_config"},
      {TlsSocket("sni: x"), "is for clusters"},
      {Downstream("common_tls_context: {tls_certificates: "
                  "[{certificate_chain: " +
                  InlineCertificate() + "}]}"),
       "beside the other half"},
      {Downstream("session_ticket_keys: {keys: [{inline_string: short}]}, "
                  "common_tls_context: {" +
                  good + "}"),
       "80 bytes"},
      {Downstream("ocsp_staple_policy: MUST_STAPLE, common_tls_context: {" +
                  good + "}"),
       "ocsp_staple"},
      {Downstream("session_timeout: 4294967296s, common_tls_context: {" + good +
                  "}"),
       "session_timeout"},
      {Downstream("common_tls_context: {" + good +
                  ", tls_certificate_sds_secret_configs: [{name: a, "
                  "sds_config: {ads: {}}}]}"),
       "cannot be mixed"},
      {Downstream("common_tls_context: {tls_certificate_sds_secret_configs: "
                  "[{name: nobody}]}"),
       "nobody"},
      {Downstream("common_tls_context: {" + good +
                  ", validation_context: {match_typed_subject_alt_names: "
                  "[{san_type: URI, matcher: {exact: x}}]}}"),
       "trusted_ca"},
  };
  for (const auto& c : cases) {
    EXPECT_THAT(ProblemsOf(WithListener(c.socket)), HasSubstr(c.text))
        << c.socket;
  }
}

TEST(ConvertTls, WarnsOfWhatAServerCannotDoYet) {
  // Envoy takes both.
  for (const std::string& more :
       {std::string("tls_params: {tls_maximum_protocol_version: TLSv1_1}"),
        "validation_context: {trusted_ca: " + InlineCertificate() +
            ", custom_validator_config: {name: x, typed_config: {'@type': " +
            kExtensions + "tls.v3.SPIFFECertValidatorConfig, trust_domains: " +
            "[{name: a, trust_bundle: " + InlineCertificate() + "}]}}}"}) {
    const auto config = Loaded(
        WithListener(Downstream("common_tls_context: {tls_certificates: [" +
                                OnePair() + "], " + more + "}")));
    EXPECT_NE(config->listeners.at(0)->filter_chains.at(0).tls, nullptr);
  }
}

}  // namespace
}  // namespace meshlib::xds
