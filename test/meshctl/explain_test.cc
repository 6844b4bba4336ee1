#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "test/meshctl/run_meshctl.h"

namespace meshlib::meshctl {
namespace {

using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::ContainsRegex;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsSupersetOf;
using ::testing::Not;
using ::testing::UnorderedElementsAre;

rapidjson::Document Explain(const std::string& file,
                            std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), {"explain", "-c", Testdata(file)});
  return RunJson(std::move(arguments));
}

// "name=value" of a list of headers.
std::vector<std::string> Headers(const rapidjson::Value& list) {
  std::vector<std::string> headers;
  for (const rapidjson::Value& header : list.GetArray()) {
    headers.push_back(std::string(header["name"].GetString()) + "=" +
                      header["value"].GetString());
  }
  return headers;
}

TEST(Explain, GivesEveryKeyAsJson) {
  const rapidjson::Document answer = Explain(
      "routes.yaml", {"--authority", "shop.example", "--path", "/retry/1"});
  EXPECT_THAT(Keys(answer),
              IsSupersetOf({"listener", "route_config", "virtual_host", "route",
                            "cluster", "policy", "priorities", "localities",
                            "hosts", "drop_probability", "pick", "rejected",
                            "response", "rewrite"}));
  EXPECT_STREQ(answer["listener"].GetString(), "outbound");
  EXPECT_STREQ(answer["route_config"].GetString(), "local");
  EXPECT_STREQ(answer["virtual_host"].GetString(), "shop");
  EXPECT_STREQ(answer["route"].GetString(), "retry");
  EXPECT_STREQ(answer["cluster"].GetString(), "pair");
  EXPECT_STREQ(answer["policy"].GetString(), "ROUND_ROBIN");
  ASSERT_EQ(answer["priorities"].Size(), 1u);
  EXPECT_THAT(
      Keys(answer["priorities"][0]),
      ElementsAre("priority", "healthy_load", "degraded_load", "panic"));
  ASSERT_EQ(answer["localities"].Size(), 1u);
  EXPECT_THAT(Keys(answer["localities"][0]),
              ElementsAre("region", "zone", "sub_zone", "priority",
                          "effective_weight"));
  ASSERT_EQ(answer["hosts"].Size(), 2u);
  EXPECT_THAT(
      Keys(answer["hosts"][0]),
      ElementsAre("address", "priority", "region", "zone", "sub_zone", "weight",
                  "health", "ejected", "connect_backoff", "available"));
  EXPECT_THAT(answer["pick"]["address"].GetString(),
              AnyOf(std::string("10.0.0.1:80"), std::string("10.0.0.2:80")));
}

TEST(Explain, SaysWhyRoutesWerePassedOver) {
  const rapidjson::Document answer = Explain(
      "routes.yaml", {"--authority", "shop.example", "--path", "/retry"});
  ASSERT_EQ(answer["rejected"].Size(), 2u);
  EXPECT_STREQ(answer["rejected"][0]["virtual_host"].GetString(), "shop");
  EXPECT_STREQ(answer["rejected"][0]["route"].GetString(), "plain");
  EXPECT_STREQ(answer["rejected"][1]["route"].GetString(), "operators");
  EXPECT_THAT(answer["rejected"][1]["reason"].GetString(), HasSubstr("x-team"));
}

TEST(Explain, ShowsWhatIsRewritten) {
  const std::vector<std::string> arguments = {
      "--authority", "shop.example",  "--path",   "/old/./a?q=1",
      "--header",    "X-Team=me",     "--header", "x-debug=1",
      "--header",    "x-other=stays", "--header", "x-debug=2"};
  const rapidjson::Document answer = Explain("rewrites.yaml", arguments);
  EXPECT_TRUE(answer["response"].IsNull());
  const rapidjson::Value& rewrite = answer["rewrite"];
  EXPECT_STREQ(rewrite["authority"].GetString(), "one.example");
  EXPECT_STREQ(rewrite["path"].GetString(), "/new/a?q=1");
  EXPECT_THAT(
      Headers(rewrite["headers_added"]),
      UnorderedElementsAre("X-Team=shop", "x-envoy-original-host=shop.example",
                           "x-envoy-original-path=/old/a?q=1"));
  EXPECT_THAT(Headers(rewrite["headers_removed"]),
              UnorderedElementsAre("X-Team=me", "x-debug=1", "x-debug=2"));
  std::vector<std::string> text = {"explain", "-c", Testdata("rewrites.yaml")};
  text.insert(text.end(), arguments.begin(), arguments.end());
  const ProgramRun run = RunMeshctl(text);
  EXPECT_THAT(run.out, HasSubstr(":authority             shop.example  "
                                 "one.example\n"));
  EXPECT_THAT(run.out, HasSubstr("X-Team                 me            -\n"));
}

