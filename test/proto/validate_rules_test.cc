#include "proto/validate_rules.h"

#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "google/protobuf/any.pb.h"
#include "google/protobuf/text_format.h"
#include "google/protobuf/unknown_field_set.h"
#include "gtest/gtest.h"
#include "proto/ledger.h"

namespace meshlib::proto {
namespace {

using ::google::protobuf::Any;
using ::google::protobuf::Message;
using ::google::protobuf::MessageFactory;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::unique_ptr<Message> Make(const std::string& original,
                              const std::string& text) {
  const auto* type = FindMessageTypeByUrl("type.googleapis.com/" + original);
  if (type == nullptr) {
    ADD_FAILURE() << "no copy of " << original;
    return nullptr;
  }
  std::unique_ptr<Message> message(
      MessageFactory::generated_factory()->GetPrototype(type)->New());
  EXPECT_TRUE(
      google::protobuf::TextFormat::ParseFromString(text, message.get()))
      << text;
  return message;
}

std::vector<std::string> Lines(const Message& message) {
  std::vector<std::string> lines;
  ValidateRules(message, [&](const RuleProblem& problem) {
    EXPECT_EQ(problem.path, ToString(problem.steps));
    lines.push_back(problem.path + ": " + problem.message);
  });
  return lines;
}

struct Case {
  std::string type;
  std::string text;
  std::string problem;  // empty: none
};

void CheckCases(const std::vector<Case>& cases) {
  for (const Case& c : cases) {
    SCOPED_TRACE(c.type + " { " + c.text + " }");
    const auto message = Make(c.type, c.text);
    ASSERT_NE(message, nullptr);
    if (c.problem.empty()) {
      EXPECT_THAT(Lines(*message), IsEmpty());
    } else {
      EXPECT_THAT(Lines(*message), ElementsAre(c.problem));
    }
  }
}

constexpr char kSocketAddress[] = "envoy.config.core.v3.SocketAddress";
constexpr char kCluster[] = "envoy.config.cluster.v3.Cluster";
constexpr char kAssignment[] = "envoy.config.endpoint.v3.ClusterLoadAssignment";
constexpr char kVirtualHost[] = "envoy.config.route.v3.VirtualHost";
constexpr char kRoute[] = "envoy.config.route.v3.Route";

TEST(ValidateRules, ChecksScalars) {
  CheckCases({
      {kSocketAddress, "address: '::1' port_value: 65535", ""},
      {kSocketAddress, "address: '::1' port_value: 70000",
       "port_value: port_value 70000 > 65535"},
      {kSocketAddress, "port_value: 1", "address: address is empty"},
  });
}

TEST(ValidateRules, ChecksEnums) {
  auto cluster = Make(kCluster, "name: 'a'");
  const auto* field = cluster->GetDescriptor()->FindFieldByName("lb_policy");
  cluster->GetReflection()->SetEnumValue(cluster.get(), field, 99);
  EXPECT_THAT(Lines(*cluster),
              ElementsAre("lb_policy: lb_policy 99 is not a value of "
                          "envoy.config.cluster.v3.Cluster.LbPolicy"));
}

TEST(ValidateRules, ChecksDurationsAndWrappers) {
  CheckCases({
      {kCluster, "name: 'a' connect_timeout { nanos: 250000000 }", ""},
      {kCluster, "name: 'a' connect_timeout { }",
       "connect_timeout: connect_timeout 0s <= 0s"},
      {kCluster, "name: 'a' connect_timeout { seconds: -1 nanos: 5 }",
       "connect_timeout: connect_timeout is not a valid duration"},
      {kCluster, "name: 'a' connect_timeout { seconds: 9223372036854775807 }",
       "connect_timeout: connect_timeout is not a valid duration"},
      {kCluster,
       "name: 'a' ring_hash_lb_config { minimum_ring_size { value: 8388608 } }",
       ""},
      {kCluster,
       "name: 'a' ring_hash_lb_config { minimum_ring_size { value: 9000000 } }",
       "ring_hash_lb_config.minimum_ring_size: "
       "minimum_ring_size 9000000 > 8388608"},
      {"envoy.config.endpoint.v3.LbEndpoint", "load_balancing_weight { }",
       "load_balancing_weight: load_balancing_weight 0 < 1"},
  });
}

TEST(ValidateRules, ChecksListsAndTheirItems) {
  CheckCases({
      {kVirtualHost, "name: 'a' domains: '*'", ""},
      {kVirtualHost, "name: 'a'", "domains: domains: 0 items, want at least 1"},
      {kVirtualHost, "name: 'a' domains: 'x' domains: 'b\\n'",
       "domains[1]: domains \"b\\n\" is not a valid HTTP header value"},
      {"envoy.config.route.v3.CorsPolicy", "", ""},
  });
}

TEST(ValidateRules, ChecksRequiredMessagesAndOneofs) {
  CheckCases({
      {kRoute, "match { prefix: '/' } route { cluster: 'c' }", ""},
      {kRoute, "route { cluster: 'c' }", "match: match is required"},
      {kRoute, "match { prefix: '/' }",
       ": action is required: one of route, redirect, direct_response, "
       "non_forwarding_action"},
      {kRoute, "match { } route { cluster: 'c' }",
       "match: path_specifier is required: one of prefix, path, safe_regex, "
       "connect_matcher, path_separated_prefix, path_match_policy"},
      {"envoy.config.core.v3.Address", "",
       ": address is required: one of socket_address, pipe, "
       "envoy_internal_address"},
      // A type whose only rule is that of its oneof.
      {"envoy.type.tracing.v3.CustomTag.Metadata", "kind { }",
       "kind: kind is required: one of request, route, cluster, host"},
  });
}

TEST(ValidateRules, TakesATrimmedFieldOfAOneofForSet) {
  auto route = Make(kRoute, "match { prefix: '/' }");
  ASSERT_EQ(Lines(*route).size(), 1u);
  // filter_action, which our copy lacks
  route->GetReflection()
      ->MutableUnknownFields(route.get())
      ->AddLengthDelimited(17, "");
  EXPECT_THAT(Lines(*route), IsEmpty());
  // Another unknown field changes nothing.
  auto other = Make(kRoute, "match { prefix: '/' }");
  other->GetReflection()
      ->MutableUnknownFields(other.get())
      ->AddLengthDelimited(4711, "");
  EXPECT_EQ(Lines(*other).size(), 1u);
}

TEST(ValidateRules, ChecksMapsByKey) {
  CheckCases({
      {"envoy.config.core.v3.Metadata",
       "filter_metadata { key: 'a' value { } }", ""},
      {"envoy.config.core.v3.Metadata", "filter_metadata { key: '' value { } }",
       "filter_metadata[\"\"]: filter_metadata key is empty"},
      {"xds.data.orca.v3.OrcaLoadReport",
       "utilization { key: 'a' value: 1 } utilization { key: 'b' value: 2 }",
       "utilization[\"b\"]: utilization 2 > 1"},
  });
}

TEST(ValidateRules, WritesPathsAsUsersDo) {
  CheckCases({{kAssignment,
               R"(cluster_name: 'c'
           endpoints {
             lb_endpoints { endpoint { address { pipe { path: 'p' } } } }
             lb_endpoints { endpoint { address { socket_address {
               address: 'a' port_value: 65536 } } } } })",
               "endpoints[0].lb_endpoints[1].endpoint.address.socket_address."
               "port_value: port_value 65536 > 65535"}});
}

TEST(ValidateRules, ReportsEveryProblemInOrder) {
  const auto message = Make(
      kAssignment,
      "endpoints { lb_endpoints { endpoint { address { } } } priority: 129 }");
  EXPECT_THAT(
      Lines(*message),
      ElementsAre("cluster_name: cluster_name is empty",
                  "endpoints[0].lb_endpoints[0].endpoint.address: address is "
                  "required: one of socket_address, pipe, "
                  "envoy_internal_address",
                  "endpoints[0].priority: priority 129 > 128"));
}

TEST(ValidateRules, GivesStepsByNumberAndIndex) {
  const auto message = Make(kAssignment,
                            "cluster_name: 'c' endpoints { } endpoints { "
                            "load_balancing_weight { } }");
  std::vector<PathStep> steps;
  ValidateRules(*message, [&](const RuleProblem& p) { steps = p.steps; });
  ASSERT_EQ(steps.size(), 2u);
  EXPECT_EQ(steps[0].field, "endpoints");
  EXPECT_EQ(steps[0].number, 2);
  EXPECT_EQ(steps[0].index, 1);
  EXPECT_EQ(steps[1].field, "load_balancing_weight");
  EXPECT_EQ(steps[1].index, -1);
}

Any Pack(const Message& message) {
  Any any;
  any.set_type_url(TypeUrl(*message.GetDescriptor()));
  any.set_value(message.SerializeAsString());
  return any;
}

// `any` as the typed_config of an extension.
std::unique_ptr<Message> Extension(const Any& any) {
  auto extension =
      Make("envoy.config.core.v3.TypedExtensionConfig", "name: 'x'");
  const auto* field =
      extension->GetDescriptor()->FindFieldByName("typed_config");
  extension->GetReflection()
      ->MutableMessage(extension.get(), field)
      ->CopyFrom(any);
  return extension;
}

TEST(ValidateRules, LooksIntoAny) {
  const auto address = Make(kSocketAddress, "address: 'a' port_value: 70000");
  EXPECT_THAT(Lines(*Extension(Pack(*address))),
              ElementsAre("typed_config.port_value: port_value 70000 > 65535"));
}

TEST(ValidateRules, LeavesUnknownAnyAloneAndReportsBrokenOnes) {
  Any any;
  any.set_type_url("type.googleapis.com/istio.telemetry.Unknown");
  any.set_value("\xFF\xFF");
  EXPECT_THAT(Lines(*Extension(any)), IsEmpty());
  any.set_type_url("type.googleapis.com/envoy.config.core.v3.SocketAddress");
  EXPECT_THAT(Lines(*Extension(any)),
              ElementsAre("typed_config: typed_config does not parse as "
                          "envoy.config.core.v3.SocketAddress"));
}

TEST(ValidateRules, RequiresATypedConfig) {
  const auto extension =
      Make("envoy.config.core.v3.TypedExtensionConfig", "name: 'x'");
  EXPECT_THAT(Lines(*extension),
              ElementsAre("typed_config: typed_config is required"));
}

TEST(ValidateRules, StopsAtBottomlessAny) {
  Any any;
  any.set_type_url("type.googleapis.com/none");
  for (int i = 0; i < 100; ++i) any = Pack(*Extension(any));
  const auto lines = Lines(*Extension(any));
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_THAT(lines[0],
              testing::HasSubstr("holds more than 16 Any inside one another"));
}

TEST(ValidateRules, StopsAtBottomlessMessages) {
  auto matcher = Make("envoy.type.matcher.v3.ValueMatcher", "");
  Message* inner = matcher.get();
  for (int i = 0; i < 100000; ++i) {
    const auto next = [&](const char* name) {
      inner = inner->GetReflection()->MutableMessage(
          inner, inner->GetDescriptor()->FindFieldByName(name));
    };
    next("list_match");
    next("one_of");
  }
  EXPECT_EQ(Lines(*matcher).size(), 1u);
  // Freeing it recurses as well: from the inside out.
  std::vector<Message*> chain;
  for (Message* m = matcher.get(); m != nullptr;) {
    chain.push_back(m);
    const auto* list = m->GetDescriptor()->FindFieldByName("list_match");
    const auto* one = m->GetDescriptor()->FindFieldByName("one_of");
    const auto* field = list != nullptr ? list : one;
    m = m->GetReflection()->HasField(*m, field)
            ? m->GetReflection()->MutableMessage(m, field)
            : nullptr;
  }
  while (!chain.empty()) {
    chain.back()->Clear();
    chain.pop_back();
  }
}

TEST(RuleChecker, MayBeUsedForManyMessages) {
  RuleChecker checker;
  int problems = 0;
  const auto count = [&](const RuleProblem&) { ++problems; };
  for (int i = 0; i < 3; ++i) {
    checker.Check(*Make(kCluster, ""), count);
    checker.Check(*Make(kSocketAddress, "port_value: 1"), count);
    checker.Check(*Make(kCluster, "name: 'a'"), count);
  }
  EXPECT_EQ(problems, 6);
}

// What istiod sends for a service, shortened.
TEST(ValidateRules, AcceptsAClusterOfIstiod) {
  CheckCases({{kCluster, R"(
      transport_socket_matches {
        name: "tlsMode-istio"
        match { fields { key: "tlsMode" value { string_value: "istio" } } }
        transport_socket { name: "envoy.transport_sockets.tls" typed_config {
          type_url: "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext" } }
      }
      name: "outbound|50051||echo.demo.svc.cluster.local"
      type: EDS
      eds_cluster_config {
        eds_config { ads { } initial_fetch_timeout { } resource_api_version: V3 }
        service_name: "outbound|50051||echo.demo.svc.cluster.local"
      }
      connect_timeout { seconds: 10 }
      lb_policy: LEAST_REQUEST
      circuit_breakers { thresholds {
        max_connections { value: 4294967295 } max_requests { value: 4294967295 }
        max_retries { value: 4294967295 } track_remaining: true } }
      outlier_detection {
        consecutive_5xx { value: 5 } interval { seconds: 10 }
        base_ejection_time { seconds: 30 } max_ejection_percent { value: 100 }
        enforcing_success_rate { } }
      common_lb_config { healthy_panic_threshold { } locality_weighted_lb_config { } }
      filters { name: "istio.metadata_exchange" typed_config {
        type_url: "type.googleapis.com/udpa.type.v1.TypedStruct" } }
      )",
               ""}});
}

TEST(ValidateRules, AcceptsARouteConfigurationOfIstiod) {
  CheckCases({{"envoy.config.route.v3.RouteConfiguration", R"(
      name: "8080"
      virtual_hosts {
        name: "echo.demo.svc.cluster.local:8080"
        domains: "echo.demo.svc.cluster.local" domains: "echo"
        routes {
          match { prefix: "/" headers { name: "x-user" string_match { exact: "a" } } }
          route {
            weighted_clusters {
              clusters { name: "a" weight { value: 90 } }
              clusters { name: "b" weight { value: 10 } } }
            timeout { }
            retry_policy {
              retry_on: "connect-failure,refused-stream,unavailable"
              num_retries { value: 2 }
              retry_host_predicate { name: "envoy.retry_host_predicates.previous_hosts"
                typed_config { type_url: "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate" } }
              host_selection_retry_max_attempts: 5 }
            max_grpc_timeout { } }
          decorator { operation: "echo:8080/*" } }
        include_request_attempt_count: true }
      validate_clusters { }
      ignore_port_in_host_matching: true
      )",
               ""}});
}

}  // namespace
}  // namespace meshlib::proto
