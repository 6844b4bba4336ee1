#ifndef MESHLIB_TEST_CLIENT_TCP_FIXTURE_H_
#define MESHLIB_TEST_CLIENT_TCP_FIXTURE_H_

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "meshlib/tcp.h"
#include "test/client/echo_server.h"
#include "test/client/test_mesh.h"

namespace meshlib::client {

// One listener with a TCP proxy on port 5432, and the cluster "db" of the
// servers.
class TcpTest : public ::testing::Test {
 protected:
  void StartServers(size_t count) {
    for (size_t i = 0; i < count; ++i) {
      servers_.push_back(std::make_unique<EchoServer>(server_tls_));
    }
  }
  std::string Cluster(const std::string& name,
                      const std::vector<std::string>& addresses) {
    std::string endpoints;
    for (const std::string& address : addresses) {
      absl::StrAppend(&endpoints, endpoints.empty() ? "" : ", ", "{endpoint: {",
                      MeshText::SocketAddress(address), "}}");
    }
    return absl::StrCat(
        "  - {name: '", name, "', type: STATIC, connect_timeout: 5s, ",
        cluster_, " load_assignment: {cluster_name: '", name,
        "', endpoints: [{lb_endpoints: [", endpoints, "]}]}}\n");
  }
  static std::string TcpProxyAt(const std::string& name,
                                const std::string& address,
                                const std::string& proxy) {
    return absl::StrCat(
        "  - {name: '", name, "', ", MeshText::SocketAddress(address),
        ", filter_chains: [{filters: [{name: t, typed_config: {'@type': "
        "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3."
        "TcpProxy, stat_prefix: t, ",
        proxy, "}}]}]}\n");
  }
  void StartMesh(MeshOptions options = {}) {
    if (listeners_.empty())
      listeners_ = TcpProxyAt("l", "0.0.0.0:5432", proxy_);
    if (clusters_.empty()) {
      std::vector<std::string> addresses;
      for (const auto& server : servers_) {
        addresses.push_back(server->address());
      }
      clusters_ = Cluster("db", addresses);
    }
    options.io_threads = 1;
    options.config_text = absl::StrCat("static_resources:\n  listeners:\n",
                                       listeners_, "  clusters:\n", clusters_);
    auto mesh = Mesh::Create(std::move(options));
    ASSERT_TRUE(mesh.ok()) << mesh.status();
    mesh_ = *std::move(mesh);
  }
  void Start(size_t count, MeshOptions options = {}) {
    StartServers(count);
    StartMesh(std::move(options));
  }
  absl::StatusOr<tcp::Stream> Connect(const std::string& name = "db:5432",
                                      tcp::ConnectOptions options = {}) {
    return tcp::Connect(*mesh_, name, options);
  }
  // Until the other end's threads have done what they have to.
  static bool Eventually(const std::function<bool()>& done) {
    const absl::Time end = absl::Now() + absl::Seconds(10);
    while (!done()) {
      if (absl::Now() > end) return false;
      std::this_thread::yield();
    }
    return true;
  }
  // Of a mesh without threads. Whether it is done.
  bool Drive(const std::future<absl::Status>& done) {
    mesh_->RunPending();
    return done.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
  }
  static absl::StatusOr<std::string> ReadAll(tcp::Stream& stream) {
    std::string all, piece;
    while (true) {
      const absl::StatusOr<bool> more = stream.Read(piece);
      if (!more.ok()) return more.status();
      if (!*more) return all;
      all += piece;
    }
  }

  net::TlsStream::Context server_tls_;
  std::string proxy_ = "cluster: db";
  std::string cluster_;  // more fields, each with a comma
  std::string listeners_, clusters_;
  std::vector<std::unique_ptr<EchoServer>> servers_;
  std::unique_ptr<Mesh> mesh_;
};

// Reads what comes, and keeps what it is told.
class Recorder final : public tcp::StreamObserver {
 public:
  void OnConnect(tcp::AsyncStream& stream, const tcp::Peer& peer) override {
    host = peer.host;
    if (on_connect) on_connect(stream);
    ReadOn(stream);
  }
  void OnReadable(tcp::AsyncStream& stream) override { ReadOn(stream); }
  void OnWritable(tcp::AsyncStream& stream) override {
    ++writable;
    if (on_writable) on_writable(stream);
  }
  void OnDone(tcp::AsyncStream& stream, const absl::Status& status) override {
    done.set_value(status);
  }
  void ReadOn(tcp::AsyncStream& stream) {
    while (stream.Read(received) == tcp::AsyncStream::ReadResult::kData) {
    }
  }

  std::string host;
  std::string received;
  int writable = 0;
  std::function<void(tcp::AsyncStream&)> on_connect, on_writable;
  std::promise<absl::Status> done;
};

}  // namespace meshlib::client

#endif  // MESHLIB_TEST_CLIENT_TCP_FIXTURE_H_