TEST(Explain, ShowsNoRewriteWhereTheRequestStays) {
  const rapidjson::Document answer =
      Explain("rewrites.yaml", {"--authority", "plain.example"});
  EXPECT_TRUE(answer["rewrite"].IsNull());
  EXPECT_TRUE(answer["pick"].IsObject());
  const ProgramRun run = RunMeshctl({"explain", "-c", Testdata("rewrites.yaml"),
                                     "--authority", "plain.example"});
  EXPECT_THAT(run.out, Not(HasSubstr("REWRITTEN")));
}

TEST(Explain, ShowsWhatIsAnsweredInsteadOfForwarding) {
  const struct {
    const char* authority;
    const char* path;
    unsigned status;
    const char* location;
    const char* body;
    const char* text;
  } cases[] = {
      {"shop.example", "/moved?q", 302, "http://other.example/there?q", nullptr,
       "302, Location: http://other.example/there[?]q\n"},
      {"shop.example", "/health", 503, nullptr, "not today",
       "503, \"not today\"\n"},
      {"secure.example", "/x", 301, "https://secure.example/x", nullptr,
       "301, Location: https://secure.example/x\n"},
      {"shop.example", "/a%2fb?q", 307, "/a/b?q", nullptr,
       "307, Location: /a/b[?]q\n"},
      {"shop.example", "/%00", 400, nullptr, nullptr, "400\n"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.path);
    const std::vector<std::string> request = {"--authority", c.authority,
                                              "--path", c.path};
    const rapidjson::Document answer = Explain("rewrites.yaml", request);
    EXPECT_TRUE(answer["pick"].IsNull());
    EXPECT_TRUE(answer["rewrite"].IsNull());
    const rapidjson::Value& response = answer["response"];
    ASSERT_TRUE(response.IsObject());
    EXPECT_EQ(response["status"].GetUint(), c.status);
    EXPECT_EQ(response.HasMember("location"), c.location != nullptr);
    EXPECT_EQ(response.HasMember("body"), c.body != nullptr);
    if (c.location != nullptr) {
      EXPECT_STREQ(response["location"].GetString(), c.location);
    }
    if (c.body != nullptr) {
      EXPECT_STREQ(response["body"].GetString(), c.body);
    }
    std::vector<std::string> text = {"explain", "-c",
                                     Testdata("rewrites.yaml")};
    text.insert(text.end(), request.begin(), request.end());
    EXPECT_THAT(RunMeshctl(text).out,
                ContainsRegex(std::string("\nResponse +") + c.text));
  }
}

TEST(Explain, UsesHeadersAndMethod) {
  const rapidjson::Document team =
      Explain("routes.yaml", {"--authority", "shop.example", "--path", "/retry",
                              "--header", "X-Team=operators"});
  EXPECT_STREQ(team["route"].GetString(), "operators");
  const rapidjson::Document post = Explain(
      "routes.yaml",
      {"--authority", "shop.example", "--path", "/posts", "--method", "POST"});
  EXPECT_STREQ(post["route"].GetString(), "posts");
}

TEST(Explain, GivesNullWhenNothingCanBePicked) {
  for (const char* path : {"/nothing", "/gone"}) {
    const rapidjson::Document answer =
        Explain("routes.yaml", {"--authority", "shop.example", "--path", path});
    EXPECT_TRUE(answer["pick"].IsNull()) << path;
    EXPECT_GT(answer["failure"].GetStringLength(), 0u);
    EXPECT_TRUE(answer["hosts"].IsArray());
  }
}

TEST(Explain, HasNoPickWhereABreakerIsAlwaysOpen) {
  const rapidjson::Document answer =
      Explain("policies.yaml", {"--authority", "cluster:closed"});
  EXPECT_TRUE(answer["pick"].IsNull());
  EXPECT_STREQ(answer["failure"].GetString(),
               "circuit breaker max_requests is open");
}

TEST(Explain, ShowsFaults) {
  const rapidjson::Document answer =
      Explain("faults.yaml", {"--authority", "any.example", "--path", "/slow"});
  ASSERT_EQ(answer["faults"].Size(), 1u);
  const rapidjson::Value& fault = answer["faults"][0];
  EXPECT_EQ(fault["filter"].GetString(),
            std::string("envoy.filters.http.fault"));
  EXPECT_EQ(fault["delay"].GetString(), std::string("7s"));
  EXPECT_EQ(fault["delay_probability"].GetDouble(), 0.5);
  EXPECT_EQ(fault["http_status"].GetUint(), 503u);
  EXPECT_EQ(fault["abort_probability"].GetDouble(), 0.1);
  EXPECT_FALSE(answer["pick"].IsNull());
  EXPECT_FALSE(Explain("faults.yaml", {"--authority", "any.example"})
                   .HasMember("faults"));
}

