#ifndef MESHLIB_MODEL_CONFIG_H_
#define MESHLIB_MODEL_CONFIG_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/dns.h"
#include "model/cluster.h"
#include "model/control_plane.h"
#include "model/endpoints.h"
#include "model/listener.h"
#include "model/locality.h"
#include "model/metadata.h"
#include "model/route.h"
#include "model/tls.h"

namespace meshlib::model {

// Who this process is.
struct Node {
  std::string id;
  std::string cluster;
  Locality locality;
  Value metadata;
};

// Everything that a set of files says: a bootstrap with its
// static_resources, or a directory of resources. Shared parts are immutable.
struct Config {
  Node node;
  std::string local_cluster_name;  // cluster_manager.local_cluster_name
  // Of clusters that do not say how their names are looked up.
  base::DnsResolverOptions dns_resolver;
  // Runtime values of the static layers, later layers over earlier ones.
  std::map<std::string, Value, std::less<>> runtime;

  std::vector<std::shared_ptr<const Cluster>> clusters;
  std::vector<std::shared_ptr<const Listener>> listeners;
  std::vector<std::shared_ptr<const RouteConfig>> route_configs;  // RDS
  std::vector<std::shared_ptr<const Endpoints>> endpoints;        // EDS
  // Of clusters that name them they are part already; these are for clusters
  // that come later.
  std::vector<std::shared_ptr<const TlsSecret>> secrets;

  // Who is asked for the rest; null: nobody, this is all there is.
  std::shared_ptr<const ControlPlane> control_plane;
};

}  // namespace meshlib::model

#endif  // MESHLIB_MODEL_CONFIG_H_
