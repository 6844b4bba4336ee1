#include "model/headers.h"

#include <optional>
#include <string_view>
#include <vector>

#include "gtest/gtest.h"

namespace meshlib::model {
namespace {

TEST(SameHeaderName, DisregardsCase) {
  EXPECT_TRUE(SameHeaderName("x-a", "x-a"));
  EXPECT_TRUE(SameHeaderName("X-a", "x-A"));
  EXPECT_FALSE(SameHeaderName("x-a", "x-b"));
  EXPECT_FALSE(SameHeaderName("x-a", "x-ab"));
}

TEST(FindHeader, FindsTheFirstOfItsName) {
  const std::vector<Header> headers = {{"a", "1"}, {"B", "2"}, {"b", "3"}};
  EXPECT_EQ(FindHeader(headers, "b"), &headers[1]);
  EXPECT_EQ(FindHeader(headers, "c"), nullptr);
  EXPECT_EQ(FindHeader({}, "a"), nullptr);
}

TEST(JoinedHeader, PutsCommasBetweenValuesThatAreNotEmpty) {
  const struct {
    std::vector<const char*> values;
    std::optional<std::string_view> want;
  } cases[] = {
      {{}, std::nullopt},
      {{"a"}, "a"},
      {{""}, ""},
      {{"a", "b"}, "a,b"},
      {{"", "b"}, "b"},
      {{"a", ""}, "a"},
      {{"", "", "c"}, "c"},
      {{"", ""}, ""},
      {{"a", "", "c"}, "a,c"},
      {{"a", "b,c"}, "a,b,c"},
      {{"b", "a", "b"}, "b,a,b"},
  };
  for (const auto& c : cases) {
    std::vector<Header> headers = {{"x-a", "other"}};
    for (const char* value : c.values) headers.push_back({"Via", value});
    std::string storage;
    EXPECT_EQ(JoinedHeader(headers, "via", storage), c.want)
        << c.want.value_or("none");
  }
}

TEST(IsJoinedHeader, KnowsWhatEnvoyKeepsInline) {
  for (const char* name :
       {"accept", "authorization", "te", "x-request-id", "via", "if-range",
        "x-envoy-retry-on", "x-forwarded-client-cert"}) {
    EXPECT_TRUE(IsJoinedHeader(name)) << name;
  }
  for (const char* name :
       {"accept-language", "cookie", "x-team", "etag", "traceparent", "baggage",
        "grpc-encoding", "forwarded", "range", ""}) {
    EXPECT_FALSE(IsJoinedHeader(name)) << name;
  }
}

TEST(NumberOfHeader, TakesWholeDecimalNumbersOnly) {
  struct Case {
    const char* value;
    std::optional<uint64_t> want;
  } const kCases[] = {
      {"0", 0},
      {"1500", 1500},
      {"18446744073709551615", UINT64_MAX},
      {"18446744073709551616", std::nullopt},
      {"-1", std::nullopt},
      {"1s", std::nullopt},
      {"", std::nullopt},
  };
  for (const Case& c : kCases) {
    const std::vector<Header> headers = {{"N", c.value}};
    EXPECT_EQ(NumberOfHeader(headers, "n"), c.want) << c.value;
  }
  EXPECT_EQ(NumberOfHeader({}, "n"), std::nullopt);
}

TEST(IsGrpc, LooksAtTheContentType) {
  struct Case {
    const char* type;
    bool want;
  } const kCases[] = {
      {"application/grpc", true},      {"application/grpc+proto", true},
      {"application/grpc-web", false}, {"application/json", false},
      {"application/grp", false},      {"", false},
  };
  for (const Case& c : kCases) {
    const std::vector<Header> headers = {{"content-type", c.type}};
    Request request;
    request.headers = headers;
    EXPECT_EQ(IsGrpc(request), c.want) << c.type;
  }
  EXPECT_FALSE(IsGrpc(Request{}));
}

}  // namespace
}  // namespace meshlib::model
