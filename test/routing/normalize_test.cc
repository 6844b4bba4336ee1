#include "routing/normalize.h"

#include <string>

#include "gtest/gtest.h"

namespace meshlib::routing {
namespace {

using EscapedSlashes = model::RequestNormalization::EscapedSlashes;

std::string PathOf(const model::RequestNormalization& rules,
                   std::string_view path) {
  Request request;
  request.path = path;
  NormalizedText text;
  switch (NormalizeRequest(rules, request, text)) {
    case Normalized::kRejected:
      return "rejected";
    case Normalized::kRedirected:
      return "redirected to " + std::string(request.path);
    case Normalized::kRoutable:
      break;
  }
  return std::string(request.path);
}

std::string HostOf(const model::RequestNormalization& rules,
                   std::string_view authority, std::string_view method) {
  Request request;
  request.authority = authority;
  request.method = method;
  NormalizedText text;
  NormalizeRequest(rules, request, text);
  return std::string(request.authority);
}

TEST(Normalize, ResolvesDotsAndEscapes) {
  model::RequestNormalization rules;
  rules.normalize_path = true;
  const struct {
    const char* path;
    const char* canonical;
  } cases[] = {
      {"/a/b", "/a/b"},
      {"/z/../a/b", "/a/b"},
      {"/a/./b", "/a/b"},
      {"/%61/b", "/a/b"},
      {"/a/%2e%2E/b", "/b"},
      {"/a/.%2e/b", "/b"},
      {"/../../a", "/a"},
      {"/a/b/..", "/a/"},
      {"/a/b/.", "/a/b/"},
      {"/..a/...", "/..a/..."},
      {"/a%2Eb", "/a.b"},
      {"/a.b/c.", "/a.b/c."},
      {"\\a\\..\\b", "/b"},
      {"a/b", "/a/b"},
      {"/a%2fb%7e", "/a%2fb~"},
      {"/a%zz%4", "/a%zz%4"},
      {"/a b\"", "/a%20b%22"},
      {"/\xc3\xa4", "/%C3%A4"},
      {"//a//b", "//a//b"},
      {"/a/../b?c=/../%61", "/b?c=/../%61"},
      {"?a", "/?a"},
      {"/a%00b", "rejected"},
  };
  for (const auto& c : cases) EXPECT_EQ(PathOf(rules, c.path), c.canonical);
}

TEST(Normalize, MergesSlashesOfThePathOnly) {
  model::RequestNormalization rules;
  rules.merge_slashes = true;
  EXPECT_EQ(PathOf(rules, "//a///b//?c=//d"), "/a/b/?c=//d");
  EXPECT_EQ(PathOf(rules, "/a/./b"), "/a/./b");
}

TEST(Normalize, TreatsEscapedSlashesAsItIsTold) {
  model::RequestNormalization rules;
  EXPECT_EQ(PathOf(rules, "/a%2Fb"), "/a%2Fb");
  rules.escaped_slashes = EscapedSlashes::kForward;
  EXPECT_EQ(PathOf(rules, "/a%2Fb%5cc?d=%2F"), "/a/b\\c?d=%2F");
  rules.normalize_path = true;
  EXPECT_EQ(PathOf(rules, "/a%2F..%2fb"), "/b");
  rules.escaped_slashes = EscapedSlashes::kReject;
  EXPECT_EQ(PathOf(rules, "/a%2Fb"), "rejected");
  EXPECT_EQ(PathOf(rules, "/a/b?c=%2F"), "/a/b?c=%2F");
  rules.escaped_slashes = EscapedSlashes::kRedirect;
  EXPECT_EQ(PathOf(rules, "/a%5Cb"), "redirected to /a/b");
  EXPECT_EQ(PathOf(rules, "/a/b"), "/a/b");
}

TEST(Normalize, OverwritesTheScheme) {
  model::RequestNormalization rules;
  EXPECT_FALSE(rules.active());
  rules.scheme = "https";
  EXPECT_TRUE(rules.active());
  const std::vector<Header> headers = {
      {"X-Forwarded-Proto", "http"}, {"a", "b"}, {"x-forwarded-proto", "ftp"}};
  Request request;
  NormalizedText text;
  EXPECT_EQ(NormalizeRequest(rules, request, text), Normalized::kRoutable);
  EXPECT_EQ(request.scheme, "https");
  EXPECT_TRUE(request.headers.empty());
  request.headers = headers;
  NormalizeRequest(rules, request, text);
  ASSERT_EQ(request.headers.size(), 2u);
  EXPECT_EQ(request.headers[0].name, "a");
  EXPECT_EQ(request.headers[1].name, "x-forwarded-proto");
  EXPECT_EQ(request.headers[1].value, "https");
}

TEST(Normalize, StripsPorts) {
  model::RequestNormalization any;
  any.strip_any_host_port = true;
  EXPECT_EQ(HostOf(any, "shop:80", "GET"), "shop");
  EXPECT_EQ(HostOf(any, "[::1]:80", "GET"), "[::1]");
  EXPECT_EQ(HostOf(any, "[::1]", "GET"), "[::1]");
  EXPECT_EQ(HostOf(any, "shop:http", "GET"), "shop:http");
  EXPECT_EQ(HostOf(any, "shop:80", "CONNECT"), "shop:80");
  model::RequestNormalization matching;
  matching.strip_matching_host_port = true;
  matching.listener_port = 8080;
  EXPECT_EQ(HostOf(matching, "shop:8080", "GET"), "shop");
  EXPECT_EQ(HostOf(matching, "shop:80", "GET"), "shop:80");
}

TEST(Normalize, StripsTheLastDotOfAHost) {
  model::RequestNormalization rules;
  rules.strip_trailing_host_dot = true;
  EXPECT_EQ(HostOf(rules, "shop.example.", "GET"), "shop.example");
  EXPECT_EQ(HostOf(rules, "shop.example.:80", "GET"), "shop.example:80");
  EXPECT_EQ(HostOf(rules, "shop.example", "GET"), "shop.example");
  rules.strip_any_host_port = true;
  EXPECT_EQ(HostOf(rules, "shop.example.:80", "GET"), "shop.example");
}

}  // namespace
}  // namespace meshlib::routing
