// Fault filters, as configurations have them, on calls over the network and on
// picks.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>

#include "cluster/engine.h"
#include "mesh/core.h"
#include "meshlib/grpc_bytes.h"
#include "meshlib/http.h"
#include "meshlib/http_stream.h"
#include "test/client/test_mesh.h"

namespace meshlib::client {
namespace {

using ::testing::HasSubstr;

constexpr char kFault[] =
    "'@type': type.googleapis.com/envoy.extensions.filters.http.fault.v3."
    "HTTPFault";
constexpr char kSwitch[] =
    "'@type': type.googleapis.com/envoy.config.route.v3.FilterConfig";

std::string Filter(std::string_view fault, std::string_view more = "") {
  return absl::StrCat("- {name: faults, ", std::string(more), "typed_config: {",
                      kFault, ", ", std::string(fault), "}}");
}
std::string Override(std::string_view fault) {
  return absl::StrCat("typed_per_filter_config: {faults: {", kFault, ", ",
                      std::string(fault), "}}");
}
std::string Switch(std::string_view config) {
  return absl::StrCat("typed_per_filter_config: {faults: {", kSwitch, ", ",
                      std::string(config), "}}");
}
std::string Abort(int status) {
  return absl::StrCat("abort: {http_status: ", status,
                      ", percentage: {numerator: 100}}");
}
std::string Delay(std::string_view duration) {
  return absl::StrCat("delay: {fixed_delay: ", std::string(duration),
                      ", percentage: {numerator: 100}}");
}
std::string Route(std::string_view path, std::string_view more) {
  return absl::StrCat("              - {match: {prefix: ", std::string(path),
                      "}, route: {cluster: c}, ", std::string(more), "}\n");
}

class FaultInjectionTest : public ::testing::TestWithParam<bool> {
 protected:
  void Start() {
    text_.http2 = GetParam();
    backends_ = *meshlib::testing::StartBackends(1);
    text_.addresses = meshlib::testing::BackendAddresses(backends_);
    mesh_ = MeshOf(text_);
    ASSERT_NE(mesh_, nullptr);
    client_ = *http::Client::Create(*mesh_);
  }

  // The status, and the pick's, which must be the same.
  int StatusOf(std::string_view path, const http::Headers& headers = {}) {
    http::Request request;
    request.url = absl::StrCat("http://echo", std::string(path));
    request.headers = headers;
    const auto response = client_->Send(request);
    EXPECT_TRUE(response.ok()) << response.status();
    if (!response.ok()) return 0;
    Request picked;
    picked.path = path;
    std::vector<Header> list;
    for (size_t i = 0; i < headers.size(); ++i) list.push_back(headers[i]);
    picked.headers = list;
    const Target target = *mesh_->Resolve("echo");
    const PickResult pick = target.Pick(picked);
    EXPECT_EQ(pick.ok() ? 200 : pick.fault.http_status, response->status);
    return response->status;
  }

  const resilience::FaultStats& Stats() const {
    return *mesh::MeshFactory::CoreOf(*mesh_).engine().FaultStatsOf("x");
  }

