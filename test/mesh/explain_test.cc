// Explain says what the next pick does, and changes nothing.

#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "mesh/core.h"
#include "meshlib/mesh.h"
#include "meshlib/testing/fake_clock.h"
#include "test/cluster/test_config.h"

namespace meshlib {
namespace {

using test::MakeCluster;
using test::MakeEndpoint;
using test::MakeListener;
using test::MakeRoute;
using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;
using Kind = Outcome::Kind;

class ExplainTest : public ::testing::Test {
 protected:
  void Start(std::shared_ptr<model::Cluster> cluster,
             std::vector<model::Route> routes = {}) {
    auto config = std::make_shared<model::Config>();
    const std::string name = cluster->name;
    config->clusters.push_back(std::move(cluster));
    if (!routes.empty()) {
      config->listeners.push_back(MakeListener(std::move(routes)));
    }
    MeshOptions options;
    options.clock = &clock_;
    options.seed = 1;
    options.own_thread = false;
    options.thread_stripes = 1;
    auto mesh = mesh::MeshFactory::Create(config, std::move(options));
    ASSERT_TRUE(mesh.ok()) << mesh.status();
    mesh_ = *std::move(mesh);
    target_ = std::make_unique<Target>(*mesh_->Resolve(
        config->listeners.empty() ? "cluster:" + name : "any.host"));
  }

  // What the pick did that Explain was asked about just before.
  PickResult PickAsExplained() {
    const Explanation why = target_->Explain({});
    PickResult pick = target_->Pick();
    EXPECT_EQ(why.pick.value_or(""), pick.address);
    EXPECT_EQ(why.failure, pick.ok() ? "" : PickFailureName(pick.failure));
    return pick;
  }

  std::vector<std::string> Addresses(bool (*which)(const Explanation::Host&)) {
    std::vector<std::string> addresses;
    for (const Explanation::Host& host : target_->Explain({}).hosts) {
      if (which(host)) addresses.push_back(host.address);
    }
    return addresses;
  }
  std::vector<std::string> Available() {
    return Addresses([](const Explanation::Host& h) { return h.available; });
  }

