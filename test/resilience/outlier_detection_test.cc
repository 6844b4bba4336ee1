#include "resilience/outlier_detection.h"

#include <algorithm>
#include <memory>
#include <vector>

#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "model/host.h"

namespace meshlib::resilience {
namespace {

using Action = OutlierEvent::Action;
using Type = OutlierType;

const absl::Time kStart = absl::FromUnixSeconds(1000);

class OutlierDetectorTest : public testing::Test {
 protected:
  // The default lets everybody be ejected: the tests of the percentage set
  // their own.
  OutlierDetectorTest() { config_.max_ejection_percent = 100; }

  void Create(uint32_t hosts, uint64_t seed = 1) {
    states_ = std::vector<model::HostState>(hosts);
    detector_ = std::make_unique<OutlierDetector>(config_, seed, kStart);
    for (uint32_t i = 0; i < hosts; ++i) detector_->AddHost(i, &states_[i]);
  }

  OutlierDetector::Events Threshold(uint32_t host, Type type) {
    OutlierDetector::Events events;
    detector_->OnThreshold(host, type, now_, events);
    return events;
  }

  // Lets one interval pass.
  OutlierDetector::Events Interval(
      const std::vector<HostSample>& samples = {}) {
    now_ += config_.interval;
    OutlierDetector::Events events;
    detector_->OnInterval(now_, samples, events);
    return events;
  }

  // Reports `outcome` as a request thread and the caller of it would.
  OutlierDetector::Events Report(uint32_t host, const Outcome& outcome) {
    OutlierDetector::Events events;
    const Thresholds reached = RecordResult(
        config_, states_[host],
        ClassifyOutcome(outcome, config_.split_external_local_origin_errors));
    detector_->OnThreshold(host, reached, now_, events);
    return events;
  }

  static HostSample Rate(uint32_t host, uint64_t success, uint64_t total) {
    HostSample sample;
    sample.host = host;
    sample.success = success;
    sample.total = total;
    return sample;
  }
  static HostSample LocalRate(uint32_t host, uint64_t success, uint64_t total) {
    HostSample sample;
    sample.host = host;
    sample.local_success = success;
    sample.local_total = total;
    return sample;
  }

  // After how many seconds in steps of one interval the host comes back.
  int SecondsOut(uint32_t host) {
    const absl::Time from = now_;
    while (detector_->IsEjected(host) && now_ - from < absl::Hours(2)) {
      Interval();
    }
    return static_cast<int>(absl::ToInt64Seconds(now_ - from));
  }

  model::OutlierDetection config_;
  std::vector<model::HostState> states_;
  std::unique_ptr<OutlierDetector> detector_;
  absl::Time now_ = kStart;
};

TEST_F(OutlierDetectorTest, EjectsAfterConsecutive5xx) {
  Create(10);
  for (int i = 0; i < 4; ++i) {
    EXPECT_TRUE(Report(3, Outcome::Http(500)).empty());
  }
  const auto events = Report(3, Outcome::Http(500));
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].host, 3u);
  EXPECT_EQ(events[0].type, Type::kConsecutive5xx);
  EXPECT_EQ(events[0].action, Action::kEjected);
  EXPECT_EQ(events[0].time, kStart);
  EXPECT_EQ(events[0].num_ejections, 1u);
  EXPECT_EQ(events[0].ejection_time, absl::Seconds(30));
  EXPECT_TRUE(detector_->IsEjected(3));
  EXPECT_FALSE(detector_->IsEjected(2));
  EXPECT_EQ(detector_->ejections_active(), 1u);
  EXPECT_EQ(states_[3].consecutive_5xx.load(), 0u);
}

TEST_F(OutlierDetectorTest, GatewayFailuresAreNotEnforcedByDefault) {
  Create(10);
  OutlierDetector::Events events;
  for (int i = 0; i < 5; ++i) events = Report(0, Outcome::Http(503));
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[0].type, Type::kConsecutiveGatewayFailure);
  EXPECT_EQ(events[0].action, Action::kNotEnforced);
  EXPECT_EQ(events[1].type, Type::kConsecutive5xx);
  EXPECT_EQ(events[1].action, Action::kEjected);
}

TEST_F(OutlierDetectorTest, EnforcedGatewayFailuresEject) {
  config_.consecutive_gateway_failure = 3;
  config_.enforcing_consecutive_gateway_failure = 100;
  Create(10);
  OutlierDetector::Events events;
  for (int i = 0; i < 3; ++i) events = Report(0, Outcome::Http(502));
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].type, Type::kConsecutiveGatewayFailure);
  EXPECT_TRUE(detector_->IsEjected(0));
}

