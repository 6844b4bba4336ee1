#ifndef MESHLIB_LOAD_REPORT_H_
#define MESHLIB_LOAD_REPORT_H_

#include <string_view>

#include "absl/types/span.h"

namespace meshlib {

// What a host said about its load along with an answer: the part of ORCA's
// OrcaLoadReport (xds.data.orca.v3) that load balancing reads. A view,
// copyable. Numbers that make no sense (negative, NaN) count as absent.
struct LoadReport {
  struct Metric {
    std::string_view name;
    double value = 0;
  };

  double application_utilization = 0;  // 1: as busy as it should get
  double cpu_utilization = 0;
  double mem_utilization = 0;
  double qps = 0;  // ORCA's rps_fractional
  double eps = 0;  // of these per second, how many fail
  // ORCA's maps, by the names under which a policy asks for them: MAP.KEY,
  // for example "named_metrics.queue" or "utilization.disk".
  absl::Span<const Metric> named_metrics;
};

}  // namespace meshlib

#endif  // MESHLIB_LOAD_REPORT_H_
