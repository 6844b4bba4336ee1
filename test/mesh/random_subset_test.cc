// random_subsetting (gRFC A68), as a cluster applies it.

#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "gtest/gtest.h"
#include "mesh/core.h"
#include "meshlib/mesh.h"
#include "meshlib/testing/fake_clock.h"
#include "test/cluster/test_config.h"

namespace meshlib {
namespace {

using Hosts = std::set<std::string>;

class RandomSubsetTest : public ::testing::Test {
 protected:
  // 100 hosts, a subset of 5.
  static std::shared_ptr<model::Cluster> MakeSubset() {
    auto cluster = test::MakeCluster("a", 100);
    cluster->lb.random_subset_size = 5;
    return cluster;
  }

  static std::shared_ptr<const model::Config> ConfigOf(
      std::shared_ptr<model::Cluster> cluster) {
    auto config = std::make_shared<model::Config>();
    config->clusters.push_back(std::move(cluster));
    return config;
  }

  void Start(std::shared_ptr<model::Cluster> cluster, uint64_t seed = 1) {
    MeshOptions options;
    options.clock = &clock_;
    options.seed = seed;
    options.own_thread = false;
    target_.reset();
    auto mesh = mesh::MeshFactory::Create(ConfigOf(std::move(cluster)),
                                          std::move(options));
    ASSERT_TRUE(mesh.ok()) << mesh.status();
    mesh_ = *std::move(mesh);
    target_ = std::make_unique<Target>(*mesh_->Resolve("cluster:a"));
  }

  void Apply(std::shared_ptr<model::Cluster> cluster) {
    ASSERT_TRUE(mesh::MeshFactory::CoreOf(*mesh_)
                    .Apply(ConfigOf(std::move(cluster)))
                    .ok());
  }

  Hosts Picked(int status = 200) {
    Hosts hosts;
    for (int i = 0; i < 1000; ++i) {
      PickResult pick = target_->Pick();
      EXPECT_TRUE(pick.ok()) << pick.status();
      hosts.insert(std::string(pick.address));
      target_->Report(pick.token, Outcome::Http(status));
    }
    return hosts;
  }

  static size_t Common(const Hosts& a, const Hosts& b) {
    size_t common = 0;
    for (const std::string& host : a) common += b.count(host);
    return common;
  }

  static model::Endpoint& EndpointOf(model::Endpoints& endpoints,
                                     const std::string& address) {
    for (model::LocalityEndpoints& locality : endpoints.localities) {
      for (model::Endpoint& endpoint : locality.endpoints) {
        if (endpoint.address == address) return endpoint;
      }
    }
    ADD_FAILURE() << address;
    return endpoints.localities[0].endpoints[0];
  }

