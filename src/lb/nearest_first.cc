#include "lb/nearest_first.h"

#include <array>
#include <cstddef>
#include <cstdint>

namespace meshlib::lb {
namespace {

constexpr size_t kDistances = 4;

size_t Distance(const model::Locality& a, const model::Locality& b) {
  if (a.region != b.region) return 3;
  if (a.zone != b.zone) return 2;
  return a.sub_zone != b.sub_zone ? 1 : 0;
}

}  // namespace

std::vector<uint32_t> NearestFirstPriorities(const model::Endpoints& endpoints,
                                             const model::Locality& node) {
  if (node.empty()) return {};
  std::array<bool, kDistances> used{};
  for (const model::LocalityEndpoints& group : endpoints.localities) {
    if (group.priority != 0) return {};
    // A locality without endpoints needs no priority of its own.
    if (!group.endpoints.empty()) used[Distance(node, group.locality)] = true;
  }
  std::array<uint32_t, kDistances> priority{};
  uint32_t next = 0;
  for (size_t d = 0; d < kDistances; ++d) {
    if (used[d]) priority[d] = next++;
  }
  std::vector<uint32_t> result;
  result.reserve(endpoints.localities.size());
  for (const model::LocalityEndpoints& group : endpoints.localities) {
    result.push_back(priority[Distance(node, group.locality)]);
  }
  return result;
}

}  // namespace meshlib::lb
