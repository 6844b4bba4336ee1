#include "controlplane/ads_server_stream.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "meshlib/xds/envoy/config/cluster/v3/cluster.pb.h"
#include "meshlib/xds/envoy/service/discovery/v3/discovery.pb.h"
#include "xds/resource_type.h"

namespace meshlib::controlplane {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using xds::ResourceType;
using xds::envoy::config::cluster::v3::Cluster;
using xds::envoy::service::discovery::v3::DiscoveryRequest;
using xds::envoy::service::discovery::v3::DiscoveryResponse;
using Kind = AdsRequest::Kind;
using Names = std::vector<std::string>;

const std::string kCds(TypeUrlOf(ResourceType::kCluster));
const std::string kEds(TypeUrlOf(ResourceType::kEndpoints));
const std::string kLds(TypeUrlOf(ResourceType::kListener));
const std::string kRds(TypeUrlOf(ResourceType::kRouteConfig));
const std::string kSds(TypeUrlOf(ResourceType::kSecret));

class AdsServerStreamTest : public ::testing::Test {
 protected:
  // A request with the last nonce of its type.
  DiscoveryRequest Request(const std::string& type, const Names& names = {}) {
    DiscoveryRequest request;
    request.set_type_url(type);
    for (const std::string& name : names) request.add_resource_names(name);
    request.set_response_nonce(nonces_[type]);
    return request;
  }
  AdsRequest Send(const DiscoveryRequest& request) {
    auto result = stream_.Receive(request.SerializeAsString());
    EXPECT_TRUE(result.ok()) << result.status();
    return result.ok() ? *result : AdsRequest{};
  }
  AdsRequest Ask(const std::string& type, const Names& names = {}) {
    return Send(Request(type, names));
  }

  // Puts resources whose bytes are "name:text", and clusters.
  void Put(const std::string& type, const std::string& name,
           const std::string& text = "") {
    set_.Put(type, name, absl::StrCat(name, ":", text));
  }
  void PutCluster(const std::string& name, int64_t timeout,
                  const std::string& service = "") {
    Cluster cluster;
    cluster.set_name(name);
    cluster.set_type(Cluster::EDS);
    cluster.mutable_connect_timeout()->set_seconds(timeout);
    cluster.mutable_eds_cluster_config()->set_service_name(service);
    set_.Put(kCds, name, cluster.SerializeAsString());
  }
  void Serve() {
    set_.VersionByContent();
    stream_.SetResources(std::make_shared<const ResourceSet>(set_));
  }

  // "Cluster: a b", with what each has for bytes after the name; "" if nothing
  // is sent. Takes note of the nonce.
  std::string Take() {
    const auto response = stream_.TakeResponse();
    if (!response.has_value()) return "";
    DiscoveryResponse message;
    EXPECT_TRUE(message.ParseFromString(response->message));
    EXPECT_EQ(message.type_url(), response->type_url);
    EXPECT_EQ(message.nonce(), response->nonce);
    EXPECT_EQ(message.version_info(), response->version);
    nonces_[response->type_url] = response->nonce;
    version_ = response->version;
    std::string text =
        response->type_url.substr(response->type_url.rfind('.') + 1) + ":";
    for (const auto& any : message.resources()) {
      EXPECT_EQ(any.type_url(), response->type_url);
      Cluster cluster;
      if (response->type_url == kCds && cluster.ParseFromString(any.value())) {
        absl::StrAppend(&text, " ", cluster.name());
      } else {
        absl::StrAppend(&text, " ", any.value());
      }
    }
    return text;
  }
  // Takes all that there is, and acknowledges it with `names`.
  Names TakeAll() {
    Names all;
    for (std::string text = Take(); !text.empty(); text = Take()) {
      all.push_back(text);
      EXPECT_LT(all.size(), 20u);
      if (all.size() >= 20) break;
    }
    return all;
  }
  const SubscriptionStatus& Status(const std::string& type) {
    return stream_.status().types.at(type);
  }

