// The forms that a configuration may have.
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "meshlib/xds/envoy/config/cluster/v3/cluster.pb.h"
#include "meshlib/xds/envoy/config/endpoint/v3/endpoint.pb.h"
#include "meshlib/xds/envoy/config/listener/v3/listener.pb.h"
#include "meshlib/xds/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"
#include "meshlib/xds/envoy/service/runtime/v3/rtds.pb.h"
#include "test/xds/loader_harness.h"

namespace meshlib::xds {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
namespace cluster = ::meshlib::xds::envoy::config::cluster::v3;
namespace endpoint = ::meshlib::xds::envoy::config::endpoint::v3;
namespace listener = ::meshlib::xds::envoy::config::listener::v3;
namespace hcm = ::meshlib::xds::envoy::extensions::filters::network::
    http_connection_manager::v3;

constexpr char kEndpoints[] =
    "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment";

TEST(LoaderDocuments, ReadsABootstrapAndStreamsItsResources) {
  const auto l = LoadYaml(R"(
node: {id: n1, cluster: c, locality: {region: r, zone: z}}
static_resources:
  clusters:
  - name: a
    connect_timeout: 0.25s
    type: STATIC
    lbPolicy: MAGLEV
    load_assignment:
      cluster_name: a
      endpoints:
      - lb_endpoints:
        - endpoint: {address: {socket_address: {address: 10.0.0.1, port_value: 80}}}
          load_balancing_weight: 3
  - name: b
cluster_manager: {local_cluster_name: b}
)");
  EXPECT_THAT(l->Lines(), IsEmpty());
  ASSERT_THAT(l->sink.resources, SizeIs(2));
  const auto& a = l->Get<cluster::Cluster>(0);
  EXPECT_EQ(a.name(), "a");
  EXPECT_EQ(a.connect_timeout().nanos(), 250000000);
  EXPECT_EQ(a.lb_policy(), cluster::Cluster::MAGLEV);
  const auto& host = a.load_assignment().endpoints(0).lb_endpoints(0);
  EXPECT_EQ(host.endpoint().address().socket_address().port_value(), 80u);
  EXPECT_EQ(host.load_balancing_weight().value(), 3u);
  EXPECT_EQ(l->sink.resources[0].path, "static_resources.clusters[0]");
  EXPECT_EQ(l->sink.resources[0].line, 5);
  EXPECT_EQ(l->sink.resources[1].path, "static_resources.clusters[1]");
  ASSERT_THAT(l->sink.bootstraps, SizeIs(1));
  const auto& bootstrap = l->sink.bootstraps[0];
  EXPECT_EQ(bootstrap.node().locality().zone(), "z");
  EXPECT_EQ(bootstrap.cluster_manager().local_cluster_name(), "b");
  EXPECT_EQ(bootstrap.static_resources().clusters_size(), 0);
}

TEST(LoaderDocuments, ReadsResourcesInSeveralDocuments) {
  const auto l = LoadYaml(absl::StrCat(
      "\"@type\": ", kEndpoints, "\ncluster_name: a\n---\ncluster_name: b\n",
      "endpoints: [{priority: 1}]\n\"@type\": ", kEndpoints, "\n---\n"));
  EXPECT_THAT(l->Lines(), IsEmpty());
  ASSERT_THAT(l->sink.resources, SizeIs(2));
  EXPECT_EQ(l->Get<endpoint::ClusterLoadAssignment>(0).cluster_name(), "a");
  // The type may stand anywhere.
  const auto& b = l->Get<endpoint::ClusterLoadAssignment>(1);
  EXPECT_EQ(b.cluster_name(), "b");
  EXPECT_EQ(b.endpoints(0).priority(), 1u);
  EXPECT_EQ(l->sink.resources[1].line, 4);
}

TEST(LoaderDocuments, ReadsListsOfResources) {
  const std::string one =
      absl::StrCat(R"({"@type": ")", kEndpoints, R"(", "cluster_name": "a"})");
  const std::string two =
      absl::StrCat(R"({"cluster_name": "b", "@type": ")", kEndpoints, R"("})");
  struct {
    std::string text;
    std::string path;
  } cases[] = {
      {absl::StrCat("[", one, ",", two, "]"), "[1]"},
      {absl::StrCat(R"({"resources": [)", one, ",", two, "]}"), "resources[1]"},
      {absl::StrCat(R"({"version_info": "1", "resources": [)", one, ",", two,
                    R"(], "type_url": "x"})"),
       "resources[1]"},
  };
  for (const auto& c : cases) {
    for (const bool json : {true, false}) {
      const auto l = json ? LoadJson(c.text) : LoadYaml(c.text);
      EXPECT_THAT(l->Lines(), IsEmpty()) << c.text;
      ASSERT_THAT(l->sink.resources, SizeIs(2)) << c.text;
      EXPECT_EQ(l->sink.resources[1].path, c.path);
      EXPECT_EQ(l->Get<endpoint::ClusterLoadAssignment>(1).cluster_name(), "b");
    }
  }
}

TEST(LoaderDocuments, TakesTheTutorialFormOfOldEnvoyWithWarnings) {
  const auto l = LoadYaml(R"(
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
  EXPECT_EQ(l->problems.errors(), 0u);
  EXPECT_THAT(
      l->Lines(),
      ElementsAre(
          "3:3: warning: envoy.config: this is the form of old Envoy "
          "tutorials; write static_resources (static_resources.clusters, "
          "static_resources.listeners)",
          "5:7: warning: envoy.config.listeners[0]: the listener has no "
          "filter_chains and serves nothing",
          "11:7: warning: envoy.config.clusters[0].hosts: \"hosts\" is the "
          "form of Envoy's v2 API; write "
          "static_resources.clusters[0].load_assignment.endpoints[0]."
          "lb_endpoints"));
  ASSERT_THAT(l->sink.resources, SizeIs(2));
  EXPECT_TRUE(l->sink.resources[0].legacy);
  EXPECT_TRUE(l->sink.resources[1].valid);
  const auto& c = l->Get<cluster::Cluster>(1);
  EXPECT_EQ(c.name(), "cluster_0");
  EXPECT_EQ(c.type(), cluster::Cluster::STATIC);
  EXPECT_EQ(c.load_assignment().cluster_name(), "cluster_0");
  const auto& address = c.load_assignment()
                            .endpoints(0)
                            .lb_endpoints(0)
                            .endpoint()
                            .address()
                            .socket_address();
  EXPECT_EQ(address.address(), "127.0.0.1");
  EXPECT_EQ(address.port_value(), 8080u);
}

TEST(LoaderDocuments, TakesHostsInTodaysBootstrap) {
  const auto l = LoadYaml(R"(
static_resources:
  clusters:
  - hosts:
    - socket_address: {address: 127.0.0.1, port_value: 8080}
    - socket_address: {address: 127.0.0.2, port_value: 808000}
    name: a
)");
  EXPECT_THAT(
      l->Lines(),
      ElementsAre(
          HasSubstr("4:5: warning: static_resources.clusters[0].hosts: "),
          HasSubstr("6:44: error: static_resources.clusters[0]."
                    "load_assignment.endpoints[0].lb_endpoints[1].endpoint."
                    "address.socket_address.port_value: ")));
  const auto& a = l->Get<cluster::Cluster>(0);
  EXPECT_EQ(a.load_assignment().cluster_name(), "a");
  EXPECT_EQ(a.load_assignment().endpoints(0).lb_endpoints_size(), 2);
}

TEST(LoaderDocuments, BuildsWhatAnAnyHolds) {
  const auto l = LoadYaml(R"(
"@type": type.googleapis.com/envoy.config.listener.v3.Listener
name: l
api_listener:
  api_listener:
    stat_prefix: p
    http_filters: []
    "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
    route_config:
      virtual_hosts:
      - name: v
        domains: ["*"]
        typed_per_filter_config:
          x: {"@type": type.googleapis.com/google.protobuf.Duration, value: 1.5s}
)");
  EXPECT_THAT(l->Lines(), IsEmpty());
  const auto& any = l->Get<listener::Listener>(0).api_listener().api_listener();
  EXPECT_EQ(any.type_url(),
            "type.googleapis.com/envoy.extensions.filters.network."
            "http_connection_manager.v3.HttpConnectionManager");
  hcm::HttpConnectionManager manager;
  ASSERT_TRUE(manager.ParseFromString(any.value()));
  EXPECT_EQ(manager.stat_prefix(), "p");
  const auto& inner =
      manager.route_config().virtual_hosts(0).typed_per_filter_config().at("x");
  EXPECT_EQ(inner.type_url(), "type.googleapis.com/google.protobuf.Duration");
  google::protobuf::Duration duration;
  ASSERT_TRUE(duration.ParseFromString(inner.value()));
  EXPECT_EQ(duration.nanos(), 500000000);
}

TEST(LoaderDocuments, KeepsExtensionsThatItDoesNotKnow) {
  const auto l = LoadYaml(R"(
"@type": type.googleapis.com/envoy.config.cluster.v3.Cluster
name: c
filters:
- name: f
  typed_config:
    "@type": type.googleapis.com/acme.Filter
    list: [1, x, {a: null}]
)");
  EXPECT_THAT(l->Lines(),
              ElementsAre("7:14: note: filters[0].typed_config: extension "
                          "type.googleapis.com/acme.Filter is not supported"));
  const auto& any = l->Get<cluster::Cluster>(0).filters(0).typed_config();
  EXPECT_EQ(any.type_url(), "type.googleapis.com/xds.type.v3.TypedStruct");
  EXPECT_THAT(any.value(), HasSubstr("type.googleapis.com/acme.Filter"));
  EXPECT_TRUE(l->sink.resources[0].valid);
}

TEST(LoaderDocuments, ReadsFreeFormDataAsEnvoyDoes) {
  const std::string text = R"({envoy.lb: {f: 1.5, q: "1.5", i: 15,
    big: 15000000000, y: yes, n: null, hex: 0x10, s: abc, l: [1, a]}})";
  const auto l = LoadYaml(absl::StrCat(
      "static_resources: {clusters: [{name: c, metadata: {filter_metadata: ",
      text, "}}]}"));
  EXPECT_THAT(l->Lines(), IsEmpty());
  const auto& fields = l->Get<cluster::Cluster>(0)
                           .metadata()
                           .filter_metadata()
                           .at("envoy.lb")
                           .fields();
  EXPECT_EQ(fields.at("f").string_value(), "1.5");
  EXPECT_EQ(fields.at("q").string_value(), "1.5");
  EXPECT_EQ(fields.at("i").number_value(), 15);
  EXPECT_EQ(fields.at("big").string_value(), "15000000000");
  EXPECT_TRUE(fields.at("y").bool_value());
  EXPECT_TRUE(fields.at("n").has_null_value());
  EXPECT_EQ(fields.at("hex").number_value(), 16);
  EXPECT_EQ(fields.at("s").string_value(), "abc");
  EXPECT_EQ(fields.at("l").list_value().values(1).string_value(), "a");
  const auto j = LoadJson(
      R"({"static_resources": {"clusters": [{"name": "c", "metadata":
      {"filter_metadata": {"x": {"f": 1.5, "big": 15000000000}}}}]}})");
  const auto& numbers =
      j->Get<cluster::Cluster>(0).metadata().filter_metadata().at("x").fields();
  EXPECT_EQ(numbers.at("f").number_value(), 1.5);
  EXPECT_EQ(numbers.at("big").number_value(), 15000000000);
}

