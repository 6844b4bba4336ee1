#ifndef MESHLIB_MODEL_ROUTE_H_
#define MESHLIB_MODEL_ROUTE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/time/time.h"
#include "model/cluster.h"
#include "model/metadata.h"
#include "model/string_matcher.h"

namespace meshlib::model {

// envoy.config.route.v3.RouteConfiguration as plain values. Field names and
// defaults are Envoy's. Regexes are RE2 syntax and have been compiled once
// by the loader, so that compiling them again cannot fail.

struct HeaderMatcher {
  enum class Kind { kPresent, kAbsent, kString, kRange };
  std::string name;  // lower case
  Kind kind = Kind::kPresent;
  StringMatcher string;
  int64_t range_start = 0;  // [start, end)
  int64_t range_end = 0;
  bool invert_match = false;
  bool treat_missing_header_as_empty = false;
};

struct QueryParameterMatcher {
  std::string name;
  bool present_match = true;            // false: string decides
  bool present_match_inverted = false;  // present_match: false was given
  StringMatcher string;
};

// numerator/denominator of requests; denominator is 100, 10,000 or 1,000,000.
struct Fraction {
  uint32_t numerator = 100;
  uint32_t denominator = 100;
  std::string runtime_key;
};

struct PathMatcher {
  enum class Kind {
    kPrefix,
    kExact,
    kRegex,                // the whole path, without the query
    kPathSeparatedPrefix,  // "/a" matches "/a" and "/a/b", not "/ab"
    kConnect,
    kUriTemplate,
  };
  Kind kind = Kind::kPrefix;
  std::string value = "/";
  bool case_sensitive = true;  // not for kRegex
};

struct RouteMatch {
  PathMatcher path;
  std::vector<HeaderMatcher> headers;
  std::vector<QueryParameterMatcher> query_parameters;
  std::vector<HeaderMatcher> cookies;  // name is the cookie's
  std::optional<Fraction> runtime_fraction;
  bool grpc = false;  // only requests with a gRPC content-type
};

enum class AppendAction {
  kAppendIfExistsOrAdd = 0,
  kAddIfAbsent = 1,
  kOverwriteIfExistsOrAdd = 2,
  kOverwriteIfExists = 3,
};

struct HeaderValueOption {
  std::string name;
  std::string value;  // may hold %COMMAND%s
  AppendAction action = AppendAction::kAppendIfExistsOrAdd;
  bool keep_empty_value = false;
};

struct HeaderMutations {
  std::vector<HeaderValueOption> request_headers_to_add;
  std::vector<std::string> request_headers_to_remove;
  std::vector<HeaderValueOption> response_headers_to_add;
  std::vector<std::string> response_headers_to_remove;

  bool empty() const {
    return request_headers_to_add.empty() &&
           request_headers_to_remove.empty() &&
           response_headers_to_add.empty() &&
           response_headers_to_remove.empty();
  }
};

struct RegexRewrite {
  std::string regex;
  std::string substitution;  // RE2's: \1
};

struct HashPolicy {
  enum class Kind {
    kHeader,
    kCookie,
    kSourceIp,
    kQueryParameter,
    kFilterState,
  };
  Kind kind = Kind::kHeader;
  std::string name;  // header, cookie, parameter or filter state key
  std::optional<RegexRewrite> regex_rewrite;  // kHeader
  std::optional<absl::Duration> cookie_ttl;   // set: generate the cookie
  std::string cookie_path;
  bool terminal = false;
};

// retry_on and gRPC's conditions as bits.
enum RetryOn : uint32_t {
  kRetryOn5xx = 1u << 0,
  kRetryOnGatewayError = 1u << 1,
  kRetryOnReset = 1u << 2,
  kRetryOnConnectFailure = 1u << 3,
  kRetryOnRetriable4xx = 1u << 4,
  kRetryOnRefusedStream = 1u << 5,
  kRetryOnRetriableStatusCodes = 1u << 6,
  kRetryOnRetriableHeaders = 1u << 7,
  kRetryOnEnvoyRateLimited = 1u << 8,
  kRetryOnHttp3PostConnectFailure = 1u << 9,
  kRetryOnResetBeforeRequest = 1u << 10,
  kRetryOnGrpcCancelled = 1u << 16,
  kRetryOnGrpcDeadlineExceeded = 1u << 17,
  kRetryOnGrpcInternal = 1u << 18,
  kRetryOnGrpcResourceExhausted = 1u << 19,
  kRetryOnGrpcUnavailable = 1u << 20,
};

struct ResetHeader {
  enum class Format { kSeconds, kUnixTimestamp };
  std::string name;
  Format format = Format::kSeconds;
};

struct RateLimitedRetryBackOff {
  std::vector<ResetHeader> reset_headers;
  absl::Duration max_interval = absl::Seconds(300);
};

struct RetryPolicy {
  uint32_t retry_on = 0;  // RetryOn bits
  uint32_t num_retries = 1;
  absl::Duration per_try_timeout = absl::ZeroDuration();       // 0: none
  absl::Duration per_try_idle_timeout = absl::ZeroDuration();  // 0: none
  std::vector<uint32_t> retriable_status_codes;
  std::vector<HeaderMatcher> retriable_headers;
  std::vector<HeaderMatcher> retriable_request_headers;
  absl::Duration base_interval = absl::Milliseconds(25);
  std::optional<absl::Duration> max_interval;  // unset: 10 * base_interval
  std::optional<RateLimitedRetryBackOff> rate_limited;

