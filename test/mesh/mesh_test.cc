#include "meshlib/mesh.h"

#include <poll.h>

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "test/cluster/test_config.h"
#include "test/mesh/mesh_fixture.h"

namespace meshlib {
namespace {

using test::MakeCluster;
using test::MakeEndpoint;
using test::MakeListener;
using test::MakeRetryRoute;
using test::MakeRoute;
using ::testing::HasSubstr;
using Kind = Outcome::Kind;
using Reason = RetryDecision::Reason;

TEST_F(MeshTest, PicksEveryHostInTurn) {
  config_->clusters.push_back(MakeCluster("a", 3));
  Start();
  const Target target = Resolve("cluster:a");
  std::map<std::string, int> counts;
  for (int i = 0; i < 30; ++i) {
    PickResult pick = target.Pick();
    ASSERT_TRUE(pick.ok()) << pick.status();
    EXPECT_EQ(pick.cluster, "a");
    ++counts[std::string(pick.address)];
    EXPECT_FALSE(target.Report(pick.token, Outcome::Ok()).retry);
  }
  EXPECT_EQ(counts.size(), 3u);
  for (const auto& [address, count] : counts) EXPECT_EQ(count, 10) << address;
}

TEST_F(MeshTest, ReportingTwiceIsHarmless) {
  config_->clusters.push_back(MakeCluster("a", 1));
  Start();
  const Target target = Resolve("cluster:a");
  PickResult pick = target.Pick();
  EXPECT_TRUE(pick.token.open());
  EXPECT_EQ(target.Report(pick.token, Outcome::Ok()).reason, Reason::kSuccess);
  EXPECT_FALSE(pick.token.open());
  EXPECT_EQ(target.Report(pick.token, Outcome::Ok()).reason,
            Reason::kAlreadyReported);
  PickToken never_used;
  EXPECT_EQ(target.Report(never_used, Outcome::Ok()).reason,
            Reason::kAlreadyReported);
}

TEST_F(MeshTest, BreakerRefusesBeyondMaxRequestsAndRecovers) {
  auto cluster = MakeCluster("a", 2);
  cluster->circuit_breakers.thresholds[0].max_requests = 5;
  config_->clusters.push_back(cluster);
  Start();
  const Target target = Resolve("cluster:a");
  std::vector<PickResult> open;
  for (int i = 0; i < 5; ++i) {
    open.push_back(target.Pick());
    EXPECT_TRUE(open.back().ok());
  }
  PickResult refused = target.Pick();
  EXPECT_EQ(refused.failure, PickFailure::kOverflow);
  EXPECT_TRUE(absl::IsResourceExhausted(refused.status()));
  open.pop_back();  // dropped: counts as cancelled
  EXPECT_TRUE(target.Pick().ok());
}

TEST_F(MeshTest, LeastRequestSeesWhatIsInFlight) {
  auto cluster = MakeCluster("a", 2);
  cluster->lb.policy = model::LbPolicy::kLeastRequest;
  cluster->lb.selection = model::LeastRequestSelection::kFullScan;
  config_->clusters.push_back(cluster);
  Start();
  const Target target = Resolve("cluster:a");
  PickResult busy = target.Pick();
  const std::string address(busy.address);
  for (int i = 0; i < 20; ++i) {
    PickResult pick = target.Pick();
    EXPECT_NE(pick.address, address);
    target.Report(pick.token, Outcome::Ok());
  }
  target.Report(busy.token, Outcome::Ok());
  bool again = false;
  for (int i = 0; i < 40; ++i) again |= target.Pick().address == address;
  EXPECT_TRUE(again) << "the report was not counted";
}

TEST_F(MeshTest, RetriesGoToOtherHostsUntilTheLimit) {
  config_->clusters.push_back(MakeCluster("a", 3));
  config_->listeners.push_back(
      MakeListener({MakeRetryRoute("a", model::kRetryOn5xx, 2)}));
  Start();
  const Target target = Resolve("any.host");
  for (int round = 0; round < 20; ++round) {
    std::set<std::string> tried;
    PickResult pick = target.Pick();
    int attempts = 0;
    RetryDecision decision;
    while (true) {
      ASSERT_TRUE(pick.ok());
      ++attempts;
      EXPECT_EQ(pick.attempt, static_cast<uint32_t>(attempts));
      tried.insert(std::string(pick.address));
      decision = target.Report(pick.token, Outcome::Http(503));
      if (!decision.retry) break;
      pick = target.Pick({}, std::move(pick.token));
    }
    EXPECT_EQ(attempts, 3);
    EXPECT_EQ(tried.size(), 3u) << "a host was tried twice";
    EXPECT_EQ(decision.reason, Reason::kLimitExceeded);
  }
}

TEST_F(MeshTest, RetryBudgetIsGivenBackWhenTheTokenIsDropped) {
  auto cluster = MakeCluster("a", 3);
  cluster->circuit_breakers.thresholds[0].max_retries = 1;
  config_->clusters.push_back(cluster);
  config_->listeners.push_back(
      MakeListener({MakeRetryRoute("a", model::kRetryOn5xx, 1)}));
  Start();
  const Target target = Resolve("any.host");
  PickResult first = target.Pick();
  EXPECT_TRUE(target.Report(first.token, Outcome::Http(503)).retry);
  PickResult second = target.Pick();
  EXPECT_EQ(target.Report(second.token, Outcome::Http(503)).reason,
            Reason::kOverflow);
  first.token = PickToken();
  PickResult third = target.Pick();
  EXPECT_TRUE(target.Report(third.token, Outcome::Http(503)).retry);
}

TEST_F(MeshTest, EjectsAHostAfterConsecutiveErrorsAndTakesItBack) {
  auto cluster = MakeCluster("a", 4);
  cluster->outlier_detection.emplace();
  cluster->outlier_detection->consecutive_5xx = 3;
  cluster->outlier_detection->max_ejection_percent = 50;
  config_->clusters.push_back(cluster);
  Start();
  const Target target = Resolve("cluster:a");
  const auto run = [&](int requests) {
    std::map<std::string, int> counts;
    for (int i = 0; i < requests; ++i) {
      PickResult pick = target.Pick();
      const bool bad = pick.address == "10.0.0.2:80";
      ++counts[std::string(pick.address)];
      target.Report(pick.token, bad ? Outcome::Http(500) : Outcome::Ok());
      mesh_->RunPending();
    }
    return counts;
  };
  EXPECT_EQ(run(400)["10.0.0.2:80"], 3);
  Explanation why = target.Explain({});
  EXPECT_EQ(std::count_if(why.hosts.begin(), why.hosts.end(),
                          [](const auto& h) { return h.ejected; }),
            1);
  clock_.Advance(absl::Seconds(45));
  mesh_->RunPending();
  EXPECT_EQ(run(400)["10.0.0.2:80"], 3) << "it came back and failed again";
}

TEST_F(MeshTest, PollDescriptorIsReadableWhenControlWorkWaits) {
  auto cluster = MakeCluster("a", 4);
  cluster->outlier_detection.emplace();
  cluster->outlier_detection->consecutive_5xx = 1;
  cluster->outlier_detection->max_ejection_percent = 50;
  config_->clusters.push_back(cluster);
  Start();
  const Target target = Resolve("cluster:a");
  const auto readable = [&] {
    pollfd entry = {mesh_->PollDescriptor(), POLLIN, 0};
    return poll(&entry, 1, 0) == 1;
  };
  mesh_->RunPending();
  EXPECT_FALSE(readable());
  PickResult pick = target.Pick();
  target.Report(pick.token, Outcome::Http(500));
  EXPECT_TRUE(readable());
  mesh_->RunPending();
  EXPECT_FALSE(readable());
  const Explanation why = target.Explain({});
  EXPECT_EQ(std::count_if(why.hosts.begin(), why.hosts.end(),
                          [](const auto& h) { return h.ejected; }),
            1);
}

TEST_F(MeshTest, PassesOverAHostWhoseConnectFailed) {
  config_->clusters.push_back(MakeCluster("a", 3));
  Start();
  const Target target = Resolve("cluster:a");
  int refused = 0;
  for (int i = 0; i < 300; ++i) {
    PickResult pick = target.Pick();
    ASSERT_TRUE(pick.ok());
    const bool down = pick.address == "10.0.0.1:80";
    refused += down;
    target.Report(pick.token, down ? Outcome::Failure(Kind::kConnectFailure)
                                   : Outcome::Ok());
  }
  EXPECT_EQ(refused, 1) << "nothing moved the clock";
  clock_.Advance(absl::Seconds(10));
  bool again = false;
  for (int i = 0; i < 3; ++i) {
    PickResult pick = target.Pick();
    again |= pick.address == "10.0.0.1:80";
    target.Report(pick.token, Outcome::Ok());
  }
  EXPECT_TRUE(again);
}

// Without a host that could be used, the back-off must not disturb the turns.
TEST_F(MeshTest, HostsThatAllRefuseAreStillTriedInTurn) {
  for (const uint32_t hosts : {3u, 9u, 100u}) {
    config_ = std::make_shared<model::Config>();
    config_->clusters.push_back(MakeCluster("a", hosts));
    Start();
    const Target target = Resolve("cluster:a");
    std::map<std::string, uint32_t> counts;
    for (uint32_t i = 0; i < 10 * hosts; ++i) {
      PickResult pick = target.Pick();
      ASSERT_TRUE(pick.ok());
      ++counts[std::string(pick.address)];
      target.Report(pick.token, Outcome::Failure(Kind::kConnectFailure));
    }
    ASSERT_EQ(counts.size(), hosts);
    for (const auto& [address, count] : counts) EXPECT_NEAR(count, 10, 2);
  }
}

// Two priorities: `refused` hosts that refuse, and behind them two others.
std::shared_ptr<model::Cluster> MakeFailover(uint32_t refused) {
  auto cluster = MakeCluster("a", refused);
  auto endpoints = std::make_shared<model::Endpoints>(*cluster->endpoints);
  model::LocalityEndpoints& other = endpoints->localities.emplace_back();
  other.locality.region = "other";
  other.priority = 1;
  other.endpoints = {test::MakeEndpoint("10.9.0.1:80", 1),
                     test::MakeEndpoint("10.9.0.2:80", 9)};
  cluster->endpoints = std::move(endpoints);
  return cluster;
}

TEST_F(MeshTest, ARefusingPriorityGivesWayToTheNextByItsWeights) {
  for (const bool degraded : {false, true}) {
    config_ = std::make_shared<model::Config>();
    auto cluster = MakeFailover(200);
    if (degraded) {
      auto endpoints = std::make_shared<model::Endpoints>(*cluster->endpoints);
      for (model::Endpoint& endpoint : endpoints->localities[1].endpoints) {
        endpoint.health = model::HealthStatus::kDegraded;
      }
      cluster->endpoints = std::move(endpoints);
    }
    config_->clusters.push_back(cluster);
    Start();
    const Target target = Resolve("cluster:a");
    std::map<std::string, int> served;
    for (int i = 0; i < 3000; ++i) {
      PickResult pick = target.Pick();
      ASSERT_TRUE(pick.ok());
      const bool good = pick.address.rfind("10.9.", 0) == 0;
      if (good) ++served[std::string(pick.address)];
      target.Report(pick.token, good ? Outcome::Ok()
                                     : Outcome::Failure(Kind::kConnectFailure));
    }
    // Each of the 200 refused once: time stands still.
    EXPECT_EQ(served["10.9.0.1:80"] + served["10.9.0.2:80"], 2800);
    EXPECT_NEAR(served["10.9.0.1:80"], 280, 3);
  }
}

TEST_F(MeshTest, ARefusingPriorityGivesWayToOneHostForOneHash) {
  for (const auto policy :
       {model::LbPolicy::kRingHash, model::LbPolicy::kMaglev}) {
    config_ = std::make_shared<model::Config>();
    auto cluster = MakeFailover(100);
    cluster->lb.policy = policy;
    config_->clusters.push_back(cluster);
    Start();
    const Target target = Resolve("cluster:a");
    for (uint64_t hash = 1; hash < 4000; ++hash) {
      Request request;
      request.hash = hash * 0x9e3779b97f4a7c15u;
      PickResult pick = target.Pick(request);
      if (pick.address.rfind("10.9.", 0) != 0) {
        target.Report(pick.token, Outcome::Failure(Kind::kConnectFailure));
      }
    }
    std::set<std::string> of_one_hash, of_all;
    for (uint64_t i = 0; i < 100; ++i) {
      Request request;
      request.hash = 4711;
      of_one_hash.emplace(target.Pick(request).address);
      request.hash = i * 0x9e3779b97f4a7c15u;
      of_all.emplace(target.Pick(request).address);
    }
    EXPECT_EQ(of_one_hash.size(), 1u);
    EXPECT_EQ(of_all, (std::set<std::string>{"10.9.0.1:80", "10.9.0.2:80"}));
  }
}

TEST_F(MeshTest, NoRetryStartsBeyondTheRoutesTimeout) {
  config_->clusters.push_back(MakeCluster("a", 3));
  model::Route route = MakeRetryRoute("a", model::kRetryOn5xx, 2);
  auto& action = std::get<model::RouteAction>(route.action);
  action.timeout = absl::Milliseconds(10);
  action.retry_policy->base_interval = absl::Milliseconds(1);
  config_->listeners.push_back(MakeListener({route}));
  Start();
  const Target target = Resolve("any.host");
  PickResult pick = target.Pick();
  EXPECT_EQ(pick.timeout, absl::Milliseconds(10));
  EXPECT_TRUE(target.Report(pick.token, Outcome::Http(503)).retry);
  clock_.Advance(absl::Milliseconds(10));
  pick = target.Pick({}, std::move(pick.token));
  EXPECT_EQ(target.Report(pick.token, Outcome::Http(503)).reason,
            Reason::kDeadline);
}

TEST_F(MeshTest, ARequestsHeadersMayAskForRetries) {
  config_->clusters.push_back(MakeCluster("a", 3));
  config_->listeners.push_back(MakeListener({MakeRoute("a")}));
  Start();
  const Target target = Resolve("any.host");
  PickResult pick = target.Pick();
  EXPECT_EQ(target.Report(pick.token, Outcome::Http(503)).reason,
            Reason::kNoPolicy);
  const Header header{"x-envoy-retry-on", "5xx"};
  Request request;
  request.headers = absl::MakeConstSpan(&header, 1);
  pick = target.Pick(request);
  EXPECT_TRUE(target.Report(pick.token, Outcome::Http(503)).retry);
  pick = target.Pick(request, std::move(pick.token));
  EXPECT_EQ(target.Report(pick.token, Outcome::Http(503)).reason,
            Reason::kLimitExceeded);
}

TEST_F(MeshTest, ASuccessEndsARunOfFailures) {
  auto cluster = MakeCluster("a", 1);
  cluster->outlier_detection.emplace();
  cluster->outlier_detection->max_ejection_percent = 100;
  config_->clusters.push_back(cluster);
  Start();
  const Target target = Resolve("cluster:a");
  const auto report = [&](const Outcome& outcome) {
    PickResult pick = target.Pick();
    ASSERT_TRUE(pick.ok()) << pick.status();
    target.Report(pick.token, outcome);
    mesh_->RunPending();
  };
  const auto ejected = [&] {
    return target.Explain(Request()).hosts.at(0).ejected;
  };
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 4; ++i) report(Outcome::Http(503));
    report(Outcome::Ok());
  }
  EXPECT_FALSE(ejected());
  for (int i = 0; i < 5; ++i) report(Outcome::Http(503));
  EXPECT_TRUE(ejected());
}

