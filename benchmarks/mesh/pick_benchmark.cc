// Pick and report through the public API, with breakers, outlier detection
// and statistics on.
#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "benchmark/benchmark.h"
#include "mesh/core.h"
#include "meshlib/mesh.h"
#include "test/cluster/test_config.h"

namespace meshlib {
namespace {

std::unique_ptr<Mesh> MakeMesh(std::shared_ptr<model::Config> config) {
  MeshOptions options;
  options.seed = 1;
  options.own_thread = false;
  return *mesh::MeshFactory::Create(std::move(config), std::move(options));
}

std::shared_ptr<model::Cluster> MakeBenchCluster(model::LbPolicy policy,
                                                 uint32_t hosts) {
  auto cluster = test::MakeCluster("a", hosts);
  cluster->lb.policy = policy;
  cluster->outlier_detection.emplace();
  return cluster;
}

// One mesh for the threads of a run: made by the first, used by all.
struct Shared {
  std::unique_ptr<Mesh> mesh;
  std::unique_ptr<Target> target;
};

void PickAndReport(benchmark::State& state, model::LbPolicy policy) {
  static Shared shared;
  if (state.thread_index() == 0) {
    auto config = std::make_shared<model::Config>();
    config->clusters.push_back(
        MakeBenchCluster(policy, static_cast<uint32_t>(state.range(0))));
    shared.mesh = MakeMesh(std::move(config));
    shared.target =
        std::make_unique<Target>(*shared.mesh->Resolve("cluster:a"));
  }
  Request request;
  uint64_t hash = 0x9e3779b97f4a7c15u * (state.thread_index() + 1);
  const bool hashing = policy == model::LbPolicy::kRingHash ||
                       policy == model::LbPolicy::kMaglev;
  for (auto _ : state) {
    if (hashing) request.hash = hash += 0x9e3779b97f4a7c15u;
    PickResult pick = shared.target->Pick(request);
    benchmark::DoNotOptimize(pick.address);
    shared.target->Report(pick.token, Outcome::Ok());
  }
  if (state.thread_index() == 0) {
    shared.target.reset();
    shared.mesh.reset();
  }
}

void Sizes(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgName("hosts");
  for (const int hosts : {1, 10, 1000, 10000, 100000}) benchmark->Arg(hosts);
  const int threads = static_cast<int>(std::thread::hardware_concurrency());
  benchmark->ThreadRange(1, std::max(2, threads))->UseRealTime();
}

BENCHMARK_CAPTURE(PickAndReport, round_robin, model::LbPolicy::kRoundRobin)
    ->Apply(Sizes);
BENCHMARK_CAPTURE(PickAndReport, client_side_weighted_round_robin,
                  model::LbPolicy::kClientSideWeightedRoundRobin)
    ->Apply(Sizes);
BENCHMARK_CAPTURE(PickAndReport, random, model::LbPolicy::kRandom)
    ->Apply(Sizes);
BENCHMARK_CAPTURE(PickAndReport, least_request, model::LbPolicy::kLeastRequest)
    ->Apply(Sizes);
BENCHMARK_CAPTURE(PickAndReport, ring_hash, model::LbPolicy::kRingHash)
    ->Apply(Sizes);
BENCHMARK_CAPTURE(PickAndReport, maglev, model::LbPolicy::kMaglev)
    ->Apply(Sizes);

// The same with hosts that report their load, each its own.
void PickAndReportLoad(benchmark::State& state) {
  static Shared shared;
  constexpr auto kPolicy = model::LbPolicy::kClientSideWeightedRoundRobin;
  if (state.thread_index() == 0) {
    auto config = std::make_shared<model::Config>();
    config->clusters.push_back(
        MakeBenchCluster(kPolicy, static_cast<uint32_t>(state.range(0))));
    shared.mesh = MakeMesh(std::move(config));
    shared.target =
        std::make_unique<Target>(*shared.mesh->Resolve("cluster:a"));
  }
  LoadReport report;
  report.application_utilization = 0.5;
  Outcome outcome = Outcome::Ok();
  outcome.load_report = &report;
  for (auto _ : state) {
    PickResult pick = shared.target->Pick({});
    report.qps = 100 + pick.address[pick.address.size() - 4];
    shared.target->Report(pick.token, outcome);
  }
  if (state.thread_index() == 0) {
    shared.target.reset();
    shared.mesh.reset();
  }
}
BENCHMARK(PickAndReportLoad)->Apply(Sizes);

// Routing over range(0) routes that differ in their prefix, then the pick.
void RoutedPickAndReport(benchmark::State& state) {
  auto config = std::make_shared<model::Config>();
  config->clusters.push_back(
      MakeBenchCluster(model::LbPolicy::kRoundRobin, 1000));
  std::vector<model::Route> routes;
  for (int64_t i = 0; i < state.range(0); ++i) {
    routes.push_back(test::MakeRetryRoute("a", model::kRetryOn5xx, 2));
    routes.back().match.path.value = absl::StrCat("/service", i, "/");
  }
  config->listeners.push_back(test::MakeListener(std::move(routes)));
  const auto mesh = MakeMesh(std::move(config));
  const Target target = *mesh->Resolve("some.host");
  Request request;
  request.authority = "some.host";
  const Header headers[] = {{"content-type", "application/json"},
                            {"user-agent", "benchmark"},
                            {"x-request-id", "0123456789"}};
  request.headers = headers;
  std::vector<std::string> paths;
  for (int64_t i = 0; i < state.range(0); ++i) {
    paths.push_back(absl::StrCat("/service", i, "/method?x=1"));
  }
  size_t next = 0;
  for (auto _ : state) {
    request.path = paths[next];
    next = next + 7 < paths.size() ? next + 7 : (next + 7) % paths.size();
    PickResult pick = target.Pick(request);
    benchmark::DoNotOptimize(pick.address);
    target.Report(pick.token, Outcome::Ok());
  }
}
BENCHMARK(RoutedPickAndReport)->Arg(1)->Arg(1000);

void Resolve(benchmark::State& state) {
  auto config = std::make_shared<model::Config>();
  config->clusters.push_back(test::MakeCluster("a", 10));
  config->listeners.push_back(test::MakeListener({test::MakeRoute("a")}));
  const auto mesh = MakeMesh(std::move(config));
  for (auto _ : state) {
    benchmark::DoNotOptimize(mesh->Resolve("some.host"));
  }
}
BENCHMARK(Resolve);

}  // namespace
}  // namespace meshlib

BENCHMARK_MAIN();