TEST_F(OutlierDetectorTest, LocalOriginFailuresEjectInSplitMode) {
  config_.split_external_local_origin_errors = true;
  Create(10);
  OutlierDetector::Events events;
  for (int i = 0; i < 5; ++i) {
    events = Report(0, Outcome::Failure(Outcome::Kind::kConnectFailure));
  }
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].type, Type::kConsecutiveLocalOriginFailure);
  EXPECT_EQ(events[0].action, Action::kEjected);
  EXPECT_EQ(states_[0].consecutive_local_origin_failure.load(), 0u);
}

TEST_F(OutlierDetectorTest, EnforcingDrawsItsPercentage) {
  config_.enforcing_consecutive_5xx = 30;
  Create(1000, 7);
  int ejected = 0;
  for (uint32_t i = 0; i < 1000; ++i) {
    ejected +=
        Threshold(i, Type::kConsecutive5xx)[0].action == Action::kEjected;
  }
  EXPECT_NEAR(ejected, 300, 45);
  EXPECT_EQ(detector_->stats().detected[0], 1000u);
  EXPECT_EQ(detector_->stats().enforced[0], static_cast<uint64_t>(ejected));
}

TEST_F(OutlierDetectorTest, EjectsAtMostMaxPercentOfHosts) {
  struct Case {
    uint32_t hosts;
    uint32_t percent;
    bool always_one;
    uint32_t want;
  } const kCases[] = {
      {10, 10, false, 1}, {9, 10, false, 0},  {9, 10, true, 1},
      {20, 10, false, 2}, {10, 35, false, 3}, {4, 0, false, 0},
      {4, 0, true, 1},    {3, 100, false, 3}, {3, 200, false, 3},
      {1, 10, false, 0},  {1, 10, true, 1},   {3, 66, false, 1},
      {3, 67, false, 2},
  };
  for (const Case& c : kCases) {
    config_.max_ejection_percent = c.percent;
    config_.always_eject_one_host = c.always_one;
    Create(c.hosts);
    for (uint32_t i = 0; i < c.hosts; ++i) {
      const auto events = Threshold(i, Type::kConsecutive5xx);
      ASSERT_EQ(events.size(), 1u);
      EXPECT_EQ(events[0].action,
                i < c.want ? Action::kEjected : Action::kOverflow);
    }
    EXPECT_EQ(detector_->ejections_active(), c.want)
        << c.hosts << " hosts, " << c.percent << "%";
    EXPECT_EQ(detector_->stats().overflow, c.hosts - c.want);
  }
}

TEST_F(OutlierDetectorTest, AHostThatCouldNotBeEjectedIsFoundAgain) {
  config_.max_ejection_percent = 0;
  Create(2);
  int found = 0;
  for (int i = 0; i < 15; ++i) {
    found += static_cast<int>(Report(0, Outcome::Http(500)).size());
  }
  EXPECT_EQ(found, 3);
}

TEST_F(OutlierDetectorTest, AnEjectedHostIsNotEjectedAgain) {
  Create(4);
  Threshold(0, Type::kConsecutive5xx);
  EXPECT_TRUE(Threshold(0, Type::kConsecutive5xx).empty());
  EXPECT_TRUE(Threshold(9, Type::kConsecutive5xx).empty());
  EXPECT_EQ(detector_->ejections_active(), 1u);
}

TEST_F(OutlierDetectorTest, ComesBackAtTheFirstIntervalAfterItsTime) {
  Create(4);
  now_ = kStart + absl::Seconds(3);
  Threshold(0, Type::kConsecutive5xx);
  states_[0].consecutive_5xx = 4;
  states_[0].consecutive_gateway_failure = 4;
  states_[0].consecutive_local_origin_failure = 4;
  now_ = kStart;
  for (int i = 1; i <= 3; ++i) EXPECT_TRUE(Interval().empty()) << i;
  const auto events = Interval();
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].action, Action::kUnejected);
  EXPECT_EQ(events[0].type, Type::kConsecutive5xx);
  EXPECT_EQ(events[0].time, kStart + absl::Seconds(40));
  EXPECT_EQ(events[0].last_action, kStart + absl::Seconds(3));
  EXPECT_FALSE(detector_->IsEjected(0));
  EXPECT_EQ(detector_->ejections_active(), 0u);
  EXPECT_EQ(states_[0].consecutive_5xx.load(), 0u);
  EXPECT_EQ(states_[0].consecutive_gateway_failure.load(), 0u);
  EXPECT_EQ(states_[0].consecutive_local_origin_failure.load(), 0u);
}

