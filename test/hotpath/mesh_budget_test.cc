// Pick and Report within the budget, on meshes with everything switched on.
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/mutex.h"
#include "gtest/gtest.h"
#include "meshlib/clock.h"
#include "meshlib/load_balancer.h"
#include "meshlib/mesh.h"
#include "test/hotpath/hot_path_budget.h"

namespace meshlib {
namespace {

using testing::HotPathBudget;
using testing::HotPathUse;
using testing::MakeHotPath;
using testing::MeasureHotPath;

// A cluster `main` with breakers and outlier detection, behind fifty routes
// that do not match and one, with retries and a hash policy, that does.
std::string Config(const std::string& policy) {
  std::string text = R"(
static_resources:
  listeners:
  - name: outbound
    address: {socket_address: {address: 127.0.0.1, port_value: 15001}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: outbound
          http_filters:
          - name: envoy.filters.http.router
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
          route_config:
            name: routes
            virtual_hosts:
            - name: main
              domains: [main.example]
              routes:
)";
  for (int i = 0; i < 50; ++i) {
    absl::StrAppend(&text, R"(
              - match: {prefix: /other/)",
                    i, R"(}
                route: {cluster: main})");
  }
  absl::StrAppend(&text, R"(
              - match:
                  prefix: /
                  headers: [{name: x-user, present_match: true}]
                route:
                  weighted_clusters:
                    clusters:
                    - {name: main, weight: 90}
                    - {name: second, weight: 10}
                  hash_policy: [{header: {header_name: x-user}}]
                  retry_policy:
                    retry_on: 5xx,connect-failure
                    num_retries: 3
                    retry_host_predicate:
                    - name: envoy.retry_host_predicates.previous_hosts
                      typed_config:
                        "@type": type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate
                    host_selection_retry_max_attempts: 5
  clusters:)");
  for (const char* name : {"main", "second"}) {
    absl::StrAppend(&text, R"(
  - name: )",
                    name, R"(
    type: STATIC
    connect_timeout: 1s
    circuit_breakers:
      thresholds:
      - {max_requests: 100000, max_retries: 100000}
    outlier_detection: {consecutive_5xx: 5}
    )",
                    policy, R"(
    load_assignment:
      cluster_name: )",
                    name, R"(
      endpoints:)");
    for (int priority = 0; priority < 2; ++priority) {
      for (int zone = 0; zone < 2; ++zone) {
        absl::StrAppend(&text, R"(
      - priority: )",
                        priority, R"(
        locality: {region: r)",
                        priority, ", zone: z", zone, R"(}
        load_balancing_weight: )",
                        zone + 1, R"(
        lb_endpoints:)");
        for (int host = 1; host <= 5; ++host) {
          absl::StrAppend(&text, R"(
        - endpoint: {address: {socket_address: {address: 10.)",
                          priority, ".", zone, ".", host, R"(, port_value: 80}}}
          load_balancing_weight: )",
                          host);
        }
      }
    }
  }
  return text;
}

// Time stands still: what the warm-up brought about (ejections, backoffs)
// stays as it is while the body is measured.
class StoppedClock final : public Clock {
 public:
  absl::Time Now() override { return absl::FromUnixSeconds(1000000); }
};

struct Running {
  StoppedClock clock;
  std::unique_ptr<Mesh> mesh;
  std::unique_ptr<Target> target;
  Header header{"x-user", "4711"};
  Request request;
  double qps = 0;  // for load reports
};

