#include "model/matchers.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gtest/gtest.h"

namespace meshlib::model {
namespace {

using Kind = HeaderMatcher::Kind;
using StringKind = StringMatcher::Kind;

StringMatcher Text(StringKind kind, std::string value,
                   bool ignore_case = false) {
  return StringMatcher{kind, std::move(value), ignore_case};
}

HeaderMatcher OfString(std::string name, StringKind kind, std::string value) {
  HeaderMatcher config;
  config.name = std::move(name);
  config.kind = Kind::kString;
  config.string = Text(kind, std::move(value));
  return config;
}

TEST(StringMatcher, MatchesAsItsKindSays) {
  struct Case {
    StringKind kind;
    const char* value;
    bool ignore_case;
    const char* text;
    bool want;
  } const kCases[] = {
      {StringKind::kExact, "abc", false, "abc", true},
      {StringKind::kExact, "abc", false, "ABC", false},
      {StringKind::kExact, "aBc", true, "AbC", true},
      {StringKind::kExact, "", false, "", true},
      {StringKind::kExact, "", false, "a", false},
      {StringKind::kPrefix, "ab", false, "abc", true},
      {StringKind::kPrefix, "ab", false, "a", false},
      {StringKind::kPrefix, "AB", true, "abc", true},
      {StringKind::kSuffix, "bc", false, "abc", true},
      {StringKind::kSuffix, "bc", false, "c", false},
      {StringKind::kSuffix, "BC", true, "abC", true},
      {StringKind::kContains, "b", false, "abc", true},
      {StringKind::kContains, "x", false, "abc", false},
      {StringKind::kContains, "BC", true, "abcd", true},
      {StringKind::kContains, "BD", true, "abcd", false},
      {StringKind::kContains, "", true, "", true},
      {StringKind::kRegex, "a.*c", false, "abbc", true},
      {StringKind::kRegex, "b+", false, "abbc", false},  // the whole text
      {StringKind::kRegex, "ABC", true, "abc", false},   // case always counts
      {StringKind::kRegex, "(", false, "(", false},      // does not compile
  };
  for (const Case& c : kCases) {
    const CompiledStringMatcher matcher(Text(c.kind, c.value, c.ignore_case));
    EXPECT_EQ(matcher.Matches(c.text), c.want)
        << static_cast<int>(c.kind) << " " << c.value << " " << c.text;
  }
}

TEST(HeaderMatcher, AMissingHeaderMatchesOnlyAbsence) {
  struct Case {
    Kind kind;
    bool invert;
    bool missing_is_empty;
    bool want_missing;
    bool want_present;  // with the value "7"
  } const kCases[] = {
      {Kind::kPresent, false, false, false, true},
      {Kind::kPresent, true, false, true, false},
      {Kind::kPresent, false, true, true, true},
      {Kind::kAbsent, false, false, true, false},
      {Kind::kAbsent, true, false, false, true},
      {Kind::kString, false, false, false, true},
      {Kind::kString, true, false, false, false},
      {Kind::kString, false, true, false, true},
      {Kind::kString, true, true, true, false},
      {Kind::kRange, false, false, false, true},
      {Kind::kRange, true, false, false, false},
      {Kind::kRange, false, true, false, true},
      {Kind::kRange, true, true, true, false},
  };
  for (const Case& c : kCases) {
    HeaderMatcher config;
    config.name = "x-a";
    config.kind = c.kind;
    config.string = Text(StringKind::kExact, "7");
    config.range_start = 5;
    config.range_end = 9;
    config.invert_match = c.invert;
    config.treat_missing_header_as_empty = c.missing_is_empty;
    const CompiledHeaderMatcher matcher(config);
    const std::string label = std::to_string(static_cast<int>(c.kind)) +
                              (c.invert ? " inverted" : "") +
                              (c.missing_is_empty ? " missing is empty" : "");
    EXPECT_EQ(matcher.MatchesValue(std::nullopt), c.want_missing) << label;
    EXPECT_EQ(matcher.Matches(Request{}), c.want_missing) << label;
    const std::vector<Header> headers = {{"X-A", "7"}};
    Request request;
    request.headers = headers;
    EXPECT_EQ(matcher.Matches(request), c.want_present) << label;
  }
}

TEST(HeaderMatcher, ARangeIsHalfOpenAndTakesWholeNumbersOnly) {
  HeaderMatcher config;
  config.name = "x-a";
  config.kind = Kind::kRange;
  config.range_start = -2;
  config.range_end = 10;
  const CompiledHeaderMatcher matcher(config);
  struct Case {
    const char* value;
    bool want;
  } const kCases[] = {
      {"-2", true}, {"-3", false}, {"0", true},
      {"9", true},  {"10", false}, {"9.5", false},
      {"", false},  {"9a", false}, {"99999999999999999999", false},
  };
  for (const Case& c : kCases) {
    EXPECT_EQ(matcher.MatchesValue(c.value), c.want) << c.value;
  }
}

// As Envoy 1.40 answers; each row's columns are kValues.
TEST(HeaderMatcher, TestsEachOfSeveralValuesByItself) {
  const std::vector<std::vector<std::string>> kValues = {
      {},         {"a"},     {"a", "b"}, {"b", "a"},
      {"1", "5"}, {"", "a"}, {"a,b"},    {"z", "z"},
  };
  struct Case {
    const char* what;
    Kind kind;
    StringMatcher string;
    bool missing_is_empty;
    const char* want;
  } const kCases[] = {
      {"exact a", Kind::kString, Text(StringKind::kExact, "a"), false,
       "01110100"},
      {"exact a,b", Kind::kString, Text(StringKind::kExact, "a,b"), false,
       "00000010"},
      {"exact, any case", Kind::kString, Text(StringKind::kExact, "B", true),
       false, "00110000"},
      {"regex b", Kind::kString, Text(StringKind::kRegex, "b"), false,
       "00110000"},
      {"regex a,b", Kind::kString, Text(StringKind::kRegex, "a,b"), false,
       "00000010"},
      {"prefix b", Kind::kString, Text(StringKind::kPrefix, "b"), false,
       "00110000"},
      {"suffix a", Kind::kString, Text(StringKind::kSuffix, "a"), false,
       "01110100"},
      {"contains a comma", Kind::kString, Text(StringKind::kContains, ","),
       false, "00000010"},
      {"exact empty", Kind::kString, Text(StringKind::kExact, ""), false,
       "00000100"},
      {"exact empty or missing", Kind::kString, Text(StringKind::kExact, ""),
       true, "10000100"},
      {"in [5, 6)", Kind::kRange, {}, false, "00001000"},
      {"present", Kind::kPresent, {}, false, "01111111"},
      {"absent", Kind::kAbsent, {}, false, "10000000"},
  };
  for (const Case& c : kCases) {
    for (const bool invert : {false, true}) {
      HeaderMatcher config;
      config.name = "x-a";
      config.kind = c.kind;
      config.string = c.string;
      config.range_start = 5;
      config.range_end = 6;
      config.treat_missing_header_as_empty = c.missing_is_empty;
      config.invert_match = invert;
      const CompiledHeaderMatcher matcher(config);
      for (size_t i = 0; i < kValues.size(); ++i) {
        std::vector<Header> headers = {{"other", "a"}};
        for (const std::string& value : kValues[i]) {
          headers.push_back({headers.size() % 2 == 0 ? "X-A" : "x-a", value});
        }
        Request request;
        request.headers = headers;
        // A missing header stays "no match" for what looks at values.
        const bool inverts =
            invert && (i > 0 || c.missing_is_empty ||
                       c.kind == Kind::kPresent || c.kind == Kind::kAbsent);
        const bool want = (c.want[i] == '1') != inverts;
        EXPECT_EQ(matcher.Matches(request), want)
            << c.what << (invert ? " inverted" : "") << ", values " << i;
        EXPECT_EQ(matcher.MatchesResponse(headers, 200), want) << c.what;
      }
    }
  }
}

TEST(HeaderMatcher, TestsJoinedValuesAsOne) {
  const std::vector<Header> headers = {{"Accept", "a"}, {"accept", "b"}};
  Request request;
  request.headers = headers;
  const auto matches = [&](const StringMatcher& string, bool invert) {
    HeaderMatcher config;
    config.name = "Accept";
    config.kind = Kind::kString;
    config.string = string;
    config.invert_match = invert;
    return CompiledHeaderMatcher(config).Matches(request);
  };
  EXPECT_TRUE(matches(Text(StringKind::kExact, "a,b"), false));
  EXPECT_FALSE(matches(Text(StringKind::kExact, "a"), false));
  EXPECT_TRUE(matches(Text(StringKind::kExact, "a"), true));
  EXPECT_FALSE(matches(Text(StringKind::kExact, "b"), false));
  EXPECT_TRUE(matches(Text(StringKind::kRegex, "a,b"), false));
  request.headers = absl::MakeSpan(headers).subspan(1);
  EXPECT_TRUE(matches(Text(StringKind::kExact, "b"), false));
  request.headers = {};
  EXPECT_FALSE(matches(Text(StringKind::kExact, "b"), false));
}

TEST(HeaderMatcher, KnowsThePseudoHeaders) {
  Request request;
  request.authority = "auth";
  request.path = "/p?q";
  request.method = "PUT";
  request.scheme = "https";
  struct Case {
    const char* name;
    const char* value;
  } const kCases[] = {
      {":authority", "auth"}, {"host", "auth"},     {":path", "/p?q"},
      {":method", "PUT"},     {":scheme", "https"},
  };
  for (const Case& c : kCases) {
    EXPECT_TRUE(
        CompiledHeaderMatcher(OfString(c.name, StringKind::kExact, c.value))
            .Matches(request))
        << c.name;
  }
  const std::vector<Header> headers = {{"Host", "other"}};
  request.headers = headers;
  EXPECT_TRUE(
      CompiledHeaderMatcher(OfString("host", StringKind::kExact, "other"))
          .Matches(request));
  HeaderMatcher absent;
  absent.name = ":authority";
  absent.kind = Kind::kAbsent;
  request.authority = "";
  EXPECT_TRUE(CompiledHeaderMatcher(absent).Matches(request));
}

TEST(HeaderMatcher, KnowsAResponsesStatus) {
  const CompiledHeaderMatcher matcher(
      OfString(":status", StringKind::kExact, "503"));
  EXPECT_TRUE(matcher.MatchesResponse({}, 503));
  EXPECT_FALSE(matcher.MatchesResponse({}, 502));
  EXPECT_FALSE(matcher.MatchesResponse({}, 0));
  const std::vector<Header> headers = {{"X-Retry", "yes"}};
  EXPECT_TRUE(
      CompiledHeaderMatcher(OfString("x-retry", StringKind::kPrefix, "y"))
          .MatchesResponse(headers, 200));
}

}  // namespace
}  // namespace meshlib::model
