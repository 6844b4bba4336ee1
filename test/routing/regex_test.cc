#include "routing/regex.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace meshlib::routing {
namespace {

Regex Compile(std::string_view pattern) {
  absl::StatusOr<Regex> regex = Regex::Compile(pattern);
  EXPECT_TRUE(regex.ok()) << regex.status();
  return *std::move(regex);
}

TEST(Regex, TellsWhatEveryMatchBeginsWith) {
  struct Case {
    const char* pattern;
    std::string want;
  };
  const std::string long_text(100, 'x');
  const std::string long_pattern = "/" + long_text + "/.*";
  const Case cases[] = {
      {"/service17", "/service17"},
      // RE2 goes up to "/service170" here.
      {"/service17/.*", "/service17"},
      {"/service(1|2)/.*", "/service"},
      {"^/a/b$", "/a/b"},
      {"/a\\.b/[0-9]+", "/a.b/"},
      {"/a|/b", "/"},
      {"/ab?", "/a"},
      {"/ab*", "/a"},
      {"(?i)/a", "/"},
      {"(/a|b).*", ""},
      {"[a-z]+/x", ""},
      {".*", ""},
      {".*/x", ""},
      {"", ""},
      {"$.", ""},  // matches nothing
      {"\xff\xff.*", ""},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(Compile(c.pattern).Prefix(), c.want) << c.pattern;
  }
  const std::string prefix = Compile(long_pattern).Prefix();
  EXPECT_GE(prefix.size(), 60u);
  EXPECT_EQ(long_pattern.compare(0, prefix.size(), prefix), 0);
}

TEST(RegexGroup, MatchesWhatOneOfItsRegexesMatchesAsAWhole) {
  const std::vector<Regex> regexes = {Compile("/a.*"), Compile("b|c"),
                                      Compile("[0-9]+\xe9.")};
  const RegexGroup group({&regexes[0], &regexes[1], &regexes[2]});
  for (const char* text : {"/a", "/ab", "b", "c", "12\xe9\xe9"}) {
    EXPECT_TRUE(group.MayMatch(text)) << text;
  }
  for (const char* text : {"", "x/a", "bc", "/", "12\xe9", "12\xe9xx"}) {
    EXPECT_FALSE(group.MayMatch(text)) << text;
  }
}

TEST(RegexGroup, MayMatchAnythingIfItDoesNotFitIntoMemory) {
  const Regex large = Compile("(b?c?d?e?){1000}f");
  const std::vector<const Regex*> pointers(RegexGroup::kSize, &large);
  EXPECT_TRUE(RegexGroup(pointers).MayMatch("a"));
}

}  // namespace
}  // namespace meshlib::routing