TEST_F(MeshTest, ASuccessEndsTheGrowthOfConnectBackoff) {
  config_->clusters.push_back(MakeCluster("a", 2));
  Start();
  const Target target = Resolve("cluster:a");
  const auto report_first = [&](const Outcome& outcome) {
    for (int i = 0; i < 4; ++i) {
      PickResult pick = target.Pick();
      const bool first = pick.address == "10.0.0.1:80";
      target.Report(pick.token, first ? outcome : Outcome::Ok());
      if (first) return true;
    }
    return false;
  };
  const Outcome refused = Outcome::Failure(Kind::kConnectFailure);
  // Each first back-off is 1 s and at most 20 % longer, a second 1.6 s and at
  // most 20 % shorter.
  for (int round = 0; round < 5; ++round) {
    ASSERT_TRUE(report_first(refused)) << round;
    EXPECT_FALSE(report_first(refused));
    clock_.Advance(absl::Milliseconds(1250));
    ASSERT_TRUE(report_first(Outcome::Ok())) << round;
  }
}

TEST_F(MeshTest, ASuccessIsOneOfLocalOriginToo) {
  auto cluster = MakeCluster("a", 1);
  model::OutlierDetection& outlier = cluster->outlier_detection.emplace();
  outlier.max_ejection_percent = 100;
  outlier.split_external_local_origin_errors = true;
  outlier.enforcing_failure_percentage_local_origin = 100;
  outlier.failure_percentage_threshold = 30;
  outlier.failure_percentage_minimum_hosts = 1;
  outlier.failure_percentage_request_volume = 5;
  config_->clusters.push_back(cluster);
  Start();
  const Target target = Resolve("cluster:a");
  const auto interval = [&](int successes, int failures) {
    for (int i = 0; i < successes + failures; ++i) {
      PickResult pick = target.Pick();
      // A reset of a connection that was made: a success and a failure.
      target.Report(pick.token, i < successes ? Outcome::Ok()
                                              : Outcome::Failure(Kind::kReset));
      if (i >= successes && i % 2 == 0) {
        PickResult again = target.Pick();
        target.Report(again.token, Outcome::Ok());
      }
    }
    clock_.Advance(absl::Seconds(10));
    mesh_->RunPending();
    return target.Explain(Request()).hosts.at(0).ejected;
  };
  EXPECT_FALSE(interval(20, 4));
}