TEST_F(OutlierDetectorTest, EachEjectionLastsLongerUpToTheMaximum) {
  Create(4);
  for (const int want :
       {30, 60, 90, 120, 150, 180, 210, 240, 270, 300, 300, 300}) {
    Threshold(0, Type::kConsecutive5xx);
    EXPECT_EQ(SecondsOut(0), want);
  }
}

TEST_F(OutlierDetectorTest, EachIntervalInTakesOneStepOff) {
  Create(4);
  for (int i = 0; i < 5; ++i) {
    Threshold(0, Type::kConsecutive5xx);
    SecondsOut(0);
  }
  // Back in for three whole intervals: 6 - 3.
  for (int i = 0; i < 3; ++i) Interval();
  Threshold(0, Type::kConsecutive5xx);
  EXPECT_EQ(SecondsOut(0), 90);
  for (int i = 0; i < 50; ++i) Interval();
  Threshold(0, Type::kConsecutive5xx);
  EXPECT_EQ(SecondsOut(0), 30);
}

TEST_F(OutlierDetectorTest, TheStepsStopOneBeyondTheMaximum) {
  config_.base_ejection_time = absl::Seconds(100);
  config_.max_ejection_time = absl::Seconds(250);
  Create(4);
  // Multipliers 1, 2, 3, 4: another step is taken while 100 * m < 350.
  for (int i = 0; i < 10; ++i) {
    Threshold(0, Type::kConsecutive5xx);
    SecondsOut(0);
  }
  // 4 - 2 + 1: the third one.
  for (int i = 0; i < 2; ++i) Interval();
  Threshold(0, Type::kConsecutive5xx);
  EXPECT_EQ(SecondsOut(0), 250);
  for (int i = 0; i < 2; ++i) Interval();
  Threshold(0, Type::kConsecutive5xx);
  EXPECT_EQ(SecondsOut(0), 200);
}

TEST_F(OutlierDetectorTest, JitterIsAddedEvenBeyondTheMaximum) {
  config_.base_ejection_time = absl::Seconds(10);
  config_.max_ejection_time = absl::Seconds(10);
  config_.max_ejection_time_jitter = absl::Seconds(5);
  Create(1000, 3);
  absl::Duration least = absl::InfiniteDuration();
  absl::Duration most = absl::ZeroDuration();
  for (uint32_t i = 0; i < 1000; ++i) {
    const auto events = Threshold(i, Type::kConsecutive5xx);
    least = std::min(least, events[0].ejection_time);
    most = std::max(most, events[0].ejection_time);
  }
  EXPECT_GE(least, absl::Seconds(10));
  EXPECT_LT(least, absl::Milliseconds(10100));
  EXPECT_LE(most, absl::Seconds(15));
  EXPECT_GT(most, absl::Milliseconds(14900));
  EXPECT_LT(Interval().size(), 100u);
  Interval();
  EXPECT_EQ(detector_->ejections_active(), 0u);
}

// The example of Envoy's source and documents: rates 50, 100, 100, 100, 100
// have mean 90, standard deviation 20 and, with the factor 1.9, the threshold
// 52.
TEST_F(OutlierDetectorTest, EjectsBelowTheSuccessRateThreshold) {
  Create(5);
  const auto events =
      Interval({Rate(0, 100, 200), Rate(1, 200, 200), Rate(2, 200, 200),
                Rate(3, 200, 200), Rate(4, 200, 200)});
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].host, 0u);
  EXPECT_EQ(events[0].type, Type::kSuccessRate);
  EXPECT_EQ(events[0].action, Action::kEjected);
  EXPECT_DOUBLE_EQ(events[0].success_rate, 50);
  EXPECT_DOUBLE_EQ(events[0].average_success_rate, 90);
  EXPECT_DOUBLE_EQ(events[0].success_rate_threshold, 52);
}

TEST_F(OutlierDetectorTest, TheSuccessRateFactorIsInThousandths) {
  // One of five below: its distance is exactly two standard deviations.
  for (const uint32_t factor : {1999u, 2001u}) {
    config_.success_rate_stdev_factor = factor;
    Create(5);
    const auto events =
        Interval({Rate(0, 150, 200), Rate(1, 200, 200), Rate(2, 200, 200),
                  Rate(3, 200, 200), Rate(4, 200, 200)});
    EXPECT_EQ(events.size(), factor < 2000 ? 1u : 0u) << factor;
  }
}

