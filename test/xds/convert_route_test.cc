#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "test/xds/convert_harness.h"
#include "xds/convert_format.h"
#include "xds/convert_retry.h"

namespace meshlib::xds {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

TEST(ConvertRoute, MatchersKeepTheirKinds) {
  using Kind = model::HeaderMatcher::Kind;
  using StringKind = model::StringMatcher::Kind;
  const model::Route route = LoadedRoute(
      "{name: nn, match: {path_separated_prefix: /a, case_sensitive: false, "
      "headers: [{name: X-A, exact_match: v}, {name: b, exact_match: ''}, "
      "{name: c, range_match: {start: 1, end: 5}}, {name: d, present_match: "
      "false}, {name: e, string_match: {suffix: s, ignore_case: true}, "
      "invert_match: true}], query_parameters: [{name: q, string_match: "
      "{safe_regex: {regex: 'v+'}}}, {name: p, present_match: false}], "
      "cookies: [{name: k, string_match: {exact: v}}], grpc: {}, "
      "runtime_fraction: {default_value: {numerator: 3, denominator: "
      "MILLION}, runtime_key: r}}, route: {cluster: a}}");
  const model::RouteMatch& m = route.match;
  EXPECT_EQ(m.path.kind, model::PathMatcher::Kind::kPathSeparatedPrefix);
  EXPECT_EQ(m.path.value, "/a");
  EXPECT_FALSE(m.path.case_sensitive);
  ASSERT_EQ(m.headers.size(), 5u);
  EXPECT_EQ(m.headers[0].name, "x-a");
  EXPECT_EQ(m.headers[0].kind, Kind::kString);
  EXPECT_EQ(m.headers[0].string.value, "v");
  EXPECT_EQ(m.headers[1].kind, Kind::kPresent);
  EXPECT_EQ(m.headers[2].kind, Kind::kRange);
  EXPECT_EQ(m.headers[2].range_end, 5);
  EXPECT_EQ(m.headers[3].kind, Kind::kAbsent);
  EXPECT_EQ(m.headers[4].string.kind, StringKind::kSuffix);
  EXPECT_TRUE(m.headers[4].string.ignore_case);
  EXPECT_TRUE(m.headers[4].invert_match);
  ASSERT_EQ(m.query_parameters.size(), 2u);
  EXPECT_FALSE(m.query_parameters[0].present_match);
  EXPECT_EQ(m.query_parameters[0].string.kind, StringKind::kRegex);
  EXPECT_TRUE(m.query_parameters[1].present_match_inverted);
  EXPECT_EQ(m.cookies.size(), 1u);
  EXPECT_TRUE(m.grpc);
  ASSERT_TRUE(m.runtime_fraction.has_value());
  EXPECT_EQ(m.runtime_fraction->denominator, 1000000u);
}

TEST(ConvertRoute, TimeoutsTellUnsetFromZero) {
  EXPECT_FALSE(LoadedAction("timeout: null").timeout.has_value());
  const model::RouteAction a = LoadedAction(
      "timeout: 0s, max_stream_duration: {grpc_timeout_header_max: 2s}");
  EXPECT_EQ(a.timeout, absl::ZeroDuration());
  ASSERT_TRUE(a.max_stream_duration.has_value());
  EXPECT_FALSE(a.max_stream_duration->max_stream_duration.has_value());
  EXPECT_EQ(a.max_stream_duration->grpc_timeout_header_max, absl::Seconds(2));
}

TEST(ConvertRoute, RetryPolicyKeepsEverything) {
  const model::RouteAction a = LoadedAction(
      "retry_policy: {retry_on: '5xx, reset ,unavailable,sometimes', "
      "num_retries: 4, per_try_timeout: 0.25s, retry_back_off: "
      "{base_interval: 0.0001s}, host_selection_retry_max_attempts: 5, "
      "retriable_status_codes: [409, 503], retry_host_predicate: [{name: p, "
      "typed_config: {'@type': type.googleapis.com/envoy.extensions.retry."
      "host.previous_hosts.v3.PreviousHostsPredicate}}, {name: o, "
      "typed_config: {'@type': type.googleapis.com/envoy.extensions.retry."
      "host.omit_host_metadata.v3.OmitHostMetadataConfig, metadata_match: "
      "{filter_metadata: {envoy.lb: {k: v}}}}}], rate_limited_retry_back_off: "
      "{reset_headers: [{name: x-reset, format: UNIX_TIMESTAMP}]}}");
  ASSERT_TRUE(a.retry_policy.has_value());
  const model::RetryPolicy& r = *a.retry_policy;
  EXPECT_EQ(r.retry_on, model::kRetryOn5xx | model::kRetryOnReset |
                            model::kRetryOnGrpcUnavailable);
  EXPECT_EQ(r.num_retries, 4u);
  EXPECT_EQ(r.per_try_timeout, absl::Milliseconds(250));
  EXPECT_EQ(r.base_interval, absl::Milliseconds(1));
  EXPECT_FALSE(r.max_interval.has_value());
  EXPECT_EQ(r.host_selection_retry_max_attempts, 5u);
  EXPECT_THAT(r.retriable_status_codes, ElementsAre(409u, 503u));
  EXPECT_TRUE(r.previous_hosts);
  ASSERT_EQ(r.omit_host_metadata.size(), 1u);
  EXPECT_EQ(r.omit_host_metadata[0].first, "k");
  ASSERT_TRUE(r.rate_limited.has_value());
  EXPECT_EQ(r.rate_limited->reset_headers[0].format,
            model::ResetHeader::Format::kUnixTimestamp);
  EXPECT_EQ(r.rate_limited->max_interval, absl::Seconds(300));
}

TEST(ConvertRoute, RetryPoliciesAreEnvoysAtTheirEdges) {
  const model::RetryPolicy plain =
      *LoadedAction("retry_policy: {retry_on: 5xx}").retry_policy;
  EXPECT_EQ(plain.num_retries, 1u);
  const model::RetryPolicy r =
      *LoadedAction(
           "retry_policy: {retry_back_off: {base_interval: 1s, max_interval: "
           "1s}, rate_limited_retry_back_off: {reset_headers: [{name: x}], "
           "max_interval: 0.0001s}}")
           .retry_policy;
  EXPECT_EQ(r.max_interval, absl::Seconds(1));
  EXPECT_EQ(r.rate_limited->max_interval, absl::Milliseconds(1));
}

TEST(ConvertRoute, RegexesMayBeAsLargeAsTheirLimits) {
  const auto problems = [](size_t length, int limit) {
    return ProblemsOf(
        RouteYaml("{match: {safe_regex: {google_re2: {max_program_size: " +
                  std::to_string(limit) + "}, regex: '" +
                  std::string(length, 'a') + "'}}, redirect: {}}"));
  };
  // RE2 needs a few instructions more than there are characters.
  int size = 20;
  while (size < 40 && problems(20, size).find("error") != std::string::npos) {
    ++size;
  }
  EXPECT_THAT(problems(20, size - 1),
              HasSubstr("program size of " + std::to_string(size) + " >"));
  // Without one in the configuration it is 100.
  const auto plain = [](size_t length) {
    return ProblemsOf(RouteYaml("{match: {safe_regex: {regex: '" +
                                std::string(length, 'a') +
                                "'}}, redirect: {}}"));
  };
  const size_t fits = static_cast<size_t>(120 - size);
  EXPECT_EQ(plain(fits), "");
  EXPECT_THAT(plain(fits + 1), HasSubstr("program size of 101"));
  EXPECT_THAT(problems(65536, 100000), Not(HasSubstr("error")));
  EXPECT_THAT(problems(65537, 100000), HasSubstr("want at most 65536"));
}

TEST(ConvertRoute, AnEmptyRangeIsWarnedOf) {
  const auto problems = [](const std::string& range) {
    return ProblemsOf(
        RouteYaml("{match: {prefix: /, headers: [{name: a, range_match: {" +
                  range + "}}]}, redirect: {}}"));
  };
  EXPECT_THAT(problems("start: 5, end: 5"), HasSubstr("no header ever"));
  EXPECT_EQ(problems("start: 5, end: 6"), "");
}

TEST(ConvertRoute, WeightedClustersSumTheirWeights) {
  const model::Route route = LoadedRoute(
      "{match: {prefix: /}, route: {weighted_clusters: {clusters: [{name: a, "
      "weight: 3}, {cluster_header: X-C, weight: 5, "
      "request_headers_to_remove: [Foo]}], header_name: X-R}}}");
  const auto& action = std::get<model::RouteAction>(route.action);
  const auto& w = std::get<model::WeightedClusters>(action.cluster);
  EXPECT_EQ(w.total_weight, 8u);
  EXPECT_EQ(w.random_value_header, "x-r");
  EXPECT_EQ(w.clusters[1].cluster_header, "x-c");
  EXPECT_THAT(w.clusters[1].headers.request_headers_to_remove,
              ElementsAre("foo"));
}

TEST(ConvertRoute, HashPoliciesKeepTheirOrderAndKinds) {
  using Kind = model::HashPolicy::Kind;
  const auto a = LoadedAction(
      "hash_policy: [{header: {header_name: X-H}, terminal: true}, "
      "{connection_properties: {source_ip: false}}, {cookie: {name: C, ttl: "
      "0s}}, {query_parameter: {name: Q}}]");
  ASSERT_EQ(a.hash_policy.size(), 3u);
  EXPECT_EQ(a.hash_policy[0].name, "x-h");
  EXPECT_TRUE(a.hash_policy[0].terminal);
  EXPECT_EQ(a.hash_policy[1].kind, Kind::kCookie);
  EXPECT_EQ(a.hash_policy[1].cookie_ttl, absl::ZeroDuration());
  EXPECT_EQ(a.hash_policy[2].kind, Kind::kQueryParameter);
  EXPECT_EQ(a.hash_policy[2].name, "Q");
}

TEST(ConvertRoute, AppendAndAppendActionMeanWhatEnvoyMeans) {
  using Action = model::AppendAction;
  const model::Route route = LoadedRoute(
      "{match: {prefix: /}, route: {cluster: a}, request_headers_to_add: "
      "[{header: {key: X-A, value: v}}, {header: {key: b, value: v}, append: "
      "false}, {header: {key: c, value: v}, append_action: ADD_IF_ABSENT}]}");
  const auto& add = route.headers.request_headers_to_add;
  ASSERT_EQ(add.size(), 3u);
  EXPECT_EQ(add[0].name, "x-a");
  EXPECT_EQ(add[0].action, Action::kAppendIfExistsOrAdd);
  EXPECT_EQ(add[1].action, Action::kOverwriteIfExistsOrAdd);
  EXPECT_EQ(add[2].action, Action::kAddIfAbsent);
}

TEST(ConvertRoute, RedirectsAndDirectResponsesAreActions) {
  const auto redirect = std::get<model::RedirectAction>(
      LoadedRoute("{match: {prefix: /}, redirect: {response_code: SEE_OTHER, "
                  "port_redirect: 8080, strip_query: true}}")
          .action);
  EXPECT_EQ(redirect.response_code, 303u);
  EXPECT_EQ(redirect.port_redirect, 8080u);
  const auto direct = std::get<model::DirectResponseAction>(
      LoadedRoute("{match: {prefix: /}, direct_response: {status: 418, body: "
                  "{inline_string: tea}}}")
          .action);
  EXPECT_EQ(direct.status, 418u);
  EXPECT_EQ(direct.body, "tea");
}

TEST(ConvertRoute, DomainsAreLowerCaseAndUnique) {
  const auto config = Loaded(
      RoutesYaml("virtual_hosts: [{name: v, domains: [A.Example, '*.B']}]"));
  EXPECT_THAT(config->route_configs.at(0)->virtual_hosts.at(0).domains,
              ElementsAre("a.example", "*.b"));
  EXPECT_THAT(ProblemsOf(RoutesYaml(
                  "virtual_hosts: [{name: v, domains: [x]}, {name: w, "
                  "domains: [a, X]}]")),
              HasSubstr("virtual_hosts[1].domains[1]: duplicate domain"));
}

TEST(ConvertRoute, RoutesOfRdsMayNameUnknownClustersUnlessAsked) {
  const std::string route =
      "virtual_hosts: [{name: v, domains: ['*'], routes: [{match: {prefix: "
      "/}, route: {cluster: nope}}]}]";
  EXPECT_THAT(ProblemsOf(RoutesYaml(route)), IsEmpty());
  EXPECT_THAT(ProblemsOf(RoutesYaml("validate_clusters: true\n" + route)),
              HasSubstr("routes[0].route.cluster: unknown cluster \"nope\""));
}

TEST(ConvertFormat, CommandsAreCheckedByEnvoysGrammar) {
  for (const char* good :
       {"", "plain", "100%%", "%REQ(x-y?:path):12%", "%START_TIME(%Y:%m)%",
        "a%PROTOCOL%b", "%%PROTOCOL%%", "%DYNAMIC_METADATA(a:b):9%"}) {
    EXPECT_THAT(CheckFormat(good), IsEmpty()) << good;
  }
  for (const char* bad :
       {"%", "100%", "%NOPE%", "%PROTOCOL", "%PROTOCOL%%", "%REQ%", "%REQ()%",
        "%REQ(a", "%REQ(a)", "%REQ(a):%", "%REQ(a):x%", "%PROTOCOL:3%",
        "%PROTOCOL()%", "%START_TIME:3%", "%REQ(a?b?c)%", "%REQ(a b)%"}) {
    EXPECT_THAT(CheckFormat(bad), Not(IsEmpty())) << bad;
  }
}

}  // namespace
}  // namespace meshlib::xds
