#include "lb/edf_scheduler.h"

#include <cstdint>
#include <numeric>
#include <queue>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

namespace meshlib::lb {
namespace {

// Earliest deadline first, pick by pick from an empty schedule: what a seeded
// start must come to.
class SlowEdf {
 public:
  explicit SlowEdf(std::vector<double> weights) : weights_(weights) {
    for (uint32_t i = 0; i < weights_.size(); ++i) Insert(i);
  }
  uint32_t Pick() {
    const Entry entry = queue_.top();
    queue_.pop();
    now_ = entry.deadline;
    Insert(entry.index);
    return entry.index;
  }

 private:
  struct Entry {
    double deadline;
    uint64_t order;
    uint32_t index;
    bool operator<(const Entry& other) const {
      return deadline != other.deadline ? deadline > other.deadline
                                        : order > other.order;
    }
  };
  void Insert(uint32_t index) {
    queue_.push({now_ + 1.0 / weights_[index], order_++, index});
  }

  std::vector<double> weights_;
  std::priority_queue<Entry> queue_;
  double now_ = 0;
  uint64_t order_ = 0;
};

std::vector<uint32_t> Picks(EdfScheduler scheduler,
                            const std::vector<double>& weights, int n) {
  std::vector<uint32_t> picks;
  for (int i = 0; i < n; ++i) {
    picks.push_back(scheduler.Pick([&](uint32_t w) { return weights[w]; }));
  }
  return picks;
}

std::vector<uint32_t> Picks(WrrScheduler scheduler, int n) {
  std::vector<uint32_t> picks;
  for (int i = 0; i < n; ++i) picks.push_back(scheduler.Pick());
  return picks;
}

TEST(EdfScheduler, TakesTurnsWithEqualWeights) {
  const std::vector<double> weights(5, 1.0);
  const std::vector<uint32_t> turns = {0, 1, 2, 3, 4, 0, 1, 2, 3, 4};
  EXPECT_EQ(Picks(EdfScheduler(weights, 0), weights, 10), turns);
  EXPECT_EQ(Picks(WrrScheduler(weights, 0), 10), turns);
}

TEST(EdfScheduler, BreaksTiesOfMultiplesByTheEpsilon) {
  // {2, 1, 3}: due at 1/2, 1, 1/3. At time 1 all three are due; the epsilon
  // moves what is rarer ahead.
  const std::vector<double> weights = {2, 1, 3};
  const std::vector<uint32_t> cycle = {2, 0, 2, 1, 0, 2};
  EXPECT_EQ(Picks(EdfScheduler(weights, 0), weights, 6), cycle);
  std::vector<uint32_t> ten_cycles;
  for (int i = 0; i < 10; ++i) {
    ten_cycles.insert(ten_cycles.end(), cycle.begin(), cycle.end());
  }
  EXPECT_EQ(Picks(WrrScheduler(weights, 0), 60), ten_cycles);
}

TEST(EdfScheduler, StartsAsIfTheSeedsPicksHadBeenMade) {
  const std::vector<std::vector<double>> kWeights = {
      {25, 75}, {1, 99}, {1, 20, 79}, {3, 5, 7, 11, 13}, {0.5, 0.3, 1.7}};
  for (const auto& weights : kWeights) {
    for (const uint32_t picks : {0u, 1u, 5u, 23u, 140u, 501u, 12345u}) {
      SlowEdf slow(weights);
      std::vector<int> wanted(weights.size());
      for (uint32_t i = 0; i < picks; ++i) ++wanted[slow.Pick()];
      // The order of ties may differ; the shares after any number may not by
      // more than the ties at one moment.
      EdfScheduler edf(weights, picks);
      WrrScheduler wrr(weights, picks);
      std::vector<int> slow_counts(weights.size());
      std::vector<int> edf_counts(weights.size());
      std::vector<int> wrr_counts(weights.size());
      for (int i = 0; i < 1000; ++i) {
        ++slow_counts[slow.Pick()];
        ++edf_counts[edf.Pick([&](uint32_t w) { return weights[w]; })];
        ++wrr_counts[wrr.Pick()];
        for (size_t w = 0; w < weights.size(); ++w) {
          ASSERT_NEAR(edf_counts[w], slow_counts[w], 1) << picks << " " << i;
          ASSERT_NEAR(wrr_counts[w], slow_counts[w], 1) << picks << " " << i;
        }
      }
    }
  }
}

TEST(EdfScheduler, UsesTheWeightOfTheMomentWhenItInsertsAgain) {
  std::vector<double> weights = {1, 1};
  EdfScheduler edf(weights, 0);
  weights[0] = 0.25;
  const auto weight_of = [&](uint32_t w) { return weights[w]; };
  EXPECT_EQ(edf.Pick(weight_of), 0u);  // due at 1, next at 5
  EXPECT_EQ(edf.Pick(weight_of), 1u);  // 1
  EXPECT_EQ(edf.Pick(weight_of), 1u);  // 2
  EXPECT_EQ(edf.Pick(weight_of), 1u);  // 3
  EXPECT_EQ(edf.Pick(weight_of), 1u);  // 4
  weights[0] = 1;
  EXPECT_EQ(edf.Pick(weight_of), 0u);  // 5, before 1 by order of insertion
  EXPECT_EQ(edf.Pick(weight_of), 1u);
}

TEST(EdfScheduler, FirstPicksAreSpreadByWeight) {
  // Over all starts of a cycle the first pick must hit each entry as often as
  // its weight says.
  const std::vector<double> weights = {1, 20, 79};
  std::vector<int> edf_first(3);
  std::vector<int> wrr_first(3);
  for (uint64_t seed = 0; seed < 100; ++seed) {
    ++edf_first[Picks(EdfScheduler(weights, seed), weights, 1)[0]];
    ++wrr_first[Picks(WrrScheduler(weights, seed), 1)[0]];
  }
  EXPECT_EQ(edf_first, (std::vector<int>{1, 20, 79}));
  EXPECT_EQ(wrr_first, (std::vector<int>{1, 20, 79}));
}

TEST(EdfScheduler, TakesTheSeedModuloATenthOf32Bits) {
  const std::vector<double> weights = {1, 2, 5};
  for (const uint64_t seed : {uint64_t{429496729}, uint64_t{1} << 32,
                              (uint64_t{7} << 32) + 429496729}) {
    EXPECT_EQ(Picks(WrrScheduler(weights, seed), 8),
              Picks(WrrScheduler(weights, 0), 8));
  }
}

TEST(WrrScheduler, GivesEveryCycleExactlyItsWeights) {
  const std::vector<std::vector<double>> kWeights = {
      {1, 2, 3},        {2, 1, 3},
      {7, 7, 7, 1},     {1, 1000},
      {10, 20, 70},     {3, 9, 27, 81},
      {13, 17, 19, 23}, {1, 1, 1, 1, 97},
      {999, 1000, 1},   {128, 64, 32, 16, 8, 4, 2, 1}};
  for (const auto& weights : kWeights) {
    const int sum =
        static_cast<int>(std::accumulate(weights.begin(), weights.end(), 0.0));
    for (const uint64_t seed :
         {uint64_t{0}, uint64_t{1}, uint64_t{12345}, uint64_t{429496728},
          uint64_t{0x9e3779b97f4a7c15}, uint64_t{300000000}}) {
      WrrScheduler wrr(weights, seed);
      const int skipped = static_cast<int>(seed % 7);
      for (int i = 0; i < skipped; ++i) wrr.Pick();
      for (int cycle = 0; cycle < 20; ++cycle) {
        std::vector<double> counts(weights.size());
        for (int i = 0; i < sum; ++i) counts[wrr.Pick()] += 1;
        ASSERT_EQ(counts, weights) << "seed " << seed << " cycle " << cycle;
      }
    }
  }
}

TEST(WrrScheduler, NeverLosesTheOrderOfACycle) {
  // 1/3 has no end in binary: what is lost of it must not add up.
  WrrScheduler wrr({3, 1}, 1);
  const std::vector<uint32_t> first = {wrr.Pick(), wrr.Pick(), wrr.Pick(),
                                       wrr.Pick()};
  for (int cycle = 0; cycle < 500000; ++cycle) {
    for (const uint32_t index : first) ASSERT_EQ(wrr.Pick(), index) << cycle;
  }
}

TEST(WrrScheduler, KeepsExtremeAndFractionalWeightsInProportion) {
  const std::vector<double> weights = {0.001, 33.6, 4294967295.0};
  WrrScheduler wrr(weights, 77);
  std::vector<int> counts(3);
  for (int i = 0; i < 100000; ++i) ++counts[wrr.Pick()];
  EXPECT_LE(counts[0], 1);
  EXPECT_LE(counts[1], 1);

  const std::vector<double> fractions = {33.6, 70, 0.4};
  WrrScheduler fractional(fractions, 5);
  std::vector<int> shares(3);
  for (int i = 0; i < 104000; ++i) ++shares[fractional.Pick()];
  EXPECT_NEAR(shares[0], 33600, 1);
  EXPECT_NEAR(shares[1], 70000, 1);
  EXPECT_NEAR(shares[2], 400, 1);
}

TEST(EdfScheduler, AnEmptyOneHasNothingDue) {
  EXPECT_TRUE(EdfScheduler({}, 5).empty());
  EXPECT_TRUE(WrrScheduler({}, 5).empty());
}

}  // namespace
}  // namespace meshlib::lb
