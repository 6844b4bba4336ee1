// Where a call goes next: hosts that were tried, hosts in back-off, and what
// an attempt that ends gives back.

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "model/retry_on.h"
#include "test/cluster/test_config.h"
#include "test/mesh/mesh_fixture.h"

namespace meshlib {
namespace {

using test::MakeCluster;
using test::MakeEndpoint;
using test::MakeListener;
using test::MakeRetryRoute;
using test::MakeRoute;
using Kind = Outcome::Kind;
using Reason = RetryDecision::Reason;

class CallTest : public MeshTest {
 protected:
  static std::shared_ptr<model::Cluster> MakeRandom(uint32_t hosts) {
    auto cluster = MakeCluster("a", hosts);
    cluster->lb.policy = model::LbPolicy::kRandom;
    return cluster;
  }

  // Reports a refused connection of the host, once it is picked.
  void Refuse(const Target& target, std::string_view address) {
    for (int i = 0; i < 1000; ++i) {
      PickResult pick = target.Pick();
      const bool found = pick.address == address;
      target.Report(pick.token, found ? Outcome::Failure(Kind::kConnectFailure)
                                      : Outcome::Ok());
      if (found) return;
    }
    FAIL() << address << " is never picked";
  }

  static std::shared_ptr<const model::Endpoints> WithLocality(
      const model::Endpoints& endpoints, uint32_t priority,
      std::vector<model::Endpoint> hosts) {
    auto copy = std::make_shared<model::Endpoints>(endpoints);
    model::LocalityEndpoints& added = copy->localities.emplace_back();
    added.locality.region = "other";
    added.priority = priority;
    added.endpoints = std::move(hosts);
    return copy;
  }
};

TEST_F(CallTest, TheWayAroundBackoffDoesNotLeadToATriedHost) {
  config_->clusters.push_back(MakeRandom(3));
  model::Route route = MakeRetryRoute("a", model::kRetryOn5xx, 1);
  std::get<model::RouteAction>(route.action)
      .retry_policy->host_selection_retry_max_attempts = 50;
  config_->listeners.push_back(MakeListener({route}));
  Start();
  const Target target = Resolve("any.host");
  Refuse(target, "10.0.0.2:80");
  for (int i = 0; i < 100; ++i) {
    PickResult pick = target.Pick();
    const std::string tried(pick.address);
    ASSERT_TRUE(target.Report(pick.token, Outcome::Http(503)).retry);
    pick = target.Pick({}, std::move(pick.token));
    EXPECT_NE(pick.address, tried);
    EXPECT_NE(pick.address, "10.0.0.2:80");
  }
}

TEST_F(CallTest, ARetryOfAHashGoesToAnotherHost) {
  auto cluster = MakeCluster("a", 3);
  cluster->lb.policy = model::LbPolicy::kRingHash;
  config_->clusters.push_back(cluster);
  config_->listeners.push_back(
      MakeListener({MakeRetryRoute("a", model::kRetryOn5xx, 1)}));
  Start();
  const Target target = Resolve("any.host");
  int elsewhere = 0;
  for (uint64_t i = 0; i < 100; ++i) {
    Request request;
    request.hash = i * 0x9e3779b97f4a7c15u;
    PickResult pick = target.Pick(request);
    const std::string tried(pick.address);
    ASSERT_TRUE(target.Report(pick.token, Outcome::Http(503)).retry);
    pick = target.Pick(request, std::move(pick.token));
    elsewhere += pick.address != tried;
  }
  EXPECT_GT(elsewhere, 90);
}

// How many of 2,000 second attempts go where the first went.
int Repeats(const Target& target, const Outcome& outcome) {
  int repeats = 0;
  for (int i = 0; i < 2000; ++i) {
    PickResult pick = target.Pick();
    const std::string tried(pick.address);
    target.Report(pick.token, outcome);
    pick = target.Pick({}, std::move(pick.token));
    repeats += pick.address == tried;
    target.Report(pick.token, Outcome::Ok());
  }
  return repeats;
}

TEST_F(CallTest, WithoutARouteTriedHostsAreAvoidedFiveTimes) {
  config_->clusters.push_back(MakeRandom(2));
  Start();
  // 1 of 2^6.
  EXPECT_NEAR(Repeats(Resolve("cluster:a"), Outcome::Http(503)), 31, 20);
}

TEST_F(CallTest, TriedHostsAreAvoidedAsOftenAsThePolicySays) {
  config_->clusters.push_back(MakeRandom(2));
  model::Route route = MakeRetryRoute("a", model::kRetryOn5xx, 1);
  std::get<model::RouteAction>(route.action)
      .retry_policy->host_selection_retry_max_attempts = 1;
  config_->listeners.push_back(MakeListener({route}));
  Start();
  // 1 of 2^2.
  EXPECT_NEAR(Repeats(Resolve("any.host"), Outcome::Http(503)), 500, 80);
}

TEST_F(CallTest, APriorityInBackoffGivesWayToTheNextNotToTheOneBefore) {
  auto cluster = MakeCluster("a", 1);
  auto endpoints = WithLocality(
      *cluster->endpoints, 0,
      {MakeEndpoint("10.0.0.9:80", 1, model::HealthStatus::kUnhealthy)});
  endpoints = WithLocality(*endpoints, 1, {MakeEndpoint("10.1.0.1:80")});
  cluster->endpoints =
      WithLocality(*endpoints, 2, {MakeEndpoint("10.2.0.1:80")});
  config_->clusters.push_back(cluster);
  Start();
  const Target target = Resolve("cluster:a");
  Refuse(target, "10.1.0.1:80");
  std::map<std::string, int> counts;
  for (int i = 0; i < 2000; ++i) ++counts[std::string(target.Pick().address)];
  // Half of priority 0 is healthy: 70 % of the load.
  EXPECT_NEAR(counts["10.0.0.1:80"], 1400, 60);
  EXPECT_NEAR(counts["10.2.0.1:80"], 600, 60);
}

TEST_F(CallTest, AHostInBackoffLeavesItsShareToItsPriority) {
  auto cluster = MakeCluster("a", 1);
  auto endpoints = WithLocality(
      *cluster->endpoints, 0,
      {MakeEndpoint("10.0.0.9:80", 1, model::HealthStatus::kUnhealthy)});
  cluster->endpoints =
      WithLocality(*endpoints, 1,
                   {MakeEndpoint("10.1.0.1:80"), MakeEndpoint("10.1.0.2:80")});
  config_->clusters.push_back(cluster);
  Start();
  const Target target = Resolve("cluster:a");
  Refuse(target, "10.1.0.1:80");
  std::map<std::string, int> counts;
  for (int i = 0; i < 2000; ++i) ++counts[std::string(target.Pick().address)];
  EXPECT_NEAR(counts["10.0.0.1:80"], 1400, 60);
  EXPECT_NEAR(counts["10.1.0.2:80"], 600, 60);
}

TEST_F(CallTest, DegradedHostsOfTheSamePriorityStandInByTheirWeights) {
  auto cluster = MakeCluster("a", 9);
  const auto degraded = model::HealthStatus::kDegraded;
  cluster->endpoints = WithLocality(*cluster->endpoints, 0,
                                    {MakeEndpoint("10.9.0.1:80", 1, degraded),
                                     MakeEndpoint("10.9.0.2:80", 9, degraded)});
  config_->clusters.push_back(cluster);
  Start();
  const Target target = Resolve("cluster:a");
  // So many healthy hosts leave the degraded ones nothing by themselves.
  for (int i = 1; i <= 9; ++i) {
    Refuse(target, "10.0.0." + std::to_string(i) + ":80");
  }
  std::map<std::string, int> counts;
  for (int i = 0; i < 1000; ++i) ++counts[std::string(target.Pick().address)];
  EXPECT_NEAR(counts["10.9.0.1:80"], 100, 5);
  EXPECT_NEAR(counts["10.9.0.2:80"], 900, 5);
}

TEST_F(CallTest, AHostWithoutWeightStandsInForNone) {
  auto cluster = MakeCluster("a", 1);
  cluster->endpoints =
      WithLocality(*cluster->endpoints, 0, {MakeEndpoint("10.9.0.1:80", 0)});
  config_->clusters.push_back(cluster);
  Start();
  const Target target = Resolve("cluster:a");
  Refuse(target, "10.0.0.1:80");
  for (int i = 0; i < 10; ++i) EXPECT_EQ(target.Pick().address, "10.0.0.1:80");
}

TEST_F(CallTest, AFailedPickHoldsNothing) {
  auto cluster = MakeCluster("a", 0);
  cluster->endpoints = WithLocality(
      *cluster->endpoints, 0,
      {MakeEndpoint("10.0.0.1:80", 1, model::HealthStatus::kUnhealthy)});
  cluster->lb.healthy_panic_threshold = 0;
  cluster->circuit_breakers.thresholds[0].max_requests = 1;
  config_->clusters.push_back(cluster);
  Start();
  const Target target = Resolve("cluster:a");
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(target.Pick().failure, PickFailure::kNoHealthyHost);
  }
}

TEST_F(CallTest, APickWithAnOpenTokenCancelsItsAttempt) {
  auto cluster = MakeCluster("a", 2);
  cluster->circuit_breakers.thresholds[0].max_requests = 1;
  config_->clusters.push_back(cluster);
  Start();
  const Target target = Resolve("cluster:a");
  PickResult pick = target.Pick();
  for (int i = 0; i < 3; ++i) {
    pick = target.Pick({}, std::move(pick.token));
    EXPECT_TRUE(pick.ok()) << pick.status();
  }
  EXPECT_EQ(target.Pick().failure, PickFailure::kOverflow);
}

TEST_F(CallTest, WhatAPolicyOfStatusesLeavesAloneIsASuccess) {
  config_->clusters.push_back(MakeCluster("a", 2));
  config_->listeners.push_back(
      MakeListener({MakeRetryRoute("a", model::kRetryOnRetriable4xx, 1)}));
  Start();
  const Target target = Resolve("any.host");
  PickResult pick = target.Pick();
  EXPECT_EQ(target.Report(pick.token, Outcome::Http(404)).reason,
            Reason::kSuccess);
  pick = target.Pick();
  EXPECT_TRUE(target.Report(pick.token, Outcome::Http(409)).retry);
}

TEST_F(CallTest, AClusterThatCameAgainDoesNotRetryForTheOneThatLeft) {
  const auto cluster = MakeCluster("a", 2);
  const auto listener =
      MakeListener({MakeRetryRoute("a", model::kRetryOn5xx, 1)});
  config_->clusters.push_back(cluster);
  config_->listeners.push_back(listener);
  Start();
  const Target target = Resolve("any.host");
  PickResult pick = target.Pick();
  auto without = std::make_shared<model::Config>();
  without->listeners.push_back(listener);
  Apply(without);
  auto again = std::make_shared<model::Config>(*without);
  again->clusters.push_back(MakeCluster("a", 2));
  Apply(again);
  EXPECT_FALSE(target.Report(pick.token, Outcome::Http(503)).retry);
  pick = target.Pick();
  EXPECT_TRUE(target.Report(pick.token, Outcome::Http(503)).retry);
}

// As in Envoy, whose memory of priorities is not shorter than the request.
TEST_F(CallTest, TakesThePrioritiesInTurnForManyAttempts) {
  const auto cluster = MakeCluster("a", 1);
  for (uint32_t priority = 1; priority < 3; ++priority) {
    cluster->endpoints = WithLocality(
        *cluster->endpoints, priority,
        {MakeEndpoint("10.0." + std::to_string(priority) + ".1:80")});
  }
  config_->clusters.push_back(cluster);
  model::Route route = MakeRetryRoute("a", model::kRetryOn5xx, 14);
  model::RetryPolicy& policy =
      *std::get<model::RouteAction>(route.action).retry_policy;
  policy.previous_hosts = false;
  policy.previous_priorities_update_frequency = 1;
  config_->listeners.push_back(MakeListener({route}));
  Start();
  const Target target = Resolve("any.host");
  PickResult pick = target.Pick();
  for (int attempt = 0; attempt < 15; ++attempt) {
    ASSERT_TRUE(pick.ok()) << pick.status();
    EXPECT_EQ(pick.address, "10.0." + std::to_string(attempt % 3) + ".1:80")
        << attempt;
    const RetryDecision decision =
        target.Report(pick.token, Outcome::Http(503));
    EXPECT_EQ(decision.retry, attempt < 14) << attempt;
    if (decision.retry) pick = target.Pick({}, std::move(pick.token));
  }
}

TEST_F(CallTest, SaysThatAVirtualHostDemandsTls) {
  config_->clusters.push_back(MakeCluster("a", 1));
  const auto listener = MakeListener({MakeRoute("a")});
  model::HttpConnectionManager& http = *listener->filter_chains[0].http;
  auto routes = std::make_shared<model::RouteConfig>(*http.route_config);
  routes->virtual_hosts[0].require_tls =
      model::VirtualHost::TlsRequirement::kAll;
  http.route_config = routes;
  config_->listeners.push_back(listener);
  Start();
  const Target target = Resolve("any.host");
  Request request;
  const PickResult refused = target.Pick(request);
  EXPECT_EQ(refused.failure, PickFailure::kTlsRequired);
  EXPECT_TRUE(absl::IsNotFound(refused.status())) << refused.status();
  // Nothing to wait for: other requests are routed.
  EXPECT_EQ(target.WaitForPick(request, absl::InfiniteFuture()).failure,
            PickFailure::kTlsRequired);
  EXPECT_TRUE(mesh_->WaitReady(target, absl::InfiniteFuture()).ok());
  const Explanation why = target.Explain(request);
  EXPECT_EQ(why.failure, PickFailureName(PickFailure::kTlsRequired));
  ASSERT_EQ(why.rejected.size(), 1u);
  EXPECT_EQ(why.rejected[0].virtual_host, "all");
  request.scheme = "https";
  EXPECT_TRUE(target.Pick(request).ok());
}

TEST_F(CallTest, RoutesByTheOverwrittenScheme) {
  config_->clusters.push_back(MakeCluster("a", 1));
  const auto listener = MakeListener({MakeRoute("a")});
  model::HttpConnectionManager& http = *listener->filter_chains[0].http;
  auto routes = std::make_shared<model::RouteConfig>(*http.route_config);
  routes->virtual_hosts[0].require_tls =
      model::VirtualHost::TlsRequirement::kAll;
  http.route_config = routes;
  http.normalization.scheme = "https";
  config_->listeners.push_back(listener);
  Start();
  const Target target = Resolve("any.host");
  const Header header{"x-forwarded-proto", "http"};
  Request request;
  request.headers = {&header, 1};
  EXPECT_TRUE(target.Pick(request).ok());
  const Explanation why = target.Explain(request);
  EXPECT_TRUE(why.pick.has_value()) << why.failure;
  ASSERT_TRUE(why.rewrite.has_value());
  ASSERT_EQ(why.rewrite->headers_added.size(), 1u);
  EXPECT_EQ(why.rewrite->headers_added[0].value, "https");
}

TEST_F(CallTest, SaysThatTheTypeOfAClusterIsNotSupported) {
  for (const auto type :
       {model::DiscoveryType::kOriginalDst, model::DiscoveryType::kAggregate}) {
    const auto cluster = MakeCluster(model::DiscoveryTypeName(type), 0);
    cluster->type = type;
    cluster->endpoints = nullptr;
    config_->clusters.push_back(cluster);
  }
  const auto eds = MakeCluster("EDS", 0);
  eds->type = model::DiscoveryType::kEds;
  eds->endpoints = nullptr;
  config_->clusters.push_back(eds);
  Start();
  for (const auto& cluster : config_->clusters) {
    SCOPED_TRACE(cluster->name);
    const Target target = Resolve("cluster:" + cluster->name);
    const PickFailure want = cluster == eds ? PickFailure::kNotReady
                                            : PickFailure::kUnsupportedCluster;
    EXPECT_EQ(target.Pick().failure, want);
    EXPECT_EQ(target.Explain({}).failure, PickFailureName(want));
  }
  // Waiting would not help.
  EXPECT_EQ(Resolve("cluster:ORIGINAL_DST")
                .WaitForPick({}, absl::InfiniteFuture())
                .failure,
            PickFailure::kUnsupportedCluster);
}

TEST_F(CallTest, RoutesByTheNormalizedAuthorityAndPath) {
  config_->clusters.push_back(MakeCluster("a", 1));
  model::Route route = MakeRetryRoute("a", model::kRetryOn5xx, 1);
  route.match.path.value = "/shop/";
  const auto listener = MakeListener({route});
  model::HttpConnectionManager& http = *listener->filter_chains[0].http;
  auto routes = std::make_shared<model::RouteConfig>(*http.route_config);
  routes->virtual_hosts[0].domains = {"some.host"};
  http.route_config = routes;
  http.normalization.strip_matching_host_port = true;  // 80
  http.normalization.strip_trailing_host_dot = true;
  http.normalization.normalize_path = true;
  http.normalization.escaped_slashes =
      model::RequestNormalization::EscapedSlashes::kReject;
  config_->listeners.push_back(listener);
  Start();
  const Target target = Resolve("some.host.:80");
  Request request;
  request.path = "/x/../%73hop/y";
  PickResult pick = target.Pick(request);
  EXPECT_EQ(pick.address, "10.0.0.1:80") << pick.status();
  // So it is for the next attempt, and for who asks why.
  ASSERT_TRUE(target.Report(pick.token, Outcome::Http(503)).retry);
  EXPECT_TRUE(target.Pick(request, std::move(pick.token)).ok());
  EXPECT_EQ(target.Explain(request).pick, "10.0.0.1:80");
  request.authority = "some.host:81";
  EXPECT_EQ(target.Pick(request).failure, PickFailure::kNoRoute);
  EXPECT_FALSE(target.Explain(request).pick.has_value());
  request.authority = "some.host";
  request.path = "/shop%2fy";
  EXPECT_EQ(target.Pick(request).failure, PickFailure::kNotForwarded);
  EXPECT_FALSE(target.Explain(request).pick.has_value());
}

}  // namespace
}  // namespace meshlib
