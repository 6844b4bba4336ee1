// What is wrong with a configuration, and where.
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gmock/gmock.h"
#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"
#include "meshlib/xds/envoy/config/listener/v3/listener.pb.h"
#include "meshlib/xds/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"
#include "test/xds/loader_harness.h"

namespace meshlib::xds {
namespace {

namespace listener = envoy::config::listener::v3;
namespace hcm =
    envoy::extensions::filters::network::http_connection_manager::v3;
using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

struct Case {
  const char* fields;  // of a cluster, from line 4 on
  std::vector<std::string> problems;
};

// In the problems, "C" at the begin of a path stands for the cluster.
void ExpectProblems(const Case& c) {
  std::string fields = absl::StrReplaceAll(c.fields, {{"\n", "\n    "}});
  const auto l = LoadYaml(absl::StrCat(
      "static_resources:\n  clusters:\n  - name: c\n    ", fields, "\n"));
  std::vector<std::string> want;
  for (const std::string& problem : c.problems) {
    want.push_back(absl::StrReplaceAll(
        problem, {{": C", ": static_resources.clusters[0]"}}));
  }
  EXPECT_THAT(l->Lines(), ElementsAreArray(want)) << c.fields;
  ASSERT_THAT(l->sink.resources, SizeIs(1));
  EXPECT_EQ(l->sink.resources[0].valid, l->problems.errors() == 0);
}

TEST(LoaderProblems, NamesUnknownFieldsAndWhatWasMeant) {
  const Case cases[] = {
      {"conect_timeout: 1s",
       {"4:5: error: C: no field \"conect_timeout\" in "
        "envoy.config.cluster.v3.Cluster (did you mean connect_timeout?)"}},
      {"xyzzy: {a: [1, {b: 2}]}\nfoo: 1",
       {"4:5: error: C: no field \"xyzzy\" in envoy.config.cluster.v3.Cluster",
        "5:5: error: C: no field \"foo\" in envoy.config.cluster.v3.Cluster"}},
      {"load_assignment: {cluster_name: c, endpoint: []}",
       {"4:40: error: C.load_assignment: no field \"endpoint\" in "
        "envoy.config.endpoint.v3.ClusterLoadAssignment (did you mean "
        "endpoints?)"}},
      {"<<: {connect_timeout: 1s}",
       {"4:5: error: C: no field \"<<\" in envoy.config.cluster.v3.Cluster "
        "(YAML merge keys are not supported)"}},
      {"tls_context: {}",
       {"4:5: warning: C: \"tls_context\" is the form of Envoy's v2 API; write "
        "transport_socket with an UpstreamTlsContext"}},
      {"filters: [{name: f, config: {a: 1}}]",
       {"4:25: error: C.filters[0]: \"config\" is the form of Envoy's v2 API; "
        "write typed_config with an \"@type\""}},
  };
  for (const Case& c : cases) ExpectProblems(c);
}

TEST(LoaderProblems, UnderstandsTheUsualFieldsOfTheV2Api) {
  const Case cases[] = {
      {"tls_context: {sni: a}\ntransport_socket: {name: x}",
       {"4:5: warning: C: \"tls_context\" is the form of Envoy's v2 API; write "
        "transport_socket with an UpstreamTlsContext",
        "5:5: error: C: \"transport_socket\" stands twice (first on line 4)"}},
      {"tls_context: {sni: a, snj: b}",
       {"4:5: warning: C: \"tls_context\" is the form of Envoy's v2 API; write "
        "transport_socket with an UpstreamTlsContext",
        "4:27: error: C.transport_socket.typed_config: no field \"snj\" in "
        "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext (did you "
        "mean sni?)"}},
      {"tls_context: 5",
       {"4:5: warning: C: \"tls_context\" is the form of Envoy's v2 API; write "
        "transport_socket with an UpstreamTlsContext",
        "4:18: error: C.transport_socket: got 5, want a map"}},
      {"extension_protocol_options: {}",
       {"4:5: warning: C: \"extension_protocol_options\" is the form of "
        "Envoy's v2 API; write typed_extension_protocol_options"}},
      // The name may follow; a type that we do not know stays an error, and
      // nothing else is said about it.
      {"filters: [{config: {}, name: envoy.router}]",
       {"4:16: warning: C.filters[0]: \"config\" is the form of Envoy's v2 "
        "API; write typed_config with the \"@type\" type.googleapis.com/"
        "envoy.extensions.filters.http.router.v3.Router"}},
      {"filters: [{name: envoy.tcp_proxy, config: {stat_prefix: a, clstr: b}}]",
       {"4:39: warning: C.filters[0]: \"config\" is the form of Envoy's v2 "
        "API; write typed_config with the \"@type\" type.googleapis.com/"
        "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
        "4:64: error: C.filters[0].typed_config: no field \"clstr\" in "
        "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy (did you mean "
        "cluster?)"}},
      {"filters: [{name: envoy.router}]",
       {"4:15: warning: C.filters[0]: \"envoy.router\" alone is the form of "
        "Envoy's v2 API; write typed_config with the \"@type\" "
        "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}},
      {"filters: [{name: envoy.router, config: {}, config: {}}]",
       {"4:48: error: C.filters[0]: \"config\" stands twice",
        "4:36: warning: C.filters[0]: \"config\" is the form of Envoy's v2 "
        "API; write typed_config with the \"@type\" type.googleapis.com/"
        "envoy.extensions.filters.http.router.v3.Router"}},
      {"health_checks: [{timeout: 1s, interval: 1s, unhealthy_threshold: 1, "
       "healthy_threshold: 1, http_health_check: {path: /, service_name: x, "
       "use_http2: true}}]",
       {"4:124: warning: C.health_checks[0].http_health_check: "
        "\"service_name\" is the form of Envoy's v2 API; write "
        "service_name_matcher",
        "4:141: error: C.health_checks[0].http_health_check: \"use_http2\" is "
        "the form of Envoy's v2 API; write codec_client_type"}},
  };
  for (const Case& c : cases) ExpectProblems(c);
}

TEST(LoaderProblems, BuildsTodaysMessagesFromTheV2Api) {
  const auto l = LoadYaml(R"(
resources:
- "@type": type.googleapis.com/envoy.config.route.v3.RouteConfiguration
  name: r
  virtual_hosts:
  - name: v
    domains: ["*"]
    cors: {allow_origin: ["*"], enabled: true}
    routes:
    - match:
        regex: /a.*
        headers: [{name: h, regex_match: b+}]
        query_parameters: [{name: q, value: v}]
      route:
        cluster: c
        auto_host_rewrite_header: x-host
        request_mirror_policy: {cluster: m}
- "@type": type.googleapis.com/envoy.api.v2.Listener
  name: l
  filter_chains:
  - tls_context: {require_client_certificate: true}
    filters:
    - name: envoy.http_connection_manager
      config:
        stat_prefix: s
        idle_timeout: 5s
        http_filters: [{name: envoy.router}]
- "@type": type.googleapis.com/envoy.api.v2.Cluster
  name: c
  health_checks:
  - {timeout: 1s, interval: 1s, http_health_check: {path: /, service_name: x}}
)");
  ASSERT_EQ(l->sink.resources.size(), 3u);
  const auto text = [](const google::protobuf::Message& message) {
    std::string out;
    google::protobuf::TextFormat::Printer printer;
    printer.SetSingleLineMode(true);
    printer.PrintToString(message, &out);
    return out;
  };
  const std::string route = text(*l->sink.resources[0].message);
  for (const char* part :
       {"safe_regex { regex: \"/a.*\" }",
        "name: \"h\" string_match { safe_regex { regex: \"b+\" } }",
        "name: \"q\" string_match { exact: \"v\" }",
        "host_rewrite_header: \"x-host\"",
        "request_mirror_policies { cluster: \"m\" }"}) {
    EXPECT_NE(route.find(part), std::string::npos) << part << " in " << route;
  }
  const auto& chain = l->Get<listener::Listener>(1).filter_chains(0);
  const auto& socket = chain.transport_socket();
  EXPECT_EQ(socket.name(), "envoy.transport_sockets.tls");
  EXPECT_THAT(socket.typed_config().type_url(),
              EndsWith("/envoy.extensions.transport_sockets.tls.v3."
                       "DownstreamTlsContext"));
  EXPECT_EQ(socket.typed_config().value(), std::string("\x12\x02\x08\x01", 4));
  hcm::HttpConnectionManager http;
  EXPECT_TRUE(http.ParseFromString(chain.filters(0).typed_config().value()));
  EXPECT_EQ(text(http),
            "stat_prefix: \"s\" http_filters { name: \"envoy.router\" "
            "typed_config { type_url: \"type.googleapis.com/envoy.extensions."
            "filters.http.router.v3.Router\" } } "
            "common_http_protocol_options { idle_timeout { seconds: 5 } } ");
  EXPECT_NE(text(*l->sink.resources[2].message)
                .find("service_name_matcher { prefix: \"x\" }"),
            std::string::npos)
      << text(*l->sink.resources[2].message);
}

TEST(LoaderProblems, NamesWrongValuesWithWhatIsWanted) {
  const Case cases[] = {
      {"connect_timeout: 5",
       {"4:22: error: C.connect_timeout: got 5, want a duration such as "
        "\"0.25s\""}},
      {"eds_cluster_config: {service_name: 15}",
       {"4:40: error: C.eds_cluster_config.service_name: got the number 15, "
        "want a string: write "
        "\"15\""}},
      {"eds_cluster_config: {service_name: yes}",
       {"4:40: error: C.eds_cluster_config.service_name: got the boolean yes, "
        "want a string: "
        "write \"yes\""}},
      {"eds_cluster_config: {service_name: {a: 1}}",
       {"4:40: error: C.eds_cluster_config.service_name: got a map, want a "
        "string"}},
      {"eds_cluster_config: {service_name: [a]}",
       {"4:40: error: C.eds_cluster_config.service_name: got a list, want a "
        "string"}},
      {"respect_dns_ttl: 1",
       {"4:5: warning: C.respect_dns_ttl: \"respect_dns_ttl\" of "
        "envoy.config.cluster.v3.Cluster is deprecated",
        "4:22: error: C.respect_dns_ttl: got 1, want true or false"}},
      {"lb_policy: MAGLEVV",
       {"4:16: error: C.lb_policy: unknown value \"MAGLEVV\" of "
        "envoy.config.cluster.v3.Cluster.LbPolicy (did you mean MAGLEV?), want "
        "one of ROUND_ROBIN, LEAST_REQUEST, RING_HASH, RANDOM, MAGLEV, "
        "CLUSTER_PROVIDED, LOAD_BALANCING_POLICY_CONFIG"}},
      {"health_checks: x",
       {"4:20: warning: C.health_checks: \"health_checks\" is a list; write it "
        "as one",
        "4:20: error: C.health_checks: got \"x\", want a map"}},
      {"health_checks: [null]",
       {"4:21: error: C.health_checks[0]: got null in a list, want a value"}},
      {"metadata: {filter_metadata: [1]}",
       {"4:33: error: C.metadata.filter_metadata: got a list, want a map"}},
      {"per_connection_buffer_limit_bytes: -1",
       {"4:40: error: C.per_connection_buffer_limit_bytes: got -1, want an "
        "integer from 0 to 4294967295"}},
      {"per_connection_buffer_limit_bytes: 5000000000",
       {"4:40: error: C.per_connection_buffer_limit_bytes: got 5000000000, "
        "want an integer from 0 to 4294967295"}},
      {"common_lb_config: {healthy_panic_threshold: {value: .nan}}",
       {"4:57: error: C.common_lb_config.healthy_panic_threshold.value: got "
        "\".nan\", want a number"}},
      {"common_lb_config: {healthy_panic_threshold: {value: 1e999}}",
       {"4:57: error: C.common_lb_config.healthy_panic_threshold.value: got "
        "\"1e999\", want a number below 1.8e308"}},
      {"transport_socket: 5",
       {"4:23: error: C.transport_socket: got 5, want a map"}},
      {"connect_timeout: {seconds: 1, nanos: -1}",
       {"4:22: error: C.connect_timeout: the duration is out of range"}},
  };
  for (const Case& c : cases) ExpectProblems(c);
}

TEST(LoaderProblems, ReportsWhatStandsTwice) {
  const Case cases[] = {
      {"connect_timeout: 1s\nconnect_timeout: 2s",
       {"5:5: error: C: \"connect_timeout\" stands twice (first on line 4)"}},
      {"connect_timeout: 1s\nconnectTimeout: 2s",
       {"5:5: error: C: \"connectTimeout\" stands twice (first on line 4)"}},
      {"metadata: {filter_metadata: {a: {}, a: {}}}",
       {"4:41: error: C.metadata.filter_metadata: \"a\" stands twice"}},
      {"metadata: {filter_metadata: {a: {x: 1, x: 2}}}",
       {"4:44: error: C.metadata.filter_metadata[\"a\"]: \"x\" stands twice"}},
      {"type: EDS\ncluster_type: {name: x}",
       {"5:5: error: C: \"cluster_type\" and \"type\" are both set, want one "
        "of them"}},
      {"ring_hash_lb_config: {}\nmaglev_lb_config: {}",
       {"5:5: error: C: \"maglev_lb_config\" and \"ring_hash_lb_config\" are "
        "both set, want one of them"}},
  };
  for (const Case& c : cases) ExpectProblems(c);
}

TEST(LoaderProblems, SaysWhatItDoesWithUnsupportedFields) {
  const Case cases[] = {
      // Passed over, in the copy of the message and not.
      {"track_timeout_budgets: false\nqueuing_policies: []",
       {"4:5: warning: C.track_timeout_budgets: \"track_timeout_budgets\" of "
        "envoy.config.cluster.v3.Cluster is deprecated",
        "4:5: note: C.track_timeout_budgets: unsupported field ignored: "
        "envoy.config.cluster.v3.Cluster.track_timeout_budgets",
        "5:5: note: C.queuing_policies: unsupported field ignored: "
        "envoy.config.cluster.v3.Cluster.queuing_policies"}},
      {"transport_socket_matcher: {a: 1}",
       {"4:5: error: C.transport_socket_matcher: not supported: connections "
        "would use another transport socket"}},
  };
  for (const Case& c : cases) ExpectProblems(c);
}

// Of messages that a client acts on, what it parses and does not act on.
TEST(LoaderProblems, SaysWhatItDoesNotActOnYet) {
  const auto notes = [](const std::string& text) {
    std::vector<std::string> fields;
    const auto l = LoadYaml(text);
    for (const Problem& problem : l->problems.list()) {
      if (problem.kind != ProblemKind::kUnsupported) continue;
      fields.push_back(problem.path.substr(problem.path.rfind('.') + 1));
    }
    return fields;
  };
  EXPECT_THAT(
      notes("'@type': type.googleapis.com/envoy.config.route.v3."
            "RouteConfiguration\nname: r\ninternal_only_headers: [a]\n"
            "virtual_hosts: [{name: v, domains: ['*'], hedge_policy: {}, "
            "include_request_attempt_count: true, routes: [{match: {prefix: "
            "/}, decorator: {operation: o}, route: {cluster: a, "
            "metadata_match: {}, request_mirror_policies: [{cluster: a}], "
            "hash_policy: [{cookie: {name: n, ttl: 1s}}, {filter_state: {key: "
            "k}}]}}]}]"),
      ElementsAreArray({"internal_only_headers", "hedge_policy", "decorator",
                        "metadata_match", "ttl", "filter_state"}));
  EXPECT_THAT(notes("static_resources: {clusters: [{name: c, "
                    "dns_lookup_family: V4_ONLY, cleanup_interval: 1s}]}"),
              ElementsAreArray({"cleanup_interval"}));
  EXPECT_THAT(
      notes("static_resources: {clusters: [{name: c, common_lb_config: "
            "{update_merge_window: 1s}, circuit_breakers: {thresholds: "
            "[{max_requests: 1, track_remaining: true}]}, "
            "typed_extension_protocol_options: "
            "{envoy.extensions.upstreams.http.v3.HttpProtocolOptions: {'@type':"
            " type.googleapis.com/envoy.extensions.upstreams.http.v3."
            "HttpProtocolOptions, common_http_protocol_options: {idle_timeout: "
            "1s, max_connection_duration: 1s}, explicit_http_config: "
            "{http2_protocol_options: {max_concurrent_streams: 5, "
            "allow_connect: true, connection_keepalive: {interval: 1s, "
            "timeout: 1s, connection_idle_interval: 1s}}}}}}]}"),
      ElementsAreArray({"update_merge_window", "track_remaining",
                        "allow_connect", "connection_idle_interval"}));
  EXPECT_THAT(
      notes("static_resources: {listeners: [{name: l, drain_type: DEFAULT, "
            "address: {socket_address: {address: 0.0.0.0, port_value: 1}}, "
            "filter_chains: [{filters: [{name: h, typed_config: {'@type': "
            "type.googleapis.com/envoy.extensions.filters.network."
            "http_connection_manager.v3.HttpConnectionManager, stat_prefix: x, "
            "codec_type: HTTP2, route_config: {name: r}, http_filters: [{name: "
            "r, typed_config: {'@type': type.googleapis.com/envoy.extensions."
            "filters.http.router.v3.Router, suppress_envoy_headers: "
            "true}}]}}]}]}]}"),
      ElementsAreArray({"drain_type", "codec_type", "suppress_envoy_headers"}));
}

TEST(LoaderProblems, ATunnelThatWouldBeMissingIsRefused) {
  const auto text = [](const char* more) {
    return absl::StrCat(
        "static_resources: {clusters: [{name: c}], listeners: [{name: l, "
        "address: {socket_address: {address: 0.0.0.0, port_value: 1}}, "
        "filter_chains: [{filters: [{name: t, typed_config: {'@type': "
        "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3."
        "TcpProxy, stat_prefix: t, cluster: c",
        more, "}}]}]}]}");
  };
  EXPECT_EQ(LoadYaml(text(""))->problems.errors(), 0u);
  EXPECT_EQ(
      LoadYaml(text(", tunneling_config: {hostname: h}"))->problems.errors(),
      1u);
}

TEST(LoaderProblems, TellsTheSameUnsupportedFieldOnce) {
  std::string text = "static_resources:\n  clusters:\n";
  for (int i = 0; i < 500; ++i) {
    absl::StrAppend(&text, "  - {name: c", i, ", queuing_policies: []}\n");
  }
  const auto l = LoadYaml(text);
  EXPECT_THAT(l->problems.list(), SizeIs(1));
  EXPECT_THAT(l->problems.ToString(), HasSubstr("(500 times)"));
}

TEST(LoaderProblems, ExplainsTypesThatItCannotResolve) {
  const Case cases[] = {
      {"transport_socket: {name: t, typed_config: {a: 1}}",
       {"4:47: error: C.transport_socket.typed_config: no \"@type\", which "
        "says what this is"}},
      {"transport_socket: {name: t, typed_config: {\"@type\": [1], a: 1}}",
       {"4:57: error: C.transport_socket.typed_config: got a list for "
        "\"@type\", want a type URL"}},
      {"transport_socket: {name: t, typed_config: {\"@type\": abc}}",
       {"4:57: error: C.transport_socket.typed_config: \"@type\" is \"abc\", "
        "want a type URL such as type.googleapis.com/abc"}},
      {"filters: [{name: f, typed_config: {\"@type\": "
       "type.googleapis.com/envoy.api.v2.Cluster, name: a}}]",
       {"4:49: warning: C.filters[0].typed_config: type "
        "type.googleapis.com/envoy.api.v2.Cluster is of Envoy's v2 API; write "
        "envoy.config.cluster.v3.Cluster"}},
      {"filters: [{name: f, typed_config: {\"@type\": "
       "type.googleapis.com/envoy.config.filter.http.lua.v2.Lua}}]",
       {"4:49: error: C.filters[0].typed_config: type "
        "type.googleapis.com/envoy.config.filter.http.lua.v2.Lua is not "
        "supported: it is of Envoy's v2 API; write its v3 form"}},
      {"filters: [{name: f, typed_config: {\"@type\": "
       "type.googleapis.com/envoy.config.cluster.v3.Clutser, a: 1}}]",
       {"4:49: error: C.filters[0].typed_config: unknown type "
        "type.googleapis.com/envoy.config.cluster.v3.Clutser (did you mean "
        "envoy.config.cluster.v3.Cluster?)"}},
      {"filters: [{name: f, typed_config: {\"@type\": "
       "type.googleapis.com/google.protobuf.Duration, a: 1, value: x}}]",
       {"4:95: error: C.filters[0].typed_config: key \"a\" beside \"@type\", "
        "want \"value\" only",
        "4:108: error: C.filters[0].typed_config.value: got \"x\", want a "
        "duration such as \"0.25s\""}},
  };
  for (const Case& c : cases) ExpectProblems(c);
}

TEST(LoaderProblems, ChecksTheValidateRulesWithTheirLines) {
  const auto l = LoadYaml(R"(static_resources:
  clusters:
  - connect_timeout: 0s
    maglev_lb_config:
      table_size: 9000011
    load_assignment:
      endpoints:
      - priority: 500
)");
  ASSERT_THAT(l->sink.resources, SizeIs(1));
  EXPECT_FALSE(l->sink.resources[0].valid);
  const std::string text = l->problems.ToString();
  EXPECT_THAT(text, HasSubstr("f.yaml:3:5: error: "
                              "static_resources.clusters[0].name: "));
  EXPECT_THAT(text, HasSubstr("f.yaml:3:5: error: "
                              "static_resources.clusters[0].connect_timeout"));
  EXPECT_THAT(text, HasSubstr("f.yaml:5:7: error: static_resources.clusters[0]."
                              "maglev_lb_config.table_size"));
  EXPECT_THAT(text, HasSubstr("f.yaml:8:9: error: static_resources.clusters[0]."
                              "load_assignment.endpoints[0].priority"));
}

TEST(LoaderProblems, DoesNotCallMissingWhatWasWrong) {
  // The rules want one of match's fields; there was one, but a wrong one.
  const auto l = LoadYaml(R"(
"@type": type.googleapis.com/envoy.config.route.v3.RouteConfiguration
name: r
virtual_hosts:
- name: v
  domains: ["*"]
  routes:
  - match: {prefixx: /}
    route: {cluster: c}
)");
  EXPECT_THAT(l->Lines(),
              ElementsAre("8:13: error: virtual_hosts[0].routes[0].match: no "
                          "field \"prefixx\" in envoy.config.route.v3."
                          "RouteMatch (did you mean prefix?)"));
}

TEST(LoaderProblems, ReportsEverythingInOneRun) {
  const auto l = LoadYaml(R"(nodee: {id: x}
static_resources:
  clusters:
  - name: a
    lb_policy: X
  - name: b
    foo: 1
  listeners:
  - name: l
    address: 5
admin: 7
)");
  EXPECT_THAT(l->Lines(),
              ElementsAre(HasSubstr("1:1: error: no field \"nodee\""),
                          HasSubstr("5:16: error: static_resources.clusters[0]."
                                    "lb_policy: "),
                          HasSubstr("7:5: error: static_resources.clusters[1]"),
                          HasSubstr("10:14: error: static_resources.listeners"
                                    "[0].address: got 5"),
                          HasSubstr("11:1: note: admin: unsupported field"),
                          "11:8: error: admin: got 7, want a map"));
}

TEST(LoaderProblems, ExplainsDocumentsOfNoKnownForm) {
  struct {
    const char* text;
    const char* problem;
  } kCases[] = {
      {"", "error: the file is empty"},
      {"\xef\xbb\xbf \r\n", "error: the file is empty"},
      {"# nothing\n---\n", "error: the file is empty"},
      {"hello\n", "1:1: error: got \"hello\", want a map or a list"},
      {"name: c\ntype: EDS\n", "1:1: error: no \"@type\", which says"},
      {"static_resource: {}\n",
       "1:1: error: no field \"static_resource\" in envoy.config.bootstrap.v3."
       "Bootstrap (did you mean static_resources?)"},
      {"- 5\n", "1:3: error: [0]: got 5, want a map"},
      {"- {name: x}\n", "1:3: error: [0]: no \"@type\", which says"},
      {"resources: {}\n", "1:12: error: resources: got a map, want a list"},
      {"resources: []\nfoo: 1\n",
       "2:1: error: unknown key \"foo\" beside \"resources\""},
      {"envoy: {config: 5}\n", "1:17: error: envoy.config: got 5, want a map"},
      {"envoy: [1]\n", "1:8: error: envoy: got a list, want a map"},
      {"envoy: {static: {a: 1}}\n",
       "1:9: error: envoy: unknown key \"static\", want \"config\""},
      {"static_resources: {clusters: {name: c}}\n",
       "error: static_resources.clusters: "},
      {"\"@type\": type.googleapis.com/envoy.config.cluster.v3.Clutser\n",
       "(did you mean envoy.config.cluster.v3.Cluster?)"},
      {"{\"@type\": type.googleapis.com/acme.Thing, a: [1]}\n",
       "1:11: warning: extension type.googleapis.com/acme.Thing is not "
       "supported"},
      {"{\"@type\": type.googleapis.com/google.protobuf.Duration, value: 1s}\n",
       "1:11: error: type.googleapis.com/google.protobuf.Duration is not a "
       "resource"},
      {"a: \"\x01\"\n", "1:5: error: control character 0x01"},
      {"a: x\nb: \xff\n", "2:4: error: byte 0xff is not valid UTF-8"},
      {"\xff\xfe"
       "a",
       "1:1: error: the text is UTF-16; want UTF-8"},
  };
  for (const auto& c : kCases) {
    const auto l = LoadYaml(c.text);
    ASSERT_THAT(l->Lines(), ::testing::Not(IsEmpty())) << c.text;
    EXPECT_THAT(l->Lines().back(), HasSubstr(c.problem)) << c.text;
  }
  EXPECT_THAT(LoadYaml(std::string("a: \0", 4))->Lines(),
              ElementsAre(HasSubstr("1:4: error: control character 0x00")));
}

TEST(LoaderProblems, ABootstrapWithANodeIsNoNamelessResource) {
  EXPECT_THAT(LoadYaml("name: c\nnode: {id: x}\n")->Lines(),
              ElementsAre(HasSubstr("no field \"name\" in envoy.config."
                                    "bootstrap.v3.Bootstrap")));
}

TEST(LoaderProblems, ABrokenFileIsNotEmptyToo) {
  EXPECT_THAT(LoadYaml("\"a")->Lines(), SizeIs(1));
  EXPECT_THAT(LoadJson("{")->Lines(), SizeIs(1));
}

TEST(LoaderProblems, OfTwoListsOfResourcesTheFirstIsRead) {
  const auto l = LoadYaml(
      "resources: [{\"@type\": type.googleapis.com/envoy.config.cluster.v3."
      "Cluster, name: a}]\n"
      "resources: [{\"@type\": type.googleapis.com/envoy.config.cluster.v3."
      "Cluster, name: b}]\n");
  EXPECT_THAT(l->Lines(), ElementsAre(HasSubstr("stands twice")));
  EXPECT_THAT(l->sink.resources, SizeIs(1));
}

TEST(LoaderProblems, BoundsDepth) {
  std::string deep = "1";
  for (int i = 0; i < 60; ++i) deep = absl::StrCat("{a: ", deep, "}");
  const auto l = LoadYaml(absl::StrCat(
      "static_resources: {clusters: [{name: c, metadata: {filter_metadata: "
      "{a: ",
      deep, "}}}]}"));
  EXPECT_THAT(l->Lines(),
              ElementsAre(HasSubstr("free-form data nested deeper than 30")));
  // A filter in a filter in a filter.
  std::string any = "{\"@type\": type.googleapis.com/google.protobuf.Any}";
  for (int i = 0; i < 40; ++i) {
    any = absl::StrCat(
        "{\"@type\": type.googleapis.com/google.protobuf.Any, value: ", any,
        "}");
  }
  const auto n = LoadYaml(absl::StrCat(
      "static_resources: {clusters: [{name: c, filters: [{name: f, "
      "typed_config: ",
      any, "}]}]}"));
  EXPECT_THAT(n->problems.ToString(), HasSubstr("Any nested deeper than 16"));
}

TEST(LoaderProblems, BoundsTheirNumber) {
  std::string text = "static_resources:\n  clusters:\n";
  for (int i = 0; i < 3000; ++i) text += "  - foo\n";
  const auto l = LoadYaml(text);
  EXPECT_THAT(l->problems.list(), SizeIs(1000));
  EXPECT_EQ(l->problems.errors(), 3000u);
  EXPECT_THAT(l->problems.ToString(), HasSubstr("... and 2000 more\n"));
}

TEST(LoaderProblems, CutsLongNames) {
  const std::string name(1 << 20, 'x');
  const auto l = LoadYaml(absl::StrCat("static_resources: {clusters: [{",
                                       name.substr(0, 1000), ": 1, name: \"",
                                       name, "\"}, {name: \"", name, "\"}]}"));
  ASSERT_THAT(l->problems.list(), SizeIs(2));
  EXPECT_LT(l->problems.ToString().size(), 1000u);
}

// The field order of the text does not matter to the meaning.
TEST(LoaderProblems, TakesAMegabyteBeforeTheType) {
  std::string text = "{\"endpoints\": [";
  for (int i = 0; i < 20000; ++i) {
    absl::StrAppend(&text, i ? "," : "", "{\"priority\": 1}");
  }
  text +=
      "], \"cluster_name\": \"a\", \"@type\": \"type.googleapis.com/"
      "envoy.config.endpoint.v3.ClusterLoadAssignment\"}";
  const auto l = LoadJson(text);
  EXPECT_THAT(l->Lines(), IsEmpty());
  EXPECT_THAT(l->sink.resources, SizeIs(1));
}

}  // namespace
}  // namespace meshlib::xds
