#include "resilience/outlier_result.h"

#include "gtest/gtest.h"
#include "model/host.h"

namespace meshlib::resilience {
namespace {

using External = HostResult::External;
using Local = HostResult::Local;
using Kind = Outcome::Kind;

TEST(ClassifyOutcome, MapsAttemptsAsEnvoysRouterDoes) {
  Outcome trailers = Outcome::Grpc(14);
  trailers.grpc_trailers_only = false;
  Outcome broken = Outcome::Failure(Kind::kReset);
  broken.response_started = true;
  Outcome cut = Outcome::Failure(Kind::kTimeout);
  cut.response_started = true;
  Outcome unconnected = Outcome::Failure(Kind::kPerTryTimeout);
  unconnected.request_sent = false;
  const auto n = External::kNone;
  const auto ok = External::kSuccess;
  const auto e5 = External::k5xx;
  const auto gw = External::kGatewayFailure;
  struct Case {
    const char* name;
    Outcome outcome;
    External response;
    External failure;  // without split
    Local connect;     // with split
    Local end;
  } const kCases[] = {
      {"200", Outcome::Http(200), ok, n, Local::kSuccess, Local::kNone},
      {"404", Outcome::Http(404), ok, n, Local::kSuccess, Local::kNone},
      {"500", Outcome::Http(500), e5, n, Local::kSuccess, Local::kNone},
      {"501", Outcome::Http(501), e5, n, Local::kSuccess, Local::kNone},
      {"502", Outcome::Http(502), gw, n, Local::kSuccess, Local::kNone},
      {"504", Outcome::Http(504), gw, n, Local::kSuccess, Local::kNone},
      {"505", Outcome::Http(505), e5, n, Local::kSuccess, Local::kNone},
      {"600", Outcome::Http(600), ok, n, Local::kSuccess, Local::kNone},
      {"grpc OK", Outcome::Grpc(0), ok, n, Local::kSuccess, Local::kNone},
      {"CANCELLED", Outcome::Grpc(1), ok, n, Local::kSuccess, Local::kNone},
      {"UNKNOWN", Outcome::Grpc(2), e5, n, Local::kSuccess, Local::kNone},
      {"DEADLINE", Outcome::Grpc(4), gw, n, Local::kSuccess, Local::kNone},
      {"NOT_FOUND", Outcome::Grpc(5), ok, n, Local::kSuccess, Local::kNone},
      {"EXHAUSTED", Outcome::Grpc(8), ok, n, Local::kSuccess, Local::kNone},
      {"INTERNAL", Outcome::Grpc(13), e5, n, Local::kSuccess, Local::kNone},
      {"UNAVAILABLE", Outcome::Grpc(14), gw, n, Local::kSuccess, Local::kNone},
      {"in trailers", trailers, ok, n, Local::kSuccess, Local::kNone},
      {"connect failure", Outcome::Failure(Kind::kConnectFailure), n, gw,
       Local::kNone, Local::kFailure},
      {"connect timeout", Outcome::Failure(Kind::kConnectTimeout), n, gw,
       Local::kNone, Local::kFailure},
      {"refused stream", Outcome::Failure(Kind::kRefusedStream), n, gw,
       Local::kSuccess, Local::kFailure},
      {"reset", Outcome::Failure(Kind::kReset), n, gw, Local::kSuccess,
       Local::kFailure},
      {"reset in a response", broken, ok, gw, Local::kSuccess, Local::kFailure},
      {"per try timeout", Outcome::Failure(Kind::kPerTryTimeout), n, gw,
       Local::kSuccess, Local::kFailure},
      {"unconnected timeout", unconnected, n, gw, Local::kNone,
       Local::kFailure},
      {"timeout", Outcome::Failure(Kind::kTimeout), n, gw, Local::kSuccess,
       Local::kFailure},
      {"timeout in a response", cut, ok, n, Local::kSuccess, Local::kNone},
      {"overflow", Outcome::Failure(Kind::kOverflow), n, n, Local::kNone,
       Local::kNone},
      {"cancelled", Outcome::Failure(Kind::kCancelled), n, n, Local::kNone,
       Local::kNone},
  };
  for (const Case& c : kCases) {
    const HostResult joint = ClassifyOutcome(c.outcome, false);
    EXPECT_EQ(joint.response, c.response) << c.name;
    EXPECT_EQ(joint.failure, c.failure) << c.name;
    EXPECT_EQ(joint.local_total(), 0u) << c.name;
    const HostResult split = ClassifyOutcome(c.outcome, true);
    EXPECT_EQ(split.response, c.response) << c.name;
    EXPECT_EQ(split.failure, External::kNone) << c.name;
    EXPECT_EQ(split.connect, c.connect) << c.name;
    EXPECT_EQ(split.end, c.end) << c.name;
  }
}

TEST(ClassifyOutcome, GivesWhatStatisticsCount) {
  Outcome broken = Outcome::Failure(Kind::kReset);
  broken.response_started = true;
  const HostResult joint = ClassifyOutcome(broken, false);
  EXPECT_EQ(joint.total(), 2u);
  EXPECT_EQ(joint.failed(), 1u);
  const HostResult split = ClassifyOutcome(broken, true);
  EXPECT_EQ(split.total(), 1u);
  EXPECT_EQ(split.failed(), 0u);
  EXPECT_EQ(split.local_total(), 2u);
  EXPECT_EQ(split.local_failed(), 1u);
}

TEST(HttpStatusOfGrpc, TakesAnyNumber) {
  EXPECT_EQ(HttpStatusOfGrpc(16), 401);
  EXPECT_EQ(HttpStatusOfGrpc(17), 500);
  EXPECT_EQ(HttpStatusOfGrpc(-1), 500);
}

class RecordResultTest : public testing::Test {
 protected:
  Thresholds Record(const Outcome& outcome) {
    return RecordResult(
        config_, state_,
        ClassifyOutcome(outcome, config_.split_external_local_origin_errors));
  }
  model::OutlierDetection config_;
  model::HostState state_;
};

TEST_F(RecordResultTest, TellsOnceWhenARunReachesItsThreshold) {
  for (int i = 1; i <= 12; ++i) {
    EXPECT_EQ(Record(Outcome::Http(500)).consecutive_5xx, i == 5) << i;
  }
}

TEST_F(RecordResultTest, AnySuccessEndsTheRuns) {
  for (int i = 0; i < 4; ++i) Record(Outcome::Http(503));
  EXPECT_FALSE(Record(Outcome::Http(404)));
  EXPECT_EQ(state_.consecutive_5xx.load(), 0u);
  EXPECT_EQ(state_.consecutive_gateway_failure.load(), 0u);
  for (int i = 0; i < 4; ++i) EXPECT_FALSE(Record(Outcome::Http(503)));
  EXPECT_TRUE(Record(Outcome::Http(503)));
}

TEST_F(RecordResultTest, AGatewayFailureCountsForBoth) {
  config_.consecutive_5xx = 3;
  config_.consecutive_gateway_failure = 3;
  Record(Outcome::Http(502));
  Record(Outcome::Http(503));
  const Thresholds reached = Record(Outcome::Http(504));
  EXPECT_TRUE(reached.gateway_failure);
  EXPECT_TRUE(reached.consecutive_5xx);
}

TEST_F(RecordResultTest, AnotherServerErrorEndsTheRunOfGatewayFailures) {
  Record(Outcome::Http(503));
  Record(Outcome::Http(500));
  EXPECT_EQ(state_.consecutive_gateway_failure.load(), 0u);
  EXPECT_EQ(state_.consecutive_5xx.load(), 2u);
}

TEST_F(RecordResultTest, WithoutSplitALocalFailureIsAServerError) {
  for (int i = 1; i <= 5; ++i) {
    const auto reached = Record(Outcome::Failure(Kind::kConnectFailure));
    EXPECT_EQ(reached.consecutive_5xx, i == 5);
    EXPECT_FALSE(reached.local_origin_failure);
  }
  EXPECT_EQ(state_.consecutive_local_origin_failure.load(), 0u);
}

TEST_F(RecordResultTest, WithSplitLocalFailuresHaveTheirOwnRun) {
  config_.split_external_local_origin_errors = true;
  for (int i = 1; i <= 4; ++i) {
    EXPECT_FALSE(Record(Outcome::Failure(Kind::kConnectFailure)));
  }
  EXPECT_EQ(state_.consecutive_5xx.load(), 0u);
  const auto reached = Record(Outcome::Failure(Kind::kConnectTimeout));
  EXPECT_TRUE(reached.local_origin_failure);
  EXPECT_FALSE(reached.consecutive_5xx);
  // A response needs a connection.
  Record(Outcome::Http(500));
  EXPECT_EQ(state_.consecutive_local_origin_failure.load(), 0u);
  EXPECT_EQ(state_.consecutive_5xx.load(), 1u);
}

TEST_F(RecordResultTest, AResponseEndsTheRunOfLocalFailures) {
  config_.split_external_local_origin_errors = true;
  for (int i = 0; i < 4; ++i) {
    Record(Outcome::Failure(Kind::kConnectFailure));
  }
  Record(Outcome::Ok());
  EXPECT_EQ(state_.consecutive_local_origin_failure.load(), 0u);
}

TEST_F(RecordResultTest, AThresholdOfZeroIsNeverReached) {
  config_.consecutive_5xx = 0;
  config_.consecutive_gateway_failure = 0;
  for (int i = 0; i < 20; ++i) EXPECT_FALSE(Record(Outcome::Http(503)));
}

}  // namespace
}  // namespace meshlib::resilience
