#include "meshlib/http.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <thread>

#include "test/client/test_mesh.h"

namespace meshlib::client {
namespace {

using meshlib::testing::Backend;
using meshlib::testing::BackendAnswer;
using ::testing::HasSubstr;

// Both protocols keep the same promises.
class HttpClientTest : public ::testing::TestWithParam<bool> {
 protected:
  HttpClientTest() { text_.http2 = GetParam(); }

  void StartBackends(size_t count) {
    backends_ = *meshlib::testing::StartBackends(count);
    text_.addresses = meshlib::testing::BackendAddresses(backends_);
  }

  void StartMesh(MeshOptions options = {}) {
    options.config_text = text_.ToString();
    auto mesh = Mesh::Create(std::move(options));
    ASSERT_TRUE(mesh.ok()) << mesh.status();
    mesh_ = *std::move(mesh);
    auto client = http::Client::Create(*mesh_, client_options_);
    ASSERT_TRUE(client.ok()) << client.status();
    client_ = *client;
  }

  void Start(size_t count) {
    StartBackends(count);
    StartMesh();
  }

  absl::StatusOr<http::Response> Get(std::string_view path) {
    return client_->Get(absl::StrCat("http://echo", std::string(path)));
  }

  MeshText text_;
  http::ClientOptions client_options_;
  std::vector<std::unique_ptr<Backend>> backends_;
  std::unique_ptr<Mesh> mesh_;
  std::optional<http::Client> client_;
};

INSTANTIATE_TEST_SUITE_P(Http, HttpClientTest, ::testing::Bool(),
                         [](const auto& info) {
                           return info.param ? "Http2" : "Http1";
                         });

TEST_P(HttpClientTest, GivesTheResponseOfAHost) {
  Start(1);
  BackendAnswer answer = BackendAnswer::Status(201, "made");
  answer.headers = {{"x-color", "blue"}};
  backends_[0]->SetAnswer(answer);
  const auto response = Get("/thing?x=1");
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->status, 201);
  EXPECT_EQ(response->body, "made");
  EXPECT_EQ(response->headers.Get("X-Color"), "blue");
  EXPECT_EQ(response->attempts, 1u);
  EXPECT_EQ(response->host, backends_[0]->address());
  EXPECT_EQ(response->cluster, "c");
  const auto seen = backends_[0]->LastRequest();
  EXPECT_EQ(seen->path, "/thing?x=1");
  EXPECT_EQ(seen->authority, "echo");
  EXPECT_EQ(seen->method, "GET");
  EXPECT_EQ(seen->http_version, GetParam() ? 2 : 1);
}

TEST_P(HttpClientTest, SendsHeadersInLowerCaseWithoutThoseOfAConnection) {
  Start(1);
  http::Request request;
  request.url = "http://echo/";
  request.headers = {{"X-Thing", "a"},
                     {"Connection", "x-thing"},
                     {"Keep-Alive", "5"},
                     {"x-envoy-max-retries", "3"},
                     {"Host", "other.host"}};
  ASSERT_TRUE(client_->Send(request).ok());
  const auto seen = backends_[0]->LastRequest();
  EXPECT_EQ(seen->Get("x-thing"), "a");
  EXPECT_EQ(seen->Get("keep-alive"), "");
  EXPECT_EQ(seen->Get("x-envoy-max-retries"), "");
  EXPECT_EQ(seen->authority, "other.host");
}

TEST_P(HttpClientTest, SendsHeadersAsTheListenerHasThem) {
  text_.connection_manager =
      "scheme_header_transformation: {scheme_to_overwrite: https}";
  Start(1);
  http::Request request;
  request.url = "http://echo/";
  request.headers = {{"x-forwarded-proto", "http"}, {"x-thing", "a"}};
  ASSERT_TRUE(client_->Send(request).ok());
  const auto seen = backends_[0]->LastRequest();
  EXPECT_EQ(seen->Get("x-forwarded-proto"), "https");
  EXPECT_EQ(seen->Get("x-thing"), "a");
}

TEST_P(HttpClientTest, UsesOneConnectionForCallsOneAfterTheOther) {
  Start(1);
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(Get("/").ok());
  EXPECT_EQ(backends_[0]->Counts().connections, 1u);
  EXPECT_EQ(backends_[0]->Counts().requests, 50u);
}

TEST_P(HttpClientTest, KeepsConnectionsThroughAReload) {
  Start(1);
  ASSERT_TRUE(Get("/").ok());
  ASSERT_TRUE(mesh_->ReloadText(text_.ToString()).ok());
  ASSERT_TRUE(Get("/").ok());
  text_.action = "timeout: 1s";  // not a matter of connections
  ASSERT_TRUE(mesh_->ReloadText(text_.ToString()).ok());
  ASSERT_TRUE(Get("/").ok());
  EXPECT_EQ(backends_[0]->Counts().connections, 1u);
  text_.cluster = "max_requests_per_connection: 7";
  ASSERT_TRUE(mesh_->ReloadText(text_.ToString()).ok());
  ASSERT_TRUE(Get("/").ok());
  EXPECT_EQ(backends_[0]->Counts().connections, 2u);
  EXPECT_TRUE(backends_[0]->WaitFor(
      [](const auto& counts) { return counts.open_connections == 1; }));
}

TEST_P(HttpClientTest, TakesSoManyRequestsPerConnection) {
  text_.cluster = "max_requests_per_connection: 5";
  Start(1);
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(Get("/").ok());
  EXPECT_EQ(backends_[0]->Counts().connections, 4u);
}

TEST_P(HttpClientTest, CarriesLargeBodiesBothWays) {
  Start(1);
  backends_[0]->SetAnswer(BackendAnswer::Echo());
  std::string body;
  for (int i = 0; body.size() < (3u << 20); ++i) absl::StrAppend(&body, i, ",");
  http::Request request;
  request.method = "POST";
  request.url = "http://echo/upload";
  request.body = body;
  const auto response = client_->Send(request);
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_TRUE(response->body == body);
}

TEST_P(HttpClientTest, RefusesAResponseBeyondItsLimit) {
  client_options_.max_response_body = 1000;
  Start(1);
  http::Request request;
  request.url = "http://echo/";
  request.headers = {{"x-backend-body-bytes", "1001"}};
  EXPECT_EQ(client_->Send(request).status().code(),
            absl::StatusCode::kResourceExhausted);
  request.headers = {{"x-backend-body-bytes", "1000"}};
  const auto response = client_->Send(request);
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->body.size(), 1000u);
}

