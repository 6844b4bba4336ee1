#ifndef MESHLIB_RESILIENCE_OUTLIER_RESULT_H_
#define MESHLIB_RESILIENCE_OUTLIER_RESULT_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "meshlib/outcome.h"
#include "model/cluster.h"
#include "model/host.h"

namespace meshlib::resilience {

// The request thread's part of outlier detection: what an attempt says about
// its host, and the runs of failures in model::HostState.

// Envoy's ejection types, in its order.
enum class OutlierType : uint8_t {
  kConsecutive5xx,
  kConsecutiveGatewayFailure,
  kSuccessRate,
  kConsecutiveLocalOriginFailure,
  kSuccessRateLocalOrigin,
  kFailurePercentage,
  kFailurePercentageLocalOrigin,
};
inline constexpr size_t kOutlierTypes = 7;
const char* OutlierTypeName(OutlierType type);  // "CONSECUTIVE_5XX"

// What one attempt counts as. `response` comes before `failure`: a host that
// answered and then broke off counts as both, as in Envoy.
struct HostResult {
  enum class External : uint8_t { kNone, kSuccess, k5xx, kGatewayFailure };
  enum class Local : uint8_t { kNone, kSuccess, kFailure };

  External response = External::kNone;
  External failure = External::kNone;  // without split: the local origin's
  Local connect = Local::kNone;        // split only
  Local end = Local::kNone;            // split only

  // What to add to the host's statistics of this interval.
  uint32_t total() const {
    return uint32_t{response != External::kNone} +
           uint32_t{failure != External::kNone};
  }
  uint32_t failed() const {
    return uint32_t{IsFailure(response)} + uint32_t{IsFailure(failure)};
  }
  uint32_t local_total() const {
    return uint32_t{connect != Local::kNone} + uint32_t{end != Local::kNone};
  }
  uint32_t local_failed() const {
    return uint32_t{connect == Local::kFailure} +
           uint32_t{end == Local::kFailure};
  }

  static bool IsFailure(External result) {
    return result == External::k5xx || result == External::kGatewayFailure;
  }
};

// How Envoy's router reports an attempt (Outlier detection: "Local origin
// and external errors").
//  - A response counts by its HTTP status; with a gRPC status in its headers
//    by the HTTP status that this maps to (UNAVAILABLE 503,
//    DEADLINE_EXCEEDED 504, INTERNAL and UNKNOWN 500, ...). A gRPC status in
//    trailers does not count.
//  - What failed on this side is, without split_external_local_origin_errors,
//    a 503, and a timeout a 504. With it, it is a failure of local origin,
//    and a connection that was made a success of local origin.
//  - kOverflow and kCancelled say nothing.
inline HostResult ClassifyOutcome(const Outcome& outcome, bool split);

// The HTTP status that Envoy takes a gRPC status code for.
int HttpStatusOfGrpc(int grpc_status);

// Which consecutive_... thresholds a result reached just now.
struct Thresholds {
  bool gateway_failure = false;
  bool consecutive_5xx = false;
  bool local_origin_failure = false;

  explicit operator bool() const { return bits() != 0; }

  // For HostState::reached.
  uint32_t bits() const {
    return uint32_t{gateway_failure} | uint32_t{consecutive_5xx} << 1 |
           uint32_t{local_origin_failure} << 2;
  }
  static Thresholds FromBits(uint32_t bits) {
    return {(bits & 1) != 0, (bits & 2) != 0, (bits & 4) != 0};
  }
};

// Whether a run of failures has begun, which a success would end.
inline bool HasFailureRun(const model::HostState& state) {
  constexpr auto kRelaxed = std::memory_order_relaxed;
  return (state.consecutive_5xx.load(kRelaxed) |
          state.consecutive_gateway_failure.load(kRelaxed) |
          state.consecutive_local_origin_failure.load(kRelaxed)) != 0;
}

// Counts a result in the host's runs of failures. A success on a host without
// failures writes nothing. Where a threshold is reached, exactly one caller
// is told, and must have the control thread call
// OutlierDetector::OnThreshold. Thread-safe, does not block or allocate.
inline Thresholds RecordResult(const model::OutlierDetection& config,
                               model::HostState& state,
                               const HostResult& result);

// Implementation only. The two above answer for a plain success themselves:
// it is what nearly every request ends with.

HostResult ClassifyOutcomeSlow(const Outcome& outcome, bool split);
Thresholds RecordResultSlow(const model::OutlierDetection& config,
                            model::HostState& state, const HostResult& result);

inline HostResult ClassifyOutcome(const Outcome& outcome, bool split) {
  if (outcome.kind == Outcome::Kind::kResponse && outcome.http_status < 500 &&
      (!outcome.grpc_status.has_value() || *outcome.grpc_status == 0)) {
    HostResult success;
    success.response = HostResult::External::kSuccess;
    if (split) success.connect = HostResult::Local::kSuccess;
    return success;
  }
  return ClassifyOutcomeSlow(outcome, split);
}

inline Thresholds RecordResult(const model::OutlierDetection& config,
                               model::HostState& state,
                               const HostResult& result) {
  if (result.response == HostResult::External::kSuccess &&
      result.failure == HostResult::External::kNone &&
      result.end == HostResult::Local::kNone && !HasFailureRun(state)) {
    return {};
  }
  return RecordResultSlow(config, state, result);
}

}  // namespace meshlib::resilience

#endif  // MESHLIB_RESILIENCE_OUTLIER_RESULT_H_