  MeshText text_;
  std::vector<std::unique_ptr<meshlib::testing::Backend>> backends_;
  std::unique_ptr<Mesh> mesh_;
  std::optional<http::Client> client_;
};

INSTANTIATE_TEST_SUITE_P(Http, FaultInjectionTest, ::testing::Bool(),
                         [](const auto& info) {
                           return info.param ? "Http2" : "Http1";
                         });

TEST_P(FaultInjectionTest, AnAbortAnswersAsEnvoyDoes) {
  text_.filters = Filter(Abort(418));
  Start();
  const auto response = client_->Get("http://echo/");
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->status, 418);
  EXPECT_EQ(response->body, "fault filter abort");
  EXPECT_EQ(response->headers.Get("content-type"), "text/plain");
  EXPECT_EQ(response->headers.Get("content-length"), "18");
  EXPECT_EQ(response->flags, "FI");
  EXPECT_EQ(response->details, "fault_filter_abort");
  EXPECT_EQ(response->attempts, 0u);
  EXPECT_EQ(backends_[0]->Counts().requests, 0u);
  EXPECT_EQ(Stats().aborts_injected, 1u);
  EXPECT_EQ(Stats().active, 0);
}

TEST_P(FaultInjectionTest, AnAbortIsNotRetried) {
  text_.action = absl::StrCat("timeout: 10s, ", kRetries);
  text_.filters = Filter(Abort(503));
  Start();
  EXPECT_EQ(client_->Get("http://echo/")->status, 503);
  EXPECT_EQ(Stats().aborts_injected, 1u);
}

TEST_P(FaultInjectionTest, GrpcCallsGetAStatus) {
  text_.filters = Filter(
      "abort: {grpc_status: 7, response_body: never, percentage: {numerator: "
      "100}}");
  text_.more_routes =
      Route("/http", Override(Abort(503))) + Route("/ok", Override(""));
  Start();
  http::Request request;
  request.method = "POST";
  request.headers.Add("content-type", "application/grpc");
  const auto status = [&](std::string_view path) {
    request.url = absl::StrCat("http://echo", std::string(path));
    const auto response = client_->Send(request);
    EXPECT_EQ(response->status, 200);
    return std::string(response->headers.Get("grpc-status").value_or("-"));
  };
  EXPECT_EQ(status("/"), "7");
  EXPECT_EQ(status("/http"), "14");
  EXPECT_EQ(status("/ok"), "-");
  // What is not gRPC gets what Envoy gives it.
  EXPECT_EQ(StatusOf("/"), 200);
}

TEST_P(FaultInjectionTest, TheNearestLevelHolds) {
  text_.filters = Filter(Abort(501));
  text_.virtual_host = Override(Abort(502));
  const char kWeighted[] =
      "              - {match: {prefix: /w}, route: {weighted_clusters: "
      "{clusters: [{name: c, weight: 1, ";
  text_.more_routes =
      Route("/r", Override(Abort(503))) +
      Route("/off", Switch("disabled: true")) +
      Route("/on", Switch("config: {}")) +
      absl::StrCat(kWeighted, Override(Abort(504)), "}]}}, ",
                   Override(Abort(503)), "}\n") +
      Route("/none", Override("")) +
      "              - {match: {prefix: /moved}, redirect: {path_redirect: "
      "/x}}";
  Start();
  EXPECT_EQ(StatusOf("/"), 502);
  EXPECT_EQ(StatusOf("/r"), 503);
  EXPECT_EQ(StatusOf("/w"), 504);
  EXPECT_EQ(StatusOf("/off"), 200);
  EXPECT_EQ(StatusOf("/on"), 502);
  EXPECT_EQ(StatusOf("/none"), 200);
  EXPECT_EQ(StatusOf("/moved"), 502);
}

TEST_P(FaultInjectionTest, ADisabledFilterIsEnabledByRoutes) {
  text_.filters = Filter(Abort(501), "disabled: true, ");
  text_.more_routes =
      Route("/on", Switch("config: {}")) + Route("/own", Override(Abort(503)));
  Start();
  EXPECT_EQ(StatusOf("/"), 200);
  EXPECT_EQ(StatusOf("/on"), 501);
  EXPECT_EQ(StatusOf("/own"), 503);
}

TEST_P(FaultInjectionTest, HeadersControlWhereTheFilterListens) {
  text_.filters =
      Filter("abort: {header_abort: {}, percentage: {numerator: 100}}");
  Start();
  EXPECT_EQ(StatusOf("/"), 200);
  EXPECT_EQ(StatusOf("/", {{"x-envoy-fault-abort-request", "404"}}), 404);
  EXPECT_EQ(StatusOf("/", {{"x-envoy-fault-abort-request", "404"},
                           {"x-envoy-fault-abort-request-percentage", "0"}}),
            200);
}

TEST_P(FaultInjectionTest, ADelayedCallGoesOn) {
  text_.filters = Filter(Delay("0.03s"));
  text_.action = "timeout: 10s";
  Start();
  const absl::Time begin = absl::Now();
  const auto response = client_->Get("http://echo/");
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->status, 200);
  EXPECT_EQ(response->flags, "DI");
  EXPECT_GE(absl::Now() - begin, absl::Milliseconds(30));
  EXPECT_EQ(Stats().delays_injected, 1u);
  EXPECT_EQ(Stats().active, 0);
}

