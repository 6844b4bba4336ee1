#include "resilience/circuit_breaker.h"

#include <algorithm>

#include "resilience/retry_budget.h"

namespace meshlib::resilience {
namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;

// One more, if that keeps the count at or below `max`.
bool AddBelow(std::atomic<uint32_t>& count, uint64_t max) {
  uint32_t current = count.load(kRelaxed);
  while (current < max) {
    if (count.compare_exchange_weak(current, current + 1, kRelaxed)) {
      return true;
    }
  }
  return false;
}

uint64_t Left(uint64_t max, uint64_t current) {
  return max > current ? max - current : 0;
}

Admission RefusalOf(Resource resource) {
  switch (resource) {
    case Resource::kConnections:
      return Admission::kMaxConnections;
    case Resource::kPendingRequests:
      return Admission::kMaxPendingRequests;
    case Resource::kRetries:
      return Admission::kMaxRetries;
    case Resource::kConnectionPools:
      return Admission::kMaxConnectionPools;
  }
  return Admission::kMaxConnections;
}

}  // namespace

const char* AdmissionName(Admission admission) {
  switch (admission) {
    case Admission::kAdmitted:
      return "admitted";
    case Admission::kMaxConnections:
      return "max_connections";
    case Admission::kMaxPendingRequests:
      return "max_pending_requests";
    case Admission::kMaxRequests:
      return "max_requests";
    case Admission::kMaxRetries:
      return "max_retries";
    case Admission::kMaxConnectionPools:
      return "max_connection_pools";
    case Admission::kRetryBudget:
      return "retry_budget";
    case Admission::kHostMaxConnections:
      return "per_host_thresholds.max_connections";
  }
  return "unknown";
}

CircuitBreaker::CircuitBreaker(uint32_t stripes)
    : stripes_(std::max(stripes, 1u)),
      cells_(new Cell[stripes_]),
      shared_(std::make_shared<SharedResources>()) {}

bool CircuitBreaker::TakeGranted(base::Stripe stripe, Count& count) {
  if (stripe.exclusive) {
    const int64_t active = count.active.load(kRelaxed);
    if (active >= count.granted.load(kRelaxed)) return false;
    count.active.store(active + 1, kRelaxed);
    return true;
  }
  int64_t active = count.active.load(kRelaxed);
  while (active < count.granted.load(kRelaxed)) {
    if (count.active.compare_exchange_weak(active, active + 1, kRelaxed)) {
      return true;
    }
  }
  return false;
}

Admission CircuitBreaker::AcquireSlow(base::Stripe stripe, size_t priority,
                                      uint32_t max) {
  Count& count = cells_[stripe.index].of[priority];
  if (limit_[priority].load(kRelaxed) != max && !Fit(priority, max)) {
    return Admission::kMaxRequests;
  }
  if (TakeGranted(stripe, count)) return Admission::kAdmitted;
  // On the shared stripe others may use up what this call was granted; then
  // it asks again. What was granted cannot run out otherwise, except to a
  // thief, so that a few rounds are enough.
  for (int round = 0; round < 4; ++round) {
    if (!Extend(stripe.index, priority, max) &&
        !Steal(stripe.index, priority)) {
      return Admission::kMaxRequests;
    }
    if (TakeGranted(stripe, count)) return Admission::kAdmitted;
  }
  return Admission::kMaxRequests;
}

// Grants the stripe what it lacks and a fair part of what nobody holds.
bool CircuitBreaker::Extend(size_t stripe, size_t priority, int64_t max) {
  std::atomic<int64_t>& total = total_granted_[priority];
  int64_t granted = total.load(kRelaxed);
  while (granted < max) {
    const int64_t free = max - granted;
    const int64_t part = std::max<int64_t>(1, free / (2 * int64_t{stripes_}));
    if (!total.compare_exchange_weak(granted, granted + part, kRelaxed)) {
      continue;
    }
    cells_[stripe].of[priority].granted.fetch_add(part, kRelaxed);
    return true;
  }
  // Another configuration granted more than this one allows, just now.
  if (granted > max) limit_[priority].store(kNoLimit, kRelaxed);
  return false;
}

// Moves what other stripes hold and do not use to this one: what it lacks,
// and half of the rest, so that the next requests need not ask again.
bool CircuitBreaker::Steal(size_t stripe, size_t priority) {
  Count& mine = cells_[stripe].of[priority];
  bool moved = false;
  for (size_t i = 1; i < stripes_; ++i) {
    Count& other = cells_[(stripe + i) % stripes_].of[priority];
    int64_t granted = other.granted.load(kRelaxed);
    int64_t unused = granted - other.active.load(kRelaxed);
    while (unused > 0) {
      const int64_t lack =
          mine.active.load(kRelaxed) - mine.granted.load(kRelaxed) + 1;
      const int64_t part = std::min(unused, std::max((unused + 1) / 2, lack));
      if (other.granted.compare_exchange_weak(granted, granted - part,
                                              kRelaxed)) {
        mine.granted.fetch_add(part, kRelaxed);
        moved = true;
        break;
      }
      unused = granted - other.active.load(kRelaxed);
    }
    if (moved && mine.active.load(kRelaxed) < mine.granted.load(kRelaxed)) {
      return true;
    }
  }
  return false;
}

