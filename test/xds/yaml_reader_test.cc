#include "xds/yaml_reader.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "test/xds/event_log.h"

namespace meshlib::xds {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

struct Reading {
  EventLog log;
  Problems problems;
  bool complete = false;

  explicit Reading(std::string_view text) {
    complete = ReadYaml(text, "f", log, problems);
  }
};

TEST(YamlReader, TellsKeysFromValuesAndGivesPositions) {
  Reading r("a: 1\nb:\n- x\n- 'y'\n");
  EXPECT_TRUE(r.complete);
  EXPECT_EQ(r.log.text(),
            "doc {@1:1 a@1:1= 1@1:4 b@2:1= [@3:1 x@3:3 \"y\"@4:3 ] } end");
}

TEST(YamlReader, ReadsSeveralDocuments) {
  Reading r("a: 1\n---\n- b\n---\n");
  EXPECT_TRUE(r.complete);
  EXPECT_EQ(r.log.text(),
            "doc {@1:1 a@1:1= 1@1:4 } end doc [@3:1 b@3:3 ] end "
            "doc null@5:1 end");
}

TEST(YamlReader, QuotedAndTaggedScalarsAreStrings) {
  Reading s("- 1\n- \"1\"\n- '1'\n- !!str 1\n- ~\n- \"null\"\n- |-\n  1\n");
  EXPECT_EQ(s.log.text(),
            "doc [@1:1 1@1:3 \"1\"@2:3 \"1\"@3:3 \"1\"@4:3 null@5:3 "
            "\"null\"@6:3 \"1\"@7:3 ] end");
}

TEST(YamlReader, RepeatsAnchoredNodesAtAliases) {
  Reading r("a: &x {k: [1]}\nb: *x\n&s c: *s\n");
  EXPECT_TRUE(r.complete);
  EXPECT_EQ(r.log.text(),
            "doc {@1:1 a@1:1= {@1:4 k@1:8= [@1:11 1@1:12 ] } b@2:1= {@1:4 "
            "k@1:8= [@1:11 1@1:12 ] } c@3:1= c@3:1 } end");
}

TEST(YamlReader, ReportsAnAliasInsideOfItsOwnNode) {
  Reading r("a: &x\n  b: *x\n");
  EXPECT_FALSE(r.complete);
  ASSERT_EQ(r.problems.list().size(), 1u);
  EXPECT_EQ(ToString(r.problems.list()[0]),
            "f:2:6: error: an alias stands inside of the node that it names");
  EXPECT_THAT(r.log.text(), HasSubstr("abort"));
}

TEST(YamlReader, BoundsWhatAliasesExpandTo) {
  std::string text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 30; ++i) {
    absl::StrAppend(&text, "a", i, ": &a", i, " [");
    for (int k = 0; k < 10; ++k)
      absl::StrAppend(&text, k ? "," : "", "*a", i - 1);
    text += "]\n";
  }
  Reading r(text);
  EXPECT_FALSE(r.complete);
  ASSERT_EQ(r.problems.list().size(), 1u);
  EXPECT_EQ(r.problems.list()[0].line, 6);
  EXPECT_THAT(r.problems.list()[0].message,
              HasSubstr("aliases expand to more than 1000000 nodes"));
  EXPECT_LT(r.log.count(), 3000000u);
}

TEST(YamlReader, BoundsTheBytesOfAliases) {
  std::string text = "a: &a \"" + std::string(1 << 20, 'x') + "\"\nb:\n";
  for (int i = 0; i < 100; ++i) text += "- *a\n";
  Reading r(text);
  ASSERT_EQ(r.problems.list().size(), 1u);
  EXPECT_EQ(r.problems.list()[0].line, 67);
}

TEST(YamlReader, LeavesOutKeysTaggedIgnore) {
  Reading r("!ignore x: &x {k: 1}\na: *x\n");
  EXPECT_TRUE(r.complete);
  EXPECT_EQ(r.log.text(), "doc {@1:1 a@2:1= {@1:12 k@1:16= 1@1:19 } } end");
}

TEST(YamlReader, PassesOverKeysThatAreNoScalars) {
  Reading r("? {a: [1]}\n: {b: [2]}\nc: 3\n");
  ASSERT_EQ(r.problems.list().size(), 1u);
  EXPECT_EQ(ToString(r.problems.list()[0]),
            "f:1:3: error: a map stands for a key; want a scalar");
  EXPECT_EQ(r.log.text(), "doc {@1:1 c@3:1= 3@3:4 } end");
}

TEST(YamlReader, ReportsBrokenSyntaxWithItsLine) {
  struct {
    const char* text;
    int line;
  } kCases[] = {
      {"a: [1, 2\nb: 3\n", 2},
      {"a: b: c\n", 1},
      {"a:\n  - 1\n b: 2\n", 3},
      {"a: \"x", 1},
      {"a: *nobody\n", 1},
      {"\ta: 1\n", 1},
      {"a: 1\n---\nb: [\n", 4},
      {"a: !<x\n", 1},
      {", a", 1},
      {"a: 1\n]\n", 2},
      {"%YAML 3.0\n---\na: 1\n", 1},
  };
  for (const auto& c : kCases) {
    Reading r(c.text);
    EXPECT_FALSE(r.complete) << c.text;
    ASSERT_EQ(r.problems.list().size(), 1u) << c.text;
    EXPECT_EQ(r.problems.list()[0].line, c.line)
        << c.text << ToString(r.problems.list()[0]);
    EXPECT_THAT(r.problems.list()[0].message, HasSubstr("YAML syntax: "));
  }
}

TEST(YamlReader, SurvivesDeepNesting) {
  Reading flow(std::string(100000, '['));
  EXPECT_FALSE(flow.complete);
  EXPECT_THAT(flow.problems.ToString(), HasSubstr("nested deeper than"));
  EXPECT_EQ(flow.problems.list().at(0).line, 1);
  std::string block;
  for (int i = 0; i < 100000; ++i) block += "- ";
  Reading lists(block);
  EXPECT_FALSE(lists.complete);
  EXPECT_EQ(lists.problems.list().size(), 1u);
  EXPECT_THAT(lists.problems.ToString(),
              HasSubstr("maps and lists are nested deeper than"));
}

TEST(YamlReader, TakesCarriageReturnsAndAByteOrderMark) {
  Reading r(
      "\xef\xbb\xbf"
      "a: 1\r\nb: 2\r\n");
  EXPECT_TRUE(r.complete);
  EXPECT_THAT(r.problems.list(), IsEmpty());
  EXPECT_EQ(r.log.text(), "doc {@1:1 a@1:1= 1@1:4 b@2:1= 2@2:4 } end");
}

}  // namespace
}  // namespace meshlib::xds
