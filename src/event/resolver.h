#ifndef MESHLIB_EVENT_RESOLVER_H_
#define MESHLIB_EVENT_RESOLVER_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/dns.h"

namespace meshlib::event {

// What a name stands for.
struct Resolution {
  // "10.0.0.1:80", "[2001:db8::1]:80", each once, in the order of the answer.
  std::vector<std::string> addresses;
  // The smallest of the records that led to them; 0 if that is not known,
  // infinite for what is an address already.
  absl::Duration ttl = absl::ZeroDuration();
};

// Looks up names. On its loop only.
class Resolver {
 public:
  using LookupId = uint64_t;
  // Runs on the loop, once for each lookup that is not cancelled, never from
  // within Resolve(). May call everything. An answer without addresses (no such
  // name, or none of that family) is not an error. Errors: Unavailable (the
  // name servers cannot tell), DeadlineExceeded (they do not answer),
  // InvalidArgument (what cannot be a name).
  using Callback = absl::AnyInvocable<void(absl::StatusOr<Resolution>)>;

  // No callback runs after it.
  virtual ~Resolver() = default;

  // Never 0. A name that is an IP address (IPv6 with or without brackets) is
  // answered without a lookup, whatever its family.
  virtual LookupId Resolve(std::string_view name, uint16_t port,
                           base::DnsLookupFamily family, Callback callback) = 0;
  // The callback does not run. Nothing happens if it has run.
  virtual void Cancel(LookupId lookup) = 0;
};

// The address of a name that is an IP address itself; empty for others.
std::string LiteralAddress(std::string_view name, uint16_t port);

}  // namespace meshlib::event

#endif  // MESHLIB_EVENT_RESOLVER_H_