TEST(LoaderDocuments, TakesWhatEnvoyTakes) {
  const auto l = LoadYaml(R"(
static_resources:
  clusters:
  - name: a
    connect_timeout: {seconds: 1, nanos: 5}
    lb_policy: 2
    per_connection_buffer_limit_bytes: "1e3"
    max_requests_per_connection: {value: 7}
    respect_dns_ttl: "true"
    health_checks: null
    alt_stat_name: ~
    !ignore anything: {goes: [here]}
)");
  EXPECT_EQ(l->problems.errors(), 0u) << l->problems.ToString();
  const auto& a = l->Get<cluster::Cluster>(0);
  EXPECT_EQ(a.connect_timeout().nanos(), 5);
  EXPECT_EQ(a.lb_policy(), cluster::Cluster::RING_HASH);
  EXPECT_EQ(a.per_connection_buffer_limit_bytes().value(), 1000u);
  EXPECT_EQ(a.max_requests_per_connection().value(), 7u);
  EXPECT_TRUE(a.respect_dns_ttl());
}

TEST(LoaderDocuments, WarnsOfLooseFormsThatEnvoyTakes) {
  const auto l = LoadYaml(R"(
static_resources:
  clusters:
  - name: a
    lb_policy: random
    dns_resolvers: {socket_address: {address: 1.1.1.1, port_value: 53}}
)");
  EXPECT_EQ(l->problems.errors(), 0u) << l->problems.ToString();
  EXPECT_THAT(l->problems.ToString(), HasSubstr("write RANDOM for \"random\""));
  EXPECT_THAT(l->problems.ToString(),
              HasSubstr("\"dns_resolvers\" is a list; write it as one"));
  EXPECT_EQ(l->Get<cluster::Cluster>(0).dns_resolvers_size(), 1);
}

