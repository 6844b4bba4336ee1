// Hosts that fail, and what that costs the calls: counted at both ends.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <thread>

#include "meshlib/http.h"
#include "test/client/test_mesh.h"

namespace meshlib::client {
namespace {

using meshlib::testing::Backend;
using meshlib::testing::BackendAnswer;
using Fault = BackendAnswer::Fault;
using ::testing::HasSubstr;

class HttpFaultsTest : public ::testing::TestWithParam<bool> {
 protected:
  void Start(size_t count, const std::string& action = kRetries,
             const std::string& cluster = "",
             const std::string& virtual_host = "") {
    backends_ = *meshlib::testing::StartBackends(count);
    MeshText text;
    text.http2 = GetParam();
    text.addresses = meshlib::testing::BackendAddresses(backends_);
    text.action = action;
    text.cluster = cluster;
    text.virtual_host = virtual_host;
    mesh_ = MeshOf(text);
    ASSERT_NE(mesh_, nullptr);
    client_ = *http::Client::Create(*mesh_);
  }

  uint64_t Requests() const {
    uint64_t sum = 0;
    for (const auto& backend : backends_) sum += backend->Counts().requests;
    return sum;
  }

  absl::StatusOr<http::Response> Get() { return client_->Get("http://echo/"); }

  std::vector<std::unique_ptr<Backend>> backends_;
  std::unique_ptr<Mesh> mesh_;
  std::optional<http::Client> client_;
};

INSTANTIATE_TEST_SUITE_P(Http, HttpFaultsTest, ::testing::Bool(),
                         [](const auto& info) {
                           return info.param ? "Http2" : "Http1";
                         });

TEST_P(HttpFaultsTest, TriesAnotherHostAfterFailuresThatThePolicyNames) {
  for (const BackendAnswer& failure :
       {BackendAnswer::Status(503),
        BackendAnswer::Failing(Fault::kResetBeforeHeaders),
        BackendAnswer::Failing(Fault::kAbortBeforeHeaders),
        BackendAnswer::Failing(Fault::kGoAwayError),
        BackendAnswer::Failing(Fault::kGarbage)}) {
    Start(2);
    backends_[0]->SetAnswer(failure);
    for (int i = 0; i < 10; ++i) {
      const auto response = Get();
      ASSERT_TRUE(response.ok())
          << static_cast<int>(failure.fault) << ": " << response.status();
      EXPECT_EQ(response->status, 200);
      EXPECT_EQ(response->host, backends_[1]->address());
    }
    EXPECT_EQ(backends_[1]->Counts().requests, 10u);
    EXPECT_GE(backends_[0]->Counts().requests, 1u);
  }
}

TEST_P(HttpFaultsTest, CountsWhatHostsDoWrong) {
  Start(2);
  EXPECT_EQ(mesh_->Totals("none").status().code(), absl::StatusCode::kNotFound);
  ASSERT_TRUE(Get().ok());
  for (const char* const name :
       {"upstream_cx_protocol_error", "upstream_cx_destroy_with_active_rq",
        "upstream_cx_connect_fail", "upstream_rq_rx_reset",
        "upstream_rq_timeout", "http2.rx_messaging_error"}) {
    EXPECT_EQ(CountedIn(*mesh_, name), 0u) << name;
  }
  EXPECT_EQ(CountedIn(*mesh_, "upstream_cx_total"), 1u);
  for (const auto& backend : backends_) {
    backend->Script({BackendAnswer::Failing(Fault::kGarbage)});
  }
  // Both fail once, then it is served.
  const auto response = Get();
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->attempts, 3u);
  EXPECT_EQ(CountedIn(*mesh_, "upstream_cx_protocol_error"), 2u);
  for (const auto& backend : backends_) {
    backend->Script({BackendAnswer::Failing(Fault::kShortBody)});
  }
  EXPECT_FALSE(Get().ok());
  EXPECT_EQ(CountedIn(*mesh_, GetParam() ? "http2.rx_messaging_error"
                                         : "http1.rx_messaging_error") +
                CountedIn(*mesh_, "upstream_cx_destroy_with_active_rq"),
            3u);
}

TEST_P(HttpFaultsTest, SaysWhichAttemptItIs) {
  Start(1, kRetries, "",
        "include_request_attempt_count: true\n"
        "              include_attempt_count_in_response: true");
  backends_[0]->Script({BackendAnswer::Status(503)});
  const auto response = Get();
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->headers.Get("x-envoy-attempt-count"), "2");
  EXPECT_EQ(backends_[0]->LastRequest()->Get("x-envoy-attempt-count"), "2");
}

