// One script of misbehaving hosts, carried out over HTTP/1.1, over HTTP/2 and
// by hand through pick/report: the engine decides and counts the same, and so
// do the hosts.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <mutex>

#include "meshlib/http.h"
#include "test/client/test_mesh.h"

namespace meshlib::client {
namespace {

using meshlib::testing::Backend;
using meshlib::testing::BackendAnswer;
using Kind = Outcome::Kind;
using Fault = BackendAnswer::Fault;

// What a host does with one attempt.
struct Act {
  const char* name;
  BackendAnswer answer;
  Outcome outcome;  // what a transport makes of it
  // Where HTTP/1.1 cannot tell what HTTP/2 can.
  std::optional<Outcome> outcome_http1 = std::nullopt;
};

Outcome ResetAfterHeaders() {
  Outcome outcome = Outcome::Failure(Kind::kReset);
  outcome.response_started = true;
  return outcome;
}

Act Ok() { return {"ok", BackendAnswer::Status(200), Outcome::Ok()}; }
Act Status(int status) {
  return {"status", BackendAnswer::Status(status), Outcome::Http(status)};
}
Act Reset() {
  return {"reset", BackendAnswer::Failing(Fault::kResetBeforeHeaders),
          Outcome::Failure(Kind::kReset)};
}
Act Lost() {
  return {"lost", BackendAnswer::Failing(Fault::kAbortBeforeHeaders),
          Outcome::Failure(Kind::kReset)};
}
Act AfterHeaders() {
  BackendAnswer answer = BackendAnswer::Failing(Fault::kResetAfterHeaders);
  answer.body = std::string(1000, 'x');
  return {"reset after headers", answer, ResetAfterHeaders()};
}
Act InBody() {
  BackendAnswer answer = BackendAnswer::Failing(Fault::kResetInBody);
  answer.body = std::string(1000, 'x');
  return {"reset in body", answer, ResetAfterHeaders()};
}
Act GoAway() {
  return {"goaway", BackendAnswer::Failing(Fault::kGoAway), Outcome::Ok()};
}
Act GoAwayError() {
  return {"goaway with an error", BackendAnswer::Failing(Fault::kGoAwayError),
          Outcome::Failure(Kind::kRefusedStream),
          Outcome::Failure(Kind::kReset)};
}
Act Stall() {
  return {"stall", BackendAnswer::Failing(Fault::kStall),
          Outcome::Failure(Kind::kPerTryTimeout)};
}

struct Call {
  const char* path;        // "/" may be retried, "/once" goes to one host, once
  std::vector<Act> acts;   // one for each attempt that there should be
  bool refuse = false;     // all hosts of "/"; no acts
  uint64_t ejections = 0;  // of "/once", since the beginning
};

const std::vector<Call>& Script() {
  static const auto& script = *new std::vector<Call>{
      {"/", {Ok()}},
      {"/", {Status(503), Ok()}},
      {"/", {Status(500)}},  // not named by the policy
      {"/", {Status(503), Status(503), Status(503)}},
      {"/", {Reset(), Ok()}},
      {"/", {Lost(), Reset(), Status(404)}},
      {"/", {AfterHeaders()}},
      {"/", {InBody()}},
      {"/", {GoAway()}},
      {"/", {Ok()}},
      {"/", {GoAwayError(), Ok()}},
      {"/", {Stall(), Ok()}},
      {"/", {Stall(), Reset(), Stall()}},
      {"/once", {Status(500)}},
      {"/once", {Reset()}},
      {"/once", {Ok()}},
      {"/once", {Status(502)}},
      {"/once", {Reset()}},
      {"/once", {Status(503)}, false, 1},  // the third in a row
      {"/once", {Ok()}, false, 1},         // panic
      {"/", {}, true, 1},
  };
  return script;
}

// What was counted, by the engine and by the hosts.
struct Tally {
  ClusterTotals retried;
  ClusterTotals once;
  uint64_t requests = 0;  // that hosts saw
};

std::string Text(const ClusterTotals& c) {
  std::string text = absl::StrCat(
      c.attempts, " attempts, ", c.succeeded, " succeeded, ", c.failed,
      " failed, ", c.cancelled, " cancelled, ", c.retries, " retries, ",
      c.retries_refused, " refused, ", c.without_host, " without host, ",
      c.ejections, " ejections");
  // The order of the hosts is the configuration's, their ports are not.
  for (const ClusterTotals::Host& host : c.hosts) {
    absl::StrAppend(&text, "; ", host.ended, " ended, ", host.failed,
                    " failed, ", host.in_flight, " in flight",
                    host.ejected ? ", ejected" : "");
  }
  return text;
}

class FaultScriptTest : public ::testing::Test {
 protected:
  void Start(bool http2) {
    backends_ = *meshlib::testing::StartBackends(3);
    MeshText text;
    text.http2 = http2;
    text.addresses = {backends_[0]->address(), backends_[1]->address()};
    text.action = absl::StrCat("timeout: 10s, ", kRetries);
    const size_t end = text.action.rfind('}');
    text.action.insert(end, ", per_try_timeout: 0.4s");
    const size_t on = text.action.find("connect-failure");
    text.action.insert(on, "gateway-error,");
    text.more_routes =
        "              - {match: {path: /once}, route: {cluster: once}}";
    const std::string protocol =
        http2 ? "http2_protocol_options: {}" : "http_protocol_options: {}";
    text.more_clusters = absl::StrCat(
        "  - {name: once, type: STATIC, outlier_detection: {consecutive_5xx: "
        "3, max_ejection_percent: 100, interval: 1000s, base_ejection_time: "
        "1000s}, typed_extension_protocol_options: "
        "{envoy.extensions.upstreams.http.v3.HttpProtocolOptions: {'@type': "
        "type.googleapis.com/envoy.extensions.upstreams.http.v3."
        "HttpProtocolOptions, explicit_http_config: {",
        protocol,
        "}}}, load_assignment: {cluster_name: once, endpoints: [{lb_endpoints: "
        "[{endpoint: {address: {socket_address: {address: 127.0.0.1, "
        "port_value: ",
        backends_[2]->port(), "}}}}]}]}}\n");
    MeshOptions options;
    options.config_text = text.ToString();
    options.seed = 1;
    auto mesh = Mesh::Create(std::move(options));
    ASSERT_TRUE(mesh.ok()) << mesh.status();
    mesh_ = *std::move(mesh);
  }

