#ifndef MESHLIB_MODEL_CONTROL_PLANE_H_
#define MESHLIB_MODEL_CONTROL_PLANE_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"

namespace meshlib::model {

// Whom a mesh asks for what its files do not say, and for what: ads_config and
// its neighbours in Envoy's bootstrap, xds_servers in gRPC's. A value.
struct ControlPlane {
  // Of Config::clusters; its hosts are the servers.
  std::string cluster;
  std::string authority;  // of the requests
  std::vector<std::pair<std::string, std::string>> initial_metadata;
  std::string node;  // a serialized envoy.config.core.v3.Node

  bool all_clusters = false;   // cds_config
  bool all_listeners = false;  // lds_config
  // gRPC's way: a listener of the name of each target, then what it refers to.
  bool by_target = false;
  // Listeners are asked for by this template, with "%s" for the target's name;
  // empty: by the name itself.
  std::string listener_template;

  // What has not come by then does not exist. 0: it is waited for.
  absl::Duration initial_fetch_timeout = absl::Seconds(15);

  friend bool operator==(const ControlPlane& a, const ControlPlane& b) {
    return a.cluster == b.cluster && a.authority == b.authority &&
           a.initial_metadata == b.initial_metadata && a.node == b.node &&
           a.all_clusters == b.all_clusters &&
           a.all_listeners == b.all_listeners && a.by_target == b.by_target &&
           a.listener_template == b.listener_template &&
           a.initial_fetch_timeout == b.initial_fetch_timeout;
  }
};

}  // namespace meshlib::model

#endif  // MESHLIB_MODEL_CONTROL_PLANE_H_
