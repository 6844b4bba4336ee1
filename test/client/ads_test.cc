#include <cstdlib>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "meshlib/http.h"
#include "meshlib/mesh.h"
#include "meshlib/testing/backend.h"
#include "meshlib/testing/control_plane.h"
#include "test/client/test_mesh.h"
#include "test/security/test_certificates.h"

namespace meshlib::client {
namespace {

using meshlib::testing::Backend;
using meshlib::testing::ControlPlane;
using meshlib::testing::ControlPlaneCounts;
using meshlib::testing::ControlPlaneFaults;
using meshlib::testing::ControlPlaneOptions;
using meshlib::testing::kClusterType;
using meshlib::testing::kEndpointsType;
using meshlib::testing::StartBackends;
using ::testing::HasSubstr;
using Fault = ControlPlaneFaults::Response;

constexpr char kType[] = "'@type': type.googleapis.com/envoy.";
constexpr char kUrl[] = "http://echo.test:8080/";

std::string Cluster(const std::string& name) {
  return absl::StrCat(kType, "config.cluster.v3.Cluster\nname: ", name,
                      "\ntype: EDS\nconnect_timeout: 1s\n"
                      "eds_cluster_config: {eds_config: {ads: {}}}\n---\n");
}

std::string Endpoints(const std::string& name, const std::string& address) {
  return absl::StrCat(
      kType, "config.endpoint.v3.ClusterLoadAssignment\ncluster_name: ", name,
      "\nendpoints: [{lb_endpoints: [{endpoint: {",
      MeshText::SocketAddress(address), "}}]}]\n---\n");
}

std::string Listener(const std::string& name, bool api) {
  const std::string manager = absl::StrCat(
      "{", kType,
      "extensions.filters.network.http_connection_manager.v3."
      "HttpConnectionManager, stat_prefix: x, rds: {route_config_name: routes, "
      "config_source: {ads: {}}}, http_filters: [{name: "
      "envoy.filters.http.router, typed_config: {",
      kType, "extensions.filters.http.router.v3.Router}}]}");
  return absl::StrCat(
      kType, "config.listener.v3.Listener\nname: ", name,
      api ? "\napi_listener: {api_listener: "
          : "\naddress: {socket_address: {address: 0.0.0.0, port_value: 8080}}"
            "\nfilter_chains: [{filters: [{name: "
            "envoy.filters.network.http_connection_manager, typed_config: ",
      manager, api ? "}\n---\n" : "}]}]\n---\n");
}

std::string Routes(const std::string& cluster) {
  return absl::StrCat(kType,
                      "config.route.v3.RouteConfiguration\nname: routes\n"
                      "virtual_hosts: [{name: v, domains: ['*'], routes: "
                      "[{match: {prefix: /}, route: {cluster: ",
                      cluster, "}}]}]\n---\n");
}

class AdsTest : public ::testing::Test {
 protected:
  void Serve(ControlPlaneOptions options = {}) {
    backends_ = StartBackends(2).value();
    auto control_plane = ControlPlane::Start(std::move(options));
    ASSERT_TRUE(control_plane.ok()) << control_plane.status();
    control_plane_ = *std::move(control_plane);
    Set(Cluster("echo") + Endpoints("echo", address(0)) +
        Listener("outbound", false) + Listener("echo", true) + Routes("echo"));
  }
  void Set(const std::string& text) {
    const absl::Status set = control_plane_->Set(text);
    ASSERT_TRUE(set.ok()) << set;
  }
  const std::string& address(size_t backend) const {
    return backends_[backend]->address();
  }
  // Sends what follows to that backend.
  void Push(size_t backend) { Set(Endpoints("echo", address(backend))); }

