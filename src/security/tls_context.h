#ifndef MESHLIB_SECURITY_TLS_CONTEXT_H_
#define MESHLIB_SECURITY_TLS_CONTEXT_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/tls.h"
#include "security/san_matcher.h"
#include "security/tls_material.h"

namespace meshlib::security {

using model::TlsVersion;

// What both ends of TLS configure; names and meanings are Envoy's
// (CommonTlsContext, CertificateValidationContext, DownstreamTlsContext).
// A value.
struct TlsOptions {
  TlsMaterial material;
  TlsVersion tls_minimum_protocol_version = TlsVersion::kTls12;
  TlsVersion tls_maximum_protocol_version = TlsVersion::kTls13;
  // For TLS 1.2 (those of 1.3 are fixed), by OpenSSL's names; Envoy's groups
  // "[A|B]" stand for A, B. Empty: forward secret AEAD suites.
  std::vector<std::string> cipher_suites;
  std::vector<std::string> ecdh_curves;           // empty: the library's
  std::vector<std::string> signature_algorithms;  // empty: the library's
  std::vector<std::string> alpn_protocols;        // in order of preference
  // One must match the peer's certificate; empty: any name does.
  std::vector<SanMatcher> match_typed_subject_alt_names;
  // Of the peer's certificate one of both lists must match; empty: any does.
  // SHA-256 in base64 of its public key, and in hex of it as a whole.
  std::vector<std::string> verify_certificate_spki;
  std::vector<std::string> verify_certificate_hash;
  // The system's trusted roots, besides those of the material.
  bool system_root_certs = false;
  bool allow_expired_certificate = false;
  bool only_verify_leaf_cert_crl = false;
  std::optional<uint32_t> max_verify_depth;  // of what is trusted; the leaf: 0
  // ACCEPT_UNTRUSTED: a chain that fails is no error (names still are).
  // Without it a client must have a trusted_ca or system_root_certs.
  bool accept_untrusted = false;
  // Server: a client without a certificate is refused. With a trusted_ca but
  // without this one is asked for, and checked when it comes.
  bool require_client_certificate = false;
  // Client: of how many peers sessions are kept to be resumed; 0: none.
  size_t max_session_keys = 1024;
};

// The unchanging part of TLS: certificates, trust and rules. Made once for
// many sessions; new certificates make a new one, the sessions keep theirs.
// Thread-safe.
class TlsContext {
 public:
  enum class Role { kClient, kServer };
  class Impl;  // for TlsSession

  // Everything is checked here: a key that is not the certificate's, damaged
  // PEM, an unknown cipher suite or an impossible rule is InvalidArgument and
  // says which. Server contexts need a certificate.
  static absl::StatusOr<std::shared_ptr<const TlsContext>> Create(
      Role role, const TlsOptions& options);
  ~TlsContext();

  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  Role role() const;
  Impl& impl() const { return *impl_; }

 private:
  explicit TlsContext(std::unique_ptr<Impl> impl);

  const std::unique_ptr<Impl> impl_;
};

}  // namespace meshlib::security

#endif  // MESHLIB_SECURITY_TLS_CONTEXT_H_
