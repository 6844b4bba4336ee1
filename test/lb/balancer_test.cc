#include "lb/balancer.h"

#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/metadata_json.h"
#include "test/lb/fake_cluster.h"

namespace meshlib::lb {
namespace {

using model::HostHealth;
using model::LbPolicy;
using ::testing::HasSubstr;

TEST(RoundRobin, TakesTurnsFromASeededPlaceOn) {
  FakeCluster cluster;
  cluster.AddLocality(0, "a", cluster.Equal(7));
  const auto balancer = cluster.Create();
  std::vector<int> starts(7);
  for (uint64_t seed = 0; seed < 700; ++seed) {
    const auto slot = balancer->NewSlotState(seed);
    const uint32_t first = balancer->Pick(*slot, {}).host->index();
    ++starts[first];
    for (uint32_t i = 1; i < 20; ++i) {
      ASSERT_EQ(balancer->Pick(*slot, {}).host->index(), (first + i) % 7);
    }
  }
  for (const int count : starts) EXPECT_NEAR(count, 100, 45);
}

TEST(LeastRequest, PrefersTheHostWithFewerRequests) {
  FakeCluster cluster;
  cluster.config.policy = LbPolicy::kLeastRequest;
  cluster.AddLocality(0, "a", cluster.Equal(4));
  for (size_t i = 0; i < 3; ++i) cluster.SetActive(cluster.host(i), 5);
  // Two draws with replacement: 1 - (3/4)^2.
  Counts counts = PickMany(*cluster.Create(), 16000);
  EXPECT_NEAR(counts.at("0-a-3:80"), 7000, 300);
  cluster.config.choice_count = 5;  // 1 - (3/4)^5
  counts = PickMany(*cluster.Create(), 16000);
  EXPECT_NEAR(counts.at("0-a-3:80"), 12203, 300);
}

TEST(LeastRequest, PrefersTheHostWithFewerRequestsAmongVeryMany) {
  FakeCluster cluster;
  cluster.config.policy = LbPolicy::kLeastRequest;
  cluster.AddLocality(0, "a", cluster.Equal(8000));
  for (size_t i = 0; i < 4000; ++i) cluster.SetActive(cluster.host(i), 1);
  const auto balancer = cluster.Create();
  const auto slot = balancer->NewSlotState(3);
  int busy = 0;
  for (int i = 0; i < 40000; ++i) {
    if (cluster.active().Of(*balancer->Pick(*slot, {}).host) == 1) ++busy;
  }
  EXPECT_NEAR(busy, 10000, 400);  // both of two: a quarter
}

TEST(LeastRequest, FullScanTakesTheLeastAndBreaksTiesByChance) {
  FakeCluster cluster;
  cluster.config.policy = LbPolicy::kLeastRequest;
  cluster.config.selection = model::LeastRequestSelection::kFullScan;
  cluster.AddLocality(0, "a", cluster.Equal(6));
  for (const size_t i : {0, 2, 5}) cluster.SetActive(cluster.host(i), 1);
  const Counts counts = PickMany(*cluster.Create(), 9000);
  ASSERT_EQ(counts.size(), 3u);
  for (const auto& [address, count] : counts) {
    EXPECT_NEAR(count, 3000, 250) << address;
  }
}

TEST(LeastRequest, DividesUnequalWeightsByTheRequests) {
  FakeCluster cluster;
  cluster.config.policy = LbPolicy::kLeastRequest;
  cluster.AddLocality(0, "a", {4, 1});
  cluster.SetActive(cluster.host(0), 3);  // 4 / (3 + 1)
  EXPECT_NEAR(PickMany(*cluster.Create(), 2000).at("0-a-0:80"), 1000, 1);
  cluster.config.active_request_bias = 0.5;  // 4 / 2
  EXPECT_NEAR(PickMany(*cluster.Create(), 3000).at("0-a-0:80"), 2000, 1);
  cluster.config.active_request_bias = 0;
  EXPECT_EQ(PickMany(*cluster.Create(), 5000).at("0-a-0:80"), 4000);
  cluster.config.active_request_bias = -1;  // counts as 1
  EXPECT_NEAR(PickMany(*cluster.Create(), 2000).at("0-a-0:80"), 1000, 1);
}

TEST(LeastRequest, AnExplicitBiasHoldsForEqualWeightsToo) {
  FakeCluster cluster;
  cluster.config.policy = LbPolicy::kLeastRequest;
  cluster.config.active_request_bias = 2;
  cluster.AddLocality(0, "a", cluster.Equal(2));
  cluster.SetActive(cluster.host(0), 1);
  EXPECT_NEAR(PickMany(*cluster.Create(), 4000).at("0-a-0:80"), 1000, 150);
  cluster.config.active_request_bias_explicit = true;  // 1/4 against 1
  EXPECT_NEAR(PickMany(*cluster.Create(), 4000).at("0-a-0:80"), 800, 1);
}

TEST(Balancer, UsesOneHashForPriorityAndHost) {
  for (const LbPolicy policy : {LbPolicy::kRingHash, LbPolicy::kMaglev}) {
    FakeCluster cluster;
    cluster.config.policy = policy;
    cluster.AddLocality(0, "a", cluster.Equal(10), 5);
    cluster.AddLocality(1, "b", cluster.Equal(10));
    const auto balancer = cluster.Create();
    const auto slot = balancer->NewSlotState(1);
    for (uint64_t hash = 0; hash < 1000; ++hash) {
      PickContext context;
      context.hash = hash * 0x9e3779b97f4a7c15u;
      const HostChoice choice = balancer->Pick(*slot, context);
      const uint32_t priority = *context.hash % 100 + 1 <= 70 ? 0 : 1;
      EXPECT_EQ(choice.priority, priority);
      EXPECT_EQ(choice.host, balancer->table(priority)->Pick(*context.hash, 0));
      // The same hash, the same host, whatever the slot.
      EXPECT_EQ(choice.host,
                balancer->Pick(*balancer->NewSlotState(hash), context).host);
    }
  }
}

TEST(Balancer, BoundsTheLoadOfAHashedHost) {
  for (const LbPolicy policy : {LbPolicy::kRingHash, LbPolicy::kMaglev}) {
    FakeCluster cluster;
    cluster.config.policy = policy;
    cluster.config.hash_balance_factor = 110;
    cluster.AddLocality(0, "a", cluster.Equal(10));
    const auto balancer = cluster.Create();
    const auto slot = balancer->NewSlotState(1);
    PickContext context;
    context.hash = 12345;
    std::vector<int> picks(10);
    for (int i = 0; i < 1000; ++i) {
      context.cluster_active = i;
      const model::Host* host = balancer->Pick(*slot, context).host;
      cluster.AddActive(*host, 1);
      ++picks[host->index()];
    }
    // One hash only: yet nobody has more than 110 % of its share, and one.
    for (const int count : picks) EXPECT_LE(count, 112);
  }
}

TEST(Balancer, SharesTheTablesOfUnchangedPriorities) {
  FakeCluster cluster;
  cluster.config.policy = LbPolicy::kMaglev;
  cluster.AddLocality(0, "a", cluster.Equal(3));
  cluster.AddLocality(1, "b", cluster.Equal(4));
  const auto first = cluster.Create();
  cluster.SetHealth(1, 0, 0, HostHealth::kUnhealthy);
  const auto second = cluster.Create(first.get());
  EXPECT_EQ(first->table(0), second->table(0));
  EXPECT_NE(first->table(1), second->table(1));
  cluster.config.maglev_table_size = 17;
  const auto third = cluster.Create(second.get());
  EXPECT_NE(second->table(0), third->table(0));
}

TEST(Balancer, RefusesWhatItCannotUse) {
  const auto create = [](FakeCluster& cluster) {
    return Balancer::Create(cluster.Input(), nullptr, cluster.factories)
        .status();
  };
  FakeCluster many;
  many.AddLocality(129, "a", many.Equal(1));
  EXPECT_THAT(std::string(create(many).message()), HasSubstr("130 priorities"));
  FakeCluster custom;
  custom.config.policy = LbPolicy::kCustom;
  custom.config.custom_name = "none.such";
  EXPECT_THAT(std::string(create(custom).message()),
              HasSubstr("\"none.such\""));
  FakeCluster ring;
  ring.config.policy = LbPolicy::kRingHash;
  ring.config.minimum_ring_size = 9;
  ring.config.maximum_ring_size = 8;
  EXPECT_THAT(std::string(create(ring).message()),
              HasSubstr("minimum_ring_size 9 > maximum_ring_size 8"));
  EXPECT_FALSE(Balancer::Create(BalancerInput()).ok());
}

TEST(Balancer, ReportsTheWeightOfHostsThatMayBePicked) {
  FakeCluster cluster;
  cluster.AddLocality(0, "a", {1, 2, 4}, 2);
  cluster.AddLocality(0, "b", {8, 16, 32});
  const auto reports = cluster.Create()->DescribeLocalities();
  ASSERT_EQ(reports.size(), 2u);
  EXPECT_EQ(reports[0].effective_weight, 3);
  EXPECT_EQ(reports[1].effective_weight, 56);
}

// The addresses of the hosts that may be picked now.
std::set<std::string> EligibleIn(const Balancer& balancer) {
  std::set<std::string> addresses;
  for (const model::Host* host : balancer.Eligible()) {
    addresses.insert(host->address());
  }
  return addresses;
}

// Those that are picked if only one picks often enough.
std::set<std::string> PickedIn(const Balancer& balancer) {
  std::set<std::string> addresses;
  for (const auto& [address, count] : PickMany(balancer, 20000)) {
    if (!address.empty()) addresses.insert(address);
  }
  return addresses;
}

TEST(Balancer, DegradedHostsAreEligibleOnlyWithALoad) {
  FakeCluster cluster;
  cluster.AddLocality(0, "a", cluster.Equal(6));
  cluster.AddLocality(0, "b", {5}, 0, 1);
  // 140 * 6 / 7 is more than 100: nothing is left for the degraded one.
  auto balancer = cluster.Create();
  EXPECT_EQ(EligibleIn(*balancer).count("0-b-0:80"), 0u);
  EXPECT_EQ(EligibleIn(*balancer), PickedIn(*balancer));
  EXPECT_EQ(balancer->DescribeLocalities()[1].effective_weight, 0);
  cluster.input.overprovisioning_factor = 100;
  balancer = cluster.Create();
  EXPECT_EQ(EligibleIn(*balancer).count("0-b-0:80"), 1u);
  EXPECT_EQ(EligibleIn(*balancer), PickedIn(*balancer));
  EXPECT_EQ(balancer->DescribeLocalities()[1].effective_weight, 5);
}

TEST(Balancer, HostsOfAPriorityWithoutLoadAreNotEligible) {
  for (const auto policy :
       {model::LbPolicy::kRoundRobin, model::LbPolicy::kRingHash}) {
    FakeCluster cluster;
    cluster.config.policy = policy;
    cluster.AddLocality(0, "a", {1, 2});
    cluster.AddLocality(1, "b", {3, 4});
    const auto balancer = cluster.Create();
    EXPECT_EQ(EligibleIn(*balancer),
              (std::set<std::string>{"0-a-0:80", "0-a-1:80"}));
    // What it would go by.
    EXPECT_EQ(balancer->DescribeLocalities()[1].effective_weight, 7);
  }
}

TEST(Balancer, AllHostsAreEligibleInPanic) {
  FakeCluster cluster;
  cluster.AddLocality(0, "a", {1, 2, 4}, 1);
  cluster.AddLocality(0, "b", {8, 16}, 0, 1);
  const auto balancer = cluster.Create();
  ASSERT_TRUE(balancer->loads()[0].panic);
  EXPECT_EQ(EligibleIn(*balancer).size(), 5u);
  EXPECT_EQ(EligibleIn(*balancer), PickedIn(*balancer));
  const auto reports = balancer->DescribeLocalities();
  EXPECT_EQ(reports[0].effective_weight, 7);
  EXPECT_EQ(reports[1].effective_weight, 24);
}

TEST(Balancer, HostsAndLocalitiesWithoutWeightAreNotEligible) {
  FakeCluster cluster;
  cluster.config.locality_weighted = true;
  cluster.AddLocality(0, "a", {0, 2});
  cluster.AddLocality(0, "b", {1});
  cluster.SetLocalityWeight(0, 0, 3);
  const auto balancer = cluster.Create();
  EXPECT_EQ(EligibleIn(*balancer), (std::set<std::string>{"0-a-1:80"}));
  EXPECT_EQ(EligibleIn(*balancer), PickedIn(*balancer));
}

// Asks what an application may ask, and answers as it is told.
class AskingFactory final : public LoadBalancerFactory {
 public:
  std::string_view name() const override { return "test.asking"; }
  absl::StatusOr<std::shared_ptr<const LoadBalancer>> Create(
      const LoadBalancerHosts& hosts, std::string_view config) override {
    configs.emplace_back(config);
    for (size_t i = 0; i < hosts.size(); ++i) {
      seen +=
          std::string(hosts.address(i)) + "/" + std::string(hosts.hostname(i)) +
          "/" + std::to_string(hosts.weight(i)) + "/" +
          std::string(hosts.region(i)) + "/" +
          std::string(hosts.MetadataString(i, "f", "k").value_or("-")) + "/" +
          hosts.MetadataJson(i) + "/" + std::to_string(hosts.active(i)) + ";";
    }
    if (fails) return absl::InvalidArgumentError("bad config");
    if (null) return std::shared_ptr<const LoadBalancer>();
    return std::make_shared<const Fixed>(this);
  }

