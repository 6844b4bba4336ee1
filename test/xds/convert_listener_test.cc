#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "test/xds/convert_harness.h"

namespace meshlib::xds {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kHcm[] =
    "'@type': type.googleapis.com/envoy.extensions.filters.network."
    "http_connection_manager.v3.HttpConnectionManager, stat_prefix: s";
constexpr char kRouter[] =
    "http_filters: [{name: r, typed_config: {'@type': "
    "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}]";

std::string ListenerYaml(const std::string& fields) {
  return "static_resources: {listeners: [{name: l, " + fields + "}]}";
}

TEST(ConvertListener, SocketListenerKeepsItsChains) {
  const auto config = Loaded(ListenerYaml(
      "address: {socket_address: {address: '::', port_value: 80}}, "
      "traffic_direction: OUTBOUND, bind_to_port: false, filter_chains: "
      "[{name: x, filters: [{name: h, typed_config: {" +
      std::string(kHcm) +
      ", rds: {route_config_name: r, config_source: {ads: {}}}, "
      "stream_idle_timeout: 5s, " +
      kRouter +
      "}}]}], default_filter_chain: {filters: [{name: t, typed_config: "
      "{'@type': type.googleapis.com/envoy.extensions.filters.network."
      "tcp_proxy.v3.TcpProxy, stat_prefix: s, cluster: b}}]}"));
  ASSERT_EQ(config->listeners.size(), 1u);
  const model::Listener& l = *config->listeners[0];
  EXPECT_EQ(l.address, "[::]:80");
  EXPECT_EQ(l.port, 80u);
  EXPECT_EQ(l.traffic_direction, model::TrafficDirection::kOutbound);
  EXPECT_FALSE(l.bind_to_port);
  ASSERT_EQ(l.filter_chains.size(), 2u);
  ASSERT_TRUE(l.filter_chains[0].http.has_value());
  EXPECT_EQ(l.filter_chains[0].http->rds_route_config_name, "r");
  EXPECT_EQ(l.filter_chains[0].http->stream_limits.idle_timeout,
            absl::Seconds(5));
  EXPECT_THAT(l.filter_chains[0].http->http_filters, ElementsAre("r"));
  ASSERT_TRUE(l.filter_chains[1].tcp.has_value());
  EXPECT_EQ(std::get<std::string>(l.filter_chains[1].tcp->cluster), "b");
}

TEST(ConvertListener, ApiListenerNeedsNoAddress) {
  const auto config = Loaded(ListenerYaml(
      "api_listener: {api_listener: {" + std::string(kHcm) +
      ", common_http_protocol_options: {max_stream_duration: 3s}, "
      "route_config: {name: r, virtual_hosts: [{name: v, domains: [x]}]}, " +
      kRouter + "}}"));
  const model::Listener& l = *config->listeners.at(0);
  ASSERT_TRUE(l.api_listener.has_value());
  EXPECT_EQ(l.api_listener->stream_limits.max_stream_duration,
            absl::Seconds(3));
  ASSERT_NE(l.api_listener->route_config, nullptr);
  EXPECT_EQ(l.api_listener->route_config->virtual_hosts.size(), 1u);
}

TEST(ConvertListener, RequestsAreNormalizedAsTheManagerSays) {
  const auto rules = [](const std::string& fields) {
    const auto config = Loaded(
        ListenerYaml("api_listener: {api_listener: {" + std::string(kHcm) +
                     ", route_config: {name: r}, " + kRouter + fields + "}}"));
    return config->listeners.at(0)->api_listener->normalization;
  };
  EXPECT_FALSE(rules("").active());
  EXPECT_TRUE(rules(", normalize_path: true").normalize_path);
  EXPECT_TRUE(rules(", merge_slashes: true").merge_slashes);
  EXPECT_TRUE(rules(", strip_any_host_port: true").strip_any_host_port);
  EXPECT_TRUE(
      rules(", strip_matching_host_port: true").strip_matching_host_port);
  EXPECT_TRUE(rules(", strip_trailing_host_dot: true").strip_trailing_host_dot);
  EXPECT_EQ(rules(", path_with_escaped_slashes_action: REJECT_REQUEST")
                .escaped_slashes,
            model::RequestNormalization::EscapedSlashes::kReject);
  EXPECT_EQ(rules(", scheme_header_transformation: {scheme_to_overwrite: "
                  "https}")
                .scheme,
            "https");
}

TEST(ConvertListener, InlineRoutesMustNameKnownClustersWhereverTheyStand) {
  const std::string listener =
      "listeners: [{name: l, api_listener: {api_listener: {" +
      std::string(kHcm) +
      ", route_config: {virtual_hosts: [{name: v, domains: ['*'], routes: "
      "[{match: {prefix: /}, route: {cluster: late}}]}]}, " +
      kRouter + "}}}]";
  EXPECT_THAT(ProblemsOf("static_resources: {" + listener + "}"),
              HasSubstr("route_config.virtual_hosts[0].routes[0].route."
                        "cluster: unknown cluster \"late\""));
  Loaded("static_resources: {" + listener + ", clusters: [{name: late}]}");
}

TEST(ConvertListener, ALoneListenerMayNameClustersThatAreElsewhere) {
  const std::string lone =
      "'@type': type.googleapis.com/envoy.config.listener.v3.Listener\n"
      "name: l\n"
      "api_listener: {api_listener: {" +
      std::string(kHcm) +
      ", route_config: {virtual_hosts: [{name: v, domains: ['*'], routes: "
      "[{match: {prefix: /}, route: {cluster: elsewhere}}]}]}, " +
      kRouter + "}}\n";
  const std::string problems = ProblemsOf(lone);
  EXPECT_THAT(problems, HasSubstr("warning: "));
  EXPECT_THAT(problems, HasSubstr("unknown cluster \"elsewhere\""));
  EXPECT_THAT(problems, Not(HasSubstr("error: ")));
}

TEST(ConvertListener, FiltersThatForbidAreWarnedOf) {
  const std::string problems = ProblemsOf(ListenerYaml(
      "api_listener: {api_listener: {" + std::string(kHcm) +
      ", route_config: {}, http_filters: [{name: a, typed_config: {'@type': "
      "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC, "
      "rules: {}}}, {name: r, typed_config: {'@type': type.googleapis.com/"
      "envoy.extensions.filters.http.router.v3.Router}}]}}"));
  EXPECT_THAT(problems, HasSubstr("warning"));
  EXPECT_THAT(problems, HasSubstr("what it forbids is not refused"));
  EXPECT_THAT(problems, Not(HasSubstr("error")));
}

TEST(ConvertListener, ChainsOverlapWhereTheSameConnectionsMatch) {
  const struct {
    const char* first;
    const char* second;
    bool overlap;
  } kCases[] = {
      {"prefix_ranges: [{address_prefix: 10.0.0.1, prefix_len: 24}]",
       "prefix_ranges: [{address_prefix: 10.0.0.200, prefix_len: 24}]", true},
      {"prefix_ranges: [{address_prefix: 10.0.0.1, prefix_len: 25}]",
       "prefix_ranges: [{address_prefix: 10.0.0.200, prefix_len: 25}]", false},
      {"prefix_ranges: [{address_prefix: 10.0.0.1, prefix_len: 32}]",
       "prefix_ranges: [{address_prefix: 10.0.0.1, prefix_len: 33}]", true},
      {"application_protocols: [h2, a]", "application_protocols: [a]", true},
      {"application_protocols: [h2]", "application_protocols: [a]", false},
      {"server_names: [ab], transport_protocol: c",
       "server_names: [a], transport_protocol: bc", false},
  };
  for (const auto& c : kCases) {
    const std::string problems = ProblemsOf(ListenerYaml(
        "address: {socket_address: {address: 0.0.0.0, port_value: 1}}, "
        "filter_chains: [{filter_chain_match: {" +
        std::string(c.first) + "}}, {filter_chain_match: {" + c.second +
        "}}]"));
    EXPECT_EQ(problems.find("overlaps") != std::string::npos, c.overlap)
        << c.first << "; " << c.second << ": " << problems;
  }
}

TEST(ConvertListener, ManyCombinationsOfMatchesCostLittle) {
  std::string names;
  std::string ports;
  for (int i = 1; i <= 1000; ++i) {
    names += "n" + std::to_string(i) + ", ";
    ports += std::to_string(i) + ", ";
  }
  const std::string match = "filter_chain_match: {server_names: [" + names +
                            "x], application_protocols: [" + names +
                            "x], source_ports: [" + ports + "2000]}";
  const std::string problems = ProblemsOf(ListenerYaml(
      "address: {socket_address: {address: 0.0.0.0, port_value: 1}}, "
      "filter_chains: [{" +
      match + "}, {" + match + "}]"));
  EXPECT_THAT(problems, HasSubstr("filter_chains[1].filter_chain_match: "
                                  "overlaps"));
}

TEST(ConvertBootstrap, NodeRuntimeAndLocalClusterAreRead) {
  const auto config = Loaded(R"(
node: {id: i, cluster: k, locality: {region: r, zone: z}, metadata: {m: [1]}}
cluster_manager: {local_cluster_name: c}
layered_runtime:
  layers:
  - {name: a, static_layer: {x: 1, s: {p: 1, q: 2}}}
  - {name: b, static_layer: {s: {q: 3, f: {numerator: 5}}, t.u: "7"}}
static_resources: {clusters: [{name: c}]}
)");
  EXPECT_EQ(config->node.id, "i");
  EXPECT_EQ(config->node.locality.zone, "z");
  EXPECT_EQ(config->node.metadata.fields.count("m"), 1u);
  EXPECT_EQ(config->local_cluster_name, "c");
  ASSERT_EQ(config->runtime.size(), 5u);
  EXPECT_EQ(config->runtime.at("s.p").number, 1);
  EXPECT_EQ(config->runtime.at("s.q").number, 3);
  EXPECT_EQ(config->runtime.at("s.f").kind, model::Value::Kind::kStruct);
  EXPECT_EQ(config->runtime.at("t.u").string, "7");
}

TEST(ConfigLoader, RegexesMayBeLargerWhereTheRuntimeSaysSo) {
  const std::string listener =
      "static_resources: {listeners: [{name: l, api_listener: {api_listener: "
      "{" +
      std::string(kHcm) +
      ", route_config: {virtual_hosts: [{name: v, domains: ['*'], routes: "
      "[{match: {safe_regex: {regex: '" +
      std::string(200, 'a') + "'}}, redirect: {}}]}]}, " + kRouter + "}}}]}\n";
  EXPECT_THAT(ProblemsOf(listener), HasSubstr("match.safe_regex: the regex "
                                              "has a program size of 20"));
  Loaded(listener +
         "layered_runtime: {layers: [{name: a, static_layer: "
         "{re2.max_program_size.error_level: 1000}}]}");
}

TEST(ConfigLoader, CyclesOfAggregatesAreErrorsAndUnknownMembersWarnings) {
  const auto aggregate = [](const std::string& name,
                            const std::string& members) {
    return "{name: " + name +
           ", lb_policy: CLUSTER_PROVIDED, cluster_type: {name: a, "
           "typed_config: {'@type': type.googleapis.com/envoy.extensions."
           "clusters.aggregate.v3.ClusterConfig, clusters: [" +
           members + "]}}}";
  };
  const std::string problems = ProblemsOf(
      "static_resources: {clusters: [" + aggregate("a", "b") + ", " +
      aggregate("b", "c, nope") + ", " + aggregate("c", "b") + ", {name: d}]}");
  EXPECT_THAT(problems, HasSubstr("cluster \"b\" is a member of itself"));
  EXPECT_THAT(problems, HasSubstr("cluster \"c\" is a member of itself"));
  EXPECT_THAT(problems, Not(HasSubstr("cluster \"a\" is a member")));
  EXPECT_THAT(problems, HasSubstr("warning: static_resources.clusters[1]."
                                  "cluster_type.typed_config.clusters: "
                                  "unknown cluster \"nope\""));
}

TEST(ConfigLoader, FilesThatTheConfigurationNamesAreLoaded) {
  const auto folder = std::filesystem::temp_directory_path() /
                      ("meshlib_config_loader_" + std::to_string(getpid()));
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "mesh.yaml")
      << "node: {id: i, cluster: k}\n"
         "dynamic_resources: {cds_config: {path_config_source: {path: "
         "cds.yaml}}}\n"
         "static_resources: {clusters: [{name: c, type: EDS, "
         "eds_cluster_config: {eds_config: {path: eds.yaml}}}]}\n";
  std::ofstream(folder / "cds.yaml")
      << "resources: [{'@type': "
         "type.googleapis.com/envoy.config.cluster.v3.Cluster, name: d}]\n";
  std::ofstream(folder / "eds.yaml")
      << "resources: [{'@type': type.googleapis.com/envoy.config.endpoint.v3."
         "ClusterLoadAssignment, cluster_name: c}]\n";
  const LoadResult result = LoadConfig(folder / "mesh.yaml");
  std::filesystem::remove_all(folder);
  ASSERT_NE(result.config, nullptr) << result.problems.ToString();
  EXPECT_EQ(result.config->clusters.size(), 2u);
  EXPECT_EQ(result.config->endpoints.size(), 1u);
}

