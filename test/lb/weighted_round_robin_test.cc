// Client-side weighted round robin (gRFC A58) as a Balancer has it.

#include <cstdint>
#include <memory>
#include <string>

#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "lb/weighted_round_robin/load_weight.h"
#include "test/lb/fake_cluster.h"

namespace meshlib::lb {
namespace {

class WeightedRoundRobinTest : public ::testing::Test {
 protected:
  WeightedRoundRobinTest() {
    cluster_.config.policy = model::LbPolicy::kClientSideWeightedRoundRobin;
    cluster_.config.load_report_weights.blackout_period = absl::ZeroDuration();
  }

  // Host `index` says that it does `qps` when fully used.
  void Report(size_t index, double qps) {
    LoadReport report;
    report.qps = qps;
    report.application_utilization = 1;
    RecordLoadReport(report, cluster_.config.load_report_weights,
                     absl::ToUnixNanos(now_),
                     *cluster_.host(index).state().load());
  }

  std::shared_ptr<const Balancer> Create(const Balancer* previous = nullptr) {
    cluster_.input.now_ns = absl::ToUnixNanos(now_);
    return cluster_.Create(previous);
  }

  absl::Time now_ = absl::FromUnixSeconds(1000);
  FakeCluster cluster_;
};

TEST_F(WeightedRoundRobinTest, SpreadsByReportsOnceTheyAreTakenOver) {
  cluster_.AddLocality(0, "a", {9, 1, 1});  // configured: does not count
  const auto balancer = Create();
  EXPECT_EQ(PickMany(*balancer, 6),
            (Counts{{"0-a-0:80", 2}, {"0-a-1:80", 2}, {"0-a-2:80", 2}}));
  Report(0, 1);
  Report(1, 2);
  Report(2, 3);
  EXPECT_EQ(PickMany(*balancer, 6),
            (Counts{{"0-a-0:80", 2}, {"0-a-1:80", 2}, {"0-a-2:80", 2}}));
  balancer->UpdateWeights(absl::ToUnixNanos(now_));
  for (uint64_t seed = 0; seed < 20; ++seed) {
    EXPECT_EQ(PickMany(*balancer, 6000, seed).at("0-a-2:80"), 3000) << seed;
  }
}

TEST_F(WeightedRoundRobinTest, SlotsKeepTheirPlaceWhenWeightsChange) {
  cluster_.AddLocality(0, "a", cluster_.Equal(2));
  const auto balancer = Create();
  const auto slot = balancer->NewSlotState(1);
  const model::Host* first = balancer->Pick(*slot, {}).host;
  balancer->UpdateWeights(absl::ToUnixNanos(now_));
  EXPECT_NE(balancer->Pick(*slot, {}).host, first);
}

TEST_F(WeightedRoundRobinTest, AHostThatIsNotKnownGetsTheMean) {
  cluster_.AddLocality(0, "a", cluster_.Equal(3));
  const auto balancer = Create();
  Report(0, 30);
  Report(2, 10);
  balancer->UpdateWeights(absl::ToUnixNanos(now_));
  EXPECT_EQ(
      PickMany(*balancer, 6000),
      (Counts{{"0-a-0:80", 3000}, {"0-a-1:80", 2000}, {"0-a-2:80", 1000}}));
}

TEST_F(WeightedRoundRobinTest, OneHostThatIsKnownIsAsGoodAsNone) {
  cluster_.AddLocality(0, "a", cluster_.Equal(2));
  const auto balancer = Create();
  Report(0, 30);
  balancer->UpdateWeights(absl::ToUnixNanos(now_));
  EXPECT_EQ(PickMany(*balancer, 10),
            (Counts{{"0-a-0:80", 5}, {"0-a-1:80", 5}}));
}

TEST_F(WeightedRoundRobinTest, ExpiredReportsNoLongerCount) {
  cluster_.AddLocality(0, "a", cluster_.Equal(2));
  const auto balancer = Create();
  Report(0, 30);
  Report(1, 10);
  balancer->UpdateWeights(absl::ToUnixNanos(now_));
  EXPECT_EQ(PickMany(*balancer, 40).at("0-a-0:80"), 30);
  now_ += absl::Minutes(3);
  balancer->UpdateWeights(absl::ToUnixNanos(now_));
  EXPECT_EQ(PickMany(*balancer, 40).at("0-a-0:80"), 20);
}

TEST_F(WeightedRoundRobinTest, ANewVersionBeginsWithWhatIsKnown) {
  cluster_.AddLocality(0, "a", cluster_.Equal(3));
  auto balancer = Create();
  Report(0, 30);
  Report(1, 10);
  cluster_.SetHealth(0, 0, 2, model::HostHealth::kUnhealthy);
  balancer = Create(balancer.get());
  EXPECT_EQ(PickMany(*balancer, 40),
            (Counts{{"0-a-0:80", 30}, {"0-a-1:80", 10}}));
}

TEST_F(WeightedRoundRobinTest, WeighsWithinEachLocality) {
  cluster_.config.locality_weighted = true;
  cluster_.AddLocality(0, "a", cluster_.Equal(2));
  cluster_.AddLocality(0, "b", cluster_.Equal(2));
  cluster_.SetLocalityWeight(0, 0, 3);
  cluster_.SetLocalityWeight(0, 1, 1);
  const auto balancer = Create();
  Report(0, 3);
  Report(1, 1);
  Report(2, 1);
  Report(3, 4);
  balancer->UpdateWeights(absl::ToUnixNanos(now_));
  EXPECT_EQ(PickMany(*balancer, 4000), (Counts{{"0-a-0:80", 2250},
                                               {"0-a-1:80", 750},
                                               {"0-b-0:80", 200},
                                               {"0-b-1:80", 800}}));
}

TEST_F(WeightedRoundRobinTest, SlowStartRampsTheWeightOfANewHost) {
  cluster_.config.slow_start.window = absl::Seconds(60);
  cluster_.AddLocality(0, "a", cluster_.Equal(2));
  cluster_.host(0).state().available_since_ns =
      absl::ToUnixNanos(now_ - absl::Minutes(5));
  cluster_.host(1).state().available_since_ns = absl::ToUnixNanos(now_);
  const auto balancer = Create();
  now_ += absl::Seconds(30);
  Report(0, 10);
  Report(1, 20);
  balancer->UpdateWeights(absl::ToUnixNanos(now_));
  EXPECT_EQ(PickMany(*balancer, 40).at("0-a-1:80"), 20);
  now_ += absl::Seconds(30);
  balancer->UpdateWeights(absl::ToUnixNanos(now_));
  EXPECT_EQ(PickMany(*balancer, 30).at("0-a-1:80"), 20);
}

TEST_F(WeightedRoundRobinTest, SlowStartRampsTheMeanToo) {
  cluster_.config.slow_start.window = absl::Seconds(60);
  cluster_.AddLocality(0, "a", cluster_.Equal(2));
  cluster_.host(1).state().available_since_ns = absl::ToUnixNanos(now_);
  const auto balancer = Create();
  now_ += absl::Seconds(30);
  balancer->UpdateWeights(absl::ToUnixNanos(now_));
  EXPECT_EQ(PickMany(*balancer, 30).at("0-a-1:80"), 10);
  Report(0, 10);
  balancer->UpdateWeights(absl::ToUnixNanos(now_));
  EXPECT_EQ(PickMany(*balancer, 30).at("0-a-1:80"), 10);
}

}  // namespace
}  // namespace meshlib::lb