// The way around a host in back-off must not lead to one that was tried.
TEST_F(MeshTest, ARetryAvoidsBackoffAndPreviousHostsAlike) {
  config_->clusters.push_back(MakeCluster("a", 3));
  config_->listeners.push_back(
      MakeListener({MakeRetryRoute("a", model::kRetryOn5xx, 1)}));
  Start();
  const Target target = Resolve("any.host");
  for (int i = 0; i < 3; ++i) {
    PickResult pick = target.Pick();
    if (pick.address == "10.0.0.2:80") {
      target.Report(pick.token, Outcome::Failure(Kind::kConnectFailure));
    }
  }
  for (uint32_t i = 0; i < 60; ++i) {
    PickResult pick = target.Pick();
    const std::string tried(pick.address);
    ASSERT_TRUE(target.Report(pick.token, Outcome::Http(503)).retry);
    // Others take some turns meanwhile.
    for (uint32_t k = (i + 1) * 2654435761u >> 30; k > 0; --k) target.Pick();
    pick = target.Pick({}, std::move(pick.token));
    EXPECT_NE(pick.address, tried);
    EXPECT_NE(pick.address, "10.0.0.2:80");
    target.Report(pick.token, Outcome::Ok());
  }
}

TEST_F(MeshTest, AnUpdateKeepsCountsAndEjections) {
  auto cluster = MakeCluster("a", 3);
  cluster->circuit_breakers.thresholds[0].max_requests = 1;
  cluster->outlier_detection.emplace();
  cluster->outlier_detection->consecutive_5xx = 1;
  cluster->outlier_detection->max_ejection_percent = 100;
  config_->clusters.push_back(cluster);
  Start();
  const Target target = Resolve("cluster:a");
  PickResult bad = target.Pick();
  const std::string ejected(bad.address);
  target.Report(bad.token, Outcome::Http(500));
  mesh_->RunPending();
  PickResult open = target.Pick();

  auto changed = std::make_shared<model::Cluster>(*cluster);
  auto endpoints = std::make_shared<model::Endpoints>(*cluster->endpoints);
  endpoints->localities[0].endpoints.push_back(MakeEndpoint("10.9.9.9:80"));
  changed->endpoints = endpoints;
  auto config = std::make_shared<model::Config>();
  config->clusters.push_back(changed);
  Apply(config);

  EXPECT_EQ(target.Pick().failure, PickFailure::kOverflow)
      << "the open request was forgotten";
  target.Report(open.token, Outcome::Ok());
  for (int i = 0; i < 30; ++i) {
    PickResult pick = target.Pick();
    ASSERT_TRUE(pick.ok());
    EXPECT_NE(pick.address, ejected);
    target.Report(pick.token, Outcome::Ok());
  }
}

