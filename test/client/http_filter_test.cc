// The application's filters: what they see, in which order, on every kind of
// call.

#include "meshlib/http_filter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <mutex>

#include "meshlib/grpc_bytes.h"
#include "meshlib/http.h"
#include "meshlib/http_stream.h"
#include "test/client/test_mesh.h"

namespace meshlib::client {
namespace {

using http::Filter;
using http::FilteredRequest;
using meshlib::testing::BackendAnswer;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// What filters wrote down, from any thread.
class Log {
 public:
  void Add(std::string line) {
    const std::lock_guard<std::mutex> lock(mutex_);
    lines_.push_back(std::move(line));
  }
  std::vector<std::string> Take() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return std::exchange(lines_, {});
  }

 private:
  std::mutex mutex_;
  std::vector<std::string> lines_;
};

// Writes down what it sees, leaves its name, and does what the path says.
class Recorder final : public Filter {
 public:
  Recorder(Log& log, std::string name) : log_(log), name_(std::move(name)) {}

  Verdict OnRequest(FilteredRequest& request) override {
    log_.Add(
        absl::StrCat(name_, " request ", request.method, " ", request.path));
    request.headers.Add("x-seen", name_);
    if (request.path == absl::StrCat("/answer-", name_)) {
      http::Response response;
      response.status = 299;
      response.body = "by " + name_;
      response.trailers.Add("x-trailer", "own");
      return response;
    }
    if (request.path == absl::StrCat("/fail-", name_)) {
      return absl::PermissionDeniedError("by " + name_);
    }
    if (request.path == "/rewrite") request.path = "/rewritten?x=1";
    return std::nullopt;
  }
  void OnResponse(http::ResponseHead& head) override {
    log_.Add(absl::StrCat(name_, " response ", head.status));
    head.headers.Add("x-passed", name_);
  }
  void OnEnd(const absl::Status& status, http::Headers& trailers) override {
    log_.Add(absl::StrCat(name_, " end ",
                          absl::StatusCodeToString(status.code()),
                          trailers.empty() ? "" : " ",
                          std::string(trailers.Get("x-trailer").value_or(""))));
    if (!trailers.empty()) trailers.Add("x-end", name_);
  }

 private:
  Log& log_;
  const std::string name_;
};

class HttpFilterTest : public ::testing::TestWithParam<bool> {
 protected:
  void Start(size_t hosts = 1) {
    text_.http2 = GetParam();
    backends_ = *meshlib::testing::StartBackends(hosts);
    text_.addresses = meshlib::testing::BackendAddresses(backends_);
    mesh_ = MeshOf(text_);
    ASSERT_NE(mesh_, nullptr);
    for (const char* name : {"a", "b"}) {
      options_.filters.push_back(
          [this, name] { return std::make_unique<Recorder>(log_, name); });
    }
    client_ = *http::Client::Create(*mesh_, options_);
  }

