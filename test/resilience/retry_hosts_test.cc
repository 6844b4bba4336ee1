#include "resilience/retry_hosts.h"

#include <memory>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "model/endpoints.h"
#include "model/host.h"

namespace meshlib::resilience {
namespace {

using Load = std::vector<uint32_t>;

model::Value Bool(bool value) {
  model::Value out;
  out.kind = model::Value::Kind::kBool;
  out.boolean = value;
  return out;
}

model::Value String(std::string text) {
  model::Value out;
  out.kind = model::Value::Kind::kString;
  out.string = std::move(text);
  return out;
}

model::Value List(std::vector<model::Value> values) {
  model::Value out;
  out.kind = model::Value::Kind::kList;
  out.list = std::move(values);
  return out;
}

std::unique_ptr<model::Host> MakeHost(
    std::vector<std::pair<std::string, model::Value>> labels = {},
    std::shared_ptr<model::HostState> state = nullptr) {
  auto metadata = std::make_shared<model::Metadata>();
  model::Value& lb = metadata->filters["envoy.lb"];
  lb.kind = model::Value::Kind::kStruct;
  for (auto& [key, value] : labels) lb.fields[key] = value;
  if (state == nullptr) state = std::make_shared<model::HostState>();
  model::Host::Identity identity;
  identity.locality = std::make_shared<model::Locality>();
  if (!labels.empty()) identity.metadata = metadata;
  return std::make_unique<model::Host>(0, std::move(identity),
                                       std::move(state));
}

TEST(HostPredicate, AnEmptyPolicyRejectsNobody) {
  const HostPredicate predicate{model::RetryPolicy{}};
  const auto host = MakeHost();
  const std::vector<const model::Host*> attempted = {host.get()};
  EXPECT_FALSE(predicate.active());
  EXPECT_FALSE(predicate.Rejects(*host, attempted));
}

TEST(HostPredicate, PreviousHostsRejectsHostsAlreadyTried) {
  model::RetryPolicy config;
  config.previous_hosts = true;
  const HostPredicate predicate(config);
  EXPECT_TRUE(predicate.active());
  const auto tried = MakeHost();
  const auto fresh = MakeHost();
  const std::vector<const model::Host*> attempted = {tried.get()};
  EXPECT_TRUE(predicate.Rejects(*tried, attempted));
  EXPECT_FALSE(predicate.Rejects(*fresh, attempted));
  EXPECT_FALSE(predicate.Rejects(*tried, {}));
}

TEST(HostPredicate, AHostThatAnUpdateReplacedIsStillTheSame) {
  model::RetryPolicy config;
  config.previous_hosts = true;
  const HostPredicate predicate(config);
  const auto before = MakeHost();
  const auto after = MakeHost({}, before->shared_state());
  const std::vector<const model::Host*> attempted = {before.get()};
  EXPECT_TRUE(predicate.Rejects(*after, attempted));
}

TEST(HostPredicate, OmitCanaryHostsLooksAtTheLbMetadata) {
  model::RetryPolicy config;
  config.omit_canary_hosts = true;
  const HostPredicate predicate(config);
  EXPECT_TRUE(predicate.Rejects(*MakeHost({{"canary", Bool(true)}}), {}));
  EXPECT_FALSE(predicate.Rejects(*MakeHost({{"canary", Bool(false)}}), {}));
  EXPECT_FALSE(predicate.Rejects(*MakeHost({{"canary", String("x")}}), {}));
  EXPECT_FALSE(predicate.Rejects(*MakeHost(), {}));
}

TEST(HostPredicate, OmitHostMetadataRejectsOnlyIfAllLabelsMatch) {
  model::RetryPolicy config;
  config.omit_host_metadata = {{"version", String("v1")},
                               {"stage", String("beta")}};
  const HostPredicate predicate(config);
  const auto v1 = String("v1");
  const auto beta = String("beta");
  EXPECT_TRUE(predicate.Rejects(
      *MakeHost({{"version", v1}, {"stage", beta}, {"x", v1}}), {}));
  EXPECT_TRUE(predicate.Rejects(
      *MakeHost({{"version", List({String("v0"), v1})}, {"stage", beta}}), {}));
  EXPECT_FALSE(predicate.Rejects(*MakeHost({{"version", v1}}), {}));
  EXPECT_FALSE(
      predicate.Rejects(*MakeHost({{"version", v1}, {"stage", v1}}), {}));
  EXPECT_FALSE(predicate.Rejects(*MakeHost(), {}));
}

struct Loads {
  bool adjusted;
  Load healthy;
  Load degraded;
};

Loads Adjust(uint32_t frequency, Load attempted, Load healthy, Load degraded) {
  Loads out{false, Load(healthy.size(), 77), Load(healthy.size(), 77)};
  out.adjusted = PreviousPrioritiesLoad(frequency, attempted, healthy, degraded,
                                        absl::MakeSpan(out.healthy),
                                        absl::MakeSpan(out.degraded));
  return out;
}

TEST(PreviousPriorities, KeepsTheLoadBeforeTheFirstUpdate) {
  EXPECT_FALSE(Adjust(0, {0, 0}, {100, 100}, {0, 0}).adjusted);
  EXPECT_FALSE(Adjust(2, {}, {100, 100}, {0, 0}).adjusted);
  EXPECT_FALSE(Adjust(2, {0}, {100, 100}, {0, 0}).adjusted);
}

TEST(PreviousPriorities, LeavesOutThePrioritiesAlreadyTried) {
  const Loads got = Adjust(2, {0, 0}, {100, 100, 100}, {0, 0, 0});
  ASSERT_TRUE(got.adjusted);
  EXPECT_EQ(got.healthy, (Load{0, 100, 0}));
  EXPECT_EQ(got.degraded, (Load{0, 0, 0}));
  EXPECT_EQ(Adjust(2, {0, 1}, {100, 100, 100}, {0, 0, 0}).healthy,
            (Load{0, 0, 100}));
}

TEST(PreviousPriorities, UpdatesOnlyEverySoManyAttempts) {
  EXPECT_EQ(Adjust(2, {0, 0, 1}, {100, 100, 100}, {0, 0, 0}).healthy,
            (Load{0, 100, 0}));
  EXPECT_EQ(Adjust(2, {0, 0, 1, 1}, {100, 100, 100}, {0, 0, 0}).healthy,
            (Load{0, 0, 100}));
}

TEST(PreviousPriorities, SpreadsByAvailabilityAndRoundsToTheFirst) {
  // 30 and 40 of 70, in integers: 42 and 57; one is left over.
  const Loads got = Adjust(1, {0}, {100, 30, 40}, {0, 0, 0});
  EXPECT_EQ(got.healthy, (Load{0, 43, 57}));
  const Loads mixed = Adjust(1, {0}, {100, 20, 0}, {0, 60, 0});
  EXPECT_EQ(mixed.healthy, (Load{0, 25, 0}));
  EXPECT_EQ(mixed.degraded, (Load{0, 75, 0}));
  // 70 and 14 of 84: 83 and 16; one is left over.
  const Loads uneven = Adjust(1, {0}, {100, 70, 0}, {0, 0, 14});
  EXPECT_EQ(uneven.healthy, (Load{0, 84, 0}));
  EXPECT_EQ(uneven.degraded, (Load{0, 0, 16}));
}

TEST(PreviousPriorities, DegradedHostsTakeAllIfNoOthersAreLeft) {
  const Loads got = Adjust(1, {0, 1}, {100, 70, 0}, {0, 0, 14});
  EXPECT_EQ(got.healthy, (Load{0, 0, 0}));
  EXPECT_EQ(got.degraded, (Load{0, 0, 100}));
  // All were tried: all count again.
  EXPECT_EQ(Adjust(1, {0, 1, 2}, {100, 70, 0}, {0, 0, 14}).healthy,
            (Load{100, 0, 0}));
}

TEST(PreviousPriorities, StartsOverWhenNoPriorityIsLeft) {
  const Loads got = Adjust(1, {0, 1}, {100, 100}, {0, 0});
  ASSERT_TRUE(got.adjusted);
  EXPECT_EQ(got.healthy, (Load{100, 0}));
  EXPECT_EQ(Adjust(1, {0, 1, 0}, {100, 100}, {0, 0}).healthy, (Load{0, 100}));
  EXPECT_FALSE(Adjust(2, {0, 1, 0}, {100, 100}, {0, 0}).adjusted);
}

TEST(PreviousPriorities, WithNobodyAvailableTheUsualLoadsHold) {
  EXPECT_FALSE(Adjust(1, {0}, {0, 0}, {0, 0}).adjusted);
}

TEST(PreviousPriorities, KnowsEveryPriorityThatAClusterMayHave) {
  const Load available(model::kMaxPriorities, 100);
  const Load none(model::kMaxPriorities, 0);
  Load all_but_last;
  for (uint32_t i = 0; i + 1 < model::kMaxPriorities; ++i) {
    all_but_last.push_back(i);
  }
  const Loads got = Adjust(1, all_but_last, available, none);
  ASSERT_TRUE(got.adjusted);
  EXPECT_EQ(got.healthy.back(), 100u);
}

TEST(PreviousPriorities, IgnoresPrioritiesThatAreGone) {
  EXPECT_EQ(Adjust(1, {9}, {100, 100}, {0, 0}).healthy, (Load{100, 0}));
}

}  // namespace
}  // namespace meshlib::resilience
