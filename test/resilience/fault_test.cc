#include "resilience/fault.h"

#include <gtest/gtest.h>

#include <map>

namespace meshlib::resilience {
namespace {

model::Fraction Percent(uint32_t numerator, std::string key = "") {
  return {numerator, 100, std::move(key)};
}

class FaultTest : public ::testing::Test {
 protected:
  CompiledFault Compile() const {
    return CompiledFault(std::make_shared<const model::Fault>(fault_),
                         std::make_shared<const model::Runtime>(runtime_));
  }

  void Runtime(const std::string& key, double value) {
    model::Value number;
    number.kind = model::Value::Kind::kNumber;
    number.number = value;
    runtime_[key] = number;
  }

  Request With(std::vector<Header> headers) {
    headers_ = std::move(headers);
    Request request;
    request.headers = headers_;
    return request;
  }

  // How many of 10,000 are aborted.
  int Aborted(const Request& request) {
    const CompiledFault fault = Compile();
    int aborted = 0;
    for (int i = 0; i < 10000; ++i) {
      aborted += fault.Abort(request, random_).has_value() ? 1 : 0;
    }
    return aborted;
  }

  model::Fault fault_;
  std::map<std::string, model::Value, std::less<>> runtime_;
  std::vector<Header> headers_;
  base::Random random_{1};
};

TEST_F(FaultTest, APartOfTheRequestsIsAborted) {
  fault_.abort.emplace();
  fault_.abort->http_status = 503;
  fault_.abort->percentage = {2500, 10000, ""};
  EXPECT_NEAR(Aborted({}), 2500, 150);
  fault_.abort->percentage = Percent(0);
  EXPECT_EQ(Aborted({}), 0);
  fault_.abort->percentage = Percent(100);
  EXPECT_EQ(Aborted({}), 10000);
}

TEST_F(FaultTest, AHeaderCanOnlyLowerThePart) {
  fault_.abort.emplace();  // no status: headers say it
  fault_.abort->percentage = Percent(50);
  const auto with = [&](std::string_view part) {
    return With({{"X-Envoy-Fault-Abort-Request", "501"},
                 {"x-envoy-fault-abort-request-percentage", part}});
  };
  EXPECT_NEAR(Aborted(with("10")), 1000, 150);
  EXPECT_NEAR(Aborted(with("90")), 5000, 250);
  EXPECT_NEAR(Aborted(with("many")), 5000, 250);
  EXPECT_EQ(Aborted(with("0")), 0);
  // A fixed abort does not listen.
  fault_.abort->http_status = 503;
  EXPECT_NEAR(Aborted(with("0")), 5000, 250);
}

TEST_F(FaultTest, HeadersSayTheStatus) {
  fault_.abort.emplace();
  fault_.abort->percentage = Percent(100);
  const CompiledFault fault = Compile();
  const auto answer = [&](std::string_view http, std::string_view grpc) {
    std::vector<Header> headers;
    if (!http.empty()) headers.push_back({"x-envoy-fault-abort-request", http});
    if (!grpc.empty()) {
      headers.push_back({"x-envoy-fault-abort-grpc-request", grpc});
    }
    return fault.Abort(With(headers), random_);
  };
  EXPECT_FALSE(answer("", "").has_value());
  EXPECT_FALSE(answer("199", "").has_value());
  EXPECT_FALSE(answer("600", "").has_value());
  EXPECT_FALSE(answer("x", "").has_value());
  EXPECT_EQ(answer("599", "")->http_status, 599);
  EXPECT_EQ(answer("404", "7")->http_status, 404);
  EXPECT_FALSE(answer("404", "7")->grpc_status.has_value());
  EXPECT_EQ(answer("600", "7")->http_status, 200);
  EXPECT_EQ(answer("600", "7")->grpc_status, 7u);
}

TEST_F(FaultTest, DelaysAreFixedOrOfTheHeader) {
  fault_.delay.emplace();
  fault_.delay->percentage = Percent(100);
  fault_.delay->fixed = absl::Milliseconds(20);
  const auto delay = [&](const Request& request) {
    return Compile().Delay(request, random_);
  };
  const Request asks = With({{"x-envoy-fault-delay-request", "7"}});
  EXPECT_EQ(delay(asks), absl::Milliseconds(20));
  fault_.delay->fixed.reset();
  EXPECT_EQ(delay(asks), absl::Milliseconds(7));
  EXPECT_EQ(delay({}), absl::ZeroDuration());
  EXPECT_EQ(delay(With({{"x-envoy-fault-delay-request", "0"}})),
            absl::ZeroDuration());
  EXPECT_EQ(delay(With({{"x-envoy-fault-delay-request", "-1"}})),
            absl::ZeroDuration());
  EXPECT_EQ(delay(With({{"x-envoy-fault-delay-request", "7"},
                        {"x-envoy-fault-delay-request-percentage", "0"}})),
            absl::ZeroDuration());
}

TEST_F(FaultTest, RuntimeKeysOverride) {
  fault_.abort.emplace();
  fault_.abort->http_status = 503;
  fault_.abort->percentage = Percent(0, "fault.http.abort.abort_percent");
  Runtime("fault.http.abort.abort_percent", 100);
  Runtime("fault.http.abort.http_status", 418);
  Runtime("fault.http.me.abort.http_status", 404);
  EXPECT_EQ(Compile().Abort({}, random_)->http_status, 418);
  // The downstream cluster's own keys come in the place of the others.
  const Request me = With({{"x-envoy-downstream-service-cluster", "me"}});
  EXPECT_FALSE(Compile().Abort(me, random_).has_value());
  Runtime("fault.http.me.abort.abort_percent", 100);
  EXPECT_EQ(Compile().Abort(me, random_)->http_status, 404);
  const Request other = With({{"x-envoy-downstream-service-cluster", "o"}});
  Runtime("fault.http.o.abort.abort_percent", 100);
  EXPECT_EQ(Compile().Abort(other, random_)->http_status, 503);
}

TEST_F(FaultTest, MatchesClusterNodesAndHeaders) {
  fault_.upstream_cluster = "a";
  fault_.downstream_nodes = {"n1", "n2"};
  model::HeaderMatcher header;
  header.name = "x-user";
  fault_.headers.push_back(header);
  const CompiledFault fault = Compile();
  const Request all =
      With({{"x-envoy-downstream-service-node", "n2"}, {"x-user", "u"}});
  EXPECT_TRUE(fault.Matches(all, "a"));
  EXPECT_FALSE(fault.Matches(all, "b"));
  EXPECT_FALSE(fault.Matches(all, ""));
  EXPECT_FALSE(fault.Matches(
      With({{"x-envoy-downstream-service-node", "n3"}, {"x-user", "u"}}), "a"));
  EXPECT_FALSE(fault.Matches(With({{"x-user", "u"}}), "a"));
  EXPECT_FALSE(
      fault.Matches(With({{"x-envoy-downstream-service-node", "n1"}}), "a"));
}

TEST(GrpcStatusOfHttp, IsGrpcsTable) {
  const std::pair<int, uint32_t> kTable[] = {
      {200, 2},  {400, 13}, {401, 16}, {403, 7},  {404, 12},
      {429, 14}, {500, 2},  {502, 14}, {503, 14}, {504, 14}};
  for (const auto& [http, grpc] : kTable) {
    EXPECT_EQ(GrpcStatusOfHttp(http), grpc) << http;
  }
}

}  // namespace
}  // namespace meshlib::resilience