TEST_P(HttpClientTest, AnswersByTheRouteItselfWhereItDoesNotForward) {
  text_.more_routes = R"(
              - match: {prefix: /old}
                redirect: {path_redirect: /new, response_code: FOUND}
              - match: {prefix: /health}
                direct_response: {status: 204, body: {inline_string: fine}}
)";
  Start(1);
  const auto moved = Get("/old");
  ASSERT_TRUE(moved.ok()) << moved.status();
  EXPECT_EQ(moved->status, 302);
  EXPECT_EQ(moved->headers.Get("location"), "http://echo/new");
  EXPECT_EQ(moved->attempts, 0u);
  const auto direct = Get("/health");
  ASSERT_TRUE(direct.ok()) << direct.status();
  EXPECT_EQ(direct->status, 204);
  EXPECT_EQ(direct->body, "fine");
  EXPECT_EQ(backends_[0]->Counts().requests, 0u);
}

TEST_P(HttpClientTest, RewritesAsTheRouteSays) {
  text_.action =
      "prefix_rewrite: /v2/, host_rewrite_literal: inner, timeout: 3s";
  text_.virtual_host =
      "request_headers_to_add: [{header: {key: X-Mesh, value: '1'}}]\n"
      "              response_headers_to_remove: [x-backend]";
  Start(1);
  const auto response = Get("/a");
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->headers.Get("x-backend"), std::nullopt);
  const auto seen = backends_[0]->LastRequest();
  EXPECT_EQ(seen->path, "/v2/a");
  EXPECT_EQ(seen->authority, "inner");
  EXPECT_EQ(seen->Get("x-mesh"), "1");
  EXPECT_EQ(seen->Get("x-envoy-original-path"), "/a");
}

