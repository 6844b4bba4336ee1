// The promises that every load-balancing policy keeps, our own and one
// of an application.

#include <algorithm>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "gtest/gtest.h"
#include "test/lb/fake_cluster.h"

namespace meshlib::lb {
namespace {

using model::HostHealth;
using model::LbPolicy;

// Takes turns; as an application would write it.
class TurnsFactory final : public LoadBalancerFactory {
 public:
  std::string_view name() const override { return "test.turns"; }
  absl::StatusOr<std::shared_ptr<const LoadBalancer>> Create(
      const LoadBalancerHosts& hosts, std::string_view config) override {
    return std::make_shared<const Turns>(hosts);
  }

 private:
  class Turns final : public LoadBalancer {
   public:
    explicit Turns(const LoadBalancerHosts& hosts) : hosts_(hosts) {}
    std::unique_ptr<State> NewState(uint64_t seed) const override {
      auto state = std::make_unique<Next>();
      state->index = seed % hosts_.size();
      return state;
    }
    size_t Pick(State* state,
                const LoadBalancerContext& context) const override {
      if (state == nullptr) return context.random % hosts_.size();
      size_t& index = static_cast<Next*>(state)->index;
      index = (index + 1) % hosts_.size();
      return index;
    }

   private:
    struct Next final : State {
      size_t index = 0;
    };
    const LoadBalancerHosts& hosts_;
  };
};

class EveryPolicy : public ::testing::TestWithParam<LbPolicy> {
 protected:
  EveryPolicy() {
    cluster_.config.policy = GetParam();
    cluster_.config.minimum_ring_size = 20000;
    cluster_.config.custom_name = "test.turns";
    cluster_.factories.push_back(std::make_shared<TurnsFactory>());
  }

  // Also picks without a slot: the two must agree on who may be picked.
  Counts Pick(const Balancer& balancer, int picks, uint64_t seed = 1) {
    base::Random random(seed);
    const Counts counts = PickMany(balancer, picks, seed);
    for (int i = 0; i < picks; ++i) {
      const HostChoice choice = balancer.PickStateless(random, {});
      const std::string address =
          choice.host == nullptr ? "" : choice.host->address();
      EXPECT_EQ(counts.count(address), 1u) << address;
    }
    return counts;
  }

  bool Hashes() const {
    return GetParam() == LbPolicy::kRingHash || GetParam() == LbPolicy::kMaglev;
  }

  // Whether load_balancing_weight does not count.
  bool IgnoresWeights() const {
    return GetParam() == LbPolicy::kRandom ||
           GetParam() == LbPolicy::kClientSideWeightedRoundRobin;
  }