TEST_P(HttpFaultsTest, GivesTheLastResponseWhenTriesAreUsedUp) {
  Start(1);
  backends_[0]->SetAnswer(BackendAnswer::Status(503, "busy"));
  const auto response = Get();
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->status, 503);
  EXPECT_EQ(response->body, "busy");
  EXPECT_EQ(response->attempts, 3u);
  EXPECT_EQ(backends_[0]->Counts().requests, 3u);
}

TEST_P(HttpFaultsTest, DoesNotRepeatWhatThePolicyDoesNotName) {
  Start(2, "timeout: 5s");
  for (const auto& backend : backends_) {
    backend->SetAnswer(BackendAnswer::Failing(Fault::kResetBeforeHeaders));
  }
  const absl::Status status = Get().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr("127.0.0.1:"));
  EXPECT_EQ(Requests(), 1u);
}

TEST_P(HttpFaultsTest, DoesNotRepeatAResponseThatHadBegun) {
  Start(2);
  for (const auto& backend : backends_) {
    BackendAnswer answer = BackendAnswer::Status(200, std::string(1000, 'x'));
    answer.fault = Fault::kResetInBody;
    backend->SetAnswer(answer);
  }
  EXPECT_EQ(Get().status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(Requests(), 1u);
}

TEST_P(HttpFaultsTest, GoesElsewhereWhenAHostRefusesConnections) {
  Start(3);
  backends_[0]->Kill();
  backends_[1]->Kill();
  for (int i = 0; i < 30; ++i) {
    const auto response = Get();
    ASSERT_TRUE(response.ok()) << response.status();
  }
  EXPECT_EQ(backends_[2]->Counts().requests, 30u);
}

TEST_P(HttpFaultsTest, SaysThatNoHostCouldBeReached) {
  Start(1);
  backends_[0]->Kill();
  const absl::Status status = Get().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr("connect failure"));
  ASSERT_TRUE(backends_[0]->Resume().ok());
  EXPECT_TRUE(Get().ok());
}

TEST_P(HttpFaultsTest, AStallCostsOnePerTryTimeout) {
  Start(2,
        "timeout: 30s, retry_policy: {retry_on: '5xx', num_retries: 1, "
        "per_try_timeout: 0.05s, retry_host_predicate: [{name: p, "
        "typed_config: {'@type': type.googleapis.com/envoy.extensions.retry."
        "host.previous_hosts.v3.PreviousHostsPredicate}}], "
        "host_selection_retry_max_attempts: 5}");
  backends_[0]->SetAnswer(BackendAnswer::Failing(Fault::kStall));
  for (int i = 0; i < 4; ++i) {
    const auto response = Get();
    ASSERT_TRUE(response.ok()) << response.status();
    EXPECT_EQ(response->host, backends_[1]->address());
  }
  const auto counts = backends_[0]->Counts();
  EXPECT_GE(counts.requests, 1u);
  // What was given up is given up at the host as well.
  EXPECT_TRUE(backends_[0]->WaitFor(
      [](const auto& now) { return now.open_requests == 0; }));
}

TEST_P(HttpFaultsTest, AStallIsEjected) {
  Start(3,
        "timeout: 30s, retry_policy: {retry_on: '5xx', num_retries: 2, "
        "per_try_timeout: 0.02s}",
        "outlier_detection: {consecutive_5xx: 2, "
        "max_ejection_percent: 50, interval: 1s, "
        "base_ejection_time: 100s}");
  backends_[0]->SetAnswer(BackendAnswer::Failing(Fault::kStall));
  for (int i = 0; i < 60; ++i) {
    ASSERT_TRUE(Get().ok());
  }
  EXPECT_LE(backends_[0]->Counts().requests, 4u);
}

