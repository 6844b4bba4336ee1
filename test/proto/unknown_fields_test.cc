#include "proto/unknown_fields.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "google/protobuf/unknown_field_set.h"
#include "gtest/gtest.h"
#include "meshlib/xds/envoy/config/cluster/v3/cluster.pb.h"
#include "meshlib/xds/envoy/config/listener/v3/listener.pb.h"
#include "meshlib/xds/envoy/config/route/v3/route.pb.h"
#include "meshlib/xds/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"

namespace meshlib::proto {
namespace {

using ::google::protobuf::Message;
using ::google::protobuf::UnknownFieldSet;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using xds::envoy::config::cluster::v3::Cluster;
using xds::envoy::config::listener::v3::Listener;
using xds::envoy::config::route::v3::RouteConfiguration;
using xds::envoy::extensions::filters::network::http_connection_manager::v3::
    HttpConnectionManager;

UnknownFieldSet& Unknown(Message& message) {
  return *message.GetReflection()->MutableUnknownFields(&message);
}

std::vector<std::string> Lines(const Message& message) {
  std::vector<std::string> lines;
  for (const UnsupportedField& field : FindUnsupportedFields(message)) {
    lines.push_back(field.path + ": " + field.ToString());
  }
  return lines;
}

TEST(UnsupportedFields, AreNamedAsInTheOriginal) {
  Cluster cluster;
  // stats_matcher, transport_socket_matcher
  const auto* row = FindMessage("envoy.config.cluster.v3.Cluster");
  Unknown(cluster).AddLengthDelimited(row->FindByName("stats_matcher")->number,
                                      "");
  Unknown(cluster).AddLengthDelimited(
      row->FindByName("transport_socket_matcher")->number, "");
  const auto found = FindUnsupportedFields(cluster);
  ASSERT_EQ(found.size(), 2u);
  const auto& first = found[0].name == "stats_matcher" ? found[0] : found[1];
  const auto& second = found[0].name == "stats_matcher" ? found[1] : found[0];
  EXPECT_EQ(first.use, FieldUse::kIgnored);
  EXPECT_EQ(first.message, "envoy.config.cluster.v3.Cluster");
  EXPECT_EQ(second.path, "transport_socket_matcher");
  EXPECT_EQ(second.use, FieldUse::kRefused);
  EXPECT_EQ(second.reason, "connections would use another transport socket");
}

TEST(UnsupportedFields, AreFoundAnywhereAndOncePerMessage) {
  RouteConfiguration config;
  auto* route = config.add_virtual_hosts()->add_routes();
  Unknown(*route).AddLengthDelimited(17, "");  // filter_action
  Unknown(*route).AddLengthDelimited(17, "x");
  EXPECT_THAT(
      Lines(config),
      ElementsAre("virtual_hosts[0].routes[0].filter_action: filter_action of "
                  "envoy.config.route.v3.Route is refused: the action of a "
                  "filter would be missing"));
}

TEST(UnsupportedFields, IncludeThoseThatACopyHasButNobodyActsOn) {
  RouteConfiguration config;
  auto* match = config.add_virtual_hosts()->add_routes()->mutable_match();
  match->set_prefix("/");
  EXPECT_THAT(Lines(config), IsEmpty());
  match->mutable_tls_context();
  EXPECT_THAT(Lines(config),
              ElementsAre("virtual_hosts[0].routes[0].match.tls_context: "
                          "tls_context of envoy.config.route.v3.RouteMatch is "
                          "refused: the route would match other requests"));
}

TEST(UnsupportedFields, AreFoundInsideAnyAndMaps) {
  HttpConnectionManager manager;
  Unknown(manager).AddLengthDelimited(
      FindMessage(*HttpConnectionManager::descriptor())
          ->FindByName("early_header_mutation_extensions")
          ->number,
      "");
  Listener listener;
  auto* filter = listener.add_filter_chains()->add_filters();
  filter->mutable_typed_config()->set_type_url(
      TypeUrl(*HttpConnectionManager::descriptor()));
  filter->mutable_typed_config()->set_value(manager.SerializeAsString());
  const auto found = FindUnsupportedFields(listener);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].path,
            "filter_chains[0].filters[0].typed_config."
            "early_header_mutation_extensions");
  EXPECT_EQ(found[0].steps.back().field, "early_header_mutation_extensions");

  Cluster cluster;
  auto& option = (*cluster.mutable_typed_extension_protocol_options())["x"];
  option = filter->typed_config();
  ASSERT_EQ(FindUnsupportedFields(cluster).size(), 1u);
  EXPECT_EQ(FindUnsupportedFields(cluster)[0].path,
            "typed_extension_protocol_options[\"x\"]."
            "early_header_mutation_extensions");
}

TEST(UnsupportedFields, WithoutANameAreGivenByNumber) {
  Cluster cluster;
  Unknown(cluster).AddVarint(4711, 1);
  EXPECT_THAT(
      Lines(cluster),
      ElementsAre(
          "field 4711: field 4711 of envoy.config.cluster.v3.Cluster "
          "is ignored: this version of meshlib does not know the field"));
  // On the wire `name` is text.
  Cluster other;
  Unknown(other).AddVarint(1, 1);
  EXPECT_THAT(Lines(other),
              ElementsAre("name: name of envoy.config.cluster.v3.Cluster is "
                          "ignored: the value is not of the field's type"));
}

TEST(UnsupportedFields, StopAtBrokenAny) {
  Listener listener;
  auto* any =
      listener.add_filter_chains()->add_filters()->mutable_typed_config();
  any->set_type_url(TypeUrl(*HttpConnectionManager::descriptor()));
  any->set_value("\xFF\xFF");
  EXPECT_THAT(Lines(listener), IsEmpty());
}

TEST(UnsupportedFields, AreLookedForInsideSixteenAny) {
  Listener listener;
  Unknown(listener).AddVarint(4711, 1);
  for (int depth = 1; depth <= 20; ++depth) {
    Listener outer;
    auto* any =
        outer.add_filter_chains()->add_filters()->mutable_typed_config();
    any->set_type_url(TypeUrl(*Listener::descriptor()));
    any->set_value(listener.SerializeAsString());
    listener.Swap(&outer);
    EXPECT_EQ(Lines(listener).size(), depth <= 16 ? 1u : 0u) << depth;
  }
}

}  // namespace
}  // namespace meshlib::proto
