#include "lb/weighted_round_robin/static_stride.h"

#include <atomic>
#include <cstdint>
#include <numeric>
#include <thread>
#include <vector>

#include "base/random.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace meshlib::lb {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;

// How often each entry is picked from the start of the sequence on.
std::vector<int> Picks(const std::vector<double>& weights, int picks,
                       uint32_t sequence = 0) {
  StaticStride stride(static_cast<uint32_t>(weights.size()));
  stride.SetWeights(weights);
  StaticStride::Turn turn = stride.Start(sequence);
  std::vector<int> counts(weights.size());
  for (int i = 0; i < picks; ++i) ++counts[stride.Pick(turn)];
  return counts;
}

// The counts of gRPC's static_stride_scheduler_test.
TEST(StaticStride, GivesTheCountsThatGrpcGives) {
  EXPECT_THAT(Picks({1, 2, 3}, 6), ElementsAre(1, 2, 3));
  EXPECT_THAT(Picks({3, 0, 1}, 6), ElementsAre(3, 2, 1));
  EXPECT_THAT(Picks({100, 1e-10}, 201), ElementsAre(200, 1));
  std::vector<double> one_large(20, 1);
  one_large[0] = 81;
  std::vector<int> wanted(20, 1);
  wanted[0] = 50;
  EXPECT_EQ(Picks(one_large, 69), wanted);
  // Those 69 picks do not tell 50 from 81.
  EXPECT_NEAR(Picks(one_large, 69000)[0], 50000, 20);
}

TEST(StaticStride, TheGreatestTakesEveryTurn) {
  // Mean 2: that many picks make 65535 rounds.
  EXPECT_EQ(Picks({1, 2, 3}, 65535 * 2)[2], 65535);
}

TEST(StaticStride, SharesAreExactWhereverTheSequenceBegins) {
  for (const uint32_t start : {0u, 1u, 7u, 4000000000u, 4294967295u}) {
    EXPECT_THAT(Picks({1, 2, 3}, 65535 * 2, start),
                ElementsAre(21845, 43690, 65535));
  }
}

TEST(StaticStride, TheRuleIsThatOfA58) {
  const std::vector<double> weights = {5, 1, 0.5, 4, 2};
  const std::vector<uint64_t> scaled = {65535, 13107, 6554, 52428, 26214};
  StaticStride stride(5);
  stride.SetWeights(weights);
  StaticStride::Turn turn = stride.Start(0);
  uint64_t s = 0;
  for (int i = 0; i < 200000; ++i, ++s) {
    while ((scaled[s % 5] * (s / 5) + (s % 5) * 32767) % 65535 <
           65535 - scaled[s % 5]) {
      ++s;
    }
    ASSERT_EQ(stride.Pick(turn), s % 5) << i;
  }
}

TEST(StaticStride, TakesTurnsWithoutWeightsAndWithEqualOnes) {
  StaticStride stride(3);
  StaticStride::Turn turn = stride.Start(1);
  for (uint32_t i = 1; i < 100; ++i) EXPECT_EQ(stride.Pick(turn), i % 3);
  for (const std::vector<double>& weights :
       {std::vector<double>{0, 0, 0}, {300, 300, 0}, {0, 7, 0}}) {
    stride.SetWeights(weights);
    for (uint32_t i = 100; i < 1000; ++i) {
      EXPECT_EQ(stride.Pick(turn), i % 3);
    }
    turn = stride.Start(100);
  }
}

TEST(StaticStride, HasARuleForEveryFiniteWeight) {
  EXPECT_THAT(Picks({1e30, 1e30}, 1000), ElementsAre(500, 500));
  EXPECT_THAT(Picks({1e-30, 1e-30, 0}, 300), Each(100));
  EXPECT_THAT(Picks({1e30, 1e-30}, 201), ElementsAre(200, 1));
  EXPECT_THAT(Picks({5}, 10), ElementsAre(10));
  // The mean of two is half of the greatest: nothing is capped.
  EXPECT_THAT(Picks({1e-30, 1e30, 0}, 302), ElementsAre(1, 200, 101));
}

TEST(StaticStride, DrawsByShare) {
  StaticStride stride(4);
  stride.SetWeights({1, 2, 3, 4});
  base::Random random(1);
  std::vector<int> counts(4);
  for (int i = 0; i < 100000; ++i) ++counts[stride.Draw(random)];
  for (int i = 0; i < 4; ++i) EXPECT_NEAR(counts[i], 10000 * (i + 1), 500);
}

TEST(StaticStride, WeightsMayChangeWhileOthersPick) {
  constexpr uint32_t kEntries = 100;
  StaticStride stride(kEntries);
  std::atomic<bool> stop{false};
  std::vector<std::thread> readers;
  for (uint32_t r = 0; r < 2; ++r) {
    readers.emplace_back([&, r] {
      StaticStride::Turn turn = stride.Start(r);
      while (!stop.load()) ASSERT_LT(stride.Pick(turn), kEntries);
    });
  }
  base::Random random(1);
  std::vector<double> weights(kEntries);
  for (int i = 0; i < 2000; ++i) {
    for (double& weight : weights) {
      weight = static_cast<double>(random.Next() % 1000);
    }
    stride.SetWeights(weights);
  }
  stop = true;
  for (std::thread& reader : readers) reader.join();
}

}  // namespace
}  // namespace meshlib::lb
