#include "security/san_matcher.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace meshlib::security {
namespace {

using Kind = model::StringMatcher::Kind;
using Type = SanMatcher::Type;

SanMatcher Make(Type type, Kind kind, const std::string& value) {
  SanMatcher out;
  out.san_type = type;
  out.matcher.kind = kind;
  out.matcher.value = value;
  return out;
}

TEST(DnsNameMatches, TakesAWildcardForOneWholeLabel) {
  struct Case {
    const char* pattern;
    const char* name;
    bool want;
  };
  for (const Case& c : std::vector<Case>{
           {"echo.shop", "echo.shop", true},
           {"Echo.Shop", "eCHO.sHOP", true},
           {"echo.shop", "echo.shop.evil", false},
           {"x.shop.global", "echo.shop.global", false},
           {"*.shop.global", "echo.shop.global", true},
           {"*.shop.global", "ECHO.Shop.Global", true},
           {"*.shop.global", "a.echo.shop.global", false},
           {"*.shop.global", "shop.global", false},
           {"*.shop.global", ".shop.global", false},
           {"*.shop.global", "*.shop.global", true},
           {"*.shop.global", "*a.shop.global", false},
           {"*.com", "echo.com", false},
           {"*", "echo", false},
           {"*.", "echo.", false},
           {"e*.shop.global", "echo.shop.global", false},
           {"*e.shop.global", "ee.shop.global", false},
           {"a.*.global", "a.b.global", false},
           {"", "", true},
       }) {
    EXPECT_EQ(DnsNameMatches(c.pattern, c.name), c.want)
        << c.pattern << " " << c.name;
  }
}

TEST(CompiledSanMatcher, ComparesNamesOfItsTypeOnly) {
  PeerIdentity identity;
  identity.uris = {"spiffe://a/ns/x/sa/y"};
  identity.dns_names = {"other.shop", "*.shop.global"};
  identity.ip_addresses = {"10.0.0.1", "2001:db8::1"};
  identity.emails = {"a@b.c"};
  struct Case {
    Type type;
    Kind kind;
    const char* value;
    bool want;
  };
  for (const Case& c : std::vector<Case>{
           {Type::kUri, Kind::kExact, "spiffe://a/ns/x/sa/y", true},
           {Type::kUri, Kind::kExact, "spiffe://a/ns/x/sa", false},
           {Type::kDns, Kind::kExact, "spiffe://a/ns/x/sa/y", false},
           {Type::kUri, Kind::kPrefix, "spiffe://a/", true},
           {Type::kUri, Kind::kPrefix, "spiffe://b/", false},
           {Type::kUri, Kind::kSuffix, "/sa/y", true},
           {Type::kUri, Kind::kContains, "/ns/x/", true},
           {Type::kUri, Kind::kRegex, "spiffe://[ab]/ns/x/.*", true},
           {Type::kUri, Kind::kRegex, "ns/x", false},
           {Type::kDns, Kind::kExact, "echo.shop.global", true},
           {Type::kDns, Kind::kExact, "OTHER.shop", true},
           {Type::kDns, Kind::kSuffix, "echo.shop.global", false},
           {Type::kDns, Kind::kSuffix, ".shop.global", true},
           {Type::kIpAddress, Kind::kExact, "10.0.0.1", true},
           {Type::kIpAddress, Kind::kExact, "2001:DB8:0::0:1", true},
           {Type::kIpAddress, Kind::kExact, "10.0.0.2", false},
           {Type::kIpAddress, Kind::kPrefix, "10.0.", true},
           {Type::kEmail, Kind::kExact, "a@b.c", true},
           {Type::kEmail, Kind::kExact, "10.0.0.1", false},
       }) {
    const auto matcher =
        CompiledSanMatcher::Create(Make(c.type, c.kind, c.value));
    ASSERT_TRUE(matcher.ok()) << matcher.status();
    EXPECT_EQ(matcher->Matches(identity), c.want) << matcher->ToString();
    EXPECT_FALSE(matcher->Matches({})) << matcher->ToString();
  }
}

TEST(CompiledSanMatcher, RefusesWhatWouldMatchAllOrNothing) {
  for (const SanMatcher& matcher :
       {Make(Type::kUri, Kind::kPrefix, ""),
        Make(Type::kUri, Kind::kRegex, "("),
        Make(Type::kIpAddress, Kind::kExact, "10.0.0")}) {
    EXPECT_FALSE(CompiledSanMatcher::Create(matcher).ok());
  }
}

}  // namespace
}  // namespace meshlib::security
