// What a cluster's configuration says of connections, seen from its hosts.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>

#include "meshlib/http.h"
#include "test/client/test_mesh.h"

namespace meshlib::client {
namespace {

using meshlib::testing::Backend;
using meshlib::testing::BackendAnswer;
using ::testing::HasSubstr;

class HttpConnectionsTest : public ::testing::TestWithParam<bool> {
 protected:
  HttpConnectionsTest() { text_.http2 = GetParam(); }

  void StartBackends(size_t count) {
    backends_ = *meshlib::testing::StartBackends(count);
    text_.addresses = meshlib::testing::BackendAddresses(backends_);
  }
  void StartMesh() {
    MeshOptions options;
    options.io_threads = 1;
    options.config_text = text_.ToString();
    auto mesh = Mesh::Create(std::move(options));
    ASSERT_TRUE(mesh.ok()) << mesh.status();
    mesh_ = *std::move(mesh);
    client_ = *http::Client::Create(*mesh_);
  }
  absl::StatusOr<http::Response> Get() { return client_->Get("http://echo/"); }
  std::future<absl::StatusOr<http::Response>> GetAsync() {
    http::Request request;
    request.url = "http://echo/";
    auto promise =
        std::make_shared<std::promise<absl::StatusOr<http::Response>>>();
    client_->SendAsync(request, [promise](auto response) {
      promise->set_value(std::move(response));
    });
    return promise->get_future();
  }

  MeshText text_;
  std::vector<std::unique_ptr<Backend>> backends_;
  std::unique_ptr<Mesh> mesh_;
  std::optional<http::Client> client_;
};

INSTANTIATE_TEST_SUITE_P(Http, HttpConnectionsTest, ::testing::Bool(),
                         [](const auto& info) {
                           return info.param ? "Http2" : "Http1";
                         });

TEST_P(HttpConnectionsTest, ReachesAHostAtWhicheverOfItsAddressesAnswers) {
  StartBackends(2);
  backends_[0]->StopListening();
  text_.addresses = {backends_[0]->address() + "," + backends_[1]->address()};
  StartMesh();
  const auto response = Get();
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->attempts, 1u);
  // A host is named by the first of its addresses.
  EXPECT_EQ(response->host, backends_[0]->address());
  EXPECT_EQ(backends_[1]->Counts().requests, 1u);
}

TEST_P(HttpConnectionsTest, NamesAllAddressesOfAHostThatNobodyReaches) {
  StartBackends(2);
  for (const auto& backend : backends_) backend->StopListening();
  text_.addresses = {backends_[0]->address() + "," + backends_[1]->address()};
  StartMesh();
  const absl::Status status = Get().status();
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  for (const auto& backend : backends_) {
    EXPECT_THAT(std::string(status.message()),
                HasSubstr(backend->address() + ": "));
  }
}

TEST_P(HttpConnectionsTest, KeepsToTheConnectionsThatAHostMayHave) {
  StartBackends(1);
  text_.per_host = "max_connections: 2";
  text_.http2_options = "max_concurrent_streams: 1";
  StartMesh();
  backends_[0]->SetAnswer(BackendAnswer::After(absl::Milliseconds(50)));
  std::vector<std::future<absl::StatusOr<http::Response>>> responses;
  for (int i = 0; i < 8; ++i) responses.push_back(GetAsync());
  for (auto& response : responses) {
    const auto got = response.get();
    EXPECT_TRUE(got.ok()) << got.status();
  }
  EXPECT_EQ(backends_[0]->Counts().connections, 2u);
  EXPECT_EQ(backends_[0]->Counts().most_open_requests, 2u);
}

TEST_P(HttpConnectionsTest, TakesNewLimitsWithoutLosingConnections) {
  StartBackends(1);
  text_.thresholds = "max_connections: 1, max_requests: 10000";
  text_.http2_options = "max_concurrent_streams: 1";
  StartMesh();
  backends_[0]->SetAnswer(BackendAnswer::After(absl::Milliseconds(50)));
  const auto ask = [&](size_t count) {
    std::vector<std::future<absl::StatusOr<http::Response>>> responses;
    for (size_t i = 0; i < count; ++i) responses.push_back(GetAsync());
    for (auto& response : responses) {
      const auto got = response.get();
      EXPECT_TRUE(got.ok()) << got.status();
    }
  };
  ask(4);
  EXPECT_EQ(backends_[0]->Counts().connections, 1u);
  text_.thresholds = "max_connections: 3, max_requests: 10000";
  ASSERT_TRUE(mesh_->ReloadText(text_.ToString()).ok());
  ask(8);
  // The first one stayed.
  EXPECT_EQ(backends_[0]->Counts().connections, 3u);
}

TEST_P(HttpConnectionsTest, EndsAttemptsThatTakeLongerThanMaxStreamDuration) {
  StartBackends(1);
  text_.http_options =
      "common_http_protocol_options: {max_stream_duration: 0.05s}";
  text_.action =
      "timeout: 0s, retry_policy: {retry_on: reset, num_retries: 2, "
      "retry_back_off: {base_interval: 0.001s}}";
  StartMesh();
  backends_[0]->Script({BackendAnswer::Failing(BackendAnswer::Fault::kStall),
                        BackendAnswer::Failing(BackendAnswer::Fault::kStall)});
  const auto response = Get();
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->attempts, 3u);
  // Once the response has begun there is nothing to try again.
  BackendAnswer begun =
      BackendAnswer::Failing(BackendAnswer::Fault::kStallAfterHeaders);
  begun.body = "rest";
  backends_[0]->SetAnswer(begun);
  const absl::Status late = Get().status();
  EXPECT_TRUE(absl::IsDeadlineExceeded(late)) << late;
  EXPECT_EQ(backends_[0]->Counts().requests, 4u);
}

}  // namespace
}  // namespace meshlib::client
