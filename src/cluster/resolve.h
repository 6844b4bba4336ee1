#ifndef MESHLIB_CLUSTER_RESOLVE_H_
#define MESHLIB_CLUSTER_RESOLVE_H_

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "model/config.h"

namespace meshlib::cluster {

// What an authority stands for: a cluster, or the routes of a listener.
struct Resolution {
  std::string cluster;  // set: the target is this cluster, without routes
  std::string listener;
  const model::HttpConnectionManager* http = nullptr;  // of the Config
  std::shared_ptr<const model::RouteConfig> routes;    // null: not there yet
  // Of `http`, with the listener's port. Without `http` the routes are those of
  // a TCP proxy.
  model::RequestNormalization normalization;
};

// Finds the meaning of an authority, in this order: "cluster:NAME"; an API
// listener of exactly that name (also "xds:///NAME"); the outbound listener of
// the authority's port (80 without one) whose routes know the host; the only
// listener that has routes, or the only one that knows the host.
// "tcp://NAME" is for connections (envoy.filters.network.tcp_proxy): the
// listener of exactly that name; that of exactly that address; the only one of
// the port; of several, the one whose cluster is named for the host
// ("outbound|PORT|SUBSET|HOST", as Istio does it). Without a port: the only
// one. NotFound lists what was tried, FailedPrecondition the candidates if
// there are several. Pure.
absl::StatusOr<Resolution> ResolveAuthority(const model::Config& config,
                                            std::string_view authority);

// The names of everything that ResolveAuthority could find, for messages.
std::string KnownNames(const model::Config& config);

}  // namespace meshlib::cluster

#endif  // MESHLIB_CLUSTER_RESOLVE_H_
