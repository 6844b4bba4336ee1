#include "xds/ads_config.h"

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "meshlib/xds/envoy/config/cluster/v3/cluster.pb.h"
#include "meshlib/xds/envoy/config/endpoint/v3/endpoint.pb.h"
#include "meshlib/xds/envoy/config/listener/v3/listener.pb.h"
#include "meshlib/xds/envoy/config/route/v3/route.pb.h"
#include "meshlib/xds/envoy/extensions/filters/http/router/v3/router.pb.h"
#include "meshlib/xds/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"
#include "test/xds/ads_messages.h"

namespace meshlib::xds {
namespace {

namespace hcm =
    envoy::extensions::filters::network::http_connection_manager::v3;
using envoy::config::cluster::v3::Cluster;
using envoy::config::endpoint::v3::ClusterLoadAssignment;
using envoy::config::listener::v3::Listener;
using envoy::config::route::v3::RouteConfiguration;
using envoy::service::discovery::v3::DiscoveryRequest;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

constexpr auto kCluster = ResourceType::kCluster;
constexpr auto kEndpoints = ResourceType::kEndpoints;
constexpr auto kListener = ResourceType::kListener;
constexpr auto kRouteConfig = ResourceType::kRouteConfig;

Cluster EdsCluster(const std::string& name, const std::string& service) {
  Cluster cluster;
  cluster.set_name(name);
  cluster.set_type(Cluster::EDS);
  auto& eds = *cluster.mutable_eds_cluster_config();
  eds.mutable_eds_config()->mutable_ads();
  eds.set_service_name(service);
  return cluster;
}

ClusterLoadAssignment Assignment(const std::string& name, uint32_t port) {
  ClusterLoadAssignment assignment;
  assignment.set_cluster_name(name);
  auto& address = *assignment.add_endpoints()
                       ->add_lb_endpoints()
                       ->mutable_endpoint()
                       ->mutable_address()
                       ->mutable_socket_address();
  address.set_address("10.0.0.1");
  address.set_port_value(port);
  return assignment;
}

Listener ApiListener(const std::string& name, const std::string& routes) {
  hcm::HttpConnectionManager manager;
  manager.set_stat_prefix("http");
  manager.mutable_rds()->set_route_config_name(routes);
  manager.mutable_rds()->mutable_config_source()->mutable_ads();
  auto& router = *manager.add_http_filters();
  router.set_name("envoy.filters.http.router");
  PackOriginal(envoy::extensions::filters::http::router::v3::Router(),
               *router.mutable_typed_config());
  Listener listener;
  listener.set_name(name);
  PackOriginal(manager,
               *listener.mutable_api_listener()->mutable_api_listener());
  return listener;
}

RouteConfiguration Routes(const std::string& name, const std::string& cluster,
                          const std::string& mirror = "") {
  RouteConfiguration routes;
  routes.set_name(name);
  auto& host = *routes.add_virtual_hosts();
  host.set_name("all");
  host.add_domains("*");
  auto& route = *host.add_routes();
  route.mutable_match()->set_prefix("/");
  route.mutable_route()->set_cluster(cluster);
  if (!mirror.empty()) {
    route.mutable_route()->add_request_mirror_policies()->set_cluster(mirror);
  }
  return routes;
}

class AdsConfigTest : public ::testing::Test {
 protected:
  void Start(bool by_target) {
    auto base = std::make_shared<model::Config>();
    auto control_plane = std::make_shared<model::ControlPlane>();
    control_plane->cluster = "xds";
    control_plane->by_target = by_target;
    control_plane->all_clusters = control_plane->all_listeners = !by_target;
    base->control_plane = std::move(control_plane);
    auto xds = std::make_shared<model::Cluster>();
    xds->name = "xds";
    base->clusters.push_back(std::move(xds));
    config_ = std::make_unique<AdsConfig>(std::move(base), ConvertOptions());
    config_->session().OnOpen();
  }