TEST(LoaderDocuments, ReadsGrpcsBootstrap) {
  const auto l = LoadJson(R"({
  "node": {"id": "n", "cluster": "c", "locality": {"zone": "z"},
           "metadata": {"a": 1}},
  "xds_servers": [{"server_uri": "a:1",
    "channel_creds": [{"type": "tls", "config": {"ca_certificate_file": "f"}},
                      {"type": "insecure"}],
    "server_features": ["xds_v3", 5]}],
  "certificate_providers": {"default": {"plugin_name": "file_watcher",
                                        "config": {"certificate_file": "c"}}},
  "authorities": {"x.example": {"client_listener_resource_name_template":
    "xdstp://x.example/envoy.config.listener.v3.Listener/%s"}},
  "client_default_listener_resource_name_template": "t/%s",
  "server_listener_resource_name_template": "s/%s",
  "future": true
})");
  EXPECT_THAT(l->Lines(),
              ElementsAre("14:3: note: future: unknown key \"future\" ignored, "
                          "as gRPC does"));
  ASSERT_THAT(l->sink.grpc_bootstraps, SizeIs(1));
  const GrpcBootstrap& b = l->sink.grpc_bootstraps[0];
  ASSERT_THAT(b.xds_servers, SizeIs(1));
  EXPECT_EQ(b.xds_servers[0].server_uri, "a:1");
  ASSERT_THAT(b.xds_servers[0].channel_creds, SizeIs(2));
  EXPECT_EQ(b.xds_servers[0].channel_creds[0].config_json,
            "{\"ca_certificate_file\":\"f\"}");
  EXPECT_EQ(b.xds_servers[0].channel_creds[1].config_json, "{}");
  EXPECT_THAT(b.xds_servers[0].server_features, ElementsAre("xds_v3"));
  EXPECT_EQ(b.node.zone, "z");
  EXPECT_EQ(b.node.metadata.fields().at("a").number_value(), 1);
  EXPECT_EQ(b.certificate_providers.at(0).plugin_name, "file_watcher");
  EXPECT_EQ(b.authorities.at(0).name, "x.example");
  EXPECT_EQ(b.client_default_listener_resource_name_template, "t/%s");
  EXPECT_EQ(b.server_listener_resource_name_template, "s/%s");
}

