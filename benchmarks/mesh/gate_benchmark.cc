// What it costs each pick to know that its process was not forked.
#include "benchmark/benchmark.h"
#include "mesh/gate.h"

namespace meshlib::mesh {
namespace {

void Nothing(benchmark::State& state) {
  const Gate gate;
  const Gate* looked_at = &gate;
  for (auto _ : state) benchmark::DoNotOptimize(looked_at);
}
BENCHMARK(Nothing);

void GateState(benchmark::State& state) {
  const Gate gate;
  const Gate* looked_at = &gate;
  for (auto _ : state) {
    benchmark::DoNotOptimize(looked_at);
    if (looked_at->state() != Gate::kOpen) state.SkipWithError("closed");
  }
}
BENCHMARK(GateState);

}  // namespace
}  // namespace meshlib::mesh
