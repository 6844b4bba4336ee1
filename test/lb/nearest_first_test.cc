#include "lb/nearest_first.h"

#include <vector>

#include "gtest/gtest.h"

namespace meshlib::lb {
namespace {

model::LocalityEndpoints Group(const char* region, const char* zone,
                               const char* sub_zone) {
  model::LocalityEndpoints group;
  group.locality = {region, zone, sub_zone};
  group.endpoints.emplace_back();
  return group;
}

using Priorities = std::vector<uint32_t>;

TEST(NearestFirst, OrdersByDistanceFromTheNode) {
  model::Endpoints endpoints;
  endpoints.localities = {Group("eu", "1", "a"), Group("us", "1", "a"),
                          Group("us", "2", "a"), Group("us", "2", "b"),
                          Group("us", "2", "b")};
  EXPECT_EQ(NearestFirstPriorities(endpoints, {"us", "2", "b"}),
            (Priorities{3, 2, 1, 0, 0}));
}

TEST(NearestFirst, LeavesNoGaps) {
  model::Endpoints endpoints;
  endpoints.localities = {Group("eu", "1", ""), Group("us", "1", ""),
                          Group("us", "1", "")};
  EXPECT_EQ(NearestFirstPriorities(endpoints, {"us", "2", "b"}),
            (Priorities{1, 0, 0}));
  EXPECT_EQ(NearestFirstPriorities(endpoints, {"asia", "", ""}),
            (Priorities{0, 0, 0}));
  endpoints.localities[1].endpoints.clear();
  endpoints.localities[2].endpoints.clear();
  EXPECT_EQ(NearestFirstPriorities(endpoints, {"us", "2", "b"})[0], 0u);
}

TEST(NearestFirst, KeepsConfiguredPriorities) {
  model::Endpoints endpoints;
  endpoints.localities = {Group("eu", "1", ""), Group("us", "1", "")};
  endpoints.localities[0].priority = 1;
  EXPECT_TRUE(NearestFirstPriorities(endpoints, {"eu", "1", ""}).empty());
}

TEST(NearestFirst, NeedsTheNodesLocality) {
  model::Endpoints endpoints;
  endpoints.localities = {Group("eu", "1", ""), Group("us", "1", "")};
  EXPECT_TRUE(NearestFirstPriorities(endpoints, {}).empty());
}

}  // namespace
}  // namespace meshlib::lb
