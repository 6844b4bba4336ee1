#ifndef MESHLIB_RESILIENCE_RETRY_BUDGET_H_
#define MESHLIB_RESILIENCE_RETRY_BUDGET_H_

#include <algorithm>
#include <cstdint>

#include "model/cluster.h"

namespace meshlib::resilience {

// How many retries may be outstanding at once under a retry budget: a share
// of the requests that are active or pending now, truncated, but at least
// min_retry_concurrency (Envoy's CircuitBreakers.Thresholds.RetryBudget).
inline uint64_t RetryBudgetLimit(const model::RetryBudget& budget,
                                 uint64_t active, uint64_t pending) {
  const double share =
      budget.budget_percent / 100.0 * static_cast<double>(active + pending);
  const uint64_t limit = share > 0 ? static_cast<uint64_t>(share) : 0;
  return std::max<uint64_t>(limit, budget.min_retry_concurrency);
}

}  // namespace meshlib::resilience

#endif  // MESHLIB_RESILIENCE_RETRY_BUDGET_H_
