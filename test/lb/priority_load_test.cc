#include "lb/priority_load.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace meshlib::lb {
namespace {

// Percentages of healthy and degraded hosts of 100, per priority.
struct Level {
  uint64_t healthy = 0;
  uint64_t degraded = 0;
  uint64_t hosts = 100;
};

struct Wanted {
  uint32_t healthy = 0;
  uint32_t degraded = 0;
  bool panic = false;
};

struct LoadCase {
  const char* name;
  std::vector<Level> levels;
  std::vector<Wanted> wanted;
  uint32_t threshold = 50;
  uint32_t factor = 140;
};

std::vector<PriorityCounts> Counts(const std::vector<Level>& levels) {
  std::vector<PriorityCounts> counts;
  for (const Level& level : levels) {
    PriorityCounts c;
    c.hosts = level.hosts;
    c.healthy = level.healthy;
    c.degraded = level.degraded;
    counts.push_back(c);
  }
  return counts;
}

TEST(PriorityLoad, FollowsEnvoysDocumentedTables) {
  const LoadCase kCases[] = {
      // Priority levels: two levels, P1 fully healthy.
      {"all", {{100}, {100}}, {{100}, {0}}},
      {"72", {{72}, {100}}, {{100}, {0}}},
      {"71", {{71}, {100}}, {{99}, {1}}},
      {"50", {{50}, {100}}, {{70}, {30}}},
      {"25", {{25}, {100}}, {{35}, {65}}},
      {"0", {{0}, {100}}, {{0}, {100}}},
      // Three levels.
      {"72 72", {{72}, {72}, {100}}, {{100}, {0}, {0}}},
      {"71 71", {{71}, {71}, {100}}, {{99}, {1}, {0}}},
      {"50 50", {{50}, {50}, {100}}, {{70}, {30}, {0}}},
      {"25 25", {{25}, {25}, {100}}, {{35}, {35}, {30}}},
      // Panic: below 100 % in total, a level below 50 % uses all its hosts.
      {"50 60", {{50}, {60}}, {{70}, {30}}},
      {"25 25 only", {{25}, {25}}, {{50, 0, true}, {50, 0, true}}},
      {"5 65", {{5}, {65}}, {{8, 0, true}, {92}}},
      // Degraded endpoints, one level.
      {"71 0", {{71}}, {{100}}},
      {"71 29", {{71, 29}}, {{99, 1}}},
      {"25 65", {{25, 65}}, {{35, 65}}},
      {"5 0 no panic", {{5}}, {{100}}, 0},
      // Healthy before degraded of any level.
      {"degraded first level", {{0, 100}, {100}}, {{0}, {100}}},
      {"degraded rest", {{20, 80}, {50}}, {{28, 2}, {70}}},
      // Scaled to 100 with the rounding rest to the first.
      {"10 20 10", {{10, 20}, {20, 10}, {10}}, {{16, 28}, {28, 14}, {14}}, 0},
      // Only degraded hosts: the rest goes to the first degraded level.
      {"degraded only", {{0, 20}, {0, 30}}, {{0, 40}, {0, 60}}, 0},
      {"degraded rounding", {{0, 10}, {0, 11}}, {{0, 49}, {0, 51}}, 0},
      // Everything is down.
      {"down", {{0}, {0, 0, 300}}, {{25, 0, true}, {75, 0, true}}},
      {"down, no panic", {{0}, {0}}, {{100}, {0}}, 0},
      {"empty", {{0, 0, 0}, {0, 0, 0}}, {{100, 0, true}, {0, 0, true}}},
      {"empty first", {{0, 0, 0}, {100}}, {{0}, {100}}},
      {"panic rounding",
       {{0, 0, 1}, {0, 0, 1}, {0, 0, 1}},
       {{34, 0, true}, {33, 0, true}, {33, 0, true}}},
      // Overprovisioning off.
      {"factor 100", {{90}, {100}}, {{90}, {10}}, 50, 100},
      // Panic counts degraded hosts as available.
      {"30 30", {{30, 30}}, {{50, 50}}},
      {"20 29", {{20, 29}}, {{100, 0, true}}},
  };
  for (const LoadCase& c : kCases) {
    PriorityLoadOptions options;
    options.panic_threshold = c.threshold;
    options.overprovisioning_factor = c.factor;
    const auto loads = ComputePriorityLoads(Counts(c.levels), options);
    ASSERT_EQ(loads.size(), c.wanted.size()) << c.name;
    for (size_t p = 0; p < loads.size(); ++p) {
      EXPECT_EQ(loads[p].healthy_load, c.wanted[p].healthy)
          << c.name << " P" << p;
      EXPECT_EQ(loads[p].degraded_load, c.wanted[p].degraded)
          << c.name << " P" << p;
      EXPECT_EQ(loads[p].panic, c.wanted[p].panic) << c.name << " P" << p;
    }
  }
}

TEST(PriorityLoad, ExcludedHostsCountNeitherWay) {
  PriorityCounts counts;
  counts.hosts = 10;
  counts.excluded = 5;
  counts.healthy = 4;
  PriorityCounts rest;
  rest.hosts = rest.healthy = 10;
  const auto loads = ComputePriorityLoads({counts, rest}, {});
  EXPECT_EQ(loads[0].health, 100u);  // 4 of 5
  EXPECT_EQ(loads[0].healthy_load, 100u);
  counts.excluded = 0;
  EXPECT_EQ(ComputePriorityLoads({counts, rest}, {})[0].healthy_load, 56u);
  counts.excluded = counts.hosts;
  counts.healthy = 0;
  EXPECT_EQ(ComputePriorityLoads({counts, rest}, {})[0].healthy_load, 0u);
}

TEST(PriorityLoad, UsesWeightsWhenAsked) {
  PriorityCounts counts;
  counts.hosts = 4;
  counts.healthy = 1;
  counts.hosts_weight = 100;
  counts.healthy_weight = 50;
  PriorityCounts rest;
  rest.hosts = rest.healthy = 1;
  rest.hosts_weight = rest.healthy_weight = 1;
  PriorityLoadOptions options;
  EXPECT_EQ(ComputePriorityLoads({counts, rest}, options)[0].healthy_load, 35u);
  options.weighted_priority_health = true;
  EXPECT_EQ(ComputePriorityLoads({counts, rest}, options)[0].healthy_load, 70u);
}

TEST(PriorityLoad, AlwaysSumsTo100) {
  for (uint64_t a = 0; a <= 20; ++a) {
    for (uint64_t b = 0; b <= 20; ++b) {
      for (uint64_t c = 0; c + b <= 20; c += 3) {
        for (const uint32_t threshold : {0u, 50u, 100u}) {
          PriorityLoadOptions options;
          options.panic_threshold = threshold;
          const auto loads = ComputePriorityLoads(
              Counts({{a, 20 - a, 20}, {b, c, 20}, {c, 0, 23}}), options);
          uint32_t sum = 0;
          for (const PriorityLoad& load : loads) {
            sum += load.healthy_load + load.degraded_load;
          }
          EXPECT_EQ(sum, 100u) << a << " " << b << " " << c;
        }
      }
    }
  }
}

TEST(PriorityLoad, TruncatesPercentagesAsEnvoyDoes) {
  EXPECT_EQ(TruncatedPercent(50), 50u);
  EXPECT_EQ(TruncatedPercent(49.9), 49u);
  EXPECT_EQ(TruncatedPercent(29), 28u);  // 0.29 * 100 is less than 29
  EXPECT_EQ(TruncatedPercent(100), 100u);
  EXPECT_EQ(TruncatedPercent(1000), 100u);
  EXPECT_EQ(TruncatedPercent(-1), 0u);
}

}  // namespace
}  // namespace meshlib::lb
