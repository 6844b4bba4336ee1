#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "test/meshctl/run_meshctl.h"

namespace meshlib::meshctl {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

TEST(CommandLine, PrintsItsVersion) {
  const ProgramRun run = RunMeshctl({"--version"});
  EXPECT_EQ(run.exit_code, 0);
  EXPECT_THAT(run.out, StartsWith("meshctl 0."));
}

TEST(CommandLine, PrintsHelpForEverySubcommand) {
  const ProgramRun all = RunMeshctl({"--help"});
  EXPECT_EQ(all.exit_code, 0);
  for (const char* name : {"validate", "explain", "simulate", "table"}) {
    EXPECT_THAT(all.out, HasSubstr(name));
    const ProgramRun run = RunMeshctl({name, "--help"});
    EXPECT_EQ(run.exit_code, 0);
    EXPECT_THAT(run.out, HasSubstr("--json"));
    EXPECT_THAT(run.err, IsEmpty());
  }
}

TEST(CommandLine, EndsWithTwoOnWrongUsage) {
  const std::vector<std::vector<std::string>> kCases = {
      {},
      {"frobnicate"},
      {"validate"},
      {"explain", "-c", Testdata("routes.yaml")},
      {"explain", "--authority", "a"},
      {"explain", "-c", "x", "--authority", "a", "--header", "novalue"},
      {"explain", "-c", "x", "--authority", "a", "--seed", "-1"},
      {"simulate", "-c", "x", "--authority", "a", "--hash", "0x12"},
      {"simulate", "-c", "x", "--authority", "a", "--requests", "many"},
      {"simulate", "-c", "x", "--authority", "a", "--no-such-option"},
      {"table", "-c", "x"},
      {"table", "-c", "x", "--cluster", "c", "--priority", "-1"},
      {"validate", "--config", "x"},
  };
  for (const auto& arguments : kCases) {
    const ProgramRun run = RunMeshctl(arguments);
    EXPECT_EQ(run.exit_code, 2) << ::testing::PrintToString(arguments);
    EXPECT_THAT(run.out, IsEmpty());
    EXPECT_THAT(run.err, StartsWith("meshctl: error: "));
  }
}

TEST(CommandLine, SaysWhatIsWrongWithAnOption) {
  const ProgramRun run = RunMeshctl({"simulate", "-c", "x", "--authority", "a",
                                     "--hash", "18446744073709551616"});
  EXPECT_THAT(run.err, AllOf(HasSubstr("18446744073709551616"),
                             HasSubstr("want a decimal number from 0 to"),
                             HasSubstr("meshctl simulate --help")));
}

TEST(CommandLine, NamesAnUnknownCommand) {
  EXPECT_THAT(RunMeshctl({"frobnicate"}).err, HasSubstr("frobnicate"));
  EXPECT_THAT(RunMeshctl({}).err,
              HasSubstr("want validate, explain, simulate, table or serve"));
}

TEST(CommandLine, WritesErrorsAsJsonToo) {
  const std::vector<std::vector<std::string>> kCases = {
      {"explain", "-c", "/no/such/file.yaml", "--authority", "a", "--json"},
      {"explain", "-c", Testdata("broken.yaml"), "--authority", "a", "--json"},
      {"simulate", "-c", Testdata("routes.yaml"), "--authority",
       "cluster:nosuch", "--json"},
      {"table", "-c", Testdata("policies.yaml"), "--cluster", "rign", "--json"},
      {"explain", "--json"},
  };
  for (const auto& arguments : kCases) {
    const ProgramRun run = RunMeshctl(arguments);
    EXPECT_EQ(run.exit_code, arguments.size() == 2 ? 2 : 1);
    const rapidjson::Document answer = ParseObject(run.out);
    EXPECT_TRUE(answer.HasMember("error")) << run.out;
    EXPECT_THAT(run.err, HasSubstr("meshctl: error: "));
  }
}

TEST(CommandLine, NamesAMissingFile) {
  const ProgramRun run =
      RunMeshctl({"explain", "-c", "/no/such/file.yaml", "--authority", "a"});
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_THAT(run.err, HasSubstr("/no/such/file.yaml"));
}

TEST(CommandLine, HintsAtNamesThatLookAlike) {
  const ProgramRun cluster =
      RunMeshctl({"explain", "-c", Testdata("routes.yaml"), "--authority",
                  "cluster:piar"});
  EXPECT_EQ(cluster.exit_code, 1);
  EXPECT_THAT(cluster.err, AllOf(HasSubstr("cluster:piar"),
                                 HasSubstr("did you mean \"cluster:pair\"")));
  const ProgramRun domain =
      RunMeshctl({"explain", "-c", Testdata("routes.yaml"), "--authority",
                  "shop.exampel", "--json"});
  EXPECT_EQ(domain.exit_code, 0);
  EXPECT_TRUE(ParseObject(domain.out)["pick"].IsNull());
  EXPECT_THAT(domain.err, HasSubstr("did you mean \"shop.example\"?"));
  // A wildcard is no name to write.
  const ProgramRun wildcard =
      RunMeshctl({"explain", "-c", Testdata("fractions.yaml"), "--authority",
                  "x.shop.exampel", "--json"});
  EXPECT_THAT(wildcard.err,
              HasSubstr("; there is \"deep.test\", \"shop.example\"\n"));
  const ProgramRun table = RunMeshctl(
      {"table", "-c", Testdata("policies.yaml"), "--cluster", "rign"});
  EXPECT_EQ(table.exit_code, 1);
  EXPECT_THAT(table.err, HasSubstr("did you mean \"ring\"?"));
}

}  // namespace
}  // namespace meshlib::meshctl