  bool fails = false;
  bool null = false;
  size_t answer = 0;
  std::string seen;
  std::vector<std::string> configs;
  mutable LoadBalancerContext context;

 private:
  class Fixed final : public LoadBalancer {
   public:
    explicit Fixed(const AskingFactory* factory) : factory_(factory) {}
    size_t Pick(State* state,
                const LoadBalancerContext& context) const override {
      factory_->context = context;
      return factory_->answer;
    }

   private:
    const AskingFactory* factory_;
  };
};

TEST(CustomPolicy, ShowsTheHostsToTheApplication) {
  FakeCluster cluster;
  cluster.config.policy = LbPolicy::kCustom;
  cluster.config.custom_name = "test.asking";
  cluster.config.custom_config = R"({"x": 1})";
  auto factory = std::make_shared<AskingFactory>();
  cluster.factories.push_back(factory);
  cluster.AddLocality(0, "a", {3, 3});
  auto metadata = std::make_shared<model::Metadata>();
  metadata->filters["f"].kind = model::Value::Kind::kStruct;
  metadata->filters["f"].fields["k"].kind = model::Value::Kind::kString;
  metadata->filters["f"].fields["k"].string = "v";
  LocalityHosts& group = cluster.input.priorities[0].localities[0];
  HostEntries entries = *group.hosts;
  entries.push_back(
      {cluster.NewHost("x:1", {"r", "z", "s"}, 0, "name", metadata), 5,
       HostHealth::kHealthy});
  cluster.SetActive(*entries.back().host, 9);
  group.hosts = std::make_shared<const HostEntries>(entries);

  const auto balancer = cluster.Create();
  ASSERT_NE(balancer, nullptr);
  EXPECT_EQ(factory->seen,
            "0-a-0:80//3/a/-/{}/0;0-a-1:80//3/a/-/{}/0;"
            "x:1/name/5/r/v/{\"f\": {\"k\": \"v\"}}/9;");
  EXPECT_EQ(factory->configs, std::vector<std::string>{R"({"x": 1})"});

  const auto slot = balancer->NewSlotState(1);
  PickContext context;
  context.hash = 77;
  context.now_ns = 5;
  context.attempt = 2;
  factory->answer = 2;
  EXPECT_EQ(balancer->Pick(*slot, context).host->address(), "x:1");
  EXPECT_EQ(factory->context.hash, 77u);
  EXPECT_EQ(factory->context.now_ns, 5);
  EXPECT_EQ(factory->context.attempt, 2u);
}

TEST(CustomPolicy, SurvivesAnyAnswer) {
  FakeCluster cluster;
  cluster.config.policy = LbPolicy::kCustom;
  cluster.config.custom_name = "test.asking";
  auto factory = std::make_shared<AskingFactory>();
  cluster.factories.push_back(factory);
  cluster.AddLocality(0, "a", cluster.Equal(3));
  const auto balancer = cluster.Create();
  for (const size_t answer : {size_t{3}, LoadBalancer::kNoHost}) {
    factory->answer = answer;
    const auto slot = balancer->NewSlotState(1);
    const HostChoice choice = balancer->Pick(*slot, {});
    EXPECT_EQ(choice.host, nullptr);
    EXPECT_EQ(choice.failure, PickFailure::kNoHealthyHost);
  }
  factory->fails = true;
  EXPECT_EQ(cluster.Create(), nullptr);
  factory->fails = false;
  factory->null = true;
  EXPECT_EQ(cluster.Create(), nullptr);
}

TEST(MetadataJson, WritesEveryKindOfValue) {
  using Kind = model::Value::Kind;
  model::Metadata metadata;
  model::Value& f = metadata.filters["f\n\""];
  f.kind = Kind::kStruct;
  f.fields["b"].kind = Kind::kBool;
  f.fields["b"].boolean = true;
  f.fields["l"].kind = Kind::kList;
  f.fields["l"].list.resize(2);
  f.fields["l"].list[0].kind = Kind::kNumber;
  f.fields["l"].list[0].number = 0.1;
  f.fields["n"].kind = Kind::kNumber;
  f.fields["n"].number = 42;
  EXPECT_EQ(model::MetadataJson(metadata),
            "{\"f\\u000a\\\"\": {\"b\": true, \"l\": [0.1, null], \"n\": 42}}");
}

}  // namespace
}  // namespace meshlib::lb