TEST_F(OutlierDetectorTest, TheSuccessRateNeedsHostsWithVolume) {
  config_.failure_percentage_minimum_hosts = 100;
  Create(6);
  // Five hosts with 100 requests are needed; the others do not count.
  EXPECT_TRUE(Interval({Rate(0, 0, 100), Rate(1, 100, 100), Rate(2, 100, 100),
                        Rate(3, 100, 100), Rate(4, 99, 99)})
                  .empty());
  EXPECT_EQ(Interval({Rate(0, 0, 100), Rate(1, 100, 100), Rate(2, 100, 100),
                      Rate(3, 100, 100), Rate(4, 100, 100)})
                .size(),
            1u);
}

TEST_F(OutlierDetectorTest, EqualRatesEjectNobody) {
  Create(5);
  EXPECT_TRUE(Interval({Rate(0, 50, 100), Rate(1, 50, 100), Rate(2, 50, 100),
                        Rate(3, 50, 100), Rate(4, 50, 100)})
                  .empty());
}

TEST_F(OutlierDetectorTest, FailurePercentageEjectsFromItsThresholdOn) {
  config_.enforcing_failure_percentage = 100;
  config_.enforcing_success_rate = 0;
  config_.success_rate_minimum_hosts = 100;
  Create(5);
  const auto events =
      Interval({Rate(0, 15, 100), Rate(1, 16, 100), Rate(2, 0, 50),
                Rate(3, 0, 49), Rate(4, 100, 100)});
  // Only four hosts have the volume of 50.
  EXPECT_TRUE(events.empty());
  const auto again =
      Interval({Rate(0, 15, 100), Rate(1, 16, 100), Rate(2, 0, 50),
                Rate(3, 50, 50), Rate(4, 100, 100)});
  ASSERT_EQ(again.size(), 2u);
  EXPECT_EQ(again[0].host, 0u);
  EXPECT_EQ(again[0].type, Type::kFailurePercentage);
  EXPECT_EQ(again[0].action, Action::kEjected);
  EXPECT_EQ(again[0].success_rate, 15);
  EXPECT_EQ(again[1].host, 2u);
}

TEST_F(OutlierDetectorTest, FailurePercentageIsNotEnforcedByDefault) {
  config_.success_rate_minimum_hosts = 100;
  Create(5);
  const auto events =
      Interval({Rate(0, 0, 100), Rate(1, 100, 100), Rate(2, 100, 100),
                Rate(3, 100, 100), Rate(4, 100, 100)});
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].action, Action::kNotEnforced);
  EXPECT_FALSE(detector_->IsEjected(0));
}

TEST_F(OutlierDetectorTest, TwoDetectorsEjectAHostOnce) {
  config_.enforcing_failure_percentage = 100;
  Create(5);
  const auto events =
      Interval({Rate(0, 0, 100), Rate(1, 100, 100), Rate(2, 100, 100),
                Rate(3, 100, 100), Rate(4, 100, 100)});
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].type, Type::kSuccessRate);
  EXPECT_EQ(detector_->ejections_active(), 1u);
}

TEST_F(OutlierDetectorTest, EjectedHostsDoNotCountForTheRates) {
  Create(6);
  Threshold(5, Type::kConsecutive5xx);
  const auto events =
      Interval({Rate(0, 50, 100), Rate(1, 100, 100), Rate(2, 100, 100),
                Rate(3, 100, 100), Rate(4, 100, 100), Rate(5, 0, 100)});
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].host, 0u);
  EXPECT_DOUBLE_EQ(events[0].average_success_rate, 90);
}

TEST_F(OutlierDetectorTest, TheRatesOfLocalOriginCountInSplitModeOnly) {
  config_.enforcing_failure_percentage_local_origin = 100;
  const std::vector<HostSample> samples = {
      LocalRate(0, 0, 100), LocalRate(1, 100, 100), LocalRate(2, 100, 100),
      LocalRate(3, 100, 100), LocalRate(4, 100, 100)};
  Create(5);
  EXPECT_TRUE(Interval(samples).empty());

  config_.split_external_local_origin_errors = true;
  Create(5);
  auto events = Interval(samples);
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].type, Type::kSuccessRateLocalOrigin);

  config_.success_rate_minimum_hosts = 100;
  Create(5);
  events = Interval(samples);
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].type, Type::kFailurePercentageLocalOrigin);
}

