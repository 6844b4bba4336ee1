#include "xds/loader_text.h"

#include <string_view>

#include "gtest/gtest.h"
#include "xds/loader_names.h"

namespace meshlib::xds {
namespace {

TEST(LoaderText, TakesWellFormedUtf8Only) {
  const struct {
    const char* text;
    bool valid;
  } kCases[] = {
      {"", true},
      {"a\x7f", true},
      {"\x80", false},
      {"\xc1\xbf", false},
      {"\xc2\x80", true},
      {"\xc2", false},
      {"\xe0\x9f\xbf", false},
      {"\xe0\xa0\x80", true},
      {"\xed\x9f\xbf", true},
      {"\xed\xa0\x80", false},
      {"\xef\xbf\xbf", true},
      {"\xf0\x8f\xbf\xbf", false},
      {"\xf0\x90\x80\x80", true},
      {"\xf4\x8f\xbf\xbf", true},
      {"\xf4\x90\x80\x80", false},
      {"\xf5\x80\x80\x80", false},
      {"\xe2\x82", false},
      {"\xe2\x82"
       "a",
       false},
  };
  for (const auto& c : kCases) {
    EXPECT_EQ(IsValidUtf8(c.text), c.valid) << testing::PrintToString(c.text);
  }
}

TEST(LoaderText, FindsPlacesInAnyOrder) {
  LineMap lines("ab\ncd\n\nef");
  const struct {
    size_t offset;
    int line;
    int column;
  } kCases[] = {{0, 1, 1}, {2, 1, 3}, {3, 2, 1}, {6, 3, 1},
                {8, 4, 2}, {4, 2, 2}, {1, 1, 2}};
  for (const auto& c : kCases) {
    const Position at = lines.At(c.offset);
    EXPECT_EQ(at.line, c.line) << c.offset;
    EXPECT_EQ(at.column, c.column) << c.offset;
  }
}

TEST(LoaderNames, CountsNeighboursThatChangedPlacesOnce) {
  EXPECT_EQ(EditDistance("clutser", "cluster", 3), 1);
  EXPECT_EQ(EditDistance("ab", "ba", 3), 1);
  EXPECT_EQ(EditDistance("abc", "", 3), 3);
  EXPECT_EQ(EditDistance("abcd", "", 3), 4);
  EXPECT_EQ(EditDistance("kitten", "sitting", 3), 3);
  EXPECT_EQ(EditDistance("kitten", "sitting", 2), 3);
}

}  // namespace
}  // namespace meshlib::xds