TEST_F(MeshTest, AHostThatLeftStaysValidUntilItsTokenIsDone) {
  auto cluster = MakeCluster("a", 2);
  config_->clusters.push_back(cluster);
  Start();
  const Target target = Resolve("cluster:a");
  PickResult open = target.Pick();
  const std::string address(open.address);
  auto config = std::make_shared<model::Config>();
  config->clusters.push_back(MakeCluster("b", 1));
  Apply(config);
  clock_.Advance(absl::Seconds(1));
  mesh_->RunPending();
  EXPECT_EQ(open.address, address);  // ASan watches
  EXPECT_EQ(target.Pick().failure, PickFailure::kNotReady);
  EXPECT_FALSE(target.Report(open.token, Outcome::Ok()).retry);
  open.token = PickToken();
  clock_.Advance(absl::Seconds(1));
  mesh_->RunPending();
}

TEST_F(MeshTest, ShutDownMeshRefusesButLetsTokensEnd) {
  config_->clusters.push_back(MakeCluster("a", 1));
  Start();
  const Target target = Resolve("cluster:a");
  PickResult open = target.Pick();
  mesh_.reset();
  EXPECT_EQ(target.Pick().failure, PickFailure::kShutdown);
  EXPECT_TRUE(absl::IsFailedPrecondition(target.Pick().status()));
  EXPECT_EQ(target.Report(open.token, Outcome::Ok()).reason, Reason::kSuccess);
}