  std::string Bootstrap(const std::string& tls = "") const {
    return absl::StrCat(
        "node: {id: me, cluster: tests}\n"
        "dynamic_resources:\n"
        "  ads_config: {api_type: GRPC, transport_api_version: V3,\n"
        "    grpc_services: [{envoy_grpc: {cluster_name: xds}}]}\n"
        "  cds_config: {ads: {}}\n"
        "  lds_config: {ads: {}}\n"
        "static_resources:\n"
        "  clusters:\n"
        "  - name: xds\n"
        "    type: STATIC\n"
        "    connect_timeout: 1s\n",
        tls,
        "    typed_extension_protocol_options:\n"
        "      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:\n"
        "        ",
        kType,
        "extensions.upstreams.http.v3.HttpProtocolOptions\n"
        "        explicit_http_config: {http2_protocol_options: {}}\n"
        "    load_assignment: {cluster_name: xds, endpoints: [{lb_endpoints: "
        "[{endpoint: {",
        MeshText::SocketAddress(control_plane_->address()), "}}]}]}\n");
  }
  std::string GrpcBootstrap() const {
    return absl::StrCat("{\"xds_servers\": [{\"server_uri\": \"",
                        control_plane_->address(),
                        "\", \"channel_creds\": [{\"type\": \"insecure\"}]}], "
                        "\"node\": {\"id\": \"me\"}}");
  }
  void Join(const std::string& bootstrap, bool own_thread = true) {
    MeshOptions options;
    options.config_text = bootstrap;
    options.own_thread = own_thread;
    auto mesh = Mesh::Create(std::move(options));
    ASSERT_TRUE(mesh.ok()) << mesh.status();
    mesh_ = *std::move(mesh);
    client_.emplace(http::Client::Create(*mesh_).value());
  }

  // Where the next request goes; else why it does not.
  std::string Ask(const std::string& url = kUrl) {
    const auto response = client_->Get(url);
    if (!response.ok()) return std::string(response.status().message());
    return response->status == 200 ? response->host
                                   : absl::StrCat(response->status);
  }
  // Requests on the way to it must succeed.
  bool ComesTo(const std::string& host) {
    const absl::Time end = absl::Now() + absl::Seconds(20);
    while (absl::Now() < end) {
      const std::string found = Ask();
      if (found == host) return true;
      if (found != address(0) && found != address(1)) {
        ADD_FAILURE() << found;
        return false;
      }
    }
    return false;
  }

