#include "resilience/outlier_result.h"

#include <atomic>
#include <iterator>

namespace meshlib::resilience {
namespace {

using External = HostResult::External;
using Local = HostResult::Local;

constexpr auto kRelaxed = std::memory_order_relaxed;

External ExternalOfStatus(int status) {
  if (status < 500 || status > 599) return External::kSuccess;
  return status >= 502 && status <= 504 ? External::kGatewayFailure
                                        : External::k5xx;
}

int StatusForOutlier(const Outcome& outcome) {
  return outcome.grpc_status.has_value() && outcome.grpc_trailers_only
             ? HttpStatusOfGrpc(*outcome.grpc_status)
             : outcome.http_status;
}

void ResetRun(std::atomic<uint32_t>& run) {
  if (run.load(kRelaxed) != 0) run.store(0, kRelaxed);
}

// Whether this failure is the one that reaches the threshold. A run goes on
// beyond it until the control thread resets it.
bool AddToRun(std::atomic<uint32_t>& run, uint32_t threshold) {
  return run.fetch_add(1, kRelaxed) + 1 == threshold;
}

void CountExternal(const model::OutlierDetection& config,
                   model::HostState& state, External result,
                   Thresholds& reached) {
  switch (result) {
    case External::kNone:
      return;
    case External::kSuccess:
      ResetRun(state.consecutive_5xx);
      ResetRun(state.consecutive_gateway_failure);
      return;
    case External::k5xx:
      ResetRun(state.consecutive_gateway_failure);
      break;
    case External::kGatewayFailure:
      reached.gateway_failure |= AddToRun(state.consecutive_gateway_failure,
                                          config.consecutive_gateway_failure);
      break;
  }
  reached.consecutive_5xx |=
      AddToRun(state.consecutive_5xx, config.consecutive_5xx);
}

void CountLocal(const model::OutlierDetection& config, model::HostState& state,
                Local result, Thresholds& reached) {
  switch (result) {
    case Local::kNone:
      return;
    case Local::kSuccess:
      ResetRun(state.consecutive_local_origin_failure);
      return;
    case Local::kFailure:
      reached.local_origin_failure |=
          AddToRun(state.consecutive_local_origin_failure,
                   config.consecutive_local_origin_failure);
      return;
  }
}

}  // namespace

const char* OutlierTypeName(OutlierType type) {
  switch (type) {
    case OutlierType::kConsecutive5xx:
      return "CONSECUTIVE_5XX";
    case OutlierType::kConsecutiveGatewayFailure:
      return "CONSECUTIVE_GATEWAY_FAILURE";
    case OutlierType::kSuccessRate:
      return "SUCCESS_RATE";
    case OutlierType::kConsecutiveLocalOriginFailure:
      return "CONSECUTIVE_LOCAL_ORIGIN_FAILURE";
    case OutlierType::kSuccessRateLocalOrigin:
      return "SUCCESS_RATE_LOCAL_ORIGIN";
    case OutlierType::kFailurePercentage:
      return "FAILURE_PERCENTAGE";
    case OutlierType::kFailurePercentageLocalOrigin:
      return "FAILURE_PERCENTAGE_LOCAL_ORIGIN";
  }
  return "UNKNOWN";
}

int HttpStatusOfGrpc(int grpc_status) {
  // By code: OK, CANCELLED, UNKNOWN, INVALID_ARGUMENT, DEADLINE_EXCEEDED,
  // NOT_FOUND, ALREADY_EXISTS, PERMISSION_DENIED, RESOURCE_EXHAUSTED,
  // FAILED_PRECONDITION, ABORTED, OUT_OF_RANGE, UNIMPLEMENTED, INTERNAL,
  // UNAVAILABLE, DATA_LOSS, UNAUTHENTICATED.
  constexpr int kHttp[] = {200, 499, 500, 400, 504, 404, 409, 403, 429,
                           400, 409, 400, 501, 500, 503, 500, 401};
  const bool known =
      grpc_status >= 0 && grpc_status < static_cast<int>(std::size(kHttp));
  return known ? kHttp[grpc_status] : 500;
}

HostResult ClassifyOutcomeSlow(const Outcome& outcome, bool split) {
  HostResult result;
  bool timeout = false;
  switch (outcome.kind) {
    case Outcome::Kind::kResponse:
      result.response = ExternalOfStatus(StatusForOutlier(outcome));
      if (split) result.connect = Local::kSuccess;
      return result;
    case Outcome::Kind::kOverflow:
    case Outcome::Kind::kCancelled:
      return result;
    case Outcome::Kind::kConnectFailure:
    case Outcome::Kind::kConnectTimeout:
    case Outcome::Kind::kRefusedStream:
    case Outcome::Kind::kReset:
      break;
    case Outcome::Kind::kPerTryTimeout:
    case Outcome::Kind::kTimeout:
      timeout = true;
      break;
  }
  if (outcome.response_started) {
    result.response = ExternalOfStatus(StatusForOutlier(outcome));
  }
  const bool connected = outcome.kind != Outcome::Kind::kConnectFailure &&
                         outcome.kind != Outcome::Kind::kConnectTimeout &&
                         outcome.request_sent;
  if (split && connected) result.connect = Local::kSuccess;
  // A host that has answered is not charged with the caller's timeout.
  if (timeout && outcome.response_started) return result;
  if (split) {
    result.end = Local::kFailure;
  } else {
    result.failure = ExternalOfStatus(timeout ? 504 : 503);
  }
  return result;
}

Thresholds RecordResultSlow(const model::OutlierDetection& config,
                            model::HostState& state, const HostResult& result) {
  Thresholds reached;
  CountLocal(config, state, result.connect, reached);
  CountExternal(config, state, result.response, reached);
  CountExternal(config, state, result.failure, reached);
  CountLocal(config, state, result.end, reached);
  return reached;
}

}  // namespace meshlib::resilience
