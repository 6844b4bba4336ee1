#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <set>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "test/client/tcp_fixture.h"
#include "test/security/test_certificates.h"

namespace meshlib::client {
namespace {

using ::testing::HasSubstr;

constexpr size_t kMegabyte = size_t{1} << 20;

TEST_F(TcpTest, CarriesBytesBothWaysAndEndsEachHalfForItself) {
  Start(1);
  auto stream = Connect();
  ASSERT_TRUE(stream.ok()) << stream.status();
  EXPECT_EQ(stream->peer().host, servers_[0]->address());
  EXPECT_EQ(stream->peer().cluster, "db");
  EXPECT_EQ(stream->peer().attempts, 1u);
  ASSERT_TRUE(stream->Write("hello").ok());
  std::string bytes;
  const auto more = stream->Read(bytes);
  ASSERT_TRUE(more.ok()) << more.status();
  EXPECT_EQ(bytes, "hello");
  ASSERT_TRUE(stream->Write("last").ok());
  ASSERT_TRUE(stream->CloseWrite().ok());
  EXPECT_EQ(stream->Write("x").code(), absl::StatusCode::kFailedPrecondition);
  const auto rest = ReadAll(*stream);
  ASSERT_TRUE(rest.ok()) << rest.status();
  EXPECT_EQ(*rest, "last");
  EXPECT_EQ(stream->counts().bytes_written, 9u);
  EXPECT_EQ(stream->counts().bytes_read, 9u);
}

TEST_F(TcpTest, WritesOnAfterThePeerHasEndedItsHalf) {
  Start(1);
  auto stream = Connect();
  ASSERT_TRUE(stream.ok()) << stream.status();
  ASSERT_TRUE(Eventually([&] { return servers_[0]->open() == 1; }));
  servers_[0]->SendAndEnd("bye");
  const auto rest = ReadAll(*stream);
  ASSERT_TRUE(rest.ok()) << rest.status();
  EXPECT_EQ(*rest, "bye");
  EXPECT_TRUE(stream->Write("for long").ok());
  EXPECT_TRUE(Eventually([&] { return servers_[0]->received() == 8; }));
  EXPECT_TRUE(stream->Write("still").ok());
  EXPECT_TRUE(stream->CloseWrite().ok());
  EXPECT_TRUE(Eventually([&] { return servers_[0]->open() == 0; }));
  EXPECT_EQ(servers_[0]->received(), 13u);
}

TEST_F(TcpTest, CarriesManyMegabytesThroughSmallBuffers) {
  Start(1);
  auto stream = Connect();
  ASSERT_TRUE(stream.ok()) << stream.status();
  std::string sent(16 * kMegabyte, 'x');
  for (size_t i = 0; i < sent.size(); ++i) {
    sent[i] = static_cast<char>((i * 2654435761U) >> 16);
  }
  std::thread writer([&] {
    EXPECT_TRUE(stream->Write(sent).ok());
    EXPECT_TRUE(stream->CloseWrite().ok());
  });
  const auto received = ReadAll(*stream);
  writer.join();
  ASSERT_TRUE(received.ok()) << received.status();
  EXPECT_TRUE(*received == sent);
}

TEST_F(TcpTest, HoldsBackWhoWritesToAPeerThatDoesNotRead) {
  StartServers(1);
  servers_[0]->SetReads(false);
  StartMesh();
  auto stream = Connect();
  ASSERT_TRUE(stream.ok()) << stream.status();
  const std::string bytes(64 * kMegabyte, 'x');
  const absl::Status status =
      stream->Write(bytes, absl::Now() + absl::Milliseconds(300));
  EXPECT_TRUE(absl::IsDeadlineExceeded(status)) << status;
  EXPECT_LT(stream->counts().bytes_written, 32 * kMegabyte);
}

TEST_F(TcpTest, WaitsForBytesUntilTheDeadlineAndNoLonger) {
  Start(1);
  auto stream = Connect();
  ASSERT_TRUE(stream.ok()) << stream.status();
  std::string bytes;
  const absl::Time start = absl::Now();
  const auto nothing = stream->Read(bytes, start + absl::Milliseconds(50));
  EXPECT_TRUE(absl::IsDeadlineExceeded(nothing.status()));
  EXPECT_GE(absl::Now(), start + absl::Milliseconds(50));
  ASSERT_TRUE(stream->Write("still here").ok());
  ASSERT_TRUE(stream->Read(bytes).ok());
  EXPECT_EQ(bytes, "still here");
}

TEST_F(TcpTest, CancelsAReaderThatWaits) {
  Start(1);
  // Sooner or later the reader waits for the system already.
  for (int i = 0; i < 20; ++i) {
    auto stream = Connect();
    ASSERT_TRUE(stream.ok()) << stream.status();
    std::atomic<bool> reads{false};
    auto reading = std::async(std::launch::async, [&] {
      std::string bytes;
      reads = true;
      return stream->Read(bytes).status();
    });
    while (!reads) std::this_thread::yield();
    for (int j = 0; j < 50 * i; ++j) std::this_thread::yield();
    stream->Cancel();
    EXPECT_TRUE(absl::IsCancelled(reading.get()));
  }
  EXPECT_TRUE(Eventually([&] { return servers_[0]->open() == 0; }));
}

TEST_F(TcpTest, ClosesWhatIsDropped) {
  Start(1);
  {
    auto stream = Connect();
    ASSERT_TRUE(stream.ok()) << stream.status();
    ASSERT_TRUE(Eventually([&] { return servers_[0]->open() == 1; }));
  }
  EXPECT_TRUE(Eventually([&] { return servers_[0]->open() == 0; }));
}

TEST_F(TcpTest, SaysThatTheHostWasLost) {
  Start(1);
  auto stream = Connect();
  ASSERT_TRUE(stream.ok()) << stream.status();
  ASSERT_TRUE(Eventually([&] { return servers_[0]->open() == 1; }));
  servers_[0]->Kill();
  std::string bytes;
  EXPECT_TRUE(absl::IsUnavailable(stream->Read(bytes).status()));
  EXPECT_TRUE(absl::IsUnavailable(stream->Write("x")));
}

// --- Choosing hosts ---

TEST_F(TcpTest, TriesOtherHostsUpToMaxConnectAttempts) {
  proxy_ = "cluster: db, max_connect_attempts: 4";
  StartServers(6);
  StartMesh();
  for (size_t i = 0; i < 6; i += 2) servers_[i]->Kill();
  std::set<std::string> hosts;
  for (int i = 0; i < 50; ++i) {
    auto stream = Connect();
    ASSERT_TRUE(stream.ok()) << stream.status();
    hosts.insert(stream->peer().host);
    ASSERT_TRUE(stream->Write("x").ok());
    std::string bytes;
    ASSERT_TRUE(stream->Read(bytes).ok());
  }
  EXPECT_EQ(hosts.size(), 3u);
}

TEST_F(TcpTest, TriesOneHostUnlessItIsToldOtherwise) {
  StartServers(1);
  StartMesh();
  servers_[0]->Kill();
  auto stream = Connect();
  EXPECT_TRUE(absl::IsUnavailable(stream.status())) << stream.status();
  EXPECT_THAT(std::string(stream.status().message()),
              HasSubstr("cluster \"db\", host " + servers_[0]->address()));
  EXPECT_THAT(std::string(stream.status().message()), HasSubstr("(attempt 1)"));
  tcp::ConnectOptions options;
  options.max_connect_attempts = 3;
  EXPECT_THAT(std::string(Connect("db:5432", options).status().message()),
              HasSubstr("(attempt 3)"));
}

TEST_F(TcpTest, WaitsBetweenAttemptsAsTheProxySays) {
  proxy_ =
      "cluster: db, max_connect_attempts: 3, backoff_options: {base_interval: "
      "100000s, max_interval: 100000s}";
  StartServers(1);
  StartMesh();
  servers_[0]->Kill();
  tcp::ConnectOptions options;
  options.timeout = absl::Milliseconds(50);
  const absl::Status status = Connect("db:5432", options).status();
  EXPECT_TRUE(absl::IsDeadlineExceeded(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("(attempt 1)"));
}

TEST_F(TcpTest, PlacesConnectionsByTheHashThatIsGiven) {
  cluster_ = "lb_policy: RING_HASH,";
  Start(4);
  std::set<std::string> hosts;
  for (uint64_t i = 0; i < 20; ++i) {
    tcp::ConnectOptions options;
    options.hash = i * 0x9e3779b97f4a7c15;
    const auto first = Connect("cluster:db", options);
    const auto second = Connect("cluster:db", options);
    ASSERT_TRUE(first.ok() && second.ok());
    EXPECT_EQ(first->peer().host, second->peer().host);
    hosts.insert(first->peer().host);
  }
  EXPECT_GT(hosts.size(), 1u);
}

TEST_F(TcpTest, CountsAConnectionOnceAndAsASuccess) {
  Start(1);
  auto stream = Connect();
  ASSERT_TRUE(stream.ok()) << stream.status();
  auto totals = mesh_->Totals("db");
  ASSERT_TRUE(totals.ok()) << totals.status();
  EXPECT_EQ(totals->succeeded, 1u);
  EXPECT_EQ(totals->hosts[0].in_flight, 1u);
  ASSERT_TRUE(stream->CloseWrite().ok());
  EXPECT_TRUE(ReadAll(*stream).ok());
  EXPECT_TRUE(Eventually([&] {
    totals = mesh_->Totals("db");
    return totals->hosts[0].in_flight == 0;
  }));
  EXPECT_EQ(totals->attempts, 1u);
  EXPECT_EQ(totals->succeeded, 1u);
  EXPECT_EQ(totals->cancelled, 0u);
}

TEST_F(TcpTest, FindsAHealthyHostOfAClusterThatIsNamed) {
  StartServers(4);
  StartMesh();
  for (size_t i = 0; i < 4; i += 2) servers_[i]->Kill();
  tcp::ConnectOptions options;
  options.max_connect_attempts = 3;
  for (int i = 0; i < 20; ++i) {
    const auto stream = Connect("cluster:db", options);
    ASSERT_TRUE(stream.ok()) << stream.status();
  }
  // By then, back-off makes one attempt enough.
  for (int i = 0; i < 20; ++i) {
    const auto stream = Connect("cluster:db");
    ASSERT_TRUE(stream.ok()) << stream.status();
  }
}

TEST_F(TcpTest, EjectsAHostThatCannotBeReached) {
  cluster_ =
      "outlier_detection: {consecutive_5xx: 3, max_ejection_percent: 50, "
      "base_ejection_time: 600s},";
  proxy_ = "cluster: db, max_connect_attempts: 2";
  StartServers(2);
  StartMesh();
  servers_[0]->Kill();
  ASSERT_TRUE(Eventually([&] {
    const auto stream = Connect();
    EXPECT_TRUE(stream.ok()) << stream.status();
    const Explanation why = mesh_->Resolve("cluster:db")->Explain({});
    for (const auto& host : why.hosts) {
      if (host.ejected) return true;
    }
    return false;
  }));
}

TEST_F(TcpTest, SplitsConnectionsByWeight) {
  StartServers(2);
  clusters_ = Cluster("a", {servers_[0]->address()}) +
              Cluster("b", {servers_[1]->address()});
  proxy_ =
      "weighted_clusters: {clusters: [{name: a, weight: 1}, {name: b, weight: "
      "3}]}";
  StartMesh();
  int to_b = 0;
  for (int i = 0; i < 200; ++i) {
    const auto stream = Connect();
    ASSERT_TRUE(stream.ok()) << stream.status();
    if (stream->peer().cluster == "b") ++to_b;
  }
  EXPECT_NEAR(to_b, 150, 35);
}

TEST_F(TcpTest, BalancesByTheConnectionsThatLast) {
  cluster_ = "lb_policy: LEAST_REQUEST,";
  Start(2);
  std::vector<tcp::Stream> streams;
  int first = 0;
  for (int i = 0; i < 100; ++i) {
    auto stream = Connect();
    ASSERT_TRUE(stream.ok()) << stream.status();
    if (stream->peer().host == servers_[0]->address()) ++first;
    streams.push_back(*std::move(stream));
  }
  // Both choices may be the same host, so that it is not always exact.
  EXPECT_NEAR(first, 50, 6);
}

TEST_F(TcpTest, FindsListenersByNameAddressPortAndIstiosClusterNames) {
  StartServers(2);
  const std::string a = "outbound|9000||a.shop.svc";
  const std::string b = "outbound|9000||b.shop.svc";
  clusters_ = Cluster(a, {servers_[0]->address()}) +
              Cluster(b, {servers_[1]->address()});
  listeners_ = TcpProxyAt("first", "10.0.0.1:9000", "cluster: '" + a + "'") +
               TcpProxyAt("second", "10.0.0.2:9000", "cluster: '" + b + "'") +
               TcpProxyAt("third", "0.0.0.0:9001", "cluster: '" + b + "'");
  StartMesh();
  const auto cluster_of = [&](const std::string& name) {
    const auto stream = Connect(name);
    return stream.ok() ? stream->peer().cluster
                       : std::string(stream.status().message());
  };
  EXPECT_EQ(cluster_of("first"), a);
  EXPECT_EQ(cluster_of("second"), b);
  EXPECT_EQ(cluster_of("10.0.0.2:9000"), b);
  EXPECT_EQ(cluster_of("whatever:9001"), b);
  EXPECT_EQ(cluster_of("a.shop.svc:9000"), a);
  EXPECT_EQ(cluster_of("b.shop.svc:9000"), b);
  EXPECT_EQ(Connect("c.shop.svc:9000").status().code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(cluster_of("x:1"), HasSubstr("no listener has a TCP proxy"));
  EXPECT_EQ(Connect("x:1").status().code(), absl::StatusCode::kNotFound);
}

TEST_F(TcpTest, PicksForConnectionsOfTheApplicationsOwn) {
  Start(1);
  const auto target = mesh_->Resolve("tcp://db:5432");
  ASSERT_TRUE(target.ok()) << target.status();
  PickResult pick = target->Pick();
  ASSERT_TRUE(pick.ok()) << pick.status();
  EXPECT_EQ(pick.address, servers_[0]->address());
  target->Report(pick.token, Outcome::Ok());
}

TEST_F(TcpTest, EndsConnectionsWithTheMesh) {
  Start(1);
  auto stream = Connect();
  ASSERT_TRUE(stream.ok()) << stream.status();
  const auto target = mesh_->Resolve("tcp://db:5432");
  auto reading = std::async(std::launch::async, [&] {
    std::string bytes;
    return stream->Read(bytes).status();
  });
  mesh_->Shutdown();
  EXPECT_FALSE(reading.get().ok());
  EXPECT_FALSE(tcp::Connect(*target).ok());
  EXPECT_TRUE(Eventually([&] { return servers_[0]->open() == 0; }));
}

// --- Without blocking ---

TEST_F(TcpTest, TellsTheObserverWhatHappens) {
  Start(1);
  const auto target = mesh_->Resolve("tcp://db:5432");
  auto observer = std::make_shared<Recorder>();
  // Also what is written before there is a connection arrives.
  tcp::AsyncStream stream = tcp::ConnectAsync(*target, observer);
  EXPECT_TRUE(stream.Write("hello"));
  stream.CloseWrite();
  EXPECT_FALSE(stream.Write("more"));
  const absl::Status status = observer->done.get_future().get();
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(observer->received, "hello");
  EXPECT_EQ(observer->host, servers_[0]->address());
}

TEST_F(TcpTest, TellsTheObserverWhenThereIsRoomAgain) {
  Start(1);
  const auto target = mesh_->Resolve("tcp://db:5432");
  auto observer = std::make_shared<Recorder>();
  const std::string piece(kMegabyte, 'x');
  int left = 21, held_back = 0;
  // By one thread at a time: by another one after a Write() that gave false.
  observer->on_writable = [&](tcp::AsyncStream& stream) {
    while (left > 0) {
      --left;
      ++held_back;
      if (!stream.Write(piece)) return;
      --held_back;
    }
    stream.CloseWrite();
  };
  tcp::AsyncStream stream = tcp::ConnectAsync(*target, observer);
  observer->on_writable(stream);
  const absl::Status status = observer->done.get_future().get();
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(observer->received.size(), 21 * kMegabyte);
  EXPECT_EQ(observer->writable, held_back);
}

TEST_F(TcpTest, HoldsBackWhoWritesBeforeThereIsAConnection) {
  MeshOptions options;
  options.own_thread = false;
  Start(1, std::move(options));
  const auto target = mesh_->Resolve("tcp://db:5432");
  auto observer = std::make_shared<Recorder>();
  observer->on_writable = [](tcp::AsyncStream& stream) { stream.CloseWrite(); };
  tcp::AsyncStream stream = tcp::ConnectAsync(*target, observer);
  EXPECT_TRUE(stream.Write("a"));
  EXPECT_FALSE(stream.Write(std::string(kMegabyte, 'x')));
  auto done = observer->done.get_future();
  ASSERT_TRUE(Eventually([&] { return Drive(done); }));
  EXPECT_EQ(done.get(), absl::OkStatus());
  EXPECT_EQ(observer->received.size(), kMegabyte + 1);
  EXPECT_EQ(observer->writable, 1);
}

// Who reads and ends its half before there is a connection, and no more then.
class Patient final : public tcp::StreamObserver {
 public:
  void OnReadable(tcp::AsyncStream& stream) override {
    std::string bytes;
    end = stream.Read(bytes);
  }
  void OnDone(tcp::AsyncStream& stream, const absl::Status& status) override {
    done.set_value(status);
  }

  tcp::AsyncStream::ReadResult end = tcp::AsyncStream::ReadResult::kNothing;
  std::promise<absl::Status> done;
};

TEST_F(TcpTest, DoesWhatWasAskedBeforeThereWasAConnection) {
  MeshOptions options;
  options.own_thread = false;
  Start(1, std::move(options));
  const auto target = mesh_->Resolve("tcp://db:5432");
  const auto observer = std::make_shared<Patient>();
  tcp::AsyncStream stream = tcp::ConnectAsync(*target, observer);
  std::string bytes;
  EXPECT_EQ(stream.Read(bytes), tcp::AsyncStream::ReadResult::kNothing);
  stream.CloseWrite();
  auto done = observer->done.get_future();
  ASSERT_TRUE(Eventually([&] { return Drive(done); }));
  EXPECT_EQ(done.get(), absl::OkStatus());
  EXPECT_EQ(observer->end, tcp::AsyncStream::ReadResult::kEnd);
}

TEST_F(TcpTest, LeavesALoopInPeaceThatHasNothingToSend) {
  MeshOptions options;
  options.own_thread = false;
  Start(1, std::move(options));
  const auto target = mesh_->Resolve("tcp://db:5432");
  auto observer = std::make_shared<Recorder>();
  tcp::AsyncStream stream = tcp::ConnectAsync(*target, observer);
  EXPECT_TRUE(stream.Write("hello"));
  EXPECT_TRUE(Eventually([&] {
    mesh_->RunPending();
    pollfd polled{mesh_->PollDescriptor(), POLLIN, 0};
    return observer->received == "hello" && poll(&polled, 1, 0) == 0;
  }));
}

TEST_F(TcpTest, TellsTheObserverOfFailures) {
  Start(1);
  servers_[0]->Kill();
  auto observer = std::make_shared<Recorder>();
  tcp::ConnectAsync(*mesh_->Resolve("tcp://db:5432"), observer);
  EXPECT_TRUE(absl::IsUnavailable(observer->done.get_future().get()));
}

TEST_F(TcpTest, RefusesToBlockTheThreadThatItWouldWaitFor) {
  Start(1);
  const auto target = mesh_->Resolve("tcp://db:5432");
  auto other = Connect();
  ASSERT_TRUE(other.ok()) << other.status();
  std::vector<absl::Status> inside;
  auto observer = std::make_shared<Recorder>();
  observer->on_writable = [&](tcp::AsyncStream& stream) {
    const absl::Time deadline = absl::Now() + absl::Seconds(5);
    std::string bytes;
    inside = {tcp::Connect(*target).status(), other->Write("x", deadline),
              other->Read(bytes, deadline).status()};
    stream.Cancel();
  };
  tcp::AsyncStream stream = tcp::ConnectAsync(*target, observer);
  while (stream.Write(std::string(kMegabyte, 'x'))) {
  }
  EXPECT_TRUE(absl::IsCancelled(observer->done.get_future().get()));
  for (const absl::Status& status : inside) {
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
  }
  EXPECT_EQ(inside.size(), 3u);
}

// --- mTLS ---

class TcpTlsTest : public TcpTest {
 protected:
  static constexpr char kServer[] = "spiffe://mesh.test/ns/shop/sa/db";
  static constexpr char kCaller[] = "spiffe://mesh.test/ns/shop/sa/front";

  TcpTlsTest() {
    std::string name = ::testing::TempDir() + "/tcpXXXXXX";
    folder_ = mkdtemp(name.data());
    security::TlsOptions options;
    options.material = root_.Issue(Leaf(kServer));
    options.material.trusted_ca = root_.pem();
    options.require_client_certificate = true;
    auto context = security::TlsContext::Create(
        security::TlsContext::Role::kServer, options);
    EXPECT_TRUE(context.ok()) << context.status();
    server_tls_ = *context;
    const security::TlsMaterial caller = root_.Issue(Leaf(kCaller));
    Write("root.pem", root_.pem());
    Write("client.pem", caller.certificate_chain);
    Write("client.key", caller.private_key);
  }
  ~TcpTlsTest() override { std::filesystem::remove_all(folder_); }

  static security::TestLeaf Leaf(const std::string& uri) {
    security::TestLeaf leaf;
    leaf.alternative_names = "URI:" + uri;
    return leaf;
  }
  void Write(const std::string& name, const std::string& text) {
    std::ofstream(folder_ + "/" + name) << text;
  }
  std::string File(const std::string& name) {
    return "{filename: " + folder_ + "/" + name + "}";
  }
  void Expect(const std::string& uri) {
    cluster_ = absl::StrCat(
        "transport_socket: {name: tls, typed_config: {'@type': "
        "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3."
        "UpstreamTlsContext, common_tls_context: {tls_certificates: "
        "[{certificate_chain: ",
        File("client.pem"), ", private_key: ", File("client.key"),
        "}], validation_context: {trusted_ca: ", File("root.pem"),
        ", match_typed_subject_alt_names: [{san_type: URI, matcher: {exact: '",
        uri, "'}}]}}}},");
  }

  security::TestCa root_;
  std::string folder_;
};

TEST_F(TcpTlsTest, BothEndsKnowEachOther) {
  Expect(kServer);
  Start(1);
  auto stream = Connect();
  ASSERT_TRUE(stream.ok()) << stream.status();
  const std::string sent(4 * kMegabyte, 'y');
  std::thread writer([&] {
    EXPECT_TRUE(stream->Write(sent).ok());
    EXPECT_TRUE(stream->CloseWrite().ok());
  });
  const auto received = ReadAll(*stream);
  writer.join();
  ASSERT_TRUE(received.ok()) << received.status();
  EXPECT_TRUE(*received == sent);
  EXPECT_EQ(servers_[0]->last_peer(), kCaller);
}

TEST_F(TcpTlsTest, SendsAllOfItBeforeItEnds) {
  Expect(kServer);
  Start(1);
  auto stream = Connect();
  ASSERT_TRUE(stream.ok()) << stream.status();
  ASSERT_TRUE(Eventually([&] { return servers_[0]->open() == 1; }));
  servers_[0]->SendAndEnd("");
  EXPECT_EQ(*ReadAll(*stream), "");
  const std::string sent(16 * kMegabyte, 'y');
  EXPECT_TRUE(stream->Write(sent).ok());
  EXPECT_TRUE(stream->CloseWrite().ok());
  EXPECT_TRUE(Eventually([&] { return servers_[0]->open() == 0; }));
  EXPECT_EQ(servers_[0]->received(), sent.size());
}

TEST_F(TcpTlsTest, BelievesNobodyOfAnotherName) {
  Expect("spiffe://mesh.test/ns/shop/sa/other");
  Start(1);
  EXPECT_FALSE(Connect().ok());
}

}  // namespace
}  // namespace meshlib::client
