#include "routing/route_table.h"

#include <map>
#include <string>
#include <vector>

#include "base/random.h"
#include "gtest/gtest.h"
#include "routing/request_fields.h"
#include "test/routing/route_builders.h"

namespace meshlib::routing {
namespace {

using PathKind = model::PathMatcher::Kind;
using StringKind = model::StringMatcher::Kind;

std::string RouteOf(const std::shared_ptr<const RouteTable>& table,
                    const Request& request, uint64_t random = 0) {
  const RouteTable::Match match = table->Find(request, random);
  return match.route == nullptr ? "" : match.route->label();
}

Request To(std::string_view path, absl::Span<const Header> headers = {}) {
  Request request;
  request.authority = "a.com";
  request.path = path;
  request.headers = headers;
  return request;
}

TEST(RouteTable, TheFirstRouteInTheListWins) {
  const auto table = CompileTable(ConfigOf(std::vector<model::Route>{
      PrefixRoute("long", "/a/b"), PrefixRoute("short", "/a"),
      RouteTo("late", PathMatch(PathKind::kExact, "/a")),
      RouteTo("regex", PathMatch(PathKind::kRegex, "/c.*")),
      RouteTo("exact", PathMatch(PathKind::kExact, "/c1")),
      PrefixRoute("any", "/"), PrefixRoute("never", "/z")}));
  ASSERT_NE(table, nullptr);
  EXPECT_EQ(RouteOf(table, To("/a/b/c")), "long");
  EXPECT_EQ(RouteOf(table, To("/a")), "short");
  EXPECT_EQ(RouteOf(table, To("/c1")), "regex");
  EXPECT_EQ(RouteOf(table, To("/z")), "any");
}

TEST(RouteTable, FindsNothingWhereNothingMatches) {
  const auto table =
      CompileTable(ConfigOf({Host("h", {"a.com"}, {PrefixRoute("r", "/r")})}));
  ASSERT_NE(table, nullptr);
  EXPECT_EQ(RouteOf(table, To("/")), "");
  EXPECT_NE(table->Find(To("/"), 0).virtual_host, nullptr);
  Request other = To("/r");
  other.authority = "b.com";
  EXPECT_EQ(table->Find(other, 0).virtual_host, nullptr);
  EXPECT_EQ(
      RouteOf(CompileTable(ConfigOf(std::vector<model::Route>{})), To("/")),
      "");
}

TEST(RouteTable, ExplainTellsWhatWasPassedOver) {
  model::Route canary = PrefixRoute("canary", "/");
  canary.match.headers = {ExactHeader("x-canary", "true")};
  model::Route unnamed = PrefixRoute("", "/x");
  const auto table = CompileTable(ConfigOf(std::vector<model::Route>{
      canary, unnamed, PrefixRoute("main", "/"), PrefixRoute("rest", "/")}));
  ASSERT_NE(table, nullptr);
  std::vector<RouteTable::Rejected> rejected;
  const auto match = table->Explain(To("/"), 0, &rejected);
  EXPECT_EQ(match.route->label(), "main");
  ASSERT_EQ(rejected.size(), 2u);
  EXPECT_EQ(rejected[0].virtual_host, "all");
  EXPECT_EQ(rejected[0].route, "canary");
  EXPECT_EQ(rejected[0].reason, "header x-canary: want exact \"true\", absent");
  EXPECT_EQ(rejected[1].route, "#1");
  EXPECT_EQ(rejected[1].reason, "path /: want prefix /x");
}

TEST(RouteTable, ExplainSaysThatNoDomainFits) {
  const auto table = CompileTable(ConfigOf({Host("h", {"b.com"})}));
  std::vector<RouteTable::Rejected> rejected;
  EXPECT_EQ(table->Explain(To("/"), 0, &rejected).virtual_host, nullptr);
  ASSERT_EQ(rejected.size(), 1u);
  EXPECT_EQ(rejected[0].reason, "no virtual host has a domain for \"a.com\"");
}

TEST(RouteTable, AVirtualHostMayDemandTls) {
  model::VirtualHost host = Host("h", {"*"}, {PrefixRoute("r", "/")});
  host.require_tls = model::VirtualHost::TlsRequirement::kAll;
  auto table = CompileTable(ConfigOf({host}));
  Request request = To("/p?q");
  EXPECT_TRUE(table->Find(request, 0).wants_tls);
  EXPECT_EQ(table->Find(request, 0).route, nullptr);
  EXPECT_EQ(TlsRedirectLocation(request), "https://a.com/p?q");
  request.scheme = "https";
  EXPECT_FALSE(table->Find(request, 0).wants_tls);
  EXPECT_EQ(RouteOf(table, request), "r");
  request.scheme = "http";
  const Header forwarded{"x-forwarded-proto", "https"};
  request.headers = {&forwarded, 1};
  EXPECT_EQ(RouteOf(table, request), "r");
  request.scheme = "https";
  const Header plain = {"X-Forwarded-Proto", "http"};
  request.headers = {&plain, 1};
  EXPECT_TRUE(table->Find(request, 0).wants_tls);
  // Several values are one that is no scheme.
  const std::vector<Header> twice = {{"x-forwarded-proto", "https"},
                                     {"x-forwarded-proto", "https"}};
  request.headers = twice;
  EXPECT_TRUE(table->Find(request, 0).wants_tls);
  host.require_tls = model::VirtualHost::TlsRequirement::kExternalOnly;
  table = CompileTable(ConfigOf({host}));
  const Header internal = {"x-envoy-internal", "true"};
  EXPECT_TRUE(table->Find(To("/"), 0).wants_tls);
  EXPECT_FALSE(table->Find(To("/", {&internal, 1}), 0).wants_tls);
}

TEST(RouteTable, ExplainSaysThatTlsIsDemanded) {
  model::VirtualHost host = Host("h", {"*"}, {PrefixRoute("r", "/")});
  host.require_tls = model::VirtualHost::TlsRequirement::kExternalOnly;
  const auto table = CompileTable(ConfigOf({host}));
  std::vector<RouteTable::Rejected> rejected;
  EXPECT_TRUE(table->Explain(To("/"), 0, &rejected).wants_tls);
  ASSERT_EQ(rejected.size(), 1u);
  EXPECT_EQ(rejected[0].virtual_host, "h");
  EXPECT_EQ(rejected[0].route, "");
  EXPECT_EQ(rejected[0].reason,
            "require_tls EXTERNAL_ONLY: want https, got \"http\", which is "
            "answered with 301 to https");
}

TEST(RouteTable, TellsWhichRouteDoesNotCompile) {
  const auto table = TryCompile(ConfigOf(std::vector<model::Route>{
      PrefixRoute("a", "/"), RouteTo("b", PathMatch(PathKind::kRegex, "a("))}));
  ASSERT_FALSE(table.ok());
  EXPECT_EQ(table.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(table.status().message(),
            "route config \"test\": virtual host \"all\": routes[1]: regex "
            "\"a(\": missing ): a(");
}

TEST(RouteTable, LooksUpRoutesThatDifferInOneHeaderValue) {
  std::vector<model::Route> routes;
  model::Route early = PrefixRoute("early", "/");
  early.match.headers = {ExactHeader("x-other", "1")};
  for (int i = 0; i < 100; ++i) {
    if (i == 50) routes.push_back(early);
    model::Route route = PrefixRoute("v" + std::to_string(i), "/");
    route.match.headers = {ExactHeader("x-version", std::to_string(i))};
    routes.push_back(route);
  }
  model::Route comma = PrefixRoute("comma", "/");
  comma.match.headers = {ExactHeader("x-version", "7,8")};
  routes.push_back(comma);
  routes.push_back(PrefixRoute("rest", "/"));
  const auto table = CompileTable(ConfigOf(routes));
  const auto with = [&table](std::vector<Header> headers) {
    return RouteOf(table, To("/", headers));
  };
  EXPECT_EQ(with({}), "rest");
  EXPECT_EQ(with({{"X-Version", "7"}}), "v7");
  EXPECT_EQ(with({{"x-version", "100"}}), "rest");
  EXPECT_EQ(with({{"x-version", "8"}, {"x-version", "7"}}), "v7");
  EXPECT_EQ(with({{"x-version", "x"}, {"x-version", "8"}}), "v8");
  EXPECT_EQ(with({{"x-version", "7,8"}}), "comma");
  EXPECT_EQ(with({{"x-version", "70"}, {"x-other", "1"}}), "early");
  EXPECT_EQ(with({{"x-version", "30"}, {"x-other", "1"}}), "v30");
}

// ---- Find, Explain and the plainest possible search must agree. ----

class RandomTable {
 public:
  explicit RandomTable(uint64_t seed) : random_(seed) {}

  uint64_t Below(uint64_t n) { return random_.Next() % n; }
  bool OneIn(uint64_t n) { return Below(n) == 0; }

  template <size_t kSize>
  std::string Any(const char* const (&texts)[kSize]) {
    return texts[Below(kSize)];
  }

  std::string Path() {
    static constexpr const char* kParts[] = {"/",  "/a",  "/b", "a",
                                             "/A", "/aa", "b/", ""};
    std::string path = "/";
    for (uint64_t i = Below(4); i > 0; --i) path += Any(kParts);
    return path;
  }

  std::string Regex() {
    static constexpr const char* kParts[] = {
        "/a", "/b", "a", "[ab]", "(aa|/b)",  ".",    "/?",
        "b*", "c",  "$", "\\b",  "(?i:/A+)", "/{2}", "[^/]+"};
    static constexpr const char* kStarts[] = {"",    "",     "",  "^",
                                              "/a|", "(?i)", ".*"};
    std::string regex = Any(kStarts);
    for (uint64_t i = 1 + Below(5); i > 0; --i) regex += Any(kParts);
    return regex;
  }

  model::PathMatcher PathCondition() {
    model::PathMatcher matcher;
    static constexpr const char* kRegexes[] = {"/a.*", ".*b", "/[ab]/?.*", ".*",
                                               "/aa?"};
    static constexpr const char* kTemplates[] = {"/a/*", "/**", "/{x}/b",
                                                 "/*/**", "/a"};
    switch (Below(10)) {
      case 0:
        return PathMatch(PathKind::kRegex, Any(kRegexes));
      case 1:
        return PathMatch(PathKind::kUriTemplate, Any(kTemplates));
      case 2:
        return PathMatch(PathKind::kConnect, "");
      case 3:
      case 4:
        return PathMatch(PathKind::kExact, Path(), !OneIn(3));
      case 5:
      case 6: {
        std::string prefix = Path();
        while (prefix.size() > 1 && prefix.back() == '/') prefix.pop_back();
        return PathMatch(PathKind::kPathSeparatedPrefix, prefix, !OneIn(3));
      }
      default:
        return PathMatch(PathKind::kPrefix, Path(), !OneIn(3));
    }
  }

  model::HeaderMatcher HeaderCondition() {
    static constexpr const char* kNames[] = {"x", "x",       "x",
                                             "y", ":method", "host"};
    static constexpr const char* kValues[] = {"1", "2", "3", "1,2", "GET", ""};
    model::HeaderMatcher matcher = ExactHeader(Any(kNames), Any(kValues));
    if (OneIn(4)) matcher.string.kind = StringKind::kPrefix;
    if (OneIn(6)) matcher.string.ignore_case = true;
    if (OneIn(6)) matcher.kind = model::HeaderMatcher::Kind::kPresent;
    matcher.invert_match = OneIn(8);
    matcher.treat_missing_header_as_empty = OneIn(8);
    return matcher;
  }

  model::RouteConfig Config() {
    std::vector<model::Route> routes;
    // Enough regexes for several groups, at times.
    const bool many_regexes = OneIn(5);
    for (uint64_t i = Below(many_regexes ? 300 : 60); i > 0; --i) {
      model::PathMatcher path = PathCondition();
      if (OneIn(3)) path = PathMatch(PathKind::kPrefix, "/");
      if (many_regexes && !OneIn(10)) {
        path = PathMatch(PathKind::kRegex, Regex());
      }
      model::Route route = RouteTo("r" + std::to_string(i), std::move(path));
      while (!OneIn(3)) route.match.headers.push_back(HeaderCondition());
      if (OneIn(8)) route.match.grpc = true;
      if (OneIn(6)) {
        route.match.runtime_fraction =
            model::Fraction{static_cast<uint32_t>(Below(100)), 100, ""};
      }
      if (OneIn(8)) {
        model::QueryParameterMatcher query;
        query.name = "q";
        route.match.query_parameters.push_back(query);
      }
      if (OneIn(8)) route.match.cookies.push_back(ExactHeader("c", "1"));
      routes.push_back(std::move(route));
    }
    return ConfigOf(std::move(routes));
  }

  // Everything that a random request views.
  struct Sample {
    std::string path;
    std::vector<Header> headers;
    Request request;
  };

  Sample SampleRequest() {
    static constexpr const char* kNames[] = {"x", "X", "y", "z"};
    static constexpr const char* kValues[] = {"1", "2", "3", "1,2", ""};
    Sample sample;
    sample.path = OneIn(20) ? "" : Path();
    if (OneIn(4)) sample.path += "?q=1";
    for (uint64_t i = Below(4); i > 0; --i) {
      sample.headers.push_back({kNames[Below(4)], kValues[Below(5)]});
    }
    if (OneIn(6)) sample.headers.push_back({"cookie", "c=1"});
    if (OneIn(6)) {
      sample.headers.push_back({"content-type", "application/grpc"});
    }
    sample.request = To(sample.path, sample.headers);
    if (OneIn(10)) sample.request.method = "CONNECT";
    return sample;
  }

 private:
  base::Random random_;
};

const CompiledRoute* FirstMatch(const RouteTable& table, const Request& request,
                                uint64_t random) {
  for (const auto& route : table.virtual_hosts()[0]->routes()) {
    if (route->matcher().Matches(request, PathOf(request.path), random)) {
      return route.get();
    }
  }
  return nullptr;
}

TEST(RouteTable, FindAndExplainAgreeWithAPlainSearchOverRandomTables) {
  RandomTable random(20240607);
  std::map<bool, int> found;
  for (int round = 0; round < 300; ++round) {
    const auto table = CompileTable(random.Config());
    ASSERT_NE(table, nullptr);
    for (int i = 0; i < 100; ++i) {
      RandomTable::Sample sample = random.SampleRequest();
      sample.request.headers = sample.headers;
      sample.request.path = sample.path;
      const uint64_t draw = random.Below(1000);
      const CompiledRoute* want = FirstMatch(*table, sample.request, draw);
      ++found[want != nullptr];
      const auto match = table->Find(sample.request, draw);
      ASSERT_EQ(match.route, want) << "round " << round << " " << sample.path;
      std::vector<RouteTable::Rejected> rejected;
      const auto explained = table->Explain(sample.request, draw, &rejected);
      ASSERT_EQ(explained.route, want);
      ASSERT_EQ(explained.virtual_host, match.virtual_host);
    }
  }
  EXPECT_GT(found[true], 5000);
  EXPECT_GT(found[false], 1000);
}

TEST(RouteTable, NestedPrefixesByTheThousandStayLinear) {
  std::vector<model::Route> routes;
  std::string prefix = "/";
  for (int i = 0; i < 5000; ++i) {
    prefix += 'a';
    model::Route route = PrefixRoute("r" + std::to_string(i), prefix);
    route.match.headers = {ExactHeader("x", "1")};
    routes.push_back(route);
  }
  const auto table = CompileTable(ConfigOf(routes));
  EXPECT_EQ(RouteOf(table, To(prefix)), "");
  const Header header = {"x", "1"};
  EXPECT_EQ(RouteOf(table, To(prefix, {&header, 1})), "r0");
  const std::string huge = prefix + std::string(1 << 20, 'b');
  EXPECT_EQ(RouteOf(table, To(huge, {&header, 1})), "r0");
}

}  // namespace
}  // namespace meshlib::routing
