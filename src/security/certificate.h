#ifndef MESHLIB_SECURITY_CERTIFICATE_H_
#define MESHLIB_SECURITY_CERTIFICATE_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "security/openssl.h"
#include "security/peer_identity.h"

namespace meshlib::security {

// Reading certificates, for .cc files of this layer. Input of any content is
// safe; `what` names the input in errors ("trusted_ca").

// The certificates of a PEM text, at least one; other blocks are skipped, one
// that is damaged is an error.
absl::StatusOr<std::vector<X509Ptr>> ParseCertificates(std::string_view pem,
                                                       std::string_view what);
absl::StatusOr<std::vector<CrlPtr>> ParseCrls(std::string_view pem,
                                              std::string_view what);
// Encrypted only if there is a passphrase. Never asks for one.
absl::StatusOr<PkeyPtr> ParsePrivateKey(std::string_view pem,
                                        std::string_view what,
                                        std::string_view passphrase);

// The subject and the alternative names. Names with a NUL or another
// non-printable byte are left out: they are made to be misread.
PeerIdentity IdentityOf(const X509* certificate);

// How messages call a certificate: its first URI or DNS name, else its
// subject, cut short, in quotes.
std::string NameOf(const X509* certificate);

// "Jan 31 12:00:00 2026 GMT"
std::string TimeText(const ASN1_TIME* time);

// Takes the errors that the library has queued in this thread; the first one
// as text, "" if there is none.
std::string TakeSslErrors();

}  // namespace meshlib::security

#endif  // MESHLIB_SECURITY_CERTIFICATE_H_
