#ifndef MESHLIB_LB_SLOW_START_H_
#define MESHLIB_LB_SLOW_START_H_

#include <cstdint>

#include "model/cluster.h"

namespace meshlib::lb {

// Envoy's slow start: for `window` after a host became available its weight
// counts only
//   max((elapsed / window)^(1 / aggression), min_weight_percent / 100)
// of what it is, elapsed in whole milliseconds and at least one. A value,
// thread-safe.
class SlowStartRamp {
 public:
  SlowStartRamp() = default;  // off
  explicit SlowStartRamp(const model::SlowStart& config);

  bool enabled() const { return window_ms_ > 0; }

  // Whether a host that is available since then is in slow start now.
  bool Covers(int64_t available_since_ns, int64_t now_ns) const {
    return enabled() && ElapsedMs(available_since_ns, now_ns) < window_ms_;
  }

  // What to multiply the host's weight with; 1 after the window.
  double Factor(int64_t available_since_ns, int64_t now_ns) const;

 private:
  static int64_t ElapsedMs(int64_t since_ns, int64_t now_ns) {
    return (now_ns - since_ns) / 1000000;
  }

  int64_t window_ms_ = 0;
  double aggression_ = 1.0;
  double minimum_ = 0.1;
};

}  // namespace meshlib::lb

#endif  // MESHLIB_LB_SLOW_START_H_
