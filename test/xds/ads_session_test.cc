#include "xds/ads_session.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "meshlib/xds/envoy/config/cluster/v3/cluster.pb.h"
#include "meshlib/xds/envoy/config/endpoint/v3/endpoint.pb.h"
#include "meshlib/xds/envoy/service/discovery/v3/discovery.pb.h"
#include "test/xds/ads_messages.h"

namespace meshlib::xds {
namespace {

using envoy::config::cluster::v3::Cluster;
using envoy::config::endpoint::v3::ClusterLoadAssignment;
using envoy::service::discovery::v3::DiscoveryRequest;
using envoy::service::discovery::v3::DiscoveryResponse;
using envoy::service::discovery::v3::Resource;
using ::google::protobuf::Message;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr auto kCluster = ResourceType::kCluster;
constexpr auto kEndpoints = ResourceType::kEndpoints;

Cluster StaticCluster(const std::string& name, double timeout = 1) {
  Cluster cluster;
  cluster.set_name(name);
  cluster.mutable_connect_timeout()->set_seconds(static_cast<int64_t>(timeout));
  cluster.mutable_load_assignment()->set_cluster_name(name);
  return cluster;
}

Cluster BadCluster(const std::string& name) {
  Cluster cluster = StaticCluster(name);
  cluster.mutable_connect_timeout()->set_seconds(-1);
  return cluster;
}

ClusterLoadAssignment Assignment(const std::string& name) {
  ClusterLoadAssignment assignment;
  assignment.set_cluster_name(name);
  return assignment;
}

class AdsSessionTest : public ::testing::Test, public AdsObserver {
 protected:
  AdsSessionTest() {
    envoy::config::core::v3::Node node;
    node.set_id("me");
    AdsOptions options;
    options.node = node.SerializeAsString();
    session_.emplace(std::move(options), this);
  }

  void OnResources(ResourceType type,
                   absl::Span<const std::string> names) override {
    ++calls_;
    changed_.assign(names.begin(), names.end());
  }

  // All that are to be sent now.
  std::vector<DiscoveryRequest> Requests() {
    std::vector<DiscoveryRequest> out;
    while (auto bytes = session_->TakeRequest(now_)) {
      EXPECT_TRUE(out.emplace_back().ParseFromString(*bytes));
    }
    return out;
  }
  // The only one.
  DiscoveryRequest Request() {
    auto all = Requests();
    EXPECT_EQ(all.size(), 1u);
    return all.empty() ? DiscoveryRequest() : all[0];
  }

  void Begin(ResourceType type, const std::string& version) {
    response_ = EmptyResponse(type, version);
  }
  void Add(const Message& message) {
    PackOriginal(message, *response_.add_resources());
  }
  // Gives what was changed.
  std::vector<std::string> Receive() {
    changed_.clear();
    EXPECT_TRUE(session_->Receive(response_.SerializeAsString(), now_).ok());
    return changed_;
  }
  template <typename... M>
  std::vector<std::string> Receive(ResourceType type,
                                   const std::string& version,
                                   const M&... messages) {
    Begin(type, version);
    (Add(messages), ...);
    return Receive();
  }
  void OpenForClusters() {
    session_->SubscribeToAll(kCluster);
    session_->OnOpen();
    Requests();
  }
  void OpenForEndpoints(const std::set<std::string>& names) {
    session_->Subscribe(kEndpoints, names);
    session_->OnOpen();
    Requests();
  }
  ResourceStatus StatusOf(ResourceType type, std::string_view name) {
    const ResourceState* const state = session_->Find(type, name);
    if (state == nullptr) {
      ADD_FAILURE() << "nothing of " << name;
      return ResourceStatus::kRequested;
    }
    return state->status;
  }

