#ifndef MESHLIB_ROUTING_COMPILED_ROUTE_H_
#define MESHLIB_ROUTING_COMPILED_ROUTE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "meshlib/request.h"
#include "model/route.h"
#include "model/runtime.h"
#include "routing/cluster_choice.h"
#include "routing/hash_policy.h"
#include "routing/header_list.h"
#include "routing/header_rules.h"
#include "routing/mirror.h"
#include "routing/path_rewriter.h"
#include "routing/redirect.h"
#include "routing/regex.h"
#include "routing/route_matcher.h"
#include "routing/timeouts.h"

namespace meshlib::routing {

// What the levels above a route say; all of it borrowed from the table.
struct RouteParents {
  const model::RouteConfig* config = nullptr;
  const model::VirtualHost* virtual_host = nullptr;
  const HeaderRules* config_request_headers = nullptr;
  const HeaderRules* config_response_headers = nullptr;
  const HeaderRules* host_request_headers = nullptr;
  const HeaderRules* host_response_headers = nullptr;
  size_t routes_before = 0;  // of the virtual hosts before this one
};

// A request as it goes to the endpoint. `headers` views the request, the route
// and itself: use it before any of them goes.
struct RewrittenRequest {
  std::string authority;
  std::string path;    // with the query
  HeaderList headers;  // all of them, in order
};

// One route, with what its virtual host and route configuration add. Immutable
// and thread-safe; lives as long as its RouteTable.
class CompiledRoute {
 public:
  // `parents` must outlive the route.
  static absl::StatusOr<std::unique_ptr<const CompiledRoute>> Compile(
      const model::Route& config, const RouteParents& parents, size_t index,
      const model::Runtime& runtime);

  const model::Route& config() const { return *config_; }
  const RouteMatcher& matcher() const { return matcher_; }

  // The route's name; "#2" for the third of a virtual host if it has none.
  const std::string& label() const { return label_; }

  // The route's number in its table: virtual host by virtual host, from 0.
  uint32_t ordinal() const { return ordinal_; }

  // What the route does: exactly one of action(), redirect(),
  // direct_response() is set, or none for a non_forwarding_action.
  const model::RouteAction* action() const { return action_; }
  const Redirect* redirect() const {
    return redirect_.has_value() ? &*redirect_ : nullptr;
  }
  const model::DirectResponseAction* direct_response() const {
    return std::get_if<model::DirectResponseAction>(&config_->action);
  }

  // The rest is for routes with an action(). Does not allocate. `random` is
  // the one that found the route.
  ClusterChoice ClusterFor(const Request& request, uint64_t random) const {
    return clusters_.Choose(request, random, hash_policies_);
  }

  // What ring hash and Maglev place the request by; nothing: at random.
  std::optional<uint64_t> Hash(const Request& request) const {
    return hash_policies_.Hash(request);
  }

  // The route's own, else the virtual host's; null: none.
  const model::RetryPolicy* retry_policy() const { return retry_policy_; }
  const model::HedgePolicy* hedge_policy() const { return hedge_policy_; }
  // The route's own, else the virtual host's, else the configuration's.
  const std::vector<Mirror>& mirrors() const { return mirrors_; }

  model::RoutingPriority priority() const {
    return action_ == nullptr ? model::RoutingPriority::kDefault
                              : action_->priority;
  }

  // per_request_buffer_limit_bytes of the route, else of the virtual host.
  std::optional<uint32_t> per_request_buffer_limit_bytes() const;

  // Of the virtual host: requests and responses say which attempt it is, in
  // x-envoy-attempt-count.
  bool include_request_attempt_count() const {
    return parents_.virtual_host->include_request_attempt_count;
  }
  bool include_attempt_count_in_response() const {
    return parents_.virtual_host->include_attempt_count_in_response;
  }

  Timeouts TimeoutsFor(const Request& request) const;

  // Whether RewriteRequest would change anything, whatever the endpoint.
  bool rewrites_requests() const { return rewrites_requests_; }

  // Whether RewriteResponse would.
  bool rewrites_responses() const { return rewrites_responses_; }

  // Envoy's order: the weighted cluster's headers and host, then the headers
  // of route, virtual host and configuration (the other way round with
  // most_specific_header_mutations_wins), then the host, then the path.
  // What is replaced stands in x-envoy-original-path and -host, and, with
  // append_x_forwarded_host, in x-forwarded-host. `endpoint_hostname` is for
  // auto_host_rewrite; empty: the host stays.
  RewrittenRequest RewriteRequest(
      const Request& request, const ClusterChoice& choice,
      std::string_view endpoint_hostname = {}) const;

  // Changes a response's headers, in the same order of levels.
  void RewriteResponse(const Request& request, const ClusterChoice& choice,
                       HeaderList& headers) const;

 private:
  struct Levels {
    std::vector<HeaderRules> weighted;  // by ClusterChoice::weighted_index
    HeaderRules route;
    std::vector<const HeaderRules*> order;  // after weighted
  };

  CompiledRoute(const model::Route& config, const RouteParents& parents,
                size_t index, RouteMatcher matcher);

  absl::Status CompileAction(const model::Runtime& runtime);
  absl::Status CompileHeaders();
  void CompileInherited(const model::Runtime& runtime);
  bool RewritesRequests() const;

  static bool ChangesAny(const Levels& levels);
  static const HeaderRules* WeightedRules(const Levels& levels,
                                          const ClusterChoice& choice);
  const model::WeightedCluster* Weighted(const ClusterChoice& choice) const;
  std::string NewHost(const Request& request, const HeaderList& headers,
                      std::string_view endpoint_hostname) const;
  void ChangeHost(const Request& request, std::string_view endpoint_hostname,
                  RewrittenRequest& out) const;

  const model::Route* config_;
  RouteParents parents_;
  RouteMatcher matcher_;
  std::string label_;
  uint32_t ordinal_;
  const model::RouteAction* action_;
  std::optional<Redirect> redirect_;
  ClusterChooser clusters_;
  HashPolicies hash_policies_;
  const model::RetryPolicy* retry_policy_ = nullptr;
  const model::HedgePolicy* hedge_policy_ = nullptr;
  std::vector<Mirror> mirrors_;
  PathRewriter path_rewriter_;
  std::optional<RegexReplacer> host_regex_;
  std::string host_rewrite_header_;  // in lower case
  Levels request_headers_;
  Levels response_headers_;
  bool rewrites_requests_ = false;
  bool rewrites_responses_ = false;
};

}  // namespace meshlib::routing

#endif  // MESHLIB_ROUTING_COMPILED_ROUTE_H_
