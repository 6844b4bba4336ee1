#include "lb/slow_start.h"

#include <algorithm>
#include <cmath>

#include "absl/time/time.h"

namespace meshlib::lb {

SlowStartRamp::SlowStartRamp(const model::SlowStart& config)
    : window_ms_(absl::ToInt64Milliseconds(config.window)),
      aggression_(config.aggression > 0 ? config.aggression : 1.0),
      minimum_(config.min_weight_percent / 100.0) {}

double SlowStartRamp::Factor(int64_t available_since_ns, int64_t now_ns) const {
  const int64_t elapsed_ms = ElapsedMs(available_since_ns, now_ns);
  if (elapsed_ms >= window_ms_) return 1.0;
  const double part = static_cast<double>(std::max<int64_t>(1, elapsed_ms)) /
                      static_cast<double>(window_ms_);
  const double ramp =
      aggression_ == 1.0 ? part : std::pow(part, 1.0 / aggression_);
  // A minimum of 0 percent must not make the weight vanish.
  return std::max({ramp, minimum_, 1e-9});
}

}  // namespace meshlib::lb