  using Names = std::vector<std::string>;
  // What is asked now, by type; the last request of each type.
  std::map<ResourceType, Names> Asked() {
    std::map<ResourceType, Names> asked;
    while (auto bytes = config_->session().TakeRequest(now_)) {
      DiscoveryRequest request;
      EXPECT_TRUE(request.ParseFromString(*bytes));
      EXPECT_FALSE(request.has_error_detail())
          << request.error_detail().message();
      const auto type = ResourceTypeOf(request.type_url());
      EXPECT_TRUE(type.has_value());
      asked[*type] = Names(request.resource_names().begin(),
                           request.resource_names().end());
    }
    return asked;
  }
  template <typename... M>
  void Receive(ResourceType type, const M&... messages) {
    ASSERT_TRUE(
        config_->session()
            .Receive(ResponseOf(type, std::to_string(++version_), messages...),
                     now_)
            .ok());
  }
  // The configuration has an EDS cluster "a" with its endpoints.
  void StartWithCluster() {
    Start(false);
    Asked();
    Receive(kCluster, EdsCluster("a", "one"));
    Asked();
    Receive(kEndpoints, Assignment("one", 1));
    Asked();
    EXPECT_EQ(ServiceOf("a"), "one");
  }
  // Of the cluster in the next configuration; "none" without one.
  std::string ServiceOf(const std::string& name) {
    const auto config = config_->Build();
    for (const auto& cluster : config->clusters) {
      if (cluster->name == name) return cluster->eds_service_name;
    }
    return "none";
  }
  Names EndpointsNow() {
    Names names;
    const auto config = config_->Build();
    for (const auto& endpoints : config->endpoints) {
      names.push_back(endpoints->cluster_name);
    }
    return names;
  }