TEST(Explain, GivesTheProbabilityOfDrops) {
  const rapidjson::Document answer =
      Explain("policies.yaml", {"--authority", "cluster:dropping"});
  EXPECT_DOUBLE_EQ(answer["drop_probability"].GetDouble(), 0.25);
  EXPECT_TRUE(answer["pick"].IsObject());
  const ProgramRun run = RunMeshctl({"explain", "-c", Testdata("policies.yaml"),
                                     "--authority", "cluster:dropping"});
  EXPECT_THAT(run.out, HasSubstr("Dropped  25% of the requests\n"));
}

TEST(Explain, ShowsPrioritiesAndLocalities) {
  const rapidjson::Document answer =
      Explain("localities.yaml", {"--authority", "cluster:localities"});
  ASSERT_EQ(answer["localities"].Size(), 2u);
  EXPECT_STREQ(answer["localities"][0]["zone"].GetString(), "a");
  EXPECT_DOUBLE_EQ(answer["localities"][0]["effective_weight"].GetDouble(), 1);
  EXPECT_STREQ(answer["localities"][1]["sub_zone"].GetString(), "rack");
  EXPECT_DOUBLE_EQ(answer["localities"][1]["effective_weight"].GetDouble(), 3);
  const rapidjson::Document two =
      Explain("priorities.yaml", {"--authority", "cluster:priorities"});
  ASSERT_EQ(two["priorities"].Size(), 2u);
  EXPECT_EQ(two["priorities"][0]["healthy_load"].GetUint(), 100u);
  EXPECT_EQ(two["priorities"][1]["healthy_load"].GetUint(), 0u);
  EXPECT_FALSE(two["priorities"][0]["panic"].GetBool());
  EXPECT_EQ(two["hosts"].Size(), 6u);
}

TEST(Explain, ReadsTheTutorialFormOfOldEnvoy) {
  const ProgramRun run =
      RunMeshctl({"explain", "-c", Testdata("tutorial.yaml"), "--authority",
                  "cluster:cluster_0", "--json"});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  const rapidjson::Document answer = ParseObject(run.out);
  EXPECT_STREQ(answer["cluster"].GetString(), "cluster_0");
  EXPECT_STREQ(answer["pick"]["address"].GetString(), "127.0.0.1:8080");
  EXPECT_THAT(run.err, HasSubstr("warning"));
}

TEST(Explain, PicksWhatSimulatePicksFirst) {
  for (const char* cluster :
       {"ring", "maglev", "round_robin", "random", "least_request",
        "weighted_least_request", "plain_round_robin"}) {
    for (const char* seed : {"0", "1", "2", "77", "18446744073709551615"}) {
      const std::string authority = std::string("cluster:") + cluster;
      const rapidjson::Document answer =
          Explain("policies.yaml", {"--authority", authority, "--seed", seed});
      const rapidjson::Document simulated =
          RunJson({"simulate", "-c", Testdata("policies.yaml"), "--authority",
                   authority, "--seed", seed, "--requests", "1", "--picks"});
      EXPECT_THAT(Strings(simulated, "picks"),
                  ElementsAre(answer["pick"]["address"].GetString()))
          << cluster << ", seed " << seed;
    }
  }
}

TEST(Explain, DrawsWeightedClustersAsSimulateDoes) {
  for (int seed = 0; seed < 12; ++seed) {
    const std::vector<std::string> request = {
        "-c",          Testdata("routes.yaml"),
        "--authority", "shop.example",
        "--path",      "/split",
        "--seed",      std::to_string(seed)};
    std::vector<std::string> explain = {"explain"};
    explain.insert(explain.end(), request.begin(), request.end());
    std::vector<std::string> simulate = {"simulate", "--requests", "1",
                                         "--picks"};
    simulate.insert(simulate.end(), request.begin(), request.end());
    EXPECT_THAT(Strings(RunJson(simulate), "picks"),
                ElementsAre(RunJson(explain)["pick"]["address"].GetString()))
        << "seed " << seed;
  }
}

TEST(Explain, PrintsAlignedTablesForPeople) {
  const ProgramRun run =
      RunMeshctl({"explain", "-c", Testdata("routes.yaml"), "--authority",
                  "shop.example", "--path", "/retry"});
  EXPECT_EQ(run.exit_code, 0);
  EXPECT_THAT(run.out, AllOf(HasSubstr("Route         retry\n"),
                             HasSubstr("Cluster       pair\n"),
                             HasSubstr("ADDRESS      PRIORITY  REGION"),
                             HasSubstr("operators")));
}

}  // namespace
}  // namespace meshlib::meshctl
