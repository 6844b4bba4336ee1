// Balancer::Pick for each policy, and what a change of one host costs.

#include <benchmark/benchmark.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "lb/balancer.h"
#include "lb/host_set.h"
#include "model/cluster.h"
#include "model/host.h"

namespace meshlib::lb {
namespace {

using model::LbPolicy;

class BenchCluster {
 public:
  BenchCluster(size_t hosts, bool weighted) {
    auto entries = std::make_shared<HostEntries>();
    for (size_t i = 0; i < hosts; ++i) {
      model::Host::Identity identity;
      identity.address = "10." + std::to_string(i / 65536) + "." +
                         std::to_string(i / 256 % 256) + "." +
                         std::to_string(i % 256) + ":8080";
      identity.locality = locality_;
      hosts_.push_back(std::make_unique<model::Host>(
          static_cast<uint32_t>(i), std::move(identity),
          std::make_shared<model::HostState>()));
      const uint32_t weight = weighted ? static_cast<uint32_t>(1 + i % 10) : 1;
      entries->push_back(
          {hosts_.back().get(), weight, model::HostHealth::kHealthy});
    }
    LocalityHosts group;
    group.locality = locality_.get();
    group.hosts = std::move(entries);
    input.priorities.resize(1);
    input.priorities[0].localities.push_back(std::move(group));
  }

  void SetPolicy(LbPolicy policy) {
    auto config = std::make_shared<model::LoadBalancing>();
    config->policy = policy;
    input.config = std::move(config);
  }
  std::shared_ptr<const Balancer> Create(const Balancer* previous = nullptr) {
    return *Balancer::Create(input, previous);
  }

  BalancerInput input;

 private:
  std::shared_ptr<const model::Locality> locality_ =
      std::make_shared<const model::Locality>();
  std::vector<std::unique_ptr<model::Host>> hosts_;
};

void Pick(benchmark::State& state, LbPolicy policy, bool weighted) {
  BenchCluster cluster(static_cast<size_t>(state.range(0)), weighted);
  cluster.SetPolicy(policy);
  const auto balancer = cluster.Create();
  const auto slot = balancer->NewSlotState(1);
  base::Random random(2);
  PickContext context;
  for (auto _ : state) {
    context.hash = random.Next();
    benchmark::DoNotOptimize(balancer->Pick(*slot, context));
  }
}

void Sizes(benchmark::internal::Benchmark* benchmark) {
  for (const int hosts : {1, 10, 1000, 10000, 100000}) benchmark->Arg(hosts);
}

BENCHMARK_CAPTURE(Pick, round_robin, LbPolicy::kRoundRobin, false)
    ->Apply(Sizes);
BENCHMARK_CAPTURE(Pick, round_robin_weighted, LbPolicy::kRoundRobin, true)
    ->Apply(Sizes);
BENCHMARK_CAPTURE(Pick, least_request, LbPolicy::kLeastRequest, false)
    ->Apply(Sizes);
BENCHMARK_CAPTURE(Pick, least_request_weighted, LbPolicy::kLeastRequest, true)
    ->Apply(Sizes);
BENCHMARK_CAPTURE(Pick, random, LbPolicy::kRandom, false)->Apply(Sizes);
BENCHMARK_CAPTURE(Pick, ring_hash, LbPolicy::kRingHash, false)->Apply(Sizes);
BENCHMARK_CAPTURE(Pick, maglev, LbPolicy::kMaglev, false)->Apply(Sizes);

// A new version in which one host's health changed, and one slot for it.
void ChangeOneHost(benchmark::State& state, LbPolicy policy) {
  BenchCluster cluster(static_cast<size_t>(state.range(0)), false);
  cluster.SetPolicy(policy);
  std::shared_ptr<const Balancer> balancer = cluster.Create();
  LocalityHosts& group = cluster.input.priorities[0].localities[0];
  const auto before = group.hosts;
  auto after = std::make_shared<HostEntries>(*before);
  (*after)[0].health = model::HostHealth::kUnhealthy;
  bool changed = false;
  for (auto _ : state) {
    changed = !changed;
    group.hosts = changed ? after : before;
    balancer = cluster.Create(balancer.get());
    benchmark::DoNotOptimize(balancer->NewSlotState(1));
  }
}
BENCHMARK_CAPTURE(ChangeOneHost, round_robin, LbPolicy::kRoundRobin)
    ->Arg(1000)
    ->Arg(100000)
    ->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(ChangeOneHost, least_request, LbPolicy::kLeastRequest)
    ->Arg(1000)
    ->Arg(100000)
    ->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(ChangeOneHost, ring_hash, LbPolicy::kRingHash)
    ->Arg(1000)
    ->Arg(100000)
    ->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(ChangeOneHost, maglev, LbPolicy::kMaglev)
    ->Arg(1000)
    ->Arg(100000)
    ->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace meshlib::lb

BENCHMARK_MAIN();
