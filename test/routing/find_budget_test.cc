#include <memory>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "test/hotpath/counting_allocator.h"
#include "test/routing/route_builders.h"

namespace meshlib::routing {
namespace {

using PathKind = model::PathMatcher::Kind;

uint64_t Allocations() { return testing::ThreadAllocatorUse().allocations; }

model::RouteConfig MixedConfig() {
  std::vector<model::Route> routes;
  for (int i = 0; i < 50; ++i) {
    model::Route route = PrefixRoute("h" + std::to_string(i), "/h");
    route.match.headers = {ExactHeader("x-version", std::to_string(i))};
    routes.push_back(std::move(route));
    routes.push_back(
        PrefixRoute("p" + std::to_string(i), "/p" + std::to_string(i)));
  }
  routes.push_back(RouteTo("any-case", PathMatch(PathKind::kExact, "/CASE",
                                                 /*case_sensitive=*/false)));
  model::Route query = PrefixRoute("query", "/q");
  query.match.query_parameters.resize(1);
  query.match.query_parameters[0].name = "a";
  query.match.cookies = {ExactHeader("id", "7")};
  query.match.grpc = true;
  routes.push_back(std::move(query));
  model::Route weighted = PrefixRoute("weighted", "/");
  model::WeightedClusters clusters;
  clusters.clusters.resize(2);
  clusters.clusters[0].name = "a";
  clusters.clusters[0].weight = 1;
  clusters.clusters[1].name = "b";
  clusters.clusters[1].weight = 1;
  clusters.use_hash_policy = true;
  ActionOf(weighted).cluster = clusters;
  model::HashPolicy hash;
  hash.name = "x-version";
  ActionOf(weighted).hash_policy = {hash};
  routes.push_back(std::move(weighted));
  return ConfigOf({Host("h", {"a.com", "*.a.com", "a.*"}, std::move(routes))});
}

TEST(FindBudget, FindingARouteAndItsClusterAllocatesNothing) {
  const auto table = CompileTable(MixedConfig());
  ASSERT_NE(table, nullptr);
  const std::vector<Header> headers = {{"x-version", "7"},
                                       {"x-version", "8"},
                                       {"cookie", "id=7"},
                                       {"content-type", "application/grpc"}};
  const std::string long_host = std::string(5000, 'X') + ".A.com";
  const std::string long_path = "/p7/" + std::string(100000, 'x');
  int found = 0;
  const uint64_t before = Allocations();
  for (const std::string_view host :
       {std::string_view("a.com"), std::string_view("X.A.COM"),
        std::string_view("a.org"), std::string_view(long_host)}) {
    for (const std::string_view path :
         {std::string_view("/h"), std::string_view("/p49"),
          std::string_view("/case"), std::string_view("/q?b&a"),
          std::string_view("/none"), std::string_view(long_path)}) {
      for (size_t count = 0; count <= headers.size(); ++count) {
        Request request;
        request.authority = host;
        request.path = path;
        request.headers = absl::MakeConstSpan(headers).subspan(0, count);
        const auto match = table->Find(request, count);
        if (match.route == nullptr) continue;
        if (!match.route->ClusterFor(request, count).name.empty()) ++found;
        match.route->Hash(request);
      }
    }
  }
  EXPECT_EQ(Allocations() - before, 0u);
  EXPECT_EQ(found, 4 * 6 * 5);
}

TEST(FindBudget, RegexesAllocateAtFirstOnly) {
  std::vector<model::Route> routes;
  for (int i = 0; i < 100; ++i) {
    const std::string n = std::to_string(i);
    routes.push_back(
        RouteTo("p" + n, PathMatch(PathKind::kRegex, "/p" + n + "/.*")));
    routes.push_back(
        RouteTo("g" + n, PathMatch(PathKind::kRegex, "/[a-f]+/g" + n)));
  }
  const auto table = CompileTable(ConfigOf(std::move(routes)));
  ASSERT_NE(table, nullptr);
  for (const bool first : {true, false}) {
    int found = 0;
    const uint64_t before = Allocations();
    for (const std::string_view path : {"/p7/x", "/cafe/g99", "/b/g0", "/c"}) {
      Request request;
      request.path = path;
      if (table->Find(request, 0).route != nullptr) ++found;
    }
    EXPECT_EQ(found, 3);
    if (!first) {
      EXPECT_EQ(Allocations() - before, 0u);
    }
  }
}

TEST(FindBudget, TheCounterCounts) {
  const uint64_t before = Allocations();
  const auto planted = std::make_unique<int>(1);
  EXPECT_NE(planted, nullptr);
  EXPECT_GE(Allocations() - before, 1u);
}

}  // namespace
}  // namespace meshlib::routing
