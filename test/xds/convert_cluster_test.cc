#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "test/xds/convert_harness.h"

namespace meshlib::xds {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(ConvertCluster, DefaultsAreEnvoys) {
  const model::Cluster c = LoadedCluster("type: STATIC");
  model::Cluster want;
  want.name = "c";
  want.endpoints = c.endpoints;
  want.lb.zone_aware.emplace();  // on wherever a local cluster is known
  EXPECT_EQ(c, want);
  ASSERT_NE(c.endpoints, nullptr);
  EXPECT_TRUE(c.endpoints->localities.empty());
}

TEST(ConvertCluster, EdsServiceNameIsTheClustersUnlessGiven) {
  const std::string source = "eds_config: {ads: {}}";
  EXPECT_EQ(LoadedCluster("type: EDS, eds_cluster_config: {" + source + "}")
                .eds_service_name,
            "c");
  EXPECT_EQ(LoadedCluster("type: EDS, eds_cluster_config: {" + source +
                          ", service_name: s}")
                .eds_service_name,
            "s");
}

TEST(ConvertCluster, LegacyPoliciesCarryTheirSettings) {
  const auto least = LoadedCluster(
      "lb_policy: LEAST_REQUEST, least_request_lb_config: {choice_count: 5, "
      "active_request_bias: {default_value: 0.5, runtime_key: k}, "
      "slow_start_config: {slow_start_window: 10s, min_weight_percent: "
      "{value: 20}}}");
  EXPECT_EQ(least.lb.policy, model::LbPolicy::kLeastRequest);
  EXPECT_EQ(least.lb.choice_count, 5u);
  EXPECT_EQ(least.lb.active_request_bias, 0.5);
  EXPECT_TRUE(least.lb.active_request_bias_explicit);
  EXPECT_EQ(least.lb.slow_start.window, absl::Seconds(10));
  EXPECT_EQ(least.lb.slow_start.min_weight_percent, 20);
  EXPECT_EQ(least.lb.slow_start.aggression, 1.0);

  const auto ring = LoadedCluster(
      "lb_policy: RING_HASH, ring_hash_lb_config: {minimum_ring_size: 10, "
      "maximum_ring_size: 20, hash_function: MURMUR_HASH_2}, common_lb_config: "
      "{consistent_hashing_lb_config: {hash_balance_factor: 150}, "
      "locality_weighted_lb_config: {}}");
  EXPECT_EQ(ring.lb.policy, model::LbPolicy::kRingHash);
  EXPECT_EQ(ring.lb.minimum_ring_size, 10u);
  EXPECT_EQ(ring.lb.maximum_ring_size, 20u);
  EXPECT_EQ(ring.lb.hash_function, model::RingHashFunction::kMurmurHash2);
  EXPECT_EQ(ring.lb.hash_balance_factor, 150u);
  EXPECT_TRUE(ring.lb.locality_weighted);
  EXPECT_FALSE(ring.lb.zone_aware.has_value());
}

constexpr char kPolicies[] =
    "type.googleapis.com/envoy.extensions.load_balancing_policies.";

std::string Policy(const std::string& type_and_fields) {
  return "{typed_extension_config: {name: p, typed_config: {'@type': " +
         std::string(kPolicies) + type_and_fields + "}}}";
}

TEST(ConvertCluster, FirstSupportedPolicyOfTheListWins) {
  const auto c = LoadedCluster(
      "lb_policy: RING_HASH, load_balancing_policy: {policies: [" +
      Policy("pick_first.v3.PickFirst") + ", " +
      Policy("least_request.v3.LeastRequest, choice_count: 3, "
             "locality_lb_config: {zone_aware_lb_config: {force_local_zone: "
             "{min_size: 4}, locality_basis: HEALTHY_HOSTS_WEIGHT}}") +
      ", " + Policy("random.v3.Random") + "]}");
  EXPECT_EQ(c.lb.policy, model::LbPolicy::kLeastRequest);
  EXPECT_EQ(c.lb.choice_count, 3u);
  ASSERT_TRUE(c.lb.zone_aware.has_value());
  EXPECT_EQ(c.lb.zone_aware->force_local_zone_min_size, 4u);
  EXPECT_EQ(c.lb.zone_aware->locality_basis,
            model::LocalityBasis::kHealthyHostsWeight);
}

TEST(ConvertCluster, WrrLocalityWeighsLocalitiesAndUsesItsChild) {
  const auto c = LoadedCluster(
      "load_balancing_policy: {policies: [" +
      Policy("wrr_locality.v3.WrrLocality, endpoint_picking_policy: "
             "{policies: [" +
             Policy("maglev.v3.Maglev, table_size: 503") + "]}") +
      "]}");
  EXPECT_EQ(c.lb.policy, model::LbPolicy::kMaglev);
  EXPECT_EQ(c.lb.maglev_table_size, 503u);
  EXPECT_TRUE(c.lb.locality_weighted);
  EXPECT_THAT(
      ProblemsOf(ClusterYaml(
          "load_balancing_policy: {policies: [" +
          Policy("wrr_locality.v3.WrrLocality, endpoint_picking_policy: "
                 "{policies: [" +
                 Policy("maglev.v3.Maglev") + "]}") +
          "]}")),
      HasSubstr("warning: static_resources.clusters[0].load_balancing_policy."
                "policies[0].typed_extension_config.typed_config."
                "endpoint_picking_policy: Envoy refuses any but"));
}

TEST(ConvertCluster, ClientSideWeightedRoundRobinHasItsSettings) {
  const std::string name =
      "client_side_weighted_round_robin.v3.ClientSideWeightedRoundRobin";
  const auto policy = [&](const std::string& fields) {
    return "load_balancing_policy: {policies: [" + Policy(name + fields) + "]}";
  };
  const auto defaults = LoadedCluster(policy(""));
  EXPECT_EQ(defaults.lb.policy, model::LbPolicy::kClientSideWeightedRoundRobin);
  EXPECT_TRUE(defaults.lb.locality_weighted);
  EXPECT_EQ(defaults.lb.load_report_weights, model::LoadReportWeights());

  const auto c = LoadedCluster(
      policy(", blackout_period: 1s, weight_expiration_period: 60s, "
             "weight_update_period: 0.05s, error_utilization_penalty: 0.5, "
             "metric_names_for_computing_utilization: [named_metrics.queue, "
             "mem_utilization], slow_start_config: {slow_start_window: 10s}"));
  model::LoadReportWeights want;
  want.blackout_period = absl::Seconds(1);
  want.weight_expiration_period = absl::Seconds(60);
  want.weight_update_period = absl::Milliseconds(100);  // the least
  want.error_utilization_penalty = 0.5;
  want.metric_names = {"named_metrics.queue", "mem_utilization"};
  EXPECT_EQ(c.lb.load_report_weights, want);
  EXPECT_EQ(c.lb.slow_start.window, absl::Seconds(10));

  EXPECT_THAT(ProblemsOf(ClusterYaml(policy(", blackout_period: -1s"))),
              HasSubstr("blackout_period"));
  EXPECT_THAT(
      ProblemsOf(ClusterYaml(policy(", error_utilization_penalty: -1"))),
      HasSubstr("error_utilization_penalty"));
  EXPECT_THAT(ProblemsOf(ClusterYaml(policy(", enable_oob_load_report: true"))),
              HasSubstr("out-of-band load reports are not supported yet"));
}

TEST(ConvertCluster, RandomSubsettingHasASizeAndAChild) {
  const auto list = [](const std::string& policy) {
    return "load_balancing_policy: {policies: [" + policy + "]}";
  };
  const auto subset = [](const std::string& fields, const std::string& child) {
    return Policy("random_subsetting.v3.RandomSubsetting" + fields +
                  ", child_policy: {policies: [" + child + "]}");
  };
  const auto locality = [](const std::string& child) {
    return Policy(
        "wrr_locality.v3.WrrLocality, endpoint_picking_policy: "
        "{policies: [" +
        child + "]}");
  };
  const std::string maglev = Policy("maglev.v3.Maglev");
  const auto c = LoadedCluster(list(subset(", subset_size: 5", maglev)));
  EXPECT_EQ(c.lb.policy, model::LbPolicy::kMaglev);
  EXPECT_EQ(c.lb.random_subset_size, 5u);
  EXPECT_FALSE(c.lb.random_subset_by_locality);

  const std::string wrr = Policy(
      "client_side_weighted_round_robin.v3.ClientSideWeightedRoundRobin");
  const auto outside =
      LoadedCluster(list(subset(", subset_size: 5", locality(wrr))));
  EXPECT_TRUE(outside.lb.locality_weighted);
  EXPECT_EQ(outside.lb.random_subset_size, 5u);
  EXPECT_FALSE(outside.lb.random_subset_by_locality);

  const auto inside =
      LoadedCluster(list(locality(subset(", subset_size: 5", wrr))));
  EXPECT_TRUE(inside.lb.locality_weighted);
  EXPECT_EQ(inside.lb.random_subset_size, 5u);
  EXPECT_TRUE(inside.lb.random_subset_by_locality);

  const auto problems = [&](const std::string& policy) {
    return ProblemsOf(ClusterYaml(list(policy)));
  };
  EXPECT_THAT(problems(subset("", maglev)), HasSubstr("subset_size: "));
  EXPECT_THAT(problems(subset(", subset_size: 0", maglev)),
              HasSubstr("subset_size: "));
  EXPECT_THAT(
      problems(Policy("random_subsetting.v3.RandomSubsetting, subset_size: 1")),
      HasSubstr("child_policy: "));
  EXPECT_THAT(
      problems(subset(", subset_size: 5", subset(", subset_size: 3", maglev))),
      HasSubstr("within random_subsetting is not supported"));
  EXPECT_THAT(
      problems(subset(", subset_size: 5", Policy("pick_first.v3.PickFirst"))),
      HasSubstr("has no policy that is supported"));
}

TEST(ConvertCluster, PolicyInATypedStructIsThePolicyItNames) {
  const auto c = LoadedCluster(
      "load_balancing_policy: {policies: [{typed_extension_config: {name: p, "
      "typed_config: {'@type': type.googleapis.com/xds.type.v3.TypedStruct, "
      "type_url: " +
      std::string(kPolicies) +
      "ring_hash.v3.RingHash, value: {minimum_ring_size: 7}}}}]}");
  EXPECT_EQ(c.lb.policy, model::LbPolicy::kRingHash);
  EXPECT_EQ(c.lb.minimum_ring_size, 7u);
}

TEST(ConvertCluster, TypedStructsMayHaveLongNamesAndNoValue) {
  const auto c = LoadedCluster(
      "load_balancing_policy: {policies: [{typed_extension_config: {name: p, "
      "typed_config: {'@type': type.googleapis.com/xds.type.v3.TypedStruct, "
      "type_url: type.googleapis.com/" +
      std::string(200, 'x') +
      "/envoy.extensions.load_balancing_policies.random.v3.Random}}}]}");
  EXPECT_EQ(c.lb.policy, model::LbPolicy::kRandom);
}

TEST(ConvertCluster, ApplicationsPoliciesAreFoundByTypeOrName) {
  LoadOptions options;
  options.custom_policies = {"example.Nearest"};
  const std::string by_type =
      "load_balancing_policy: {policies: [{typed_extension_config: {name: x, "
      "typed_config: {'@type': type.googleapis.com/xds.type.v3.TypedStruct, "
      "type_url: type.googleapis.com/example.Nearest, value: {k: 1}}}}]}";
  const auto c = LoadedCluster(by_type, options);
  EXPECT_EQ(c.lb.policy, model::LbPolicy::kCustom);
  EXPECT_EQ(c.lb.custom_name, "example.Nearest");
  EXPECT_EQ(c.lb.custom_config, "{\"k\":1}");
  EXPECT_THAT(ProblemsOf(ClusterYaml(by_type)),
              HasSubstr("load_balancing_policy: has no policy that is "
                        "supported"));
}

TEST(ConvertCluster, PoliciesNestedTooDeepAreRefused) {
  std::string nested = Policy("round_robin.v3.RoundRobin");
  for (int i = 0; i < 18; ++i) {
    nested = Policy(
        "wrr_locality.v3.WrrLocality, endpoint_picking_policy: "
        "{policies: [" +
        nested + "]}");
  }
  EXPECT_THAT(ProblemsOf(ClusterYaml("load_balancing_policy: {policies: [" +
                                     nested + "]}")),
              HasSubstr("error"));
}

TEST(ConvertCluster, OfTwoThresholdsForAPriorityTheFirstHolds) {
  const auto c = LoadedCluster(
      "circuit_breakers: {thresholds: [{max_requests: 10, retry_budget: "
      "{budget_percent: {value: 25}}}, {max_requests: 20}, {priority: HIGH, "
      "max_retries: 9}], per_host_thresholds: [{max_connections: 7}]}");
  EXPECT_EQ(c.circuit_breakers.thresholds[0].max_requests, 10u);
  ASSERT_TRUE(c.circuit_breakers.thresholds[0].retry_budget.has_value());
  EXPECT_EQ(c.circuit_breakers.thresholds[0].retry_budget->budget_percent, 25);
  EXPECT_EQ(
      c.circuit_breakers.thresholds[0].retry_budget->min_retry_concurrency, 3u);
  EXPECT_EQ(c.circuit_breakers.thresholds[1].max_retries, 9u);
  EXPECT_EQ(c.circuit_breakers.thresholds[1].max_requests, 1024u);
  EXPECT_EQ(c.circuit_breakers.per_host_max_connections, 7u);
}

TEST(ConvertCluster, PerHostThresholdsAreTheFirstOfThePlainPriority) {
  const auto c = LoadedCluster(
      "circuit_breakers: {per_host_thresholds: [{priority: HIGH, "
      "max_connections: 5}, {max_connections: 7}, {max_connections: 9}]}");
  EXPECT_EQ(c.circuit_breakers.per_host_max_connections, 7u);
}

TEST(ConvertCluster, DurationsGoUpToNanosecondsIn64Bits) {
  const std::string field = "outlier_detection: {interval: ";
  EXPECT_EQ(LoadedCluster(field + "9223372035s}").outlier_detection->interval,
            absl::Seconds(9223372035));
  EXPECT_THAT(ProblemsOf(ClusterYaml(field + "9223372036s}")),
              HasSubstr("interval: is out of range"));
}

TEST(ConvertCluster, ZonesMatterToPoliciesThatChooseOne) {
  EXPECT_TRUE(LoadedCluster("lb_policy: RANDOM").lb.zone_aware.has_value());
  for (const char* fields :
       {"lb_policy: RING_HASH", "lb_policy: MAGLEV",
        "common_lb_config: {locality_weighted_lb_config: {}}"}) {
    EXPECT_FALSE(LoadedCluster(fields).lb.zone_aware.has_value()) << fields;
  }
}

TEST(ConvertCluster, StatusesOfHealthChecksAreRangesFrom100To600) {
  const auto problems = [](const std::string& range) {
    return ProblemsOf(ClusterYaml(
        "health_checks: [{timeout: 1s, interval: 1s, unhealthy_threshold: 1, "
        "healthy_threshold: 1, http_health_check: {path: /, "
        "expected_statuses: [" +
        range + "]}}]"));
  };
  const auto wrong = HasSubstr("want 100 <= start < end <= 600");
  EXPECT_THAT(problems("{start: 100, end: 600}"), Not(wrong));
  EXPECT_THAT(problems("{start: 200, end: 200}"), wrong);
  EXPECT_THAT(problems("{start: 99, end: 200}"), wrong);
  EXPECT_THAT(problems("{start: 200, end: 601}"), wrong);
}

TEST(ConvertCluster, RefreshRatesOfFailuresMayBeConstant) {
  const std::string head = "type: STRICT_DNS, dns_failure_refresh_rate: ";
  EXPECT_THAT(
      ProblemsOf(ClusterYaml(head + "{base_interval: 5s, max_interval: 5s}")),
      Not(HasSubstr("error")));
  EXPECT_THAT(
      ProblemsOf(ClusterYaml(head + "{base_interval: 5s, max_interval: 4s}")),
      HasSubstr("max_interval < base_interval"));
}

TEST(ConvertCluster, LongestEjectionIsAtLeastTheBase) {
  const auto c = LoadedCluster(
      "outlier_detection: {base_ejection_time: 600s, "
      "consecutive_5xx: 2, enforcing_consecutive_5xx: 50}");
  ASSERT_TRUE(c.outlier_detection.has_value());
  EXPECT_EQ(c.outlier_detection->max_ejection_time, absl::Seconds(600));
  EXPECT_EQ(c.outlier_detection->consecutive_5xx, 2u);
  EXPECT_EQ(c.outlier_detection->enforcing_consecutive_5xx, 50u);
  EXPECT_EQ(c.outlier_detection->consecutive_gateway_failure, 5u);
}

TEST(ConvertCluster, IstioMutualTlsGivesTheExpectedIdentities) {
  const std::string tls =
      "typed_config: {'@type': type.googleapis.com/envoy.extensions."
      "transport_sockets.tls.v3.UpstreamTlsContext, sni: s, "
      "common_tls_context: {alpn_protocols: [istio, h2], "
      "tls_certificate_sds_secret_configs: [{name: default, sds_config: {ads: "
      "{}}}], combined_validation_context: {default_validation_context: "
      "{match_subject_alt_names: [{exact: 'spiffe://a'}, {prefix: x}]}, "
      "validation_context_sds_secret_config: {name: ROOTCA, sds_config: {ads: "
      "{}}}}}}";
  const auto c = LoadedCluster(
      "transport_socket_matches: [{name: tlsMode-istio, match: {tlsMode: "
      "istio}, transport_socket: {name: tls, " +
      tls +
      "}}, {name: none, match: {}, transport_socket: {name: raw, typed_config: "
      "{'@type': type.googleapis.com/envoy.extensions.transport_sockets."
      "raw_buffer.v3.RawBuffer}}}]");
  EXPECT_EQ(c.tls, nullptr);
  ASSERT_EQ(c.transport_socket_matches.size(), 2u);
  EXPECT_EQ(c.transport_socket_matches[1].tls, nullptr);
  const auto& entry = c.transport_socket_matches[0];
  ASSERT_NE(entry.tls, nullptr);
  EXPECT_EQ(entry.match.at("tlsMode").string, "istio");
  EXPECT_EQ(entry.tls->sni, "s");
  const model::CommonTls& common = entry.tls->common;
  EXPECT_THAT(common.alpn_protocols, ElementsAre("istio", "h2"));
  EXPECT_EQ(common.certificate_secret,
            (model::SecretSource{model::SecretSource::Kind::kControlPlane,
                                 "default", ""}));
  EXPECT_EQ(common.validation_secret.name, "ROOTCA");
  EXPECT_THAT(c.expected_identities, ElementsAre("spiffe://a"));
}

TEST(ConvertCluster, WhatIsPassedOverIsNoted) {
  const std::string problems = ProblemsOf(ClusterYaml(
      "health_checks: [{timeout: 1s, interval: 1s, unhealthy_threshold: 1, "
      "healthy_threshold: 1, tcp_health_check: {}}], preconnect_policy: {}"));
  EXPECT_THAT(problems,
              HasSubstr("note: static_resources.clusters[0].health_checks"));
  EXPECT_THAT(problems, HasSubstr("clusters[0].preconnect_policy"));
  EXPECT_THAT(problems, Not(HasSubstr("error")));
}

TEST(ConvertCluster, EveryProblemOfAClusterIsToldOnceWithItsLine) {
  const std::string problems = ProblemsOf(R"(static_resources:
  clusters:
  - name: c
    connect_timeout: -1s
    lb_policy: MAGLEV
    maglev_lb_config: {table_size: 1000}
    outlier_detection:
      base_ejection_time: 60s
      max_ejection_time: 30s
    load_assignment:
      cluster_name: c
      endpoints:
      - lb_endpoints:
        - endpoint: {address: {socket_address: {address: here, port_value: 1}}}
)");
  EXPECT_THAT(problems, HasSubstr("f.yaml:4:"));
  EXPECT_THAT(problems, HasSubstr("f.yaml:6:"));
  EXPECT_THAT(problems, HasSubstr("f.yaml:9:"));
  EXPECT_THAT(problems, HasSubstr("f.yaml:14:"));
  EXPECT_THAT(problems, Not(HasSubstr("f.yaml:5:")));
  EXPECT_THAT(
      problems,
      HasSubstr("clusters[0].maglev_lb_config.table_size: is 1000, want"));
  EXPECT_EQ(std::count(problems.begin(), problems.end(), '\n'), 4);
}

TEST(ConvertCluster, JudgesReferencesOnlyIfTheTextWasReadToItsEnd) {
  const std::string text = R"({"static_resources": {
  "listeners": [{"name": "l", "api_listener": {"api_listener": {
    "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
    "stat_prefix": "s", "http_filters": [{"name": "r", "typed_config": {
      "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}}],
    "route_config": {"name": "r", "virtual_hosts": [
      {"name": "v", "domains": ["*"], "routes": [
        {"match": {"prefix": "/"}, "route": {"cluster": "later"}}]}]}}}}])";
  const auto whole = LoadConfigText("f.json", text + "}}").problems;
  EXPECT_THAT(whole.ToString(), HasSubstr("unknown cluster"));
  const auto broken =
      LoadConfigText("f.json", text + ",\n\"clusters\": [}}").problems;
  EXPECT_EQ(broken.errors(), 1u) << broken.ToString();
  EXPECT_THAT(broken.ToString(), Not(HasSubstr("unknown cluster")));
}

TEST(ConvertCluster, TellsANumberThatIsNoneOnce) {
  const std::string found = ProblemsOf(
      ClusterYaml("common_lb_config: {healthy_panic_threshold: {value: NaN}}"));
  EXPECT_THAT(found, HasSubstr("value: value NaN, want a number"));
  EXPECT_EQ(found.find("error"), found.rfind("error")) << found;
}

TEST(ConvertCluster, TypesWithoutHostsYetAreWarnedOf) {
  for (const std::string& type :
       {std::string("type: ORIGINAL_DST, lb_policy: CLUSTER_PROVIDED"),
        std::string(
            "lb_policy: CLUSTER_PROVIDED, cluster_type: {name: all, "
            "typed_config: {'@type': type.googleapis.com/envoy.extensions"
            ".clusters.aggregate.v3.ClusterConfig, clusters: [b]}}")}) {
    EXPECT_THAT(ProblemsOf(ClusterYaml(type)), HasSubstr("not supported yet"))
        << type;
  }
}

}  // namespace
}  // namespace meshlib::xds
