#include "model/route.h"

#include <variant>

namespace meshlib::model {
namespace {

void AddMirrors(const std::vector<MirrorPolicy>& policies,
                std::set<std::string>& names) {
  for (const MirrorPolicy& policy : policies) {
    if (!policy.cluster.empty()) names.insert(policy.cluster);
  }
}

void AddAction(const RouteAction& action, std::set<std::string>& names) {
  if (const auto* name = std::get_if<std::string>(&action.cluster)) {
    names.insert(*name);
  } else if (const auto* split =
                 std::get_if<WeightedClusters>(&action.cluster)) {
    for (const WeightedCluster& cluster : split->clusters) {
      if (!cluster.name.empty()) names.insert(cluster.name);
    }
  }
  AddMirrors(action.request_mirror_policies, names);
}

}  // namespace

void AddClusterNames(const RouteConfig& routes, std::set<std::string>& names) {
  AddMirrors(routes.request_mirror_policies, names);
  for (const VirtualHost& host : routes.virtual_hosts) {
    AddMirrors(host.request_mirror_policies, names);
    for (const Route& route : host.routes) {
      if (const auto* action = std::get_if<RouteAction>(&route.action)) {
        AddAction(*action, names);
      }
    }
  }
}

}  // namespace meshlib::model