TEST_P(HttpFaultsTest, EndsAtTheRoutesTimeout) {
  Start(1, "timeout: 0.05s");
  backends_[0]->SetAnswer(BackendAnswer::Failing(Fault::kStall));
  EXPECT_EQ(Get().status().code(), absl::StatusCode::kDeadlineExceeded);
  std::promise<absl::Status> told;
  http::Request request;
  request.url = "http://echo/";
  client_->SendAsync(request,
                     [&](auto response) { told.set_value(response.status()); });
  EXPECT_EQ(told.get_future().get().code(),
            absl::StatusCode::kDeadlineExceeded);
}

TEST_P(HttpFaultsTest, EndsAtTheCallersTimeout) {
  Start(1);
  BackendAnswer answer = BackendAnswer::Status(200, "never");
  answer.fault = Fault::kStallAfterHeaders;
  backends_[0]->SetAnswer(answer);
  http::Request request;
  request.url = "http://echo/";
  request.timeout = absl::Milliseconds(50);
  EXPECT_EQ(client_->Send(request).status().code(),
            absl::StatusCode::kDeadlineExceeded);
}

TEST_P(HttpFaultsTest, SendsAgainWhatAGoAwayDisowned) {
  if (!GetParam()) GTEST_SKIP() << "HTTP/1.1 has no GOAWAY";
  Start(1, "timeout: 10s");  // no retries
  const BackendAnswer gone = BackendAnswer::Failing(Fault::kGoAwayError);
  backends_[0]->Script({gone, gone});
  http::Request request;
  request.method = "POST";
  request.url = "http://echo/";
  request.body = "twice";
  const auto response = client_->Send(request);
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->attempts, 3);
  EXPECT_EQ(Requests(), 3u);
  EXPECT_EQ(backends_[0]->LastRequest()->body, "twice");
  // Not for ever.
  backends_[0]->SetAnswer(gone);
  backends_[0]->ResetCounts();
  EXPECT_EQ(client_->Send(request).status().code(),
            absl::StatusCode::kUnavailable);
  EXPECT_EQ(Requests(), 5u);
}

TEST_P(HttpFaultsTest, LosesNoRequestToAGoAway) {
  Start(1);
  std::atomic<bool> stop{false};
  std::atomic<uint64_t> sent{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      while (!stop) {
        const auto response = Get();
        ASSERT_TRUE(response.ok()) << response.status();
        ++sent;
      }
    });
  }
  for (uint64_t i = 1; i <= 20; ++i) {
    ASSERT_TRUE(backends_[0]->WaitForRequests(i * 20));
    backends_[0]->GoAway();
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(backends_[0]->Counts().complete_responses, sent);
}

// The issue of it all: half of the hosts die with requests in flight.
TEST_P(HttpFaultsTest, NoCallFailsWhenHalfOfTheHostsAreKilled) {
  Start(4);
  for (const auto& backend : backends_) {
    backend->SetAnswer(BackendAnswer::After(absl::Milliseconds(1)));
  }
  std::atomic<bool> stop{false};
  std::atomic<uint64_t> good{0};
  std::atomic<uint64_t> begun{0};  // lost after their response had begun
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&] {
      while (!stop) {
        const auto response = Get();
        if (response.ok()) {
          ASSERT_EQ(response->status, 200);
          ++good;
        } else {
          ADD_FAILURE() << response.status();
          ++begun;
        }
      }
    });
  }
  ASSERT_TRUE(backends_[0]->WaitForRequests(50));
  backends_[0]->Kill();
  backends_[1]->Kill();
  const uint64_t then = good;
  while (good < then + 500) std::this_thread::yield();
  stop = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(begun, 0u);
  uint64_t answered = 0;
  for (const auto& backend : backends_) {
    answered += backend->Counts().complete_responses;
  }
  EXPECT_GE(answered, good);
}

}  // namespace
}  // namespace meshlib::client