TEST(LoaderDocuments, WantsAGrpcCredentialOfAKnownType) {
  const auto l = LoadJson(R"({"xds_servers": [
    {"server_uri": "a", "channel_creds": [{"type": "x"}, {"type": "y"}]},
    {"server_uri": "b", "channel_creds": [{"type": "x"}, {"type": "tls"}]}
]})");
  EXPECT_THAT(l->Lines(),
              ElementsAre("2:25: error: xds_servers[0].channel_creds: has no "
                          "known type, want google_default, insecure or tls"));
}

TEST(LoaderDocuments, ReportsEveryProblemOfGrpcsBootstrap) {
  const auto l = LoadJson(R"({
  "xds_servers": [
    {"server_uri": 5, "channel_creds": [{"config": {}}]},
    {"channel_creds": []},
    7
  ],
  "node": [],
  "authorities": {"x.example": {
    "client_listener_resource_name_template": "xdstp://y/z"}}
})");
  l->problems.Sort();
  EXPECT_THAT(
      l->Lines(),
      ElementsAre("3:6: error: xds_servers[0].server_uri: got a number, want a "
                  "string",
                  "3:41: error: xds_servers[0].channel_creds[0]: no \"type\"",
                  "4:5: error: xds_servers[1]: no \"server_uri\"",
                  "4:5: error: xds_servers[1]: no \"channel_creds\", want at "
                  "least one",
                  "5:5: error: xds_servers[2]: got a number, want a map",
                  "7:3: error: node: got a list, want a map",
                  "9:5: error: authorities[\"x.example\"]."
                  "client_listener_resource_name_template: got \"xdstp://y/z\","
                  " want it to begin with xdstp://x.example/"));
  EXPECT_THAT(l->sink.grpc_bootstraps, IsEmpty());
}

