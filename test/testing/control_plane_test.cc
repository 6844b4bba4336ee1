#include "meshlib/testing/control_plane.h"

#include <unistd.h>

#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "meshlib/xds/envoy/config/cluster/v3/cluster.pb.h"
#include "test/controlplane/ads_client.h"
#include "test/security/test_certificates.h"

namespace meshlib::testing {
namespace {

using controlplane::AdsClientPeer;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
using xds::envoy::config::cluster::v3::Cluster;
using Counts = ControlPlaneCounts;
using Fault = ControlPlaneFaults::Response;

std::string ClusterText(const std::string& name, int timeout = 1) {
  return absl::StrCat("\"@type\": ", kClusterType, "\nname: ", name,
                      "\nconnect_timeout: ", timeout, "s\n",
                      "load_assignment: {cluster_name: ", name, "}\n");
}

class ControlPlaneTest : public ::testing::Test {
 protected:
  void SetText(const std::string& text) {
    const absl::Status set = control_plane_->Set(text);
    EXPECT_TRUE(set.ok()) << set;
  }
  void Faulty(Fault response) {
    ControlPlaneFaults faults;
    faults.response = response;
    control_plane_->SetFaults(faults);
  }
  // The names of the clusters of the next response.
  std::vector<std::string> ReadNames() {
    const auto response = client_.Read();
    EXPECT_TRUE(response.has_value());
    std::vector<std::string> names;
    if (!response.has_value()) return names;
    for (const auto& any : response->resources()) {
      Cluster cluster;
      EXPECT_TRUE(cluster.ParseFromString(any.value()));
      names.push_back(cluster.name());
    }
    return names;
  }
  // A stream that asks for all clusters.
  void AskForClusters() {
    client_.Open();
    client_.Ask(kClusterType);
  }
  bool Wait(absl::AnyInvocable<bool(const Counts&)> condition) {
    return client_.Until([&] { return condition(control_plane_->Counts()); });
  }