  // What the hosts do with the next attempts, whichever of them gets one.
  void Play(const Call& call) {
    for (const auto& backend : backends_) {
      backend->SetResponder([this](const auto&) {
        const std::lock_guard<std::mutex> lock(mutex_);
        if (acts_.empty()) return BackendAnswer::Status(599);
        BackendAnswer answer = acts_.front().answer;
        acts_.pop_front();
        return answer;
      });
    }
    const std::lock_guard<std::mutex> lock(mutex_);
    acts_.assign(call.acts.begin(), call.acts.end());
  }

  size_t left() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return acts_.size();
  }

  // The mesh's own thread ejects: it is waited for.
  Tally Count(const Call& call) const {
    Tally tally;
    tally.retried = *mesh_->Totals("c");
    do {
      tally.once = *mesh_->Totals("once");
    } while (tally.once.ejections < call.ejections);
    return tally;
  }

  // Over the network: what was counted after each call.
  std::vector<Tally> RunClient(bool http2) {
    Start(http2);
    std::vector<Tally> tallies;
    if (HasFatalFailure()) return tallies;
    const auto client = *http::Client::Create(*mesh_);
    // Known to the engine before anything is counted.
    EXPECT_TRUE(mesh_->Resolve("echo").ok());
    for (const Call& call : Script()) {
      Play(call);
      if (call.refuse) {
        for (const auto& backend : backends_) backend->Kill();
      }
      client.Get(absl::StrCat("http://echo", call.path)).IgnoreError();
      EXPECT_EQ(left(), 0u) << "call " << tallies.size();
      tallies.push_back(Count(call));
      for (const auto& backend : backends_) {
        tallies.back().requests += backend->Counts().requests;
      }
    }
    return tallies;
  }

