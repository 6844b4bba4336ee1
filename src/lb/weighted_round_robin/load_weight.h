#ifndef MESHLIB_LB_WEIGHTED_ROUND_ROBIN_LOAD_WEIGHT_H_
#define MESHLIB_LB_WEIGHTED_ROUND_ROBIN_LOAD_WEIGHT_H_

#include <cstdint>

#include "meshlib/load_report.h"
#include "model/cluster.h"
#include "model/host.h"

namespace meshlib::lb {

// From load reports to weights, as gRFC A58 has it.

// The weight that a report is worth; 0: none. With a positive qps and a
// positive utilization it is
//   qps / (utilization + eps / qps * error_utilization_penalty)
// where the utilization is the application's, else the greatest of those that
// config.metric_names name (gRFC A114), else the CPU's.
double WeightOf(const LoadReport& report,
                const model::LoadReportWeights& config);

// Takes a report into `load`, unless it is worth nothing. Any thread; never
// locks or allocates. What does not change is not written, and the time not
// more than once a millisecond: threads that hear the same of one host do not
// fight for its cache line.
void RecordLoadReport(const LoadReport& report,
                      const model::LoadReportWeights& config, int64_t now_ns,
                      model::HostLoad& load);

// The weight that counts now; 0 if there is none: no report yet, the last one
// expired, or the host reports for less than the blackout period. That period
// begins anew with the first report after an expiration.
double UsableWeight(const model::HostLoad& load,
                    const model::LoadReportWeights& config, int64_t now_ns);

}  // namespace meshlib::lb

#endif  // MESHLIB_LB_WEIGHTED_ROUND_ROBIN_LOAD_WEIGHT_H_
