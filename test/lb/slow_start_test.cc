#include "lb/slow_start.h"

#include <cmath>
#include <limits>
#include <vector>

#include "gtest/gtest.h"
#include "test/lb/fake_cluster.h"

namespace meshlib::lb {
namespace {

constexpr int64_t kMs = 1000000;

model::SlowStart Config(int seconds, double aggression = 1.0,
                        double minimum = 10.0) {
  model::SlowStart config;
  config.window = absl::Seconds(seconds);
  config.aggression = aggression;
  config.min_weight_percent = minimum;
  return config;
}

TEST(SlowStart, FollowsEnvoysFormula) {
  struct Row {
    int64_t elapsed_ms;
    double aggression;
    double minimum;
    double factor;
  };
  const Row kRows[] = {
      {0, 1, 10, 0.1},
      {500, 1, 10, 0.1},
      {1000, 1, 10, 0.1},
      {1500, 1, 10, 0.15},
      {5000, 1, 10, 0.5},
      {9999, 1, 10, 0.9999},
      {10000, 1, 10, 1},
      {99999, 1, 10, 1},
      {1, 1, 0, 0.0001},
      {0, 1, 0, 0.0001},
      {2500, 2, 10, 0.5},
      {2500, 0.5, 0, 0.0625},
      {5000, 1, 70, 0.7},
      {100, 4, 10, std::pow(0.01, 0.25)},
      {2500, 0, 0, 0.25},
      {2500, -3, 0, 0.25},
      {2500, std::numeric_limits<double>::quiet_NaN(), 0, 0.25},
  };
  for (const Row& row : kRows) {
    const SlowStartRamp ramp(Config(10, row.aggression, row.minimum));
    EXPECT_NEAR(ramp.Factor(7 * kMs, (7 + row.elapsed_ms) * kMs), row.factor,
                1e-12)
        << row.elapsed_ms << " " << row.aggression << " " << row.minimum;
  }
}

TEST(SlowStart, CountsWholeMilliseconds) {
  const SlowStartRamp ramp(Config(10, 1, 0));
  EXPECT_DOUBLE_EQ(ramp.Factor(0, 2500 * kMs + 999999), 0.25);
  EXPECT_TRUE(ramp.Covers(0, 9999 * kMs + 999999));
  EXPECT_FALSE(ramp.Covers(0, 10000 * kMs));
  EXPECT_FALSE(SlowStartRamp().Covers(0, 0));
}

class SlowStartBalancer : public ::testing::Test {
 protected:
  SlowStartBalancer() {
    cluster_.AddLocality(0, "a", cluster_.Equal(2));
    cluster_.config.slow_start = Config(10);
    cluster_.host(0).state().available_since_ns = -100000 * kMs;
    cluster_.host(1).state().available_since_ns = 0;
  }
  // The share of the second host in `picks` picks at a time.
  double ShareAt(const Balancer& balancer, SlotState& slot, int64_t now_ms) {
    PickContext context;
    context.now_ns = now_ms * kMs;
    int second = 0;
    for (int i = 0; i < 11000; ++i) {
      if (balancer.Pick(slot, context).host == &cluster_.host(1)) ++second;
    }
    return second / 11000.0;
  }

  FakeCluster cluster_;
};

TEST_F(SlowStartBalancer, RampsRoundRobinUp) {
  const auto balancer = cluster_.Create();
  const auto slot = balancer->NewSlotState(1);
  EXPECT_NEAR(ShareAt(*balancer, *slot, 0), 0.1 / 1.1, 0.001);
  EXPECT_NEAR(ShareAt(*balancer, *slot, 5000), 0.5 / 1.5, 0.001);
  EXPECT_NEAR(ShareAt(*balancer, *slot, 20000), 0.5, 0.001);
}

TEST_F(SlowStartBalancer, RampsLeastRequestUpByItsBias) {
  cluster_.config.policy = model::LbPolicy::kLeastRequest;
  const auto balancer = cluster_.Create();
  const auto slot = balancer->NewSlotState(1);
  EXPECT_NEAR(ShareAt(*balancer, *slot, 0), 0.1 / 1.1, 0.001);
  cluster_.SetActive(cluster_.host(0), 3);  // a quarter of its weight
  EXPECT_NEAR(ShareAt(*balancer, *slot, 5000), 0.5 / 0.75, 0.001);
}

TEST_F(SlowStartBalancer, LeavesOldHostsAlone) {
  cluster_.input.now_ns = 50000 * kMs;
  const auto balancer = cluster_.Create();
  const auto slot = balancer->NewSlotState(1);
  EXPECT_NEAR(ShareAt(*balancer, *slot, 0), 0.5, 0.0001);
}

TEST_F(SlowStartBalancer, DoesNotHoldForUnhealthyHostsInPanic) {
  cluster_.AddLocality(0, "b", cluster_.Equal(8), 0);
  for (size_t i = 2; i < 10; ++i) {
    cluster_.host(i).state().available_since_ns = 0;
  }
  const auto balancer = cluster_.Create();
  const Counts counts = PickMany(*balancer, 9100);
  EXPECT_NEAR(counts.at("0-a-1:80"), 100, 2);
  EXPECT_NEAR(counts.at("0-b-0:80"), 1000, 2);
}

TEST_F(SlowStartBalancer, IsNotAPartOfOtherPolicies) {
  cluster_.config.policy = model::LbPolicy::kRandom;
  const Counts counts = PickMany(*cluster_.Create(), 10000);
  EXPECT_NEAR(counts.at("0-a-1:80"), 5000, 300);
}

}  // namespace
}  // namespace meshlib::lb
