#include "lb/zone_aware.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "test/lb/fake_cluster.h"

namespace meshlib::lb {
namespace {

using Mode = ZoneAwarePlan::Mode;

struct ZoneCase {
  const char* name;
  std::vector<uint32_t> local;     // hosts of the local cluster by zone
  std::vector<uint32_t> upstream;  // healthy hosts by zone, the own one first
  Mode mode;
  uint64_t local_share = 0;
  std::vector<uint64_t> residual = {};
};

class ZoneAware : public ::testing::Test {
 protected:
  ZoneAwarePlan Plan(const std::vector<uint32_t>& local,
                     const std::vector<uint32_t>& upstream) {
    local_.zones.clear();
    for (size_t i = 0; i < local.size(); ++i) {
      LocalCluster::Zone zone;
      zone.locality.zone = std::string(1, static_cast<char>('a' + i));
      zone.hosts = zone.healthy = local[i];
      zone.healthy_weight = local[i];
      local_.zones.push_back(zone);
    }
    return PlanZoneAware(Input(upstream));
  }

  // With local_ as it stands.
  ZoneAwareInput Input(const std::vector<uint32_t>& upstream) {
    names_.clear();
    ZoneAwareInput input;
    input.zones.resize(upstream.size());
    for (size_t i = 0; i < upstream.size(); ++i) {
      names_.push_back(std::make_unique<model::Locality>());
      names_.back()->zone = std::string(1, static_cast<char>('a' + i));
      input.zones[i] = {names_.back().get(), upstream[i], upstream[i]};
      input.healthy_hosts += upstream[i];
    }
    own_.zone = "a";
    input.own_zone_first = own_first_;
    input.config = &config_;
    input.local_cluster = &local_;
    input.own_locality = &own_;
    return input;
  }