  std::vector<std::unique_ptr<Backend>> backends_;
  std::unique_ptr<ControlPlane> control_plane_;
  std::unique_ptr<Mesh> mesh_;
  std::optional<http::Client> client_;
};

TEST_F(AdsTest, JoinsAsASidecar) {
  Serve();
  Join(Bootstrap());
  EXPECT_EQ(Ask(), address(0));  // the first call waits
  const ControlPlaneCounts counts = control_plane_->Counts();
  EXPECT_EQ(counts.streams, 1u);
  EXPECT_EQ(counts.node_id, "me");
  EXPECT_EQ(counts.nacks, 0u);
  EXPECT_TRUE(counts.Of(kClusterType).all);
}

TEST_F(AdsTest, JoinsByTheBootstrapOfGrpc) {
  Serve();
  Join(GrpcBootstrap());
  EXPECT_EQ(Ask("http://echo/"), address(0));
  EXPECT_FALSE(control_plane_->Counts().Of(kClusterType).all);
  EXPECT_THAT(control_plane_->Counts().Of(kClusterType).names,
              ::testing::ElementsAre("echo"));
}

TEST_F(AdsTest, ObeysWhatIsPushed) {
  Serve();
  Join(Bootstrap());
  EXPECT_EQ(Ask(), address(0));
  Push(1);
  EXPECT_TRUE(ComesTo(address(1)));
  Set(Cluster("other") + Endpoints("other", address(0)) + Routes("other"));
  EXPECT_TRUE(ComesTo(address(0)));
}

TEST_F(AdsTest, GoesOnWithoutItsControlPlane) {
  Serve();
  Join(Bootstrap());
  EXPECT_EQ(Ask(), address(0));
  control_plane_->Kill();
  EXPECT_EQ(Ask(), address(0));
  Push(1);
  EXPECT_EQ(Ask(), address(0));
  ASSERT_TRUE(control_plane_->Resume().ok());
  EXPECT_TRUE(ComesTo(address(1)));
}

TEST_F(AdsTest, SaysWhatKeepsItFromItsControlPlane) {
  Serve();
  control_plane_->StopListening();
  Join(Bootstrap());
  const std::string refused = Ask();
  EXPECT_THAT(refused, HasSubstr("control plane \"xds\""));
  EXPECT_THAT(refused, HasSubstr("Connection refused"));
  const auto target = mesh_->Resolve("echo.test:8080");
  ASSERT_TRUE(target.ok()) << target.status();
  EXPECT_THAT(
      std::string(mesh_->WaitReady(*target, absl::InfinitePast()).message()),
      HasSubstr("Connection refused"));
  ASSERT_TRUE(control_plane_->Resume().ok());
  EXPECT_TRUE(mesh_->WaitReady(*target, absl::Now() + absl::Seconds(20)).ok());
}

TEST_F(AdsTest, SaysWhatTheControlPlaneHasNotNamed) {
  Serve();
  Join(GrpcBootstrap());
  EXPECT_THAT(Ask("http://nobody/"),
              HasSubstr("the control plane has not named it"));
}

TEST_F(AdsTest, UsesTheGoodOfABadResponse) {
  Serve();
  Join(Bootstrap());
  EXPECT_EQ(Ask(), address(0));
  ASSERT_TRUE(control_plane_
                  ->SetUnchecked(absl::StrCat(
                      kType, "config.cluster.v3.Cluster\nname: bad\n",
                      "connect_timeout: -1s\n---\n", Cluster("other"),
                      Endpoints("other", address(1)), Routes("other")))
                  .ok());
  EXPECT_TRUE(ComesTo(address(1)));
  ASSERT_TRUE(control_plane_->WaitFor(
      [](const ControlPlaneCounts& counts) { return counts.nacks > 0; }));
  EXPECT_THAT(control_plane_->Counts().Of(kClusterType).nack_errors.back(),
              HasSubstr("Cluster \"bad\": connect_timeout"));
}

TEST_F(AdsTest, OutlivesResponsesOfEveryKind) {
  Serve();
  Join(Bootstrap());
  EXPECT_EQ(Ask(), address(0));
  size_t next = 1;
  for (const Fault fault :
       {Fault::kWrongNonce, Fault::kWrongType, Fault::kForeignResource,
        Fault::kDuplicates, Fault::kGarbage, Fault::kBrokenFraming,
        Fault::kTruncated}) {
    SCOPED_TRACE(static_cast<int>(fault));
    ControlPlaneFaults faults;
    faults.response = fault;
    faults.times = 3;
    const uint64_t before = control_plane_->Counts().responses;
    control_plane_->SetFaults(faults);
    Push(next);
    ASSERT_TRUE(
        control_plane_->WaitFor([before](const ControlPlaneCounts& counts) {
          return counts.responses > before;
        }));
    control_plane_->SetFaults({});
    next = 1 - next;
    Push(next);
    EXPECT_TRUE(ComesTo(address(next)));
    next = 1 - next;
    Push(next);
    EXPECT_TRUE(ComesTo(address(next)));
    next = 1 - next;
  }
}

TEST_F(AdsTest, OutlivesStreamsThatEndAndAServerThatFlaps) {
  Serve();
  Join(Bootstrap());
  EXPECT_EQ(Ask(), address(0));
  size_t next = 1;
  for (uint64_t after = 0; after < 5; ++after) {
    SCOPED_TRACE(after);
    ControlPlaneFaults faults;
    faults.end_after = after;
    control_plane_->SetFaults(faults);
    control_plane_->EndStreams();
    Push(next);
    EXPECT_THAT(Ask(), HasSubstr("127.0.0.1:"));
    control_plane_->SetFaults({});
    EXPECT_TRUE(ComesTo(address(next)));
    next = 1 - next;
  }
  control_plane_->Flap(absl::Milliseconds(100));
  for (int i = 0; i < 10; ++i) {
    Push(next);
    next = 1 - next;
    EXPECT_THAT(Ask(), HasSubstr("127.0.0.1:"));
  }
  control_plane_->Flap(absl::ZeroDuration());
  Push(next);
  EXPECT_TRUE(ComesTo(address(next)));
}

TEST_F(AdsTest, TakesALargeResponse) {
  Serve();
  ControlPlaneFaults faults;
  faults.padding = size_t{100} << 20;
  faults.type_url = kEndpointsType;
  faults.times = 1;
  control_plane_->SetFaults(faults);
  Join(Bootstrap());
  EXPECT_EQ(Ask(), address(0));
}

TEST_F(AdsTest, ForgetsWhatIsDeleted) {
  Serve();
  Join(Bootstrap());
  EXPECT_EQ(Ask(), address(0));
  // Endpoints that are not there any more are not deleted by that.
  control_plane_->Remove(kEndpointsType, "echo");
  control_plane_->Remove(kClusterType, "echo");
  ASSERT_TRUE(control_plane_->WaitFor([](const ControlPlaneCounts& counts) {
    return counts.Of(kClusterType).current();
  }));
  const absl::Time end = absl::Now() + absl::Seconds(20);
  while (Ask() == address(0) && absl::Now() < end) continue;
  EXPECT_THAT(Ask(), ::testing::AnyOf(HasSubstr("cluster"), "503"));
}

TEST_F(AdsTest, IsDrivenByTheApplication) {
  Serve();
  Join(Bootstrap(), false);
  EXPECT_EQ(Ask(), address(0));
  Push(1);
  EXPECT_TRUE(ComesTo(address(1)));
}

TEST_F(AdsTest, TakesAnotherFile) {
  Serve();
  Join(Bootstrap());
  EXPECT_EQ(Ask(), address(0));
  ASSERT_TRUE(mesh_->ReloadText(Bootstrap() + "\nadmin: {}\n").ok());
  EXPECT_EQ(Ask(), address(0));
  EXPECT_EQ(control_plane_->Counts().streams, 1u);
  // Another node is another stream.
  std::string other = Bootstrap();
  other.replace(other.find("id: me"), 6, "id: us");
  ASSERT_TRUE(mesh_->ReloadText(other).ok());
  ASSERT_TRUE(control_plane_->WaitFor([](const ControlPlaneCounts& counts) {
    return counts.node_id == "us" && counts.open_streams == 1;
  }));
  EXPECT_EQ(Ask(), address(0));
}

TEST_F(AdsTest, ProvesWhoItIs) {
  std::string folder = ::testing::TempDir() + "/adsXXXXXX";
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  const security::TestCa ca;
  std::ofstream(folder + "/ca.pem") << ca.pem();
  for (const std::string name : {"server", "client"}) {
    security::TestLeaf leaf;
    leaf.common_name = name;
    leaf.alternative_names = "DNS:xds.test";
    const security::TlsMaterial pair = ca.Issue(leaf);
    std::ofstream(absl::StrCat(folder, "/", name, ".pem"))
        << pair.certificate_chain;
    std::ofstream(absl::StrCat(folder, "/", name, ".key")) << pair.private_key;
  }
  ControlPlaneOptions options;
  options.certificate_file = folder + "/server.pem";
  options.private_key_file = folder + "/server.key";
  options.client_ca_file = folder + "/ca.pem";
  Serve(options);
  Join(Bootstrap(absl::StrCat(
      "    transport_socket: {name: tls, typed_config: {", kType,
      "extensions.transport_sockets.tls.v3.UpstreamTlsContext, sni: xds.test, "
      "common_tls_context: {tls_certificates: [{certificate_chain: {filename: ",
      folder, "/client.pem}, private_key: {filename: ", folder,
      "/client.key}}], validation_context: {trusted_ca: {filename: ", folder,
      "/ca.pem}}}}}\n")));
  EXPECT_EQ(Ask(), address(0));
}

}  // namespace
}  // namespace meshlib::client
