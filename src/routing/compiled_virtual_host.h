#ifndef MESHLIB_ROUTING_COMPILED_VIRTUAL_HOST_H_
#define MESHLIB_ROUTING_COMPILED_VIRTUAL_HOST_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "meshlib/request.h"
#include "model/route.h"
#include "model/runtime.h"
#include "routing/candidates.h"
#include "routing/compiled_route.h"
#include "routing/header_rules.h"
#include "routing/path_trie.h"

namespace meshlib::routing {

// One virtual host and its routes, indexed by path. Immutable and thread-safe;
// lives as long as its RouteTable.
class CompiledVirtualHost {
 public:
  // The configuration and the two rules must outlive the virtual host.
  static absl::StatusOr<std::unique_ptr<const CompiledVirtualHost>> Compile(
      const model::VirtualHost& config, const model::RouteConfig& table,
      const HeaderRules& table_request_headers,
      const HeaderRules& table_response_headers, size_t routes_before,
      const model::Runtime& runtime);

  const model::VirtualHost& config() const { return *config_; }
  const std::vector<std::unique_ptr<const CompiledRoute>>& routes() const {
    return routes_;
  }

  // The first route in the list's order that matches; null if none does.
  // Each route is tried at most once.
  const CompiledRoute* Find(const Request& request, uint64_t random) const;

  // require_tls, and the request is not https: it is to be answered with a 301
  // to TlsRedirectLocation instead of being routed.
  bool WantsTls(const Request& request) const;

 private:
  class Search;

  explicit CompiledVirtualHost(const model::VirtualHost& config)
      : config_(&config), exact_case_(false), any_case_(true) {}

  void IndexRoutes();

  const model::VirtualHost* config_;
  HeaderRules request_headers_;
  HeaderRules response_headers_;
  std::vector<std::unique_ptr<const CompiledRoute>> routes_;
  std::vector<bool> unconditional_;  // by route: the path decides alone
  PathTrie exact_case_;
  PathTrie any_case_;
  Candidates others_;  // regexes, templates, CONNECT: tried one by one
};

}  // namespace meshlib::routing

#endif  // MESHLIB_ROUTING_COMPILED_VIRTUAL_HOST_H_
