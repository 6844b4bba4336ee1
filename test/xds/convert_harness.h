#ifndef MESHLIB_TEST_XDS_CONVERT_HARNESS_H_
#define MESHLIB_TEST_XDS_CONVERT_HARNESS_H_

#include <memory>
#include <string>
#include <string_view>

#include "gtest/gtest.h"
#include "model/config.h"
#include "xds/config_loader.h"

namespace meshlib::xds {

// What the loader says about a text, one problem a line.
inline std::string ProblemsOf(std::string_view yaml) {
  return LoadConfigText("f.yaml", std::string(yaml)).problems.ToString();
}

// The configuration, which must have no errors.
inline std::shared_ptr<const model::Config> Loaded(
    std::string_view yaml, const LoadOptions& options = {}) {
  LoadResult result = LoadConfigText("f.yaml", std::string(yaml), options);
  EXPECT_NE(result.config, nullptr) << result.problems.ToString();
  return result.config != nullptr ? result.config
                                  : std::make_shared<model::Config>();
}

// A cluster named c with the fields of a flow map, "lb_policy: RANDOM".
inline std::string ClusterYaml(std::string_view fields) {
  return "static_resources: {clusters: [{name: c, " + std::string(fields) +
         "}]}";
}
inline model::Cluster LoadedCluster(std::string_view fields,
                                    const LoadOptions& options = {}) {
  const auto config = Loaded(ClusterYaml(fields), options);
  return config->clusters.empty() ? model::Cluster()
                                  : *config->clusters.front();
}

// A RouteConfiguration as a resource of its own.
inline std::string RoutesYaml(std::string_view fields) {
  return "\"@type\": type.googleapis.com/envoy.config.route.v3."
         "RouteConfiguration\nname: r\n" +
         std::string(fields);
}
// A route of the one virtual host, as a flow map.
inline std::string RouteYaml(std::string_view route) {
  return RoutesYaml("virtual_hosts: [{name: v, domains: ['*'], routes: [" +
                    std::string(route) + "]}]");
}
inline model::Route LoadedRoute(std::string_view route) {
  const auto config = Loaded(RouteYaml(route));
  if (config->route_configs.empty()) return {};
  return config->route_configs.front()->virtual_hosts.at(0).routes.at(0);
}
inline model::RouteAction LoadedAction(std::string_view fields) {
  const model::Route route = LoadedRoute(
      "{match: {prefix: /}, route: {cluster: a, " + std::string(fields) + "}}");
  const auto* action = std::get_if<model::RouteAction>(&route.action);
  return action != nullptr ? *action : model::RouteAction();
}

}  // namespace meshlib::xds

#endif  // MESHLIB_TEST_XDS_CONVERT_HARNESS_H_