  MeshText text_;
  Log log_;
  http::ClientOptions options_;
  std::vector<std::unique_ptr<meshlib::testing::Backend>> backends_;
  std::unique_ptr<Mesh> mesh_;
  std::optional<http::Client> client_;
};

INSTANTIATE_TEST_SUITE_P(Http, HttpFilterTest, ::testing::Bool(),
                         [](const auto& info) {
                           return info.param ? "Http2" : "Http1";
                         });

std::vector<std::string> All(const http::Headers& headers,
                             std::string_view name) {
  std::vector<std::string> values;
  for (size_t i = 0; i < headers.size(); ++i) {
    if (headers[i].name == name) values.emplace_back(headers[i].value);
  }
  return values;
}

TEST_P(HttpFilterTest, RequestsPassInOrderAndResponsesInTheOpposite) {
  Start();
  const auto response = client_->Get("http://echo/x");
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_THAT(All(response->headers, "x-passed"), ElementsAre("b", "a"));
  EXPECT_THAT(log_.Take(), ElementsAre("a request GET /x", "b request GET /x",
                                       "b response 200", "a response 200",
                                       "b end OK", "a end OK"));
  std::vector<std::string> seen;
  const auto last = backends_[0]->LastRequest();
  for (const auto& [name, value] : last->headers) {
    if (name == "x-seen") seen.push_back(value);
  }
  EXPECT_THAT(seen, ElementsAre("a", "b"));
}

TEST_P(HttpFilterTest, PathsAreRoutedAsFiltersLeaveThem) {
  text_.more_routes =
      "              - {match: {path: /rewritten}, direct_response: {status: "
      "201}}";
  Start();
  EXPECT_EQ(client_->Get("http://echo/rewrite")->status, 201);
  EXPECT_THAT(
      log_.Take(),
      ElementsAre("a request GET /rewrite", "b request GET /rewritten?x=1",
                  "b response 201", "a response 201", "b end OK", "a end OK"));
}

TEST_P(HttpFilterTest, ACallPassesOnceWhateverItsRetries) {
  text_.action = absl::StrCat("timeout: 10s, ", kRetries);
  Start(2);
  for (const auto& backend : backends_) {
    backend->Script({BackendAnswer::Status(503)});
  }
  const auto response = client_->Get("http://echo/x");
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->status, 200);
  EXPECT_EQ(response->attempts, 3u);
  EXPECT_EQ(log_.Take().size(), 6u);
}

TEST_P(HttpFilterTest, AFilterAnswersInTheHostsPlace) {
  Start();
  const auto response = client_->Get("http://echo/answer-b");
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->status, 299);
  EXPECT_EQ(response->body, "by b");
  EXPECT_EQ(response->trailers.Get("x-trailer"), "own");
  EXPECT_THAT(All(response->headers, "x-passed"), ElementsAre("a"));
  EXPECT_THAT(log_.Take(),
              ElementsAre("a request GET /answer-b", "b request GET /answer-b",
                          "a response 299", "b end OK own", "a end OK own"));
  client_->Get("http://echo/answer-a").IgnoreError();
  EXPECT_THAT(log_.Take(),
              ElementsAre("a request GET /answer-a", "a end OK own"));
  EXPECT_EQ(backends_[0]->Counts().requests, 0u);
}

TEST_P(HttpFilterTest, AFilterFailsTheCall) {
  Start();
  EXPECT_EQ(client_->Get("http://echo/fail-b").status(),
            absl::PermissionDeniedError("by b"));
  EXPECT_THAT(
      log_.Take(),
      ElementsAre("a request GET /fail-b", "b request GET /fail-b",
                  "b end PERMISSION_DENIED", "a end PERMISSION_DENIED"));
}