  // By hand: the application is the transport.
  std::vector<Tally> RunPicks(bool http1) {
    Start(false);
    std::vector<Tally> tallies;
    if (HasFatalFailure()) return tallies;
    const Target target = *mesh_->Resolve("echo");
    uint64_t requests = 0;
    for (const Call& call : Script()) {
      Request request;
      request.path = call.path;
      PickResult pick = target.Pick(request);
      size_t act = 0;
      while (pick.ok()) {
        Outcome outcome = Outcome::Failure(Kind::kConnectFailure);
        if (!call.refuse) {
          if (act == call.acts.size()) break;
          const Act& done = call.acts[act++];
          outcome =
              http1 ? done.outcome_http1.value_or(done.outcome) : done.outcome;
          ++requests;
        }
        if (!target.Report(pick.token, outcome).retry) break;
        pick = target.Pick(request, std::move(pick.token));
      }
      EXPECT_EQ(act, call.acts.size()) << "call " << tallies.size();
      pick = PickResult();
      tallies.push_back(Count(call));
      tallies.back().requests = requests;
    }
    return tallies;
  }

  std::vector<std::unique_ptr<Backend>> backends_;
  std::unique_ptr<Mesh> mesh_;
  std::mutex mutex_;
  std::deque<Act> acts_;
};

void ExpectSame(const std::vector<Tally>& a, const std::vector<Tally>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    const Call& call = Script()[i];
    std::string what = absl::StrCat("call ", i, ":");
    for (const Act& act : call.acts) absl::StrAppend(&what, " ", act.name);
    EXPECT_EQ(Text(a[i].retried), Text(b[i].retried)) << what;
    EXPECT_EQ(Text(a[i].once), Text(b[i].once)) << what;
    EXPECT_EQ(a[i].requests, b[i].requests) << what;
  }
}

TEST_F(FaultScriptTest, Http1CountsAsPickAndReport) {
  const std::vector<Tally> network = RunClient(false);
  ExpectSame(network, RunPicks(true));
}

TEST_F(FaultScriptTest, Http2CountsAsPickAndReport) {
  const std::vector<Tally> network = RunClient(true);
  ExpectSame(network, RunPicks(false));
}

TEST_F(FaultScriptTest, Http2CountsAsHttp1) {
  const std::vector<Tally> http1 = RunClient(false);
  ExpectSame(http1, RunClient(true));
}

TEST_F(FaultScriptTest, WhatIsCountedIsWhatHappened) {
  const std::vector<Tally> tallies = RunClient(true);
  ASSERT_EQ(tallies.size(), Script().size());
  uint64_t attempts = 0, once = 0, calls = 0;
  for (const Call& call : Script()) {
    if (call.path == std::string("/once")) {
      once += call.acts.size();
    } else {
      attempts += call.refuse ? 3 : call.acts.size();
      ++calls;
    }
  }
  const Tally& last = tallies.back();
  EXPECT_EQ(last.retried.attempts, attempts);
  EXPECT_EQ(last.retried.succeeded + last.retried.failed, attempts);
  EXPECT_EQ(last.retried.retries, attempts - calls);
  EXPECT_EQ(last.once.attempts, once);
  EXPECT_EQ(last.once.ejections, 1u);
  EXPECT_TRUE(last.once.hosts.at(0).ejected);
  // The hosts saw all but those that they refused.
  EXPECT_EQ(last.requests, attempts - 3 + once);
  uint64_t ended = 0;
  for (const ClusterTotals::Host& host : last.retried.hosts) {
    ended += host.ended;
    EXPECT_EQ(host.in_flight, 0u);
  }
  EXPECT_EQ(ended, attempts + 2);  // two broke off after their headers
}

}  // namespace
}  // namespace meshlib::client