  meshlib::testing::FakeClock clock_;
  std::unique_ptr<Mesh> mesh_;
  std::unique_ptr<Target> target_;
};

std::shared_ptr<model::Cluster> Weighted(model::LbPolicy policy,
                                         bool weighted) {
  auto cluster = MakeCluster("a", 5);
  cluster->lb.policy = policy;
  cluster->lb.maglev_table_size = 251;
  auto endpoints = std::make_shared<model::Endpoints>(*cluster->endpoints);
  uint32_t weight = 1;
  for (auto& endpoint : endpoints->localities[0].endpoints) {
    if (weighted) endpoint.weight = weight++;
  }
  cluster->endpoints = endpoints;
  return cluster;
}

TEST_F(ExplainTest, GivesThePickThatComesNext) {
  using model::LbPolicy;
  const auto pick_many = [this] {
    std::vector<PickResult> open;
    for (int i = 0; i < 60; ++i) {
      open.push_back(PickAsExplained());
      if (i % 3 == 0) target_->Report(open.back().token, Outcome::Ok());
    }
  };
  for (const LbPolicy policy :
       {LbPolicy::kRoundRobin, LbPolicy::kLeastRequest, LbPolicy::kRandom,
        LbPolicy::kRingHash, LbPolicy::kMaglev,
        LbPolicy::kClientSideWeightedRoundRobin}) {
    for (const bool weighted : {false, true}) {
      SCOPED_TRACE(model::LbPolicyName(policy));
      Start(Weighted(policy, weighted));
      pick_many();
      // A thread without turns of its own: this one has taken the only ones.
      std::thread(pick_many).join();
    }
  }
}

TEST_F(ExplainTest, SaysThatABreakerIsFull) {
  auto cluster = MakeCluster("a", 2);
  cluster->circuit_breakers.thresholds[0].max_requests = 2;
  Start(cluster);
  PickResult first = PickAsExplained();
  PickResult second = PickAsExplained();
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(PickAsExplained().failure, PickFailure::kOverflow);
  }
  EXPECT_EQ(target_->Explain({}).hosts.size(), 2u);
  target_->Report(first.token, Outcome::Ok());
  EXPECT_TRUE(PickAsExplained().ok());
}

TEST_F(ExplainTest, AsksTheBreakerOfTheRoutesPriority) {
  auto cluster = MakeCluster("a", 2);
  cluster->circuit_breakers.thresholds[1].max_requests = 0;
  model::Route high = MakeRoute("a");
  std::get<model::RouteAction>(high.action).priority =
      model::RoutingPriority::kHigh;
  Start(cluster, {high});
  EXPECT_EQ(PickAsExplained().failure, PickFailure::kOverflow);
  Start(cluster, {MakeRoute("a")});
  EXPECT_TRUE(PickAsExplained().ok());
}

TEST_F(ExplainTest, GivesTheProbabilityOfDrops) {
  auto cluster = MakeCluster("a", 2);
  auto endpoints = std::make_shared<model::Endpoints>(*cluster->endpoints);
  endpoints->drops = {{"lb", 500'000}, {"throttle", 200'000}};
  cluster->endpoints = endpoints;
  Start(cluster);
  int dropped = 0;
  for (int i = 0; i < 1000; ++i) {
    const Explanation why = target_->Explain({});
    EXPECT_DOUBLE_EQ(why.drop_probability, 0.6);
    ASSERT_TRUE(why.pick.has_value());
    const PickResult pick = target_->Pick();
    if (!pick.ok()) {
      EXPECT_EQ(pick.failure, PickFailure::kDropped);
      ++dropped;
    } else {
      EXPECT_EQ(*why.pick, pick.address);
    }
  }
  EXPECT_NEAR(dropped, 600, 60);
}

TEST_F(ExplainTest, HasNoPickWhenEverythingIsDropped) {
  auto cluster = MakeCluster("a", 2);
  auto endpoints = std::make_shared<model::Endpoints>(*cluster->endpoints);
  endpoints->drops = {{"all", 1'000'000}};
  cluster->endpoints = endpoints;
  Start(cluster);
  EXPECT_EQ(target_->Explain({}).drop_probability, 1);
  EXPECT_EQ(PickAsExplained().failure, PickFailure::kDropped);
}

TEST_F(ExplainTest, PassesOverHostsInConnectBackoff) {
  for (const auto policy :
       {model::LbPolicy::kRoundRobin, model::LbPolicy::kRingHash}) {
    auto cluster = MakeCluster("a", 4);
    cluster->lb.policy = policy;
    Start(cluster);
    PickResult refused = PickAsExplained();
    const std::string address(refused.address);
    target_->Report(refused.token, Outcome::Failure(Kind::kConnectFailure));
    EXPECT_THAT(Addresses([](const Explanation::Host& host) {
                  return host.connect_backoff;
                }),
                ElementsAre(address));
    EXPECT_EQ(Available().size(), 3u);
    for (int i = 0; i < 30; ++i) {
      EXPECT_NE(PickAsExplained().address, address);
    }
    clock_.Advance(absl::Seconds(10));
    EXPECT_EQ(Available().size(), 4u);
    for (int i = 0; i < 30; ++i) EXPECT_TRUE(PickAsExplained().ok());
  }
}

TEST_F(ExplainTest, TurnsToThePriorityThatPicksTurnTo) {
  auto cluster = MakeCluster("a", 1);
  auto endpoints = std::make_shared<model::Endpoints>(*cluster->endpoints);
  endpoints->localities.push_back(endpoints->localities[0]);
  endpoints->localities[1].locality.region = "standby";
  endpoints->localities[1].priority = 1;
  endpoints->localities[1].endpoints = {
      MakeEndpoint("10.9.0.1:80"),
      MakeEndpoint("10.9.0.2:80", 1, model::HealthStatus::kUnhealthy)};
  cluster->endpoints = endpoints;
  Start(cluster);
  EXPECT_THAT(Available(), ElementsAre("10.0.0.1:80"));
  for (const char* address : {"10.0.0.1:80", "10.9.0.1:80"}) {
    PickResult pick = PickAsExplained();
    EXPECT_EQ(pick.address, address);
    EXPECT_THAT(Available(), ElementsAre(address));
    target_->Report(pick.token, Outcome::Failure(Kind::kConnectFailure));
  }
  // Nowhere to turn to: back-off does not matter any more.
  EXPECT_THAT(Available(), UnorderedElementsAre("10.0.0.1:80"));
  EXPECT_EQ(PickAsExplained().address, "10.0.0.1:80");
}

TEST_F(ExplainTest, SaysThatTheMeshIsShutDown) {
  Start(MakeCluster("a", 1));
  mesh_->Shutdown();
  EXPECT_EQ(PickAsExplained().failure, PickFailure::kShutdown);
}

// Neither the pick nor the explanation counts the request itself twice.
TEST_F(ExplainTest, KnowsHowBoundedLoadsShareOutRequests) {
  const auto cluster = test::MakeCluster("a", 3);
  cluster->lb.policy = model::LbPolicy::kRingHash;
  cluster->lb.hash_balance_factor = 100;
  Start(cluster);
  Request request;
  request.hash = 12345;
  std::map<std::string, uint32_t> active;
  std::vector<PickResult> open;
  for (uint32_t i = 0; i < 30; ++i) {
    const Explanation why = target_->Explain(request);
    open.push_back(target_->Pick(request));
    ASSERT_EQ(why.pick, open.back().address);
    // Envoy's rule at 100 percent: who is picked had no more than its share of
    // the requests, this one included, rounded up.
    EXPECT_LE(active[*why.pick]++, (i + 1 + 2) / 3) << i;
  }
}

}  // namespace
}  // namespace meshlib
