#include "resilience/circuit_breaker.h"

#include <algorithm>
#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "base/random.h"
#include "gtest/gtest.h"
#include "resilience/retry_budget.h"

namespace meshlib::resilience {
namespace {

using base::Stripe;
using model::RoutingPriority;

constexpr auto kDefault = RoutingPriority::kDefault;
constexpr auto kHigh = RoutingPriority::kHigh;

bool Acquire(CircuitBreaker& breaker, Stripe stripe, uint32_t max,
             RoutingPriority priority = kDefault) {
  return breaker.TryAcquireRequest(stripe, priority, max) ==
         Admission::kAdmitted;
}

// How many more would be admitted; gives them back.
uint32_t Headroom(CircuitBreaker& breaker, Stripe stripe, uint32_t max) {
  uint32_t count = 0;
  while (count < 100000 && Acquire(breaker, stripe, max)) ++count;
  for (uint32_t i = 0; i < count; ++i) {
    breaker.ReleaseRequest(stripe, kDefault);
  }
  return count;
}

TEST(CircuitBreaker, RefusesExactlyTheRequestBeyondTheLimit) {
  for (const bool exclusive : {true, false}) {
    for (const uint32_t max : {1u, 5u, 64u, 1000u}) {
      CircuitBreaker breaker(17);
      const Stripe stripe{3, exclusive};
      for (uint32_t i = 0; i < max; ++i) {
        ASSERT_TRUE(Acquire(breaker, stripe, max)) << i << " of " << max;
      }
      EXPECT_EQ(breaker.TryAcquireRequest(stripe, kDefault, max),
                Admission::kMaxRequests);
      EXPECT_EQ(breaker.ActiveRequests(kDefault), max);
      breaker.ReleaseRequest(stripe, kDefault);
      EXPECT_TRUE(Acquire(breaker, stripe, max));
      EXPECT_FALSE(Acquire(breaker, stripe, max));
    }
  }
}

TEST(CircuitBreaker, WhatNoLimitRefusesKeepsOthersOutUntilItEnds) {
  for (const bool exclusive : {true, false}) {
    CircuitBreaker breaker(17);
    const Stripe here{3, exclusive}, there{4, exclusive};
    EXPECT_TRUE(Acquire(breaker, there, 2));
    EXPECT_TRUE(Acquire(breaker, here, 2));
    for (int i = 0; i < 3; ++i) {
      ASSERT_FALSE(Acquire(breaker, here, 2));
      breaker.AcquireRequest(here, kDefault);
    }
    EXPECT_EQ(breaker.ActiveRequests(kDefault), 5u);
    // However many end, and where: only what is below the limit is admitted.
    breaker.ReleaseRequest(there, kDefault);
    breaker.ReleaseRequest(there, kDefault);
    breaker.ReleaseRequest(here, kDefault);
    EXPECT_FALSE(Acquire(breaker, there, 2));
    EXPECT_FALSE(Acquire(breaker, here, 2));
    breaker.ReleaseRequest(here, kDefault);
    EXPECT_EQ(Headroom(breaker, there, 2), 1u);
    breaker.ReleaseRequest(here, kDefault);
    EXPECT_EQ(breaker.ActiveRequests(kDefault), 0u);
    EXPECT_EQ(Headroom(breaker, here, 2), 2u);
  }
}

TEST(CircuitBreaker, ALimitOfZeroAdmitsNothing) {
  CircuitBreaker breaker(2);
  EXPECT_FALSE(Acquire(breaker, Stripe{0, true}, 0));
  EXPECT_FALSE(Acquire(breaker, Stripe{1, false}, 0));
}

TEST(CircuitBreaker, TheLargestLimitDoesNotOverflow) {
  CircuitBreaker breaker(3);
  for (uint32_t i = 0; i < 1000; ++i) {
    ASSERT_TRUE(Acquire(breaker, Stripe{i % 3, true}, UINT32_MAX));
  }
  EXPECT_EQ(breaker.ActiveRequests(kDefault), 1000u);
}

TEST(CircuitBreaker, PrioritiesDoNotShareALimit) {
  CircuitBreaker breaker(2);
  const Stripe stripe{0, true};
  EXPECT_TRUE(Acquire(breaker, stripe, 1, kDefault));
  EXPECT_FALSE(Acquire(breaker, stripe, 1, kDefault));
  EXPECT_TRUE(Acquire(breaker, stripe, 1, kHigh));
  EXPECT_FALSE(Acquire(breaker, stripe, 1, kHigh));
}

TEST(CircuitBreaker, TheLimitHoldsForAllStripesTogether) {
  CircuitBreaker breaker(4);
  uint32_t admitted = 0;
  for (uint32_t i = 0; i < 400; ++i) {
    admitted += Acquire(breaker, Stripe{i % 4, true}, 101) ? 1 : 0;
  }
  EXPECT_EQ(admitted, 101u);
}

TEST(CircuitBreaker, WhatOneStripeHoldsUnusedAnotherCanUse) {
  CircuitBreaker breaker(4);
  const Stripe hoarder{0, true};
  EXPECT_EQ(Headroom(breaker, hoarder, 100), 100u);
  EXPECT_EQ(Headroom(breaker, Stripe{1, true}, 100), 100u);
  EXPECT_EQ(Headroom(breaker, Stripe{3, false}, 100), 100u);
  EXPECT_EQ(Headroom(breaker, hoarder, 100), 100u);
}

TEST(CircuitBreaker, RequestsMayEndOnAnotherStripe) {
  CircuitBreaker breaker(3);
  for (int round = 0; round < 1000; ++round) {
    for (int i = 0; i < 5; ++i) {
      ASSERT_TRUE(Acquire(breaker, Stripe{0, true}, 5)) << round;
    }
    ASSERT_FALSE(Acquire(breaker, Stripe{0, true}, 5));
    ASSERT_FALSE(Acquire(breaker, Stripe{1, true}, 5));
    for (int i = 0; i < 5; ++i) {
      breaker.ReleaseRequest(Stripe{1, true}, kDefault);
    }
    ASSERT_EQ(breaker.ActiveRequests(kDefault), 0u);
  }
}

TEST(CircuitBreaker, ALoweredLimitHoldsAtOnceAndARaisedOneToo) {
  CircuitBreaker breaker(4);
  const Stripe a{0, true};
  const Stripe b{1, true};
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(Acquire(breaker, a, 10));
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(Acquire(breaker, b, 10));
  EXPECT_FALSE(Acquire(breaker, a, 5));
  for (int i = 0; i < 5; ++i) breaker.ReleaseRequest(b, kDefault);
  EXPECT_FALSE(Acquire(breaker, a, 5));
  EXPECT_FALSE(Acquire(breaker, b, 5));
  breaker.ReleaseRequest(a, kDefault);
  EXPECT_TRUE(Acquire(breaker, a, 5));
  EXPECT_FALSE(Acquire(breaker, b, 5));
  EXPECT_TRUE(Acquire(breaker, b, 6));
  EXPECT_FALSE(Acquire(breaker, a, 6));
}

TEST(CircuitBreaker, RebalanceTakesBackWhatALoweredLimitForbids) {
  CircuitBreaker breaker(4);
  EXPECT_EQ(Headroom(breaker, Stripe{0, true}, 100), 100u);
  breaker.Rebalance(kDefault, 10);
  EXPECT_EQ(Headroom(breaker, Stripe{0, true}, 10), 10u);
  EXPECT_EQ(Headroom(breaker, Stripe{1, true}, 10), 10u);
}

// Any order of acquires and releases by one thread on any stripes behaves as
// one plain counter.
TEST(CircuitBreaker, OneAtATimeIsAPlainCounterWhateverTheStripes) {
  base::Random random(5);
  for (const uint32_t stripes : {1u, 2u, 5u, 17u}) {
    CircuitBreaker breaker(stripes);
    int64_t active = 0;
    uint32_t max = 7;
    for (int i = 0; i < 50000; ++i) {
      const Stripe stripe{static_cast<uint32_t>(random.Next() % stripes),
                          random.Next() % 4 != 0};
      if (random.Next() % 1000 == 0) {
        max = static_cast<uint32_t>(random.Next() % 40);
      }
      if (random.Next() % 2 == 0) {
        const bool want = active < max;
        ASSERT_EQ(Acquire(breaker, stripe, max), want)
            << "step " << i << ", " << active << " of " << max;
        active += want ? 1 : 0;
      } else if (active > 0) {
        breaker.ReleaseRequest(stripe, kDefault);
        --active;
      }
      ASSERT_EQ(breaker.ActiveRequests(kDefault),
                static_cast<uint64_t>(active));
    }
  }
}

void Stress(bool cross_release) {
  constexpr int kThreads = 4;
  constexpr uint32_t kMax = 6;
  CircuitBreaker breaker(kThreads + 1);
  std::atomic<int> in_flight{0};
  std::atomic<int> most{0};
  std::atomic<uint64_t> admitted{0};
  const auto work = [&](int id) {
    // Two threads share the last stripe.
    const Stripe stripe = id < kThreads - 2
                              ? Stripe{static_cast<uint32_t>(id), true}
                              : Stripe{kThreads, false};
    base::Random random(static_cast<uint64_t>(id));
    int held = 0;
    for (int i = 0; i < 20000; ++i) {
      if (random.Next() % 2 == 0) {
        if (!Acquire(breaker, stripe, kMax)) continue;
        ++held;
        admitted.fetch_add(1);
        const int now = in_flight.fetch_add(1) + 1;
        int seen = most.load();
        while (seen < now && !most.compare_exchange_weak(seen, now)) {
        }
      } else if (held > 0) {
        --held;
        in_flight.fetch_sub(1);
        breaker.ReleaseRequest(cross_release ? Stripe{kThreads, false} : stripe,
                               kDefault);
      }
    }
    for (; held > 0; --held) {
      in_flight.fetch_sub(1);
      breaker.ReleaseRequest(stripe, kDefault);
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) threads.emplace_back(work, i);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(breaker.ActiveRequests(kDefault), 0u);
  EXPECT_LE(most.load(), static_cast<int>(kMax) + kThreads);
  EXPECT_GT(admitted.load(), 1000u);
  // And nothing was lost.
  EXPECT_EQ(Headroom(breaker, Stripe{kThreads - 1, true}, kMax), kMax);
}

TEST(CircuitBreaker, RacingThreadsOvershootBoundedlyAndLoseNothing) {
  Stress(false);
}

TEST(CircuitBreaker, RacingThreadsThatEndEachOthersRequestsLoseNothing) {
  Stress(true);
}

TEST(CircuitBreaker, EveryRareResourceIsCountedExactly) {
  struct Case {
    Resource resource;
    Admission refusal;
  } const kCases[] = {
      {Resource::kConnections, Admission::kMaxConnections},
      {Resource::kPendingRequests, Admission::kMaxPendingRequests},
      {Resource::kRetries, Admission::kMaxRetries},
      {Resource::kConnectionPools, Admission::kMaxConnectionPools},
  };
  for (const Case& c : kCases) {
    CircuitBreaker breaker(1);
    EXPECT_EQ(breaker.TryAcquire(c.resource, kDefault, 2),
              Admission::kAdmitted);
    EXPECT_EQ(breaker.TryAcquire(c.resource, kDefault, 2),
              Admission::kAdmitted);
    EXPECT_EQ(breaker.TryAcquire(c.resource, kDefault, 2), c.refusal);
    EXPECT_EQ(breaker.TryAcquire(c.resource, kHigh, 1), Admission::kAdmitted);
    EXPECT_EQ(breaker.Current(c.resource, kDefault), 2u);
    breaker.Release(c.resource, kDefault);
    EXPECT_EQ(breaker.TryAcquire(c.resource, kDefault, 2),
              Admission::kAdmitted);
    EXPECT_EQ(breaker.TryAcquire(c.resource, kDefault, 0), c.refusal);
  }
}

TEST(CircuitBreaker, HostConnectionsAreCountedInTheHost) {
  model::HostState state;
  EXPECT_EQ(TryAcquireHostConnection(state, 1), Admission::kAdmitted);
  EXPECT_EQ(TryAcquireHostConnection(state, 1), Admission::kHostMaxConnections);
  ReleaseHostConnection(state);
  EXPECT_EQ(TryAcquireHostConnection(state, 1), Admission::kAdmitted);
}

TEST(CircuitBreaker, ReportsWhatRemainsAndWhatIsOpen) {
  CircuitBreaker breaker(2);
  model::CircuitBreakerThresholds limits;
  limits.max_connections = 3;
  limits.max_pending_requests = 1;
  limits.max_requests = 2;
  limits.max_retries = 1;
  limits.max_connection_pools = 5;
  EXPECT_FALSE(breaker.GetOpen(kDefault, limits).requests);
  breaker.TryAcquire(Resource::kConnections, kDefault, 3);
  breaker.TryAcquire(Resource::kPendingRequests, kDefault, 1);
  Acquire(breaker, Stripe{0, true}, 2);
  Acquire(breaker, Stripe{1, true}, 2);
  breaker.TryAcquireRetry(kDefault, limits);
  const auto remaining = breaker.GetRemaining(kDefault, limits);
  EXPECT_EQ(remaining.connections, 2u);
  EXPECT_EQ(remaining.pending_requests, 0u);
  EXPECT_EQ(remaining.requests, 0u);
  EXPECT_EQ(remaining.retries, 0u);
  EXPECT_EQ(remaining.connection_pools, 5u);
  const auto open = breaker.GetOpen(kDefault, limits);
  EXPECT_FALSE(open.connections);
  EXPECT_TRUE(open.pending_requests);
  EXPECT_TRUE(open.requests);
  EXPECT_TRUE(open.retries);
  EXPECT_FALSE(open.connection_pools);
  EXPECT_FALSE(breaker.GetOpen(kHigh, limits).requests);
}

TEST(CircuitBreaker, NamesTheLimitThatRefused) {
  EXPECT_STREQ(AdmissionName(Admission::kMaxRequests), "max_requests");
  EXPECT_STREQ(AdmissionName(Admission::kRetryBudget), "retry_budget");
}

TEST(RetryBudget, IsAShareOfTheRequestsButAtLeastTheMinimum) {
  struct Case {
    double percent;
    uint32_t minimum;
    uint64_t active;
    uint64_t pending;
    uint64_t want;
  } const kCases[] = {
      {20, 3, 0, 0, 3},      {20, 3, 15, 0, 3},   {20, 3, 19, 0, 3},
      {20, 3, 20, 0, 4},     {20, 3, 10, 14, 4},  {20, 3, 1000, 0, 200},
      {100, 0, 7, 0, 7},     {0, 0, 100, 100, 0}, {50, 1, 3, 0, 1},
      {12.5, 0, 100, 0, 12}, {20, 0, 4, 0, 0},
  };
  for (const Case& c : kCases) {
    const model::RetryBudget budget{c.percent, c.minimum};
    EXPECT_EQ(RetryBudgetLimit(budget, c.active, c.pending), c.want)
        << c.percent << "% of " << c.active << "+" << c.pending;
  }
}

TEST(RetryBudget, ReplacesMaxRetries) {
  CircuitBreaker breaker(2);
  model::CircuitBreakerThresholds limits;
  limits.max_retries = 0;
  limits.retry_budget = model::RetryBudget{50, 1};
  const Stripe stripe{0, true};
  EXPECT_EQ(breaker.TryAcquireRetry(kDefault, limits), Admission::kAdmitted);
  EXPECT_EQ(breaker.TryAcquireRetry(kDefault, limits), Admission::kRetryBudget);
  for (int i = 0; i < 4; ++i) Acquire(breaker, stripe, 100);
  EXPECT_EQ(breaker.TryAcquireRetry(kDefault, limits), Admission::kAdmitted);
  EXPECT_EQ(breaker.TryAcquireRetry(kDefault, limits), Admission::kRetryBudget);
  limits.retry_budget.reset();
  EXPECT_EQ(breaker.TryAcquireRetry(kDefault, limits), Admission::kMaxRetries);
}

}  // namespace
}  // namespace meshlib::resilience
