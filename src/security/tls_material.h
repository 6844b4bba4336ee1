#ifndef MESHLIB_SECURITY_TLS_MATERIAL_H_
#define MESHLIB_SECURITY_TLS_MATERIAL_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/tls.h"

namespace meshlib::security {

// Certificates and keys, as PEM texts; empty: not given. A value. What the
// names mean is in Envoy's TlsCertificate and CertificateValidationContext.
struct TlsMaterial {
  std::string certificate_chain;  // the leaf first
  std::string private_key;
  std::string password;    // of the private_key; empty: unencrypted
  std::string trusted_ca;  // roots or intermediates to trust
  std::string crl;         // for every CA of a chain, if any is given

  friend bool operator==(const TlsMaterial& a, const TlsMaterial& b) {
    return a.certificate_chain == b.certificate_chain &&
           a.private_key == b.private_key && a.password == b.password &&
           a.trusted_ca == b.trusted_ca && a.crl == b.crl;
  }
};

// Where the parts come from: files, or bytes that are known already.
struct TlsSources {
  model::TlsCertificate certificate;
  model::DataSource trusted_ca;
  model::DataSource crl;

  bool has_files() const;
};

// Reads each file once. A file that is missing, empty, no regular file or
// larger than 4 MiB is an error that names it. Blocks on the file system.
absl::StatusOr<TlsMaterial> ReadTlsSources(const TlsSources& sources);

// Whether all of it can be read, and the key is the leaf's.
absl::Status CheckTlsMaterial(const TlsMaterial& material);

}  // namespace meshlib::security

#endif  // MESHLIB_SECURITY_TLS_MATERIAL_H_
