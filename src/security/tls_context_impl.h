#ifndef MESHLIB_SECURITY_TLS_CONTEXT_IMPL_H_
#define MESHLIB_SECURITY_TLS_CONTEXT_IMPL_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "security/openssl.h"
#include "security/tls_context.h"
#include "security/tls_session_cache.h"

namespace meshlib::security {

// What a session lends to the library's callbacks, as its SSL's app data.
struct TlsCallbackState {
  // A name or address that the peer must have besides the context's rules.
  std::optional<CompiledSanMatcher> expected_name;
  std::string session_key;  // of the client's cache; empty: keep none
  std::string refusal;      // why the peer's certificate was refused
};

// For tls_*.cc of this layer only.
class TlsContext::Impl {
 public:
  Impl(Role role, size_t max_session_keys);

  absl::Status Configure(const TlsOptions& options);

  // Why a peer with this verified (or resumed) certificate is refused; empty:
  // it is not.
  std::string RefuseLeaf(const X509* leaf, const TlsCallbackState& state) const;
  // The same for a certificate that an earlier handshake verified.
  std::string RefuseResumed(const X509* leaf,
                            const TlsCallbackState& state) const;

  Role role() const { return role_; }
  SSL_CTX* ctx() const { return ctx_.get(); }
  const BIO_METHOD* bio_method() const { return bio_method_.get(); }
  TlsSessionCache& sessions() { return sessions_; }

 private:
  absl::Status SetProtocols(const TlsOptions& options);
  absl::Status SetCiphers(const TlsOptions& options);
  absl::Status SetCertificate(const TlsMaterial& material);
  absl::Status SetTrust(const TlsOptions& options);
  absl::Status SetPins(const TlsOptions& options);
  absl::Status FillStore(const TlsOptions& options);
  std::string RefuseName(const X509* leaf, const TlsCallbackState& state) const;
  std::string RefuseDepth(X509_STORE_CTX* store) const;
  std::string RefusePin(const X509* leaf) const;
  absl::Status SetAlpn(const TlsOptions& options);
  void SetResumption(const TlsOptions& options);

  static int VerifyPeer(X509_STORE_CTX* store, void* impl);
  static int SelectAlpn(SSL* ssl, const unsigned char** out,
                        unsigned char* out_size, const unsigned char* in,
                        unsigned int in_size, void* impl);
  static int KeepSession(SSL* ssl, SSL_SESSION* session);

  const Role role_;
  const BioMethodPtr bio_method_;
  const SslCtxPtr ctx_;
  std::vector<CompiledSanMatcher> matchers_;
  std::string alpn_wire_;               // each name behind its length
  std::vector<std::string> spki_pins_;  // SHA-256 sums, 32 bytes each
  std::vector<std::string> leaf_pins_;
  bool accept_untrusted_ = false;
  bool allow_expired_ = false;
  std::optional<uint32_t> max_verify_depth_;
  TlsSessionCache sessions_;
};

// "h2", "http/1.1" as TLS sends them. Empty and overlong names are errors.
absl::StatusOr<std::string> AlpnWire(const std::vector<std::string>& names);

// How a BIO between an SSL and its TlsSession works (tls_session.cc).
BioMethodPtr NewSessionBioMethod();

}  // namespace meshlib::security

#endif  // MESHLIB_SECURITY_TLS_CONTEXT_IMPL_H_