TEST(ConfigLoader, TutorialFormOfOldEnvoyGivesItsCluster) {
  const LoadResult result = LoadConfigText("f.yaml", R"(
envoy:
  config:
    listeners:
    - name: listener_0
      address: {socket_address: {address: 0.0.0.0, port_value: 15001}}
    clusters:
    - name: cluster_0
      connect_timeout: 0.25s
      type: STATIC
      hosts: [{socket_address: {address: 127.0.0.1, port_value: 8080}}]
)");
  ASSERT_NE(result.config, nullptr) << result.problems.ToString();
  EXPECT_GT(result.problems.warnings(), 0u);
  ASSERT_EQ(result.config->clusters.size(), 1u);
  const model::Cluster& c = *result.config->clusters[0];
  EXPECT_EQ(c.name, "cluster_0");
  EXPECT_EQ(c.endpoints->localities.at(0).endpoints.at(0).address,
            "127.0.0.1:8080");
}

TEST(ConfigLoader, ErrorsLeaveNoConfiguration) {
  const LoadResult result =
      LoadConfigText("f.yaml",
                     "static_resources: {clusters: [{name: c}, "
                     "{name: d, lb_policy: MAGLEV, maglev_lb_config: "
                     "{table_size: 4}}]}");
  EXPECT_EQ(result.config, nullptr);
  EXPECT_EQ(result.problems.errors(), 1u);
}

}  // namespace
}  // namespace meshlib::xds
