#include "base/token_bucket.h"

#include "absl/time/time.h"
#include "gtest/gtest.h"

namespace meshlib::base {
namespace {

const absl::Time kStart = absl::FromUnixSeconds(1000);

TEST(TokenBucket, StartsFullAndRefillsOverTime) {
  TokenBucket bucket(2, 10, kStart);
  EXPECT_TRUE(bucket.Consume(1, kStart));
  EXPECT_TRUE(bucket.Consume(1, kStart));
  EXPECT_FALSE(bucket.Consume(1, kStart));
  EXPECT_FALSE(bucket.Consume(1, kStart + absl::Milliseconds(99)));
  EXPECT_TRUE(bucket.Consume(1, kStart + absl::Milliseconds(100)));
  EXPECT_FALSE(bucket.Consume(1, kStart + absl::Milliseconds(100)));
}

TEST(TokenBucket, HoldsNoMoreThanItsMaximum) {
  TokenBucket bucket(3, 10, kStart);
  EXPECT_EQ(bucket.Available(kStart + absl::Hours(1)), 3);
}

TEST(TokenBucket, AWaitOfTimeUntilIsExactlyEnough) {
  for (const double rate : {0.3, 3.0, 7.0, 1000.0}) {
    TokenBucket bucket(5, rate, kStart);
    EXPECT_TRUE(bucket.Consume(5, kStart));
    const absl::Duration wait = bucket.TimeUntil(2, kStart);
    EXPECT_FALSE(bucket.Consume(2, kStart + wait * 0.99)) << rate;
    EXPECT_TRUE(bucket.Consume(2, kStart + wait)) << rate;
  }
}

TEST(TokenBucket, WhatCanNeverBeHadTakesForever) {
  TokenBucket bucket(1, 0, kStart);
  EXPECT_EQ(bucket.TimeUntil(1, kStart), absl::ZeroDuration());
  EXPECT_TRUE(bucket.Consume(1, kStart));
  EXPECT_EQ(bucket.TimeUntil(1, kStart), absl::InfiniteDuration());
  TokenBucket small(1, 1, kStart);
  EXPECT_EQ(small.TimeUntil(2, kStart), absl::InfiniteDuration());
}

TEST(TokenBucket, TimeThatGoesBackwardAddsNothing) {
  TokenBucket bucket(1, 1, kStart);
  EXPECT_TRUE(bucket.Consume(1, kStart));
  EXPECT_FALSE(bucket.Consume(1, kStart - absl::Hours(1)));
  EXPECT_FALSE(bucket.Consume(1, kStart));
  EXPECT_TRUE(bucket.Consume(1, kStart + absl::Seconds(1)));
}

}  // namespace
}  // namespace meshlib::base
