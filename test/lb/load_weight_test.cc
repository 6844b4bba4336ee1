#include "lb/weighted_round_robin/load_weight.h"

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "gtest/gtest.h"

namespace meshlib::lb {
namespace {

constexpr int64_t kSecond = 1'000'000'000;

LoadReport Report(double qps, double utilization, double eps = 0) {
  LoadReport report;
  report.qps = qps;
  report.application_utilization = utilization;
  report.eps = eps;
  return report;
}

TEST(LoadWeight, IsQpsByUtilizationWithAPenaltyForErrors) {
  model::LoadReportWeights config;
  EXPECT_DOUBLE_EQ(WeightOf(Report(100, 0.5), config), 200);
  EXPECT_DOUBLE_EQ(WeightOf(Report(100, 0.5, 50), config), 100);
  config.error_utilization_penalty = 3;
  EXPECT_DOUBLE_EQ(WeightOf(Report(100, 0.5, 50), config), 50);
  config.error_utilization_penalty = 0;
  EXPECT_DOUBLE_EQ(WeightOf(Report(100, 0.5, 50), config), 200);
}

TEST(LoadWeight, IsNoneWithoutQpsOrUtilization) {
  const model::LoadReportWeights config;
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double inf = std::numeric_limits<double>::infinity();
  for (const double bad : {0.0, -1.0, nan, inf, -inf}) {
    EXPECT_EQ(WeightOf(Report(bad, 0.5), config), 0) << bad;
    EXPECT_EQ(WeightOf(Report(100, bad), config), 0) << bad;
    EXPECT_EQ(WeightOf(Report(100, bad, 50), config), 0) << bad;
    EXPECT_DOUBLE_EQ(WeightOf(Report(100, 0.5, bad), config), 200) << bad;
  }
  EXPECT_LE(WeightOf(Report(1e308, 1e-308), config), 1e30);
  EXPECT_GE(WeightOf(Report(1e-308, 1e308), config), 0);
}

// gRFC A114: the application's, else the greatest of the named, else the
// CPU's.
TEST(LoadWeight, UtilizationIsTheFirstThatIsReported) {
  const std::vector<LoadReport::Metric> metrics = {
      {"named_metrics.queue", 0.2},
      {"utilization.disk", 0.4},
      {"utilization.broken", std::numeric_limits<double>::infinity()},
      {"named_metrics.other", 0.9}};
  LoadReport report;
  report.qps = 1;
  report.cpu_utilization = 0.1;
  report.mem_utilization = 0.3;
  report.named_metrics = metrics;
  struct Case {
    std::vector<std::string> names;
    double application;
    double utilization;
  };
  const Case cases[] = {
      {{}, 0, 0.1},
      {{"named_metrics.queue"}, 0, 0.2},
      {{"named_metrics.queue", "utilization.disk"}, 0, 0.4},
      {{"utilization.disk", "named_metrics.queue"}, 0, 0.4},
      {{"mem_utilization", "named_metrics.queue"}, 0, 0.3},
      {{"utilization.broken", "named_metrics.queue"}, 0, 0.2},
      {{"utilization.broken", "queue", "named_metrics.no"}, 0, 0.1},
      {{"cpu_utilization"}, 0, 0.1},
      {{"named_metrics.queue"}, 0.8, 0.8},
      {{"named_metrics.queue"}, -1, 0.2},
  };
  for (const Case& c : cases) {
    model::LoadReportWeights config;
    config.metric_names = c.names;
    report.application_utilization = c.application;
    EXPECT_DOUBLE_EQ(WeightOf(report, config), 1 / c.utilization)
        << ::testing::PrintToString(c.names) << c.application;
  }
}

class UsableWeightTest : public ::testing::Test {
 protected:
  void ReportAt(double seconds, double weight) {
    RecordLoadReport(Report(weight, 1), config_, Ns(seconds), load_);
  }
  double At(double seconds) const {
    return UsableWeight(load_, config_, Ns(seconds));
  }
  static int64_t Ns(double seconds) {
    return static_cast<int64_t>(seconds * kSecond);
  }

  model::LoadReportWeights config_;
  model::HostLoad load_;
};

TEST_F(UsableWeightTest, BlackoutBeginsWithTheFirstReport) {
  EXPECT_EQ(At(0), 0);
  EXPECT_EQ(At(1000), 0);
  ReportAt(1000, 5);
  EXPECT_EQ(At(1000), 0);
  ReportAt(1009, 7);
  EXPECT_EQ(At(1009.999), 0);
  EXPECT_EQ(At(1010), 7);
}

TEST_F(UsableWeightTest, CountsAtOnceWithoutBlackout) {
  config_.blackout_period = absl::ZeroDuration();
  ReportAt(0, 5);
  EXPECT_EQ(At(0), 5);
}

TEST_F(UsableWeightTest, ExpiresAndIsThenBlackedOutAgain) {
  ReportAt(0, 5);
  EXPECT_EQ(At(179.999), 5);
  EXPECT_EQ(At(180), 0);
  ReportAt(200, 6);
  EXPECT_EQ(At(209), 0);
  ReportAt(209, 6);
  EXPECT_EQ(At(210), 6);
  ReportAt(300, 6);
  EXPECT_EQ(At(479), 6);
  EXPECT_EQ(At(480), 0);
}

TEST_F(UsableWeightTest, ReportsThatAreWorthNothingChangeNothing) {
  ReportAt(0, 5);
  ReportAt(100, 0);
  EXPECT_EQ(At(179), 5);
  EXPECT_EQ(At(180), 0);
}

TEST_F(UsableWeightTest, TheLatestReportCountsWithinAMillisecondToo) {
  config_.blackout_period = absl::ZeroDuration();
  ReportAt(0, 5);
  ReportAt(0.0001, 6);
  EXPECT_EQ(At(0.0002), 6);
}

TEST_F(UsableWeightTest, EndlessPeriodsAreEndless) {
  config_.weight_expiration_period = absl::InfiniteDuration();
  ReportAt(0, 5);
  EXPECT_EQ(At(9e9), 5);
  config_.blackout_period = absl::InfiniteDuration();
  EXPECT_EQ(At(9e9), 0);
}

}  // namespace
}  // namespace meshlib::lb