TEST_P(FaultInjectionTest, ARoutesTimeoutBeginsAfterTheDelay) {
  text_.filters = Filter(Delay("0.3s"));
  text_.action = "timeout: 0.2s";
  Start();
  EXPECT_EQ(client_->Get("http://echo/")->status, 200);
  // That of the caller does not.
  http::Request request;
  request.url = "http://echo/";
  request.timeout = absl::Milliseconds(20);
  EXPECT_EQ(client_->Send(request).status().code(),
            absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(backends_[0]->Counts().requests, 1u);
}

TEST_P(FaultInjectionTest, ADelayMayBeFollowedByAnAbort) {
  text_.filters = Filter(absl::StrCat(Delay("0.01s"), ", ", Abort(500)));
  Start();
  const auto response = client_->Get("http://echo/");
  EXPECT_EQ(response->status, 500);
  EXPECT_EQ(response->flags, "DI,FI");
  EXPECT_EQ(Stats().delays_injected, 1u);
  EXPECT_EQ(Stats().aborts_injected, 1u);
}

TEST_P(FaultInjectionTest, StreamsWaitToo) {
  text_.filters = Filter(Delay("0.02s"));
  Start();
  backends_[0]->SetAnswer(meshlib::testing::BackendAnswer::Echo());
  http::Request request;
  request.method = "POST";
  request.url = "http://echo/";
  auto stream = client_->Open(request);
  ASSERT_TRUE(stream->Write("first ").ok());
  ASSERT_TRUE(stream->Write("second").ok());
  ASSERT_TRUE(stream->CloseWrite().ok());
  const auto head = stream->ReadHead();
  ASSERT_TRUE(head.ok()) << head.status();
  EXPECT_EQ(head->flags, "DI");
  std::string all;
  for (std::string bytes; *stream->Read(bytes);) all += bytes;
  EXPECT_EQ(all, "first second");
}

TEST_P(FaultInjectionTest, ADelayedCallCanBeCancelled) {
  text_.filters = Filter(Delay("1000s"));
  Start();
  http::Request request;
  request.url = "http://echo/";
  std::promise<absl::StatusCode> code;
  auto handle = client_->SendAsync(
      request, [&](auto result) { code.set_value(result.status().code()); });
  handle.Cancel();
  EXPECT_EQ(code.get_future().get(), absl::StatusCode::kCancelled);
}

TEST_P(FaultInjectionTest, PicksWaitAndGoOn) {
  text_.filters = Filter(absl::StrCat(Delay("5s"), ", max_active_faults: 1"));
  Start();
  const Target target = *mesh_->Resolve("echo");
  PickResult pick = target.Pick();
  EXPECT_EQ(pick.failure, PickFailure::kDelayed);
  EXPECT_EQ(pick.fault.delay, absl::Seconds(5));
  EXPECT_EQ(pick.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(Stats().active, 1);
  // One may be active at a time: others go on at once.
  EXPECT_TRUE(target.Pick().ok());
  EXPECT_EQ(Stats().overflow, 1u);
  pick = target.Pick({}, std::move(pick.token));
  EXPECT_TRUE(pick.ok());
  EXPECT_EQ(Stats().active, 1);
  target.Report(pick.token, Outcome::Ok());
  pick.token = PickToken();
  EXPECT_EQ(Stats().active, 0);
}

TEST_P(FaultInjectionTest, ARequestKeepsItsRouteWhileItWaits) {
  text_.filters = Filter("");
  text_.more_routes = absl::StrCat(
      "              - {match: {prefix: /}, route: {weighted_clusters: "
      "{clusters: [{name: c, weight: 1, ",
      Override(Delay("1s")), "}, {name: other, weight: 1}]}}}");
  text_.more_clusters =
      "  - {name: other, type: STATIC, load_assignment: {cluster_name: other, "
      "endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: "
      "{address: 127.0.0.1, port_value: 9}}}}]}]}}\n";
  Start();
  const Target target = *mesh_->Resolve("echo");
  int delayed = 0;
  for (int i = 0; i < 100; ++i) {
    PickResult pick = target.Pick();
    if (pick.failure == PickFailure::kDelayed) {
      ++delayed;
      pick = target.Pick({}, std::move(pick.token));
      ASSERT_TRUE(pick.ok());
      EXPECT_EQ(pick.cluster, "c");
    } else {
      EXPECT_EQ(pick.cluster, "other");
    }
  }
  EXPECT_NEAR(delayed, 50, 30);
}

TEST_P(FaultInjectionTest, ExplainTellsOfFaults) {
  text_.filters = Filter(
      "delay: {fixed_delay: 2s, percentage: {numerator: 10}}, abort: "
      "{http_status: 503, percentage: {numerator: 5, denominator: "
      "TEN_THOUSAND}}");
  text_.more_routes = Route("/all", Override(Abort(500)));
  Start();
  const Target target = *mesh_->Resolve("echo");
  Request request;
  Explanation found = target.Explain(request);
  ASSERT_EQ(found.faults.size(), 1u);
  EXPECT_EQ(found.faults[0].filter, "faults");
  EXPECT_EQ(found.faults[0].delay, absl::Seconds(2));
  EXPECT_DOUBLE_EQ(found.faults[0].delay_probability, 0.1);
  EXPECT_EQ(found.faults[0].http_status, 503u);
  EXPECT_DOUBLE_EQ(found.faults[0].abort_probability, 0.0005);
  EXPECT_TRUE(found.pick.has_value());
  request.path = "/all";
  found = target.Explain(request);
  EXPECT_FALSE(found.pick.has_value());
  EXPECT_EQ(found.response->status, 500u);
  EXPECT_THAT(found.failure, HasSubstr("fault"));
}

}  // namespace
}  // namespace meshlib::client