  FakeCluster cluster_;
};

TEST_P(EveryPolicy, SpreadsOverEqualHosts) {
  cluster_.AddLocality(0, "a", cluster_.Equal(10));
  const Counts counts = Pick(*cluster_.Create(), 20000);
  ASSERT_EQ(counts.size(), 10u);
  for (const auto& [address, count] : counts) {
    EXPECT_NEAR(count, 2000, 300) << address;
  }
}

TEST_P(EveryPolicy, SpreadsOverVeryManyHosts) {
  cluster_.AddLocality(0, "a", cluster_.Equal(5000));
  const auto balancer = cluster_.Create();
  const Counts counts = PickMany(*balancer, 100000);
  EXPECT_GT(counts.size(), 4900u);
  int most = 0;
  for (const auto& [address, count] : counts) most = std::max(most, count);
  EXPECT_LT(most, 150);
}

TEST_P(EveryPolicy, SpreadsByWeightWhereWeightsCount) {
  cluster_.AddLocality(0, "a", {1, 2, 3, 4});
  const Counts counts = Pick(*cluster_.Create(), 20000);
  const bool ignores = IgnoresWeights() || GetParam() == LbPolicy::kCustom;
  for (int i = 0; i < 4; ++i) {
    EXPECT_NEAR(counts.at("0-a-" + std::to_string(i) + ":80"),
                ignores ? 5000 : 2000 * (i + 1), 300)
        << i;
  }
}

TEST_P(EveryPolicy, SharesAreExactWhereHostsTakeTurns) {
  if (Hashes() || IgnoresWeights() || GetParam() == LbPolicy::kCustom) return;
  cluster_.AddLocality(0, "a", {1, 2, 3, 14});
  const auto balancer = cluster_.Create();
  for (uint64_t seed = 0; seed < 50; ++seed) {
    const Counts counts = PickMany(*balancer, 2000, seed);
    EXPECT_EQ(counts.at("0-a-0:80"), 100) << seed;
    EXPECT_EQ(counts.at("0-a-1:80"), 200) << seed;
    EXPECT_EQ(counts.at("0-a-2:80"), 300) << seed;
    EXPECT_EQ(counts.at("0-a-3:80"), 1400) << seed;
  }
}

TEST_P(EveryPolicy, HasNoHostInAnEmptyCluster) {
  for (int localities = 0; localities < 3; ++localities) {
    const auto balancer = cluster_.Create();
    EXPECT_EQ(Pick(*balancer, 10), (Counts{{"", 10}}));
    const auto slot = balancer->NewSlotState(1);
    EXPECT_EQ(balancer->Pick(*slot, {}).failure, PickFailure::kNoHosts);
    base::Random random(1);
    EXPECT_EQ(balancer->PickStateless(random, {}).failure,
              PickFailure::kNoHosts);
    cluster_.AddLocality(localities, "a", {});
  }
}

TEST_P(EveryPolicy, AlwaysPicksTheOnlyHost) {
  cluster_.AddLocality(0, "a", {7});
  EXPECT_EQ(Pick(*cluster_.Create(), 100), (Counts{{"0-a-0:80", 100}}));
}

TEST_P(EveryPolicy, UsesAllHostsWhenAllAreUnhealthy) {
  cluster_.AddLocality(0, "a", cluster_.Equal(4), 0);
  const auto balancer = cluster_.Create();
  EXPECT_EQ(Pick(*balancer, 2000).size(), 4u);
  const auto slot = balancer->NewSlotState(1);
  const HostChoice choice = balancer->Pick(*slot, {});
  EXPECT_TRUE(choice.panic);
  EXPECT_EQ(balancer->Eligible().size(), 4u);
}

TEST_P(EveryPolicy, HasNoHostWhenAllAreUnhealthyAndPanicIsOff) {
  cluster_.config.healthy_panic_threshold = 0;
  cluster_.AddLocality(0, "a", cluster_.Equal(4), 0);
  const auto balancer = cluster_.Create();
  EXPECT_EQ(Pick(*balancer, 10), (Counts{{"", 10}}));
  const auto slot = balancer->NewSlotState(1);
  EXPECT_EQ(balancer->Pick(*slot, {}).failure, PickFailure::kNoHealthyHost);
  EXPECT_TRUE(balancer->Eligible().empty());
}

TEST_P(EveryPolicy, FailsTrafficOnPanicIfAsked) {
  cluster_.config.zone_aware.emplace();
  cluster_.config.zone_aware->fail_traffic_on_panic = true;
  cluster_.AddLocality(0, "a", cluster_.Equal(4), 1);
  const auto balancer = cluster_.Create();
  const auto slot = balancer->NewSlotState(1);
  const HostChoice choice = balancer->Pick(*slot, {});
  // Envoy's hash policies do not know this option.
  EXPECT_EQ(choice.failure,
            Hashes() ? PickFailure::kNone : PickFailure::kPanic);
  EXPECT_EQ(balancer->Eligible().size(), Hashes() ? 4u : 0u);
}

TEST_P(EveryPolicy, NeverPicksAnUnhealthyHostWithoutPanic) {
  cluster_.AddLocality(0, "a", {3, 1, 4, 1, 5, 9, 2, 6}, 6);
  const Counts counts = Pick(*cluster_.Create(), 5000);
  EXPECT_EQ(counts.size(), 6u);
  EXPECT_EQ(counts.count("0-a-6:80"), 0u);
  EXPECT_EQ(counts.count("0-a-7:80"), 0u);
}

TEST_P(EveryPolicy, FailsOverByPriority) {
  cluster_.AddLocality(0, "a", cluster_.Equal(10), 5);
  cluster_.AddLocality(1, "b", cluster_.Equal(10));
  int first = 0;
  for (const auto& [address, count] : Pick(*cluster_.Create(), 20000)) {
    if (address[0] == '0') first += count;
  }
  EXPECT_NEAR(first, 14000, 400);  // 5 of 10 healthy: 70 %
}

TEST_P(EveryPolicy, UsesDegradedHostsForTheRest) {
  cluster_.AddLocality(0, "a", cluster_.Equal(10), 0, 10);
  const Counts counts = Pick(*cluster_.Create(), 2000);
  if (Hashes()) {  // their tables never have degraded hosts, as Envoy's
    EXPECT_EQ(counts, (Counts{{"", 2000}}));
    return;
  }
  EXPECT_EQ(counts.size(), 10u);
  EXPECT_EQ(counts.count(""), 0u);
}

TEST_P(EveryPolicy, HostsOfWeightZeroGetNothingByWeight) {
  cluster_.AddLocality(0, "a", {0, 2, 0, 2, 3});
  const Counts counts = Pick(*cluster_.Create(), 5000);
  EXPECT_EQ(counts.count(""), 0u);
  EXPECT_EQ(counts.count("0-a-0:80"), IgnoresWeights() ? 1u : 0u);
  EXPECT_EQ(counts.count("0-a-4:80"), 1u);
}

TEST_P(EveryPolicy, HostsThatAllHaveWeightZeroAreAlike) {
  cluster_.AddLocality(0, "a", {0, 0, 0});
  const Counts counts = Pick(*cluster_.Create(), 6000);
  ASSERT_EQ(counts.size(), 3u);
  for (const auto& [address, count] : counts) EXPECT_NEAR(count, 2000, 300);
}

TEST_P(EveryPolicy, LocalitiesOfWeightZeroGetNothing) {
  cluster_.config.locality_weighted = true;
  cluster_.AddLocality(0, "a", cluster_.Equal(3));
  cluster_.AddLocality(0, "b", cluster_.Equal(3));
  cluster_.SetLocalityWeight(0, 0, 0);
  cluster_.SetLocalityWeight(0, 1, 1);
  for (const auto& [address, count] : Pick(*cluster_.Create(), 1000)) {
    EXPECT_EQ(address.substr(0, 3), "0-b");
  }
}

TEST_P(EveryPolicy, EqualSeedsPickAlike) {
  cluster_.AddLocality(0, "a", {1, 5, 2, 1, 1, 1});
  cluster_.AddLocality(1, "b", cluster_.Equal(4));
  cluster_.SetHealth(0, 0, 0, HostHealth::kUnhealthy);
  cluster_.SetHealth(0, 0, 2, HostHealth::kUnhealthy);
  const auto one = cluster_.Create();
  const auto two = cluster_.Create();
  const auto slot_one = one->NewSlotState(42);
  const auto slot_two = two->NewSlotState(42);
  const auto other = one->NewSlotState(43);
  int different = 0;
  for (int i = 0; i < 1000; ++i) {
    const model::Host* host = one->Pick(*slot_one, {}).host;
    ASSERT_EQ(host, two->Pick(*slot_two, {}).host) << i;
    if (one->Pick(*other, {}).host != host) ++different;
  }
  EXPECT_GT(different, 100);
}

TEST_P(EveryPolicy, FollowsHostsThatComeAndGo) {
  cluster_.AddLocality(0, "a", cluster_.Equal(20));
  std::shared_ptr<const Balancer> balancer = cluster_.Create();
  base::Random random(5);
  for (int version = 0; version < 200; ++version) {
    LocalityHosts& group = cluster_.input.priorities[0].localities[0];
    HostEntries entries = *group.hosts;
    const size_t changed = random.Next() % entries.size();
    switch (random.Next() % 4) {
      case 0:
        entries.erase(entries.begin() + static_cast<long>(changed));
        break;
      case 1:
        entries.push_back({cluster_.NewHost("new-" + std::to_string(version)),
                           1, HostHealth::kHealthy});
        break;
      case 2:
        entries[changed].health = HostHealth::kUnhealthy;
        break;
      case 3:
        entries[changed].weight = static_cast<uint32_t>(random.Next() % 5);
        break;
    }
    if (entries.empty()) break;
    group.hosts = std::make_shared<const HostEntries>(entries);
    balancer = cluster_.Create(balancer.get());
    ASSERT_NE(balancer, nullptr);
    // Exactly what a Balancer picks that shares nothing with others.
    const auto fresh = cluster_.Create();
    const auto slot = balancer->NewSlotState(7);
    const auto fresh_slot = fresh->NewSlotState(7);
    for (int i = 0; i < 100; ++i) {
      const HostChoice choice = balancer->Pick(*slot, {});
      ASSERT_EQ(choice.host, fresh->Pick(*fresh_slot, {}).host);
      ASSERT_NE(choice.host, nullptr);
      bool found = false;
      for (const HostEntry& entry : entries) {
        if (entry.host != choice.host) continue;
        found = choice.panic || entry.health == HostHealth::kHealthy;
      }
      ASSERT_TRUE(found) << choice.host->address();
    }
  }
}

TEST_P(EveryPolicy, NeedsTheClustersRequestsOnlyForBoundedLoads) {
  cluster_.AddLocality(0, "a", cluster_.Equal(3));
  EXPECT_FALSE(cluster_.Create()->needs_cluster_active());
  cluster_.config.hash_balance_factor = 120;
  EXPECT_EQ(cluster_.Create()->needs_cluster_active(), Hashes());
}

TEST_P(EveryPolicy, UsesTheLoadsOfARetryIfItHasThem) {
  cluster_.AddLocality(0, "a", cluster_.Equal(3));
  cluster_.AddLocality(1, "b", cluster_.Equal(3));
  const auto balancer = cluster_.Create();
  PriorityLoadOverride loads;
  loads.priorities = 2;
  loads.healthy[0] = 0;
  loads.healthy[1] = 100;
  loads.degraded[0] = loads.degraded[1] = 0;
  PickContext context;
  context.loads = &loads;
  for (const auto& [address, count] : PickMany(*balancer, 100, 1, context)) {
    EXPECT_EQ(address[0], Hashes() ? '0' : '1');
  }
}

std::string PolicyName(const ::testing::TestParamInfo<LbPolicy>& info) {
  return model::LbPolicyName(info.param);
}

INSTANTIATE_TEST_SUITE_P(
    Lb, EveryPolicy,
    ::testing::Values(LbPolicy::kRoundRobin, LbPolicy::kLeastRequest,
                      LbPolicy::kRandom, LbPolicy::kRingHash, LbPolicy::kMaglev,
                      LbPolicy::kClientSideWeightedRoundRobin,
                      LbPolicy::kCustom),
    PolicyName);

}  // namespace
}  // namespace meshlib::lb
