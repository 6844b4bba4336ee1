#include "xds/resource_decoder.h"

#include <memory>
#include <string>
#include <variant>

#include "gmock/gmock.h"
#include "google/protobuf/unknown_field_set.h"
#include "gtest/gtest.h"
#include "meshlib/xds/envoy/config/cluster/v3/cluster.pb.h"
#include "meshlib/xds/envoy/config/endpoint/v3/endpoint.pb.h"
#include "meshlib/xds/envoy/extensions/transport_sockets/tls/v3/secret.pb.h"
#include "meshlib/xds/envoy/service/discovery/v3/discovery.pb.h"
#include "proto/ledger.h"

namespace meshlib::xds {
namespace {

using envoy::config::cluster::v3::Cluster;
using envoy::config::endpoint::v3::ClusterLoadAssignment;
using envoy::extensions::transport_sockets::tls::v3::Secret;
using envoy::service::discovery::v3::Resource;
using ::google::protobuf::Message;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string UrlOf(const Message& message) {
  return proto::TypeUrl(*message.GetDescriptor());
}

DecodedResource Decode(const Message& message) {
  return ResourceDecoder().Decode(UrlOf(message), message.SerializeAsString());
}

Resource Wrapped(const Message& message) {
  Resource resource;
  resource.set_name("envelope");
  resource.set_version("7");
  resource.mutable_resource()->set_type_url(UrlOf(message));
  resource.mutable_resource()->set_value(message.SerializeAsString());
  return resource;
}

Cluster GoodCluster() {
  Cluster cluster;
  cluster.set_name("c");
  cluster.mutable_load_assignment()->set_cluster_name("c");
  return cluster;
}

// A field of Cluster that our copy lacks.
void AddUnknown(Cluster& cluster, const char* field) {
  const auto* row = proto::FindMessage(*Cluster::descriptor());
  cluster.GetReflection()->MutableUnknownFields(&cluster)->AddLengthDelimited(
      row->FindByName(field)->number, "");
}

TEST(ResourceDecoder, GivesTheModelOfAGoodResource) {
  const DecodedResource decoded = Decode(GoodCluster());
  EXPECT_TRUE(decoded.ok()) << decoded.ErrorText();
  EXPECT_EQ(decoded.name, "c");
  const auto* cluster =
      std::get_if<std::shared_ptr<const model::Cluster>>(&decoded.value);
  ASSERT_NE(cluster, nullptr);
  ASSERT_NE(*cluster, nullptr);
  EXPECT_EQ((*cluster)->name, "c");
}

TEST(ResourceDecoder, NamesAnAssignmentByItsCluster) {
  ClusterLoadAssignment assignment;
  assignment.set_cluster_name("c");
  EXPECT_EQ(Decode(assignment).name, "c");
}

TEST(ResourceDecoder, KeepsTheMessageOfATypeWithoutAModel) {
  Secret secret;
  secret.set_name("s");
  const DecodedResource decoded = Decode(secret);
  EXPECT_TRUE(decoded.ok()) << decoded.ErrorText();
  ASSERT_NE(decoded.message, nullptr);
  EXPECT_TRUE(std::holds_alternative<std::monostate>(decoded.value));
}

TEST(ResourceDecoder, ReportsEveryErrorWithItsPath) {
  Cluster cluster = GoodCluster();
  AddUnknown(cluster, "transport_socket_matcher");    // refused
  cluster.mutable_connect_timeout()->set_seconds(0);  // a rule
  auto* lb = cluster.mutable_maglev_lb_config();      // the converter
  lb->mutable_table_size()->set_value(10);
  cluster.set_lb_policy(Cluster::MAGLEV);
  const DecodedResource decoded = Decode(cluster);
  EXPECT_FALSE(decoded.ok());
  EXPECT_THAT(decoded.ErrorText(),
              HasSubstr("transport_socket_matcher: not supported: "));
  EXPECT_THAT(decoded.ErrorText(), HasSubstr("connect_timeout: "));
  EXPECT_THAT(decoded.ErrorText(), HasSubstr("maglev_lb_config.table_size: "));
  EXPECT_EQ(std::get<std::shared_ptr<const model::Cluster>>(decoded.value),
            nullptr);
}

TEST(ResourceDecoder, AcceptsAndNotesAFieldThatIsSafeToIgnore) {
  Cluster cluster = GoodCluster();
  AddUnknown(cluster, "stats_matcher");
  const DecodedResource decoded = Decode(cluster);
  EXPECT_TRUE(decoded.ok()) << decoded.ErrorText();
  ASSERT_EQ(decoded.problems.size(), 1u);
  EXPECT_EQ(decoded.problems[0].path, "stats_matcher");
  EXPECT_EQ(decoded.problems[0].kind, ProblemKind::kUnsupported);
  EXPECT_THAT(decoded.problems[0].message,
              HasSubstr("unsupported field ignored: "
                        "envoy.config.cluster.v3.Cluster.stats_matcher"));
}

TEST(ResourceDecoder, TellsWhatTheRulesSayOnce) {
  Cluster cluster = GoodCluster();
  cluster.mutable_connect_timeout()->set_seconds(-1);
  EXPECT_EQ(Decode(cluster).problems.size(), 1u) << Decode(cluster).ErrorText();
}

TEST(ResourceDecoder, RefusesBytesThatAreNoMessage) {
  const DecodedResource decoded =
      ResourceDecoder().Decode(UrlOf(Cluster()), "\x0a\xff");
  EXPECT_EQ(decoded.ErrorText(),
            "the bytes are not a valid envoy.config.cluster.v3.Cluster");
  EXPECT_EQ(decoded.message, nullptr);
}

TEST(ResourceDecoder, RefusesTypesThatAreNoResources) {
  ResourceDecoder decoder;
  for (const char* url :
       {"", "x", "type.googleapis.com/envoy.config.core.v3.Node",
        "envoy.config.cluster.v3.Cluster", "type.googleapis.com/no.Such"}) {
    const DecodedResource decoded = decoder.Decode(url, "");
    EXPECT_THAT(decoded.ErrorText(), HasSubstr("URL of a resource type"));
  }
}

TEST(ResourceDecoder, UnwrapsADeltaResource) {
  const Cluster cluster = GoodCluster();
  const DecodedResource decoded = ResourceDecoder().DecodeDelta(
      UrlOf(cluster), Wrapped(cluster).SerializeAsString());
  EXPECT_TRUE(decoded.ok()) << decoded.ErrorText();
  EXPECT_EQ(decoded.name, "envelope");
  EXPECT_EQ(decoded.version, "7");
  EXPECT_NE(std::get<std::shared_ptr<const model::Cluster>>(decoded.value),
            nullptr);
}

TEST(ResourceDecoder, UnwrapsAResourceOfAStateOfTheWorld) {
  const DecodedResource decoded = Decode(Wrapped(GoodCluster()));
  EXPECT_TRUE(decoded.ok()) << decoded.ErrorText();
  EXPECT_EQ(decoded.name, "envelope");
  // Once only.
  EXPECT_FALSE(Decode(Wrapped(Wrapped(GoodCluster()))).ok());
}

TEST(ResourceDecoder, RefusesADeltaResourceOfAnotherType) {
  const DecodedResource decoded = ResourceDecoder().DecodeDelta(
      UrlOf(Secret()), Wrapped(GoodCluster()).SerializeAsString());
  EXPECT_THAT(decoded.ErrorText(),
              HasSubstr("envoy.config.cluster.v3.Cluster"));
  EXPECT_EQ(decoded.name, "envelope");
}

TEST(ResourceDecoder, TakesADeltaResourceWithoutContentForAHeartbeat) {
  Resource resource;
  resource.set_name("c");
  const DecodedResource decoded = ResourceDecoder().DecodeDelta(
      UrlOf(Cluster()), resource.SerializeAsString());
  EXPECT_TRUE(decoded.ok());
  EXPECT_TRUE(decoded.heartbeat);
  EXPECT_EQ(decoded.name, "c");
}

}  // namespace
}  // namespace meshlib::xds
