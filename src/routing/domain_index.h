#ifndef MESHLIB_ROUTING_DOMAIN_INDEX_H_
#define MESHLIB_ROUTING_DOMAIN_INDEX_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"

namespace meshlib::routing {

// From a host to a virtual host, by Envoy's precedence: the exact domain, the
// longest suffix "*.x" (or "*-x"), the longest prefix "x.*", "*". A wildcard
// stands for one byte or more. Case does not matter. Add all, then immutable
// and thread-safe; Find does not allocate.
class DomainIndex {
 public:
  static constexpr uint32_t kNone = UINT32_MAX;

  // InvalidArgument if the domain is there already, or is empty.
  absl::Status Add(std::string_view domain, uint32_t target);

  // The target of the best domain; kNone if none fits.
  uint32_t Find(std::string_view host) const;

 private:
  using Targets = absl::flat_hash_map<std::string, uint32_t>;
  // Wildcards of one length; their "*" is left out.
  struct Wildcards {
    size_t size = 0;
    Targets targets;
  };

  static bool Insert(Targets& targets, std::string&& key, uint32_t target);
  static bool InsertWildcard(std::vector<Wildcards>& groups, std::string key,
                             uint32_t target);
  template <typename LookupIn>  // lookup(targets, key)
  uint32_t FindBy(std::string_view host, LookupIn lookup) const;

  Targets exact_;
  std::vector<Wildcards> suffixes_;  // longest first
  std::vector<Wildcards> prefixes_;  // longest first
  uint32_t any_ = kNone;
};

}  // namespace meshlib::routing

#endif  // MESHLIB_ROUTING_DOMAIN_INDEX_H_