// Ends the process on any error: in the child that is a failed test.
std::shared_ptr<Running> Start(const std::string& config,
                               std::shared_ptr<LoadBalancerFactory> factory,
                               bool own_thread = false) {
  auto running = std::make_shared<Running>();
  MeshOptions options;
  options.config_text = config;
  options.clock = &running->clock;
  options.own_thread = own_thread;
  if (factory != nullptr) options.load_balancers.push_back(factory);
  absl::StatusOr<std::unique_ptr<Mesh>> mesh = Mesh::Create(std::move(options));
  if (!mesh.ok()) {
    ADD_FAILURE() << mesh.status();
    std::abort();
  }
  running->mesh = *std::move(mesh);
  absl::StatusOr<Target> target = running->mesh->Resolve("main.example");
  if (!target.ok()) std::abort();
  running->target = std::make_unique<Target>(*std::move(target));
  running->request.path = "/a/path?with=query";
  running->request.headers = absl::MakeConstSpan(&running->header, 1);
  return running;
}

struct Case {
  const char* name;
  const char* policy;
};

void PrintTo(const Case& policy, std::ostream* out) { *out << policy.name; }

class MeshBudget : public HotPathBudget,
                   public ::testing::WithParamInterface<Case> {
 protected:
  using Step = void (*)(Running&);

  // A body that runs `step` on a mesh of its own.
  static MakeHotPath On(Step step) {
    const std::string config = Config(GetParam().policy);
    return [config, step] {
      auto running = Start(config, nullptr);
      return [running, step] { step(*running); };
    };
  }
};

void Succeed(Running& running) {
  PickResult pick = running.target->Pick(running.request);
  if (!pick.ok()) std::abort();
  running.target->Report(pick.token, Outcome::Ok());
}

TEST_P(MeshBudget, APickAndASuccessUseNothing) {
  ExpectNothingUsed(On(Succeed));
}

// Each time another load, so that there is something to take.
TEST_P(MeshBudget, ASuccessWithALoadReportUsesNothing) {
  ExpectNothingUsed(On([](Running& running) {
    PickResult pick = running.target->Pick(running.request);
    if (!pick.ok()) std::abort();
    const LoadReport::Metric queue{"named_metrics.queue", 0.5};
    LoadReport report;
    report.qps = running.qps += 1;
    report.named_metrics = absl::MakeConstSpan(&queue, 1);
    Outcome outcome = Outcome::Ok();
    outcome.load_report = &report;
    running.target->Report(pick.token, outcome);
  }));
}

void Fail(Running& running) {
  PickResult pick = running.target->Pick(running.request);
  for (int i = 0; i < 4 && pick.ok(); ++i) {
    const RetryDecision decision =
        running.target->Report(pick.token, Outcome::Http(503));
    if (!decision.retry) break;
    pick = running.target->Pick(running.request, std::move(pick.token));
  }
}

// Every fifth failure of a host reaches a threshold and asks the control
// thread for attention.
TEST_P(MeshBudget, FailuresAndRetriesUseNothing) {
  ExpectNothingUsed(On(Fail));
}

// The control thread ejects beside; to wake it is the one system call there
// may be.
TEST_P(MeshBudget, FailuresThatEjectUseAtMostAWakeUp) {
  const std::string config = Config(GetParam().policy);
  const HotPathUse use = MeasureHotPath([config] {
    auto running = Start(config, nullptr, /*own_thread=*/true);
    return [running] { Fail(*running); };
  });
  EXPECT_EQ(use.allocations, 0u);
  EXPECT_EQ(use.frees, 0u);
  EXPECT_EQ(use.locks, 0u);
  EXPECT_TRUE(use.system_call == -1 || use.system_call == SYS_write)
      << use.system_call;
}

TEST_P(MeshBudget, ConnectFailuresUseNothing) {
  ExpectNothingUsed(On([](Running& running) {
    PickResult pick = running.target->Pick(running.request);
    running.target->Report(pick.token,
                           Outcome::Failure(Outcome::Kind::kConnectFailure));
  }));
}

TEST_P(MeshBudget, ADroppedTokenUsesNothing) {
  ExpectNothingUsed(
      On([](Running& running) { running.target->Pick(running.request); }));
}

TEST_P(MeshBudget, APickThatFailsUsesNothing) {
  ExpectNothingUsed(On([](Running& running) {
    Request request;
    request.path = "/no/such/header";
    const PickResult pick = running.target->Pick(request);
    if (pick.failure != PickFailure::kNoRoute) std::abort();
  }));
}

