#ifndef MESHLIB_ROUTING_CANDIDATES_H_
#define MESHLIB_ROUTING_CANDIDATES_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "base/strings.h"
#include "meshlib/request.h"
#include "routing/compiled_route.h"
#include "routing/request_fields.h"

namespace meshlib::routing {

// Positions of routes in their virtual host's list, ascending, that one path
// condition leads to. A long list whose routes differ in one exact header
// value is looked up by that value. Built once, then immutable.
class Candidates {
 public:
  // Positions must come in ascending order.
  void Add(uint32_t position) { all_.push_back(position); }

  // After the last Add: builds the lookup by header value.
  void Index(const std::vector<std::unique_ptr<const CompiledRoute>>& routes);

  bool empty() const { return all_.empty(); }
  const std::vector<uint32_t>& positions() const { return all_; }

  // The first position below `limit` for which holds(position) is true, else
  // `limit`. `holds` must imply the exact header conditions of the route.
  template <typename Holds>
  uint32_t FirstBelow(uint32_t limit, const Request& request,
                      const Holds& holds) const {
    if (by_header_ == nullptr) return Scan(all_, limit, holds);
    size_t count = 0;
    const std::optional<std::string_view> value =
        FirstHeader(request, by_header_->name, &count);
    // Any of several values may do: no lookup.
    if (count > 1) return Scan(all_, limit, holds);
    if (value.has_value()) {
      const auto it = by_header_->values.find(base::ToAbsl(*value));
      if (it != by_header_->values.end()) {
        limit = Scan(it->second, limit, holds);
      }
    }
    return Scan(by_header_->others, limit, holds);
  }

 private:
  struct ByHeader {
    std::string name;  // in lower case
    absl::flat_hash_map<std::string, std::vector<uint32_t>> values;
    std::vector<uint32_t> others;  // routes without such a condition
  };

  template <typename Holds>
  static uint32_t Scan(const std::vector<uint32_t>& positions, uint32_t limit,
                       const Holds& holds) {
    for (const uint32_t position : positions) {
      if (position >= limit) break;
      if (holds(position)) return position;
    }
    return limit;
  }

  std::vector<uint32_t> all_;
  std::unique_ptr<const ByHeader> by_header_;
};

}  // namespace meshlib::routing

#endif  // MESHLIB_ROUTING_CANDIDATES_H_