TEST_P(HttpFilterTest, FailuresOfTheCallAreTold) {
  Start();
  backends_[0]->Kill();
  EXPECT_EQ(client_->Get("http://echo/x").status().code(),
            absl::StatusCode::kUnavailable);
  EXPECT_THAT(log_.Take(),
              ElementsAre("a request GET /x", "b request GET /x",
                          "b end UNAVAILABLE", "a end UNAVAILABLE"));
  // Also of one that never was.
  http::Request bad;
  bad.url = "http://echo/x";
  bad.headers.Add("bad name", "x");
  EXPECT_EQ(client_->Send(bad).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(log_.Take(),
              ElementsAre("a request GET /x", "b request GET /x",
                          "b end INVALID_ARGUMENT", "a end INVALID_ARGUMENT"));
}

TEST_P(HttpFilterTest, CallbacksPassToo) {
  Start();
  for (const char* path : {"/x", "/answer-a", "/fail-a"}) {
    http::Request request;
    request.url = absl::StrCat("http://echo", path);
    std::promise<absl::StatusOr<http::Response>> done;
    client_->SendAsync(
        request, [&](auto response) { done.set_value(std::move(response)); });
    const auto response = done.get_future().get();
    EXPECT_EQ(response.ok(), path != std::string("/fail-a"));
    EXPECT_EQ(log_.Take().size(), path == std::string("/x") ? 6u : 2u);
  }
}

TEST_P(HttpFilterTest, StreamsPassToo) {
  Start();
  BackendAnswer answer = BackendAnswer::Echo();
  answer.trailers = {{"x-trailer", "end"}};
  backends_[0]->SetAnswer(answer);
  http::Request request;
  request.method = "POST";
  request.url = "http://echo/x";
  auto stream = client_->Open(request);
  ASSERT_TRUE(stream.ok()) << stream.status();
  ASSERT_TRUE(stream->Write("body").ok());
  const auto head = stream->ReadHead();
  ASSERT_TRUE(head.ok()) << head.status();
  EXPECT_THAT(All(head->headers, "x-passed"), ElementsAre("b", "a"));
  EXPECT_THAT(log_.Take(), ElementsAre("a request POST /x", "b request POST /x",
                                       "b response 200", "a response 200"));
  ASSERT_TRUE(stream->CloseWrite().ok());
  for (std::string bytes; *stream->Read(bytes);) {
  }
  EXPECT_THAT(All(stream->trailers(), "x-end"), ElementsAre("b", "a"));
  EXPECT_THAT(log_.Take(), ElementsAre("b end OK end", "a end OK end"));

  request.url = "http://echo/answer-a";
  auto answered = client_->Open(request);
  ASSERT_TRUE(answered.ok());
  EXPECT_EQ(answered->ReadHead()->status, 299);
}

TEST_P(HttpFilterTest, AStreamThatIsGivenUpEnds) {
  Start();
  backends_[0]->SetAnswer(BackendAnswer::Failing(BackendAnswer::Fault::kStall));
  http::Request request;
  request.url = "http://echo/x";
  {
    auto stream = client_->Open(request, http::Client::Body::kWhole);
    ASSERT_TRUE(stream.ok());
  }
  EXPECT_THAT(log_.Take(), ElementsAre("a request GET /x", "b request GET /x",
                                       "b end CANCELLED", "a end CANCELLED"));
}

TEST_P(HttpFilterTest, InjectedFaultsPassToo) {
  text_.filters =
      "- {name: f, typed_config: {'@type': "
      "type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault, "
      "abort: {http_status: 418, percentage: {numerator: 100}}, headers: "
      "[{name: x-seen, string_match: {exact: b}}]}}";
  Start();
  EXPECT_EQ(client_->Get("http://echo/x")->status, 418);
  EXPECT_EQ(log_.Take().size(), 6u);
}

TEST_P(HttpFilterTest, CopiesForMirrorsPassNone) {
  text_.action = "timeout: 10s, request_mirror_policies: [{cluster: shadow}]";
  text_.more_clusters = "  - {name: shadow, type: STATIC}\n";
  Start();
  EXPECT_EQ(client_->Get("http://echo/x")->status, 200);
  EXPECT_EQ(log_.Take().size(), 6u);
}

TEST_P(HttpFilterTest, HostsHaveFiltersToo) {
  Start();
  backends_[0]->AddFilter([](const auto& request, BackendAnswer& answer) {
    if (request.path == "/forbidden") answer = BackendAnswer::Status(403);
  });
  backends_[0]->AddFilter([](const auto& request, BackendAnswer& answer) {
    answer.headers.emplace_back("x-added", request.Get("x-seen"));
  });
  const auto response = client_->Get("http://echo/forbidden");
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->status, 403);
  EXPECT_EQ(response->headers.Get("x-added"), "a");
  EXPECT_EQ(client_->Get("http://echo/x")->status, 200);
}

TEST(HttpHeaders, AreSetAndRemoved) {
  http::Headers headers{{"A", "1"}, {"b", "2"}, {"a", "3"}};
  headers.Set("a", "4");
  EXPECT_EQ(headers.size(), 2u);
  EXPECT_EQ(headers.Get("a"), "4");
  EXPECT_EQ(headers[1].value, "2");
  headers.Set("c", "5");
  EXPECT_TRUE(headers.Remove("B"));
  EXPECT_FALSE(headers.Remove("b"));
  EXPECT_EQ(headers.Get("c"), "5");
  EXPECT_EQ(headers.size(), 2u);
}

}  // namespace
}  // namespace meshlib::client
