#include <cmath>
#include <cstdint>
#include <limits>
#include <sstream>
#include <string>

#include <rapidjson/document.h>

#include "gtest/gtest.h"
#include "meshctl/arguments.h"
#include "meshctl/explain_output.h"
#include "meshctl/json.h"
#include "meshctl/names.h"
#include "meshctl/text_table.h"

namespace meshlib::meshctl {
namespace {

TEST(Json, WritesOneLine) {
  Json json;
  json.Begin('{').Field("a", "x\"\n").Field("b", uint64_t{UINT64_MAX});
  json.Field("c", true).Key("d").Begin('[').Number(0.5).Null().End(']');
  json.End('}');
  EXPECT_EQ(json.Finish(),
            "{\"a\":\"x\\\"\\n\",\"b\":18446744073709551615,\"c\":true,"
            "\"d\":[0.5,null]}\n");
}

TEST(Json, NeverHoldsALongObjectAsAWhole) {
  std::ostringstream out;
  Json json;
  json.Begin('[');
  std::string want = "[";
  for (uint64_t i = 0; i < 200'000; ++i) {
    json.Uint(i);
    want += (i == 0 ? "" : ",") + std::to_string(i);
    json.Spill(out);
    if (i % 1000 == 0) {
      EXPECT_LE(want.size() - static_cast<size_t>(out.tellp()), 65536u);
    }
  }
  out << json.End(']').Finish();
  EXPECT_EQ(out.str(), want + "]\n");
}

TEST(TextTable, GivesTheSameLinesOneByOne) {
  TextTable whole({">N", "NAME"});
  TextTable lines({">N", "NAME"});
  std::string out;
  for (const char* n : {"1", "100"}) {
    whole.AddRow({n, "a"});
    lines.Widen({n, "a"});
  }
  out += lines.Header() + lines.Line({"1", "a"}) + lines.Line({"100", "a"});
  EXPECT_EQ(out, whole.ToString());
  EXPECT_EQ(lines.Line({"10000", "a"}), "10000  a\n");
}

TEST(Json, WritesNullForNumbersThatJsonDoesNotHave) {
  Json json;
  json.Begin('[').Number(std::nan(""));
  json.Number(std::numeric_limits<double>::infinity()).End(']');
  EXPECT_EQ(json.Finish(), "[null,null]\n");
}

TEST(Json, MendsTextThatIsNotUtf8) {
  const struct {
    std::string text;
    std::string mended;
  } kCases[] = {
      {"plain", "plain"},
      {"\xc3\xa9", "\xc3\xa9"},
      {"\xe2\x82\xac", "\xe2\x82\xac"},
      {"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80"},
      {"a\xff", "a\xef\xbf\xbd"},
      {"\xc3", "\xef\xbf\xbd"},
      {"\xc0\x80", "\xef\xbf\xbd\xef\xbf\xbd"},                  // overlong
      {"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},  // surrogate
      {"\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
  };
  for (const auto& c : kCases) EXPECT_EQ(MendUtf8(c.text), c.mended);
}

TEST(TextTable, AlignsItsColumns) {
  TextTable table({"NAME", ">COUNT", "NOTE"});
  table.AddRow({"a", "10", ""});
  table.AddRow({"longer", "9", "x"});
  table.AddRow({"\xc3\xa9\xc3\xa9", "1", "y"});
  EXPECT_EQ(table.ToString(),
            "NAME    COUNT  NOTE\n"
            "a          10  -\n"
            "longer      9  x\n"
            "\xc3\xa9\xc3\xa9          1  y\n");
}

TEST(TextTable, PadsFieldNames) {
  EXPECT_EQ(TextFields({{"A", "1"}, {"Longer", "2"}}),
            "A       1\nLonger  2\n");
}

TEST(Names, CountEdits) {
  EXPECT_EQ(EditDistance("", ""), 0u);
  EXPECT_EQ(EditDistance("abc", ""), 3u);
  EXPECT_EQ(EditDistance("kitten", "sitting"), 3u);
  EXPECT_EQ(EditDistance("Echo", "eCHO"), 0u);
}

TEST(Names, HintAtWhatWasMeant) {
  EXPECT_EQ(NameHint("ehco", {"echo", "cart"}), "; did you mean \"echo\"?");
  EXPECT_EQ(NameHint("echo.shop", {"echo.shop:8080", "cart"}),
            "; did you mean \"echo.shop:8080\"?");
  EXPECT_EQ(NameHint("zebra", {"echo", "cart"}),
            "; there is \"cart\", \"echo\"");
  EXPECT_EQ(NameHint("zebra", {}), "; there is none");
  EXPECT_EQ(NameHint("zzzzzz", {"a1", "b1", "c1", "d1", "e1", "f1", "g1"}),
            "; there is \"a1\", \"b1\", \"c1\", \"d1\", \"e1\" and 2 more");
  EXPECT_EQ(NameHint("zzzzzz", {"a1", "b1", "c1", "d1", "e1"}),
            "; there is \"a1\", \"b1\", \"c1\", \"d1\", \"e1\"");
  // A part of three letters is near, one of two is not.
  EXPECT_EQ(NameHint("foo", {"foo.example.com"}),
            "; did you mean \"foo.example.com\"?");
  EXPECT_EQ(NameHint("fo", {"fo.example.com"}),
            "; there is \"fo.example.com\"");
  // All letters of a name changed is another name.
  EXPECT_EQ(NameHint("zq", {"b"}), "; there is \"b\"");
  // Parts come after slips.
  EXPECT_EQ(NameHint("echo.shop", {"echo.shap", "echo.shop:80"}),
            "; did you mean \"echo.shap\" or \"echo.shop:80\"?");
}

TEST(Names, HintOnlyAtNearNamesIfAskedTo) {
  EXPECT_EQ(NearHint("ehco", {"echo", "ecko"}),
            "; did you mean \"echo\" or \"ecko\"?");
  EXPECT_EQ(NearHint("zebra", {"echo", "cart"}), "");
}

TEST(Arguments, ParseDecimalNumbersOfSixtyFourBits) {
  EXPECT_EQ(ParseUint64("0").value(), 0u);
  EXPECT_EQ(ParseUint64("010").value(), 10u);
  EXPECT_EQ(ParseUint64("18446744073709551615").value(), UINT64_MAX);
  for (const char* bad : {"", "-1", "+1", "0x10", "1.0", " 1", "1e3",
                          "18446744073709551616", "99999999999999999999"}) {
    EXPECT_FALSE(ParseUint64(bad).ok()) << bad;
  }
}

TEST(Arguments, SplitHeadersAtTheFirstEqualsSign) {
  EXPECT_EQ(ParseHeader("a=b").value().name, "a");
  EXPECT_EQ(ParseHeader("a=b=c").value().value, "b=c");
  EXPECT_EQ(ParseHeader("a=").value().value, "");
  EXPECT_FALSE(ParseHeader("a").ok());
  EXPECT_FALSE(ParseHeader("=b").ok());
}

TEST(ExplainOutput, ShowsReportedWeightsWhereThereAreSome) {
  Explanation found;
  found.hosts.resize(2);
  found.hosts[0].address = "10.0.0.1:80";
  found.hosts[1].address = "10.0.0.2:80";
  EXPECT_EQ(ExplainJson(found).find("reported_weight"), std::string::npos);
  EXPECT_EQ(ExplainText({}, found).find("REPORTED"), std::string::npos);
  found.hosts[1].reported_weight = 2.5;
  rapidjson::Document answer;
  answer.Parse(ExplainJson(found).c_str());
  ASSERT_FALSE(answer.HasParseError());
  EXPECT_FALSE(answer["hosts"][0].HasMember("reported_weight"));
  EXPECT_EQ(answer["hosts"][1]["reported_weight"].GetDouble(), 2.5);
  const std::string text = ExplainText({}, found);
  EXPECT_NE(text.find("WEIGHT  REPORTED  HEALTH"), std::string::npos) << text;
  EXPECT_NE(text.find("     1       2.5  "), std::string::npos) << text;
}

}  // namespace
}  // namespace meshlib::meshctl
