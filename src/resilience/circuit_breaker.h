#ifndef MESHLIB_RESILIENCE_CIRCUIT_BREAKER_H_
#define MESHLIB_RESILIENCE_CIRCUIT_BREAKER_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>

#include "base/stripe.h"
#include "model/cluster.h"
#include "model/host.h"

namespace meshlib::resilience {

// What a breaker counts besides active requests.
enum class Resource : uint8_t {
  kConnections,
  kPendingRequests,
  kRetries,
  kConnectionPools,
};
inline constexpr size_t kResources = 4;

// The answer of a breaker: admitted, or which limit refused.
enum class Admission : uint8_t {
  kAdmitted,
  kMaxConnections,
  kMaxPendingRequests,
  kMaxRequests,
  kMaxRetries,
  kMaxConnectionPools,
  kRetryBudget,
  kHostMaxConnections,
};
const char* AdmissionName(Admission admission);  // "max_requests"

// Exact counts of the rare resources of one cluster, by routing priority.
// Shared with what outlives the cluster: connections that are being closed.
// Thread-safe.
class SharedResources {
 public:
  // False: as many as `max` are in use already.
  bool TryAcquire(Resource resource, model::RoutingPriority priority,
                  uint32_t max);
  // Whatever the limit is.
  void Acquire(Resource resource, model::RoutingPriority priority) {
    Count(resource, priority).fetch_add(1, std::memory_order_relaxed);
  }
  void Release(Resource resource, model::RoutingPriority priority) {
    Count(resource, priority).fetch_sub(1, std::memory_order_relaxed);
  }
  uint32_t Current(Resource resource, model::RoutingPriority priority) const {
    return counts_[static_cast<size_t>(priority)][static_cast<size_t>(resource)]
        .load(std::memory_order_relaxed);
  }

 private:
  std::atomic<uint32_t>& Count(Resource resource,
                               model::RoutingPriority priority) {
    return counts_[static_cast<size_t>(priority)]
                  [static_cast<size_t>(resource)];
  }

  std::array<std::array<std::atomic<uint32_t>, kResources>, 2> counts_{};
};

// The circuit breakers of one cluster (Envoy's Circuit breaking: `current <
// max` admits), for both routing priorities. The limits come with each call,
// so that a configuration may change them while requests run; the counts
// stay.
//
// Active requests, which every request touches, are counted in stripes. A
// stripe holds a grant, a part of max_requests that it may use up without
// looking at the others; what it may use and what it uses are in one cache
// line of its own. A stripe whose grant is used up asks for more: from what
// was never granted, else from what others hold and do not use. The grants
// add up to max_requests, so a request is refused exactly when all of it is
// in use:
//  - requests that come one at a time are admitted exactly;
//  - threads that race can overshoot by at most one each while it is being
//    taken from them; the next requests pay that back;
//  - nothing is refused lastingly while requests are below the limit.
// A request may end on another stripe than it began: its part of the grant
// moves along.
//
// Thread-safe, without locks. The stripe of a call must be the caller's own
// (see base::Stripe).
class CircuitBreaker {
 public:
  // Stripe indices are below `stripes`.
  explicit CircuitBreaker(uint32_t stripes);
  CircuitBreaker(const CircuitBreaker&) = delete;
  CircuitBreaker& operator=(const CircuitBreaker&) = delete;

  // kAdmitted or kMaxRequests. Each admission needs one ReleaseRequest.
  Admission TryAcquireRequest(base::Stripe stripe,
                              model::RoutingPriority priority,
                              uint32_t max_requests) {
    Count& count = cells_[stripe.index].of[Index(priority)];
    if (stripe.exclusive && limit_[Index(priority)].load(
                                std::memory_order_relaxed) == max_requests) {
      const int64_t active = count.active.load(std::memory_order_relaxed);
      if (active < count.granted.load(std::memory_order_relaxed)) {
        count.active.store(active + 1, std::memory_order_relaxed);
        return Admission::kAdmitted;
      }
    }
    return AcquireSlow(stripe, Index(priority), max_requests);
  }
  // The same for what no limit refuses: after TryAcquireRequest() did. It
  // counts, so that others are refused until enough have ended.
  void AcquireRequest(base::Stripe stripe, model::RoutingPriority priority);
  void ReleaseRequest(base::Stripe stripe, model::RoutingPriority priority) {
    base::StripeAdd<int64_t>(
        stripe, cells_[stripe.index].of[Index(priority)].active, -1);
  }

