#ifndef MESHLIB_TEST_CLUSTER_TEST_CONFIG_H_
#define MESHLIB_TEST_CLUSTER_TEST_CONFIG_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/config.h"

namespace meshlib::test {

// Configurations in code, for tests below the loader.

inline model::Endpoint MakeEndpoint(
    std::string address, uint32_t weight = 1,
    model::HealthStatus health = model::HealthStatus::kUnknown) {
  model::Endpoint endpoint;
  endpoint.address = std::move(address);
  endpoint.weight = weight;
  endpoint.health = health;
  return endpoint;
}

// 10.0.0.1:80, 10.0.0.2:80, ... in one locality.
inline std::shared_ptr<model::Endpoints> MakeEndpoints(const std::string& name,
                                                       uint32_t count) {
  auto endpoints = std::make_shared<model::Endpoints>();
  endpoints->cluster_name = name;
  endpoints->localities.emplace_back();
  endpoints->localities[0].locality.region = "region";
  for (uint32_t i = 1; i <= count; ++i) {
    endpoints->localities[0].endpoints.push_back(MakeEndpoint(absl::StrCat(
        "10.", i >> 16, ".", (i >> 8) & 255, ".", i & 255, ":80")));
  }
  return endpoints;
}

inline std::shared_ptr<model::Cluster> MakeCluster(const std::string& name,
                                                   uint32_t hosts) {
  auto cluster = std::make_shared<model::Cluster>();
  cluster->name = name;
  cluster->endpoints = MakeEndpoints(name, hosts);
  return cluster;
}

// A listener on port 80 whose routes are `routes`, under domain "*".
inline std::shared_ptr<model::Listener> MakeListener(
    std::vector<model::Route> routes) {
  auto config = std::make_shared<model::RouteConfig>();
  config->name = "routes";
  config->virtual_hosts.emplace_back();
  config->virtual_hosts[0].name = "all";
  config->virtual_hosts[0].domains = {"*"};
  config->virtual_hosts[0].routes = std::move(routes);
  auto listener = std::make_shared<model::Listener>();
  listener->name = "ingress";
  listener->address = "127.0.0.1:80";
  listener->port = 80;
  listener->filter_chains.emplace_back();
  listener->filter_chains[0].http.emplace();
  listener->filter_chains[0].http->route_config = config;
  return listener;
}

// Everything goes to `cluster`.
inline model::Route MakeRoute(const std::string& cluster) {
  model::Route route;
  model::RouteAction action;
  action.cluster = cluster;
  route.action = std::move(action);
  return route;
}

inline model::Route MakeRetryRoute(const std::string& cluster,
                                   uint32_t retry_on, uint32_t num_retries) {
  model::Route route = MakeRoute(cluster);
  model::RetryPolicy policy;
  policy.retry_on = retry_on;
  policy.num_retries = num_retries;
  policy.previous_hosts = true;
  policy.host_selection_retry_max_attempts = 5;
  std::get<model::RouteAction>(route.action).retry_policy = std::move(policy);
  return route;
}

}  // namespace meshlib::test

#endif  // MESHLIB_TEST_CLUSTER_TEST_CONFIG_H_