TEST_F(MeshTest, UnknownNamesSayWhatThereIs) {
  config_->clusters.push_back(MakeCluster("alpha", 1));
  Start();
  const auto target = mesh_->Resolve("cluster:beta");
  EXPECT_TRUE(absl::IsNotFound(target.status()));
  EXPECT_THAT(std::string(target.status().message()),
              HasSubstr("cluster:alpha"));
}

TEST_F(MeshTest, ExplainNamesRouteClusterAndPick) {
  config_->clusters.push_back(MakeCluster("a", 2));
  model::Route admin = MakeRoute("nowhere");
  admin.name = "admin";
  admin.match.path.value = "/admin";
  std::get<model::RouteAction>(admin.action).cluster_not_found_response_code =
      404;
  model::Route rest = MakeRoute("a");
  rest.name = "rest";
  config_->listeners.push_back(MakeListener({admin, rest}));
  Start();
  const Target target = Resolve("any.host");
  Request request;
  request.path = "/x";
  const Explanation why = target.Explain(request);
  EXPECT_EQ(why.virtual_host, "all");
  EXPECT_EQ(why.route, "rest");
  EXPECT_EQ(why.cluster, "a");
  ASSERT_EQ(why.rejected.size(), 1u);
  EXPECT_EQ(why.rejected[0].route, "admin");
  ASSERT_EQ(why.priorities.size(), 1u);
  EXPECT_EQ(why.priorities[0].healthy_load, 100u);
  ASSERT_TRUE(why.pick.has_value());
  EXPECT_EQ(target.Pick(request).address, *why.pick);
  request.path = "/admin/x";
  EXPECT_EQ(target.Pick(request).failure, PickFailure::kUnknownCluster);
  ASSERT_TRUE(target.Explain(request).response.has_value());
  EXPECT_EQ(target.Explain(request).response->status, 404u);
  EXPECT_EQ(target.Explain(request).failure, "unknown cluster");
}

TEST_F(MeshTest, WaitForPickGivesUpAtItsDeadline) {
  auto cluster = MakeCluster("a", 1);
  auto endpoints = std::make_shared<model::Endpoints>(*cluster->endpoints);
  endpoints->localities[0].endpoints[0].health =
      model::HealthStatus::kUnhealthy;
  cluster->endpoints = endpoints;
  cluster->lb.healthy_panic_threshold = 0;
  config_->clusters.push_back(cluster);
  Start();
  const Target target = Resolve("cluster:a");
  const PickResult pick = target.WaitForPick({}, clock_.Now());
  EXPECT_EQ(pick.failure, PickFailure::kNoHealthyHost);
  EXPECT_TRUE(absl::IsDeadlineExceeded(mesh_->WaitReady(target, clock_.Now())));
}

}  // namespace
}  // namespace meshlib
