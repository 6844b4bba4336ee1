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
#include "routing/regex.h"

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
  static constexpr uint32_t kNoGroup = UINT32_MAX;

  explicit CompiledVirtualHost(const model::VirtualHost& config)
      : config_(&config),
        exact_case_(false),
        any_case_(true),
        regexes_(false) {}

  void IndexRoutes();
  void IndexRegexes();
  void GroupRegexes(const std::vector<uint32_t>& positions);

  const model::VirtualHost* config_;
  HeaderRules request_headers_;
  HeaderRules response_headers_;
  std::vector<std::unique_ptr<const CompiledRoute>> routes_;
  std::vector<bool> unconditional_;  // by route: the path decides alone
  PathTrie exact_case_;
  PathTrie any_case_;
  // Regexes and templates by what their paths begin with, to be tried. Those
  // that many begin alike are in groups, which are asked before their routes.
  PathTrie regexes_;
  std::vector<uint32_t> regex_group_of_;  // by route; kNoGroup: try at once
  std::vector<RegexGroup> regex_groups_;
  Candidates connects_;
};

}  // namespace meshlib::routing

#endif  // MESHLIB_ROUTING_COMPILED_VIRTUAL_HOST_H_
