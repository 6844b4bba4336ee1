#include "base/backoff.h"

#include <vector>

#include "absl/time/time.h"
#include "base/random.h"
#include "gtest/gtest.h"

namespace meshlib::base {
namespace {

std::vector<int64_t> Windows(int64_t base_ms, int64_t max_ms, int count) {
  JitteredExponentialBackoff backoff(absl::Milliseconds(base_ms),
                                     absl::Milliseconds(max_ms));
  std::vector<int64_t> out;
  for (int i = 0; i < count; ++i) {
    out.push_back(absl::ToInt64Milliseconds(backoff.window()));
    backoff.Next(0);
  }
  return out;
}

TEST(JitteredExponentialBackoff, DoublesItsWindowUpToTheMaximum) {
  using V = std::vector<int64_t>;
  EXPECT_EQ(Windows(25, 250, 6), (V{25, 50, 100, 200, 250, 250}));
  EXPECT_EQ(Windows(100, 150, 3), (V{100, 150, 150}));
  EXPECT_EQ(Windows(10, 10, 3), (V{10, 10, 10}));
  EXPECT_EQ(Windows(500, 30000, 8),
            (V{500, 1000, 2000, 4000, 8000, 16000, 30000, 30000}));
}

TEST(JitteredExponentialBackoff, DrawsTheRemainderOfTheRandomNumber) {
  JitteredExponentialBackoff backoff(absl::Milliseconds(25),
                                     absl::Milliseconds(250));
  EXPECT_EQ(backoff.Next(190), absl::Milliseconds(190 % 25));
  EXPECT_EQ(backoff.Next(190), absl::Milliseconds(190 % 50));
  EXPECT_EQ(backoff.Next(190), absl::Milliseconds(190 % 100));
  EXPECT_EQ(backoff.Next(190), absl::Milliseconds(190));
  backoff.Reset();
  EXPECT_EQ(backoff.Next(190), absl::Milliseconds(190 % 25));
}

TEST(JitteredExponentialBackoff, TakesAnythingForItsBounds) {
  EXPECT_EQ(Windows(0, 0, 2), (std::vector<int64_t>{1, 1}));
  EXPECT_EQ(Windows(-5, 3, 3), (std::vector<int64_t>{1, 3, 3}));
  EXPECT_EQ(Windows(50, 10, 2), (std::vector<int64_t>{50, 50}));
  JitteredExponentialBackoff endless(absl::InfiniteDuration(),
                                     absl::InfiniteDuration());
  EXPECT_GE(endless.Next(~uint64_t{0}), absl::ZeroDuration());
}

TEST(JitteredLowerBound, AddsUpToHalfOfTheValue) {
  Random random(1);
  absl::Duration least = absl::InfiniteDuration();
  absl::Duration most = absl::ZeroDuration();
  for (int i = 0; i < 100000; ++i) {
    const auto delay = JitteredLowerBound(absl::Seconds(1), random.Next());
    least = std::min(least, delay);
    most = std::max(most, delay);
  }
  EXPECT_EQ(least, absl::Seconds(1));
  EXPECT_EQ(most, absl::Milliseconds(1499));
  EXPECT_EQ(JitteredLowerBound(absl::Milliseconds(3), 7),
            absl::Milliseconds(3));
  EXPECT_EQ(JitteredLowerBound(absl::Milliseconds(1), 7),
            absl::Milliseconds(1));
}

TEST(ExponentialBackoff, GrowsWithinItsJitterAsGrpcDoes) {
  const ExponentialBackoff backoff;
  const double kWant[] = {1, 1.6, 2.56, 4.096};
  for (uint32_t n = 1; n <= 4; ++n) {
    EXPECT_NEAR(absl::ToDoubleSeconds(backoff.Delay(n, 0)), kWant[n - 1] * 0.8,
                1e-6);
    EXPECT_NEAR(absl::ToDoubleSeconds(backoff.Delay(n, ~uint64_t{0})),
                kWant[n - 1] * 1.2, 1e-6);
  }
  EXPECT_NEAR(absl::ToDoubleSeconds(backoff.Delay(1000000, uint64_t{1} << 63)),
              120, 1e-6);
}

}  // namespace
}  // namespace meshlib::base
