#include "cluster/cluster_hosts.h"

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/random.h"
#include "cluster/stripe_block.h"
#include "gtest/gtest.h"
#include "model/endpoints.h"
#include "model/host_counters.h"

namespace meshlib::cluster {
namespace {

using Key = std::pair<std::string, std::string>;  // region, address

struct Seen {
  const model::Host* host;
  const model::HostState* state;
  uint32_t priority;
  std::string hostname;
  uint64_t generation;
};

class ClusterHostsTest : public ::testing::Test {
 protected:
  void Update(std::shared_ptr<const model::Endpoints> endpoints) {
    hosts_.Update(std::move(endpoints), {}, 0, nullptr);
  }

  // "priority/region: address*weight ..." of all groups.
  std::string Text() {
    std::string text;
    const auto priorities = hosts_.Priorities();
    for (size_t p = 0; p < priorities.size(); ++p) {
      for (const lb::LocalityHosts& locality : priorities[p].localities) {
        absl::StrAppend(&text, p, "/", locality.locality->region, ":");
        for (const lb::HostEntry& entry : *locality.hosts) {
          absl::StrAppend(
              &text, " ", entry.host->address(), "*", entry.weight,
              entry.health == model::HostHealth::kHealthy ? "" : "!");
        }
        text += "\n";
      }
    }
    return text;
  }

