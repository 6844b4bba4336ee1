#ifndef MESHLIB_MESH_UPSTREAM_H_
#define MESHLIB_MESH_UPSTREAM_H_

#include <array>
#include <memory>
#include <vector>

#include "cluster/cluster_version.h"
#include "model/cluster.h"
#include "model/host.h"
#include "net/host_pool.h"
#include "resilience/circuit_breaker.h"
#include "security/client_tls_sources.h"

namespace meshlib::mesh {

// What a cluster's configuration means for connections to its hosts.
// Immutable.
class Upstream final : public cluster::ClusterAttachment {
 public:
  // `sources` is borrowed, for the constructor alone, and `previous` too: what
  // the cluster had before, null for nothing. What means the same is kept, so
  // that connections are.
  Upstream(std::shared_ptr<const model::Cluster> config,
           std::shared_ptr<resilience::SharedResources> resources,
           security::ClientTlsSources& sources, const Upstream* previous);

  // Whether it would be the same for that configuration of the cluster.
  bool Covers(const model::Cluster& config) const;

  // How to connect to a host, for a request of a caller that speaks gRPC, or
  // not.
  const std::shared_ptr<const net::UpstreamOptions>& options(
      const model::Host& host, bool grpc) const {
    return choices_[matches_ ? ChoiceFor(host) : 0][grpc ? 1 : 0];
  }
  // Of all its versions.
  std::shared_ptr<net::PoolBreakers> breakers() const;
  const std::shared_ptr<net::UpstreamCounters>& counters() const {
    return counters_;
  }

 private:
  class Breakers;
  // For callers without gRPC, and with.
  using Choice = std::array<std::shared_ptr<const net::UpstreamOptions>, 2>;

  bool ConnectsAs(const model::Cluster& config) const;
  size_t ChoiceFor(const model::Host& host) const;

  const std::shared_ptr<const model::Cluster> config_;
  // The cluster's transport_socket, then those of transport_socket_matches.
  std::vector<Choice> choices_;
  const bool matches_;
  std::shared_ptr<Breakers> breakers_;
  // The cluster's, whatever its configuration.
  const std::shared_ptr<net::UpstreamCounters> counters_;
};

}  // namespace meshlib::mesh

#endif  // MESHLIB_MESH_UPSTREAM_H_
