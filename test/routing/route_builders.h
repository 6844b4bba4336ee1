#ifndef MESHLIB_TEST_ROUTING_ROUTE_BUILDERS_H_
#define MESHLIB_TEST_ROUTING_ROUTE_BUILDERS_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "model/route.h"
#include "model/runtime.h"
#include "routing/route_table.h"

namespace meshlib::routing {

inline model::StringMatcher StringMatch(model::StringMatcher::Kind kind,
                                        std::string value,
                                        bool ignore_case = false) {
  model::StringMatcher matcher;
  matcher.kind = kind;
  matcher.value = std::move(value);
  matcher.ignore_case = ignore_case;
  return matcher;
}

inline model::HeaderMatcher HeaderMatch(std::string name,
                                        model::StringMatcher string) {
  model::HeaderMatcher matcher;
  matcher.name = std::move(name);
  matcher.kind = model::HeaderMatcher::Kind::kString;
  matcher.string = std::move(string);
  return matcher;
}

inline model::HeaderMatcher ExactHeader(std::string name, std::string value) {
  return HeaderMatch(
      std::move(name),
      StringMatch(model::StringMatcher::Kind::kExact, std::move(value)));
}

inline model::PathMatcher PathMatch(model::PathMatcher::Kind kind,
                                    std::string value,
                                    bool case_sensitive = true) {
  model::PathMatcher matcher;
  matcher.kind = kind;
  matcher.value = std::move(value);
  matcher.case_sensitive = case_sensitive;
  return matcher;
}

// A route to cluster `name`.
inline model::Route RouteTo(std::string name, model::PathMatcher path = {}) {
  model::Route route;
  route.name = name;
  route.match.path = std::move(path);
  model::RouteAction action;
  action.cluster = std::move(name);
  route.action = std::move(action);
  return route;
}

inline model::Route PrefixRoute(std::string name, std::string prefix) {
  return RouteTo(std::move(name), PathMatch(model::PathMatcher::Kind::kPrefix,
                                            std::move(prefix)));
}

inline model::RouteAction& ActionOf(model::Route& route) {
  return std::get<model::RouteAction>(route.action);
}

inline model::VirtualHost Host(std::string name,
                               std::vector<std::string> domains,
                               std::vector<model::Route> routes = {}) {
  model::VirtualHost host;
  host.name = std::move(name);
  host.domains = std::move(domains);
  host.routes = std::move(routes);
  return host;
}

inline model::RouteConfig ConfigOf(std::vector<model::VirtualHost> hosts) {
  model::RouteConfig config;
  config.name = "test";
  config.virtual_hosts = std::move(hosts);
  return config;
}

// One virtual host "all" for every domain.
inline model::RouteConfig ConfigOf(std::vector<model::Route> routes) {
  return ConfigOf(
      std::vector<model::VirtualHost>{Host("all", {"*"}, std::move(routes))});
}

inline absl::StatusOr<std::shared_ptr<const RouteTable>> TryCompile(
    model::RouteConfig config, const model::Runtime& runtime = {}) {
  return RouteTable::Compile(
      std::make_shared<const model::RouteConfig>(std::move(config)), runtime);
}

// Null, and the test that uses it fails, if the table does not compile.
inline std::shared_ptr<const RouteTable> CompileTable(
    model::RouteConfig config, const model::Runtime& runtime = {}) {
  auto table = TryCompile(std::move(config), runtime);
  return table.ok() ? *std::move(table) : nullptr;
}

}  // namespace meshlib::routing

#endif  // MESHLIB_TEST_ROUTING_ROUTE_BUILDERS_H_