TEST_P(HttpClientTest, SendsCopiesWhereTheRouteMirrors) {
  const auto other = *Backend::Start();
  other->SetAnswer(BackendAnswer::Failing(BackendAnswer::Fault::kStall));
  text_.action =
      "prefix_rewrite: /v2/, timeout: 3s, request_mirror_policies: "
      "[{cluster: copies}, {cluster: copies, "
      "runtime_fraction: {default_value: {numerator: 0}}}]";
  text_.more_clusters = absl::StrCat(
      "  - {name: copies, load_assignment: {cluster_name: copies, endpoints: "
      "[{lb_endpoints: [{endpoint: {address: {socket_address: {address: "
      "127.0.0.1, port_value: ",
      other->port(), "}}}}]}]}}\n");
  Start(1);
  const auto response =
      client_->Post("http://echo/thing", "the body", "text/plain");
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->host, backends_[0]->address());
  // Nobody waits for the copy, and what becomes of it does not matter.
  ASSERT_TRUE(other->WaitFor(
      [](const auto& counts) { return counts.complete_requests == 1; }));
  EXPECT_EQ(other->LastRequest()->authority, "echo-shadow");
  EXPECT_EQ(other->LastRequest()->path, "/v2/thing");
  EXPECT_EQ(other->LastRequest()->body, "the body");
  EXPECT_EQ(other->Counts().requests, 1u);
  EXPECT_EQ(backends_[0]->Counts().requests, 1u);
}

TEST_P(HttpClientTest, RefusesRequestsThatCannotBeSent) {
  Start(1);
  struct Case {
    const char* url;
    Header header;
  };
  for (const Case& c :
       {Case{"echo/", {"a", "b"}}, Case{"ftp://echo/", {"a", "b"}},
        Case{"http:///x", {"a", "b"}}, Case{"http://echo/a b", {"a", "b"}},
        Case{"http://echo/", {"a b", "c"}},
        Case{"http://echo/", {"a", "b\r\nc: d"}}}) {
    http::Request request;
    request.url = c.url;
    request.headers = {c.header};
    EXPECT_EQ(client_->Send(request).status().code(),
              absl::StatusCode::kInvalidArgument)
        << c.url;
    std::promise<absl::Status> told;
    client_->SendAsync(
        request, [&](auto response) { told.set_value(response.status()); });
    EXPECT_EQ(told.get_future().get().code(),
              absl::StatusCode::kInvalidArgument);
  }
  EXPECT_EQ(backends_[0]->Counts().requests, 0u);
}

TEST_P(HttpClientTest, SaysWhyThereIsNoHost) {
  StartMesh();
  const absl::Status status = Get("/").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr("no hosts"));
  EXPECT_EQ(client_->Get("http://cluster:nowhere/").status().code(),
            absl::StatusCode::kNotFound);
}

TEST_P(HttpClientTest, AnswersCallbacksOnceAndOffTheCallersStack) {
  Start(2);
  constexpr int kCalls = 2000;
  std::atomic<int> started{0};
  std::atomic<int> good{0};
  std::promise<void> all;
  std::function<void()> next = [&] {
    if (started.fetch_add(1) >= kCalls) return;
    http::Request request;
    request.url = "http://echo/";
    client_->SendAsync(std::move(request), [&](auto response) {
      EXPECT_TRUE(response.ok()) << response.status();
      next();
      if (good.fetch_add(1) + 1 == kCalls) all.set_value();
    });
  };
  for (int i = 0; i < 32; ++i) next();
  all.get_future().wait();
  EXPECT_EQ(backends_[0]->Counts().requests + backends_[1]->Counts().requests,
            static_cast<uint64_t>(kCalls));
}

