#ifndef MESHLIB_ROUTING_HASH_POLICY_H_
#define MESHLIB_ROUTING_HASH_POLICY_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "meshlib/request.h"
#include "model/route.h"
#include "routing/regex.h"

namespace meshlib::routing {

// A route's hash_policy list: what ring hash and Maglev place a request by.
// The numbers are Envoy's (its HashPolicyImpl): XXH64 of the value; the values
// of a header that stands more than once are sorted and each is hashed with
// the hash before as its seed; the policies' hashes are combined as
// rotl(h, 1) XOR next, and a terminal policy ends the list once there is a
// hash. Immutable and thread-safe.
//
// Differences: filter_state never gives a hash; a missing cookie with a ttl is
// not generated here, the caller picks at random as Envoy in effect does.
class HashPolicies {
 public:
  HashPolicies() = default;
  static absl::StatusOr<HashPolicies> Compile(
      const std::vector<model::HashPolicy>& configs);

  bool empty() const { return policies_.empty(); }

  // Nothing if no policy finds its value. Allocates only for regex_rewrite
  // and for headers that stand more than eight times.
  std::optional<uint64_t> Hash(const Request& request) const;

 private:
  struct Policy {
    model::HashPolicy config;  // header names in lower case
    std::optional<RegexReplacer> replacer;
  };

  static std::optional<uint64_t> HashOf(const Policy& policy,
                                        const Request& request);
  static std::optional<uint64_t> HashOfHeader(const Policy& policy,
                                              const Request& request);

  std::vector<Policy> policies_;
};

}  // namespace meshlib::routing

#endif  // MESHLIB_ROUTING_HASH_POLICY_H_
