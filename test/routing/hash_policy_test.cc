#include "routing/hash_policy.h"

#include <string>
#include <vector>

#include "base/hash.h"
#include "gtest/gtest.h"
#include "test/routing/route_builders.h"

namespace meshlib::routing {
namespace {

using Kind = model::HashPolicy::Kind;

// XXH64 with seed 0, as Envoy's own hash tests have them.
constexpr uint64_t kFoo = 3728699739546630719u;
constexpr uint64_t kBar = 5234164152756840025u;
constexpr uint64_t kEmpty = 17241709254077376921u;
// Of the list {"foo", "bar"} unsorted, and what the router makes of it.
constexpr uint64_t kFooThenBar = 17745830980996999794u;

model::HashPolicy Policy(Kind kind, std::string name = "") {
  model::HashPolicy policy;
  policy.kind = kind;
  policy.name = std::move(name);
  return policy;
}

std::optional<uint64_t> HashOf(const std::vector<model::HashPolicy>& policies,
                               const Request& request) {
  const auto compiled = HashPolicies::Compile(policies);
  EXPECT_TRUE(compiled.ok()) << compiled.status();
  return compiled->Hash(request);
}

Request With(absl::Span<const Header> headers) {
  Request request;
  request.headers = headers;
  return request;
}

TEST(HashPolicy, HashesOneValueOfEachKind) {
  const std::vector<Header> headers = {{"X-User", "foo"},
                                       {"cookie", "a=1; id=\"bar\""}};
  Request request = With(headers);
  request.path = "/p?q=foo&q=bar&e";
  request.source_ip = "foo";
  request.authority = "bar";
  EXPECT_EQ(HashOf({Policy(Kind::kHeader, "x-user")}, request), kFoo);
  EXPECT_EQ(HashOf({Policy(Kind::kHeader, ":authority")}, request), kBar);
  EXPECT_EQ(HashOf({Policy(Kind::kCookie, "id")}, request), kBar);
  EXPECT_EQ(HashOf({Policy(Kind::kQueryParameter, "q")}, request), kFoo);
  EXPECT_EQ(HashOf({Policy(Kind::kQueryParameter, "e")}, request), kEmpty);
  EXPECT_EQ(HashOf({Policy(Kind::kSourceIp)}, request), kFoo);
}

TEST(HashPolicy, GivesNothingForWhatIsMissing) {
  const std::vector<Header> headers = {{"cookie", "id="}};
  const Request request = With(headers);
  EXPECT_EQ(HashOf({}, request), std::nullopt);
  for (const Kind kind : {Kind::kHeader, Kind::kCookie, Kind::kSourceIp,
                          Kind::kQueryParameter, Kind::kFilterState}) {
    EXPECT_EQ(HashOf({Policy(kind, "x")}, request), std::nullopt);
  }
  EXPECT_EQ(HashOf({Policy(Kind::kCookie, "id")}, request), std::nullopt);
}

TEST(HashPolicy, SortsTheValuesOfAHeaderAndChainsThem) {
  // "bar" sorts first: neither order of the request gives kFooThenBar.
  const std::vector<Header> one = {{"x", "foo"}, {"x", "bar"}};
  const std::vector<Header> other = {{"x", "bar"}, {"x", "foo"}};
  const auto policy = Policy(Kind::kHeader, "x");
  EXPECT_EQ(HashOf({policy}, With(one)), HashOf({policy}, With(other)));
  EXPECT_NE(HashOf({policy}, With(one)), kFooThenBar);
  // Values that sort as "foo", "bar" do not: "1foo" < "2bar" cut by a regex
  // are sorted after the cut.
  model::HashPolicy cut = policy;
  cut.regex_rewrite = model::RegexRewrite{"^.", ""};
  const std::vector<Header> prefixed = {{"x", "1foo"}, {"x", "2bar"}};
  EXPECT_EQ(HashOf({cut}, With(prefixed)), HashOf({policy}, With(one)));
}

TEST(HashPolicy, HashesJoinedValuesAsOne) {
  const std::vector<Header> two = {{"accept", "b"}, {"accept", "a"}};
  const std::vector<Header> one = {{"accept", "b,a"}};
  const auto policy = Policy(Kind::kHeader, "accept");
  EXPECT_EQ(HashOf({policy}, With(two)), HashOf({policy}, With(one)));
}

TEST(HashPolicy, ChainsAsEnvoysOwnVector) {
  // Capitals sort first, so this is {"Foo", "bar"}: chain it by hand.
  const std::vector<Header> headers = {{"x", "bar"}, {"x", "Foo"}};
  const uint64_t first = base::XxHash64("Foo");
  EXPECT_EQ(HashOf({Policy(Kind::kHeader, "x")}, With(headers)),
            base::XxHash64("bar", first));
  EXPECT_EQ(base::XxHash64("bar", base::XxHash64("foo")), kFooThenBar);
}

TEST(HashPolicy, CombinesPoliciesByRotationAndXor) {
  const std::vector<Header> headers = {{"a", "foo"}, {"b", "bar"}};
  const Request request = With(headers);
  const auto a = Policy(Kind::kHeader, "a");
  const auto b = Policy(Kind::kHeader, "b");
  const auto none = Policy(Kind::kHeader, "none");
  EXPECT_EQ(HashOf({a, b}, request), 3449051153737634343u);
  EXPECT_EQ(HashOf({a, b, a}, request), 7783903681884790385u);
  EXPECT_EQ(HashOf({a, a}, request), 6107164738285588033u);
  EXPECT_EQ(HashOf({none, a, none, b}, request), 3449051153737634343u);
}

TEST(HashPolicy, ATerminalPolicyEndsTheListOnceThereIsAHash) {
  const std::vector<Header> headers = {{"a", "foo"}, {"b", "bar"}};
  const Request request = With(headers);
  auto a = Policy(Kind::kHeader, "a");
  auto none = Policy(Kind::kHeader, "none");
  const auto b = Policy(Kind::kHeader, "b");
  a.terminal = true;
  none.terminal = true;
  EXPECT_EQ(HashOf({a, b}, request), kFoo);
  EXPECT_EQ(HashOf({none, b}, request), kBar);
  // Also one that found nothing, if an earlier one did.
  a.terminal = false;
  EXPECT_EQ(HashOf({a, none, b}, request), kFoo);
}

TEST(HashPolicy, RefusesARegexThatDoesNotCompile) {
  auto policy = Policy(Kind::kHeader, "x");
  policy.regex_rewrite = model::RegexRewrite{"(", ""};
  EXPECT_FALSE(HashPolicies::Compile({policy}).ok());
  policy.regex_rewrite = model::RegexRewrite{"a", "\\1"};
  EXPECT_FALSE(HashPolicies::Compile({policy}).ok());
}

}  // namespace
}  // namespace meshlib::routing
