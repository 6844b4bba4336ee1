#include "security/tls_context.h"

#include <functional>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "test/security/test_certificates.h"

namespace meshlib::security {
namespace {

using ::testing::HasSubstr;
using Role = TlsContext::Role;

TEST(TlsContext, SaysWhatIsWrongWithItsOptions) {
  const TestCa ca;
  TlsOptions good;
  good.material = ca.Issue({});
  const TlsMaterial other = ca.Issue({});
  struct Case {
    Role role;
    std::function<void(TlsOptions&)> change;
    std::string want;
  };
  const std::vector<Case> cases = {
      {Role::kServer,
       [&](auto& o) { o.material.private_key = other.private_key; },
       "private_key is not the key of the certificate \"CN=leaf\""},
      {Role::kClient, [](auto& o) { o.material.private_key.clear(); },
       "must be given together"},
      {Role::kServer,
       [](auto& o) { o.material.private_key = o.material.trusted_ca; },
       "private_key: no unencrypted PEM private key"},
      {Role::kServer, [](auto& o) { o.material.certificate_chain = "x"; },
       "certificate_chain: no PEM certificate in 1 bytes"},
      {Role::kServer, [](auto& o) { o.material.certificate_chain.resize(300); },
       "certificate_chain: certificate 1 cannot be read"},
      {Role::kServer,
       [](auto& o) {
         std::string& ca = o.material.trusted_ca;
         ca += ca.substr(0, 200);
       },
       "trusted_ca: certificate 2 cannot be read"},
      {Role::kServer, [](auto& o) { o.material.crl = "x"; }, "crl: no PEM CRL"},
      {Role::kServer,
       [](auto& o) {
         o.material.certificate_chain.clear();
         o.material.private_key.clear();
       },
       "a server must have one"},
      {Role::kClient, [](auto& o) { o.material.trusted_ca.clear(); },
       "trusted_ca: none is given"},
      {Role::kServer,
       [](auto& o) {
         o.material.trusted_ca.clear();
         o.require_client_certificate = true;
       },
       "trusted_ca: none is given"},
      {Role::kClient,
       [](auto& o) {
         o.cipher_suites = {"AES128-GCM-SHA256", "NONSENSE"};
       },
       "cipher_suites: \"NONSENSE\" is unknown"},
      {Role::kClient, [](auto& o) { o.ecdh_curves = {"P-1"}; },
       "ecdh_curves: \"P-1\""},
      {Role::kClient, [](auto& o) { o.alpn_protocols = {""}; },
       "alpn_protocols: a name of 0 bytes"},
      {Role::kClient,
       [](auto& o) {
         o.tls_minimum_protocol_version = TlsVersion::kTls13;
         o.tls_maximum_protocol_version = TlsVersion::kTls12;
       },
       "TLSv1_3 > "},
      {Role::kClient,
       [](auto& o) { o.match_typed_subject_alt_names.resize(1); }, "is empty"},
  };
  EXPECT_TRUE(TlsContext::Create(Role::kServer, good).ok());
  EXPECT_TRUE(TlsContext::Create(Role::kClient, good).ok());
  for (const Case& c : cases) {
    TlsOptions options = good;
    c.change(options);
    const auto made = TlsContext::Create(c.role, options);
    EXPECT_EQ(made.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(made.status().ToString(), HasSubstr(c.want));
  }
}

}  // namespace
}  // namespace meshlib::security
