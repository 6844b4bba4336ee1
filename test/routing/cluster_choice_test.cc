#include "routing/cluster_choice.h"

#include <map>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "test/routing/route_builders.h"

namespace meshlib::routing {
namespace {

model::WeightedClusters Weighted(
    const std::vector<std::pair<std::string, uint32_t>>& weights) {
  model::WeightedClusters clusters;
  for (const auto& [name, weight] : weights) {
    model::WeightedCluster cluster;
    cluster.name = name;
    cluster.weight = weight;
    clusters.total_weight += weight;
    clusters.clusters.push_back(cluster);
  }
  return clusters;
}

std::string Choose(const ClusterChooser::Config& config, uint64_t random,
                   const Request& request = {},
                   const model::Runtime& runtime = {}) {
  const auto chooser = ClusterChooser::Compile(config, runtime);
  EXPECT_TRUE(chooser.ok()) << chooser.status();
  return std::string(chooser->Choose(request, random, HashPolicies()).name);
}

TEST(ClusterChoice, ALiteralIsItself) {
  EXPECT_EQ(Choose(std::string("a"), 7), "a");
}

TEST(ClusterChoice, AHeaderNamesTheCluster) {
  const std::vector<Header> headers = {{"X-To", "a"}, {"x-to", "b"}};
  Request request;
  request.authority = "host";
  EXPECT_EQ(Choose(model::ClusterHeader{"x-to"}, 0, request), "");
  EXPECT_EQ(Choose(model::ClusterHeader{":authority"}, 0, request), "host");
  request.headers = headers;
  EXPECT_EQ(Choose(model::ClusterHeader{"x-to"}, 0, request), "a");
  const std::vector<Header> joined = {{"accept", "a"}, {"accept", "b"}};
  request.headers = joined;
  EXPECT_EQ(Choose(model::ClusterHeader{"accept"}, 0, request), "");
}

TEST(ClusterChoice, WeightsCutTheRangeInOrder) {
  const auto config = Weighted({{"a", 2}, {"zero", 0}, {"b", 3}});
  const std::vector<std::string> want = {"a", "a", "b", "b", "b", "a"};
  for (uint64_t random = 0; random < want.size(); ++random) {
    EXPECT_EQ(Choose(config, random), want[random]) << random;
  }
  const auto chooser = ClusterChooser::Compile(config, {});
  EXPECT_EQ(chooser->Choose({}, 2, HashPolicies()).weighted_index, 2);
}

TEST(ClusterChoice, ARandomValueHeaderDecidesIfItIsOneNumber) {
  auto config = Weighted({{"a", 1}, {"b", 1}});
  config.random_value_header = "X-Random";
  const auto choose = [&config](const std::vector<Header>& headers) {
    Request request;
    request.headers = headers;
    return Choose(config, 0, request);
  };
  EXPECT_EQ(choose({}), "a");
  EXPECT_EQ(choose({{"x-random", "3"}}), "b");
  EXPECT_EQ(choose({{"x-random", "x"}}), "a");
  EXPECT_EQ(choose({{"x-random", "-1"}}), "a");
  EXPECT_EQ(choose({{"x-random", "3"}, {"x-random", "3"}}), "a");
}

TEST(ClusterChoice, TheHashPolicyMayDecide) {
  model::HashPolicy policy;
  policy.name = "user";
  const auto policies = HashPolicies::Compile({policy});
  auto config = Weighted({{"a", 1}, {"b", 1}});
  config.use_hash_policy = true;
  const auto chooser = ClusterChooser::Compile(config, {});
  const Header foo = {"user", "foo"};  // XXH64 is odd
  Request request;
  EXPECT_EQ(chooser->Choose(request, 0, *policies).name, "a");
  request.headers = {&foo, 1};
  EXPECT_EQ(chooser->Choose(request, 0, *policies).name, "b");
}

TEST(ClusterChoice, RuntimeKeysOverrideWeights) {
  auto config = Weighted({{"a", 1}, {"b", 1}});
  config.runtime_key_prefix = "shift";
  model::Value zero;
  zero.kind = model::Value::Kind::kNumber;
  model::Value shift;
  shift.kind = model::Value::Kind::kStruct;
  shift.fields["a"] = zero;
  const model::Runtime runtime({{"shift", shift}});
  EXPECT_EQ(Choose(config, 0, {}, runtime), "b");
  EXPECT_EQ(Choose(config, 0), "a");
  shift.fields["b"] = zero;
  EXPECT_FALSE(
      ClusterChooser::Compile(config, model::Runtime({{"shift", shift}})).ok());
}

TEST(ClusterChoice, RefusesWeightsThatSumToNothingOrTooMuch) {
  EXPECT_FALSE(ClusterChooser::Compile(Weighted({{"a", 0}}), {}).ok());
  EXPECT_FALSE(
      ClusterChooser::Compile(Weighted({{"a", UINT32_MAX}, {"b", 1}}), {})
          .ok());
  EXPECT_TRUE(ClusterChooser::Compile(Weighted({{"a", UINT32_MAX}}), {}).ok());
}

}  // namespace
}  // namespace meshlib::routing
