#include "security/tls_errors.h"

#include "absl/strings/str_cat.h"
#include "security/certificate.h"
#include "security/openssl.h"

namespace meshlib::security {
namespace {

// What is worth better words than the library's; null: the rest.
const char* Words(int reason) {
  switch (reason) {
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_HTTP_REQUEST:
      return "the peer does not speak TLS";
    case SSL_R_UNSUPPORTED_PROTOCOL:
      return "the peer offers no TLS version that is allowed here";
    case SSL_R_NO_SHARED_CIPHER:
      return "the peer offers no cipher suite that is allowed here";
    default:
      return nullptr;
  }
}

}  // namespace

absl::Status TlsErrorStatus(bool handshake_done) {
  const auto error = ERR_peek_error();
  const bool of_tls = ERR_GET_LIB(error) == ERR_LIB_SSL;
  const int reason = static_cast<int>(ERR_GET_REASON(error));
  const std::string text = TakeSslErrors();
  if (of_tls && reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE) {
    return absl::UnauthenticatedError(
        "the peer sent no certificate, and one is required");
  }
  const char* when = handshake_done ? "" : " in the handshake";
  // The libraries put an alert's number above this.
  if (of_tls && reason >= SSL_AD_REASON_OFFSET &&
      reason < SSL_AD_REASON_OFFSET + 256) {
    return absl::UnavailableError(absl::StrCat(
        "the peer ended TLS", when, " with the alert \"",
        SSL_alert_desc_string_long(reason - SSL_AD_REASON_OFFSET), "\""));
  }
  if (const char* words = of_tls ? Words(reason) : nullptr) {
    return absl::UnavailableError(absl::StrCat(words, " (", text, ")"));
  }
  return absl::UnavailableError(absl::StrCat("TLS failed", when, ": ", text));
}

}  // namespace meshlib::security