TEST(LoaderDocuments, ReportsResourcesOfOneNameWithBothPlaces) {
  const auto l = LoadYaml(absl::StrCat(
      "static_resources: {clusters: [\n{name: a},\n{name: b},\n{name: a}]}\n",
      "---\n\"@type\": ", kEndpoints, "\ncluster_name: a\n"));
  EXPECT_THAT(l->Lines(),
              ElementsAre("4:2: error: static_resources.clusters[2].name: "
                          "duplicate Cluster \"a\"; the first is in f.yaml:2"));
  EXPECT_THAT(l->sink.resources, SizeIs(4));
  EXPECT_FALSE(l->sink.resources[2].valid);
}

TEST(LoaderDocuments, LaterChecksFindTheirLines) {
  class Checker : public Collector {
   public:
    void OnResource(const ::google::protobuf::Message& resource,
                    const ResourceContext& context) override {
      context.Report(Severity::kError, "metadata.filter_metadata[\"envoy.lb\"]",
                     "m1");
      context.Report(Severity::kWarning, "load_assignment.endpoints[1].nope",
                     "m2");
      context.Report(Severity::kNote, "", "m3");
    }
  };
  Checker checker;
  Problems problems;
  Loader loader(checker, problems);
  loader.LoadText("f.yaml", R"(static_resources:
  clusters:
  - name: a
    load_assignment:
      endpoints:
      - priority: 0
      - priority: 1
      cluster_name: a
    metadata:
      filter_metadata:
        envoy.lb: {}
)");
  EXPECT_EQ(problems.ToString(),
            "f.yaml:11:9: error: static_resources.clusters[0].metadata."
            "filter_metadata[\"envoy.lb\"]: m1\n"
            "f.yaml:7:9: warning: static_resources.clusters[0]."
            "load_assignment.endpoints[1].nope: m2\n"
            "f.yaml:3:5: note: static_resources.clusters[0]: m3\n");
}

TEST(LoaderDocuments, TakesTheResourcesOfADeltaResponse) {
  const auto l = LoadYaml(R"(
system_version_info: "1"
type_url: type.googleapis.com/envoy.config.cluster.v3.Cluster
removed_resources: [x]
resources:
- name: a
  version: "1"
  resource:
    name: a
    "@type": type.googleapis.com/envoy.config.cluster.v3.Cluster
- resource:
    "@type": type.googleapis.com/envoy.config.cluster.v3.Cluster
    name: b
    connect_timeut: 1s
  version: "1"
- {name: c, version: "1", resource: {name: c}}
- {name: d, version: "1", resource: 5}
- {name: e, version: "1"}
)");
  EXPECT_THAT(
      l->Lines(),
      ElementsAre("14:5: error: resources[1]: no field \"connect_timeut\" in "
                  "envoy.config.cluster.v3.Cluster (did you mean "
                  "connect_timeout?)",
                  "16:3: error: resources[2]: no \"@type\", which says what "
                  "this is",
                  "17:3: error: resources[3]: no \"@type\", which says what "
                  "this is",
                  "18:3: error: resources[4]: no \"@type\", which says what "
                  "this is"));
  ASSERT_THAT(l->sink.resources, SizeIs(2));
  EXPECT_EQ(l->Get<cluster::Cluster>(0).name(), "a");
  EXPECT_TRUE(l->sink.resources[0].valid);
  EXPECT_EQ(l->Get<cluster::Cluster>(1).name(), "b");
  EXPECT_FALSE(l->sink.resources[1].valid);
}

}  // namespace
}  // namespace meshlib::xds