  testing::FakeClock clock_;
  std::unique_ptr<Mesh> mesh_;
  std::unique_ptr<Target> target_;
};

TEST_F(RandomSubsetTest, OnlyTheSubsetGetsTraffic) {
  Start(MakeSubset());
  const Hosts hosts = Picked();
  EXPECT_EQ(hosts.size(), 5u);
  EXPECT_EQ(target_->Explain({}).hosts.size(), 5u);
  Start(MakeSubset());
  EXPECT_EQ(Picked(), hosts);
  Start(MakeSubset(), /*seed=*/2);
  EXPECT_LT(Common(Picked(), hosts), 5u);
}

TEST_F(RandomSubsetTest, StaysWhenOtherHostsComeAndGo) {
  const auto cluster = MakeSubset();
  Start(cluster);
  const Hosts before = Picked();
  auto fewer = std::make_shared<model::Cluster>(*cluster);
  auto endpoints = std::make_shared<model::Endpoints>(*cluster->endpoints);
  auto& list = endpoints->localities[0].endpoints;
  for (size_t i = 0; i < list.size(); ++i) {
    if (before.count(list[i].address) == 0) list.erase(list.begin() + i);
  }
  list.erase(std::find_if(list.begin(), list.end(), [&](const auto& e) {
    return e.address == *before.begin();
  }));
  fewer->endpoints = endpoints;
  Apply(fewer);
  const Hosts after = Picked();
  EXPECT_EQ(after.size(), 5u);
  EXPECT_EQ(Common(before, after), 4u);
  Apply(cluster);
  EXPECT_EQ(Picked(), before);
}

TEST_F(RandomSubsetTest, HasNoHostThatIsUnhealthyByEds) {
  const auto cluster = MakeSubset();
  Start(cluster);
  const Hosts before = Picked();
  auto changed = std::make_shared<model::Cluster>(*cluster);
  auto endpoints = std::make_shared<model::Endpoints>(*cluster->endpoints);
  EndpointOf(*endpoints, *before.begin()).health =
      model::HealthStatus::kDraining;
  changed->endpoints = endpoints;
  Apply(changed);
  const Hosts after = Picked();
  EXPECT_EQ(after.size(), 5u);
  EXPECT_EQ(after.count(*before.begin()), 0u);
  EXPECT_EQ(Common(before, after), 4u);
}

TEST_F(RandomSubsetTest, IsOfAllHostsWhenAllAreUnhealthy) {
  const auto cluster = MakeSubset();
  auto endpoints = std::make_shared<model::Endpoints>(*cluster->endpoints);
  for (auto& endpoint : endpoints->localities[0].endpoints) {
    endpoint.health = model::HealthStatus::kUnhealthy;
  }
  cluster->endpoints = endpoints;
  Start(cluster);
  EXPECT_EQ(Picked().size(), 5u);  // in panic
}

TEST_F(RandomSubsetTest, DoesNotChangeWhenAHostIsEjected) {
  const auto cluster = MakeSubset();
  cluster->outlier_detection.emplace();
  cluster->outlier_detection->max_ejection_percent = 2;
  Start(cluster);
  const Hosts before = Picked();
  Picked(/*status=*/503);
  mesh_->RunPending();
  const Hosts after = Picked();
  EXPECT_LT(after.size(), 5u);
  EXPECT_EQ(Common(before, after), after.size());
}

// What was computed for the other hosts is then kept.
TEST_F(RandomSubsetTest, ListsWithoutAChangeAreShared) {
  const auto cluster = MakeSubset();
  auto endpoints = std::make_shared<model::Endpoints>(*cluster->endpoints);
  endpoints->localities.push_back(endpoints->localities[0]);
  endpoints->localities[1].locality.region = "other";
  cluster->endpoints = endpoints;
  cluster->lb.random_subset_by_locality = true;
  Start(cluster);
  auto& engine = mesh::MeshFactory::CoreOf(*mesh_).engine();
  const auto before = engine.Find("a");
  auto changed = std::make_shared<model::Cluster>(*cluster);
  auto fewer = std::make_shared<model::Endpoints>(*endpoints);
  fewer->localities[1].endpoints.resize(3);
  changed->endpoints = fewer;
  Apply(changed);
  const auto after = engine.Find("a");
  ASSERT_NE(after, before);
  const auto lists = [](const auto& version) {
    return version->input().priorities[0].localities;
  };
  EXPECT_EQ(lists(before)[0].hosts, lists(after)[0].hosts);
  EXPECT_NE(lists(before)[1].hosts, lists(after)[1].hosts);
  EXPECT_EQ(lists(after)[1].hosts->size(), 3u);
}

TEST_F(RandomSubsetTest, IsChosenInEachPriority) {
  const auto cluster = MakeSubset();
  auto endpoints = std::make_shared<model::Endpoints>(*cluster->endpoints);
  endpoints->localities.push_back(endpoints->localities[0]);
  endpoints->localities[1].locality.region = "other";
  endpoints->localities[1].priority = 1;
  cluster->endpoints = endpoints;
  Start(cluster);
  int by_priority[2] = {};
  for (const auto& host : target_->Explain({}).hosts) {
    ++by_priority[host.priority];
  }
  EXPECT_EQ(by_priority[0], 5);
  EXPECT_EQ(by_priority[1], 5);
}

TEST_F(RandomSubsetTest, IsChosenInAPriorityOrInEachLocalityOfIt) {
  const auto cluster = MakeSubset();
  auto endpoints = std::make_shared<model::Endpoints>(*cluster->endpoints);
  endpoints->localities.push_back(endpoints->localities[0]);
  endpoints->localities[1].locality.region = "other";
  cluster->endpoints = endpoints;
  Start(cluster);
  EXPECT_EQ(target_->Explain({}).hosts.size(), 5u);
  auto by_locality = std::make_shared<model::Cluster>(*cluster);
  by_locality->lb.random_subset_by_locality = true;
  Apply(by_locality);
  EXPECT_EQ(target_->Explain({}).hosts.size(), 10u);
  auto off = std::make_shared<model::Cluster>(*cluster);
  off->lb.random_subset_size = 0;
  Apply(off);
  EXPECT_EQ(target_->Explain({}).hosts.size(), 200u);
  Apply(cluster);
  EXPECT_EQ(target_->Explain({}).hosts.size(), 5u);
}

}  // namespace
}  // namespace meshlib
