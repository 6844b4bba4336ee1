#include <regex>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "test/meshctl/run_meshctl.h"

namespace meshlib::meshctl {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(Validate, AcceptsAGoodFile) {
  const ProgramRun run = RunMeshctl({"validate", Testdata("routes.yaml")});
  EXPECT_EQ(run.exit_code, 0) << run.out;
  EXPECT_THAT(run.out, HasSubstr("0 errors"));
  EXPECT_THAT(run.err, IsEmpty());
}

TEST(Validate, ListsEveryProblemWithItsPlaceAndPath) {
  const std::string file = Testdata("broken.yaml");
  const ProgramRun run = RunMeshctl({"validate", file});
  EXPECT_EQ(run.exit_code, 1);
  const std::regex line(
      "broken\\.yaml:[0-9]+:[0-9]+: error: static_resources\\.clusters\\[0\\]"
      "[^:]*: ");
  const auto begin = std::sregex_iterator(run.out.begin(), run.out.end(), line);
  EXPECT_EQ(std::distance(begin, std::sregex_iterator()), 3) << run.out;
  EXPECT_THAT(run.out, HasSubstr("broken.yaml:6:"));   // not prime
  EXPECT_THAT(run.out, HasSubstr("broken.yaml:7:"));   // unknown field
  EXPECT_THAT(run.out, HasSubstr("broken.yaml:12:"));  // port
  EXPECT_THAT(run.out, HasSubstr("3 errors"));
}

TEST(Validate, GivesProblemsAsJson) {
  const ProgramRun run =
      RunMeshctl({"validate", "--json", Testdata("broken.yaml")});
  EXPECT_EQ(run.exit_code, 1);
  const rapidjson::Document answer = ParseObject(run.out);
  EXPECT_THAT(Keys(answer),
              ElementsAre("problems", "errors", "warnings", "notes"));
  ASSERT_EQ(answer["problems"].Size(), 3u);
  EXPECT_THAT(
      Keys(answer["problems"][0]),
      ElementsAre("file", "line", "column", "severity", "path", "message"));
  EXPECT_EQ(answer["errors"].GetUint64(), 3u);
  EXPECT_STREQ(answer["problems"][0]["severity"].GetString(), "error");
}

TEST(Validate, LetsWarningsPass) {
  const ProgramRun run = RunMeshctl({"validate", Testdata("tutorial.yaml")});
  EXPECT_EQ(run.exit_code, 0) << run.out;
  EXPECT_THAT(run.out, HasSubstr("warning"));
  EXPECT_THAT(run.out, HasSubstr("load_assignment"));
}

TEST(Validate, KnowsPoliciesThatTheApplicationAdds) {
  const std::string file =
      std::string(MESHLIB_SOURCE_DIR) + "/examples/custom_load_balancer.yaml";
  EXPECT_EQ(RunMeshctl({"validate", file}).exit_code, 1);
  const ProgramRun run =
      RunMeshctl({"validate", file, "--load-balancer", "example.Canary"});
  EXPECT_EQ(run.exit_code, 0) << run.out;
}

TEST(Validate, TakesSeveralFiles) {
  const ProgramRun run = RunMeshctl({"validate", Testdata("routes.yaml"),
                                     Testdata("broken.yaml"), "/no/such/file"});
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_THAT(run.out, HasSubstr("broken.yaml:6:"));
  EXPECT_THAT(run.out, HasSubstr("/no/such/file: error: "));
  EXPECT_THAT(run.out, HasSubstr("in 3 configurations"));
}

}  // namespace
}  // namespace meshlib::meshctl
