// Clusters whose endpoints are names: STRICT_DNS and LOGICAL_DNS.

#include <poll.h>

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "event/epoll_loop.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "test/cluster/test_config.h"
#include "test/event/dns_server.h"
#include "test/mesh/fake_dns.h"
#include "test/mesh/mesh_fixture.h"

namespace meshlib {
namespace {

using test::MakeCluster;
using test::MakeEndpoint;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

class DnsTest : public MeshTest {
 protected:
  ~DnsTest() override {  // before the DNS
    target_ = nullptr;
    mesh_ = nullptr;
  }

  static std::shared_ptr<model::Cluster> Dns(
      const std::string& name, model::DiscoveryType type,
      const std::vector<std::string>& addresses) {
    auto cluster = std::make_shared<model::Cluster>();
    cluster->name = name;
    cluster->type = type;
    auto endpoints = test::MakeEndpoints(name, 0);
    for (const std::string& address : addresses) {
      endpoints->localities[0].endpoints.push_back(MakeEndpoint(address));
    }
    cluster->endpoints = std::move(endpoints);
    cluster->dns.emplace();
    return cluster;
  }
  static std::shared_ptr<model::Cluster> Strict(
      const std::vector<std::string>& addresses) {
    return Dns("a", model::DiscoveryType::kStrictDns, addresses);
  }
  static std::shared_ptr<model::Cluster> Logical(const std::string& address) {
    return Dns("a", model::DiscoveryType::kLogicalDns, {address});
  }

  void Run(std::shared_ptr<model::Cluster> cluster) {
    config_->clusters.push_back(std::move(cluster));
    StartWithDns();
    target_ = std::make_unique<Target>(Resolve("cluster:a"));
  }
  void StartWithDns() {
    MeshOptions options;
    options.clock = &clock_;
    options.seed = 1;
    options.own_thread = false;
    options.log = [this](LogLevel, std::string_view line) {
      log_.emplace_back(line);
    };
    auto mesh =
        mesh::MeshFactory::Create(config_, std::move(options), dns_.Factory());
    ASSERT_TRUE(mesh.ok()) << mesh.status();
    mesh_ = *std::move(mesh);
  }
  // The same mesh, with another cluster in the place of the one.
  void Replace(std::shared_ptr<model::Cluster> cluster) {
    config_ = std::make_shared<model::Config>();
    config_->clusters.push_back(std::move(cluster));
    Apply(config_);
  }

  mesh::Core& core() { return mesh::MeshFactory::CoreOf(*mesh_); }
  std::vector<std::string> Answer() { return dns_.Answer(core()); }
  void Advance(absl::Duration time) {
    clock_.Advance(time);
    mesh_->RunPending();
  }
  std::vector<const model::Host*> Hosts() {
    std::vector<const model::Host*> hosts;
    const auto version = core().engine().Find("a");
    for (const auto& priority : version->input().priorities) {
      for (const auto& locality : priority.localities) {
        for (const auto& entry : *locality.hosts) hosts.push_back(entry.host);
      }
    }
    return hosts;
  }
  std::vector<std::string> Addresses() {
    std::vector<std::string> addresses;
    for (const model::Host* host : Hosts()) {
      addresses.push_back(host->address());
    }
    return addresses;
  }
  PickFailure Failure() { return target_->Pick().failure; }

