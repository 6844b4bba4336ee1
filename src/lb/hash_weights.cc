#include "lb/hash_weights.h"

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "model/metadata.h"

namespace meshlib::lb {

std::vector<WeightedHost> NormalizeWeights(
    const std::vector<HashGroup>& groups) {
  uint64_t groups_sum = 0;
  for (const HashGroup& group : groups) groups_sum += group.weight;
  std::vector<WeightedHost> result;
  for (const HashGroup& group : groups) {
    if (group.weight == 0) continue;
    const double share =
        static_cast<double>(group.weight) / static_cast<double>(groups_sum);
    uint64_t sum = 0;
    for (const uint32_t weight : group.weights) sum += weight;
    for (size_t i = 0; i < group.hosts.size(); ++i) {
      if (group.weights[i] == 0) continue;
      // In this order of operations, so that every bit is Envoy's.
      const double weight = group.weights[i] * share / static_cast<double>(sum);
      result.push_back({group.hosts[i], weight});
    }
  }
  return result;
}

std::string_view HashKey(const model::Host& host, bool use_hostname) {
  if (host.metadata() != nullptr) {
    const model::Value* key = host.metadata()->Find("envoy.lb", {"hash_key"});
    if (key != nullptr && key->kind == model::Value::Kind::kString &&
        !key->string.empty()) {
      return key->string;
    }
  }
  if (use_hostname && !host.hostname().empty()) return host.hostname();
  return host.address();
}

}  // namespace meshlib::lb