  model::ZoneAwareLb config_;
  LocalCluster local_;
  model::Locality own_;
  bool own_first_ = true;
  std::vector<std::unique_ptr<model::Locality>> names_;
};

TEST_F(ZoneAware, PlansAsEnvoyDoes) {
  const ZoneCase kCases[] = {
      {"same shares stay", {10, 10}, {10, 10}, Mode::kDirect},
      {"more upstream stays", {1, 3}, {5, 5}, Mode::kDirect},
      // 40/40/20 local, 25/50/25 upstream: 62.5 % stay, the rest goes to
      // the free 10 and 5 percent.
      {"residual",
       {4, 4, 2},
       {5, 10, 5},
       Mode::kResidual,
       6250,
       {0, 1000, 1500}},
      {"rounding down",
       {1, 1, 1},
       {2, 4, 1},
       Mode::kResidual,
       8571,
       {0, 2381, 2381}},
      {"own zone empty upstream",
       {5, 5},
       {0, 10},
       Mode::kResidual,
       0,
       {0, 5000}},
      {"one upstream zone", {5, 5}, {10}, Mode::kOff},
      {"one local zone", {10}, {5, 5}, Mode::kOff},
      {"own local zone empty", {0, 5, 5}, {5, 5}, Mode::kOff},
      {"too small", {1, 3}, {2, 3}, Mode::kOff},
      {"just large enough", {1, 3}, {3, 3}, Mode::kDirect},
  };
  for (const ZoneCase& c : kCases) {
    const ZoneAwarePlan plan = Plan(c.local, c.upstream);
    EXPECT_EQ(plan.mode, c.mode) << c.name;
    EXPECT_EQ(plan.local_share, c.local_share) << c.name;
    EXPECT_EQ(plan.residual, c.residual) << c.name;
  }
}

TEST_F(ZoneAware, WithoutOwnUpstreamZoneEverythingIsResidual) {
  own_first_ = false;
  const ZoneAwarePlan plan = Plan({5, 5}, {2, 8});
  EXPECT_EQ(plan.mode, Mode::kResidual);
  EXPECT_EQ(plan.local_share, 0u);
  EXPECT_EQ(plan.residual, (std::vector<uint64_t>{0, 3000}));
}

TEST_F(ZoneAware, ForceLocalZoneStaysAboveItsMinimum) {
  EXPECT_EQ(Plan({9, 1}, {1, 9}).mode, Mode::kResidual);
  config_.force_local_zone_min_size = 1;
  EXPECT_EQ(Plan({9, 1}, {1, 9}).mode, Mode::kDirect);
  // The number of local zones does not matter then.
  EXPECT_EQ(Plan({10}, {1, 9}).mode, Mode::kDirect);
  config_.force_local_zone_min_size = 2;
  EXPECT_EQ(Plan({9, 1}, {1, 9}).mode, Mode::kResidual);
  EXPECT_EQ(Plan({9, 1}, {2, 9}).mode, Mode::kDirect);
  config_.force_local_zone_min_size.reset();
  config_.force_locality_direct_routing = true;
  EXPECT_EQ(Plan({9, 1}, {1, 9}).mode, Mode::kDirect);
  EXPECT_EQ(Plan({9, 1}, {0, 9}).mode, Mode::kResidual);
}

TEST_F(ZoneAware, CountsWeightsWhenThatIsTheBasis) {
  ZoneAwarePlan plan = Plan({5, 5}, {5, 5});
  EXPECT_EQ(plan.percentages[0].upstream, 5000u);
  config_.locality_basis = model::LocalityBasis::kHealthyHostsWeight;
  local_.zones[0].healthy_weight = 30;
  ZoneAwareInput input = Input({5, 5});
  input.zones[1] = {names_[1].get(), 5, 15};
  plan = PlanZoneAware(input);
  EXPECT_EQ(plan.percentages[0].upstream, 2500u);
  EXPECT_EQ(plan.percentages[1].upstream, 7500u);
  EXPECT_EQ(plan.percentages[0].local, 8571u);  // 30 of 35
  EXPECT_EQ(plan.local_share, 2916u);
}

TEST_F(ZoneAware, IsOffWhileTheLocalClusterPanics) {
  Plan({5, 5}, {5, 5});
  local_.zones[0].healthy = 2;
  local_.zones[1].healthy = 2;
  ZoneAwareInput input = Input({5, 5});
  EXPECT_EQ(PlanZoneAware(input).mode, Mode::kOff);
  config_.fail_traffic_on_panic = true;
  EXPECT_EQ(PlanZoneAware(input).mode, Mode::kFail);
  input.panic_threshold = 40;
  EXPECT_EQ(PlanZoneAware(input).mode, Mode::kDirect);
}

TEST_F(ZoneAware, DrawsByLocalShareAndResidualCapacity) {
  const ZoneAwarePlan plan = Plan({4, 4, 2}, {5, 10, 5});
  base::Random random(5);
  std::vector<int> counts(3);
  for (int i = 0; i < 100000; ++i) ++counts[DrawZone(plan, random)];
  EXPECT_NEAR(counts[0], 62500, 700);
  EXPECT_NEAR(counts[1], 25000, 700);
  EXPECT_NEAR(counts[2], 12500, 700);
}

TEST_F(ZoneAware, NeedsNoCapacityToDraw) {
  ZoneAwarePlan plan;
  plan.mode = Mode::kResidual;
  plan.residual = {0, 0, 0};
  base::Random random(5);
  std::vector<int> counts(3);
  for (int i = 0; i < 3000; ++i) ++counts[DrawZone(plan, random)];
  for (const int count : counts) EXPECT_NEAR(count, 1000, 150);
}

TEST_F(ZoneAware, RoutesOnlyTheEnabledPercentageByZone) {
  config_.routing_enabled_percent = 25;
  const ZoneAwarePlan plan = Plan({10, 10}, {10, 10});
  base::Random random(5);
  int by_zone = 0;
  for (int i = 0; i < 100000; ++i) {
    by_zone += DrawRoutedByZone(plan, random) ? 1 : 0;
  }
  EXPECT_NEAR(by_zone, 25000, 600);
  config_.routing_enabled_percent = 0;
  EXPECT_EQ(Plan({10, 10}, {10, 10}).mode, Mode::kOff);
}

// The caller is in region a; its own cluster has hosts there and in region b.
void CallFromRegionA(FakeCluster& cluster, uint32_t hosts_a, uint32_t hosts_b) {
  model::Locality own;
  own.region = "a";
  cluster.input.own_locality = std::make_shared<const model::Locality>(own);
  auto local = std::make_shared<LocalCluster>();
  local->zones.resize(2);
  local->zones[0].locality = own;
  local->zones[0].hosts = local->zones[0].healthy = hosts_a;
  local->zones[1].locality.region = "b";
  local->zones[1].hosts = local->zones[1].healthy = hosts_b;
  cluster.input.local_cluster = local;
}

TEST(ZoneAwareBalancer, SendsToTheOwnZoneByTheSharesOfHosts) {
  FakeCluster cluster;
  cluster.AddLocality(0, "b", cluster.Equal(8));
  cluster.AddLocality(0, "a", cluster.Equal(2));
  CallFromRegionA(cluster, 4, 6);

  for (const model::LbPolicy policy :
       {model::LbPolicy::kRoundRobin, model::LbPolicy::kRandom,
        model::LbPolicy::kLeastRequest}) {
    cluster.config.policy = policy;
    const auto balancer = cluster.Create();
    const auto reports = balancer->DescribeLocalities();
    ASSERT_EQ(reports.size(), 2u);
    EXPECT_EQ(reports[0].locality->region, "a");
    EXPECT_EQ(reports[0].local_percentage, 4000u);
    EXPECT_EQ(reports[0].upstream_percentage, 2000u);
    int own_zone = 0;
    for (const auto& [address, count] : PickMany(*balancer, 20000)) {
      if (address.substr(0, 3) == "0-a") own_zone += count;
    }
    EXPECT_NEAR(own_zone, 10000, 300);  // 20 / 40
    base::Random random(1);
    own_zone = 0;
    for (int i = 0; i < 20000; ++i) {
      const HostChoice choice = balancer->PickStateless(random, {});
      if (choice.host->locality().region == "a") ++own_zone;
    }
    EXPECT_NEAR(own_zone, 10000, 300);
  }
}

// By region, the percent that the report says and the picks show.
void ExpectShares(const Balancer& balancer,
                  const std::map<std::string, double>& want) {
  std::map<std::string, double> picked;
  for (const auto& [address, count] : PickMany(balancer, 40000)) {
    picked[address.substr(2, 1)] += count / 400.0;
  }
  std::map<std::string, double> eligible;
  for (const model::Host* host : balancer.Eligible()) {
    ++eligible[host->locality().region];
  }
  for (const auto& report : balancer.DescribeLocalities()) {
    const std::string& region = report.locality->region;
    EXPECT_NEAR(report.effective_weight, want.at(region), 0.01) << region;
    EXPECT_NEAR(picked[region], want.at(region), 1) << region;
    EXPECT_EQ(eligible[region] > 0, want.at(region) > 0) << region;
  }
}

TEST(ZoneAwareBalancer, ReportsTheSharesOfTheZones) {
  FakeCluster cluster;
  cluster.AddLocality(0, "b", cluster.Equal(6));
  cluster.AddLocality(0, "a", cluster.Equal(2));
  cluster.AddLocality(0, "c", cluster.Equal(2));
  CallFromRegionA(cluster, 4, 6);
  // Half of it stays; b, which has 60 % already, has no room: c has.
  ExpectShares(*cluster.Create(), {{"a", 50}, {"b", 0}, {"c", 50}});
  // Half of the requests are not routed by zone.
  cluster.config.zone_aware.emplace().routing_enabled_percent = 50;
  ExpectShares(*cluster.Create(), {{"a", 35}, {"b", 30}, {"c", 35}});
}

TEST(ZoneAwareBalancer, HasNoEligibleHostsElsewhereWhenEverythingStays) {
  FakeCluster cluster;
  cluster.AddLocality(0, "a", cluster.Equal(5));
  cluster.AddLocality(0, "b", cluster.Equal(5));
  CallFromRegionA(cluster, 4, 6);
  ExpectShares(*cluster.Create(), {{"a", 100}, {"b", 0}});
}

TEST(ZoneAwareBalancer, HasNoEligibleHostsWhenTheLocalClusterPanics) {
  FakeCluster cluster;
  cluster.config.zone_aware.emplace().fail_traffic_on_panic = true;
  cluster.AddLocality(0, "a", cluster.Equal(5));
  cluster.AddLocality(0, "b", cluster.Equal(5));
  CallFromRegionA(cluster, 4, 6);
  auto local = std::make_shared<LocalCluster>(*cluster.input.local_cluster);
  for (LocalCluster::Zone& zone : local->zones) zone.healthy = 1;
  cluster.input.local_cluster = local;
  const auto balancer = cluster.Create();
  EXPECT_TRUE(balancer->Eligible().empty());
  EXPECT_EQ(balancer->DescribeLocalities()[0].effective_weight, 0);
}

TEST(ZoneAwareBalancer, FailsAsEnvoyWhereTheZoneHasNoDegradedHost) {
  // 90 % healthy: the rest goes to the degraded hosts, of which the own zone,
  // where everything stays, has none.
  FakeCluster cluster;
  cluster.AddLocality(0, "a", cluster.Equal(10), 9);
  cluster.AddLocality(0, "b", cluster.Equal(10), 4, 6);
  CallFromRegionA(cluster, 5, 5);
  const Counts counts = PickMany(*cluster.Create(), 10000);
  EXPECT_NEAR(counts.at(""), 900, 120);
}

}  // namespace
}  // namespace meshlib::lb
