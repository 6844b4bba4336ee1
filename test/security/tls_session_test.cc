#include "security/tls_session.h"

#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "security/certificate.h"
#include "test/security/test_certificates.h"
#include "test/security/tls_pair.h"

namespace meshlib::security {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Role = TlsContext::Role;
using Kind = model::StringMatcher::Kind;

constexpr char kServerId[] = "spiffe://cluster.local/ns/demo/sa/echo";
constexpr char kClientId[] = "spiffe://cluster.local/ns/demo/sa/client";

SanMatcher Match(SanMatcher::Type type, Kind kind, const std::string& value) {
  SanMatcher out;
  out.san_type = type;
  out.matcher.kind = kind;
  out.matcher.value = value;
  return out;
}

std::shared_ptr<const TlsContext> Make(Role role, const TlsOptions& options) {
  auto out = TlsContext::Create(role, options);
  EXPECT_TRUE(out.ok()) << out.status();
  return out.ok() ? *out : nullptr;
}

class TlsSessionTest : public ::testing::Test {
 protected:
  TlsSessionTest() {
    TestLeaf leaf;
    leaf.alternative_names =
        std::string("URI:") + kServerId + ",DNS:echo.shop,IP:127.0.0.1";
    server_.material = ca_.Issue(leaf);
    server_.alpn_protocols = {"h2", "http/1.1"};
    leaf.alternative_names = std::string("URI:") + kClientId;
    client_.material = ca_.Issue(leaf);
    client_.alpn_protocols = {"istio-h2", "istio", "h2"};
  }

  TlsPair Pair(const TlsSessionOptions& options = {}) const {
    return TlsPair(Make(Role::kClient, client_), Make(Role::kServer, server_),
                   options);
  }

  // Runs a handshake that the client is to refuse.
  std::string ClientRefusal(const TlsSessionOptions& options = {}) const {
    TlsPair pair = Pair(options);
    EXPECT_FALSE(pair.Handshake());
    EXPECT_EQ(pair.client->status().code(), absl::StatusCode::kUnauthenticated);
    EXPECT_FALSE(pair.server->handshake_done());
    // And the server hears of it.
    EXPECT_THAT(pair.server->status().ToString(), HasSubstr("alert"));
    return std::string(pair.client->status().message());
  }

  std::string ServerRefusal() const {
    TlsPair pair = Pair();
    pair.Handshake();
    EXPECT_FALSE(pair.server->handshake_done());
    EXPECT_EQ(pair.server->status().code(), absl::StatusCode::kUnauthenticated);
    // In TLS 1.3 the client learns of it when it reads.
    TlsPair::ReadAll(*pair.client);
    EXPECT_THAT(pair.client->status().ToString(), HasSubstr("alert"));
    return std::string(pair.server->status().message());
  }