  AdsServerStream stream_;
  ResourceSet set_;
  std::map<std::string, std::string> nonces_;
  std::string version_;
};

TEST_F(AdsServerStreamTest, GivesAllListenersToWhoNamesNone) {
  Put(kLds, "a");
  Put(kLds, "b");
  Put(kRds, "r");
  Serve();
  EXPECT_EQ(Take(), "") << "nobody asked";
  EXPECT_EQ(Ask(kLds).kind, Kind::kSubscribe);
  EXPECT_EQ(Take(), "Listener: a: b:");
  EXPECT_EQ(Take(), "");
  EXPECT_TRUE(Status(kLds).all);
}

TEST_F(AdsServerStreamTest, GivesRoutesToWhoNamesThemOnly) {
  Put(kRds, "r");
  Put(kRds, "s");
  Serve();
  Ask(kRds);
  EXPECT_EQ(Take(), "");
  Ask(kRds, {"s", "gone"});
  EXPECT_EQ(Take(), "RouteConfiguration: s:");
  EXPECT_FALSE(Status(kRds).all);
  EXPECT_THAT(Status(kRds).names, ElementsAre("gone", "s"));
}

TEST_F(AdsServerStreamTest, GivesAllAndMoreForAnAsterisk) {
  Put(kCds, "a");
  Put(kEds, "e");
  Serve();
  Ask(kCds, {"*", "own"});
  EXPECT_THAT(Take(), HasSubstr("Cluster:"));
  EXPECT_TRUE(Status(kCds).all);
  EXPECT_THAT(Status(kCds).names, ElementsAre("own"));
  // Without the asterisk it is one that names what it wants.
  Ask(kCds, {"own"});
  EXPECT_EQ(Take(), "");
  EXPECT_FALSE(Status(kCds).all);
  Ask(kEds, {"*"});
  EXPECT_EQ(Take(), "ClusterLoadAssignment: e:");
}

TEST_F(AdsServerStreamTest, TakesNoNamesForNoneOnceThereWereSome) {
  Put(kLds, "a");
  Put(kLds, "b");
  Serve();
  Ask(kLds, {"a"});
  EXPECT_EQ(Take(), "Listener: a:");
  Ask(kLds, {});
  EXPECT_EQ(Take(), "");
  EXPECT_FALSE(Status(kLds).all);
  Put(kLds, "a", "2");
  Serve();
  EXPECT_EQ(Take(), "") << "nothing is asked for";
}

TEST_F(AdsServerStreamTest, SaysAtOnceThatAListenerDoesNotExist) {
  Serve();
  Ask(kLds, {"a"});
  EXPECT_EQ(Take(), "Listener:");
  Ask(kLds, {"a"});
  EXPECT_EQ(Take(), "");
  Ask(kEds, {"a"});
  EXPECT_EQ(Take(), "") << "of endpoints absence says nothing";
}

TEST_F(AdsServerStreamTest, AnswersNothingBeforeItServes) {
  Ask(kLds);
  EXPECT_EQ(Take(), "");
  Put(kLds, "a");
  Serve();
  EXPECT_EQ(Take(), "Listener: a:");
}

TEST_F(AdsServerStreamTest, SendsAllClustersWhenOneChangesOrGoes) {
  PutCluster("a", 1);
  PutCluster("b", 1);
  Serve();
  Ask(kCds);
  EXPECT_EQ(Take(), "Cluster: a b");
  const std::string first = version_;
  Ask(kCds);
  Serve();
  EXPECT_EQ(Take(), "") << "the same once more";
  PutCluster("b", 2);
  Serve();
  EXPECT_EQ(Take(), "Cluster: a b");
  EXPECT_NE(version_, first);
  set_.Remove(kCds, "a");
  Serve();
  EXPECT_EQ(Take(), "Cluster: b");
  set_.Clear(kCds);
  Serve();
  EXPECT_EQ(Take(), "Cluster:");
}

TEST_F(AdsServerStreamTest, SendsOnlyTheEndpointsThatChanged) {
  for (const char* name : {"a", "b", "c"}) Put(kEds, name);
  Serve();
  Ask(kEds, {"a", "b"});
  EXPECT_EQ(Take(), "ClusterLoadAssignment: a: b:");
  Ask(kEds, {"a", "b"});
  Put(kEds, "b", "2");
  Put(kEds, "c", "2");
  Serve();
  EXPECT_EQ(Take(), "ClusterLoadAssignment: b:2");
  set_.Remove(kEds, "a");
  Serve();
  EXPECT_EQ(Take(), "");
  Put(kEds, "a");
  Serve();
  EXPECT_EQ(Take(), "") << "the client has it still";
}

TEST_F(AdsServerStreamTest, SendsNewSubscriptionsOnly) {
  for (const char* name : {"a", "b", "c"}) Put(kEds, name);
  Serve();
  Ask(kEds, {"a"});
  EXPECT_EQ(Take(), "ClusterLoadAssignment: a:");
  Ask(kEds, {"a"});
  Ask(kEds, {"a", "b"});
  EXPECT_EQ(Take(), "ClusterLoadAssignment: b:");
  Ask(kEds, {"b", "a", "c"});
  EXPECT_EQ(Take(), "ClusterLoadAssignment: c:");
}

TEST_F(AdsServerStreamTest, SendsAgainWhatIsAskedForAgain) {
  Put(kEds, "a");
  Put(kEds, "b");
  Put(kLds, "l");
  Put(kLds, "m");
  Serve();
  Ask(kEds, {"a", "b"});
  Take();
  Ask(kEds, {"b"});
  EXPECT_EQ(Take(), "");
  Ask(kEds, {"a", "b"});
  EXPECT_EQ(Take(), "ClusterLoadAssignment: a:");
  Ask(kLds, {"l", "m"});
  Take();
  Ask(kLds, {"l"});
  EXPECT_EQ(Take(), "");
  Ask(kLds, {"l", "m"});
  EXPECT_EQ(Take(), "Listener: l: m:");
}

TEST_F(AdsServerStreamTest, AnswersARequestThatRepeatsAnAnsweredOne) {
  Put(kEds, "a");
  Serve();
  Ask(kEds, {"a"});
  Take();
  EXPECT_EQ(Ask(kEds, {"a"}).kind, Kind::kAck);
  EXPECT_EQ(Take(), "");
  EXPECT_EQ(Ask(kEds, {"a"}).kind, Kind::kSubscribe);
  EXPECT_EQ(Take(), "ClusterLoadAssignment: a:");
  EXPECT_EQ(Ask(kEds, {"a"}).kind, Kind::kAck);
  EXPECT_EQ(Take(), "");
}

TEST_F(AdsServerStreamTest, SendsTheEndpointsOfAChangedClusterAgain) {
  PutCluster("a", 1, "service");
  PutCluster("b", 1);
  Put(kEds, "service");
  Put(kEds, "b");
  Serve();
  Ask(kCds);
  Ask(kEds, {"b", "service"});
  EXPECT_THAT(TakeAll(), ElementsAre("Cluster: a b",
                                     "ClusterLoadAssignment: b: service:"));
  PutCluster("a", 2, "service");
  Serve();
  EXPECT_THAT(TakeAll(),
              ElementsAre("Cluster: a b", "ClusterLoadAssignment: service:"));
  PutCluster("b", 2);
  Serve();
  EXPECT_THAT(TakeAll(),
              ElementsAre("Cluster: a b", "ClusterLoadAssignment: b:"));
}

TEST_F(AdsServerStreamTest, SendsWhatOthersReferToFirst) {
  Serve();
  Ask(kRds, {"r"});
  Ask(kLds);
  Ask("type.googleapis.com/any.Other", {"o"});
  Ask(kSds, {"s"});
  Ask(kEds, {"a"});
  Ask(kCds);
  TakeAll();
  PutCluster("a", 1);
  for (const auto& [type, name] :
       {std::pair(kEds, "a"), std::pair(kLds, "l"), std::pair(kRds, "r"),
        std::pair(kSds, "s")}) {
    Put(type, name);
  }
  Put("type.googleapis.com/any.Other", "o");
  Serve();
  EXPECT_THAT(TakeAll(), ElementsAre("Cluster: a", "ClusterLoadAssignment: a:",
                                     "Listener: l:", "RouteConfiguration: r:",
                                     "Secret: s:", "Other: o:"));
}

TEST_F(AdsServerStreamTest, TakesClustersAwayAfterTheRoutesToThem) {
  PutCluster("old", 1);
  Put(kRds, "r", "to old");
  Serve();
  Ask(kCds);
  Ask(kRds, {"r"});
  TakeAll();
  set_.Remove(kCds, "old");
  PutCluster("new", 1);
  Put(kRds, "r", "to new");
  Serve();
  EXPECT_THAT(TakeAll(),
              ElementsAre("Cluster: new old", "RouteConfiguration: r:to new",
                          "Cluster: new"));
  // Also where no other cluster comes.
  set_.Remove(kCds, "new");
  Put(kRds, "r", "nowhere");
  Serve();
  EXPECT_THAT(TakeAll(),
              ElementsAre("RouteConfiguration: r:nowhere", "Cluster:"));
}

TEST_F(AdsServerStreamTest, TellsAckFromNack) {
  Put(kLds, "a");
  Serve();
  DiscoveryRequest first = Request(kLds);
  first.mutable_node()->set_id("me");
  first.mutable_node()->set_cluster("mine");
  first.mutable_node()->set_user_agent_name("envoy");
  Send(first);
  EXPECT_EQ(stream_.status().node_id, "me");
  EXPECT_EQ(stream_.status().node_cluster, "mine");
  EXPECT_EQ(stream_.status().user_agent, "envoy");
  Take();
  const std::string good = version_;
  const AdsRequest ack = Ask(kLds);
  EXPECT_EQ(ack.kind, Kind::kAck);
  EXPECT_EQ(ack.version, good);
  EXPECT_EQ(Status(kLds).acked_version, good);

  Put(kLds, "a", "bad");
  Serve();
  Take();
  DiscoveryRequest nack = Request(kLds);
  nack.mutable_error_detail()->set_message("a: bad");
  const AdsRequest told = Send(nack);
  EXPECT_EQ(told.kind, Kind::kNack);
  EXPECT_EQ(told.version, version_);
  EXPECT_EQ(told.error, "a: bad");
  EXPECT_EQ(Status(kLds).acked_version, good);
  EXPECT_EQ(Status(kLds).nacked_version, version_);
  EXPECT_EQ(Status(kLds).nack_error, "a: bad");
  EXPECT_EQ(Take(), "") << "the same would be refused again";

  Put(kLds, "a", "better");
  Serve();
  Take();
  Ask(kLds);
  EXPECT_EQ(Status(kLds).acked_version, version_);
  EXPECT_EQ(Status(kLds).nack_error, "");
  EXPECT_EQ(Status(kLds).acks, 2u);
  EXPECT_EQ(Status(kLds).nacks, 1u);
  EXPECT_EQ(Status(kLds).responses, 3u);
}

TEST_F(AdsServerStreamTest, PassesOverAnswersToOlderResponses) {
  Put(kEds, "a");
  Put(kEds, "b");
  Serve();
  Ask(kEds, {"a"});
  Take();
  const DiscoveryRequest late = Request(kEds, {"a", "b"});
  Put(kEds, "a", "2");
  Serve();
  Take();
  EXPECT_EQ(Send(late).kind, Kind::kStale);
  EXPECT_EQ(Take(), "") << "a stale request subscribes to nothing";
  EXPECT_EQ(Status(kEds).stale, 1u);
  EXPECT_EQ(Status(kEds).acks, 0u);
  EXPECT_EQ(Ask(kEds, {"a", "b"}).kind, Kind::kAck);
  EXPECT_EQ(Take(), "ClusterLoadAssignment: b:");
}

TEST_F(AdsServerStreamTest, TakesRequestsThatWereSentAhead) {
  Put(kEds, "a");
  Put(kEds, "b");
  Serve();
  Ask(kEds, {"a"});
  DiscoveryRequest second = Request(kEds, {"a", "b"});
  Take();
  EXPECT_EQ(Send(second).kind, Kind::kSubscribe);
  EXPECT_EQ(Take(), "ClusterLoadAssignment: b:");
  EXPECT_EQ(Send(second).kind, Kind::kSubscribe);
  EXPECT_EQ(Take(), "") << "no nonce: it was sent before the response came";
}

TEST_F(AdsServerStreamTest, SendsTheNewestStateOnly) {
  Put(kEds, "a", "1");
  Serve();
  Ask(kEds, {"a"});
  Put(kEds, "a", "2");
  Serve();
  Put(kEds, "a", "3");
  Serve();
  EXPECT_THAT(TakeAll(), ElementsAre("ClusterLoadAssignment: a:3"));
}

TEST_F(AdsServerStreamTest, RefusesWhatIsNoRequest) {
  const auto garbage = stream_.Receive("\xff\xff garbage");
  EXPECT_EQ(garbage.status().code(), absl::StatusCode::kInvalidArgument);
  const auto untyped = stream_.Receive("");
  EXPECT_EQ(untyped.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(untyped.status().message()), HasSubstr("type_url"));
  EXPECT_THAT(stream_.status().types, IsEmpty());
}

TEST(AdsServerStreamLimits, BoundTypesAndNames) {
  AdsServerLimits limits;
  limits.types = 2;
  limits.name_bytes = 10;
  AdsServerStream stream(limits);
  const auto ask = [&](const std::string& type, const Names& names) {
    DiscoveryRequest request;
    request.set_type_url(type);
    for (const std::string& name : names) request.add_resource_names(name);
    return stream.Receive(request.SerializeAsString()).status();
  };
  EXPECT_TRUE(ask(kEds, {"12345"}).ok());
  EXPECT_TRUE(ask(kEds, {"12345", "1"}).ok());
  EXPECT_TRUE(ask(kRds, {"1234"}).ok());
  EXPECT_TRUE(ask(kEds, {"123456"}).ok());
  const absl::Status names = ask(kRds, {"12345"});
  EXPECT_EQ(names.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(names.message()), HasSubstr("11 bytes"));
  EXPECT_EQ(ask(kLds, {}).code(), absl::StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace meshlib::controlplane
