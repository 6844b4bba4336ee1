#ifndef MESHLIB_CLUSTER_FALLBACK_H_
#define MESHLIB_CLUSTER_FALLBACK_H_

#include <cstddef>
#include <cstdint>

#include "cluster/cluster_version.h"
#include "lb/host_set.h"
#include "model/host.h"

namespace meshlib::cluster {

// Where a pick turns that came to a host in connect back-off.
struct Fallback {
  const model::Host* host = nullptr;  // null: nowhere
  uint32_t priority = 0;
  model::HostHealth health = model::HostHealth::kHealthy;
};

// How many hosts of a priority are looked at to know that one suits.
inline constexpr uint32_t kFallbackScan = 1024;

// A host of that priority and health that suits, looked for from a place on
// that `start` decides; null: none.
template <typename Suits>
const model::Host* FindSuitableHost(const ClusterVersion& cluster,
                                    uint32_t priority, model::HostHealth health,
                                    uint64_t start, const Suits& suits) {
  const auto& localities = cluster.input().priorities[priority].localities;
  uint32_t looked_at = 0;
  for (size_t l = 0; l < localities.size(); ++l) {
    const auto& hosts = localities[(start + l) % localities.size()].hosts;
    const size_t size = hosts == nullptr ? 0 : hosts->size();
    for (size_t i = 0; i < size; ++i) {
      if (++looked_at > kFallbackScan) return nullptr;
      const lb::HostEntry& entry = (*hosts)[(start / 64 + i) % size];
      if (entry.health == health && entry.weight != 0 && suits(*entry.host)) {
        return entry.host;
      }
    }
  }
  return nullptr;
}

// The first priority from `first` on, beginning again with 0 after the last,
// that has a healthy host that suits, else a degraded one.
template <typename Suits>
Fallback FindFallback(const ClusterVersion& cluster, uint32_t first,
                      uint64_t start, const Suits& suits) {
  const auto priorities =
      static_cast<uint32_t>(cluster.input().priorities.size());
  for (const auto health :
       {model::HostHealth::kHealthy, model::HostHealth::kDegraded}) {
    for (uint32_t p = 0; p < priorities; ++p) {
      const uint32_t priority = (first + p) % priorities;
      const model::Host* host =
          FindSuitableHost(cluster, priority, health, start, suits);
      if (host != nullptr) return {host, priority, health};
    }
  }
  return {};
}

}  // namespace meshlib::cluster

#endif  // MESHLIB_CLUSTER_FALLBACK_H_
