#ifndef MESHLIB_BASE_DNS_H_
#define MESHLIB_BASE_DNS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace meshlib::base {

// Which addresses of a name are wanted, as Envoy's dns_lookup_family.
enum class DnsLookupFamily : uint8_t {
  kAuto,  // IPv6, or IPv4 if there are none
  kV4Only,
  kV6Only,
  kV4Preferred,  // IPv4, or IPv6 if there are none
  kAll,          // IPv6 and IPv4
};

// How names are looked up. Names and defaults are those of Envoy's
// CaresDnsResolverConfig.
struct DnsResolverOptions {
  // "10.0.0.1:53", "[::1]:53". None: those of the system.
  std::vector<std::string> resolvers;
  // The resolvers are for systems that name none.
  bool use_resolvers_as_fallback = false;
  bool use_tcp_for_dns_lookups = false;
  bool no_default_search_domain = false;
  bool rotate_nameservers = false;
  absl::Duration query_timeout = absl::Seconds(5);  // of a first try
  uint32_t query_tries = 4;
  // For the whole of a lookup, whatever the name servers do. Not Envoy's.
  absl::Duration lookup_timeout = absl::Seconds(30);

  friend bool operator==(const DnsResolverOptions& a,
                         const DnsResolverOptions& b) {
    return a.resolvers == b.resolvers &&
           a.use_resolvers_as_fallback == b.use_resolvers_as_fallback &&
           a.use_tcp_for_dns_lookups == b.use_tcp_for_dns_lookups &&
           a.no_default_search_domain == b.no_default_search_domain &&
           a.rotate_nameservers == b.rotate_nameservers &&
           a.query_timeout == b.query_timeout &&
           a.query_tries == b.query_tries &&
           a.lookup_timeout == b.lookup_timeout;
  }
};

}  // namespace meshlib::base

#endif  // MESHLIB_BASE_DNS_H_
