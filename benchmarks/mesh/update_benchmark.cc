// What a new configuration costs: those who pick while it comes, and the
// control thread that brings it.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
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

std::unique_ptr<Mesh> MakeMesh(std::shared_ptr<const model::Config> config) {
  MeshOptions options;
  options.seed = 1;
  options.own_thread = false;
  return *mesh::MeshFactory::Create(std::move(config), std::move(options));
}

// Two configurations of one cluster that differ in one of `hosts` hosts.
struct Pair {
  std::shared_ptr<model::Config> config[2];
};

Pair MakePair(model::LbPolicy policy, uint32_t hosts) {
  Pair pair;
  for (int i = 0; i < 2; ++i) {
    auto cluster = test::MakeCluster("a", hosts);
    cluster->lb.policy = policy;
    cluster->outlier_detection.emplace();
    auto endpoints = std::make_shared<model::Endpoints>(*cluster->endpoints);
    if (i == 1) {
      endpoints->localities[0].endpoints[hosts / 2].address = "10.255.0.1:80";
    }
    model::AddFingerprints(endpoints->localities[0]);
    cluster->endpoints = std::move(endpoints);
    pair.config[i] = std::make_shared<model::Config>();
    pair.config[i]->clusters.push_back(std::move(cluster));
  }
  return pair;
}

// One of range(0) hosts changes: Apply() up to and with the publication.
void OneHostChanges(benchmark::State& state, model::LbPolicy policy) {
  const Pair pair = MakePair(policy, static_cast<uint32_t>(state.range(0)));
  const auto mesh = MakeMesh(pair.config[0]);
  const Target target = *mesh->Resolve("cluster:a");
  mesh::Core& core = mesh::MeshFactory::CoreOf(*mesh);
  int next = 0;
  for (auto _ : state) {
    next = 1 - next;
    if (!core.Apply(pair.config[next]).ok()) state.SkipWithError("Apply");
  }
}
BENCHMARK_CAPTURE(OneHostChanges, round_robin, model::LbPolicy::kRoundRobin)
    ->Arg(1000)
    ->Arg(10000)
    ->Arg(100000)
    ->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(OneHostChanges, least_request, model::LbPolicy::kLeastRequest)
    ->Arg(1000)
    ->Arg(10000)
    ->Arg(100000)
    ->Unit(benchmark::kMicrosecond);

// Picks and reports while another thread swaps snapshots of range(0) hosts
// every ten milliseconds (range(1) is 1) or does nothing (0): what the other
// does shows in the quantiles of single picks, in ns, clock reading included.
// A core for each thread, or the machine's scheduler is what is measured.
void PicksUnderSwaps(benchmark::State& state, model::LbPolicy policy) {
  const Pair pair = MakePair(policy, static_cast<uint32_t>(state.range(0)));
  const auto mesh = MakeMesh(pair.config[0]);
  const Target target = *mesh->Resolve("cluster:a");
  mesh::Core& core = mesh::MeshFactory::CoreOf(*mesh);
  std::atomic<bool> stop{false};
  std::atomic<int64_t> swaps{0};
  std::thread control([&] {
    int next = 0;
    while (state.range(1) == 1 && !stop.load(std::memory_order_relaxed)) {
      next = 1 - next;
      if (!core.Apply(pair.config[next]).ok()) std::abort();
      swaps.fetch_add(1, std::memory_order_relaxed);
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  });
  std::vector<int64_t> times;
  times.reserve(1 << 24);
  const Request request;
  for (auto _ : state) {
    const auto begin = std::chrono::steady_clock::now();
    PickResult pick = target.Pick(request);
    const auto end = std::chrono::steady_clock::now();
    benchmark::DoNotOptimize(pick.address);
    target.Report(pick.token, Outcome::Ok());
    if (times.size() < times.capacity()) times.push_back((end - begin).count());
  }
  stop = true;
  control.join();
  std::sort(times.begin(), times.end());
  const auto quantile = [&](double q) {
    return static_cast<double>(
        times[static_cast<size_t>(q * static_cast<double>(times.size() - 1))]);
  };
  state.counters["p50"] = quantile(0.5);
  state.counters["p99"] = quantile(0.99);
  state.counters["p99.9"] = quantile(0.999);
  state.counters["max"] = quantile(1.0);
  state.counters["swaps"] = static_cast<double>(swaps.load());
}
BENCHMARK_CAPTURE(PicksUnderSwaps, round_robin, model::LbPolicy::kRoundRobin)
    ->Args({10000, 0})
    ->Args({10000, 1});
BENCHMARK_CAPTURE(PicksUnderSwaps, least_request,
                  model::LbPolicy::kLeastRequest)
    ->Args({10000, 0})
    ->Args({10000, 1});

// A configuration of range(0) clusters of 12 hosts, from model to mesh, with
// `targets` of them in use.
void Clusters(benchmark::State& state, int64_t targets) {
  auto config = std::make_shared<model::Config>();
  for (int64_t i = 0; i < state.range(0); ++i) {
    config->clusters.push_back(test::MakeCluster(absl::StrCat("c", i), 12));
  }
  for (auto _ : state) {
    const auto mesh = MakeMesh(config);
    std::vector<Target> bound;
    for (int64_t i = 0; i < targets; ++i) {
      bound.push_back(*mesh->Resolve(absl::StrCat("cluster:c", i)));
    }
    benchmark::DoNotOptimize(bound);
  }
}
BENCHMARK_CAPTURE(Clusters, none_used, 0)
    ->Arg(10000)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(Clusters, 100_used, 100)
    ->Arg(10000)
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace meshlib
