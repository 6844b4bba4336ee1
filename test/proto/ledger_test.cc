#include "proto/ledger.h"

#include <string>

#include "gmock/gmock.h"
#include "google/protobuf/struct.pb.h"
#include "gtest/gtest.h"
#include "meshlib/xds/envoy/config/cluster/v3/cluster.pb.h"
#include "meshlib/xds/envoy/config/core/v3/base.pb.h"
#include "proto/generated_files.h"

namespace meshlib::proto {
namespace {

using ::google::protobuf::Descriptor;
using ::google::protobuf::DescriptorPool;
using ::google::protobuf::FieldDescriptor;
using ::meshlib::xds::envoy::config::cluster::v3::Cluster;

TEST(Ledger, IsSortedSoThatBinarySearchFindsEverything) {
  ASSERT_GT(Messages().size(), 300u);
  for (const MessageRow& message : Messages()) {
    EXPECT_EQ(FindMessage(message.name), &message) << message.name;
    for (const FieldRow& field : message.fields()) {
      EXPECT_EQ(message.FindByNumber(field.number), &field) << field.name;
      EXPECT_EQ(message.FindByName(field.name), &field) << field.name;
    }
  }
}

const Descriptor* CopyOf(const MessageRow& message) {
  return DescriptorPool::generated_pool()->FindMessageTypeByName(
      "meshlib.xds." + std::string(message.name));
}

// The generated C++ code and the ledger came from one run of protogen.
TEST(Ledger, AgreesWithTheCompiledCopies) {
  EnsureLinked();
  for (const MessageRow& message : Messages()) {
    const Descriptor* copy = CopyOf(message);
    ASSERT_NE(copy, nullptr) << message.name;
    EXPECT_EQ(FindMessage(*copy), &message);
    int in_copy = 0;
    for (const FieldRow& row : message.fields()) {
      const FieldDescriptor* field = copy->FindFieldByNumber(row.number);
      ASSERT_EQ(field != nullptr, row.in_copy()) << message.name << row.name;
      if (field == nullptr) continue;
      ++in_copy;
      EXPECT_EQ(std::string_view(field->name()), row.name);
      EXPECT_EQ(message.FindByName(field->json_name()), &row) << row.name;
      EXPECT_EQ(field->is_map(), row.map());
      EXPECT_EQ(field->is_repeated(), row.repeated() || row.map());
      const auto* oneof = field->real_containing_oneof();
      EXPECT_EQ(oneof != nullptr, row.oneof >= 0) << row.name;
      if (oneof != nullptr) {
        EXPECT_EQ(std::string_view(oneof->name()),
                  message.oneofs()[row.oneof].name);
      }
    }
    EXPECT_EQ(copy->field_count(), in_copy) << message.name;
  }
}

TEST(Ledger, GivesAReasonForEveryRefusal) {
  int refused = 0;
  for (const MessageRow& message : Messages()) {
    for (const FieldRow& field : message.fields()) {
      if (field.use != FieldUse::kRefused) continue;
      ++refused;
      EXPECT_FALSE(field.reason.empty()) << message.name << "." << field.name;
    }
  }
  EXPECT_GT(refused, 20);
}

TEST(Ledger, SaysWhatIsDoneWithAField) {
  struct Case {
    std::string_view message;
    std::string_view field;
    FieldUse use;
    bool in_copy;
  };
  const Case cases[] = {
      {"envoy.config.cluster.v3.Cluster", "lb_policy", FieldUse::kUsed, true},
      {"envoy.config.cluster.v3.Cluster", "lbPolicy", FieldUse::kUsed, true},
      {"envoy.config.cluster.v3.Cluster", "stats_matcher", FieldUse::kIgnored,
       false},
      {"envoy.config.cluster.v3.Cluster", "transport_socket_matcher",
       FieldUse::kRefused, false},
      {"envoy.config.route.v3.RouteMatch", "tls_context", FieldUse::kRefused,
       true},
      {"envoy.config.cluster.v3.Cluster", "track_timeout_budgets",
       FieldUse::kIgnored, true},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(std::string(c.field));
    const MessageRow* message = FindMessage(c.message);
    ASSERT_NE(message, nullptr);
    const FieldRow* field = message->FindByName(c.field);
    ASSERT_NE(field, nullptr);
    EXPECT_EQ(field->use, c.use);
    EXPECT_EQ(field->in_copy(), c.in_copy);
  }
}

TEST(Ledger, FindsNothingWhereThereIsNothing) {
  EXPECT_EQ(FindMessage(""), nullptr);
  EXPECT_EQ(FindMessage("envoy.config.cluster.v3.Clust"), nullptr);
  EXPECT_EQ(FindMessage("envoy.config.cluster.v3.Clusters"), nullptr);
  EXPECT_EQ(FindMessage("zzz"), nullptr);
  EXPECT_EQ(FindMessage(*google::protobuf::Struct::descriptor()), nullptr);
  const MessageRow* cluster = FindMessage(*Cluster::descriptor());
  ASSERT_NE(cluster, nullptr);
  for (std::string_view name :
       {"", "lb", "lb_policyx", "LbPolicy", "lb_Policy", "hosts"}) {
    EXPECT_EQ(cluster->FindByName(name), nullptr) << name;
  }
  for (int number : {-1, 0, 7, 19000, 536870912}) {
    EXPECT_EQ(cluster->FindByNumber(number), nullptr) << number;
  }
}

TEST(Ledger, MarksDeprecatedFields) {
  const MessageRow* message = FindMessage("envoy.config.core.v3.ConfigSource");
  ASSERT_NE(message, nullptr);
  EXPECT_TRUE(message->FindByName("path")->deprecated());
  EXPECT_FALSE(message->FindByName("ads")->deprecated());
}

TEST(Ledger, TellsMessagesAndAnyFromScalars) {
  const MessageRow* cluster = FindMessage(*Cluster::descriptor());
  EXPECT_EQ(cluster->FindByName("name")->kind, FieldKind::kScalar);
  EXPECT_EQ(cluster->FindByName("load_assignment")->kind, FieldKind::kMessage);
  const FieldRow* options =
      cluster->FindByName("typed_extension_protocol_options");
  EXPECT_EQ(options->kind, FieldKind::kAny);
  EXPECT_TRUE(options->map());
}

TEST(TypeUrl, NamesTheOriginal) {
  EXPECT_EQ(TypeUrl(*Cluster::descriptor()),
            "type.googleapis.com/envoy.config.cluster.v3.Cluster");
  EXPECT_EQ(OriginalName(*Cluster::RingHashLbConfig::descriptor()),
            "envoy.config.cluster.v3.Cluster.RingHashLbConfig");
  EXPECT_EQ(TypeUrl(*google::protobuf::Struct::descriptor()),
            "type.googleapis.com/google.protobuf.Struct");
}

TEST(TypeUrl, FindsOurCopies) {
  EXPECT_EQ(FindMessageTypeByUrl(
                "type.googleapis.com/envoy.config.cluster.v3.Cluster"),
            Cluster::descriptor());
  EXPECT_EQ(FindMessageTypeByUrl("x/y/google.protobuf.Struct"),
            google::protobuf::Struct::descriptor());
  EXPECT_NE(FindMessageTypeByUrl("type.googleapis.com/google.rpc.Status"),
            nullptr);
  for (std::string_view url :
       {"", "/", "envoy.config.cluster.v3.Cluster",
        "type.googleapis.com/meshlib.xds.envoy.config.cluster.v3.Cluster",
        "type.googleapis.com/envoy.config.cluster.v3.Cluster/",
        "type.googleapis.com/envoy.config.cluster.v2.Cluster",
        // An enum and a field are not messages.
        "type.googleapis.com/envoy.config.cluster.v3.Cluster.LbPolicy",
        "type.googleapis.com/envoy.config.cluster.v3.Cluster.name"}) {
    EXPECT_EQ(FindMessageTypeByUrl(url), nullptr) << url;
  }
}

// Nothing in this program names these types, so that the linker would leave
// their files out.
TEST(EnsureLinked, KeepsEveryGeneratedFile) {
  EnsureLinked();
  for (std::string_view name :
       {"envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
        "envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate",
        "xds.data.orca.v3.OrcaLoadReport"}) {
    EXPECT_NE(FindMessageTypeByUrl("type.googleapis.com/" + std::string(name)),
              nullptr)
        << name;
  }
  for (const FileReference& file : FileReferences()) {
    ASSERT_TRUE((file.message == nullptr) != (file.enumeration == nullptr));
    EXPECT_TRUE(file.message == nullptr || file.message() != nullptr);
    EXPECT_TRUE(file.enumeration == nullptr || file.enumeration() != nullptr);
  }
}

TEST(MapWalker, GoesInTheOrderOfTheKeys) {
  xds::envoy::config::core::v3::Metadata metadata;
  for (const char* key : {"c", "a", "b"}) {
    (*metadata.mutable_filter_metadata())[key];
  }
  const MapWalker walk =
      FindMapWalker(*metadata.GetDescriptor()->FindFieldByNumber(1));
  ASSERT_NE(walk, nullptr);
  std::string keys;
  walk(metadata, [&](const MapEntry& entry) { keys += entry.key; });
  EXPECT_EQ(keys, "abc");
  EXPECT_EQ(FindMapWalker(*Cluster::descriptor()->FindFieldByNumber(1)),
            nullptr);
}

// A map field without a walker would not be checked.
TEST(MapWalker, IsThereForEveryMapField) {
  EnsureLinked();
  int maps = 0;
  for (const MessageRow& message : Messages()) {
    const Descriptor* copy = CopyOf(message);
    ASSERT_NE(copy, nullptr);
    for (int i = 0; i < copy->field_count(); ++i) {
      if (!copy->field(i)->is_map()) continue;
      ++maps;
      EXPECT_NE(FindMapWalker(*copy->field(i)), nullptr) << message.name;
    }
  }
  EXPECT_GT(maps, 10);
}

}  // namespace
}  // namespace meshlib::proto
