#include "xds/convert_endpoints.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "test/xds/convert_harness.h"

namespace meshlib::xds {
namespace {

using ::testing::HasSubstr;

TEST(ConvertEndpoints, AddressesAreWrittenAsEnvoyPrintsThem) {
  const struct {
    const char* text;
    const char* want;
  } cases[] = {
      {"10.0.0.1", "10.0.0.1"},
      {"::1", "[::1]"},
      {"2001:DB8:0:0:0:0:0:1", "[2001:db8::1]"},
      {"::ffff:1.2.3.4", "[::ffff:1.2.3.4]"},
      {"fe80::1%eth0", "[fe80::1%eth0]"},
      {"fe80::1%", ""},
      {"127.0.0.01", ""},
      {"1.2.3", ""},
      {"[::1]", ""},
      {"example.com", ""},
      {"", ""},
  };
  for (const auto& c : cases) EXPECT_EQ(CanonicalIp(c.text), c.want) << c.text;
  EXPECT_EQ(CanonicalIp(std::string("10.0.0.1\0x", 10)), "");
}

model::Endpoints LoadedEndpoints(const std::string& fields) {
  const auto config = Loaded(
      "\"@type\": "
      "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment\n"
      "cluster_name: c\n" +
      fields);
  return config->endpoints.empty() ? model::Endpoints()
                                   : *config->endpoints.front();
}

TEST(ConvertEndpoints, AssignmentKeepsEverythingThatBalancingReads) {
  const model::Endpoints e = LoadedEndpoints(R"(
endpoints:
- locality: {region: r, zone: z, sub_zone: s}
  priority: 2
  load_balancing_weight: 7
  lb_endpoints:
  - endpoint:
      address: {socket_address: {address: 10.0.0.1, port_value: 80}}
      hostname: h
      additional_addresses:
      - address: {socket_address: {address: "::1", port_value: 80}}
    health_status: DEGRADED
    load_balancing_weight: 3
    metadata: {filter_metadata: {envoy.lb: {canary: true}}}
  - endpoint: {address: {pipe: {path: /tmp/s}}}
policy:
  overprovisioning_factor: 120
  weighted_priority_health: true
  drop_overloads:
  - {category: x, drop_percentage: {numerator: 5, denominator: TEN_THOUSAND}}
)");
  ASSERT_EQ(e.localities.size(), 1u);
  const model::LocalityEndpoints& l = e.localities[0];
  EXPECT_EQ(l.locality, (model::Locality{"r", "z", "s"}));
  EXPECT_EQ(l.priority, 2u);
  EXPECT_EQ(l.weight, 7u);
  ASSERT_EQ(l.endpoints.size(), 2u);
  EXPECT_EQ(l.endpoints[0].address, "10.0.0.1:80");
  EXPECT_EQ(l.endpoints[0].hostname, "h");
  EXPECT_THAT(l.endpoints[0].additional_addresses,
              ::testing::ElementsAre("[::1]:80"));
  EXPECT_EQ(l.endpoints[0].health, model::HealthStatus::kDegraded);
  EXPECT_EQ(l.endpoints[0].weight, 3u);
  ASSERT_NE(l.endpoints[0].metadata, nullptr);
  const model::Value* canary =
      l.endpoints[0].metadata->Find("envoy.lb", {"canary"});
  ASSERT_NE(canary, nullptr);
  EXPECT_TRUE(canary->boolean);
  EXPECT_EQ(l.endpoints[1].address, "unix:/tmp/s");
  EXPECT_EQ(l.endpoints[1].weight, 1u);
  EXPECT_EQ(e.overprovisioning_factor, 120u);
  EXPECT_TRUE(e.weighted_priority_health);
  ASSERT_EQ(e.drops.size(), 1u);
  EXPECT_EQ(e.drops[0].parts_per_million, 500u);
}

TEST(ConvertEndpoints, HostsOfDnsClustersAreCalledByTheirNames) {
  const auto c = LoadedCluster(
      "type: STRICT_DNS, load_assignment: {cluster_name: c, endpoints: "
      "[{lb_endpoints: [{endpoint: {address: {socket_address: {address: "
      "a.example, port_value: 80}}}}]}]}");
  const model::Endpoint& e = c.endpoints->localities.at(0).endpoints.at(0);
  EXPECT_EQ(e.address, "a.example:80");
  EXPECT_EQ(e.hostname, "a.example");
}

TEST(ConvertEndpoints, AHostnameThatIsGivenStays) {
  const auto c = LoadedCluster(
      "type: STRICT_DNS, load_assignment: {cluster_name: c, endpoints: "
      "[{lb_endpoints: [{endpoint: {hostname: h, address: {socket_address: "
      "{address: a.example, port_value: 80}}}}]}]}");
  EXPECT_EQ(c.endpoints->localities.at(0).endpoints.at(0).hostname, "h");
}

TEST(ConvertEndpoints, PathsOfPipesFitTheirAddress) {
  const auto problems = [](const std::string& path) {
    return ProblemsOf(ClusterYaml(
        "type: STATIC, load_assignment: {cluster_name: c, endpoints: "
        "[{lb_endpoints: [{endpoint: {address: {pipe: {path: '" +
        path + "'}}}}]}]}"));
  };
  EXPECT_EQ(problems("/" + std::string(106, 'a')), "");
  EXPECT_THAT(problems("/" + std::string(107, 'a')),
              HasSubstr("is 108 bytes long, want at most 107"));
  EXPECT_EQ(problems("@" + std::string(107, 'a')), "");
  EXPECT_THAT(problems("@" + std::string(108, 'a')),
              HasSubstr("is 109 bytes long, want at most 108"));
}

TEST(ConvertEndpoints, AllRequestsMayBeDroppedAndNoMore) {
  const std::string head =
      "policy: {drop_overloads: [{category: x, drop_percentage: {numerator: ";
  EXPECT_EQ(LoadedEndpoints(head + "100}}]}\n").drops.at(0).parts_per_million,
            1000000u);
  EXPECT_THAT(
      ProblemsOf(ClusterYaml("type: STATIC, load_assignment: {cluster_name: "
                             "c, " +
                             head + "101}}]}}")),
      HasSubstr("is more than all requests"));
}

TEST(ConvertEndpoints, NamesInStaticClustersSayWhatToDo) {
  const std::string problems = ProblemsOf(ClusterYaml(
      "type: STATIC, load_assignment: {cluster_name: c, endpoints: "
      "[{lb_endpoints: [{endpoint: {address: {socket_address: {address: "
      "a.example, port_value: 80}}}}]}]}"));
  EXPECT_THAT(problems, HasSubstr("lb_endpoints[0].endpoint.address."
                                  "socket_address.address: malformed IP "
                                  "address: \"a.example\""));
  EXPECT_THAT(problems, HasSubstr("STRICT_DNS"));
}

}  // namespace
}  // namespace meshlib::xds
