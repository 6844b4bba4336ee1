#include "resilience/retry.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "base/random.h"
#include "gtest/gtest.h"

namespace meshlib::resilience {
namespace {

using Kind = Outcome::Kind;
using Reason = RetryDecision::Reason;

const absl::Time kNow = absl::FromUnixSeconds(1700000000);

struct NamedOutcome {
  const char* name;
  Outcome outcome;
};

Outcome InTrailers(int grpc_status) {
  Outcome outcome = Outcome::Grpc(grpc_status);
  outcome.grpc_trailers_only = false;
  return outcome;
}

Outcome ResetUnsent() {
  Outcome outcome = Outcome::Failure(Kind::kReset);
  outcome.request_sent = false;
  return outcome;
}

Outcome LostGrpc(Kind kind) {
  Outcome outcome = Outcome::Failure(kind);
  outcome.grpc_status = 14;
  return outcome;
}

Outcome WithHeader(Outcome outcome, const std::vector<Header>& headers) {
  outcome.response_headers = headers;
  return outcome;
}

const std::vector<Header>& RateLimited() {
  static const auto* const headers =
      new std::vector<Header>{{"X-Envoy-RateLimited", "true"}};
  return *headers;
}

const std::vector<Header>& PleaseRetry() {
  static const auto* const headers =
      new std::vector<Header>{{"X-Please", "retry"}};
  return *headers;
}

std::vector<NamedOutcome> AllOutcomes() {
  return {
      {"200", Outcome::Http(200)},
      {"404", Outcome::Http(404)},
      {"409", Outcome::Http(409)},
      {"418", Outcome::Http(418)},
      {"429", Outcome::Http(429)},
      {"499", Outcome::Http(499)},
      {"500", Outcome::Http(500)},
      {"501", Outcome::Http(501)},
      {"502", Outcome::Http(502)},
      {"503", Outcome::Http(503)},
      {"504", Outcome::Http(504)},
      {"505", Outcome::Http(505)},
      {"599", Outcome::Http(599)},
      {"600", Outcome::Http(600)},
      {"503-ratelimited", WithHeader(Outcome::Http(503), RateLimited())},
      {"429-ratelimited", WithHeader(Outcome::Http(429), RateLimited())},
      {"200-please", WithHeader(Outcome::Http(200), PleaseRetry())},
      {"grpc-0", Outcome::Grpc(0)},
      {"grpc-1", Outcome::Grpc(1)},
      {"grpc-2", Outcome::Grpc(2)},
      {"grpc-4", Outcome::Grpc(4)},
      {"grpc-8", Outcome::Grpc(8)},
      {"grpc-13", Outcome::Grpc(13)},
      {"grpc-14", Outcome::Grpc(14)},
      {"grpc-14-trailers", InTrailers(14)},
      {"connect-failure", Outcome::Failure(Kind::kConnectFailure)},
      {"connect-timeout", Outcome::Failure(Kind::kConnectTimeout)},
      {"refused-stream", Outcome::Failure(Kind::kRefusedStream)},
      {"reset", Outcome::Failure(Kind::kReset)},
      {"reset-unsent", ResetUnsent()},
      {"per-try-timeout", Outcome::Failure(Kind::kPerTryTimeout)},
      {"timeout", Outcome::Failure(Kind::kTimeout)},
      {"overflow", Outcome::Failure(Kind::kOverflow)},
      {"cancelled", Outcome::Failure(Kind::kCancelled)},
      {"grpc-connect-failure", LostGrpc(Kind::kConnectFailure)},
      {"grpc-connect-timeout", LostGrpc(Kind::kConnectTimeout)},
      {"grpc-refused-stream", LostGrpc(Kind::kRefusedStream)},
      {"grpc-reset", LostGrpc(Kind::kReset)},
      {"grpc-per-try-timeout", LostGrpc(Kind::kPerTryTimeout)},
      {"grpc-overflow", LostGrpc(Kind::kOverflow)},
  };
}

model::RetryPolicy PolicyOn(std::string_view retry_on) {
  model::RetryPolicy config;
  config.retry_on = ParseRetryOn(retry_on).bits;
  config.num_retries = 3;
  config.retriable_status_codes = {418, 429};
  model::HeaderMatcher please;
  please.name = "x-please";
  config.retriable_headers = {please};
  return config;
}

std::string MatchedBy(std::string_view retry_on) {
  const CompiledRetryPolicy policy(PolicyOn(retry_on));
  const RetryState state = policy.Start(Request{});
  std::string out;
  for (const NamedOutcome& named : AllOutcomes()) {
    if (!policy.Matches(named.outcome, state)) continue;
    out += out.empty() ? "" : " ";
    out += named.name;
  }
  return out;
}

constexpr char kEveryReset[] =
    "connect-failure connect-timeout refused-stream reset reset-unsent "
    "per-try-timeout grpc-connect-failure grpc-connect-timeout "
    "grpc-refused-stream grpc-reset grpc-per-try-timeout";

TEST(RetryConditions, NameExactlyTheOutcomesThatEnvoyNames) {
  struct Case {
    const char* retry_on;
    std::string want;
  } const kCases[] = {
      {"", ""},
      {"5xx", std::string("500 501 502 503 504 505 599 ") + kEveryReset},
      {"gateway-error", std::string("502 503 504 ") + kEveryReset},
      {"reset", kEveryReset},
      {"reset-before-request",
       "connect-failure connect-timeout reset-unsent grpc-connect-failure "
       "grpc-connect-timeout"},
      {"connect-failure",
       "connect-failure connect-timeout grpc-connect-failure "
       "grpc-connect-timeout"},
      {"envoy-ratelimited", "503-ratelimited 429-ratelimited"},
      {"retriable-4xx", "409"},
      {"refused-stream", "refused-stream grpc-refused-stream"},
      {"retriable-status-codes", "418 429"},
      {"retriable-headers", "200-please"},
      {"http3-post-connect-failure", ""},
      {"cancelled", "grpc-1"},
      {"deadline-exceeded", "grpc-4"},
      {"resource-exhausted", "grpc-8"},
      {"internal", "grpc-13"},
      {"unavailable",
       "grpc-14 grpc-connect-failure grpc-connect-timeout "
       "grpc-refused-stream grpc-reset"},
  };
  for (const Case& c : kCases) {
    EXPECT_EQ(MatchedBy(c.retry_on), c.want) << c.retry_on;
  }
}

TEST(RetryConditions, ALostConnectionOfAGrpcRequestIsUnavailable) {
  const CompiledRetryPolicy policy(PolicyOn("unavailable"));
  const Outcome lost = Outcome::Failure(Kind::kReset);
  const std::vector<Header> headers = {
      {"Content-Type", "application/grpc+proto"}};
  Request request;
  request.headers = headers;
  EXPECT_TRUE(policy.Matches(lost, policy.Start(request)));
  EXPECT_FALSE(policy.Matches(lost, policy.Start(Request{})));
}

TEST(RetryConditions, AResponseThatHasBegunIsNeverRetried) {
  const CompiledRetryPolicy policy(PolicyOn(
      "5xx,reset,retriable-status-codes,retriable-headers,connect-failure,"
      "envoy-ratelimited,unavailable,reset-before-request"));
  const RetryState start = policy.Start(Request{});
  for (NamedOutcome named : AllOutcomes()) {
    named.outcome.response_started = true;
    EXPECT_FALSE(policy.Matches(named.outcome, start)) << named.name;
  }
}

TEST(ParseRetryOn, TakesEveryNameAndTellsOfUnknownOnes) {
  const ParsedRetryOn parsed = ParseRetryOn(" 5xx, connect-failure ,,reset");
  EXPECT_EQ(parsed.bits, model::kRetryOn5xx | model::kRetryOnConnectFailure |
                             model::kRetryOnReset);
  EXPECT_TRUE(parsed.all_known);
  EXPECT_FALSE(ParseRetryOn("5xx,nope").all_known);
  EXPECT_EQ(ParseRetryOn("5XX").bits, 0u);
  EXPECT_EQ(ParseRetryOn("").bits, 0u);
}

class DecideTest : public testing::Test {
 protected:
  RetryDecision Decide(const CompiledRetryPolicy& policy, RetryState& state,
                       const Outcome& outcome) {
    return policy.Decide(outcome, state, random_, kNow, absl::InfiniteFuture());
  }
  base::Random random_{11};
};

TEST_F(DecideTest, RetriesAtMostNumRetriesTimes) {
  const CompiledRetryPolicy policy(PolicyOn("5xx"));
  RetryState state = policy.Start(Request{});
  for (int i = 0; i < 3; ++i) {
    const RetryDecision decision = Decide(policy, state, Outcome::Http(503));
    EXPECT_TRUE(decision.retry);
    EXPECT_EQ(decision.reason, Reason::kRetry);
  }
  const RetryDecision decision = Decide(policy, state, Outcome::Http(503));
  EXPECT_FALSE(decision.retry);
  EXPECT_EQ(decision.reason, Reason::kLimitExceeded);
}

TEST_F(DecideTest, SaysWhyItDoesNotRetry) {
  const CompiledRetryPolicy policy(PolicyOn("5xx"));
  Outcome broken = Outcome::Failure(Kind::kReset);
  broken.response_started = true;
  Outcome whole = Outcome::Http(200);
  whole.response_started = true;
  struct Case {
    Outcome outcome;
    Reason want;
  } const kCases[] = {
      {Outcome::Ok(), Reason::kSuccess},
      {whole, Reason::kSuccess},
      {Outcome::Grpc(0), Reason::kSuccess},
      {Outcome::Http(404), Reason::kNotRetriable},
      {Outcome::Grpc(5), Reason::kNotRetriable},
      {Outcome::Failure(Kind::kOverflow), Reason::kNotRetriable},
      {Outcome::Failure(Kind::kCancelled), Reason::kCancelled},
      {Outcome::Failure(Kind::kTimeout), Reason::kDeadline},
      {broken, Reason::kResponseStarted},
  };
  for (const Case& c : kCases) {
    RetryState state = policy.Start(Request{});
    const RetryDecision decision = Decide(policy, state, c.outcome);
    EXPECT_FALSE(decision.retry);
    EXPECT_EQ(decision.reason, c.want) << static_cast<int>(c.want);
    EXPECT_EQ(state.retries_remaining, 3u);
  }
}

TEST_F(DecideTest, BackOffIsTheRandomNumberModuloTheGrowingWindow) {
  model::RetryPolicy config = PolicyOn("5xx");
  config.num_retries = 7;
  const CompiledRetryPolicy policy(config);
  RetryState state = policy.Start(Request{});
  base::Random same(11);
  for (const uint64_t window : {25, 50, 100, 200, 250, 250, 250}) {
    const RetryDecision decision = Decide(policy, state, Outcome::Http(503));
    EXPECT_EQ(decision.after,
              absl::Milliseconds(static_cast<int64_t>(same.Next() % window)));
  }
}

TEST_F(DecideTest, BackOffKeepsItsBoundsOverManyDraws) {
  model::RetryPolicy config = PolicyOn("5xx");
  config.base_interval = absl::Milliseconds(10);
  config.max_interval = absl::Milliseconds(30);
  const CompiledRetryPolicy policy(config);
  absl::Duration most[3] = {};
  for (int run = 0; run < 5000; ++run) {
    RetryState state = policy.Start(Request{});
    for (absl::Duration& longest : most) {
      const auto decision = Decide(policy, state, Outcome::Http(503));
      longest = std::max(longest, decision.after);
    }
  }
  EXPECT_EQ(most[0], absl::Milliseconds(9));
  EXPECT_EQ(most[1], absl::Milliseconds(19));
  EXPECT_EQ(most[2], absl::Milliseconds(29));
}

TEST_F(DecideTest, ARetryMustStartBeforeTheDeadline) {
  const CompiledRetryPolicy policy(PolicyOn("5xx"));
  base::Random draw(11);
  const absl::Duration after =
      absl::Milliseconds(static_cast<int64_t>(draw.Next() % 25));
  for (const bool enough : {false, true}) {
    RetryState state = policy.Start(Request{});
    base::Random random(11);
    const absl::Time deadline =
        kNow + after + (enough ? absl::Nanoseconds(1) : absl::ZeroDuration());
    const RetryDecision decision =
        policy.Decide(Outcome::Http(503), state, random, kNow, deadline);
    EXPECT_EQ(decision.retry, enough);
    EXPECT_EQ(decision.reason, enough ? Reason::kRetry : Reason::kDeadline);
  }
}

TEST_F(DecideTest, TooEarlyIsRetriedAtOnce) {
  model::RetryPolicy config = PolicyOn("retriable-status-codes");
  config.retriable_status_codes = {425};
  config.base_interval = absl::Seconds(100);
  const CompiledRetryPolicy policy(config);
  RetryState state = policy.Start(Request{});
  const RetryDecision decision = Decide(policy, state, Outcome::Http(425));
  EXPECT_TRUE(decision.retry);
  EXPECT_EQ(decision.after, absl::ZeroDuration());
}

model::RetryPolicy RateLimitedPolicy() {
  model::RetryPolicy config = PolicyOn("retriable-status-codes,reset");
  config.rate_limited.emplace();
  config.rate_limited->reset_headers = {
      {"Retry-After", model::ResetHeader::Format::kSeconds},
      {"X-RateLimit-Reset", model::ResetHeader::Format::kUnixTimestamp}};
  return config;
}

TEST(ResetInterval, IsTheFirstHeaderThatAsksForATimeThatIsAllowed) {
  struct Case {
    std::vector<Header> headers;
    int64_t want;  // seconds; -1: none
  } const kCases[] = {
      {{}, -1},
      {{{"retry-after", "3"}}, 3},
      {{{"Retry-After", "3"}, {"retry-after", "9"}}, 3},
      {{{"retry-after", "300"}}, 300},
      {{{"retry-after", "301"}}, -1},
      {{{"retry-after", "-1"}}, -1},
      {{{"retry-after", "soon"}}, -1},
      {{{"retry-after", "18446744073709551615"}}, -1},
      {{{"x-ratelimit-reset", "1700000042"}}, 42},
      {{{"x-ratelimit-reset", "1699999999"}}, -1},
      {{{"x-ratelimit-reset", "1700000000"}}, 0},
      {{{"x-ratelimit-reset", "1700000005"}, {"retry-after", "2"}}, 2},
      {{{"x-ratelimit-reset", "1700000005"}, {"retry-after", "999"}}, 5},
  };
  const CompiledRetryPolicy policy(RateLimitedPolicy());
  for (const Case& c : kCases) {
    const auto got =
        policy.ResetInterval(c.headers, kNow + absl::Milliseconds(900));
    EXPECT_EQ(got.has_value() ? absl::ToInt64Seconds(*got) : -1, c.want)
        << (c.headers.empty() ? "" : c.headers[0].value);
  }
}

TEST_F(DecideTest, RateLimitedBackOffAddsUpToHalfOfWhatWasAsked) {
  const CompiledRetryPolicy policy(RateLimitedPolicy());
  const std::vector<Header> headers = {{"retry-after", "2"}};
  RetryState state = policy.Start(Request{});
  base::Random same(11);
  const RetryDecision decision =
      Decide(policy, state, WithHeader(Outcome::Http(429), headers));
  EXPECT_EQ(
      decision.after,
      absl::Milliseconds(2000 + static_cast<int64_t>(same.Next() % 1000)));
  // Then the exponential one, from its beginning.
  EXPECT_LT(Decide(policy, state, Outcome::Http(429)).after,
            absl::Milliseconds(25));
}

TEST_F(DecideTest, OnlyAResponseAsksForABackOff) {
  const CompiledRetryPolicy policy(RateLimitedPolicy());
  const std::vector<Header> headers = {{"retry-after", "2"}};
  RetryState state = policy.Start(Request{});
  EXPECT_LT(
      Decide(policy, state, WithHeader(Outcome::Failure(Kind::kReset), headers))
          .after,
      absl::Milliseconds(25));
}

Request WithHeaders(const std::vector<Header>& headers) {
  Request request;
  request.headers = headers;
  return request;
}

TEST(Start, OneOfTheRetriableRequestHeadersMustMatch) {
  model::RetryPolicy config = PolicyOn("5xx");
  config.retriable_request_headers.resize(2);
  config.retriable_request_headers[0].name = "x-idempotent";
  model::HeaderMatcher& method = config.retriable_request_headers[1];
  method.name = ":method";
  method.kind = model::HeaderMatcher::Kind::kString;
  method.string.value = "GET";
  const CompiledRetryPolicy policy(config);
  Request request;
  EXPECT_NE(policy.Start(request).retry_on, 0u);
  request.method = "POST";
  EXPECT_EQ(policy.Start(request).retry_on, 0u);
  const std::vector<Header> headers = {{"x-idempotent", "1"}};
  request.headers = headers;
  EXPECT_NE(policy.Start(request).retry_on, 0u);
}

TEST(Start, RequestHeadersAddConditions) {
  const CompiledRetryPolicy policy(PolicyOn("reset"));
  const std::vector<Header> headers = {
      {"x-envoy-retry-on", "5xx,unavailable"},
      {"x-envoy-retry-grpc-on", "cancelled,reset-before-request"},
      {"x-envoy-max-retries", "9"}};
  const RetryState plain = policy.Start(Request());
  EXPECT_EQ(plain.retry_on, uint32_t{model::kRetryOnReset});
  EXPECT_EQ(plain.retries_remaining, 3u);
  const RetryState honoured = policy.Start(WithHeaders(headers));
  EXPECT_EQ(honoured.retry_on, model::kRetryOnReset | model::kRetryOn5xx |
                                   model::kRetryOnGrpcCancelled);
  EXPECT_EQ(honoured.retries_remaining, 9u);
}

TEST(Start, BadHeadersChangeNothing) {
  const CompiledRetryPolicy policy(PolicyOn("reset"));
  for (const char* value : {"", "x", "-1", "99999999999999999999"}) {
    const std::vector<Header> headers = {{"x-envoy-max-retries", value}};
    EXPECT_EQ(policy.Start(WithHeaders(headers)).retries_remaining, 3u);
  }
}

}  // namespace
}  // namespace meshlib::resilience