  test::FakeDns dns_;
  std::vector<std::string> log_;
  std::unique_ptr<Target> target_;
};

TEST_F(DnsTest, PicksWaitForTheFirstAnswer) {
  dns_.Set("echo.example", {"10.0.0.1:80", "10.0.0.2:80"});
  Run(Strict({"echo.example:80"}));
  EXPECT_EQ(Failure(), PickFailure::kNotReady);
  ASSERT_EQ(dns_.open().size(), 1u);
  EXPECT_EQ(dns_.open()[0].port, 80);
  EXPECT_EQ(dns_.open()[0].family, base::DnsLookupFamily::kAuto);
  Answer();
  std::map<std::string, int> picks;
  for (int i = 0; i < 10; ++i) {
    PickResult pick = target_->Pick();
    ASSERT_TRUE(pick.ok()) << pick.status();
    EXPECT_EQ(pick.hostname, "echo.example");
    ++picks[std::string(pick.address)];
    target_->Report(pick.token, Outcome::Ok());
  }
  EXPECT_THAT(picks, UnorderedElementsAre(Pair("10.0.0.1:80", 5),
                                          Pair("10.0.0.2:80", 5)));
}

TEST_F(DnsTest, HostsHaveWhatTheirEndpointHas) {
  auto cluster = Strict({});
  auto endpoints = test::MakeEndpoints("a", 0);
  auto& first = endpoints->localities[0];
  first.locality.zone = "z0";
  first.weight = 7;
  first.endpoints.push_back(MakeEndpoint("one.example:80", 3));
  first.endpoints.push_back(MakeEndpoint("10.9.9.9:80"));
  auto& second = endpoints->localities.emplace_back();
  second.locality.zone = "z1";
  second.priority = 1;
  second.endpoints.push_back(MakeEndpoint("two.example:81"));
  second.endpoints[0].hostname = "given";
  cluster->endpoints = endpoints;
  dns_.Set("one.example", {"10.0.0.1:80", "[::1]:80"});
  dns_.Set("two.example", {"10.0.0.3:81"});
  Run(cluster);
  Answer();
  const auto hosts = Hosts();
  ASSERT_EQ(hosts.size(), 4u);
  EXPECT_THAT(Addresses(), ElementsAre("10.0.0.1:80", "[::1]:80", "10.9.9.9:80",
                                       "10.0.0.3:81"));
  EXPECT_EQ(hosts[1]->weight(), 3u);
  EXPECT_EQ(hosts[1]->locality().zone, "z0");
  EXPECT_EQ(hosts[1]->hostname(), "one.example");
  EXPECT_EQ(hosts[2]->weight(), 1u);
  EXPECT_EQ(hosts[3]->hostname(), "given");
  EXPECT_EQ(hosts[3]->priority(), 1u);
  EXPECT_EQ(hosts[3]->locality().zone, "z1");
}

TEST_F(DnsTest, NamesAreLookedUpAgainAndHostsKeepTheirState) {
  dns_.Set("echo.example", {"10.0.0.1:80", "10.0.0.2:80"});
  Run(Strict({"echo.example:80"}));
  Answer();
  const auto before = Hosts();
  const auto version = core().engine().Find("a");
  Advance(absl::Seconds(4));
  EXPECT_THAT(dns_.open(), IsEmpty());
  Advance(absl::Seconds(1));
  EXPECT_EQ(dns_.open().size(), 1u);
  // The same in another order is no news.
  dns_.Set("echo.example", {"10.0.0.2:80", "10.0.0.1:80"});
  Answer();
  EXPECT_EQ(core().engine().Find("a"), version);
  dns_.Set("echo.example", {"10.0.0.3:80", "10.0.0.2:80"});
  Advance(absl::Seconds(5));
  Answer();
  EXPECT_THAT(Addresses(), ElementsAre("10.0.0.2:80", "10.0.0.3:80"));
  EXPECT_EQ(Hosts()[0], before[1]);
}

TEST_F(DnsTest, AFailureKeepsWhatIsKnownAndIsRetriedWithBackOff) {
  auto cluster = Strict({"echo.example:80"});
  cluster->dns->failure_base_interval = absl::Milliseconds(100);
  cluster->dns->failure_max_interval = absl::Milliseconds(400);
  dns_.Set("echo.example", {"10.0.0.1:80"});
  Run(cluster);
  Answer();
  dns_.Fail("echo.example");
  Advance(absl::Seconds(5));
  Answer();
  EXPECT_THAT(Addresses(), ElementsAre("10.0.0.1:80"));
  for (const int window : {100, 200, 400, 400}) {
    Advance(absl::Milliseconds(window));
    EXPECT_EQ(Answer().size(), 1u) << window;
  }
  dns_.Set("echo.example", {"10.0.0.2:80"});
  Advance(absl::Milliseconds(400));
  Answer();
  EXPECT_THAT(Addresses(), ElementsAre("10.0.0.2:80"));
  Advance(absl::Milliseconds(4999));
  EXPECT_THAT(dns_.open(), IsEmpty());
}

TEST_F(DnsTest, SaysOnceWhyThereAreNoAddresses) {
  dns_.Fail("echo.example");
  Run(Strict({"echo.example:80"}));
  for (int i = 0; i < 3; ++i) {
    Answer();
    Advance(absl::Seconds(5));
  }
  EXPECT_THAT(log_, ElementsAre("cluster \"a\": DNS is down"));
  dns_.Set("echo.example", {"10.0.0.1:80"});
  Answer();
  dns_.Set("echo.example", {});
  Advance(absl::Seconds(5));
  Answer();
  ASSERT_EQ(log_.size(), 2u);
  EXPECT_EQ(log_[1],
            "cluster \"a\": DNS lookup of \"echo.example\": no addresses");
}

TEST_F(DnsTest, ANameMayHaveManyAddresses) {
  std::vector<std::string> many;
  for (int i = 0; i < 10000; ++i) {
    many.push_back(absl::StrCat("10.1.", i / 250, ".", i % 250, ":80"));
  }
  dns_.Set("echo.example", many);
  Run(Strict({"echo.example:80"}));
  Answer();
  EXPECT_EQ(Addresses(), many);
  many.resize(1);
  dns_.Set("echo.example", many);
  Advance(absl::Seconds(5));
  Answer();
  EXPECT_EQ(Addresses(), many);
}

TEST_F(DnsTest, WithoutARateOfTheirOwnFailuresAreRetriedAtTheRefreshRate) {
  dns_.Fail("echo.example");
  Run(Strict({"echo.example:80"}));
  Answer();
  EXPECT_EQ(Failure(), PickFailure::kNoHosts) << "it is known that there is "
                                                 "nothing to wait for";
  Advance(absl::Milliseconds(4999));
  EXPECT_THAT(dns_.open(), IsEmpty());
  Advance(absl::Milliseconds(1));
  EXPECT_EQ(dns_.open().size(), 1u);
}

TEST_F(DnsTest, ClustersOfSeveralNamesAreReadyWithTheFirstThatHasAddresses) {
  dns_.Fail("bad.example");
  dns_.Set("good.example", {"10.0.0.1:80"});
  Run(Strict({"bad.example:80", "good.example:80", "bad.example:80"}));
  EXPECT_EQ(dns_.open().size(), 2u) << "a name is asked for once";
  Answer();
  EXPECT_THAT(Addresses(), ElementsAre("10.0.0.1:80"));
}

TEST_F(DnsTest, NoSuchNameEmptiesAStrictClusterButNotALogicalOne) {
  dns_.Set("echo.example", {"10.0.0.1:80"});
  Run(Strict({"echo.example:80"}));
  Answer();
  dns_.Set("echo.example", {});
  Advance(absl::Seconds(5));
  Answer();
  EXPECT_THAT(Addresses(), IsEmpty());
  EXPECT_EQ(Failure(), PickFailure::kNoHosts);

  dns_.Set("echo.example", {"10.0.0.1:80"});
  Replace(Logical("echo.example:80"));
  Answer();
  dns_.Set("echo.example", {});
  Advance(absl::Seconds(5));
  Answer();
  EXPECT_THAT(Addresses(), ElementsAre("10.0.0.1:80"));
}

TEST_F(DnsTest, TtlsAreRespectedWhereThatIsAskedFor) {
  struct Case {
    bool respect;
    int ttl;
    int refresh;
  };
  for (const Case& c : {Case{false, 60, 5}, Case{true, 60, 60},
                        Case{true, 1, 1}, Case{true, 0, 5}}) {
    SCOPED_TRACE(absl::StrCat(c.respect, " ", c.ttl));
    config_ = std::make_shared<model::Config>();
    auto cluster = Strict({"echo.example:80"});
    cluster->dns->respect_dns_ttl = c.respect;
    dns_.Set("echo.example", {"10.0.0.1:80"}, absl::Seconds(c.ttl));
    target_ = nullptr;
    Run(cluster);
    Answer();
    Advance(absl::Seconds(c.refresh) - absl::Milliseconds(1));
    EXPECT_THAT(dns_.open(), IsEmpty());
    Advance(absl::Milliseconds(1));
    EXPECT_EQ(dns_.open().size(), 1u);
  }
}

TEST_F(DnsTest, JitterMakesRefreshesLater) {
  auto cluster = Strict({"echo.example:80"});
  cluster->dns->jitter = absl::Seconds(2);
  dns_.Set("echo.example", {"10.0.0.1:80"});
  Run(cluster);
  Answer();
  int later = 0;
  for (int i = 0; i < 20; ++i) {
    Advance(absl::Seconds(5));
    if (dns_.open().empty()) ++later;
    Advance(absl::Seconds(2));
    EXPECT_EQ(Answer().size(), 1u);
  }
  EXPECT_GT(later, 15);
}

TEST_F(DnsTest, ALogicalHostKeepsItsStateWhenItsAddressChanges) {
  dns_.Set("echo.example", {"10.0.0.1:80", "10.0.0.2:80", "[::1]:80"});
  auto cluster = Logical("echo.example:80");
  auto endpoints = std::make_shared<model::Endpoints>(*cluster->endpoints);
  endpoints->localities[0].priority = 3;
  cluster->endpoints = endpoints;
  Run(cluster);
  Answer();
  ASSERT_EQ(Hosts().size(), 1u);
  EXPECT_EQ(Hosts()[0]->priority(), 0u) << "as Envoy's";
  EXPECT_EQ(Hosts()[0]->address(), "10.0.0.1:80");
  EXPECT_THAT(Hosts()[0]->additional_addresses(),
              ElementsAre("10.0.0.2:80", "[::1]:80"));
  PickResult open = target_->Pick();
  EXPECT_EQ(open.address, "10.0.0.1:80");
  const auto state = Hosts()[0]->shared_state();
  dns_.Set("echo.example", {"10.0.0.7:80"});
  Advance(absl::Seconds(5));
  Answer();
  ASSERT_EQ(Hosts().size(), 1u);
  EXPECT_EQ(Hosts()[0]->address(), "10.0.0.7:80");
  EXPECT_EQ(Hosts()[0]->hostname(), "echo.example");
  EXPECT_THAT(Hosts()[0]->additional_addresses(), IsEmpty());
  EXPECT_EQ(Hosts()[0]->shared_state(), state);
  PickResult next = target_->Pick();
  EXPECT_EQ(next.address, "10.0.0.7:80");
  EXPECT_EQ(open.address, "10.0.0.1:80") << "stays valid";
  target_->Report(open.token, Outcome::Ok());
}

TEST_F(DnsTest, OnlyWhatTargetsLeadToIsLookedUp) {
  config_->clusters.push_back(Strict({"echo.example:80"}));
  StartWithDns();
  Advance(absl::Minutes(1));
  EXPECT_THAT(dns_.open(), IsEmpty());
  EXPECT_THAT(dns_.options(), IsEmpty());
  Resolve("cluster:a");
  EXPECT_EQ(dns_.open().size(), 1u);
}

TEST_F(DnsTest, AnEqualConfigurationAsksForNothing) {
  dns_.Set("echo.example", {"10.0.0.1:80"});
  Run(Strict({"echo.example:80"}));
  Answer();
  const auto before = Hosts();
  Replace(Strict({"echo.example:80"}));
  EXPECT_THAT(dns_.open(), IsEmpty());
  EXPECT_EQ(Hosts(), before);
  Advance(absl::Seconds(5));
  EXPECT_EQ(dns_.open().size(), 1u);
}

TEST_F(DnsTest, OldHostsServeUntilNewNamesAreAnswered) {
  dns_.Set("old.example", {"10.0.0.1:80"});
  dns_.Set("new.example", {"10.0.0.2:80"});
  Run(Strict({"old.example:80"}));
  Answer();
  Replace(Strict({"new.example:80"}));
  EXPECT_THAT(Addresses(), ElementsAre("10.0.0.1:80"));
  EXPECT_THAT(Answer(), ElementsAre("new.example"));
  EXPECT_THAT(Addresses(), ElementsAre("10.0.0.2:80"));
  // One that stays is known.
  Replace(Strict({"old.example:80", "new.example:80"}));
  EXPECT_THAT(Addresses(), ElementsAre("10.0.0.2:80"));
  EXPECT_THAT(Answer(), ElementsAre("old.example"));
  EXPECT_THAT(Addresses(), ElementsAre("10.0.0.1:80", "10.0.0.2:80"));
}

TEST_F(DnsTest, WithoutWarmingThereAreNoHostsBeforeTheFirstAnswer) {
  auto cluster = Strict({"echo.example:80"});
  cluster->dns->wait_for_warm_on_init = false;
  dns_.Set("echo.example", {"10.0.0.1:80"});
  Run(cluster);
  EXPECT_EQ(Failure(), PickFailure::kNoHosts);
  Answer();
  EXPECT_EQ(Failure(), PickFailure::kNone);
}

TEST_F(DnsTest, ClustersThatLeaveAndMeshesThatShutDownAskNoMore) {
  Run(Strict({"echo.example:80"}));
  EXPECT_EQ(dns_.open().size(), 1u);
  Apply(std::make_shared<model::Config>());
  EXPECT_THAT(dns_.open(), IsEmpty());
  Replace(Strict({"echo.example:80"}));
  EXPECT_EQ(dns_.open().size(), 1u);
  mesh_->Shutdown();
  EXPECT_THAT(dns_.open(), IsEmpty());
  Apply(config_);
  EXPECT_THAT(dns_.open(), IsEmpty());
}

TEST_F(DnsTest, ResolversAreSharedByTheirOptions) {
  config_->dns_resolver.resolvers = {"10.0.0.53:53"};
  auto a = Strict({"a.example:80"});
  auto b = Dns("b", model::DiscoveryType::kStrictDns, {"b.example:80"});
  auto c = Dns("c", model::DiscoveryType::kStrictDns, {"c.example:80"});
  c->dns->resolver.emplace();
  c->dns->resolver->use_tcp_for_dns_lookups = true;
  config_->clusters = {a, b, c};
  StartWithDns();
  const Target targets[] = {Resolve("cluster:a"), Resolve("cluster:b"),
                            Resolve("cluster:c")};
  ASSERT_EQ(dns_.options().size(), 2u);
  EXPECT_EQ(dns_.options()[0], config_->dns_resolver);
  EXPECT_EQ(dns_.options()[1], *c->dns->resolver);
}

TEST_F(DnsTest, NamesAreHostsWhereTheyAreNotLookedUp) {
  config_->clusters.push_back(Strict({"echo.example:80"}));
  MeshOptions options;
  options.clock = &clock_;
  options.own_thread = false;
  options.resolve_names = false;
  auto mesh = mesh::MeshFactory::Create(config_, std::move(options));
  ASSERT_TRUE(mesh.ok()) << mesh.status();
  EXPECT_EQ((*mesh)->Resolve("cluster:a")->Pick().address, "echo.example:80");
}

// A mesh with a cluster of each kind, whose names `server` knows.
MeshOptions OptionsFor(test::DnsServer& server) {
  server.SetAddresses("strict.example", test::DnsServer::Type::kA,
                      {"10.0.0.1", "10.0.0.2"}, 60);
  server.SetAddresses("logical.example", test::DnsServer::Type::kA,
                      {"10.0.0.3", "10.0.0.4"}, 60);
  const std::string port =
      server.address().substr(server.address().rfind(':') + 1);
  const std::string resolver = absl::StrCat(
      "typed_dns_resolver_config: {name: cares, typed_config: {'@type': "
      "type.googleapis.com/envoy.extensions.network.dns_resolver.cares.v3."
      "CaresDnsResolverConfig, resolvers: [{socket_address: {address: "
      "127.0.0.1, port_value: ",
      port, "}}], dns_resolver_options: {no_default_search_domain: true}}}");
  const auto assignment = [](const char* name) {
    return absl::StrCat(
        "load_assignment: {cluster_name: c, endpoints: [{lb_endpoints: "
        "[{endpoint: {address: {socket_address: {address: ",
        name, ", port_value: 80}}}}]}]}");
  };
  MeshOptions options;
  options.config_text = absl::StrCat(
      "static_resources: {clusters: [{name: s, type: STRICT_DNS, ", resolver,
      ", ", assignment("strict.example"),
      "}, {name: l, cluster_type: {name: envoy.clusters.dns, typed_config: "
      "{'@type': type.googleapis.com/envoy.extensions.clusters.dns.v3."
      "DnsCluster, all_addresses_in_single_endpoint: true, ",
      resolver, "}}, ", assignment("logical.example"), "}]}");
  return options;
}

TEST(DnsOverTheNetwork, TargetsFromAFileReachWhatTheirNamesStandFor) {
  auto loop = *event::EpollLoop::Create(SystemClock());
  test::DnsServer server(loop.get());
  MeshOptions options = OptionsFor(server);
  ASSERT_TRUE(loop->Start().ok());
  auto mesh = Mesh::Create(std::move(options));
  ASSERT_TRUE(mesh.ok()) << mesh.status();
  const absl::Time deadline = SystemClock()->Now() + absl::Minutes(1);
  const auto pick = [&](const char* cluster) {
    const auto target = (*mesh)->Resolve(cluster);
    EXPECT_TRUE(target.ok()) << target.status();
    const absl::Status ready = (*mesh)->WaitReady(*target, deadline);
    EXPECT_TRUE(ready.ok()) << ready;
    return std::string(target->Pick().address);
  };
  EXPECT_THAT(pick("cluster:s"),
              ::testing::AnyOf("10.0.0.1:80", "10.0.0.2:80"));
  EXPECT_EQ(pick("cluster:l"), "10.0.0.3:80");
  mesh->reset();
  loop->Stop();
}

TEST(DnsOverTheNetwork, AHostsLoopDrivesTheLookups) {
  auto loop = *event::EpollLoop::Create(SystemClock());
  test::DnsServer server(loop.get());
  MeshOptions options = OptionsFor(server);
  options.own_thread = false;
  auto mesh = Mesh::Create(std::move(options));
  ASSERT_TRUE(mesh.ok()) << mesh.status();
  const auto target = (*mesh)->Resolve("cluster:l");
  ASSERT_TRUE(target.ok()) << target.status();
  while (!target->Pick().ok()) {
    pollfd ready[] = {{(*mesh)->PollDescriptor(), POLLIN, 0},
                      {loop->PollDescriptor(), POLLIN, 0}};
    ASSERT_GT(poll(ready, 2, 60000), 0) << target->Pick().status();
    (*mesh)->RunPending();
    loop->RunReady();
  }
  EXPECT_EQ(target->Pick().address, "10.0.0.3:80");
}

}  // namespace
}  // namespace meshlib