constexpr char kClientSideWeightedRoundRobin[] = R"(load_balancing_policy:
      policies:
      - typed_extension_config:
          name: envoy.load_balancing_policies.client_side_weighted_round_robin
          typed_config:
            "@type": type.googleapis.com/envoy.extensions.load_balancing_policies.client_side_weighted_round_robin.v3.ClientSideWeightedRoundRobin
            metric_names_for_computing_utilization: [named_metrics.queue])";

INSTANTIATE_TEST_SUITE_P(
    Policies, MeshBudget,
    ::testing::Values(
        Case{"RoundRobin", "lb_policy: ROUND_ROBIN"},
        Case{"LeastRequest", "lb_policy: LEAST_REQUEST"},
        Case{"Random", "lb_policy: RANDOM"},
        Case{"RingHash", "lb_policy: RING_HASH"},
        Case{"Maglev", "lb_policy: MAGLEV"},
        Case{"ClientSideWeightedRoundRobin", kClientSideWeightedRoundRobin},
        Case{"LocalityWeights",
             "common_lb_config: {locality_weighted_lb_config: {}}"}),
    [](const auto& info) { return std::string(info.param.name); });

// The budget must see into a pick: policies of the application that break it.
enum class Sin { kNone, kAllocation, kLock, kSystemCall };

class Sinner final : public LoadBalancer {
 public:
  explicit Sinner(Sin sin) : sin_(sin) {}
  size_t Pick(State*, const LoadBalancerContext&) const override {
    if (sin_ == Sin::kAllocation) {
      auto number = std::make_unique<int>(1);
      asm volatile("" : : "g"(number.get()) : "memory");
    }
    if (sin_ == Sin::kLock) base::MutexLock lock(mutex_);
    if (sin_ == Sin::kSystemCall) syscall(SYS_getppid);
    return 0;
  }

 private:
  const Sin sin_;
  mutable base::Mutex mutex_;
};

class SinnerFactory final : public LoadBalancerFactory {
 public:
  explicit SinnerFactory(Sin sin) : sin_(sin) {}
  std::string_view name() const override { return "test.Sinner"; }
  absl::StatusOr<std::shared_ptr<const LoadBalancer>> Create(
      const LoadBalancerHosts&, std::string_view) override {
    return std::make_shared<const Sinner>(sin_);
  }

 private:
  const Sin sin_;
};

HotPathUse UseOf(Sin sin) {
  const std::string config = Config(R"(load_balancing_policy:
      policies:
      - typed_extension_config:
          name: test.Sinner
          typed_config:
            "@type": type.googleapis.com/xds.type.v3.TypedStruct
            type_url: type.googleapis.com/test.Sinner)");
  return MeasureHotPath([config, sin] {
    auto running = Start(config, std::make_shared<SinnerFactory>(sin));
    return [running] { Succeed(*running); };
  });
}

TEST(MeshBudgetFinds, NothingInAPolicyThatKeepsIt) {
  const HotPathUse use = UseOf(Sin::kNone);
  EXPECT_TRUE(use.finished);
  EXPECT_EQ(use.allocations + use.frees + use.locks, 0u);
  EXPECT_EQ(use.system_call, -1);
}

TEST(MeshBudgetFinds, AnAllocationInAPolicy) {
  EXPECT_GE(UseOf(Sin::kAllocation).allocations, 1000u);
}

TEST(MeshBudgetFinds, ALockInAPolicy) {
  EXPECT_GE(UseOf(Sin::kLock).locks, 1000u);
}

TEST(MeshBudgetFinds, ASystemCallInAPolicy) {
  const HotPathUse use = UseOf(Sin::kSystemCall);
  if (!use.filter) GTEST_SKIP() << "this kernel has no seccomp filters";
  EXPECT_EQ(use.system_call, SYS_getppid);
}

}  // namespace
}  // namespace meshlib
