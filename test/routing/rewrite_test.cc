#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "test/routing/route_builders.h"

namespace meshlib::routing {
namespace {

using PathKind = model::PathMatcher::Kind;

// The request to `path` behind a table with this route alone.
struct Rewritten {
  std::string authority;
  std::string path;
  std::vector<std::pair<std::string, std::string>> headers;

  std::string Header(std::string_view name) const {
    std::string joined;
    for (const auto& [n, value] : headers) {
      if (n != name) continue;
      if (!joined.empty()) joined += '|';
      joined += value;
    }
    return joined;
  }
};

Rewritten RewriteBy(const model::RouteConfig& config, const Request& request,
                    std::string_view endpoint = "", uint64_t random = 0) {
  Rewritten out;
  const auto table = TryCompile(config);
  EXPECT_TRUE(table.ok()) << table.status();
  if (!table.ok()) return out;
  const auto match = (*table)->Find(request, random);
  EXPECT_NE(match.route, nullptr);
  if (match.route == nullptr) return out;
  const ClusterChoice choice = match.route->ClusterFor(request, random);
  const RewrittenRequest rewritten =
      match.route->RewriteRequest(request, choice, endpoint);
  out.authority = rewritten.authority;
  out.path = rewritten.path;
  for (const auto& header : rewritten.headers.headers()) {
    out.headers.emplace_back(header.name, header.value);
  }
  return out;
}

Rewritten RewriteBy(const model::Route& route, const Request& request,
                    std::string_view endpoint = "") {
  return RewriteBy(ConfigOf(std::vector<model::Route>{route}), request,
                   endpoint);
}

Request To(std::string_view path, absl::Span<const Header> headers = {}) {
  Request request;
  request.authority = "old.com:80";
  request.path = path;
  request.headers = headers;
  return request;
}

TEST(PathRewrite, ReplacesWhatMatched) {
  struct Case {
    model::PathMatcher match;
    std::string prefix_rewrite;
    std::string path;
    std::string want;
  };
  const std::vector<Case> cases = {
      {PathMatch(PathKind::kPrefix, "/a"), "/b", "/a/x?q=/a", "/b/x?q=/a"},
      {PathMatch(PathKind::kPrefix, "/a"), "/", "/a/x", "//x"},
      {PathMatch(PathKind::kPrefix, "/a/"), "/", "/a/x", "/x"},
      {PathMatch(PathKind::kPrefix, "/aA", false), "/b", "/Aax", "/bx"},
      {PathMatch(PathKind::kExact, "/a"), "/b/c", "/a?q", "/b/c?q"},
      {PathMatch(PathKind::kPathSeparatedPrefix, "/a"), "/b", "/a/x", "/b/x"},
      {PathMatch(PathKind::kRegex, "/a.*"), "/b", "/abc?q#f", "/b?q#f"},
  };
  for (const Case& c : cases) {
    model::Route route = RouteTo("r", c.match);
    ActionOf(route).prefix_rewrite = c.prefix_rewrite;
    const Rewritten got = RewriteBy(route, To(c.path));
    EXPECT_EQ(got.path, c.want) << c.path;
    EXPECT_EQ(got.Header("x-envoy-original-path"), c.path);
    EXPECT_EQ(got.authority, "old.com:80");
  }
}

TEST(PathRewrite, ReplacesEveryMatchOfARegexInThePath) {
  struct Case {
    std::string regex, substitution, path, want;
  };
  const std::vector<Case> cases = {
      {"^/v(\\d)/(.*)$", "/\\2/v\\1", "/v1/x?v1", "/x/v1?v1"},
      {"a", "bb", "/aa/a?a", "/bbbb/bb?a"},
      {"nothing", "x", "/a", "/a"},
      {"(?i)/XX/", "/y/", "/xx/z", "/y/z"},
  };
  for (const Case& c : cases) {
    model::Route route = PrefixRoute("r", "/");
    ActionOf(route).regex_rewrite =
        model::RegexRewrite{c.regex, c.substitution};
    const Rewritten got = RewriteBy(route, To(c.path));
    EXPECT_EQ(got.path, c.want);
    EXPECT_EQ(got.Header("x-envoy-original-path"), c.path);
  }
}

TEST(PathRewrite, BuildsThePathFromAUriTemplate) {
  struct Case {
    std::string match, rewrite, path, want;
  };
  const std::vector<Case> cases = {
      {"/a/{x}/{y=**}", "/{y}/to/{x}", "/a/1/2/3?q", "/2/3/to/1?q"},
      {"/{n}.m3u8", "/c/{n}", "/song.m3u8", "/c/song"},
      {"/v/{id=b/*}/end", "/{id}", "/v/b/9/end", "/b/9"},
      {"/p{x}s/q{y}t", "/{y}=*{x}", "/p1*s/q=t", "/==*1*"},
      {"/{x}b/c", "/{x}", "/bbb/c", "/bb"},
  };
  for (const Case& c : cases) {
    model::Route route =
        RouteTo("r", PathMatch(PathKind::kUriTemplate, c.match));
    ActionOf(route).path_rewrite_template = c.rewrite;
    EXPECT_EQ(RewriteBy(route, To(c.path)).path, c.want);
  }
}

TEST(PathRewrite, RefusesWhatDoesNotGoTogether) {
  const auto refused = [](model::Route route) {
    return !TryCompile(ConfigOf(std::vector<model::Route>{route})).ok();
  };
  model::Route two = PrefixRoute("r", "/");
  ActionOf(two).prefix_rewrite = "/b";
  ActionOf(two).regex_rewrite = model::RegexRewrite{"a", "b"};
  EXPECT_TRUE(refused(two));
  model::Route uri = RouteTo("r", PathMatch(PathKind::kUriTemplate, "/{a}"));
  ActionOf(uri).prefix_rewrite = "/b";
  EXPECT_TRUE(refused(uri));
  ActionOf(uri).prefix_rewrite = "";
  ActionOf(uri).path_rewrite_template = "/{b}";
  EXPECT_TRUE(refused(uri));
  ActionOf(uri).path_rewrite_template = "/{a}";
  EXPECT_FALSE(refused(uri));
  model::Route plain = PrefixRoute("r", "/");
  ActionOf(plain).path_rewrite_template = "/x";
  EXPECT_TRUE(refused(plain));
}

TEST(HostRewrite, TakesTheFirstWayThatIsConfigured) {
  const std::vector<Header> headers = {{"x-host", "from-header"}};
  const Request request = To("/tenant/x?q", headers);

  model::Route literal = PrefixRoute("r", "/");
  ActionOf(literal).host_rewrite_literal = "new.com";
  const Rewritten got = RewriteBy(literal, request);
  EXPECT_EQ(got.authority, "new.com");
  EXPECT_EQ(got.Header("x-envoy-original-host"), "old.com:80");
  EXPECT_EQ(got.Header("x-forwarded-host"), "");
  EXPECT_EQ(got.path, "/tenant/x?q");

  model::Route header = PrefixRoute("r", "/");
  ActionOf(header).host_rewrite_header = "X-Host";
  EXPECT_EQ(RewriteBy(header, request).authority, "from-header");
  EXPECT_EQ(RewriteBy(header, To("/")).authority, "old.com:80");

  model::Route regex = PrefixRoute("r", "/");
  ActionOf(regex).host_rewrite_path_regex =
      model::RegexRewrite{"^/([^/]+)/.*$", "\\1.com"};
  EXPECT_EQ(RewriteBy(regex, request).authority, "tenant.com");

  model::Route automatic = PrefixRoute("r", "/");
  ActionOf(automatic).auto_host_rewrite = true;
  EXPECT_EQ(RewriteBy(automatic, request, "pod-1").authority, "pod-1");
  EXPECT_EQ(RewriteBy(automatic, request, "").authority, "old.com:80");
}

TEST(HostRewrite, AppendsTheOldHostToXForwardedHost) {
  model::Route route = PrefixRoute("r", "/");
  ActionOf(route).host_rewrite_literal = "new.com";
  ActionOf(route).append_x_forwarded_host = true;
  const auto forwarded = [&route](const std::vector<Header>& headers) {
    return RewriteBy(route, To("/", headers)).Header("x-forwarded-host");
  };
  EXPECT_EQ(forwarded({}), "old.com:80");
  EXPECT_EQ(forwarded({{"x-forwarded-host", "a"}}), "a,old.com:80");
  EXPECT_EQ(forwarded({{"x-forwarded-host", "a, old.com:80"}}),
            "a, old.com:80");
}

model::HeaderValueOption Add(
    std::string name, std::string value,
    model::AppendAction action = model::AppendAction::kAppendIfExistsOrAdd) {
  model::HeaderValueOption option;
  option.name = std::move(name);
  option.value = std::move(value);
  option.action = action;
  return option;
}

TEST(HeaderMutations, DoWhatTheirActionSays) {
  model::Route route = PrefixRoute("r", "/");
  route.headers.request_headers_to_remove = {"Gone"};
  using Action = model::AppendAction;
  for (const char* name : {"here", "new"}) {
    const std::string n(name);
    auto& add = route.headers.request_headers_to_add;
    add.push_back(Add(n + "-append", "x"));
    add.push_back(Add(n + "-absent", "x", Action::kAddIfAbsent));
    add.push_back(Add(n + "-set", "x", Action::kOverwriteIfExistsOrAdd));
    add.push_back(Add(n + "-over", "x", Action::kOverwriteIfExists));
  }
  const std::vector<Header> headers = {
      {"gone", "1"},        {"GONE", "2"},     {"here-append", "a"},
      {"here-absent", "a"}, {"here-set", "a"}, {"here-set", "b"},
      {"here-over", "a"},   {"other", "a"}};
  const Rewritten got = RewriteBy(route, To("/", headers));
  EXPECT_EQ(got.Header("gone"), "");
  EXPECT_EQ(got.Header("GONE"), "");
  EXPECT_EQ(got.Header("here-append"), "a|x");
  EXPECT_EQ(got.Header("here-absent"), "a");
  EXPECT_EQ(got.Header("here-set"), "x");
  EXPECT_EQ(got.Header("here-over"), "x");
  EXPECT_EQ(got.Header("new-append"), "x");
  EXPECT_EQ(got.Header("new-absent"), "x");
  EXPECT_EQ(got.Header("new-set"), "x");
  EXPECT_EQ(got.Header("new-over"), "");
  EXPECT_EQ(got.Header("other"), "a");
}

model::RouteConfig FourLevels() {
  model::WeightedClusters weighted;
  weighted.clusters.resize(1);
  weighted.clusters[0].name = "c";
  weighted.clusters[0].weight = 1;
  weighted.total_weight = 1;
  weighted.clusters[0].headers.request_headers_to_add = {Add("x", "cluster")};
  weighted.clusters[0].headers.response_headers_to_add = {Add("x", "cluster")};
  model::Route route = PrefixRoute("r", "/");
  ActionOf(route).cluster = weighted;
  route.headers.request_headers_to_add = {Add("x", "route")};
  route.headers.response_headers_to_add = {Add("x", "route")};
  model::RouteConfig config = ConfigOf({Host("h", {"*"}, {route})});
  config.virtual_hosts[0].headers.request_headers_to_add = {Add("x", "host")};
  config.virtual_hosts[0].headers.response_headers_to_add = {Add("x", "host")};
  config.headers.request_headers_to_add = {Add("x", "config")};
  config.headers.response_headers_to_add = {Add("x", "config")};
  return config;
}

std::string ResponseHeader(const model::RouteConfig& config) {
  const auto table = CompileTable(config);
  const Request request = To("/");
  const auto match = table->Find(request, 0);
  HeaderList headers;
  match.route->RewriteResponse(request, match.route->ClusterFor(request, 0),
                               headers);
  std::string all;
  for (const auto& header : headers.headers()) {
    all += std::string(header.value) + "|";
  }
  return all;
}

TEST(HeaderMutations, GoFromTheMostSpecificToTheLeast) {
  model::RouteConfig config = FourLevels();
  EXPECT_EQ(RewriteBy(config, To("/")).Header("x"),
            "cluster|route|host|config");
  EXPECT_EQ(ResponseHeader(config), "cluster|route|host|config|");
  config.most_specific_header_mutations_wins = true;
  // The weighted cluster's come first in Envoy either way.
  EXPECT_EQ(RewriteBy(config, To("/")).Header("x"),
            "cluster|config|host|route");
  EXPECT_EQ(ResponseHeader(config), "cluster|config|host|route|");
}

TEST(HeaderMutations, ALevelComputesItsValuesBeforeItAdds) {
  model::Route route = PrefixRoute("r", "/");
  route.headers.request_headers_to_remove = {"b"};
  route.headers.request_headers_to_add = {Add("a", "1"), Add("c", "%REQ(a)%"),
                                          Add("d", "[%REQ(b)%]")};
  const std::vector<Header> headers = {{"b", "x"}};
  const Rewritten got = RewriteBy(route, To("/", headers));
  EXPECT_EQ(got.Header("a"), "1");
  EXPECT_EQ(got.Header("c"), "");
  EXPECT_EQ(got.Header("d"), "[]");
}

TEST(HeaderMutations, FormatsValues) {
  struct Case {
    std::string format, want;
  };
  const std::vector<Case> cases = {
      {"plain", "plain"},
      {"100%%", "100%"},
      {"%REQ(user-agent)%", "curl"},
      {"%REQ(USER-AGENT)%", "curl"},
      {"<%REQ(none)%>", "<>"},
      {"%REQ(none?user-agent)%", "curl"},
      {"%REQ(user-agent):2%", "cu"},
      {"%REQ(:path)% %REQ(:authority)%", "/p?q old.com:80"},
      {"%ROUTE_NAME%/%UPSTREAM_CLUSTER%", "r/r"},
      {"%PROTOCOL%x", "x"},
      {"%DOWNSTREAM_REMOTE_ADDRESS%", "%DOWNSTREAM_REMOTE_ADDRESS%"},
      {"50%", "50%"},
      {"%REQ(%", "%REQ(%"},
      {"%REQ(a):x%", "%REQ(a):x%"},
      // As a live Envoy 1.40 answers for several values.
      {"%REQ(accept)%", "a,b"},
      {"%REQ(none?accept):2%", "a,"},
      {"%REQ(x-forwarded-proto)%", "https,http"},
      {"%REQ(x-multi)%", "one"},
      {"[%REQ(x-first?accept)%]", "[]"},
  };
  const std::vector<Header> headers = {
      {"User-Agent", "curl"}, {"Accept", "a"},
      {"accept", "b"},        {"x-forwarded-proto", "https"},
      {"x-multi", "one"},     {"x-forwarded-proto", "http"},
      {"x-multi", "two"},     {"x-first", ""},
      {"x-first", "second"}};
  for (const Case& c : cases) {
    model::Route route = PrefixRoute("r", "/");
    route.headers.request_headers_to_add = {Add("x", c.format)};
    EXPECT_EQ(RewriteBy(route, To("/p?q", headers)).Header("x"), c.want)
        << c.format;
  }
}

TEST(HeaderMutations, EmptyValuesAreLeftOutUnlessKept) {
  model::Route route = PrefixRoute("r", "/");
  route.headers.request_headers_to_add = {Add("a", ""), Add("b", "")};
  route.headers.request_headers_to_add[1].keep_empty_value = true;
  const Rewritten got = RewriteBy(route, To("/"));
  ASSERT_EQ(got.headers.size(), 1u);
  EXPECT_EQ(got.headers[0].first, "b");
}

TEST(HeaderMutations, RefuseThePseudoHeaders) {
  for (const char* name : {":path", "Host", ""}) {
    model::Route add = PrefixRoute("r", "/");
    add.headers.request_headers_to_add = {Add(name, "x")};
    EXPECT_FALSE(TryCompile(ConfigOf(std::vector<model::Route>{add})).ok());
    model::Route remove = PrefixRoute("r", "/");
    remove.headers.response_headers_to_remove = {name};
    EXPECT_FALSE(TryCompile(ConfigOf(std::vector<model::Route>{remove})).ok());
  }
}

TEST(RewriteRequest, KnowsWhenThereIsNothingToDo) {
  const auto rewrites = [](const model::Route& route) {
    return CompileTable(ConfigOf(std::vector<model::Route>{route}))
        ->Find(To("/"), 0)
        .route->rewrites_requests();
  };
  model::Route route = PrefixRoute("r", "/");
  EXPECT_FALSE(rewrites(route));
  route.headers.response_headers_to_add = {Add("x", "y")};
  EXPECT_FALSE(rewrites(route));
  route.headers.request_headers_to_add = {Add("x", "y")};
  EXPECT_TRUE(rewrites(route));
}

}  // namespace
}  // namespace meshlib::routing
