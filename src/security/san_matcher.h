#ifndef MESHLIB_SECURITY_SAN_MATCHER_H_
#define MESHLIB_SECURITY_SAN_MATCHER_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "model/matchers.h"
#include "model/tls.h"
#include "security/peer_identity.h"

namespace meshlib::security {

using SanMatcher = model::SubjectAltNameMatcher;

// Whether a certificate for the DNS name `pattern` is one for `name`. Case is
// ignored; "*." as the whole first label stands for exactly one label (a
// wildcard within a label, which Envoy takes, is refused as by RFC 9525).
bool DnsNameMatches(std::string_view pattern, std::string_view name);

// A SanMatcher in the form that certificates meet; immutable, for any number
// of threads. As in Envoy an exact DNS matcher obeys wildcards in the
// certificate; all other kinds compare texts. Exact IP addresses compare as
// addresses, however they are written.
class CompiledSanMatcher {
 public:
  // An empty value, a regex that does not compile, and an exact IP matcher
  // that is no address are errors: they would match all, or nothing.
  static absl::StatusOr<CompiledSanMatcher> Create(const SanMatcher& config);

  bool Matches(const PeerIdentity& identity) const;

  // "URI exact spiffe://a/b", for messages.
  std::string ToString() const;

 private:
  explicit CompiledSanMatcher(const SanMatcher& config);

  SanMatcher config_;
  model::CompiledStringMatcher text_;
};

}  // namespace meshlib::security

#endif  // MESHLIB_SECURITY_SAN_MATCHER_H_
