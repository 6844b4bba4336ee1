#ifndef MESHLIB_CLUSTER_SNAPSHOT_H_
#define MESHLIB_CLUSTER_SNAPSHOT_H_

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "cluster/cluster_version.h"
#include "cluster/route_binding.h"
#include "model/listener.h"
#include "resilience/fault.h"

namespace meshlib::cluster {

// Where a target's requests go: to a route table, or to one cluster.
struct TargetBinding {
  const RouteBinding* routes = nullptr;
  ClusterId cluster = kNoCluster;
  // Of `cluster`, in the snapshot that holds this; null: not there.
  const ClusterVersion* version = nullptr;
  // Before the routes look at a request; null: nothing to do.
  std::shared_ptr<const model::RequestNormalization> normalization;
  // What may be injected into requests; null: nothing.
  std::shared_ptr<const resilience::FaultChain> faults;
  // For routes that do not say; null: there is no connection manager.
  std::shared_ptr<const model::StreamLimits> stream_limits;
};

// The whole that a request reads. Immutable; published by Engine.
class Snapshot {
 public:
  static constexpr size_t kChunk = 64;
  using Chunk = std::array<std::shared_ptr<const ClusterVersion>, kChunk>;
  using Names = absl::flat_hash_map<std::string, ClusterId>;

  // Null if there is no such cluster, or none that was asked for.
  const ClusterVersion* cluster(ClusterId id) const {
    const size_t chunk = id / kChunk;
    if (chunk >= chunks.size() || chunks[chunk] == nullptr) return nullptr;
    return (*chunks[chunk])[id % kChunk].get();
  }

  // Chunks and names are shared with the snapshots before and after, so that
  // a change of one of 10,000 clusters copies little.
  std::vector<std::shared_ptr<const Chunk>> chunks;
  std::shared_ptr<const Names> names;
  std::vector<TargetBinding> targets;  // by target id
};

}  // namespace meshlib::cluster

#endif  // MESHLIB_CLUSTER_SNAPSHOT_H_
