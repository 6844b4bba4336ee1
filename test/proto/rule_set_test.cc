#include "proto/rule_set.h"

#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "meshlib/xds/envoy/config/cluster/v3/cluster.pb.h"

namespace meshlib::proto {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

Scalar Signed(int64_t v) {
  Scalar value;
  value.integer = v;
  return value;
}

Scalar Unsigned(uint64_t v) {
  Scalar value = Signed(static_cast<int64_t>(v));
  value.type = Scalar::Type::kUnsigned;
  return value;
}

Scalar Bool(bool v) {
  Scalar value = Signed(v ? 1 : 0);
  value.type = Scalar::Type::kBool;
  return value;
}

Scalar Duration(int64_t nanoseconds) {
  Scalar value = Signed(nanoseconds);
  value.type = Scalar::Type::kDuration;
  return value;
}

Scalar Enum(int v) {
  Scalar value = Signed(v);
  value.type = Scalar::Type::kEnum;
  value.enumeration =
      xds::envoy::config::cluster::v3::Cluster_DiscoveryType_descriptor();
  return value;
}

Scalar Real(double v) {
  Scalar value;
  value.type = Scalar::Type::kReal;
  value.real = v;
  return value;
}

Scalar Text(std::string_view v) {
  Scalar value;
  value.type = Scalar::Type::kText;
  value.text = v;
  return value;
}

Scalar Bytes(std::string_view v) {
  Scalar value = Text(v);
  value.type = Scalar::Type::kBytes;
  return value;
}

RuleRow Row(RuleOp op, int64_t integer = 0) {
  return {op, integer, 0, {}, 0, 0};
}
RuleRow RealRow(RuleOp op, double real) { return {op, 0, real, {}, 0, 0}; }
RuleRow TextRow(RuleOp op, std::string_view text) {
  return {op, 0, 0, text, 0, 0};
}

std::vector<std::string> Problems(const std::vector<RuleRow>& rows,
                                  const Scalar& value) {
  std::vector<std::string> problems;
  RuleSet(rows).CheckScalar(
      value, [&](const std::string& text) { problems.push_back(text); });
  return problems;
}

struct Case {
  std::vector<RuleRow> rows;
  std::vector<Scalar> good;
  std::vector<std::pair<Scalar, std::string>> bad;
};

void CheckCases(const std::vector<Case>& cases) {
  for (const Case& c : cases) {
    for (const Scalar& good : c.good) {
      EXPECT_THAT(Problems(c.rows, good), IsEmpty()) << ToText(good);
    }
    for (const auto& [bad, message] : c.bad) {
      EXPECT_THAT(Problems(c.rows, bad), ElementsAre(message));
    }
  }
}

constexpr uint64_t kMax = std::numeric_limits<uint64_t>::max();
const double kNan = std::numeric_limits<double>::quiet_NaN();

TEST(RuleSet, ChecksBoundsOfNumbers) {
  CheckCases({
      {{Row(RuleOp::kLte, 65535)},
       {Unsigned(0), Unsigned(65535)},
       {{Unsigned(65536), "65536 > 65535"},
        {Unsigned(kMax), "18446744073709551615 > 65535"}}},
      {{Row(RuleOp::kLt, 10)},
       {Signed(9), Signed(-1)},
       {{Signed(10), "10 >= 10"}}},
      {{Row(RuleOp::kGt, -3)}, {Signed(-2)}, {{Signed(-3), "-3 <= -3"}}},
      {{Row(RuleOp::kGte, 1)},
       {Unsigned(1), Unsigned(kMax)},
       {{Unsigned(0), "0 < 1"}}},
      {{RealRow(RuleOp::kGte, 0), RealRow(RuleOp::kLte, 100)},
       {Real(0), Real(100), Real(33.3)},
       {{Real(-0.5), "-0.5 < 0"}, {Real(100.5), "100.5 > 100"}}},
      {{RealRow(RuleOp::kGt, 0), RealRow(RuleOp::kLt, 9)},
       {Real(1e-9)},
       {{Real(kNan), "NaN, want a number"}}},
  });
}

TEST(RuleSet, ChecksBoundsOfDurations) {
  CheckCases({
      {{Row(RuleOp::kGt, 0)},
       {Duration(1), Duration(250000000)},
       {{Duration(0), "0s <= 0s"}, {Duration(-1500000000), "-1.5s <= 0s"}}},
      {{Row(RuleOp::kGte, 1000000)},
       {Duration(1000000)},
       {{Duration(999999), "0.000999999s < 0.001s"}}},
  });
}

TEST(RuleSet, ChecksConstantsAndSets) {
  CheckCases({
      {{Row(RuleOp::kConst, 1)},
       {Bool(true)},
       {{Bool(false), "false, want true"}}},
      {{Row(RuleOp::kIn, 301), Row(RuleOp::kIn, 302)},
       {Unsigned(301), Unsigned(302)},
       {{Unsigned(300), "300, want one of 301, 302"}}},
      {{Row(RuleOp::kNotIn, 0)},
       {Signed(1)},
       {{Signed(0), "0 is not allowed"}}},
      {{TextRow(RuleOp::kIn, "http"), TextRow(RuleOp::kIn, "https")},
       {Text("http")},
       {{Text("ftp"), "\"ftp\", want one of \"http\", \"https\""}}},
      {{Row(RuleOp::kDefinedOnly)},
       {Enum(0), Enum(4)},
       {{Enum(99),
         "99 is not a value of "
         "envoy.config.cluster.v3.Cluster.DiscoveryType"}}},
      {{Row(RuleOp::kNotIn, 3)}, {Enum(4)}, {{Enum(3), "EDS is not allowed"}}},
  });
}

TEST(RuleSet, ChecksLengthsInCharactersOrBytes) {
  CheckCases({
      {{Row(RuleOp::kMinLen, 1)}, {Text("a")}, {{Text(""), "is empty"}}},
      {{Row(RuleOp::kMinLen, 3)},
       {Text("abc"), Bytes("abc")},
       {{Text("\xC3\xA4\xC3\xB6"), "has 2 characters, want at least 3"},
        {Bytes("ab"), "has 2 bytes, want at least 3"}}},
      {{Row(RuleOp::kMaxLen, 2)},
       {Text("\xC3\xA4\xC3\xB6")},
       {{Text("abc"), "has 3 characters, want at most 2"}}},
      {{Row(RuleOp::kMinBytes, 4), Row(RuleOp::kMaxBytes, 5)},
       {Text("\xC3\xA4\xC3\xB6"), Text("abcde")},
       {{Text("a"), "has 1 byte, want at least 4"},
        {Text("abcdef"), "has 6 bytes, want at most 5"}}},
  });
}

TEST(RuleSet, ChecksTheShapeOfText) {
  CheckCases({
      {{TextRow(RuleOp::kPattern, "^[a-c]+$")},
       {Text("abc")},
       {{Text("abd"), "\"abd\" does not match \"^[a-c]+$\""}}},
      {{TextRow(RuleOp::kPrefix, "%"), TextRow(RuleOp::kSuffix, "$")},
       {Text("%x$"), Text("%$")},
       {{Text("x$"), "\"x$\" does not start with \"%\""},
        {Text("%x"), "\"%x\" does not end with \"$\""}}},
      {{TextRow(RuleOp::kContains, "mid")},
       {Text("amidst")},
       {{Text("mi"), "\"mi\" does not contain \"mid\""}}},
  });
}

TEST(RuleSet, ChecksHeaders) {
  const std::string nul("a\0b", 3);
  CheckCases({
      {{Row(RuleOp::kHeaderName, 1)},
       {Text(":path"), Text("x-a_B.1~`|^")},
       {{Text(""), "\"\" is not a valid HTTP header name"},
        {Text(":"), "\":\" is not a valid HTTP header name"},
        {Text("a b"), "\"a b\" is not a valid HTTP header name"},
        {Text("a:"), "\"a:\" is not a valid HTTP header name"}}},
      {{Row(RuleOp::kHeaderName, 0)},
       {Text("a b"), Text("")},
       {{Text(nul), "\"a\\000b\" is not a valid HTTP header name"}}},
      {{Row(RuleOp::kHeaderValue, 1)},
       {Text(""), Text("a\tb \xC3\xA4")},
       {{Text("a\x7F"), "\"a\\177\" is not a valid HTTP header value"},
        {Text("a\n"), "\"a\\n\" is not a valid HTTP header value"}}},
      {{Row(RuleOp::kHeaderValue, 0)},
       {Text("a\x7F")},
       {{Text("a\r"), "\"a\\r\" is not a valid HTTP header value"}}},
  });
}

TEST(RuleSet, PassesOverTheDefaultValueWhereTheRuleSaysSo) {
  CheckCases({
      {{Row(RuleOp::kIgnoreEmpty), Row(RuleOp::kMinLen, 2)},
       {Text(""), Text("ab")},
       {{Text("a"), "has 1 character, want at least 2"}}},
      {{Row(RuleOp::kIgnoreEmpty), Row(RuleOp::kGte, 5)},
       {Unsigned(0), Unsigned(5)},
       {{Unsigned(4), "4 < 5"}}},
  });
}

TEST(RuleSet, ChecksCountsOfItemsAndEntries) {
  const auto count = [](const std::vector<RuleRow>& rows, int64_t n) {
    std::string problem;
    RuleSet(rows).CheckCount(n,
                             [&](const std::string& text) { problem += text; });
    return problem;
  };
  EXPECT_EQ(count({Row(RuleOp::kMinItems, 1)}, 1), "");
  EXPECT_EQ(count({Row(RuleOp::kMinItems, 1)}, 0), "0 items, want at least 1");
  EXPECT_EQ(count({Row(RuleOp::kMinItems, 2)}, 1), "1 item, want at least 2");
  EXPECT_EQ(count({Row(RuleOp::kMaxItems, 2)}, 2), "");
  EXPECT_EQ(count({Row(RuleOp::kMaxItems, 2)}, 3), "3 items, want at most 2");
  EXPECT_EQ(count({Row(RuleOp::kMinPairs, 1)}, 0),
            "0 entries, want at least 1");
  EXPECT_EQ(count({Row(RuleOp::kMaxPairs, 1)}, 2), "2 entries, want at most 1");
  EXPECT_EQ(count({Row(RuleOp::kIgnoreEmpty), Row(RuleOp::kMinItems, 2)}, 0),
            "");
}

TEST(RuleSet, CutsLongTextInMessages) {
  const std::string name(1 << 20, 'x');
  const auto problems = Problems({TextRow(RuleOp::kPrefix, "y")}, Text(name));
  ASSERT_EQ(problems.size(), 1u);
  EXPECT_LT(problems[0].size(), 150u);
}

}  // namespace
}  // namespace meshlib::proto
