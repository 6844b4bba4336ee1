#include "meshctl/host_match.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace meshlib::meshctl {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(HostMatch, GlobsMatchWholeTexts) {
  const struct {
    const char* pattern;
    const char* text;
    bool matches;
  } kCases[] = {
      {"", "", true},           {"", "a", false},
      {"*", "", true},          {"*", "abc", true},
      {"a*", "abc", true},      {"a*", "bac", false},
      {"*c", "abc", true},      {"*c", "abcd", false},
      {"a*c", "abcbc", true},   {"a*c", "ac", true},
      {"a*b*c", "a1b2c", true}, {"a*b*c", "a1c2b", false},
      {"**", "x", true},        {"a**", "a", true},
      {"*a*a*", "aba", true},   {"*a*a*", "ab", false},
      {"abc", "ab", false},     {"ab", "abc", false},
  };
  for (const auto& c : kCases) {
    EXPECT_EQ(GlobMatches(c.pattern, c.text), c.matches)
        << c.pattern << " on " << c.text;
  }
}

TEST(HostMatch, FitsAddressesAndLocalities) {
  const model::Locality locality = {"us-east", "a", "rack-1"};
  const struct {
    const char* match;
    const char* address;
    bool matches;
  } kCases[] = {
      {"10.0.0.1:80", "10.0.0.1:80", true},
      {"10.0.0.1", "10.0.0.1:80", false},
      {"10.0.0.*", "10.0.0.1:80", true},
      {"*:80", "10.0.0.1:80", true},
      {"[::1]:80", "[::1]:80", true},
      {"unix:/run/a.sock", "unix:/run/a.sock", true},
      {"unix:/run/*", "unix:/run/a.sock", true},
      {"*", "10.0.0.1:80", true},
      {"us-east/a", "10.0.0.1:80", true},
      {"us-east/*", "10.0.0.1:80", true},
      {"us-*/*", "10.0.0.1:80", true},
      {"*/a", "10.0.0.1:80", true},
      {"*/*", "10.0.0.1:80", true},
      {"us-east/b", "10.0.0.1:80", false},
      {"eu-west/*", "10.0.0.1:80", false},
      {"us-east", "10.0.0.1:80", false},
      {"us-east/a/rack-1", "10.0.0.1:80", true},
      {"us-east/a/rack-2", "10.0.0.1:80", false},
      {"*/*/*", "10.0.0.1:80", true},
      {"*/*/*/*", "10.0.0.1:80", false},
  };
  for (const auto& c : kCases) {
    EXPECT_EQ(HostMatch(c.match).Matches(c.address, locality), c.matches)
        << c.match << " on " << c.address;
  }
}

std::shared_ptr<const model::Config> TwoHosts() {
  auto endpoints = std::make_shared<model::Endpoints>();
  endpoints->localities.resize(1);
  endpoints->localities[0].locality = {"us", "a", ""};
  endpoints->localities[0].endpoints.resize(3);
  endpoints->localities[0].endpoints[0].address = "10.0.0.1:80";
  endpoints->localities[0].endpoints[1].address = "10.0.0.2:80";
  endpoints->localities[0].endpoints[2].address = "10.0.0.3:80";
  endpoints->localities[0].endpoints[2].health = model::HealthStatus::kDraining;
  auto config = std::make_shared<model::Config>();
  config->endpoints.push_back(endpoints);
  auto cluster = std::make_shared<model::Cluster>();
  cluster->endpoints = std::move(endpoints);
  config->clusters.push_back(std::move(cluster));
  return config;
}

std::vector<model::HealthStatus> Health(const model::Endpoints& endpoints) {
  std::vector<model::HealthStatus> health;
  for (const auto& endpoint : endpoints.localities[0].endpoints) {
    health.push_back(endpoint.health);
  }
  return health;
}

TEST(HostMatch, ChangesHealthInClustersAndDiscoveredEndpoints) {
  const auto config = TwoHosts();
  const auto changed =
      WithHealth(config, MakeMatches({"10.0.0.1:80"}), MakeMatches({"us/*"}));
  const auto want = ElementsAre(
      model::HealthStatus::kUnhealthy, model::HealthStatus::kDegraded,
      model::HealthStatus::kDraining);  // not made healthier
  EXPECT_THAT(Health(*changed->endpoints[0]), want);
  EXPECT_THAT(Health(*changed->clusters[0]->endpoints), want);
  EXPECT_THAT(
      Health(*config->endpoints[0]),
      ElementsAre(model::HealthStatus::kUnknown, model::HealthStatus::kUnknown,
                  model::HealthStatus::kDraining));
}

TEST(HostMatch, SharesWhatDoesNotChange) {
  const auto config = TwoHosts();
  EXPECT_EQ(WithHealth(config, {}, {}), config);
  const auto changed = WithHealth(config, MakeMatches({"eu/*"}), {});
  EXPECT_EQ(changed->clusters[0], config->clusters[0]);
  EXPECT_EQ(changed->endpoints[0], config->endpoints[0]);
}

TEST(HostMatch, ListsWhatMatchesNothing) {
  const auto config = TwoHosts();
  EXPECT_THAT(Unmatched(*config, MakeMatches({"us/a", "10.0.0.2:80", "*"})),
              IsEmpty());
  EXPECT_THAT(Unmatched(*config, MakeMatches({"us/b", "*", "10.0.0.9:80"})),
              ElementsAre("us/b", "10.0.0.9:80"));
  model::Config discovered;
  discovered.endpoints = config->endpoints;
  EXPECT_THAT(Unmatched(discovered, MakeMatches({"us/a"})), IsEmpty());
}

}  // namespace
}  // namespace meshlib::meshctl