  std::unique_ptr<AdsConfig> config_;
  absl::Time now_ = absl::UnixEpoch();
  int version_ = 0;
};

TEST_F(AdsConfigTest, AsksForAllAndForWhatTheyNeed) {
  Start(false);
  EXPECT_THAT(Asked(), UnorderedElementsAre(Pair(kCluster, IsEmpty()),
                                            Pair(kListener, IsEmpty())));
  EXPECT_TRUE(config_->session().waiting());

  Receive(kCluster, EdsCluster("a", "one"), EdsCluster("b", ""));
  EXPECT_THAT(Asked()[kEndpoints], ElementsAre("b", "one"));
  Receive(kListener, ApiListener("echo", "routes"));
  EXPECT_THAT(Asked()[kRouteConfig], ElementsAre("routes"));

  Receive(kEndpoints, Assignment("one", 1), Assignment("b", 1));
  EXPECT_TRUE(config_->session().waiting());
  Receive(kRouteConfig, Routes("routes", "a"));
  EXPECT_FALSE(config_->session().waiting());

  EXPECT_TRUE(config_->changed());
  const auto config = config_->Build();
  EXPECT_FALSE(config_->changed());
  EXPECT_EQ(config->clusters.size(), 3u);  // with the file's
  EXPECT_EQ(config->listeners.size(), 1u);
  EXPECT_EQ(config->route_configs.size(), 1u);
  EXPECT_EQ(config->endpoints.size(), 2u);
}

TEST_F(AdsConfigTest, HoldsBackAClusterUntilItsEndpointsAreThere) {
  StartWithCluster();
  Receive(kCluster, EdsCluster("a", "two"));
  // Both are needed now.
  EXPECT_THAT(Asked()[kEndpoints], ElementsAre("one", "two"));
  EXPECT_EQ(ServiceOf("a"), "one");
  EXPECT_THAT(EndpointsNow(), ElementsAre("one"));

  Receive(kEndpoints, Assignment("two", 2));
  EXPECT_EQ(ServiceOf("a"), "two");
  EXPECT_THAT(Asked()[kEndpoints], ElementsAre("two"));
  EXPECT_THAT(EndpointsNow(), ElementsAre("two"));
}

TEST_F(AdsConfigTest, WaitsNoLongerForEndpointsThatDoNotExist) {
  StartWithCluster();
  Receive(kCluster, EdsCluster("a", "two"));
  Asked();
  now_ = config_->session().NextExpiry();
  config_->session().Expire(now_);
  EXPECT_TRUE(config_->changed());
  EXPECT_EQ(ServiceOf("a"), "two");
  const auto config = config_->Build();
  ASSERT_EQ(config->endpoints.size(), 1u);
  EXPECT_EQ(config->endpoints[0]->cluster_name, "two");
  EXPECT_TRUE(config->endpoints[0]->localities.empty());
}

TEST_F(AdsConfigTest, DropsWhatIsDeleted) {
  StartWithCluster();
  Receive(kCluster);
  EXPECT_EQ(ServiceOf("a"), "none");
  EXPECT_THAT(EndpointsNow(), IsEmpty());
  EXPECT_THAT(Asked()[kEndpoints], IsEmpty());
}

TEST_F(AdsConfigTest, HoldsBackAListenerUntilItsRoutesAreThere) {
  Start(false);
  Asked();
  Receive(kListener, ApiListener("echo", "one"));
  Asked();
  Receive(kRouteConfig, Routes("one", "a"));
  config_->Build();
  Receive(kListener, ApiListener("echo", "two"));
  EXPECT_THAT(Asked()[kRouteConfig], ElementsAre("one", "two"));
  EXPECT_EQ(config_->Build()->listeners[0]->api_listener->rds_route_config_name,
            "one");
  Receive(kRouteConfig, Routes("two", "a"));
  EXPECT_EQ(config_->Build()->listeners[0]->api_listener->rds_route_config_name,
            "two");
  EXPECT_THAT(Asked()[kRouteConfig], ElementsAre("two"));
}

TEST_F(AdsConfigTest, HoldsBackRoutesUntilTheirClustersCanBeUsed) {
  StartWithCluster();
  Receive(kListener, ApiListener("echo", "routes"));
  Asked();
  Receive(kRouteConfig, Routes("routes", "a"));
  const auto before = config_->Build()->route_configs;
  ASSERT_EQ(before.size(), 1u);
  Receive(kCluster, EdsCluster("a", "one"), EdsCluster("b", "two"));
  Asked();
  Receive(kRouteConfig, Routes("routes", "b"));
  EXPECT_EQ(config_->Build()->route_configs, before);
  Receive(kEndpoints, Assignment("two", 2));
  EXPECT_NE(config_->Build()->route_configs, before);
  // Not for a cluster that there is not.
  Receive(kRouteConfig, Routes("routes", "nosuch"));
  std::set<std::string> names;
  model::AddClusterNames(*config_->Build()->route_configs[0], names);
  EXPECT_THAT(names, ElementsAre("nosuch"));
}

TEST_F(AdsConfigTest, FollowsATargetToItsEndpoints) {
  Start(true);
  EXPECT_THAT(Asked(), IsEmpty());
  config_->AddTarget("echo");
  config_->AddTarget("echo");
  EXPECT_THAT(Asked(), ElementsAre(Pair(kListener, ElementsAre("echo"))));
  Receive(kListener, ApiListener("echo", "routes"));
  EXPECT_THAT(Asked()[kRouteConfig], ElementsAre("routes"));
  Receive(kRouteConfig, Routes("routes", "a", "shadow"));
  EXPECT_THAT(Asked()[kCluster], ElementsAre("a", "shadow"));
  Receive(kCluster, EdsCluster("a", ""));
  EXPECT_THAT(Asked()[kEndpoints], ElementsAre("a"));

  config_->RemoveTarget("echo");
  EXPECT_FALSE(Asked().count(kListener));  // once more to go
  config_->RemoveTarget("echo");
  EXPECT_THAT(Asked()[kListener], IsEmpty());
  config_->Build();
  EXPECT_TRUE(config_->session().resources(kCluster).empty());
  EXPECT_TRUE(config_->session().resources(kEndpoints).empty());
}

TEST_F(AdsConfigTest, AsksForAClusterThatATargetNames) {
  Start(true);
  config_->AddTarget("cluster:a");
  EXPECT_THAT(Asked(), ElementsAre(Pair(kCluster, ElementsAre("a"))));
}

TEST_F(AdsConfigTest, LeavesTheFileItsClusters) {
  Start(false);
  Asked();
  Receive(kCluster, EdsCluster("xds", "mine"));
  EXPECT_EQ(ServiceOf("xds"), "");
}

TEST_F(AdsConfigTest, TakesAnotherFile) {
  StartWithCluster();
  auto base = std::make_shared<model::Config>(*config_->Build());
  base->clusters.resize(1);
  auto assignment = std::make_shared<model::Endpoints>();
  assignment->cluster_name = "one";
  base->endpoints = {assignment};
  config_->Rebase(base);
  EXPECT_TRUE(config_->changed());
  // The control plane's gives way.
  EXPECT_EQ(config_->Build()->endpoints, base->endpoints);
  EXPECT_EQ(ServiceOf("a"), "one");
}

}  // namespace
}  // namespace meshlib::xds
