#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "lb/priority_hosts.h"
#include "test/lb/fake_cluster.h"

namespace meshlib::lb {
namespace {

using model::HostHealth;
using model::LbPolicy;

std::string RegionOf(const std::string& address) {
  return address.empty() ? "" : address.substr(2, 1);
}

Counts ByRegion(const Counts& counts) {
  Counts regions;
  for (const auto& [address, count] : counts) {
    regions[RegionOf(address)] += count;
  }
  return regions;
}

TEST(LocalityWeight, FollowsEnvoysDocumentedTable) {
  // Locality X with weight 1 and this many of 100 hosts, Y with weight 2:
  // the share of X.
  struct Row {
    uint32_t available;
    int percent;
  };
  for (const Row& row : std::vector<Row>{
           {100, 33}, {72, 33}, {70, 33}, {50, 26}, {25, 15}, {0, 0}}) {
    LocalityGroup x;
    x.weight = 1;
    x.counts.hosts = 100;
    x.counts.healthy = row.available;
    LocalityGroup y;
    y.weight = 2;
    y.counts.hosts = y.counts.healthy = 100;
    const double weight_x =
        EffectiveLocalityWeight(x, SourceKind::kHealthy, 140);
    const double weight_y =
        EffectiveLocalityWeight(y, SourceKind::kHealthy, 140);
    EXPECT_NEAR(100 * weight_x / (weight_x + weight_y), row.percent, 0.51)
        << row.available;
  }
}

TEST(LocalityWeight, LeavesExcludedHostsOut) {
  LocalityGroup group;
  group.weight = 10;
  group.counts.hosts = 10;
  group.counts.excluded = 5;
  group.counts.healthy = 2;
  EXPECT_DOUBLE_EQ(EffectiveLocalityWeight(group, SourceKind::kHealthy, 140),
                   10 * 1.4 * 2 / 5);
  group.counts.excluded = 10;
  EXPECT_EQ(EffectiveLocalityWeight(group, SourceKind::kHealthy, 140), 0);
}

TEST(LocalityWeighted, SharesAreExactForTurnsAndEveryLocality) {
  FakeCluster cluster;
  cluster.config.locality_weighted = true;
  cluster.AddLocality(0, "a", cluster.Equal(3));
  cluster.AddLocality(0, "b", {5, 1});
  cluster.AddLocality(0, "c", cluster.Equal(7));
  cluster.SetLocalityWeight(0, 0, 70);
  cluster.SetLocalityWeight(0, 1, 30);
  cluster.SetLocalityWeight(0, 2, 0);
  for (const LbPolicy policy :
       {LbPolicy::kRoundRobin, LbPolicy::kRandom, LbPolicy::kLeastRequest}) {
    cluster.config.policy = policy;
    for (const uint64_t seed : {1, 2, 3, 1000}) {
      const Counts regions = ByRegion(PickMany(*cluster.Create(), 1000, seed));
      EXPECT_EQ(regions, (Counts{{"a", 700}, {"b", 300}})) << seed;
    }
  }
  cluster.config.policy = LbPolicy::kRoundRobin;
  const Counts counts = PickMany(*cluster.Create(), 6000, 9);
  EXPECT_EQ(counts.at("0-a-0:80"), 1400);
  EXPECT_EQ(counts.at("0-b-0:80"), 1500);
  EXPECT_EQ(counts.at("0-b-1:80"), 300);
}

TEST(LocalityWeighted, AvailabilityReducesTheWeight) {
  FakeCluster cluster;
  cluster.config.locality_weighted = true;
  cluster.AddLocality(0, "a", cluster.Equal(10), 5);
  cluster.AddLocality(0, "b", cluster.Equal(30));
  cluster.SetLocalityWeight(0, 0, 1);
  cluster.SetLocalityWeight(0, 1, 2);
  const auto balancer = cluster.Create();
  const auto reports = balancer->DescribeLocalities();
  EXPECT_DOUBLE_EQ(reports[0].effective_weight, 0.7);
  EXPECT_DOUBLE_EQ(reports[1].effective_weight, 2);
  const Counts regions = ByRegion(PickMany(*balancer, 2700));
  EXPECT_NEAR(regions.at("a"), 700, 1);
  EXPECT_NEAR(regions.at("b"), 2000, 1);
}

TEST(LocalityWeighted, DegradedHostsHaveASchedulerOfTheirOwn) {
  FakeCluster cluster;
  cluster.config.locality_weighted = true;
  cluster.AddLocality(0, "a", cluster.Equal(10), 4, 0);
  cluster.AddLocality(0, "b", cluster.Equal(10), 0, 10);
  cluster.SetLocalityWeight(0, 0, 1);
  cluster.SetLocalityWeight(0, 1, 1);
  // 28 % healthy, 70 % degraded: T is 98, so 28 and 71, one more to healthy.
  const auto balancer = cluster.Create();
  EXPECT_EQ(balancer->loads()[0].healthy_load, 29u);
  EXPECT_EQ(balancer->loads()[0].degraded_load, 71u);
  const Counts regions = ByRegion(PickMany(*balancer, 10000));
  EXPECT_NEAR(regions.at("a"), 2900, 150);
  EXPECT_NEAR(regions.at("b"), 7100, 150);
}

TEST(LocalityWeighted, WithoutAnyWeightAllHostsAreAlike) {
  FakeCluster cluster;
  cluster.config.locality_weighted = true;
  cluster.AddLocality(0, "a", cluster.Equal(1));
  cluster.AddLocality(0, "b", cluster.Equal(3));
  const Counts regions = ByRegion(PickMany(*cluster.Create(), 400));
  EXPECT_EQ(regions, (Counts{{"a", 100}, {"b", 300}}));
}

TEST(LocalityWeighted, PanicIgnoresTheWeights) {
  FakeCluster cluster;
  cluster.config.locality_weighted = true;
  cluster.AddLocality(0, "a", cluster.Equal(1), 1);
  cluster.AddLocality(0, "b", cluster.Equal(9), 0);
  cluster.SetLocalityWeight(0, 0, 99);
  cluster.SetLocalityWeight(0, 1, 1);
  const Counts regions = ByRegion(PickMany(*cluster.Create(), 1000));
  EXPECT_EQ(regions, (Counts{{"a", 100}, {"b", 900}}));
}

TEST(LocalityWeighted, HashPoliciesTakeTheWeightWithoutAvailability) {
  for (const LbPolicy policy : {LbPolicy::kRingHash, LbPolicy::kMaglev}) {
    FakeCluster cluster;
    cluster.config.policy = policy;
    cluster.config.minimum_ring_size = 20000;
    cluster.config.locality_weighted = true;
    cluster.AddLocality(0, "a", cluster.Equal(10), 5);
    cluster.AddLocality(0, "b", cluster.Equal(10));
    cluster.AddLocality(0, "c", cluster.Equal(10));
    cluster.SetLocalityWeight(0, 0, 1);
    cluster.SetLocalityWeight(0, 1, 1);
    const Counts regions = ByRegion(PickMany(*cluster.Create(), 20000));
    EXPECT_NEAR(regions.at("a"), 10000, 500);
    EXPECT_NEAR(regions.at("b"), 10000, 500);
    EXPECT_EQ(regions.count("c"), 0u);
  }
}

TEST(LocalityOrder, IsTheOwnFirstThenByName) {
  FakeCluster cluster;
  cluster.AddLocality(0, "d", cluster.Equal(1));
  cluster.AddLocality(0, "b", cluster.Equal(1));
  cluster.AddLocality(0, "c", cluster.Equal(1));
  cluster.AddLocality(0, "e", {});
  model::Locality own;
  own.region = "c";
  cluster.input.own_locality = std::make_shared<const model::Locality>(own);
  std::string order;
  for (const auto& report : cluster.Create()->DescribeLocalities()) {
    order += report.locality->region;
  }
  EXPECT_EQ(order, "cbd");
}

TEST(LocalityOrder, MergesGroupsOfOneLocality) {
  FakeCluster cluster;
  cluster.config.locality_weighted = true;
  cluster.AddLocality(0, "a", cluster.Equal(1));
  cluster.AddLocality(0, "b", cluster.Equal(1));
  cluster.AddLocality(0, "a", cluster.Equal(2));
  cluster.SetLocalityWeight(0, 0, 5);
  cluster.SetLocalityWeight(0, 1, 1);
  cluster.SetLocalityWeight(0, 2, 2);
  const auto reports = cluster.Create()->DescribeLocalities();
  ASSERT_EQ(reports.size(), 2u);
  EXPECT_EQ(reports[0].hosts, 3u);
  EXPECT_EQ(reports[0].weight, 2u);
}

}  // namespace
}  // namespace meshlib::lb