  StripeBlocks blocks_{2};
  ClusterHosts hosts_{&blocks_};
};

std::shared_ptr<model::Endpoints> List(
    const std::vector<std::string>& addresses, bool fingerprints = true) {
  auto endpoints = std::make_shared<model::Endpoints>();
  endpoints->localities.emplace_back();
  endpoints->localities[0].locality.region = "r";
  for (const std::string& address : addresses) {
    endpoints->localities[0].endpoints.emplace_back().address = address;
  }
  if (fingerprints) model::AddFingerprints(endpoints->localities[0]);
  return endpoints;
}

TEST_F(ClusterHostsTest, KeepsTheListOfWhatDidNotChange) {
  Update(List({"a", "b", "c"}));
  const auto first = hosts_.Priorities();
  Update(List({"a", "b", "c"}));
  EXPECT_EQ(hosts_.Priorities()[0].localities[0].hosts,
            first[0].localities[0].hosts);
  Update(List({"a", "x", "c"}));
  EXPECT_NE(hosts_.Priorities()[0].localities[0].hosts,
            first[0].localities[0].hosts);
  EXPECT_EQ(Text(), "0/r: a*1 x*1 c*1\n");
}

TEST_F(ClusterHostsTest, OfAnAddressThatStandsTwiceTheFirstCounts) {
  Update(List({"a", "b"}));
  Update(List({"a", "a"}));
  EXPECT_EQ(Text(), "0/r: a*1\n");
  Update(List({"b", "a", "b", "c"}));
  EXPECT_EQ(Text(), "0/r: b*1 a*1 c*1\n");
}

TEST_F(ClusterHostsTest, AnEjectionSurvivesAMove) {
  Update(List({"a", "b", "c"}));
  const model::Host* b = (*hosts_.Priorities()[0].localities[0].hosts)[1].host;
  hosts_.SetEjected(b->index(), true);
  EXPECT_EQ(Text(), "0/r: a*1 b*1! c*1\n");
  Update(List({"b", "c", "d", "a"}));
  EXPECT_EQ(Text(), "0/r: b*1! c*1 d*1 a*1\n");
  EXPECT_EQ((*hosts_.Priorities()[0].localities[0].hosts)[0].host, b);
}

TEST_F(ClusterHostsTest, DestroysAHostOnlyWhenNobodyUsesIt) {
  Update(List({"a", "b"}));
  const model::Host* a = (*hosts_.Priorities()[0].localities[0].hosts)[0].host;
  const base::Stripe stripe{0, true};
  model::HostCounters& counters = *blocks_.Get(stripe).hosts.At(a->index());
  base::StripeAdd(stripe, counters.uses, model::HostCounters::kPin);
  Update(List({"b"}));
  hosts_.Retire(5);
  EXPECT_FALSE(hosts_.Reclaim(4)) << "a reader may still see it";
  EXPECT_FALSE(hosts_.Reclaim(5)) << "a token holds it";
  EXPECT_EQ(a->address(), "a");
  base::StripeAdd(stripe, counters.uses, -model::HostCounters::kPin);
  EXPECT_TRUE(hosts_.Reclaim(5));
}

TEST_F(ClusterHostsTest, RequestsInFlightAreCountedAcrossAReplacement) {
  Update(List({"a"}));
  const auto host = [&] {
    return (*hosts_.Priorities()[0].localities[0].hosts)[0].host;
  };
  const model::Host* before = host();
  const base::Stripe stripe{0, true};
  model::HostCounters& counters = *blocks_.Get(stripe).hosts.At(0u);
  base::StripeAdd(stripe, counters.uses, model::HostCounters::kInFlight);
  auto renamed = List({"a"});
  renamed->localities[0].endpoints[0].hostname = "name";
  model::AddFingerprints(renamed->localities[0]);
  Update(renamed);
  ASSERT_NE(host(), before);
  EXPECT_EQ(&host()->state(), &before->state());
  EXPECT_EQ(blocks_.active().Of(*host()), 1u);
  base::StripeAdd(stripe, counters.uses, -model::HostCounters::kInFlight);
  hosts_.Retire(1);
  EXPECT_TRUE(hosts_.Reclaim(1));
  EXPECT_EQ(host()->inherited_index(), model::Host::kNoIndex);
}

// Any update from any state gives what the list says, and keeps the state of
// every host that was there before.
TEST_F(ClusterHostsTest, AgreesWithThePlainListOverRandomUpdates) {
  base::Random random(7);
  const auto below = [&](uint64_t n) { return random.Next() % n; };
  std::map<Key, Seen> seen;
  auto endpoints = std::make_shared<model::Endpoints>();
  for (uint64_t generation = 1; generation <= 3000; ++generation) {
    auto next = std::make_shared<model::Endpoints>(*endpoints);
    // A few changes of the last list, or another one altogether.
    if (below(20) == 0) next->localities.clear();
    while (next->localities.size() < below(4)) {
      next->localities.emplace_back().locality.region =
          absl::StrCat("r", next->localities.size());
    }
    for (model::LocalityEndpoints& locality : next->localities) {
      if (below(10) == 0) locality.priority = static_cast<uint32_t>(below(2));
      for (uint64_t changes = below(4); changes > 0; --changes) {
        auto& list = locality.endpoints;
        if (list.empty() || (list.size() < 12 && below(3) == 0)) {
          list.insert(
              list.begin() + static_cast<int64_t>(below(list.size() + 1)),
              model::Endpoint());
          list[below(list.size())].address = absl::StrCat("a", below(12));
        } else if (below(3) == 0) {
          list.erase(list.begin() + static_cast<int64_t>(below(list.size())));
        } else {
          model::Endpoint& endpoint = list[below(list.size())];
          endpoint.weight = static_cast<uint32_t>(below(3)) + 1;
          if (below(4) == 0) endpoint.hostname = absl::StrCat("h", below(2));
          if (below(4) == 0) {
            endpoint.health = below(2) == 0 ? model::HealthStatus::kUnhealthy
                                            : model::HealthStatus::kHealthy;
          }
          if (below(4) == 0) endpoint.address = absl::StrCat("a", below(12));
        }
      }
      if (below(4) == 0) {
        locality.fingerprints.clear();
      } else {
        model::AddFingerprints(locality);
      }
    }
    endpoints = next;
    Update(next);

    std::string want;
    const auto priorities = hosts_.Priorities();
    for (size_t p = 0; p < priorities.size(); ++p) {
      for (const model::LocalityEndpoints& from : next->localities) {
        if (from.priority != p) continue;
        absl::StrAppend(&want, p, "/", from.locality.region, ":");
        std::set<std::string> addresses;
        for (const model::Endpoint& endpoint : from.endpoints) {
          if (!addresses.insert(endpoint.address).second) continue;
          absl::StrAppend(
              &want, " ", endpoint.address, "*", endpoint.weight,
              endpoint.health == model::HealthStatus::kUnhealthy ? "!" : "");
        }
        want += "\n";
      }
    }
    ASSERT_EQ(Text(), want) << generation;
    for (const lb::PriorityHosts& priority : priorities) {
      for (const lb::LocalityHosts& locality : priority.localities) {
        for (const lb::HostEntry& entry : *locality.hosts) {
          const model::Host& host = *entry.host;
          const auto [at, fresh] =
              seen.try_emplace(Key{locality.locality->region, host.address()});
          Seen& was = at->second;
          if (!fresh && was.generation + 1 == generation) {
            ASSERT_EQ(was.state, &host.state());
            if (was.hostname == host.hostname() &&
                was.priority == host.priority()) {
              ASSERT_EQ(was.host, &host);
            }
          }
          was = {&host, &host.state(), host.priority(), host.hostname(),
                 generation};
        }
      }
    }
    if (below(5) == 0) {
      hosts_.Retire(generation);
      ASSERT_TRUE(hosts_.Reclaim(generation));
    }
  }
}

}  // namespace
}  // namespace meshlib::cluster