TEST_P(HttpClientTest, LetsManyThreadsBlock) {
  Start(2);
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 200; ++i) {
        http::Request request;
        request.method = "POST";
        request.url = "http://echo/";
        request.headers = {{"x-backend-echo", "1"}};
        request.body = absl::StrCat(t, ":", i);
        const auto response = client_->Send(request);
        ASSERT_TRUE(response.ok()) << response.status();
        ASSERT_EQ(response->body, request.body);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_P(HttpClientTest, MixesBlockingAndCallbackCalls) {
  Start(1);
  std::atomic<bool> stop{false};
  std::atomic<int> running{0};
  std::function<void()> next = [&] {
    ++running;
    http::Request request;
    request.url = "http://echo/async";
    client_->SendAsync(std::move(request), [&](auto response) {
      EXPECT_TRUE(response.ok()) << response.status();
      if (!stop) next();
      --running;
    });
  };
  for (int i = 0; i < 4; ++i) next();
  for (int i = 0; i < 500; ++i) ASSERT_TRUE(Get("/sync").ok());
  stop = true;
  while (running != 0) std::this_thread::yield();
}

TEST_P(HttpClientTest, RefusesToBlockItsOwnThread) {
  Start(1);
  std::promise<absl::Status> inner;
  http::Request request;
  request.url = "http://echo/";
  client_->SendAsync(request, [&](auto response) {
    inner.set_value(client_->Get("http://echo/inner").status());
  });
  EXPECT_EQ(inner.get_future().get().code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(Get("/").ok());
}

TEST_P(HttpClientTest, CancelsACall) {
  Start(1);
  backends_[0]->SetAnswer(BackendAnswer::Failing(BackendAnswer::Fault::kStall));
  std::promise<absl::Status> told;
  http::Request request;
  request.url = "http://echo/";
  http::CallHandle call = client_->SendAsync(
      request, [&](auto response) { told.set_value(response.status()); });
  ASSERT_TRUE(backends_[0]->WaitForRequests(1));
  call.Cancel();
  call.Cancel();
  EXPECT_EQ(told.get_future().get().code(), absl::StatusCode::kCancelled);
  // The host learns of it.
  EXPECT_TRUE(backends_[0]->WaitFor(
      [](const auto& counts) { return counts.open_requests == 0; }));
}

TEST_P(HttpClientTest, FailsWhatRunsWhenTheMeshShutsDown) {
  Start(1);
  backends_[0]->SetAnswer(BackendAnswer::Failing(BackendAnswer::Fault::kStall));
  std::promise<absl::Status> told;
  http::Request request;
  request.url = "http://echo/";
  client_->SendAsync(request,
                     [&](auto response) { told.set_value(response.status()); });
  std::thread blocked([&] { EXPECT_FALSE(Get("/").ok()); });
  ASSERT_TRUE(backends_[0]->WaitForRequests(2));
  mesh_->Shutdown();
  blocked.join();
  EXPECT_FALSE(told.get_future().get().ok());
  EXPECT_EQ(Get("/").status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_P(HttpClientTest, LimitsRequestsAsTheBreakersSay) {
  text_.thresholds = "max_requests: 1";
  Start(1);
  backends_[0]->SetAnswer(BackendAnswer::Failing(BackendAnswer::Fault::kStall));
  std::promise<absl::Status> told;
  http::Request request;
  request.url = "http://echo/";
  client_->SendAsync(request,
                     [&](auto response) { told.set_value(response.status()); });
  ASSERT_TRUE(backends_[0]->WaitForRequests(1));
  EXPECT_EQ(Get("/").status().code(), absl::StatusCode::kResourceExhausted);
  backends_[0]->Release();
  EXPECT_TRUE(told.get_future().get().ok());
  backends_[0]->SetAnswer({});
  EXPECT_TRUE(Get("/").ok());
}

}  // namespace
}  // namespace meshlib::client