  absl::Time now_ = absl::UnixEpoch();
  std::optional<AdsSession> session_;
  DiscoveryResponse response_;
  int calls_ = 0;
  std::vector<std::string> changed_;
};

TEST_F(AdsSessionTest, AsksOnEachStreamAnewAndSaysOnceWhoItIs) {
  session_->Subscribe(kEndpoints, {"b", "a"});
  session_->SubscribeToAll(kCluster);
  EXPECT_THAT(Requests(), IsEmpty());  // there is no stream
  session_->OnOpen();
  for (int i = 0; i < 2; ++i) {
    const auto requests = Requests();
    ASSERT_EQ(requests.size(), 2u);
    EXPECT_EQ(requests[0].type_url(),
              "type.googleapis.com/envoy.config.cluster.v3.Cluster");
    EXPECT_EQ(requests[0].node().id(), "me");
    EXPECT_THAT(requests[0].resource_names(), IsEmpty());
    EXPECT_THAT(requests[1].resource_names(), ElementsAre("a", "b"));
    EXPECT_FALSE(requests[1].has_node());
    EXPECT_THAT(Requests(), IsEmpty());
    session_->OnClose();
    session_->OnOpen();
  }
}

TEST_F(AdsSessionTest, AcknowledgesWhatItTakes) {
  OpenForClusters();
  EXPECT_THAT(Receive(kCluster, "1", StaticCluster("a"), StaticCluster("b")),
              ElementsAre("a", "b"));
  const DiscoveryRequest ack = Request();
  EXPECT_EQ(ack.version_info(), "1");
  EXPECT_EQ(ack.response_nonce(), "nonce 1");
  EXPECT_FALSE(ack.has_error_detail());
  const auto& value = session_->Find(kCluster, "a")->value;
  EXPECT_EQ(std::get<std::shared_ptr<const model::Cluster>>(value)->name, "a");
  EXPECT_EQ(session_->stats().accepted, 1u);
}

TEST_F(AdsSessionTest, UsesTheGoodOfAResponseAndNamesEveryBadField) {
  OpenForClusters();
  Receive(kCluster, "1", StaticCluster("a"), StaticCluster("b"));
  Requests();
  Cluster bad = BadCluster("a");
  bad.mutable_per_connection_buffer_limit_bytes()->set_value(1);
  bad.set_lb_policy(static_cast<Cluster::LbPolicy>(99));
  EXPECT_THAT(Receive(kCluster, "2", bad, StaticCluster("b", 7)),
              ElementsAre("b"));
  const DiscoveryRequest nack = Request();
  EXPECT_EQ(nack.version_info(), "1");  // the last that was good
  EXPECT_EQ(nack.response_nonce(), "nonce 2");
  EXPECT_EQ(nack.error_detail().code(), 3);
  EXPECT_THAT(nack.error_detail().message(),
              HasSubstr("Cluster \"a\": connect_timeout: "));
  EXPECT_THAT(nack.error_detail().message(),
              HasSubstr("\nCluster \"a\": lb_policy: "));
  const ResourceState& kept = *session_->Find(kCluster, "a");
  EXPECT_EQ(kept.status, ResourceStatus::kNacked);
  EXPECT_TRUE(kept.has_value());
  EXPECT_EQ(kept.version, "1");
  EXPECT_EQ(kept.rejected_version, "2");
  EXPECT_EQ(session_->Find(kCluster, "b")->version, "2");
  // A NACK is not said twice.
  Receive(kCluster, "3", StaticCluster("a"), StaticCluster("b", 7));
  const DiscoveryRequest ack = Request();
  EXPECT_FALSE(ack.has_error_detail());
  EXPECT_EQ(ack.version_info(), "3");
  EXPECT_EQ(StatusOf(kCluster, "a"), ResourceStatus::kAcked);
}

// go-control-plane sends what was refused again as soon as it hears of it.
TEST_F(AdsSessionTest, RefusesTheSameVersionEverMoreSlowly) {
  OpenForClusters();
  Receive(kCluster, "1", BadCluster("a"));
  EXPECT_TRUE(Request().has_error_detail());
  for (int i = 0; i < 3; ++i) {
    Receive(kCluster, "1", BadCluster("a"));
    EXPECT_THAT(Requests(), IsEmpty());
    const absl::Duration pause = absl::Milliseconds(100 << i);
    EXPECT_EQ(session_->NextExpiry(), now_ + pause);
    now_ += pause;
    EXPECT_TRUE(Request().has_error_detail());
  }
  // Another version is another matter, and so is another question.
  Receive(kCluster, "2", BadCluster("a"));
  EXPECT_TRUE(Request().has_error_detail());
  Receive(kCluster, "2", BadCluster("a"));
  session_->Subscribe(kCluster, {"b"});
  EXPECT_TRUE(Request().has_error_detail());
}

TEST_F(AdsSessionTest, TellsOnlyOfWhatChanged) {
  OpenForClusters();
  Receive(kCluster, "1", StaticCluster("a"), StaticCluster("b"));
  EXPECT_THAT(Receive(kCluster, "2", StaticCluster("a"), StaticCluster("b", 5)),
              ElementsAre("b"));
  EXPECT_EQ(session_->Find(kCluster, "a")->version, "2");
  EXPECT_THAT(Receive(kCluster, "3", StaticCluster("a"), StaticCluster("b", 5)),
              IsEmpty());
  EXPECT_EQ(calls_, 3);
}

TEST_F(AdsSessionTest, DropsClustersThatAreNotThereAnyMore) {
  OpenForClusters();
  Receive(kCluster, "1", StaticCluster("a"), StaticCluster("b"));
  EXPECT_THAT(Receive(kCluster, "2", StaticCluster("b")), ElementsAre("a"));
  EXPECT_EQ(session_->Find(kCluster, "a"), nullptr);
  EXPECT_THAT(Receive(kCluster, "3"), ElementsAre("b"));
}

TEST_F(AdsSessionTest, KeepsABadResourceAndThoseThatANamelessOneMayBe) {
  OpenForClusters();
  Receive(kCluster, "1", StaticCluster("a"), StaticCluster("b"));
  Receive(kCluster, "2", BadCluster("a"));
  EXPECT_TRUE(session_->Find(kCluster, "a")->has_value());
  EXPECT_EQ(session_->Find(kCluster, "b"), nullptr);
  Begin(kCluster, "3");
  response_.add_resources()->set_type_url(std::string(TypeUrlOf(kCluster)));
  response_.mutable_resources(0)->set_value("\xff\xff");
  EXPECT_THAT(Receive(), IsEmpty());
  EXPECT_TRUE(session_->Find(kCluster, "a")->has_value());
}

TEST_F(AdsSessionTest, TakesAbsenceOfEndpointsForNothing) {
  OpenForEndpoints({"a", "b"});
  Receive(kEndpoints, "1", Assignment("a"), Assignment("b"));
  EXPECT_THAT(Receive(kEndpoints, "2", Assignment("b")), IsEmpty());
  EXPECT_TRUE(session_->Find(kEndpoints, "a")->has_value());
}

TEST_F(AdsSessionTest, PassesOverWhatNobodyAskedFor) {
  OpenForEndpoints({"a"});
  EXPECT_THAT(Receive(kEndpoints, "1", Assignment("a"), Assignment("other")),
              ElementsAre("a"));
  EXPECT_EQ(session_->Find(kEndpoints, "other"), nullptr);
  Requests();
  Receive(kCluster, "1", StaticCluster("a"));  // a type
  EXPECT_THAT(Requests(), IsEmpty());
  response_.set_type_url("type.googleapis.com/google.protobuf.Empty");
  Receive();
  EXPECT_THAT(Requests(), IsEmpty());
  EXPECT_EQ(session_->stats().ignored, 2u);
}

TEST_F(AdsSessionTest, RefusesResourcesOfAnotherType) {
  OpenForClusters();
  Receive(kCluster, "1", StaticCluster("a"));
  Receive(kCluster, "2", Assignment("a"));
  EXPECT_THAT(Requests().back().error_detail().message(),
              HasSubstr("resources[0]: has the type"));
  EXPECT_TRUE(session_->Find(kCluster, "a")->has_value());
}

TEST_F(AdsSessionTest, TakesTheFirstOfTwoOfOneName) {
  OpenForClusters();
  EXPECT_THAT(Receive(kCluster, "1", StaticCluster("a"), StaticCluster("a", 2)),
              ElementsAre("a"));
  EXPECT_THAT(Request().error_detail().message(),
              HasSubstr("Cluster \"a\": comes twice"));
  // The same bytes too.
  Receive(kCluster, "2", StaticCluster("a"), StaticCluster("a"));
  EXPECT_THAT(Request().error_detail().message(), HasSubstr("comes twice"));
}

TEST_F(AdsSessionTest, OpensWrappedResources) {
  OpenForClusters();
  Resource wrapped;
  wrapped.set_name("a");
  wrapped.set_version("of its own");
  wrapped.mutable_resource()->PackFrom(StaticCluster("a"));
  wrapped.mutable_resource()->set_type_url(std::string(TypeUrlOf(kCluster)));
  EXPECT_THAT(Receive(kCluster, "1", wrapped), ElementsAre("a"));
  EXPECT_EQ(session_->Find(kCluster, "a")->version, "of its own");
  EXPECT_THAT(Receive(kCluster, "2", wrapped), IsEmpty());
}

TEST_F(AdsSessionTest, TellsTheStreamFromAnotherByNonceAndKeepsTheVersion) {
  OpenForClusters();
  Receive(kCluster, "1", StaticCluster("a"));
  session_->OnClose();
  EXPECT_TRUE(session_->Find(kCluster, "a")->has_value());
  session_->OnOpen();
  const DiscoveryRequest request = Request();
  EXPECT_EQ(request.version_info(), "1");
  EXPECT_EQ(request.response_nonce(), "");
  EXPECT_EQ(request.node().id(), "me");
}

TEST_F(AdsSessionTest, SaysInOneRequestWhatIsWantedNowAndWhatWasTaken) {
  OpenForEndpoints({"a"});
  Receive(kEndpoints, "1", Assignment("a"));
  session_->Subscribe(kEndpoints, {"a", "b"});
  const DiscoveryRequest request = Request();
  EXPECT_EQ(request.response_nonce(), "nonce 1");
  EXPECT_THAT(request.resource_names(), ElementsAre("a", "b"));
  session_->Subscribe(kEndpoints, {"a", "b"});
  EXPECT_THAT(Requests(), IsEmpty());
}

// An empty list as a first request would ask for all there are.
TEST_F(AdsSessionTest, AsksForNothingOnlyWhereItHadAskedForSomething) {
  session_->Subscribe(kEndpoints, {});
  session_->OnOpen();
  EXPECT_THAT(Requests(), IsEmpty());
  session_->Subscribe(kEndpoints, {"a"});
  session_->Subscribe(kEndpoints, {});
  EXPECT_THAT(Requests(), IsEmpty());
  session_->Subscribe(kEndpoints, {"a"});
  Requests();
  session_->Subscribe(kEndpoints, {});
  EXPECT_THAT(Request().resource_names(), IsEmpty());
  EXPECT_EQ(session_->Find(kEndpoints, "a"), nullptr);
  session_->OnClose();
  session_->OnOpen();
  EXPECT_THAT(Requests(), IsEmpty());
}

TEST_F(AdsSessionTest, TakesWhatNeverComesForMissing) {
  OpenForEndpoints({"a", "b"});
  Receive(kEndpoints, "1", Assignment("a"));
  EXPECT_EQ(session_->NextExpiry(), now_ + absl::Seconds(15));
  now_ += absl::Seconds(14);
  session_->Subscribe(kEndpoints, {"a", "b", "c"});
  Requests();
  session_->Expire(now_);
  EXPECT_EQ(StatusOf(kEndpoints, "b"), ResourceStatus::kRequested);
  now_ += absl::Seconds(1);
  session_->Expire(now_);
  EXPECT_THAT(changed_, ElementsAre("b"));
  EXPECT_EQ(StatusOf(kEndpoints, "a"), ResourceStatus::kAcked);
  EXPECT_EQ(StatusOf(kEndpoints, "b"), ResourceStatus::kDoesNotExist);
  EXPECT_EQ(StatusOf(kEndpoints, "c"), ResourceStatus::kRequested);
  EXPECT_EQ(session_->NextExpiry(), now_ + absl::Seconds(14));
  // It comes after all.
  EXPECT_THAT(Receive(kEndpoints, "2", Assignment("b")), ElementsAre("b"));
}

TEST_F(AdsSessionTest, CountsTheTimeOfAStreamThatStandsOnly) {
  OpenForEndpoints({"a"});
  now_ += absl::Seconds(10);
  session_->OnClose();
  EXPECT_EQ(session_->NextExpiry(), absl::InfiniteFuture());
  now_ += absl::Seconds(100);
  session_->Expire(now_);
  EXPECT_EQ(StatusOf(kEndpoints, "a"), ResourceStatus::kRequested);
  session_->OnOpen();
  Requests();
  EXPECT_EQ(session_->NextExpiry(), now_ + absl::Seconds(15));
}

TEST_F(AdsSessionTest, WaitsForAllOfATypeAsLong) {
  OpenForClusters();
  EXPECT_FALSE(session_->received(kCluster));
  now_ += absl::Seconds(15);
  session_->Expire(now_);
  EXPECT_EQ(calls_, 1);
  EXPECT_TRUE(session_->received(kCluster));
}

TEST_F(AdsSessionTest, HearsOfResourcesThatTheControlPlaneCannotGive) {
  OpenForEndpoints({"a", "b"});
  Receive(kEndpoints, "1", Assignment("a"));
  Begin(kEndpoints, "2");
  for (const char* name : {"a", "b", "c"}) {
    auto* error = response_.add_resource_errors();
    error->mutable_resource_name()->set_name(name);
    error->mutable_error_detail()->set_message("not for you");
  }
  EXPECT_THAT(Receive(), ElementsAre("b"));
  EXPECT_EQ(StatusOf(kEndpoints, "b"), ResourceStatus::kDoesNotExist);
  EXPECT_EQ(session_->Find(kEndpoints, "b")->error, "not for you");
  EXPECT_TRUE(session_->Find(kEndpoints, "a")->has_value());
  EXPECT_FALSE(Request().has_error_detail());
}

TEST_F(AdsSessionTest, RefusesBytesThatAreNoResponse) {
  OpenForClusters();
  EXPECT_FALSE(session_->Receive("\xff\xff\xff", now_).ok());
  EXPECT_THAT(Requests(), IsEmpty());
}

TEST_F(AdsSessionTest, BoundsWhatItSaysOfAHostileResponse) {
  OpenForClusters();
  Begin(kCluster, "1");
  for (int i = 0; i < 5000; ++i) Add(BadCluster("c" + std::to_string(i)));
  Receive();
  const std::string text = Request().error_detail().message();
  EXPECT_LT(text.size(), 70'000u);
  EXPECT_THAT(text, HasSubstr("... of 5000 errors"));
}

TEST_F(AdsSessionTest, AsksForMoreAsSoonAsItIsWanted) {
  session_->SubscribeToAll(kCluster);
  session_->OnOpen();
  Requests();
  Receive(kCluster, "1", StaticCluster("a"));
  session_->Subscribe(kEndpoints, {"a"});
  const auto requests = Requests();
  ASSERT_EQ(requests.size(), 2u);
  EXPECT_THAT(requests[1].resource_names(), ElementsAre("a"));
  EXPECT_THAT(requests[1].version_info(), "");
}

}  // namespace
}  // namespace meshlib::xds