  // For the rare resources: exact. Each admission needs one Release.
  Admission TryAcquire(Resource resource, model::RoutingPriority priority,
                       uint32_t max);
  void Release(Resource resource, model::RoutingPriority priority);

  // What TryAcquire() counts in. Never null.
  const std::shared_ptr<SharedResources>& shared_resources() const {
    return shared_;
  }

  // A retry, under the retry budget where there is one, else under
  // max_retries. It counts (Release(Resource::kRetries)) until the attempt
  // that it led to has ended, as in Envoy.
  Admission TryAcquireRetry(model::RoutingPriority priority,
                            const model::CircuitBreakerThresholds& limits);

  // Sums at this moment; never negative. For statistics and budgets.
  uint64_t ActiveRequests(model::RoutingPriority priority) const;
  uint64_t ActiveRequests() const {  // of both priorities
    return ActiveRequests(model::RoutingPriority::kDefault) +
           ActiveRequests(model::RoutingPriority::kHigh);
  }
  uint64_t Current(Resource resource, model::RoutingPriority priority) const;

  // What track_remaining reports. Retries under a budget report 0, as Envoy.
  struct Remaining {
    uint64_t connections = 0;
    uint64_t pending_requests = 0;
    uint64_t requests = 0;
    uint64_t retries = 0;
    uint64_t connection_pools = 0;
  };
  Remaining GetRemaining(model::RoutingPriority priority,
                         const model::CircuitBreakerThresholds& limits) const;

  // Whether the next one of a kind would be refused (Envoy's cx_open,
  // rq_pending_open, rq_open, rq_retry_open, cx_pool_open).
  struct Open {
    bool connections = false;
    bool pending_requests = false;
    bool requests = false;
    bool retries = false;
    bool connection_pools = false;
  };
  Open GetOpen(model::RoutingPriority priority,
               const model::CircuitBreakerThresholds& limits) const;

  // Takes back grants beyond `max_requests` after it was lowered. Requests
  // do the same on their way; this makes it certain. Any thread.
  void Rebalance(model::RoutingPriority priority, uint32_t max_requests);

 private:
  // One stripe's part for one routing priority. active <= granted, but for
  // the races above. Either may be negative: requests end where they did not
  // begin.
  struct Count {
    std::atomic<int64_t> active{0};
    std::atomic<int64_t> granted{0};
  };
  struct alignas(64) Cell {
    std::array<Count, 2> of;
  };

  static size_t Index(model::RoutingPriority priority) {
    return static_cast<size_t>(priority);
  }

  Admission AcquireSlow(base::Stripe stripe, size_t priority, uint32_t max);
  bool TakeGranted(base::Stripe stripe, Count& count);
  bool Extend(size_t stripe, size_t priority, int64_t max);
  bool Steal(size_t stripe, size_t priority);
  bool Fit(size_t priority, int64_t max);
  uint64_t RetryLimit(model::RoutingPriority priority,
                      const model::CircuitBreakerThresholds& limits) const;

  const uint32_t stripes_;
  const std::unique_ptr<Cell[]> cells_;
  // The max_requests, by priority, that the grants add up to at most. Read by
  // every request, so it lies with what never changes.
  static constexpr int64_t kNoLimit = -1;
  std::array<std::atomic<int64_t>, 2> limit_{kNoLimit, kNoLimit};
  // The sum of all grants, by priority; what Extend and Shrink agree on.
  alignas(64) std::array<std::atomic<int64_t>, 2> total_granted_{};
  const std::shared_ptr<SharedResources> shared_;
};

// Per-host max_connections, counted in the host itself; exact.
Admission TryAcquireHostConnection(model::HostState& state, uint32_t max);
void ReleaseHostConnection(model::HostState& state);

}  // namespace meshlib::resilience

#endif  // MESHLIB_RESILIENCE_CIRCUIT_BREAKER_H_