  std::unique_ptr<ControlPlane> control_plane_ = ControlPlane::Start().value();
  AdsClientPeer client_{control_plane_->address()};
};

TEST_F(ControlPlaneTest, ServesWhatItIsTold) {
  EXPECT_THAT(control_plane_->address(), StartsWith("127.0.0.1:"));
  EXPECT_GT(control_plane_->port(), 0);
  SetText(ClusterText("a"));
  AskForClusters();
  EXPECT_THAT(ReadNames(), ElementsAre("a"));
  EXPECT_EQ(client_.last().version_info(), "1");
  SetText(ClusterText("b") + "---\n" + ClusterText("c"));
  EXPECT_THAT(ReadNames(), ElementsAre("a", "b", "c"));
  EXPECT_EQ(client_.last().version_info(), "2");
  control_plane_->Remove(kClusterType, "b");
  EXPECT_THAT(ReadNames(), ElementsAre("a", "c"));
  ASSERT_TRUE(control_plane_->Replace(ClusterText("d"), "mine").ok());
  EXPECT_THAT(ReadNames(), ElementsAre("d"));
  EXPECT_EQ(client_.last().version_info(), "mine");
  control_plane_->Clear();
  EXPECT_THAT(ReadNames(), ElementsAre());
}

TEST_F(ControlPlaneTest, RefusesTextsWithErrors) {
  SetText(ClusterText("a"));
  const absl::Status status =
      control_plane_->Set(ClusterText("b") + "conect_timeout: 1s\n");
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("conect_timeout"));
  EXPECT_FALSE(control_plane_->Set(ClusterText("b", -1)).ok());
  EXPECT_FALSE(control_plane_->Set("{not yaml").ok());
  AskForClusters();
  EXPECT_THAT(ReadNames(), ElementsAre("a"));
  // Where a test wants a client to see it.
  EXPECT_TRUE(control_plane_->SetUnchecked(ClusterText("b", -1)).ok());
  EXPECT_THAT(ReadNames(), ElementsAre("a", "b"));
  control_plane_->SetBytes(kClusterType, "raw", "\xff\xff");
  ASSERT_TRUE(client_.Read().has_value());
  EXPECT_EQ(client_.last().resources(2).value(), "\xff\xff");
}

TEST_F(ControlPlaneTest, ServesTheResourcesOfABootstrap) {
  SetText(absl::StrCat(R"(static_resources:
  clusters:
  - name: a
    connect_timeout: 1s
    load_assignment: {cluster_name: a}
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        "@type": type.googleapis.com/)",
                       "envoy.extensions.upstreams.http.v3."
                       "HttpProtocolOptions",
                       R"(
        explicit_http_config: {http2_protocol_options: {}}
)"));
  AskForClusters();
  ASSERT_TRUE(client_.Read().has_value());
  Cluster cluster;
  ASSERT_TRUE(cluster.ParseFromString(client_.last().resources(0).value()));
  EXPECT_EQ(client_.last().resources(0).type_url(), kClusterType);
  // The original's type, in what it holds too.
  EXPECT_EQ(
      cluster.typed_extension_protocol_options().begin()->second.type_url(),
      "type.googleapis.com/"
      "envoy.extensions.upstreams.http.v3.HttpProtocolOptions");
}

TEST_F(ControlPlaneTest, CountsWhatClientsSay) {
  SetText(ClusterText("a"));
  AskForClusters();
  EXPECT_THAT(ReadNames(), ElementsAre("a"));
  client_.Reply();
  EXPECT_TRUE(Wait(
      [](const Counts& counts) { return counts.Of(kClusterType).current(); }));
  SetText(ClusterText("a", 2));
  EXPECT_FALSE(control_plane_->Counts().Of(kClusterType).current());
  ReadNames();
  client_.Reply("no good");
  client_.Ask(kEndpointsType, {"x", "y"});
  EXPECT_TRUE(Wait([](const Counts& counts) {
    return counts.Of(kEndpointsType).requests == 1;
  }));
  EXPECT_TRUE(control_plane_->WaitFor(
      [](const Counts& counts) { return counts.nacks == 1; }));
  EXPECT_FALSE(control_plane_->WaitFor(
      [](const Counts& counts) { return counts.nacks == 2; },
      absl::Milliseconds(1)));
  const Counts counts = control_plane_->Counts();
  EXPECT_EQ(counts.streams, 1u);
  EXPECT_EQ(counts.open_streams, 1u);
  EXPECT_EQ(counts.connections, 1u);
  EXPECT_EQ(counts.requests, 4u);
  EXPECT_EQ(counts.responses, 2u);
  EXPECT_EQ(counts.acks, 1u);
  EXPECT_EQ(counts.nacks, 1u);
  EXPECT_EQ(counts.node_id, "test");
  const Counts::Type clusters = counts.Of(kClusterType);
  EXPECT_TRUE(clusters.all);
  EXPECT_EQ(clusters.acked_version, "1");
  EXPECT_EQ(clusters.version, "2");
  EXPECT_THAT(clusters.nack_errors, ElementsAre("no good"));
  EXPECT_THAT(counts.Of(kEndpointsType).names, ElementsAre("x", "y"));
  EXPECT_EQ(counts.Of(kListenerType).requests, 0u);
}

TEST_F(ControlPlaneTest, SaysNothingWhileItIsSilent) {
  SetText(ClusterText("a"));
  ControlPlaneFaults faults;
  faults.silent = true;
  control_plane_->SetFaults(faults);
  AskForClusters();
  EXPECT_TRUE(Wait([](const Counts& counts) { return counts.requests == 1; }));
  SetText(ClusterText("b"));
  EXPECT_TRUE(client_.Quiet());
  control_plane_->SetFaults({});
  EXPECT_THAT(ReadNames(), ElementsAre("a", "b"));
}

TEST_F(ControlPlaneTest, MakesBadResponses) {
  SetText(ClusterText("a"));
  Faulty(Fault::kWrongNonce);
  AskForClusters();
  ReadNames();
  client_.Reply();
  EXPECT_TRUE(Wait([](const Counts& counts) {
    return counts.Of(kClusterType).stale == 1 && counts.acks == 0;
  }));

  Faulty(Fault::kWrongType);
  AskForClusters();
  ReadNames();
  EXPECT_EQ(client_.last().type_url(), kListenerType);

  Faulty(Fault::kForeignResource);
  AskForClusters();
  EXPECT_THAT(ReadNames(), ElementsAre("a", "foreign"));
  EXPECT_EQ(client_.last().resources(1).type_url(), kListenerType);

  Faulty(Fault::kDuplicates);
  AskForClusters();
  EXPECT_THAT(ReadNames(), ElementsAre("a", "a"));

  Faulty(Fault::kGarbage);
  AskForClusters();
  const auto garbage = client_.ReadMessage();
  ASSERT_TRUE(garbage.has_value());
  EXPECT_FALSE(AdsClientPeer::Response().ParseFromString(*garbage));

  Faulty(Fault::kBrokenFraming);
  AskForClusters();
  EXPECT_FALSE(client_.ReadMessage().has_value());
  EXPECT_FALSE(client_.framing().ok());
}

TEST_F(ControlPlaneTest, CutsAResponseShort) {
  SetText(ClusterText("a"));
  Faulty(Fault::kTruncated);
  AskForClusters();
  EXPECT_FALSE(client_.ReadMessage().has_value());
  EXPECT_TRUE(client_.answer().reset.has_value());
  EXPECT_GT(client_.answer().body.size(), 5u);
}

TEST_F(ControlPlaneTest, MakesSomeResponsesBad) {
  SetText(ClusterText("a"));
  ControlPlaneFaults faults;
  faults.response = Fault::kDuplicates;
  faults.type_url = kClusterType;
  faults.times = 1;
  control_plane_->SetFaults(faults);
  control_plane_->SetBytes(kEndpointsType, "e", "");
  client_.Open();
  client_.Ask(kEndpointsType, {"e"});
  EXPECT_THAT(ReadNames(), ElementsAre(""));
  client_.Ask(kClusterType);
  EXPECT_THAT(ReadNames(), ElementsAre("a", "a"));
  SetText(ClusterText("b"));
  EXPECT_THAT(ReadNames(), ElementsAre("a", "b"));
}

TEST_F(ControlPlaneTest, MakesResponsesHugeAndLate) {
  SetText(ClusterText("a"));
  ControlPlaneFaults faults;
  faults.padding = 20'000'000;
  faults.delay = absl::Milliseconds(1);
  control_plane_->SetFaults(faults);
  AskForClusters();
  const auto message = client_.ReadMessage();
  ASSERT_TRUE(message.has_value());
  EXPECT_GT(message->size(), 20'000'000u);
  AdsClientPeer::Response response;
  ASSERT_TRUE(response.ParseFromString(*message));
  EXPECT_EQ(response.resources_size(), 1);
}

TEST_F(ControlPlaneTest, CutsStreamsAsItIsTold) {
  SetText(ClusterText("a"));
  ControlPlaneFaults faults;
  faults.end_after = 1;
  control_plane_->SetFaults(faults);
  AskForClusters();
  EXPECT_THAT(ReadNames(), ElementsAre("a"));
  client_.ReadEnd();
  EXPECT_TRUE(client_.answer().reset.has_value());

  faults.end_after = 0;
  faults.end = StreamEnd::Status(8, "too much 100%");
  control_plane_->SetFaults(faults);
  AskForClusters();
  EXPECT_THAT(client_.ReadEnd(), HasSubstr("grpc-status=8\n"));
  EXPECT_THAT(client_.ReadEnd(), HasSubstr("grpc-message=too much 100%25\n"));
  EXPECT_FALSE(client_.connection().over());

  faults.end.kind = StreamEnd::Kind::kAbort;
  control_plane_->SetFaults(faults);
  AskForClusters();
  client_.ReadEnd();
  EXPECT_TRUE(client_.connection().reset);

  faults.end.kind = StreamEnd::Kind::kClose;
  faults.end_after = 1;
  control_plane_->SetFaults(faults);
  AskForClusters();
  EXPECT_THAT(ReadNames(), ElementsAre("a"));
  client_.ReadEnd();
  EXPECT_TRUE(client_.connection().ended);

  control_plane_->SetFaults({});
  AskForClusters();
  EXPECT_THAT(ReadNames(), ElementsAre("a"));
  control_plane_->EndStreams(StreamEnd::Status(14));
  EXPECT_THAT(client_.ReadEnd(), HasSubstr("grpc-status=14\n"));
  EXPECT_TRUE(Wait([](const Counts& counts) {
    return counts.streams == 5 && counts.open_streams == 0;
  }));
}

TEST_F(ControlPlaneTest, DiesAndComesBack) {
  SetText(ClusterText("a"));
  AskForClusters();
  ReadNames();
  control_plane_->Kill();
  client_.ReadEnd();
  EXPECT_TRUE(client_.connection().over());
  client_.Open();
  client_.ReadEnd();
  EXPECT_FALSE(client_.connection().connected);
  ASSERT_TRUE(control_plane_->Resume().ok());
  AskForClusters();
  EXPECT_THAT(ReadNames(), ElementsAre("a"));

  control_plane_->ResetConnections();
  client_.ReadEnd();
  control_plane_->AcceptAndClose(true);
  client_.Open();
  client_.ReadEnd();
  EXPECT_TRUE(
      Wait([](const Counts& counts) { return counts.closed_at_once == 1; }));
  control_plane_->AcceptAndClose(false);
  AskForClusters();
  EXPECT_THAT(ReadNames(), ElementsAre("a"));
}

TEST_F(ControlPlaneTest, Flaps) {
  SetText(ClusterText("a"));
  control_plane_->Flap(absl::Milliseconds(5));
  bool refused = false;
  int answered = 0;
  EXPECT_TRUE(client_.Until([&] {
    AskForClusters();
    if (client_.ReadMessage().has_value()) ++answered;
    refused = refused || !client_.connection().connected;
    return refused && answered > 1;
  }));
  control_plane_->Flap(absl::ZeroDuration());
  EXPECT_TRUE(client_.Until([&] {
    AskForClusters();
    return client_.Read().has_value();
  }));
}

// A file with this text, gone with the object.
class TextFile {
 public:
  explicit TextFile(const std::string& text)
      : path_(::testing::TempDir() + "/control_plane.XXXXXX") {
    const int fd = mkstemp(path_.data());
    if (fd >= 0) close(fd);
    std::ofstream(path_) << text;
  }
  ~TextFile() { unlink(path_.c_str()); }
  TextFile(const TextFile&) = delete;
  TextFile& operator=(const TextFile&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

TEST(ControlPlaneTls, DemandsCertificates) {
  const security::TestCa ca;
  security::TestLeaf leaf;
  leaf.alternative_names = "IP:127.0.0.1";
  const security::TlsMaterial material = ca.Issue(leaf);
  const TextFile chain(material.certificate_chain);
  const TextFile key(material.private_key);
  const TextFile root(ca.pem());
  ControlPlaneOptions options;
  options.certificate_file = chain.path();
  options.private_key_file = key.path();
  options.client_ca_file = root.path();
  auto control_plane = ControlPlane::Start(options);
  ASSERT_TRUE(control_plane.ok()) << control_plane.status();
  ASSERT_TRUE((*control_plane)->Set(ClusterText("a")).ok());
  // A client without TLS, one without a certificate, one with.
  AdsClientPeer plain((*control_plane)->address());
  plain.Open();
  plain.ReadEnd();
  EXPECT_TRUE(plain.connection().over());
  security::TlsOptions tls;
  tls.material.trusted_ca = ca.pem();
  tls.alpn_protocols = {"h2"};
  AdsClientPeer anonymous((*control_plane)->address(), tls);
  anonymous.Open();
  anonymous.Ask(kClusterType);
  EXPECT_FALSE(anonymous.Read().has_value());
  tls.material.certificate_chain = material.certificate_chain;
  tls.material.private_key = material.private_key;
  AdsClientPeer known((*control_plane)->address(), tls);
  known.Open();
  known.Ask(kClusterType);
  EXPECT_TRUE(known.Read().has_value());
  EXPECT_TRUE((*control_plane)->WaitFor([](const Counts& counts) {
    return counts.failed_handshakes == 2 && counts.streams == 1;
  }));
  options.certificate_file = "/nowhere";
  EXPECT_FALSE(ControlPlane::Start(options).ok());
}

}  // namespace
}  // namespace meshlib::testing
