#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>

#include "meshlib/testing/fake_clock.h"
#include "test/client/tcp_fixture.h"

namespace meshlib::client {
namespace {

using ::testing::HasSubstr;

using TcpLimitsTest = TcpTest;

TEST_F(TcpLimitsTest, RefusesMoreConnectionsThanTheClusterMayHave) {
  cluster_ = "circuit_breakers: {thresholds: [{max_connections: 2}]},";
  Start(2);
  auto first = Connect();
  auto second = Connect();
  ASSERT_TRUE(first.ok() && second.ok());
  const auto third = Connect();
  EXPECT_EQ(third.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(third.status().message()),
              HasSubstr("max_connections"));
  first->Cancel();
  EXPECT_TRUE(Eventually([&] { return Connect().ok(); }));
}

TEST_F(TcpLimitsTest, GoesToAnotherHostWhereOneMayHaveNoMoreConnections) {
  cluster_ = "circuit_breakers: {per_host_thresholds: [{max_connections: 1}]},";
  proxy_ = "cluster: db, max_connect_attempts: 2";
  Start(2);
  auto first = Connect();
  auto second = Connect();
  ASSERT_TRUE(first.ok()) << first.status();
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_NE(first->peer().host, second->peer().host);
  EXPECT_EQ(Connect().status().code(), absl::StatusCode::kResourceExhausted);
}

// max_requests is for requests, which have less of it while there are
// connections.
TEST_F(TcpLimitsTest, TakesMaxRequestsForNoLimitOfConnections) {
  cluster_ = "circuit_breakers: {thresholds: [{max_requests: 1}]},";
  Start(1);
  const auto target = mesh_->Resolve("cluster:db");
  auto first = Connect();
  auto second = Connect();
  ASSERT_TRUE(first.ok()) << first.status();
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(target->Pick().failure, PickFailure::kOverflow);
  first->Cancel();
  second->Cancel();
  EXPECT_TRUE(Eventually([&] {
    PickResult pick = target->Pick();
    target->Report(pick.token, Outcome::Ok());
    return pick.ok();
  }));
}

TEST_F(TcpLimitsTest, RefusesMoreConnectsAtOnceThanTheClusterMayHave) {
  // TLS that nobody answers, so that they last.
  StartServers(1);
  servers_[0]->SetReads(false);
  cluster_ =
      "circuit_breakers: {thresholds: [{max_connections: 2, "
      "max_pending_requests: 1}]}, "
      "transport_socket: {name: tls, typed_config: {'@type': "
      "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3."
      "UpstreamTlsContext}},";
  StartMesh();
  const auto observer = std::make_shared<Recorder>();
  tcp::AsyncStream first =
      tcp::ConnectAsync(*mesh_->Resolve("tcp://db:5432"), observer);
  for (int i = 0; i < 2; ++i) {
    const auto more = Connect();
    EXPECT_EQ(more.status().code(), absl::StatusCode::kResourceExhausted);
    EXPECT_THAT(std::string(more.status().message()),
                HasSubstr("max_pending_requests"));
  }
  first.Cancel();
  EXPECT_TRUE(absl::IsCancelled(observer->done.get_future().get()));
  // Also what ends by itself makes room for another.
  tcp::ConnectOptions options;
  options.timeout = absl::Milliseconds(20);
  for (int i = 0; i < 2; ++i) {
    EXPECT_TRUE(absl::IsDeadlineExceeded(Connect("db:5432", options).status()));
  }
}

TEST_F(TcpLimitsTest, ATimeoutOfAConnectIsNoneOfTheConnection) {
  Start(1);
  tcp::ConnectOptions options;
  options.timeout = absl::Milliseconds(200);
  auto stream = Connect("db:5432", options);
  ASSERT_TRUE(stream.ok()) << stream.status();
  std::string bytes;
  const absl::Time later = absl::Now() + absl::Milliseconds(300);
  EXPECT_TRUE(absl::IsDeadlineExceeded(stream->Read(bytes, later).status()));
  EXPECT_TRUE(stream->Write("still here").ok());
  EXPECT_TRUE(stream->Read(bytes).ok());
}

// Those that were made wait no longer.
TEST_F(TcpLimitsTest, CountsConnectionsAsPendingUntilTheyAreMade) {
  cluster_ = "circuit_breakers: {thresholds: [{max_pending_requests: 1}]},";
  Start(1);
  const auto first = Connect();
  const auto second = Connect();
  EXPECT_TRUE(first.ok()) << first.status();
  EXPECT_TRUE(second.ok()) << second.status();
}

TEST_F(TcpLimitsTest, ClosesConnectionsThatAreIdle) {
  proxy_ = "cluster: db, idle_timeout: 0.2s";
  Start(1);
  auto stream = Connect();
  ASSERT_TRUE(stream.ok()) << stream.status();
  std::string bytes;
  const absl::Time start = absl::Now();
  // Bytes that go keep it open.
  while (absl::Now() < start + absl::Milliseconds(300)) {
    ASSERT_TRUE(stream->Write("x").ok());
    ASSERT_TRUE(stream->Read(bytes).ok());
  }
  const absl::Status status = stream->Read(bytes).status();
  EXPECT_TRUE(absl::IsDeadlineExceeded(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("idle_timeout"));
  EXPECT_TRUE(Eventually([&] { return servers_[0]->open() == 0; }));
}

TEST_F(TcpLimitsTest, KeepsAsMuchAsTheBufferLimitSays) {
  constexpr size_t kPiece = size_t{64} << 10;
  cluster_ = "per_connection_buffer_limit_bytes: 4194304,";
  StartServers(1);
  servers_[0]->SetReads(false);
  StartMesh();
  const auto observer = std::make_shared<Recorder>();
  size_t kept = 0;
  observer->on_connect = [&](tcp::AsyncStream& stream) {
    size_t written = kPiece;
    while (stream.Write(std::string(kPiece, 'x'))) written += kPiece;
    kept = written - stream.counts().bytes_written;
    stream.Cancel();
  };
  tcp::ConnectAsync(*mesh_->Resolve("tcp://db:5432"), observer);
  EXPECT_TRUE(absl::IsCancelled(observer->done.get_future().get()));
  EXPECT_GE(kept, 4194304u);
  EXPECT_LT(kept, 4194304u + kPiece);
}

// What waits here goes on its way without the application.
TEST_F(TcpLimitsTest, IsNotIdleWhileWhatWaitedIsSent) {
  meshlib::testing::FakeClock clock;
  MeshOptions options;
  options.own_thread = false;
  options.clock = &clock;
  proxy_ = "cluster: db, idle_timeout: 10s";
  Start(1, std::move(options));
  const auto observer = std::make_shared<Recorder>();
  bool connected = false;
  observer->on_connect = [&](tcp::AsyncStream&) { connected = true; };
  tcp::AsyncStream stream =
      tcp::ConnectAsync(*mesh_->Resolve("tcp://db:5432"), observer);
  const auto until = [&](const std::function<bool()>& done) {
    return Eventually([&] {
      mesh_->RunPending();
      return done();
    });
  };
  ASSERT_TRUE(until([&] { return connected && servers_[0]->open() == 1; }));
  servers_[0]->SendAndEnd("");
  EXPECT_FALSE(stream.Write(std::string(size_t{64} << 20, 'x')));
  clock.Advance(absl::Seconds(6));
  ASSERT_TRUE(until([&] { return observer->writable == 1; }));
  clock.Advance(absl::Seconds(6));
  mesh_->RunPending();
  auto done = observer->done.get_future();
  EXPECT_FALSE(Drive(done));
  clock.Advance(absl::Seconds(4));
  EXPECT_TRUE(Eventually([&] { return Drive(done); }));
  EXPECT_TRUE(absl::IsDeadlineExceeded(done.get()));
}

TEST_F(TcpLimitsTest, ClosesConnectionsThatLastTooLong) {
  proxy_ = "cluster: db, max_downstream_connection_duration: 0.1s";
  Start(1);
  auto stream = Connect();
  ASSERT_TRUE(stream.ok()) << stream.status();
  std::string bytes;
  absl::Status status;
  while (status.ok()) {
    status = stream->Write("x");
    if (status.ok()) status = stream->Read(bytes).status();
  }
  EXPECT_TRUE(absl::IsDeadlineExceeded(status)) << status;
}

TEST_F(TcpLimitsTest, GivesUpAfterTheTimeoutOfAConnect) {
  // TLS that nobody answers.
  StartServers(1);
  servers_[0]->SetReads(false);
  cluster_ =
      "transport_socket: {name: tls, typed_config: {'@type': "
      "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3."
      "UpstreamTlsContext}},";
  StartMesh();
  tcp::ConnectOptions options;
  options.timeout = absl::Milliseconds(100);
  const auto stream = Connect("db:5432", options);
  EXPECT_TRUE(absl::IsDeadlineExceeded(stream.status())) << stream.status();
  EXPECT_TRUE(Eventually([&] { return servers_[0]->accepted() == 1; }));
}

}  // namespace
}  // namespace meshlib::client
