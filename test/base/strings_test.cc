#include "base/strings.h"

#include <string>

#include "gtest/gtest.h"

namespace meshlib::base {
namespace {

TEST(Strings, ViewsConvertBothWays) {
  const std::string text("a\0b", 3);
  EXPECT_EQ(ToStd(ToAbsl(text)), text);
  EXPECT_EQ(ToStd(ToAbsl(std::string_view())), "");
}

TEST(Excerpt, KeepsPrintableTextAsItIs) {
  EXPECT_EQ(Excerpt("plain text"), "plain text");
  EXPECT_EQ(Excerpt(""), "");
}

TEST(Excerpt, CutsLongTextAndSaysSo) {
  EXPECT_EQ(Excerpt("abcdef", 3), "abc...");
  EXPECT_EQ(Excerpt("abc", 3), "abc");
  EXPECT_EQ(Excerpt(std::string(1 << 20, 'x')).size(), 83u);
}

TEST(Excerpt, EscapesBytesThatAreNotPrintable) {
  EXPECT_EQ(Excerpt(std::string_view("a\n\0\x7f", 4)), "a\\x0a\\x00\\x7f");
}

TEST(EqualsIgnoreCase, ComparesAsciiOnly) {
  struct Case {
    const char* a;
    const char* b;
    bool want;
  } const kCases[] = {
      {"", "", true},        {"Host", "hOST", true},          {"a", "", false},
      {"abc", "abd", false}, {"abc", "abcd", false},          {"@", "`", false},
      {"[", "{", false},     {"\xc3\x84", "\xc3\xa4", false},
  };
  for (const Case& c : kCases) {
    EXPECT_EQ(EqualsIgnoreCase(c.a, c.b), c.want) << c.a << " " << c.b;
  }
}

TEST(LowerAscii, ChangesOnlyAsciiLetters) {
  EXPECT_EQ(LowerAscii(std::string_view("AbZ-09@[\xc4")), "abz-09@[\xc4");
}

}  // namespace
}  // namespace meshlib::base
