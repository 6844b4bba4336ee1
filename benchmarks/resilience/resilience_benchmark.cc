#include <benchmark/benchmark.h>

#include <cstdint>

#include "base/stripe.h"
#include "meshlib/outcome.h"
#include "meshlib/request.h"
#include "model/cluster.h"
#include "model/host.h"
#include "model/route.h"
#include "resilience/circuit_breaker.h"
#include "resilience/connect_backoff.h"
#include "resilience/outlier_result.h"
#include "resilience/retry.h"

namespace meshlib::resilience {
namespace {

constexpr auto kDefault = model::RoutingPriority::kDefault;

// One breaker for all threads of a benchmark, each on its own stripe.
CircuitBreaker* SharedBreaker() {
  static auto* const breaker = new CircuitBreaker(17);
  return breaker;
}

void BM_AcquireReleaseRequest(benchmark::State& state) {
  CircuitBreaker* const breaker = SharedBreaker();
  const base::Stripe stripe{static_cast<uint32_t>(state.thread_index()), true};
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        breaker->TryAcquireRequest(stripe, kDefault, 1024));
    breaker->ReleaseRequest(stripe, kDefault);
  }
}
BENCHMARK(BM_AcquireReleaseRequest)->Threads(1)->Threads(2)->UseRealTime();

// The stripe that threads without their own share.
void BM_AcquireReleaseRequestOnSharedStripe(benchmark::State& state) {
  CircuitBreaker* const breaker = SharedBreaker();
  const base::Stripe stripe{16, false};
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        breaker->TryAcquireRequest(stripe, kDefault, 1024));
    breaker->ReleaseRequest(stripe, kDefault);
  }
}
BENCHMARK(BM_AcquireReleaseRequestOnSharedStripe)
    ->Threads(1)
    ->Threads(2)
    ->UseRealTime();

// Two threads under a limit that one of them could use up: the slow path.
void BM_AcquireReleaseRequestAtTheLimit(benchmark::State& state) {
  static auto* const breaker = new CircuitBreaker(17);
  const base::Stripe stripe{static_cast<uint32_t>(state.thread_index()), true};
  for (auto _ : state) {
    if (breaker->TryAcquireRequest(stripe, kDefault, 1) ==
        Admission::kAdmitted) {
      breaker->ReleaseRequest(stripe, kDefault);
    }
  }
}
BENCHMARK(BM_AcquireReleaseRequestAtTheLimit)
    ->Threads(1)
    ->Threads(2)
    ->UseRealTime();

void BM_RecordResultSuccess(benchmark::State& state) {
  static auto* const host = new model::HostState;
  const model::OutlierDetection config;
  const Outcome outcome = Outcome::Ok();
  for (auto _ : state) {
    // As a bool: storing the struct's three bytes and reading them back as one
    // word would cost more than what is measured.
    const bool reached{
        RecordResult(config, *host, ClassifyOutcome(outcome, false))};
    benchmark::DoNotOptimize(reached);
  }
}
BENCHMARK(BM_RecordResultSuccess)->Threads(1)->Threads(2)->UseRealTime();

void BM_DecideOnSuccess(benchmark::State& state) {
  model::RetryPolicy config;
  config.retry_on = ParseRetryOn("5xx,connect-failure,unavailable").bits;
  const CompiledRetryPolicy policy(config);
  base::Random random(1);
  const Outcome outcome = Outcome::Ok();
  const Request request;
  const absl::Time now = absl::FromUnixSeconds(1000);
  for (auto _ : state) {
    RetryState retry = policy.Start(request);
    benchmark::DoNotOptimize(
        policy.Decide(outcome, retry, random, now, absl::InfiniteFuture()));
  }
}
BENCHMARK(BM_DecideOnSuccess);

void BM_InConnectBackoff(benchmark::State& state) {
  model::HostState host;
  int64_t now = 1;
  for (auto _ : state) {
    benchmark::DoNotOptimize(InConnectBackoff(host, ++now));
  }
}
BENCHMARK(BM_InConnectBackoff);

}  // namespace
}  // namespace meshlib::resilience

BENCHMARK_MAIN();