  const TestCa ca_;
  TlsOptions client_;
  TlsOptions server_;
};

TEST_F(TlsSessionTest, HandshakesAndCarriesBytesBothWays) {
  TlsSessionOptions options;
  options.sni = "outbound_.50051_._.echo.demo.svc.cluster.local";
  TlsPair pair = Pair(options);
  EXPECT_EQ(*pair.client->Write("too early"), 0u);
  ASSERT_TRUE(pair.Handshake());
  EXPECT_EQ(pair.client->alpn(), "h2");
  EXPECT_EQ(pair.server->alpn(), "h2");
  EXPECT_EQ(pair.server->sni(), options.sni);
  EXPECT_EQ(pair.client->version(), "TLSv1.3");
  EXPECT_FALSE(pair.client->cipher().empty());
  EXPECT_THAT(pair.client->peer().uris, ElementsAre(kServerId));
  EXPECT_THAT(pair.client->peer().dns_names, ElementsAre("echo.shop"));
  EXPECT_THAT(pair.client->peer().ip_addresses, ElementsAre("127.0.0.1"));
  EXPECT_EQ(pair.Send(*pair.client, *pair.server, "hello"), "hello");
  const std::string large(3'000'000, 'x');
  EXPECT_EQ(pair.Send(*pair.server, *pair.client, large), large);
}

TEST_F(TlsSessionTest, WorksWhenFedByteByByte) {
  TlsPair pair = Pair();
  ASSERT_TRUE(pair.Handshake(1));
  const std::string text(20'000, 'y');
  EXPECT_EQ(pair.Send(*pair.client, *pair.server, text, 1), text);
  EXPECT_EQ(pair.Send(*pair.server, *pair.client, text, 1), text);
}

TEST_F(TlsSessionTest, ProvesBothEndsWithMutualTls) {
  server_.require_client_certificate = true;
  server_.match_typed_subject_alt_names = {
      Match(SanMatcher::Type::kUri, Kind::kPrefix, "spiffe://cluster.local/")};
  client_.match_typed_subject_alt_names = {
      Match(SanMatcher::Type::kUri, Kind::kExact, "spiffe://old.domain/x"),
      Match(SanMatcher::Type::kUri, Kind::kExact, kServerId)};
  for (const TlsVersion version : {TlsVersion::kTls12, TlsVersion::kTls13}) {
    client_.tls_minimum_protocol_version = version;
    client_.tls_maximum_protocol_version = version;
    TlsPair pair = Pair();
    ASSERT_TRUE(pair.Handshake());
    EXPECT_THAT(pair.server->peer().uris, ElementsAre(kClientId));
    EXPECT_EQ(pair.Send(*pair.client, *pair.server, "hello"), "hello");
  }
}

TEST_F(TlsSessionTest, TrustsAnIntermediateWithItsChain) {
  const TestCa intermediate("intermediate", ca_);
  TestLeaf leaf;
  leaf.alternative_names = "DNS:echo.shop";
  server_.material = intermediate.Issue(leaf);
  server_.material.trusted_ca = ca_.pem();
  EXPECT_THAT(ClientRefusal(), HasSubstr("no trusted_ca has signed it"));
  server_.material.certificate_chain += intermediate.pem();
  EXPECT_TRUE(Pair().Handshake());
  client_.material.trusted_ca = intermediate.pem();
  EXPECT_TRUE(Pair().Handshake());
}

TEST_F(TlsSessionTest, RefusesAServerThatItCannotVerify) {
  const TlsMaterial good = server_.material;
  TestLeaf leaf;
  leaf.alternative_names = "DNS:echo.shop";

  server_.material = TestCa("wrong root").Issue(leaf);
  EXPECT_THAT(ClientRefusal(), HasSubstr("\"echo.shop\" is refused: no "
                                         "trusted_ca has signed it"));
  // The right name on the wrong key.
  server_.material = TestCa("test root").Issue(leaf);
  EXPECT_THAT(ClientRefusal(), HasSubstr("is refused"));

  TestLeaf expired = leaf;
  expired.not_before_seconds = -7200;
  expired.not_after_seconds = -3600;
  server_.material = ca_.Issue(expired);
  EXPECT_THAT(ClientRefusal(), HasSubstr("it expired at"));

  TestLeaf future = leaf;
  future.not_before_seconds = 3600;
  future.not_after_seconds = 7200;
  server_.material = ca_.Issue(future);
  EXPECT_THAT(ClientRefusal(), HasSubstr("it is not valid before"));

  TestLeaf client_only = leaf;
  client_only.extended_key_usage = "clientAuth";
  server_.material = ca_.Issue(client_only);
  EXPECT_THAT(ClientRefusal(), HasSubstr("may not be used as a server's"));

  server_.material = good;
  client_.material.crl = ca_.Revoke({good.certificate_chain});
  EXPECT_THAT(ClientRefusal(), HasSubstr("it is revoked"));
  client_.material.crl = ca_.Revoke({});
  EXPECT_TRUE(Pair().Handshake());
  client_.material.crl = TestCa("other").Revoke({});
  EXPECT_THAT(ClientRefusal(), HasSubstr("the crl has no list"));
}

TEST_F(TlsSessionTest, RefusesAServerOfAnotherName) {
  client_.match_typed_subject_alt_names = {
      Match(SanMatcher::Type::kUri, Kind::kExact, "spiffe://other/id")};
  EXPECT_THAT(ClientRefusal(),
              HasSubstr("it has URI spiffe://cluster.local/ns/demo/sa/echo, "
                        "DNS echo.shop, IP_ADDRESS 127.0.0.1; none matches URI "
                        "exact spiffe://other/id"));
  client_.accept_untrusted = true;
  EXPECT_THAT(ClientRefusal(), HasSubstr("none matches"));
}

TEST_F(TlsSessionTest, HoldsTheServerToAnExpectedName) {
  TlsSessionOptions options;
  for (const char* name : {"echo.shop", "127.0.0.1"}) {
    options.expected_name = name;
    EXPECT_TRUE(Pair(options).Handshake()) << name;
  }
  for (const char* name : {"other.shop", "127.0.0.2", "::1"}) {
    options.expected_name = name;
    EXPECT_THAT(ClientRefusal(options), HasSubstr("; wanted ")) << name;
  }
}

TEST_F(TlsSessionTest, RefusesAClientThatItCannotVerify) {
  server_.require_client_certificate = true;
  const TlsMaterial good = client_.material;
  TestLeaf leaf;
  leaf.alternative_names = "URI:spiffe://evil/x";

  client_.material.certificate_chain.clear();
  client_.material.private_key.clear();
  EXPECT_EQ(ServerRefusal(),
            "the peer sent no certificate, and one is required");

  client_.material = TestCa("wrong root").Issue(leaf);
  client_.material.trusted_ca = ca_.pem();
  EXPECT_THAT(ServerRefusal(), HasSubstr("no trusted_ca has signed it"));

  leaf.not_after_seconds = -60;
  client_.material = ca_.Issue(leaf);
  EXPECT_THAT(ServerRefusal(), HasSubstr("it expired at"));

  client_.material = good;
  server_.match_typed_subject_alt_names = {
      Match(SanMatcher::Type::kUri, Kind::kPrefix, "spiffe://other/")};
  EXPECT_THAT(ServerRefusal(), HasSubstr("none matches URI prefix"));
}

TEST_F(TlsSessionTest, AcceptsUntrustedPeersOnlyWhenAsked) {
  client_.material.trusted_ca = TestCa("wrong root").pem();
  EXPECT_FALSE(Pair().Handshake());
  client_.accept_untrusted = true;
  EXPECT_TRUE(Pair().Handshake());
}

TEST_F(TlsSessionTest, NamesProtocolsByPreferenceOfTheServer) {
  TlsSessionOptions options;
  options.alpn_protocols = {"http/1.1", "h2"};
  TlsPair pair = Pair(options);
  ASSERT_TRUE(pair.Handshake());
  EXPECT_EQ(pair.client->alpn(), "h2");
  options.alpn_protocols = {"other"};
  TlsPair none = Pair(options);
  ASSERT_TRUE(none.Handshake());
  EXPECT_EQ(none.client->alpn(), "");
}

TEST_F(TlsSessionTest, SaysWhenVersionsOrCiphersDoNotMeet) {
  client_.tls_maximum_protocol_version = TlsVersion::kTls12;
  server_.tls_minimum_protocol_version = TlsVersion::kTls13;
  TlsPair versions = Pair();
  EXPECT_FALSE(versions.Handshake());
  EXPECT_THAT(versions.server->status().ToString(),
              HasSubstr("offers no TLS version"));
  EXPECT_THAT(versions.client->status().ToString(), HasSubstr("alert"));

  server_.tls_minimum_protocol_version = TlsVersion::kTls12;
  server_.cipher_suites = {"ECDHE-ECDSA-AES256-GCM-SHA384"};
  client_.cipher_suites = {
      "[ECDHE-ECDSA-AES128-GCM-SHA256|ECDHE-RSA-AES128-GCM-SHA256]"};
  TlsPair ciphers = Pair();
  EXPECT_FALSE(ciphers.Handshake());
  EXPECT_THAT(ciphers.server->status().ToString(),
              HasSubstr("offers no cipher suite"));
}

TEST_F(TlsSessionTest, ResumesByKeyInBothVersions) {
  server_.require_client_certificate = true;
  for (const TlsVersion version : {TlsVersion::kTls12, TlsVersion::kTls13}) {
    client_.tls_minimum_protocol_version = version;
    client_.tls_maximum_protocol_version = version;
    const auto client = Make(Role::kClient, client_);
    const auto server = Make(Role::kServer, server_);
    TlsSessionOptions options;
    options.session_key = "echo";
    {
      TlsPair first(client, server, options);
      ASSERT_TRUE(first.Handshake());
      EXPECT_FALSE(first.client->resumed());
      first.Send(*first.server, *first.client, "tickets come along");
      // It ends without a close_notify: the ticket is good all the same.
    }
    TlsPair second(client, server, options);
    ASSERT_TRUE(second.Handshake());
    EXPECT_TRUE(second.client->resumed());
    EXPECT_TRUE(second.server->resumed());
    EXPECT_THAT(second.client->peer().uris, ElementsAre(kServerId));
    EXPECT_THAT(second.server->peer().uris, ElementsAre(kClientId));
    EXPECT_EQ(second.Send(*second.client, *second.server, "hello"), "hello");

    options.session_key = "other";
    TlsPair other(client, server, options);
    ASSERT_TRUE(other.Handshake());
    EXPECT_FALSE(other.client->resumed());

    // New certificates of the server's make new tickets.
    options.session_key = "echo";
    TlsPair rotated(client, Make(Role::kServer, server_), options);
    ASSERT_TRUE(rotated.Handshake());
    EXPECT_FALSE(rotated.client->resumed());
  }
}

TEST_F(TlsSessionTest, KeepsNoMoreSessionsThanAllowed) {
  client_.max_session_keys = 1;
  client_.tls_maximum_protocol_version = TlsVersion::kTls12;
  const auto client = Make(Role::kClient, client_);
  const auto server = Make(Role::kServer, server_);
  const auto resumes = [&](const std::string& key) {
    TlsSessionOptions options;
    options.session_key = key;
    TlsPair pair(client, server, options);
    EXPECT_TRUE(pair.Handshake());
    return pair.client->resumed();
  };
  EXPECT_FALSE(resumes("a"));
  EXPECT_TRUE(resumes("a"));
  EXPECT_FALSE(resumes("b"));
  EXPECT_FALSE(resumes("a"));
}

TEST_F(TlsSessionTest, TellsAnEndFromATruncation) {
  TlsPair pair = Pair();
  ASSERT_TRUE(pair.Handshake());
  ASSERT_EQ(*pair.client->Write("last words"), 10u);
  ASSERT_TRUE(pair.client->Close().ok());
  EXPECT_EQ(pair.client->Write("more").status().code(),
            absl::StatusCode::kFailedPrecondition);
  pair.Exchange();
  EXPECT_TRUE(pair.server->ReceiveEnd().ok());
  EXPECT_FALSE(pair.server->AtEnd());
  EXPECT_EQ(TlsPair::ReadAll(*pair.server), "last words");
  EXPECT_TRUE(pair.server->AtEnd());
  EXPECT_TRUE(pair.server->status().ok());
  // The other direction is still open.
  EXPECT_EQ(pair.Send(*pair.server, *pair.client, "answer"), "answer");

  TlsPair cut = Pair();
  ASSERT_TRUE(cut.Handshake());
  ASSERT_EQ(*cut.client->Write("last words"), 10u);
  cut.Exchange();
  EXPECT_TRUE(cut.server->ReceiveEnd().ok());
  EXPECT_EQ(TlsPair::ReadAll(*cut.server), "last words");
  EXPECT_FALSE(cut.server->AtEnd());
  EXPECT_EQ(cut.server->status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(TlsSessionTest, ReportsATruncationAtEveryByteOfTheHandshake) {
  TlsPair whole = Pair();
  const std::string hello(whole.client->PendingCiphertext());
  const auto server = Make(Role::kServer, server_);
  for (size_t size = 0; size < hello.size(); ++size) {
    auto session = TlsSession::Create(server, {});
    ASSERT_TRUE(session.ok());
    ASSERT_TRUE((*session)->Receive(hello.substr(0, size)).ok()) << size;
    EXPECT_EQ((*session)->ReceiveEnd().code(), absl::StatusCode::kUnavailable);
  }
}

TEST_F(TlsSessionTest, HoldsPeersToPinnedCertificates) {
  const auto leaf =
      ParseCertificates(server_.material.certificate_chain, "leaf");
  ASSERT_TRUE(leaf.ok());
  unsigned char sum[32];
  unsigned int size = 0;
  ASSERT_EQ(X509_digest(leaf->front().get(), EVP_sha256(), sum, &size), 1);
  std::string hex;
  for (const unsigned char byte : sum) {
    char text[4];
    snprintf(text, sizeof(text), "%s%02X", hex.empty() ? "" : ":", byte);
    hex += text;
  }
  const std::string other_spki = std::string(43, 'A') + "=";
  client_.verify_certificate_hash = {hex};
  EXPECT_TRUE(Pair().Handshake());
  client_.verify_certificate_spki = {other_spki};  // one of both is enough
  EXPECT_TRUE(Pair().Handshake());
  client_.verify_certificate_hash = {std::string(64, '0')};
  EXPECT_THAT(ClientRefusal(), HasSubstr("it is none of"));

  unsigned char* der = nullptr;
  const int der_size =
      i2d_X509_PUBKEY(X509_get_X509_PUBKEY(leaf->front().get()), &der);
  ASSERT_GT(der_size, 0);
  ASSERT_EQ(EVP_Digest(der, static_cast<size_t>(der_size), sum, &size,
                       EVP_sha256(), nullptr),
            1);
  OPENSSL_free(der);
  unsigned char base64[64];
  ASSERT_EQ(EVP_EncodeBlock(base64, sum, 32), 44);
  client_.verify_certificate_spki = {
      other_spki, std::string(reinterpret_cast<char*>(base64), 44)};
  EXPECT_TRUE(Pair().Handshake());

  // Pins do not stand for the chain...
  client_.material.trusted_ca = TestCa("other").pem();
  EXPECT_THAT(ClientRefusal(), HasSubstr("no trusted_ca has signed it"));
  // ... unless that is not asked for.
  client_.accept_untrusted = true;
  EXPECT_TRUE(Pair().Handshake());
  client_.verify_certificate_spki = {other_spki};
  EXPECT_THAT(ClientRefusal(), HasSubstr("it is none of"));

  client_.verify_certificate_spki = {std::string(44, '!')};
  EXPECT_EQ(TlsContext::Create(Role::kClient, client_).status().code(),
            absl::StatusCode::kInvalidArgument);
  client_.verify_certificate_spki = {};
  client_.verify_certificate_hash = {std::string(64, 'g')};
  EXPECT_EQ(TlsContext::Create(Role::kClient, client_).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(TlsSessionTest, ObeysTheFlagsOfVerification) {
  TestLeaf leaf;
  leaf.not_before_seconds = -7200;
  leaf.not_after_seconds = -3600;
  server_.material = ca_.Issue(leaf);
  client_.allow_expired_certificate = true;
  EXPECT_TRUE(Pair().Handshake());
  // Only that is allowed.
  server_.material = TestCa("other").Issue(leaf);
  EXPECT_THAT(ClientRefusal(), HasSubstr("no trusted_ca has signed it"));
  client_.allow_expired_certificate = false;

  // root <- outer <- inner <- leaf
  const TestCa outer("outer", ca_);
  const TestCa inner("inner", outer);
  server_.material = inner.Issue({});
  server_.material.trusted_ca = ca_.pem();
  server_.material.certificate_chain += inner.pem() + outer.pem();
  client_.max_verify_depth = 3;
  EXPECT_TRUE(Pair().Handshake());
  client_.max_verify_depth = 2;
  EXPECT_THAT(ClientRefusal(), HasSubstr("it is 3 certificates below"));
  client_.max_verify_depth.reset();

  client_.material.crl = inner.Revoke({});
  EXPECT_THAT(ClientRefusal(), HasSubstr("the crl has no list"));
  client_.only_verify_leaf_cert_crl = true;
  EXPECT_TRUE(Pair().Handshake());
  client_.material.crl = inner.Revoke({server_.material.certificate_chain});
  EXPECT_THAT(ClientRefusal(), HasSubstr("it is revoked"));
}

TEST_F(TlsSessionTest, MatchesOtherNamesByTheirOid) {
  TestLeaf leaf;
  leaf.alternative_names =
      "otherName:1.3.6.1.4.1.311.20.2.3;UTF8:user@shop,DNS:echo.shop";
  server_.material = ca_.Issue(leaf);
  SanMatcher matcher =
      Match(SanMatcher::Type::kOtherName, Kind::kExact, "user@shop");
  matcher.oid = "1.3.6.1.4.1.311.20.2.3";
  client_.match_typed_subject_alt_names = {matcher};
  EXPECT_TRUE(Pair().Handshake());
  client_.match_typed_subject_alt_names[0].oid = "1.2.3";
  EXPECT_THAT(ClientRefusal(),
              HasSubstr("OTHER_NAME 1.3.6.1.4.1.311.20.2.3 user@shop"));
  client_.match_typed_subject_alt_names[0].oid = "";
  EXPECT_FALSE(TlsContext::Create(Role::kClient, client_).ok());
}

TEST_F(TlsSessionTest, ReadsEncryptedKeysWithTheirPassword) {
  const auto key = ParsePrivateKey(client_.material.private_key, "key", "");
  ASSERT_TRUE(key.ok());
  const BioPtr bio(BIO_new(BIO_s_mem()));
  char password[] = "secret";
  ASSERT_EQ(
      PEM_write_bio_PKCS8PrivateKey(bio.get(), key->get(), EVP_aes_256_cbc(),
                                    password, 6, nullptr, nullptr),
      1);
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  client_.material.private_key.assign(data, static_cast<size_t>(size));
  EXPECT_THAT(TlsContext::Create(Role::kClient, client_).status().ToString(),
              HasSubstr("unencrypted"));
  client_.material.password = "wrong";
  EXPECT_THAT(TlsContext::Create(Role::kClient, client_).status().ToString(),
              HasSubstr("of the password"));
  client_.material.password = "secret";
  EXPECT_TRUE(Pair().Handshake());
}

TEST_F(TlsSessionTest, UsesTheSignatureAlgorithmsThatAreAllowed) {
  client_.signature_algorithms = {"ecdsa_secp256r1_sha256"};
  EXPECT_TRUE(Pair().Handshake());
  client_.signature_algorithms = {"nonsense"};
  EXPECT_THAT(TlsContext::Create(Role::kClient, client_).status().ToString(),
              HasSubstr("signature_algorithms: \"nonsense\""));
}

TEST_F(TlsSessionTest, RefusesGarbageAndStaysRefused) {
  const auto server = Make(Role::kServer, server_);
  for (const std::string& bytes :
       {std::string("GET / HTTP/1.1\r\nhost: a\r\n\r\n"),
        std::string("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), std::string(500, '\0'),
        std::string(500, '\xff'),
        std::string("\x16\x03\x01\xff\xff") + std::string(70'000, 'x')}) {
    auto session = TlsSession::Create(server, {});
    ASSERT_TRUE(session.ok());
    const auto result = (*session)->Receive(bytes);
    EXPECT_EQ(result.status().code(), absl::StatusCode::kUnavailable);
    EXPECT_EQ((*session)->Receive("x").status(), result.status());
    char out[10];
    EXPECT_EQ((*session)->Read(absl::MakeSpan(out)).status(), result.status());
    EXPECT_EQ((*session)->Write("x").status(), result.status());
  }
  auto plain = TlsSession::Create(server, {});
  EXPECT_THAT((*plain)->Receive("GET / HTTP/1.1\r\n").status().ToString(),
              HasSubstr("the peer does not speak TLS"));
}

TEST_F(TlsSessionTest, RefusesChangedBytesAfterTheHandshake) {
  TlsPair pair = Pair();
  ASSERT_TRUE(pair.Handshake());
  ASSERT_TRUE(pair.client->Write("whole").ok());
  pair.Exchange();
  ASSERT_TRUE(pair.client->Write("changed").ok());
  std::string bytes(pair.client->PendingCiphertext());
  bytes.back() ^= 1;
  ASSERT_EQ(*pair.server->Receive(bytes), bytes.size());
  // What was whole comes first.
  EXPECT_EQ(TlsPair::ReadAll(*pair.server), "whole");
  EXPECT_EQ(pair.server->status().code(), absl::StatusCode::kUnavailable);
  EXPECT_FALSE(pair.server->AtEnd());
}

TEST_F(TlsSessionTest, BoundsWhatItBuffers) {
  TlsPair pair = Pair();
  ASSERT_TRUE(pair.Handshake());
  // Nobody sends: Write() takes some and then nothing.
  const std::string much(10'000'000, 'z');
  const size_t taken = *pair.client->Write(much);
  EXPECT_LT(taken, 300'000u);
  EXPECT_EQ(*pair.client->Write(much), 0u);
  // Nobody reads: Receive() takes some and then nothing.
  const std::string pending(pair.client->PendingCiphertext());
  const size_t received = *pair.server->Receive(pending);
  EXPECT_LT(received, 100'000u);
  EXPECT_EQ(*pair.server->Receive(pending.substr(received)), 0u);
}

}  // namespace
}  // namespace meshlib::security
