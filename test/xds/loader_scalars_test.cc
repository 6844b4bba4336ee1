#include <cmath>
#include <cstdint>
#include <limits>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "xds/config_builder_scalars.h"

namespace meshlib::xds {
namespace {

using ::testing::HasSubstr;

constexpr auto kString = ScalarStyle::kString;
constexpr auto kPlain = ScalarStyle::kPlain;
constexpr auto kNumber = ScalarStyle::kNumber;
constexpr auto kBool = ScalarStyle::kBool;

// Envoy 1.40 was asked for each of these.
TEST(Scalars, ReadsPlainYamlAsEnvoyDoes) {
  struct {
    const char* text;
    const char* want;
  } kCases[] = {
      {"15", "int 15"},
      {"-1", "int -1"},
      {"+5", "int 5"},
      {"0x10", "int 16"},
      {"010", "int 8"},
      {"0", "int 0"},
      {"yes", "true"},
      {"Yes", "true"},
      {"YES", "true"},
      {"yEs", "text"},
      {"y", "true"},
      {"N", "false"},
      {"off", "false"},
      {"On", "true"},
      {"tRUE", "text"},
      {"1.5", "text"},
      {"1e3", "text"},
      {".inf", "text"},
      {"08", "text"},
      {"0x", "text"},
      {"-", "text"},
      {"9223372036854775807", "int 9223372036854775807"},
      {"9223372036854775808", "text"},
      {"-9223372036854775808", "int -9223372036854775808"},
      {"1 ", "text"},
      {"abc", "text"},
      {"", "text"},
  };
  for (const auto& c : kCases) {
    const PlainValue value = ReadPlain(c.text);
    std::string got = "text";
    if (value.type == PlainValue::Type::kBool) {
      got = value.boolean ? "true" : "false";
    } else if (value.type == PlainValue::Type::kInteger) {
      got = absl::StrCat("int ", value.integer);
    }
    EXPECT_EQ(got, c.want) << c.text;
  }
}

TEST(Scalars, ReadsStringsThatAreWrittenAsStrings) {
  struct {
    ScalarText scalar;
    bool ok;
  } kCases[] = {
      {{kString, "5"}, true},    {{kPlain, "abc"}, true},
      {{kPlain, "1.5"}, true},   {{kPlain, "15000000000"}, true},
      {{kPlain, "15"}, false},   {{kPlain, "yes"}, false},
      {{kNumber, "5"}, false},   {{kBool, "true"}, false},
      {{kString, "true"}, true},
  };
  for (const auto& c : kCases) {
    std::string_view out;
    std::string why;
    EXPECT_EQ(ReadString(c.scalar, out, why), c.ok) << c.scalar.text;
  }
  std::string_view out;
  std::string why;
  ReadString({kPlain, "15"}, out, why);
  EXPECT_EQ(why, "got the number 15, want a string: write \"15\"");
}

TEST(Scalars, ReadsIntegersInTheirRange) {
  struct {
    ScalarText scalar;
    bool ok;
    uint64_t value;
  } kCases[] = {
      {{kNumber, "0"}, true, 0},
      {{kNumber, "4294967295"}, true, 4294967295},
      {{kNumber, "4294967296"}, false, 0},
      {{kNumber, "-1"}, false, 0},
      {{kString, "5"}, true, 5},
      {{kNumber, "1e3"}, true, 1000},
      {{kNumber, "5.0"}, true, 5},
      {{kNumber, "5.5"}, false, 0},
      {{kString, "1e3"}, true, 1000},
      {{kNumber, "1e300"}, false, 0},
      {{kPlain, "0x10"}, true, 16},
      {{kPlain, "010"}, true, 8},
      {{kString, "0x10"}, false, 0},
      {{kString, " 5"}, false, 0},
      {{kString, ""}, false, 0},
      {{kString, "-0"}, true, 0},
      {{kBool, "true"}, false, 0},
      {{kPlain, "y"}, false, 0},
      {{kString, "NaN"}, false, 0},
      {{kPlain, "99999999999999999999999"}, false, 0},
  };
  for (const auto& c : kCases) {
    uint64_t value = 77;
    std::string why;
    EXPECT_EQ(ReadUnsigned(c.scalar, 4294967295, value, why), c.ok)
        << c.scalar.text;
    if (c.ok) {
      EXPECT_EQ(value, c.value) << c.scalar.text;
    } else {
      EXPECT_THAT(why, HasSubstr("integer from 0 to 4294967295"));
    }
  }
}

TEST(Scalars, ReadsAllOf64Bits) {
  uint64_t wide = 0;
  int64_t value = 0;
  std::string why;
  constexpr auto kMax = std::numeric_limits<uint64_t>::max();
  constexpr auto kMin = std::numeric_limits<int64_t>::min();
  for (const ScalarStyle style : {kString, kPlain, kNumber}) {
    EXPECT_TRUE(ReadUnsigned({style, "18446744073709551615"}, kMax, wide, why));
    EXPECT_EQ(wide, kMax);
    EXPECT_FALSE(
        ReadUnsigned({style, "18446744073709551616"}, kMax, wide, why));
    EXPECT_TRUE(ReadSigned({style, "-9223372036854775808"}, kMin,
                           std::numeric_limits<int64_t>::max(), value, why));
    EXPECT_EQ(value, kMin);
    EXPECT_FALSE(ReadSigned({style, "9223372036854775808"}, kMin,
                            std::numeric_limits<int64_t>::max(), value, why));
  }
}

TEST(Scalars, ReadsRealNumbers) {
  double value = 0;
  std::string why;
  EXPECT_TRUE(ReadDouble({kNumber, "0.25"}, value, why));
  EXPECT_EQ(value, 0.25);
  EXPECT_TRUE(ReadDouble({kString, "1e-400"}, value, why));
  EXPECT_EQ(value, 0);
  EXPECT_TRUE(ReadDouble({kPlain, "NaN"}, value, why));
  EXPECT_TRUE(std::isnan(value));
  EXPECT_TRUE(ReadDouble({kString, "-Infinity"}, value, why));
  EXPECT_TRUE(std::isinf(value) && value < 0);
  EXPECT_FALSE(ReadDouble({kNumber, "1e999"}, value, why));
  EXPECT_EQ(why, "got 1e999, want a number below 1.8e308");
  for (const char* text :
       {".inf", ".nan", "inf", "nan", "0x1p3", "1,5", "1.", "--1", "abc", ""}) {
    const bool trailing_point = std::string_view(text) == "1.";
    EXPECT_EQ(ReadDouble({kPlain, text}, value, why), trailing_point) << text;
  }
  float narrow = 0;
  EXPECT_FALSE(ReadFloat({kNumber, "1e39"}, narrow, why));
}

TEST(Scalars, ReadsDurations) {
  struct {
    ScalarText scalar;
    bool ok;
    int64_t seconds;
    int32_t nanos;
  } kCases[] = {
      {{kPlain, "0.25s"}, true, 0, 250000000},
      {{kString, "1s"}, true, 1, 0},
      {{kString, "-1.5s"}, true, -1, -500000000},
      {{kString, "0.000000001s"}, true, 0, 1},
      {{kString, "315576000000s"}, true, 315576000000, 0},
      {{kString, "315576000000.1s"}, false, 0, 0},
      {{kString, "315576000001s"}, false, 0, 0},
      {{kString, "99999999999999999999s"}, false, 0, 0},
      {{kString, "0.0000000001s"}, false, 0, 0},
      {{kString, "1"}, false, 0, 0},
      {{kString, "1ms"}, false, 0, 0},
      {{kString, "s"}, false, 0, 0},
      {{kString, "1.s"}, false, 0, 0},
      {{kString, ".5s"}, false, 0, 0},
      {{kString, "--1s"}, false, 0, 0},
      {{kString, "1e3s"}, false, 0, 0},
      {{kNumber, "5"}, false, 0, 0},
      {{kBool, "true"}, false, 0, 0},
  };
  for (const auto& c : kCases) {
    SecondsAndNanos out;
    std::string why;
    EXPECT_EQ(ReadDuration(c.scalar, out, why), c.ok) << c.scalar.text;
    if (!c.ok) continue;
    EXPECT_EQ(out.seconds, c.seconds) << c.scalar.text;
    EXPECT_EQ(out.nanos, c.nanos) << c.scalar.text;
  }
}

TEST(Scalars, ReadsTimesAndBytes) {
  SecondsAndNanos out;
  std::string why;
  EXPECT_TRUE(ReadTimestamp({kString, "1970-01-02T00:00:00.5Z"}, out, why));
  EXPECT_EQ(out.seconds, 86400);
  EXPECT_EQ(out.nanos, 500000000);
  EXPECT_TRUE(ReadTimestamp({kString, "1969-12-31T23:59:59.5Z"}, out, why));
  EXPECT_EQ(out.seconds, -1);
  EXPECT_EQ(out.nanos, 500000000);
  for (const char* text : {"yesterday", "10000-01-01T00:00:00Z", "",
                           "infinite-future", "0000-01-01T00:00:00Z"}) {
    EXPECT_FALSE(ReadTimestamp({kString, text}, out, why)) << text;
  }
  std::string bytes;
  EXPECT_TRUE(ReadBytes({kString, "aGk="}, bytes, why));
  EXPECT_EQ(bytes, "hi");
  EXPECT_TRUE(ReadBytes({kString, "-_8"}, bytes, why));
  EXPECT_EQ(bytes, "\xfb\xff");
  EXPECT_FALSE(ReadBytes({kString, "not base64!"}, bytes, why));
}

TEST(Scalars, CutsWhatItShows) {
  const std::string shown = Show({kString, std::string(1 << 20, 'x')});
  EXPECT_LT(shown.size(), 200u);
}

}  // namespace
}  // namespace meshlib::xds
