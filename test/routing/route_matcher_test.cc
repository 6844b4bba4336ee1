#include "routing/route_matcher.h"

#include <optional>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "routing/match_reason.h"
#include "routing/request_fields.h"
#include "test/routing/route_builders.h"

namespace meshlib::routing {
namespace {

using PathKind = model::PathMatcher::Kind;
using StringKind = model::StringMatcher::Kind;
using HeaderKind = model::HeaderMatcher::Kind;

// Whether it matches; both ways of asking must agree.
bool Matches(const model::RouteMatch& match, const Request& request,
             uint64_t random = 0, const model::Runtime& runtime = {}) {
  const auto matcher = RouteMatcher::Compile(match, runtime);
  EXPECT_TRUE(matcher.ok()) << matcher.status();
  if (!matcher.ok()) return false;
  const std::string_view path = PathOf(request.path);
  const bool matches = matcher->Matches(request, path, random);
  EXPECT_EQ(!matcher->WhyNot(request, path, random).has_value(), matches);
  return matches;
}

TEST(RouteMatcher, MatchesPathsAsEnvoyDoes) {
  struct Case {
    model::PathMatcher matcher;
    std::string path;
    bool want;
  };
  const std::vector<Case> cases = {
      {PathMatch(PathKind::kPrefix, "/"), "/", true},
      {PathMatch(PathKind::kPrefix, "/"), "/x?y", true},
      {PathMatch(PathKind::kPrefix, "/a"), "/abc", true},
      {PathMatch(PathKind::kPrefix, "/a"), "/A", false},
      {PathMatch(PathKind::kPrefix, "/aB", false), "/AbC", true},
      {PathMatch(PathKind::kPrefix, "/a/b"), "/a?x=/b", false},
      {PathMatch(PathKind::kPrefix, "/a?b"), "/a?b", false},
      {PathMatch(PathKind::kExact, "/a"), "/a", true},
      {PathMatch(PathKind::kExact, "/a"), "/a?x=1", true},
      {PathMatch(PathKind::kExact, "/a"), "/a#x", true},
      {PathMatch(PathKind::kExact, "/a"), "/a/", false},
      {PathMatch(PathKind::kExact, "/a", false), "/A", true},
      {PathMatch(PathKind::kExact, "/a"), "", false},
      {PathMatch(PathKind::kPrefix, ""), "", false},
      {PathMatch(PathKind::kRegex, "/a.*"), "/abc?d", true},
      {PathMatch(PathKind::kRegex, "/a"), "/ab", false},
      {PathMatch(PathKind::kRegex, "a"), "/a", false},
      {PathMatch(PathKind::kRegex, "/a\\d+"), "/a12?b", true},
      {PathMatch(PathKind::kPathSeparatedPrefix, "/a"), "/a", true},
      {PathMatch(PathKind::kPathSeparatedPrefix, "/a"), "/a/b", true},
      {PathMatch(PathKind::kPathSeparatedPrefix, "/a"), "/a/", true},
      {PathMatch(PathKind::kPathSeparatedPrefix, "/a"), "/a?b", true},
      {PathMatch(PathKind::kPathSeparatedPrefix, "/a"), "/ab", false},
      {PathMatch(PathKind::kPathSeparatedPrefix, "/a", false), "/A/b", true},
      {PathMatch(PathKind::kUriTemplate, "/a/{x}/*/**"), "/a/1/2/3/4", true},
      {PathMatch(PathKind::kUriTemplate, "/a/{x}/*/**"), "/a/1/2/", true},
      {PathMatch(PathKind::kUriTemplate, "/a/{x}/*/**"), "/a/1/2", false},
      {PathMatch(PathKind::kUriTemplate, "/a/*"), "/a/b/c", false},
  };
  for (const Case& c : cases) {
    model::RouteMatch match;
    match.path = c.matcher;
    Request request;
    request.path = c.path;
    EXPECT_EQ(Matches(match, request), c.want)
        << c.matcher.value << " and " << c.path;
  }
}

TEST(RouteMatcher, ConnectMatchesConnectRequestsAlone) {
  model::RouteMatch match;
  match.path.kind = PathKind::kConnect;
  Request request;
  request.path = "";
  EXPECT_FALSE(Matches(match, request));
  request.method = "CONNECT";
  EXPECT_TRUE(Matches(match, request));
  request.method = "GET";
  const Header upgrade = {"Upgrade", "connect-UDP"};
  request.headers = {&upgrade, 1};
  EXPECT_TRUE(Matches(match, request));
}

struct HeaderCase {
  std::string what;
  model::HeaderMatcher matcher;
  std::optional<std::string> value;
  bool want;
};

model::HeaderMatcher Inverted(model::HeaderMatcher matcher) {
  matcher.invert_match = true;
  return matcher;
}

model::HeaderMatcher MissingIsEmpty(model::HeaderMatcher matcher) {
  matcher.treat_missing_header_as_empty = true;
  return matcher;
}

model::HeaderMatcher OfKind(HeaderKind kind, int64_t start = 0,
                            int64_t end = 0) {
  model::HeaderMatcher matcher;
  matcher.name = "x";
  matcher.kind = kind;
  matcher.range_start = start;
  matcher.range_end = end;
  return matcher;
}

std::vector<HeaderCase> HeaderCases() {
  const auto exact = ExactHeader("x", "a");
  const auto regex = HeaderMatch("x", StringMatch(StringKind::kRegex, "a+"));
  const auto empty = HeaderMatch("x", StringMatch(StringKind::kRegex, "^$"));
  const auto prefix = HeaderMatch("x", StringMatch(StringKind::kPrefix, "ab"));
  const auto suffix = HeaderMatch("x", StringMatch(StringKind::kSuffix, "bc"));
  const auto inside =
      HeaderMatch("x", StringMatch(StringKind::kContains, "bc"));
  const auto folded =
      HeaderMatch("x", StringMatch(StringKind::kContains, "Bc", true));
  const auto range = OfKind(HeaderKind::kRange, -10, 10);
  const auto present = OfKind(HeaderKind::kPresent);
  const auto absent = OfKind(HeaderKind::kAbsent);
  return {
      {"exact", exact, "a", true},
      {"exact", exact, "A", false},
      {"exact", exact, std::nullopt, false},
      {"not exact", Inverted(exact), "b", true},
      {"not exact", Inverted(exact), "a", false},
      {"not exact", Inverted(exact), std::nullopt, false},
      {"not exact, missing", MissingIsEmpty(Inverted(exact)), std::nullopt,
       true},
      {"regex", regex, "aaa", true},
      {"regex", regex, "aab", false},
      {"empty", empty, std::nullopt, false},
      {"empty, missing", MissingIsEmpty(empty), std::nullopt, true},
      {"prefix", prefix, "abc", true},
      {"prefix", prefix, "aabc", false},
      {"suffix", suffix, "abc", true},
      {"suffix", suffix, "abcd", false},
      {"contains", inside, "abcd", true},
      {"contains", inside, "aBCd", false},
      {"contains, any case", folded, "aBCd", true},
      {"range", range, "-10", true},
      {"range", range, "10", false},
      {"range", range, "9.5", false},
      {"range", range, "", false},
      {"range", range, "99999999999999999999", false},
      {"not range", Inverted(range), "x", true},
      {"not range", Inverted(range), std::nullopt, false},
      {"not range, missing", MissingIsEmpty(Inverted(range)), std::nullopt,
       true},
      {"present", present, "", true},
      {"present", present, std::nullopt, false},
      {"present, missing", MissingIsEmpty(present), std::nullopt, true},
      {"not present", Inverted(present), std::nullopt, true},
      {"not present", Inverted(present), "a", false},
      {"absent", absent, std::nullopt, true},
      {"absent", absent, "a", false},
      {"not absent", Inverted(absent), "a", true},
      {"not absent", Inverted(absent), std::nullopt, false},
  };
}

TEST(RouteMatcher, MatchesHeadersAsEnvoyDoes) {
  for (const HeaderCase& c : HeaderCases()) {
    model::RouteMatch match;
    match.headers = {c.matcher};
    Request request;
    const std::string value = c.value.value_or("");
    const Header header = {"X", value};
    if (c.value.has_value()) request.headers = {&header, 1};
    EXPECT_EQ(Matches(match, request), c.want)
        << c.what << " and " << c.value.value_or("(missing)");
  }
}

TEST(RouteMatcher, TestsEachValueOfAHeaderByItself) {
  model::RouteMatch match;
  match.headers = {ExactHeader("x", "b")};
  const std::vector<Header> headers = {{"x", "a"}, {"y", ""}, {"X", "b"}};
  Request request;
  request.headers = headers;
  EXPECT_TRUE(Matches(match, request));
  match.headers[0].invert_match = true;
  EXPECT_FALSE(Matches(match, request));
  match.headers = {ExactHeader("x", "a,b")};
  EXPECT_FALSE(Matches(match, request));
}

TEST(RouteMatcher, KnowsThePseudoHeaders) {
  Request request;
  request.authority = "a.com";
  request.path = "/p?q";
  request.method = "PUT";
  request.scheme = "https";
  const std::vector<std::pair<std::string, std::string>> cases = {
      {":authority", "a.com"}, {"host", "a.com"},    {":path", "/p?q"},
      {":method", "PUT"},      {":scheme", "https"},
  };
  for (const auto& [name, value] : cases) {
    model::RouteMatch match;
    match.headers = {ExactHeader(name, value)};
    EXPECT_TRUE(Matches(match, request)) << name;
    match.headers = {ExactHeader(name, value + "x")};
    EXPECT_FALSE(Matches(match, request)) << name;
  }
}

TEST(RouteMatcher, MatchesQueryParametersAsTheyStand) {
  const auto present = [](std::string name, bool want) {
    model::QueryParameterMatcher matcher;
    matcher.name = std::move(name);
    matcher.present_match_inverted = !want;
    return matcher;
  };
  const auto string = [](std::string name, StringKind kind, std::string value) {
    model::QueryParameterMatcher matcher;
    matcher.name = std::move(name);
    matcher.present_match = false;
    matcher.string = StringMatch(kind, std::move(value));
    return matcher;
  };
  struct Case {
    model::QueryParameterMatcher matcher;
    std::string path;
    bool want;
  };
  const std::vector<Case> cases = {
      {present("a", true), "/?a", true},
      {present("a", true), "/?b=1&a=", true},
      {present("a", true), "/?b=a", false},
      {present("a", true), "/?ab=1", false},
      {present("a", true), "/a", false},
      {present("a", false), "/?b", true},
      {present("a", false), "/?a=1", false},
      {string("a", StringKind::kExact, "1"), "/?a=1", true},
      {string("a", StringKind::kExact, "1"), "/?a=2&a=1", false},
      {string("a", StringKind::kExact, "1"), "/", false},
      {string("a", StringKind::kExact, ""), "/?a", true},
      {string("a", StringKind::kExact, "b=c"), "/?a=b=c", true},
      {string("a", StringKind::kExact, "b c"), "/?a=b%20c", false},
      {string("a", StringKind::kExact, "b%20c"), "/?a=b%20c", true},
      {string("a", StringKind::kRegex, "\\d+"), "/?a=12", true},
      {string("a", StringKind::kRegex, "\\d+"), "/?a=12x", false},
  };
  for (const Case& c : cases) {
    model::RouteMatch match;
    match.query_parameters = {c.matcher};
    Request request;
    request.path = c.path;
    EXPECT_EQ(Matches(match, request), c.want)
        << DescribeQueryMatcher(c.matcher) << " and " << c.path;
  }
}

TEST(RouteMatcher, MatchesCookies) {
  const auto exact = ExactHeader("id", "7");
  struct Case {
    model::HeaderMatcher matcher;
    std::vector<Header> headers;
    bool want;
  };
  const std::vector<Case> cases = {
      {exact, {{"cookie", "a=b; id=7"}}, true},
      {exact, {{"Cookie", "a=b"}, {"cookie", "id=\"7\""}}, true},
      {exact, {{"cookie", "id=8; id=7"}}, false},
      {exact, {{"cookie", "xid=7;id"}}, false},
      {exact, {}, false},
      // Inverted, a missing cookie matches, unlike a missing header.
      {Inverted(exact), {}, true},
      {Inverted(exact), {{"cookie", "id=8"}}, true},
      {Inverted(exact), {{"cookie", "id=7"}}, false},
  };
  for (const Case& c : cases) {
    model::RouteMatch match;
    match.cookies = {c.matcher};
    Request request;
    request.headers = c.headers;
    EXPECT_EQ(Matches(match, request), c.want)
        << (c.headers.empty() ? "no cookie" : c.headers[0].value);
  }
}

TEST(RouteMatcher, GrpcIsAContentType) {
  model::RouteMatch match;
  match.grpc = true;
  for (const auto& [type, want] : std::vector<std::pair<std::string, bool>>{
           {"application/grpc", true},
           {"application/grpc+proto", true},
           {"application/grpc-web", false},
           {"application/json", false},
           {"", false}}) {
    const Header header = {"Content-Type", type};
    Request request;
    request.headers = {&header, 1};
    EXPECT_EQ(Matches(match, request), want) << type;
  }
  EXPECT_FALSE(Matches(match, Request()));
}

TEST(RouteMatcher, TheRuntimeFractionTakesRandomBelowTheNumerator) {
  model::RouteMatch match;
  match.runtime_fraction = model::Fraction{5, 10'000, "key"};
  EXPECT_TRUE(Matches(match, Request(), 4));
  EXPECT_FALSE(Matches(match, Request(), 5));
  EXPECT_TRUE(Matches(match, Request(), 10'000'004));
  model::Value percent;
  percent.kind = model::Value::Kind::kNumber;
  percent.number = 50;
  const model::Runtime runtime({{"key", percent}});
  EXPECT_TRUE(Matches(match, Request(), 149, runtime));
  EXPECT_FALSE(Matches(match, Request(), 150, runtime));
}

TEST(RouteMatcher, SaysWhatItWantedAndWhatItGot) {
  model::RouteMatch match;
  match.path = PathMatch(PathKind::kPrefix, "/y");
  match.headers = {ExactHeader("x-canary", "true")};
  const auto why = [&match](const Request& request) {
    const auto matcher = RouteMatcher::Compile(match, {});
    return matcher->WhyNot(request, PathOf(request.path), 0).value_or("");
  };
  Request request;
  request.path = "/x?a";
  EXPECT_EQ(why(request), "path /x: want prefix /y");
  request.path = "/y";
  EXPECT_EQ(why(request), "header x-canary: want exact \"true\", absent");
  const std::vector<Header> headers = {{"x-canary", "a"}, {"x-canary", "b"}};
  request.headers = headers;
  EXPECT_EQ(why(request),
            "header x-canary: want exact \"true\", got \"a\" and \"b\"");
}

TEST(RouteMatcher, RefusesARegexThatDoesNotCompile) {
  model::RouteMatch path;
  path.path = PathMatch(PathKind::kRegex, "(");
  EXPECT_FALSE(RouteMatcher::Compile(path, {}).ok());
  model::RouteMatch header;
  header.headers = {HeaderMatch("x", StringMatch(StringKind::kRegex, "*"))};
  EXPECT_FALSE(RouteMatcher::Compile(header, {}).ok());
  model::RouteMatch uri;
  uri.path = PathMatch(PathKind::kUriTemplate, "/{a");
  EXPECT_FALSE(RouteMatcher::Compile(uri, {}).ok());
}

}  // namespace
}  // namespace meshlib::routing
