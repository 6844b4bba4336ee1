#include "xds/json_reader.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "test/xds/event_log.h"

namespace meshlib::xds {
namespace {

using ::testing::HasSubstr;

struct Reading {
  EventLog log;
  Problems problems;
  bool complete = false;

  explicit Reading(std::string text) {
    complete = ReadJson(text.data(), text.size(), "f", log, problems);
  }
};

TEST(JsonReader, GivesEventsWithPositions) {
  Reading r("{\"a\": 1,\n \"b\": [\"x\", true, false,\n  null, {}, []]}");
  EXPECT_TRUE(r.complete);
  EXPECT_EQ(r.log.text(),
            "doc {@1:1 a@1:2= #1@1:7 b@2:2= [@2:7 \"x\"@2:8 ?true@2:13 "
            "?false@2:19 null@3:3 {@3:9 } [@3:13 ] ] } end");
}

TEST(JsonReader, KeepsNumbersAsTheyAreWritten) {
  Reading r("[1, -0.50, 1e3, 12345678901234567890, 1E-400]");
  EXPECT_TRUE(r.complete);
  EXPECT_EQ(r.log.text(),
            "doc [@1:1 #1@1:2 #-0.50@1:5 #1e3@1:12 "
            "#12345678901234567890@1:17 #1E-400@1:39 ] end");
}

TEST(JsonReader, PositionsAreRightAfterEscapedLineBreaks) {
  Reading r("{\"a\\n\\n\": \"\\u000a\\n\",\n\"b\": \"\\u00e9\\ud83d\\ude00\"}");
  EXPECT_TRUE(r.complete);
  EXPECT_EQ(r.log.text(),
            "doc {@1:1 a\n\n@1:2= \"\n\n\"@1:11 b@2:1= "
            "\"\xc3\xa9\xf0\x9f\x98\x80\"@2:6 } end");
}

TEST(JsonReader, ReportsBrokenSyntaxWithItsPosition) {
  struct {
    const char* text;
    int line;
    int column;
  } kCases[] = {
      {"{", 1, 2},
      {"{\"a\": 1,\n\"b\" 2}", 2, 5},
      {"{\"a\": 1,\n}", 2, 1},
      {"[1,\n\n2 3]", 3, 3},
      {"[01]", 1, 3},
      {"[1e999]", 1, 2},
      {"{\"a\": \"x\ny\"}", 1, 9},
      {"[\"\\x\"]", 1, 3},
      {"{} {}", 1, 4},
      {"[nul]", 1, 5},
      {"[NaN]", 1, 2},
      {"[\"\\ud800\"]", 1, 3},
      {"[\"a\", \"\\udc00\"]", 1, 7},
      {"// a\n{}", 1, 1},
  };
  for (const auto& c : kCases) {
    Reading r(c.text);
    EXPECT_FALSE(r.complete) << c.text;
    ASSERT_EQ(r.problems.list().size(), 1u) << c.text;
    const Problem& problem = r.problems.list()[0];
    EXPECT_EQ(problem.line, c.line) << c.text << "\n" << ToString(problem);
    EXPECT_EQ(problem.column, c.column) << c.text << "\n" << ToString(problem);
    EXPECT_THAT(r.log.text(), HasSubstr("abort"));
  }
}

TEST(JsonReader, BoundsTheDepth) {
  Reading r(std::string(1000000, '['));
  EXPECT_FALSE(r.complete);
  ASSERT_EQ(r.problems.list().size(), 1u);
  EXPECT_EQ(ToString(r.problems.list()[0]),
            "f:1:501: error: nested deeper than 500 levels");
  Reading ok(std::string(500, '[') + std::string(500, ']'));
  EXPECT_TRUE(ok.complete);
}

TEST(JsonReader, TakesAByteOrderMark) {
  Reading r("\xef\xbb\xbf{\"a\": 1}");
  EXPECT_TRUE(r.complete);
  EXPECT_THAT(r.log.text(), HasSubstr("#1@1:10"));
}

}  // namespace
}  // namespace meshlib::xds
