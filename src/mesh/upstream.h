#ifndef MESHLIB_MESH_UPSTREAM_H_
#define MESHLIB_MESH_UPSTREAM_H_

#include <array>
#include <memory>

#include "cluster/cluster_version.h"
#include "model/cluster.h"
#include "net/host_pool.h"
#include "resilience/circuit_breaker.h"

namespace meshlib::mesh {

// What a cluster's configuration means for connections to its hosts.
// Immutable.
class Upstream final : public cluster::ClusterAttachment {
 public:
  Upstream(const model::Cluster& config,
           std::shared_ptr<resilience::SharedResources> resources);

  // How to connect for a request of a caller that speaks gRPC, or not.
  const std::shared_ptr<const net::UpstreamOptions>& options(bool grpc) const {
    return options_[grpc ? 1 : 0];
  }
  const std::shared_ptr<net::PoolBreakers>& breakers() const {
    return breakers_;
  }

 private:
  std::array<std::shared_ptr<const net::UpstreamOptions>, 2> options_;
  std::shared_ptr<net::PoolBreakers> breakers_;
};

}  // namespace meshlib::mesh

#endif  // MESHLIB_MESH_UPSTREAM_H_
