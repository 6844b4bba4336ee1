#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "meshlib/mesh.h"
#include "meshlib/testing/fake_clock.h"
#include "test/meshctl/run_meshctl.h"

namespace meshlib::meshctl {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::Pair;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

rapidjson::Document SimulateIn(const std::string& file,
                               const std::string& authority,
                               std::vector<std::string> more) {
  more.insert(more.begin(),
              {"simulate", "-c", Testdata(file), "--authority", authority});
  return RunJson(std::move(more));
}

uint64_t Sum(const std::map<std::string, uint64_t>& counts) {
  uint64_t sum = 0;
  for (const auto& [key, count] : counts) sum += count;
  return sum;
}

TEST(Simulate, GivesEveryKeyAsJson) {
  const rapidjson::Document answer =
      SimulateIn("localities.yaml", "cluster:localities",
                 {"--path", "/", "--requests", "8", "--seed", "3", "--picks"});
  EXPECT_THAT(Keys(answer),
              ElementsAre("requests", "hosts", "priorities", "localities",
                          "failures", "retries", "failure_reasons", "picks"));
  EXPECT_THAT(Keys(answer["hosts"][0]), ElementsAre("address", "requests"));
  EXPECT_THAT(Keys(answer["priorities"][0]),
              ElementsAre("priority", "requests"));
  EXPECT_THAT(Keys(answer["localities"][0]),
              ElementsAre("region", "zone", "sub_zone", "requests"));
  EXPECT_THAT(Strings(answer, "picks"), SizeIs(8));
}

TEST(Simulate, InjectsFaultsOnVirtualTime) {
  const rapidjson::Document slow =
      SimulateIn("faults.yaml", "any.example",
                 {"--path", "/slow", "--requests", "10000", "--seed", "1"});
  const auto delays = static_cast<double>(slow["delays"].GetUint64());
  const auto failures = static_cast<double>(slow["failures"].GetUint64());
  EXPECT_NEAR(delays, 5000, 250);
  EXPECT_NEAR(failures, 1000, 150);
  EXPECT_EQ(slow["failure_reasons"][0]["reason"].GetString(),
            std::string("aborted by fault injection"));
  EXPECT_EQ(Requests(slow, "hosts", "address").at("10.0.0.1:80"),
            10000 - slow["failures"].GetUint64());
  const rapidjson::Document other =
      SimulateIn("faults.yaml", "any.example", {"--path", "/"});
  EXPECT_FALSE(other.HasMember("delays"));
  EXPECT_EQ(other["failures"].GetUint64(), 0u);
}

TEST(Simulate, SharesByHostWeightsExactly) {
  for (const char* seed : {"0", "1", "99"}) {
    const rapidjson::Document answer =
        SimulateIn("weighted.yaml", "cluster:weighted",
                   {"--requests", "10000", "--seed", seed});
    const auto hosts = Requests(answer, "hosts", "address");
    EXPECT_NEAR(hosts.at("10.0.0.1:80"), 1000, 1);
    EXPECT_NEAR(hosts.at("10.0.0.2:80"), 2000, 1);
    EXPECT_NEAR(hosts.at("10.0.0.3:80"), 3000, 1);
    EXPECT_NEAR(hosts.at("10.0.0.4:80"), 4000, 1);
    EXPECT_EQ(Sum(hosts), 10000u);
  }
}

TEST(Simulate, SharesByLocalityWeightsExactly) {
  const rapidjson::Document answer = SimulateIn(
      "localities.yaml", "cluster:localities", {"--requests", "4000"});
  const auto zones = Requests(answer, "localities", "zone");
  EXPECT_NEAR(zones.at("a"), 1000, 1);
  EXPECT_NEAR(zones.at("b"), 3000, 1);
  const auto hosts = Requests(answer, "hosts", "address");
  EXPECT_NEAR(hosts.at("10.1.0.1:80"), 500, 1);
  EXPECT_NEAR(hosts.at("10.2.0.2:80"), 1500, 1);
}

TEST(Simulate, FailsOverWhenARegionIsDown) {
  const rapidjson::Document before =
      SimulateIn("priorities.yaml", "cluster:priorities", {});
  EXPECT_THAT(Requests(before, "priorities", "priority"),
              ElementsAre(Pair("0", 1000), Pair("1", 0)));
  const rapidjson::Document after =
      SimulateIn("priorities.yaml", "cluster:priorities",
                 {"--down", "us-east/*", "--requests", "999"});
  EXPECT_THAT(Requests(after, "priorities", "priority"),
              ElementsAre(Pair("0", 0), Pair("1", 999)));
  EXPECT_THAT(Requests(after, "localities", "region"),
              UnorderedElementsAre(Pair("us-east", 0), Pair("eu-west", 999)));
  EXPECT_THAT(Requests(after, "hosts", "address"), SizeIs(6));
  EXPECT_EQ(after["failures"].GetUint64(), 0u);
}

TEST(Simulate, ListsPrioritiesAndLocalitiesWithoutHosts) {
  const rapidjson::Document answer = SimulateIn(
      "empty_localities.yaml", "cluster:sparse", {"--requests", "10"});
  EXPECT_THAT(
      Requests(answer, "priorities", "priority"),
      ElementsAre(Pair("0", 0), Pair("1", 10), Pair("2", 0), Pair("3", 0)));
  EXPECT_THAT(
      Requests(answer, "localities", "zone"),
      ElementsAre(Pair("a", 0), Pair("b", 10), Pair("c", 0), Pair("d", 0)));
  const rapidjson::Document none = SimulateIn(
      "empty_localities.yaml", "cluster:empty", {"--requests", "10"});
  EXPECT_THAT(Requests(none, "priorities", "priority"),
              ElementsAre(Pair("0", 0), Pair("1", 0)));
  EXPECT_THAT(Requests(none, "localities", "zone"),
              ElementsAre(Pair("a", 0), Pair("b", 0)));
}

TEST(Simulate, SpillsOverByOverprovisioning) {
  // One healthy host of three: 140 * 1/3 = 46 % stay.
  const rapidjson::Document answer =
      SimulateIn("priorities.yaml", "cluster:priorities",
                 {"--down", "10.1.0.1:80", "--down", "unix:/run/echo.sock",
                  "--requests", "100000"});
  const auto priorities = Requests(answer, "priorities", "priority");
  EXPECT_NEAR(priorities.at("0"), 46000, 800);
  EXPECT_EQ(Requests(answer, "hosts", "address").at("unix:/run/echo.sock"), 0u);
}

TEST(Simulate, SendsToDegradedHostsOnlyWhatIsLeft) {
  const rapidjson::Document answer =
      SimulateIn("priorities.yaml", "cluster:priorities",
                 {"--degrade", "us-east/a", "--requests", "500"});
  EXPECT_THAT(Requests(answer, "priorities", "priority"),
              ElementsAre(Pair("0", 0), Pair("1", 500)));
  const rapidjson::Document alone = SimulateIn(
      "priorities.yaml", "cluster:priorities",
      {"--degrade", "us-east/*", "--down", "eu-west/*", "--requests", "500"});
  EXPECT_THAT(Requests(alone, "priorities", "priority"),
              ElementsAre(Pair("0", 500), Pair("1", 0)));
}

TEST(Simulate, CountsRefusedConnectionsAsFailuresWithoutARetryPolicy) {
  const rapidjson::Document answer = SimulateIn(
      "routes.yaml", "shop.example",
      {"--path", "/plain", "--requests", "1000", "--refuse", "10.0.0.1:80"});
  EXPECT_GE(answer["failures"].GetUint64(), 1u);
  EXPECT_EQ(answer["retries"].GetUint64(), 0u);
  const auto hosts = Requests(answer, "hosts", "address");
  EXPECT_EQ(Sum(hosts), 1000u);
  EXPECT_EQ(hosts.at("10.0.0.1:80"), answer["failures"].GetUint64());
  ASSERT_EQ(answer["failure_reasons"].Size(), 1u);
  EXPECT_THAT(answer["failure_reasons"][0]["reason"].GetString(),
              HasSubstr("no retry policy"));
}

TEST(Simulate, RetriesRefusedConnectionsElsewhere) {
  const rapidjson::Document answer = SimulateIn(
      "routes.yaml", "shop.example",
      {"--path", "/retry", "--requests", "1000", "--refuse", "10.0.0.1:80"});
  EXPECT_EQ(answer["failures"].GetUint64(), 0u);
  const uint64_t retries = answer["retries"].GetUint64();
  EXPECT_GE(retries, 1u);
  const auto hosts = Requests(answer, "hosts", "address");
  EXPECT_EQ(hosts.at("10.0.0.1:80"), retries);
  EXPECT_EQ(hosts.at("10.0.0.2:80"), 1000u);
}

TEST(Simulate, FailsAllRequestsWhenAllHostsRefuse) {
  const rapidjson::Document answer =
      SimulateIn("routes.yaml", "shop.example",
                 {"--path", "/retry", "--requests", "50", "--refuse", "*"});
  EXPECT_EQ(answer["failures"].GetUint64(), 50u);
}

TEST(Simulate, ListsClustersThatWeightsCouldReach) {
  const rapidjson::Document one = SimulateIn(
      "routes.yaml", "shop.example", {"--path", "/split", "--requests", "1"});
  EXPECT_THAT(Requests(one, "hosts", "address"), SizeIs(3));
  const rapidjson::Document many =
      SimulateIn("routes.yaml", "shop.example",
                 {"--path", "/split", "--requests", "100000"});
  EXPECT_NEAR(Requests(many, "hosts", "address").at("10.0.0.9:80"), 25000, 700);
}

TEST(Simulate, ListsClustersThatFractionsCouldReach) {
  for (const char* authority : {"shop.example", "deep.test"}) {
    const rapidjson::Document answer =
        SimulateIn("fractions.yaml", authority, {"--requests", "0"});
    EXPECT_THAT(Keys(answer), Not(IsEmpty()));
    std::vector<std::string> addresses;
    for (const auto& host : Requests(answer, "hosts", "address")) {
      addresses.push_back(host.first);
    }
    EXPECT_THAT(addresses, ElementsAre("10.0.0.1:80", "10.0.0.2:80",
                                       "10.0.0.3:80", "10.0.0.4:80"))
        << authority;
  }
}

TEST(Simulate, EjectsAsSoonAsFailuresAreEnough) {
  const rapidjson::Document answer =
      SimulateIn("fractions.yaml", "cluster:ejecting",
                 {"--requests", "9000", "--refuse", "10.0.1.1:80"});
  EXPECT_EQ(Requests(answer, "hosts", "address").at("10.0.1.1:80"), 2u);
}

TEST(Simulate, RetriesBeforeTheRequestThatComesAtTheSameTime) {
  for (int seed = 0; seed < 16; ++seed) {
    const rapidjson::Document answer =
        SimulateIn("timing.yaml", "any.host",
                   {"--requests", "6", "--refuse", "10.0.0.1:80", "--picks",
                    "--seed", std::to_string(seed)});
    const std::vector<std::string> picks = Strings(answer, "picks");
    const auto refused = std::find(picks.begin(), picks.end(), "10.0.0.1:80");
    ASSERT_LT(refused - picks.begin() + 1,
              static_cast<std::ptrdiff_t>(picks.size()));
    EXPECT_EQ(refused[1], "10.0.1.1:80") << "seed " << seed;
  }
}

TEST(Simulate, EndsAnIntervalBeforeTheRequestThatComesAtItsEnd) {
  // One request a millisecond, and an interval of ten.
  const rapidjson::Document answer =
      SimulateIn("timing.yaml", "cluster:failing",
                 {"--requests", "15", "--refuse", "10.0.0.1:80", "--refuse",
                  "10.0.0.2:80", "--picks"});
  EXPECT_THAT(Strings(answer, "picks"), SizeIs(10));
  EXPECT_EQ(answer["failures"].GetUint64(), 15u);
}

TEST(Simulate, TellsTheMostFrequentReasonFirst) {
  const rapidjson::Document answer =
      SimulateIn("routes.yaml", "shop.example",
                 {"--path", "/retry", "--requests", "500", "--refuse", "*"});
  const auto& reasons = answer["failure_reasons"];
  ASSERT_GE(reasons.Size(), 2u);
  for (rapidjson::SizeType i = 1; i < reasons.Size(); ++i) {
    EXPECT_GE(reasons[i - 1]["requests"].GetUint64(),
              reasons[i]["requests"].GetUint64());
  }
  EXPECT_NE(reasons[0]["requests"].GetUint64(),
            reasons[reasons.Size() - 1]["requests"].GetUint64());
}

TEST(Simulate, FailsRequestsWithoutARoute) {
  const rapidjson::Document answer = SimulateIn(
      "routes.yaml", "shop.example", {"--path", "/no", "--requests", "7"});
  EXPECT_EQ(answer["failures"].GetUint64(), 7u);
  EXPECT_THAT(Requests(answer, "hosts", "address"), IsEmpty());
}

TEST(Simulate, RepeatsItselfWithTheSameSeedOnly) {
  const auto run = [](const std::string& seed) {
    return Strings(SimulateIn("policies.yaml", "cluster:random",
                              {"--requests", "200", "--seed", seed, "--picks"}),
                   "picks");
  };
  EXPECT_EQ(run("5"), run("5"));
  EXPECT_NE(run("5"), run("6"));
}

TEST(Simulate, WarnsOfAMatchWithoutEffect) {
  const ProgramRun run =
      RunMeshctl({"simulate", "-c", Testdata("priorities.yaml"), "--authority",
                  "cluster:priorities", "--down", "us-west/*", "--json"});
  EXPECT_EQ(run.exit_code, 0);
  EXPECT_THAT(run.err, HasSubstr("--down \"us-west/*\" matches no endpoint"));
  ParseObject(run.out);
}

// The picks of a client that sends a request every millisecond.
std::vector<std::string> ClientPicks(const std::string& file,
                                     const std::string& authority,
                                     uint64_t seed, int requests) {
  testing::FakeClock clock;
  MeshOptions options;
  options.config_path = Testdata(file);
  options.clock = &clock;
  options.seed = seed;
  options.own_thread = false;
  const auto mesh = Mesh::Create(std::move(options));
  EXPECT_TRUE(mesh.ok()) << mesh.status();
  if (!mesh.ok()) return {};
  const auto target = (*mesh)->Resolve(authority);
  EXPECT_TRUE(target.ok()) << target.status();
  if (!target.ok()) return {};
  std::vector<std::string> picks;
  for (int i = 0; i < requests; ++i) {
    (*mesh)->RunPending();
    PickResult pick = target->Pick();
    picks.emplace_back(pick.address);
    target->Report(pick.token, Outcome::Ok());
    clock.Advance(absl::Milliseconds(1));
  }
  return picks;
}

TEST(Simulate, PicksAsTheClientApiDoes) {
  const std::pair<const char*, const char*> kCases[] = {
      {"policies.yaml", "cluster:ring"},
      {"policies.yaml", "cluster:maglev"},
      {"policies.yaml", "cluster:round_robin"},
      {"policies.yaml", "cluster:random"},
      {"policies.yaml", "cluster:least_request"},
      {"policies.yaml", "cluster:weighted_least_request"},
      {"weighted.yaml", "cluster:weighted"},
      {"localities.yaml", "cluster:localities"},
      {"priorities.yaml", "cluster:priorities"},
  };
  for (const auto& [file, authority] : kCases) {
    const rapidjson::Document answer = SimulateIn(
        file, authority, {"--requests", "500", "--seed", "42", "--picks"});
    EXPECT_EQ(Strings(answer, "picks"), ClientPicks(file, authority, 42, 500))
        << authority;
  }
}

}  // namespace
}  // namespace meshlib::meshctl
