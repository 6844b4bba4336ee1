#include "routing/redirect.h"

#include <functional>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "test/routing/route_builders.h"

namespace meshlib::routing {
namespace {

using PathKind = model::PathMatcher::Kind;

struct Case {
  std::string what;
  model::RedirectAction action;
  std::string authority;
  std::string path;
  std::string want;
};

model::RedirectAction Make(
    const std::function<void(model::RedirectAction&)>& set) {
  model::RedirectAction action;
  set(action);
  return action;
}

std::vector<Case> Cases() {
  const auto https = Make([](auto& a) { a.https_redirect = true; });
  const auto port = Make([](auto& a) { a.port_redirect = 8443; });
  const auto path = Make([](auto& a) { a.path_redirect = "/new"; });
  const auto own_query = Make([](auto& a) {
    a.path_redirect = "/new?x=1";
    a.strip_query = true;
  });
  return {
      {"host", Make([](auto& a) { a.host_redirect = "b.com"; }), "a.com:80",
       "/old/x?q", "http://b.com/old/x?q"},
      {"https drops http's port", https, "a.com:80", "/old",
       "https://a.com/old"},
      {"https keeps another port", https, "a.com:8080", "/old",
       "https://a.com:8080/old"},
      {"https, IPv6", https, "[::1]:80", "/old", "https://[::1]/old"},
      {"https, IPv6 without port", https, "[::1]", "/old", "https://[::1]/old"},
      {"scheme", Make([](auto& a) { a.scheme_redirect = "ftp"; }), "a.com",
       "/old", "ftp://a.com/old"},
      {"port", port, "a.com:80", "/old", "http://a.com:8443/old"},
      {"path", path, "a.com", "/old/x?q", "http://a.com/new?q"},
      {"the same scheme keeps its port", path, "a.com:80", "/old",
       "http://a.com:80/new"},
      {"path with a query", own_query, "a.com", "/old?q",
       "http://a.com/new?x=1"},
      {"strip_query", Make([](auto& a) { a.strip_query = true; }), "a.com",
       "/old?q", "http://a.com/old"},
      {"a path without slash", Make([](auto& a) { a.path_redirect = "x"; }),
       "a.com", "/old", "http://a.com/x"},
      {"prefix", Make([](auto& a) { a.prefix_rewrite = "/new"; }), "a.com",
       "/old/x?q", "http://a.com/new/x?q"},
      {"regex", Make([](auto& a) {
         a.regex_rewrite = model::RegexRewrite{"^/old/(.*)$", "/\\1/new"};
       }),
       "a.com", "/old/x?q", "http://a.com/x/new?q"},
      {"a regex that leaves nothing", Make([](auto& a) {
         a.regex_rewrite = model::RegexRewrite{".", ""};
       }),
       "a.com", "/old/x?q", "http://a.com/old/x?q"},
  };
}

TEST(Redirect, ToHttpDropsThePortOfHttps) {
  model::RedirectAction config;
  config.scheme_redirect = "http";
  const auto redirect = Redirect::Compile(
      config, PathMatch(model::PathMatcher::Kind::kPrefix, "/"));
  ASSERT_TRUE(redirect.ok());
  Request request;
  request.scheme = "https";
  request.path = "/a";
  request.authority = "a.com:443";
  EXPECT_EQ(redirect->Location(request), "http://a.com/a");
  request.authority = "a.com:444";
  EXPECT_EQ(redirect->Location(request), "http://a.com:444/a");
}

TEST(Redirect, ComputesTheLocation) {
  for (const Case& c : Cases()) {
    model::Route route;
    route.match.path = PathMatch(PathKind::kPrefix, "/old");
    route.action = c.action;
    const auto table = CompileTable(ConfigOf(std::vector<model::Route>{route}));
    ASSERT_NE(table, nullptr) << c.what;
    Request request;
    request.authority = c.authority;
    request.path = c.path;
    const auto match = table->Find(request, 0);
    ASSERT_NE(match.route, nullptr);
    ASSERT_NE(match.route->redirect(), nullptr);
    EXPECT_EQ(match.route->redirect()->Location(request), c.want) << c.what;
    EXPECT_EQ(match.route->redirect()->response_code(), 301u);
    EXPECT_EQ(match.route->action(), nullptr);
    EXPECT_EQ(match.route->ClusterFor(request, 0).name, "");
  }
}

TEST(Redirect, BelievesXForwardedProto) {
  const auto redirect = Redirect::Compile(
      Make([](auto& a) { a.https_redirect = true; }), model::PathMatcher());
  Request request;
  request.authority = "a.com:80";
  const Header header = {"x-forwarded-proto", "https"};
  request.headers = {&header, 1};
  EXPECT_EQ(redirect->Location(request), "https://a.com:80/");
}

TEST(DirectResponse, IsTheRoutesOwn) {
  model::Route route;
  route.action = model::DirectResponseAction{404, "no"};
  const auto table = CompileTable(ConfigOf(std::vector<model::Route>{route}));
  const auto match = table->Find(Request(), 0);
  ASSERT_NE(match.route->direct_response(), nullptr);
  EXPECT_EQ(match.route->direct_response()->status, 404u);
  EXPECT_EQ(match.route->redirect(), nullptr);
}

}  // namespace
}  // namespace meshlib::routing