TEST_F(OutlierDetectorTest, AHealthCheckCanEndAnEjection) {
  for (const bool allowed : {true, false}) {
    config_.successful_active_health_check_uneject_host = allowed;
    Create(4);
    OutlierDetector::Events events;
    detector_->OnHealthCheckSuccess(0, now_, events);
    EXPECT_TRUE(events.empty());
    Threshold(0, Type::kConsecutive5xx);
    detector_->OnHealthCheckSuccess(0, now_ + absl::Seconds(1), events);
    EXPECT_EQ(events.size(), allowed ? 1u : 0u);
    EXPECT_EQ(detector_->IsEjected(0), !allowed);
  }
}

TEST_F(OutlierDetectorTest, AHostThatLeavesTakesItsEjectionAlong) {
  Create(4);
  Threshold(0, Type::kConsecutive5xx);
  detector_->RemoveHost(0);
  EXPECT_EQ(detector_->ejections_active(), 0u);
  EXPECT_EQ(detector_->hosts(), 3u);
  EXPECT_FALSE(detector_->IsEjected(0));
  EXPECT_TRUE(Threshold(0, Type::kConsecutive5xx).empty());
  model::HostState fresh;
  detector_->AddHost(0, &fresh);
  EXPECT_EQ(Threshold(0, Type::kConsecutive5xx)[0].num_ejections, 1u);
  detector_->RemoveHost(77);
  EXPECT_EQ(detector_->hosts(), 4u);
}

TEST_F(OutlierDetectorTest, AHostMayMoveToAnotherIndexAndStayEjected) {
  Create(4);
  Threshold(0, Type::kConsecutive5xx);
  SecondsOut(0);
  Threshold(0, Type::kConsecutive5xx);
  detector_->MoveHost(0, 9);
  EXPECT_EQ(detector_->hosts(), 4u);
  EXPECT_EQ(detector_->ejections_active(), 1u);
  EXPECT_FALSE(detector_->IsEjected(0));
  EXPECT_TRUE(detector_->IsEjected(9));
  EXPECT_EQ(SecondsOut(9), 60);
  EXPECT_EQ(detector_->ejections_active(), 0u);
  detector_->MoveHost(0, 1);
  detector_->MoveHost(9, 9);
  EXPECT_EQ(detector_->hosts(), 4u);
}

TEST_F(OutlierDetectorTest, AnotherConfigurationStartsOver) {
  Create(4);
  Threshold(0, Type::kConsecutive5xx);
  Threshold(1, Type::kConsecutive5xx);
  states_[2].consecutive_5xx = 4;
  OutlierDetector::Events events;
  detector_->SetConfig(config_, now_, events);
  EXPECT_TRUE(events.empty());
  EXPECT_EQ(detector_->ejections_active(), 2u);

  model::OutlierDetection other = config_;
  other.interval = absl::Seconds(1);
  detector_->SetConfig(other, now_, events);
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[0].action, Action::kUnejected);
  EXPECT_EQ(detector_->ejections_active(), 0u);
  EXPECT_EQ(detector_->hosts(), 4u);
  EXPECT_EQ(states_[2].consecutive_5xx.load(), 0u);
  EXPECT_EQ(detector_->next_interval(), now_ + absl::Seconds(1));
  EXPECT_EQ(Threshold(0, Type::kConsecutive5xx)[0].ejection_time,
            absl::Seconds(30));
}

TEST_F(OutlierDetectorTest, UnejectAllBringsEverybodyBack) {
  Create(4);
  for (uint32_t i = 0; i < 3; ++i) Threshold(i, Type::kConsecutive5xx);
  OutlierDetector::Events events;
  detector_->UnejectAll(now_, events);
  EXPECT_EQ(events.size(), 3u);
  EXPECT_EQ(detector_->ejections_active(), 0u);
}

TEST_F(OutlierDetectorTest, IntervalsFollowEachOther) {
  Create(1);
  EXPECT_EQ(detector_->next_interval(), kStart + absl::Seconds(10));
  Interval();
  EXPECT_EQ(detector_->next_interval(), kStart + absl::Seconds(20));
}

TEST_F(OutlierDetectorTest, SamplesOfUnknownHostsAreIgnored) {
  Create(5);
  EXPECT_TRUE(Interval({Rate(99, 0, 1000), Rate(0, 0, 0)}).empty());
}

TEST(OutlierType, HasEnvoysNames) {
  EXPECT_STREQ(OutlierTypeName(Type::kSuccessRate), "SUCCESS_RATE");
  EXPECT_STREQ(OutlierTypeName(Type::kFailurePercentageLocalOrigin),
               "FAILURE_PERCENTAGE_LOCAL_ORIGIN");
}

}  // namespace
}  // namespace meshlib::resilience
