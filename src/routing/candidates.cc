#include "routing/candidates.h"

#include <algorithm>

#include "model/headers.h"

namespace meshlib::routing {
namespace {

// Shorter lists are scanned: a scan of a few costs less than a lookup.
constexpr size_t kIndexFrom = 8;

// The value that the route demands of header `name` exactly; null if any
// other value, or none, might do.
const std::string* ExactValue(const CompiledRoute& route,
                              std::string_view name) {
  for (const model::HeaderMatcher& header : route.matcher().config().headers) {
    if (header.kind == model::HeaderMatcher::Kind::kString &&
        header.string.kind == model::StringMatcher::Kind::kExact &&
        !header.invert_match && !header.string.ignore_case &&
        !header.string.value.empty() &&
        model::SameHeaderName(header.name, name)) {
      return &header.string.value;
    }
  }
  return nullptr;
}

// The header that most of the routes demand a value of.
std::string CommonestHeader(
    const std::vector<uint32_t>& positions,
    const std::vector<std::unique_ptr<const CompiledRoute>>& routes) {
  absl::flat_hash_map<std::string, size_t> counts;
  std::string best;
  size_t best_count = 0;
  for (const uint32_t position : positions) {
    const CompiledRoute& route = *routes[position];
    for (const model::HeaderMatcher& header :
         route.matcher().config().headers) {
      const std::string name = base::LowerAscii(header.name);
      if (ExactValue(route, name) == nullptr) continue;
      const size_t count = ++counts[name];
      // Ties by name: the index must not depend on the order of a hash map.
      if (count > best_count || (count == best_count && name < best)) {
        best = name;
        best_count = count;
      }
    }
  }
  return 2 * best_count >= positions.size() ? best : std::string();
}

}  // namespace

void Candidates::Index(
    const std::vector<std::unique_ptr<const CompiledRoute>>& routes) {
  all_.shrink_to_fit();
  if (all_.size() < kIndexFrom) return;
  auto index = std::make_unique<ByHeader>();
  index->name = CommonestHeader(all_, routes);
  if (index->name.empty()) return;
  for (const uint32_t position : all_) {
    const std::string* value = ExactValue(*routes[position], index->name);
    if (value == nullptr) {
      index->others.push_back(position);
    } else {
      index->values[*value].push_back(position);
    }
  }
  by_header_ = std::move(index);
}

}  // namespace meshlib::routing