  // retry_host_predicate
  bool previous_hosts = false;
  bool omit_canary_hosts = false;
  std::vector<std::pair<std::string, Value>> omit_host_metadata;  // envoy.lb
  uint32_t host_selection_retry_max_attempts = 1;
  // retry_priority: previous_priorities with this update_frequency; 0: off.
  uint32_t previous_priorities_update_frequency = 0;
};

struct HedgePolicy {
  uint32_t initial_requests = 1;
  bool hedge_on_per_try_timeout = false;
};

struct Fault;  // model/fault.h

// What a level of the routes (typed_per_filter_config) says of a filter of the
// connection manager.
struct FilterOverride {
  std::string filter;  // its name in the chain
  bool disabled = false;
  std::shared_ptr<const Fault> fault;  // null: it says nothing of faults
};

struct MirrorPolicy {
  std::string cluster;
  std::string cluster_header;
  std::optional<Fraction> runtime_fraction;
  bool disable_shadow_host_suffix_append = false;
  std::string host_rewrite_literal;
};

struct WeightedCluster {
  std::string name;
  std::string cluster_header;
  uint32_t weight = 0;
  HeaderMutations headers;
  std::string host_rewrite_literal;
  std::vector<FilterOverride> filters;
};

struct WeightedClusters {
  std::vector<WeightedCluster> clusters;
  uint64_t total_weight = 0;        // sum of the weights; never 0
  std::string random_value_header;  // header_name
  bool use_hash_policy = false;
  std::string runtime_key_prefix;
};

struct ClusterHeader {
  std::string name;
};

struct MaxStreamDuration {
  std::optional<absl::Duration> max_stream_duration;
  std::optional<absl::Duration> grpc_timeout_header_max;
  std::optional<absl::Duration> grpc_timeout_header_offset;
};

struct RouteAction {
  std::variant<std::string, ClusterHeader, WeightedClusters> cluster;
  uint32_t cluster_not_found_response_code = 503;

  std::string prefix_rewrite;  // empty: none
  std::optional<RegexRewrite> regex_rewrite;
  std::string path_rewrite_template;  // uri_template rewriter; empty: none

  std::string host_rewrite_literal;
  std::string host_rewrite_header;
  std::optional<RegexRewrite> host_rewrite_path_regex;
  bool auto_host_rewrite = false;
  bool append_x_forwarded_host = false;

  // Unset: 15 s for HTTP, none for gRPC. Zero: none.
  std::optional<absl::Duration> timeout;
  std::optional<absl::Duration> idle_timeout;
  std::optional<MaxStreamDuration> max_stream_duration;
  std::optional<absl::Duration> max_grpc_timeout;
  std::optional<absl::Duration> grpc_timeout_offset;

  std::optional<RetryPolicy> retry_policy;  // wins over the virtual host's
  std::optional<HedgePolicy> hedge_policy;
  std::vector<MirrorPolicy> request_mirror_policies;
  bool request_mirror_policies_set = false;
  RoutingPriority priority = RoutingPriority::kDefault;
  std::vector<HashPolicy> hash_policy;
  std::shared_ptr<const Metadata> metadata_match;
};

struct RedirectAction {
  std::string host_redirect;
  std::optional<uint32_t> port_redirect;
  std::string scheme_redirect;
  bool https_redirect = false;
  std::string path_redirect;
  std::string prefix_rewrite;
  std::optional<RegexRewrite> regex_rewrite;
  uint32_t response_code = 301;
  bool strip_query = false;
};

struct DirectResponseAction {
  uint32_t status = 200;
  std::string body;
};

struct NonForwardingAction {};

struct Route {
  std::string name;  // may be empty
  RouteMatch match;
  std::variant<RouteAction, RedirectAction, DirectResponseAction,
               NonForwardingAction>
      action;
  HeaderMutations headers;
  std::shared_ptr<const Metadata> metadata;
  std::optional<uint32_t> per_request_buffer_limit_bytes;
  std::vector<FilterOverride> filters;
};

struct VirtualHost {
  std::string name;
  std::vector<std::string> domains;  // lower case
  std::vector<Route> routes;
  HeaderMutations headers;
  enum class TlsRequirement { kNone, kExternalOnly, kAll };
  TlsRequirement require_tls = TlsRequirement::kNone;
  std::optional<RetryPolicy> retry_policy;
  std::optional<HedgePolicy> hedge_policy;
  std::vector<MirrorPolicy> request_mirror_policies;
  bool include_request_attempt_count = false;
  bool include_attempt_count_in_response = false;
  bool include_is_timeout_retry_header = false;
  std::optional<uint32_t> per_request_buffer_limit_bytes;
  std::vector<FilterOverride> filters;
};

struct RouteConfig {
  std::string name;
  std::vector<VirtualHost> virtual_hosts;
  HeaderMutations headers;
  bool most_specific_header_mutations_wins = false;
  bool ignore_port_in_host_matching = false;
  std::vector<MirrorPolicy> request_mirror_policies;
  std::vector<FilterOverride> filters;
};

// Adds the names of all clusters that requests may go to by these routes; not
// those that only a request's header names.
void AddClusterNames(const RouteConfig& routes, std::set<std::string>& names);

}  // namespace meshlib::model

#endif  // MESHLIB_MODEL_ROUTE_H_
