#ifndef MESHLIB_MODEL_FAULT_H_
#define MESHLIB_MODEL_FAULT_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "model/route.h"

namespace meshlib::model {

struct FaultDelay {
  // Unset: the request's header says how long (x-envoy-fault-delay-request).
  std::optional<absl::Duration> fixed;  // whole milliseconds
  Fraction percentage;
};

struct FaultAbort {
  // Neither: the request's headers say it (x-envoy-fault-abort-request,
  // x-envoy-fault-abort-grpc-request).
  std::optional<uint32_t> http_status;
  std::optional<uint32_t> grpc_status;
  std::string response_body = "fault filter abort";
  Fraction percentage;
};

// envoy.extensions.filters.http.fault.v3.HTTPFault as plain values. Runtime
// keys (those of the percentages too) have Envoy's defaults where the
// configuration names none.
struct Fault {
  std::optional<FaultDelay> delay;
  std::optional<FaultAbort> abort;
  std::string upstream_cluster;  // empty: any
  std::vector<HeaderMatcher> headers;
  std::vector<std::string> downstream_nodes;  // empty: any
  std::optional<uint32_t> max_active_faults;
  std::string delay_duration_runtime = "fault.http.delay.fixed_duration_ms";
  std::string abort_http_status_runtime = "fault.http.abort.http_status";
  std::string abort_grpc_status_runtime = "fault.http.abort.grpc_status";
  std::string max_active_faults_runtime = "fault.http.max_active_faults";
};

// A fault filter in the chain of a connection manager.
struct FaultFilter {
  std::string name;       // what typed_per_filter_config calls it
  bool disabled = false;  // but where that enables it
  std::shared_ptr<const Fault> fault;
};

}  // namespace meshlib::model

#endif  // MESHLIB_MODEL_FAULT_H_
