#ifndef MESHLIB_ROUTING_ROUTE_TABLE_H_
#define MESHLIB_ROUTING_ROUTE_TABLE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "meshlib/request.h"
#include "model/route.h"
#include "model/runtime.h"
#include "routing/compiled_route.h"
#include "routing/compiled_virtual_host.h"
#include "routing/domain_index.h"
#include "routing/header_rules.h"

namespace meshlib::routing {

// One route configuration in the form that requests meet: from a request to
// its virtual host, and to the first of its routes that matches, as Envoy's
// router finds them. Runtime keys are read once, when the table is compiled.
// Immutable and thread-safe; keeps its configuration alive, and all that it
// hands out lives as long as the table.
class RouteTable {
 public:
  // InvalidArgument that names the virtual host and the route.
  static absl::StatusOr<std::shared_ptr<const RouteTable>> Compile(
      std::shared_ptr<const model::RouteConfig> config,
      const model::Runtime& runtime);

  struct Match {
    const CompiledVirtualHost* virtual_host = nullptr;
    const CompiledRoute* route = nullptr;
    // The virtual host demands https (require_tls) and the request is not:
    // answer 301 with TlsRedirectLocation. `route` is then null.
    bool wants_tls = false;
  };

  // Where the request goes; null members where there is none. `random` is for
  // runtime fractions, and should be the one for ClusterFor. Never throws,
  // locks or allocates, but that RE2 keeps a locked cache per regex that grows
  // at first. Takes time in the length of host and path, not in the number of
  // routes that differ in path or in one exact header value. Of regexes and
  // templates, those are tried whose literal beginning fits: many at once, in
  // groups, then one after the other.
  Match Find(const Request& request, uint64_t random) const;

  // A route that was passed over, and the first reason: "header x-canary: want
  // exact \"true\", absent". Without a virtual host, one entry with empty
  // names; where require_tls refuses them all, one with an empty route.
  struct Rejected {
    std::string virtual_host;
    std::string route;  // "#2" for the third, if it has no name
    std::string reason;
  };

  // The same search one by one; `rejected` gets the routes before the match.
  Match Explain(const Request& request, uint64_t random,
                std::vector<Rejected>* rejected) const;

  const model::RouteConfig& config() const { return *config_; }
  const std::vector<std::unique_ptr<const CompiledVirtualHost>>& virtual_hosts()
      const {
    return virtual_hosts_;
  }

  // The virtual host for an authority; null if none. An empty authority is a
  // host like any other: "*" fits it.
  const CompiledVirtualHost* FindVirtualHost(std::string_view authority) const;

 private:
  explicit RouteTable(std::shared_ptr<const model::RouteConfig> config)
      : config_(std::move(config)) {}

  absl::Status CompileAll(const model::Runtime& runtime);

  std::shared_ptr<const model::RouteConfig> config_;
  HeaderRules request_headers_;
  HeaderRules response_headers_;
  std::vector<std::unique_ptr<const CompiledVirtualHost>> virtual_hosts_;
  DomainIndex domains_;
};

}  // namespace meshlib::routing

#endif  // MESHLIB_ROUTING_ROUTE_TABLE_H_