// Makes `max` the limit that grants are held to: takes back what is not used
// until they add up to no more. False while requests are using more: then no
// limit is in force, and every request comes here until enough have ended.
bool CircuitBreaker::Fit(size_t priority, int64_t max) {
  std::atomic<int64_t>& total = total_granted_[priority];
  if (total.load(kRelaxed) > max) limit_[priority].store(kNoLimit, kRelaxed);
  for (size_t i = 0; i < stripes_ && total.load(kRelaxed) > max; ++i) {
    Count& count = cells_[i].of[priority];
    int64_t granted = count.granted.load(kRelaxed);
    int64_t unused = granted - count.active.load(kRelaxed);
    while (unused > 0) {
      const int64_t part = std::min(unused, total.load(kRelaxed) - max);
      if (part <= 0) break;
      if (count.granted.compare_exchange_weak(granted, granted - part,
                                              kRelaxed)) {
        total.fetch_sub(part, kRelaxed);
        break;
      }
      unused = granted - count.active.load(kRelaxed);
    }
  }
  if (total.load(kRelaxed) > max) return false;
  limit_[priority].store(max, kRelaxed);
  return true;
}

void CircuitBreaker::AcquireRequest(base::Stripe stripe,
                                    model::RoutingPriority priority) {
  const size_t index = Index(priority);
  Count& count = cells_[stripe.index].of[index];
  base::StripeAdd<int64_t>(stripe, count.active, 1);
  // With a grant beyond the limit, which Fit() takes back once it is unused.
  count.granted.fetch_add(1, kRelaxed);
  total_granted_[index].fetch_add(1, kRelaxed);
  limit_[index].store(kNoLimit, kRelaxed);
}

void CircuitBreaker::Rebalance(model::RoutingPriority priority,
                               uint32_t max_requests) {
  Fit(Index(priority), max_requests);
}

bool SharedResources::TryAcquire(Resource resource,
                                 model::RoutingPriority priority,
                                 uint32_t max) {
  return AddBelow(Count(resource, priority), max);
}

Admission CircuitBreaker::TryAcquire(Resource resource,
                                     model::RoutingPriority priority,
                                     uint32_t max) {
  return shared_->TryAcquire(resource, priority, max) ? Admission::kAdmitted
                                                      : RefusalOf(resource);
}

void CircuitBreaker::Release(Resource resource,
                             model::RoutingPriority priority) {
  shared_->Release(resource, priority);
}

uint64_t CircuitBreaker::RetryLimit(
    model::RoutingPriority priority,
    const model::CircuitBreakerThresholds& limits) const {
  if (!limits.retry_budget.has_value()) return limits.max_retries;
  return RetryBudgetLimit(*limits.retry_budget, ActiveRequests(priority),
                          Current(Resource::kPendingRequests, priority));
}

Admission CircuitBreaker::TryAcquireRetry(
    model::RoutingPriority priority,
    const model::CircuitBreakerThresholds& limits) {
  const auto limit = static_cast<uint32_t>(
      std::min<uint64_t>(RetryLimit(priority, limits), UINT32_MAX));
  if (shared_->TryAcquire(Resource::kRetries, priority, limit)) {
    return Admission::kAdmitted;
  }
  return limits.retry_budget.has_value() ? Admission::kRetryBudget
                                         : Admission::kMaxRetries;
}

uint64_t CircuitBreaker::ActiveRequests(model::RoutingPriority priority) const {
  int64_t sum = 0;
  for (size_t i = 0; i < stripes_; ++i) {
    sum += cells_[i].of[Index(priority)].active.load(kRelaxed);
  }
  // While stripes are being read, a request may end that was not yet seen.
  return static_cast<uint64_t>(std::max<int64_t>(sum, 0));
}

uint64_t CircuitBreaker::Current(Resource resource,
                                 model::RoutingPriority priority) const {
  return shared_->Current(resource, priority);
}

CircuitBreaker::Remaining CircuitBreaker::GetRemaining(
    model::RoutingPriority priority,
    const model::CircuitBreakerThresholds& limits) const {
  const auto left = [&](Resource resource, uint64_t max) {
    return Left(max, Current(resource, priority));
  };
  Remaining out;
  out.connections = left(Resource::kConnections, limits.max_connections);
  out.pending_requests =
      left(Resource::kPendingRequests, limits.max_pending_requests);
  out.requests = Left(limits.max_requests, ActiveRequests(priority));
  out.retries = limits.retry_budget.has_value()
                    ? 0
                    : left(Resource::kRetries, limits.max_retries);
  out.connection_pools =
      left(Resource::kConnectionPools, limits.max_connection_pools);
  return out;
}

CircuitBreaker::Open CircuitBreaker::GetOpen(
    model::RoutingPriority priority,
    const model::CircuitBreakerThresholds& limits) const {
  const auto open = [&](Resource resource, uint64_t max) {
    return Current(resource, priority) >= max;
  };
  Open out;
  out.connections = open(Resource::kConnections, limits.max_connections);
  out.pending_requests =
      open(Resource::kPendingRequests, limits.max_pending_requests);
  out.requests = ActiveRequests(priority) >= limits.max_requests;
  out.retries = open(Resource::kRetries, RetryLimit(priority, limits));
  out.connection_pools =
      open(Resource::kConnectionPools, limits.max_connection_pools);
  return out;
}

Admission TryAcquireHostConnection(model::HostState& state, uint32_t max) {
  return AddBelow(state.connections, max) ? Admission::kAdmitted
                                          : Admission::kHostMaxConnections;
}

void ReleaseHostConnection(model::HostState& state) {
  state.connections.fetch_sub(1, kRelaxed);
}

}  // namespace meshlib::resilience
