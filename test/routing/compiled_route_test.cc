#include "routing/compiled_route.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "test/routing/route_builders.h"

namespace meshlib::routing {
namespace {

model::MirrorPolicy MirrorTo(std::string cluster) {
  model::MirrorPolicy mirror;
  mirror.cluster = std::move(cluster);
  return mirror;
}

model::RetryPolicy Retries(uint32_t num_retries) {
  model::RetryPolicy policy;
  policy.num_retries = num_retries;
  return policy;
}

TEST(CompiledRoute, TakesItsOwnPoliciesBeforeTheVirtualHosts) {
  model::RouteConfig config =
      ConfigOf({Host("h", {"*"}, {PrefixRoute("r", "/")})});
  const auto route = [&config] {
    auto table = CompileTable(config);
    return std::pair(table, table->Find(Request(), 0).route);
  };
  EXPECT_EQ(route().second->retry_policy(), nullptr);
  EXPECT_EQ(route().second->hedge_policy(), nullptr);
  EXPECT_TRUE(route().second->mirrors().empty());

  config.request_mirror_policies = {MirrorTo("config")};
  config.virtual_hosts[0].retry_policy = Retries(2);
  config.virtual_hosts[0].hedge_policy = model::HedgePolicy{1, true};
  config.virtual_hosts[0].per_request_buffer_limit_bytes = 10;
  {
    const auto [table, compiled] = route();
    EXPECT_EQ(compiled->retry_policy()->num_retries, 2u);
    EXPECT_TRUE(compiled->hedge_policy()->hedge_on_per_try_timeout);
    EXPECT_EQ(compiled->mirrors().at(0).ClusterFor({}), "config");
    EXPECT_EQ(compiled->per_request_buffer_limit_bytes(), 10u);
  }
  config.virtual_hosts[0].request_mirror_policies = {MirrorTo("host")};
  EXPECT_EQ(route().first->config().name, "test");
  {
    const auto [table, compiled] = route();
    EXPECT_EQ(compiled->mirrors().at(0).ClusterFor({}), "host");
  }
  model::Route& own = config.virtual_hosts[0].routes[0];
  ActionOf(own).retry_policy = Retries(3);
  ActionOf(own).hedge_policy = model::HedgePolicy{1, false};
  ActionOf(own).request_mirror_policies = {MirrorTo("route")};
  ActionOf(own).priority = model::RoutingPriority::kHigh;
  own.per_request_buffer_limit_bytes = 20;
  const auto [table, compiled] = route();
  EXPECT_EQ(compiled->retry_policy()->num_retries, 3u);
  EXPECT_FALSE(compiled->hedge_policy()->hedge_on_per_try_timeout);
  EXPECT_EQ(compiled->mirrors().at(0).ClusterFor({}), "route");
  EXPECT_EQ(compiled->per_request_buffer_limit_bytes(), 20u);
  EXPECT_EQ(compiled->priority(), model::RoutingPriority::kHigh);
}

TEST(Mirror, NamesItsClusterAndAuthority) {
  const Mirror plain(MirrorTo("c"), {});
  EXPECT_EQ(plain.Authority("a.com"), "a.com-shadow");
  EXPECT_EQ(plain.Authority("a.com:80"), "a.com-shadow:80");
  EXPECT_EQ(plain.Authority("[::1]"), "[::1]-shadow");
  EXPECT_TRUE(plain.Selects(UINT64_MAX));

  model::MirrorPolicy policy;
  policy.cluster_header = "X-Mirror";
  policy.disable_shadow_host_suffix_append = true;
  policy.runtime_fraction = model::Fraction{1, 100, ""};
  const Mirror by_header(policy, {});
  EXPECT_EQ(by_header.Authority("a.com"), "a.com");
  const Header header = {"x-mirror", "m"};
  Request request;
  EXPECT_EQ(by_header.ClusterFor(request), "");
  request.headers = {&header, 1};
  EXPECT_EQ(by_header.ClusterFor(request), "m");
  EXPECT_TRUE(by_header.Selects(100));
  EXPECT_FALSE(by_header.Selects(101));
  policy.host_rewrite_literal = "m.com";
  EXPECT_EQ(Mirror(policy, {}).Authority("a.com"), "m.com");
}

TEST(Timeouts, DefaultToFifteenSecondsButNotForGrpc) {
  const Header grpc = {"content-type", "application/grpc"};
  Request request;
  model::RouteAction action;
  EXPECT_EQ(TimeoutsFor(request, action, nullptr).request, absl::Seconds(15));
  request.headers = {&grpc, 1};
  EXPECT_EQ(TimeoutsFor(request, action, nullptr).request,
            absl::InfiniteDuration());
  action.timeout = absl::Seconds(3);
  EXPECT_EQ(TimeoutsFor(request, action, nullptr).request, absl::Seconds(3));
  action.timeout = absl::ZeroDuration();
  EXPECT_EQ(TimeoutsFor(Request(), action, nullptr).request,
            absl::InfiniteDuration());
}

TEST(Timeouts, BoundAGrpcDeadline) {
  const std::vector<Header> headers = {{"content-type", "application/grpc"},
                                       {"grpc-timeout", "5S"}};
  Request request;
  request.headers = headers;
  model::RouteAction action;
  const auto timeout = [&] {
    return TimeoutsFor(request, action, nullptr).request;
  };
  action.max_grpc_timeout = absl::Seconds(3);
  EXPECT_EQ(timeout(), absl::Seconds(3));
  action.max_grpc_timeout = absl::ZeroDuration();  // no bound
  EXPECT_EQ(timeout(), absl::Seconds(5));
  action.grpc_timeout_offset = absl::Seconds(1);
  EXPECT_EQ(timeout(), absl::Seconds(4));
  action.grpc_timeout_offset = absl::Seconds(5);  // would leave nothing
  EXPECT_EQ(timeout(), absl::Seconds(5));

  EXPECT_EQ(TimeoutsFor(request, action, nullptr).max_stream_duration,
            std::nullopt);
  model::MaxStreamDuration stream;
  stream.max_stream_duration = absl::Seconds(9);
  action.max_stream_duration = stream;
  EXPECT_EQ(TimeoutsFor(request, action, nullptr).max_stream_duration,
            absl::Seconds(9));
  action.max_stream_duration->grpc_timeout_header_max = absl::Seconds(4);
  action.max_stream_duration->grpc_timeout_header_offset = absl::Seconds(1);
  EXPECT_EQ(TimeoutsFor(request, action, nullptr).max_stream_duration,
            absl::Seconds(3));
  action.max_stream_duration->grpc_timeout_header_offset = absl::Seconds(4);
  EXPECT_EQ(TimeoutsFor(request, action, nullptr).max_stream_duration,
            absl::ZeroDuration());
  action.max_stream_duration->max_stream_duration = absl::ZeroDuration();
  EXPECT_EQ(TimeoutsFor({}, action, nullptr).max_stream_duration,
            absl::InfiniteDuration());
}

TEST(Timeouts, HeadersWinAndAPerTryTimeoutMustBeShorter) {
  model::RouteAction action;
  model::RetryPolicy retry;
  retry.per_try_timeout = absl::Seconds(2);
  EXPECT_EQ(TimeoutsFor({}, action, &retry).per_try, absl::Seconds(2));
  retry.per_try_timeout = absl::Seconds(15);
  EXPECT_EQ(TimeoutsFor({}, action, &retry).per_try, absl::InfiniteDuration());
  const std::vector<Header> headers = {
      {"x-envoy-upstream-rq-timeout-ms", "700"},
      {"x-envoy-upstream-rq-per-try-timeout-ms", "300"}};
  Request request;
  request.headers = headers;
  EXPECT_EQ(TimeoutsFor(request, action, &retry).request,
            absl::Milliseconds(700));
  EXPECT_EQ(TimeoutsFor(request, action, &retry).per_try,
            absl::Milliseconds(300));
}

TEST(Timeouts, ReadHeadersAsMillisecondsAndIgnoreBadOnes) {
  model::RouteAction action;
  action.timeout = absl::Seconds(3);
  model::RetryPolicy retry;
  retry.per_try_timeout = absl::Seconds(1);
  struct Case {
    const char* value;
    absl::Duration want;
  } const kCases[] = {
      {"1500", absl::Milliseconds(1500)},
      {"0", absl::InfiniteDuration()},
      {"5000000000", absl::Seconds(5000000)},
      {"18446744073709551615", absl::Milliseconds(INT64_MAX)},
      {"1s", absl::Seconds(3)},
      {"-1", absl::Seconds(3)},
      {"", absl::Seconds(3)},
  };
  for (const Case& c : kCases) {
    const Header header = {"X-Envoy-Upstream-Rq-Timeout-Ms", c.value};
    Request request;
    request.headers = {&header, 1};
    EXPECT_EQ(TimeoutsFor(request, action, &retry).request, c.want) << c.value;
    EXPECT_EQ(TimeoutsFor(request, action, &retry).per_try, absl::Seconds(1));
  }
}

TEST(Timeouts, APerTryTimeoutCountsOnlyIfItIsTheShorter) {
  struct Case {
    int per_try;
    int request;  // 0: none
    absl::Duration want;
  } const kCases[] = {
      {1, 3, absl::Seconds(1)},
      {3, 3, absl::InfiniteDuration()},
      {4, 3, absl::InfiniteDuration()},
      {4, 0, absl::Seconds(4)},
  };
  for (const Case& c : kCases) {
    model::RouteAction action;
    action.timeout = absl::Seconds(c.request);
    model::RetryPolicy retry;
    retry.per_try_timeout = absl::Seconds(c.per_try);
    EXPECT_EQ(TimeoutsFor({}, action, &retry).per_try, c.want)
        << c.per_try << " of " << c.request;
  }
}

TEST(Timeouts, ParsesGrpcTimeouts) {
  EXPECT_EQ(ParseGrpcTimeout("1H"), absl::Hours(1));
  EXPECT_EQ(ParseGrpcTimeout("2M"), absl::Minutes(2));
  EXPECT_EQ(ParseGrpcTimeout("3S"), absl::Seconds(3));
  EXPECT_EQ(ParseGrpcTimeout("4m"), absl::Milliseconds(4));
  EXPECT_EQ(ParseGrpcTimeout("5u"), absl::Microseconds(5));
  EXPECT_EQ(ParseGrpcTimeout("99999999n"), absl::Nanoseconds(99999999));
  for (const char* text : {"", "1", "S", "1s", "-1S", "1.5S", "999999999S"}) {
    EXPECT_EQ(ParseGrpcTimeout(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace meshlib::routing
