#ifndef MESHLIB_TEST_SECURITY_TEST_CERTIFICATES_H_
#define MESHLIB_TEST_SECURITY_TEST_CERTIFICATES_H_

#include <string>
#include <vector>

#include "security/openssl.h"
#include "security/tls_material.h"

namespace meshlib::security {

// What a test wants of a certificate.
struct TestLeaf {
  std::string common_name = "leaf";
  // As OpenSSL's configuration writes them: "URI:spiffe://a/b,DNS:x.y".
  std::string alternative_names;
  std::string extended_key_usage = "serverAuth,clientAuth";
  // Relative to now.
  long not_before_seconds = -3600;
  long not_after_seconds = 3600;
};

// Makes certificates for tests. A mistake in a test aborts.
class TestCa {
 public:
  explicit TestCa(const std::string& name = "test root");
  // An intermediate that `parent` has signed.
  TestCa(const std::string& name, const TestCa& parent);

  const std::string& pem() const { return pem_; }

  // A certificate with its own key (P-256).
  TlsMaterial Issue(const TestLeaf& leaf) const;
  // A CRL that revokes these.
  std::string Revoke(const std::vector<std::string>& certificates) const;

 private:
  PkeyPtr key_;
  X509Ptr certificate_;
  std::string pem_;
};

}  // namespace meshlib::security

#endif  // MESHLIB_TEST_SECURITY_TEST_CERTIFICATES_H_
