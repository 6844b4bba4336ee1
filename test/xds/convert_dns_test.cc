#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "test/xds/convert_harness.h"

namespace meshlib::xds {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kCares[] =
    "typed_dns_resolver_config: {name: r, typed_config: {'@type': "
    "type.googleapis.com/envoy.extensions.network.dns_resolver.cares.v3."
    "CaresDnsResolverConfig";

std::string Cares(const std::string& fields) {
  return std::string(kCares) + fields + "}}";
}

std::string Resolver(const std::string& address, int port) {
  return "{socket_address: {address: \"" + address +
         "\", port_value: " + std::to_string(port) + "}}";
}

TEST(ConvertDns, DefaultsAreEnvoys) {
  const auto c = LoadedCluster("type: STRICT_DNS");
  ASSERT_TRUE(c.dns.has_value());
  EXPECT_EQ(*c.dns, model::DnsDiscovery());
  EXPECT_EQ(c.dns->refresh_rate, absl::Seconds(5));
  EXPECT_EQ(c.dns->lookup_family, base::DnsLookupFamily::kAuto);
  EXPECT_TRUE(c.dns->wait_for_warm_on_init);
  EXPECT_FALSE(LoadedCluster("type: STATIC").dns.has_value());
}

TEST(ConvertDns, ReadsTheFieldsOfAClusterAndOfADnsCluster) {
  const std::string fields =
      "dns_refresh_rate: 7s, dns_jitter: 0.5s, respect_dns_ttl: true, "
      "dns_failure_refresh_rate: {base_interval: 1s, max_interval: 9s}, "
      "dns_lookup_family: V4_PREFERRED, " +
      Cares("");
  model::DnsDiscovery want;
  want.refresh_rate = absl::Seconds(7);
  want.jitter = absl::Milliseconds(500);
  want.respect_dns_ttl = true;
  want.failure_base_interval = absl::Seconds(1);
  want.failure_max_interval = absl::Seconds(9);
  want.lookup_family = base::DnsLookupFamily::kV4Preferred;
  want.resolver.emplace();
  EXPECT_EQ(LoadedCluster("type: STRICT_DNS, " + fields).dns, want);
  want.wait_for_warm_on_init = false;
  const auto custom = LoadedCluster(
      "wait_for_warm_on_init: false, dns_refresh_rate: 99s, cluster_type: "
      "{name: d, typed_config: {'@type': type.googleapis.com/envoy.extensions."
      "clusters.dns.v3.DnsCluster, " +
      fields + "}}");
  EXPECT_EQ(custom.type, model::DiscoveryType::kStrictDns);
  EXPECT_EQ(custom.dns, want);
}

TEST(ConvertDns, LookupFamiliesAreEnvoys) {
  using Family = base::DnsLookupFamily;
  const std::pair<const char*, Family> kFamilies[] = {
      {"AUTO", Family::kAuto},
      {"V4_ONLY", Family::kV4Only},
      {"V6_ONLY", Family::kV6Only},
      {"V4_PREFERRED", Family::kV4Preferred},
      {"ALL", Family::kAll}};
  for (const auto& [name, family] : kFamilies) {
    const std::string field = std::string("dns_lookup_family: ") + name;
    EXPECT_EQ(LoadedCluster("type: STRICT_DNS, " + field).dns->lookup_family,
              family);
    EXPECT_EQ(LoadedCluster("cluster_type: {name: d, typed_config: {'@type': "
                            "type.googleapis.com/envoy.extensions.clusters.dns."
                            "v3.DnsCluster, " +
                            field + "}}")
                  .dns->lookup_family,
              family);
  }
}

TEST(ConvertDns, ReadsTheResolver) {
  const auto c = LoadedCluster(
      "type: STRICT_DNS, " +
      Cares(", resolvers: [" + Resolver("10.0.0.53", 5353) + ", " +
            Resolver("::1", 0) +
            "], use_resolvers_as_fallback: true, rotate_nameservers: true, "
            "query_timeout_seconds: 2, query_tries: 3, dns_resolver_options: "
            "{use_tcp_for_dns_lookups: true, no_default_search_domain: true}"));
  base::DnsResolverOptions want;
  want.resolvers = {"10.0.0.53:5353", "[::1]:53"};
  want.use_resolvers_as_fallback = true;
  want.rotate_nameservers = true;
  want.use_tcp_for_dns_lookups = true;
  want.no_default_search_domain = true;
  want.query_timeout = absl::Seconds(2);
  want.query_tries = 3;
  EXPECT_EQ(c.dns->resolver, want);
}

TEST(ConvertDns, ReadsTheOlderFieldsOfTheResolver) {
  const auto config = LoadedCluster(
      "type: STRICT_DNS, use_tcp_for_dns_lookups: true, dns_resolution_config: "
      "{resolvers: [" +
      Resolver("10.0.0.53", 53) +
      "], dns_resolver_options: {no_default_search_domain: true}}");
  ASSERT_TRUE(config.dns->resolver.has_value());
  EXPECT_THAT(config.dns->resolver->resolvers, ElementsAre("10.0.0.53:53"));
  EXPECT_TRUE(config.dns->resolver->no_default_search_domain);
  EXPECT_FALSE(config.dns->resolver->use_tcp_for_dns_lookups);

  const auto oldest = LoadedCluster(
      "type: STRICT_DNS, use_tcp_for_dns_lookups: true, "
      "dns_resolvers: [" +
      Resolver("10.0.0.54", 54) + "]");
  ASSERT_TRUE(oldest.dns->resolver.has_value());
  EXPECT_THAT(oldest.dns->resolver->resolvers, ElementsAre("10.0.0.54:54"));
  EXPECT_TRUE(oldest.dns->resolver->use_tcp_for_dns_lookups);
}

TEST(ConvertDns, ResolversAreAddresses) {
  for (const char* resolver :
       {"{socket_address: {address: dns.example, port_value: 53}}",
        "{pipe: {path: /dns}}"}) {
    EXPECT_THAT(ProblemsOf(ClusterYaml(
                    "type: STRICT_DNS, " +
                    Cares(", resolvers: [" + std::string(resolver) + "]"))),
                HasSubstr("error"));
  }
}

}  // namespace
}  // namespace meshlib::xds
