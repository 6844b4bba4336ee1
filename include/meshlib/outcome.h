#ifndef MESHLIB_OUTCOME_H_
#define MESHLIB_OUTCOME_H_

#include <cstdint>
#include <optional>

#include "absl/time/time.h"
#include "absl/types/span.h"
#include "meshlib/load_report.h"
#include "meshlib/request.h"

namespace meshlib {

// How one attempt at a host ended. Everything that retries, outlier
// detection, breakers and statistics know of an attempt is in here. A view
// (the headers), copyable.
struct Outcome {
  enum class Kind : uint8_t {
    kResponse,        // the host answered; see the status fields
    kConnectFailure,  // no connection could be made (refused, unreachable)
    kConnectTimeout,  // the connect timeout passed
    kRefusedStream,   // HTTP/2 REFUSED_STREAM, or GOAWAY below this stream
    kReset,           // the connection or stream ended before or in a response
    kPerTryTimeout,   // no (complete) response within per_try_timeout
    kTimeout,         // the request's own timeout or deadline passed
    kOverflow,        // a local breaker refused to queue or connect
    kCancelled,       // the caller gave up; says nothing about the host
  };

  Kind kind = Kind::kResponse;
  int http_status = 200;           // kResponse; for gRPC 200
  std::optional<int> grpc_status;  // set: a gRPC call; 0 is OK

  // Whether the request's first byte was written, for
  // reset-before-request.
  bool request_sent = true;
  // Whether response headers were passed on to the application. Such a
  // request is never retried.
  bool response_started = false;
  // gRPC only: the status came in the headers (trailers-only).
  bool grpc_trailers_only = true;

  absl::Span<const Header> response_headers;
  absl::Duration latency = absl::ZeroDuration();  // 0: not measured
  // Borrowed, for the call alone; null: none. Read for clusters whose policy
  // is client_side_weighted_round_robin.
  const LoadReport* load_report = nullptr;

  static Outcome Ok() { return {}; }
  static Outcome Http(int status) {
    Outcome outcome;
    outcome.http_status = status;
    return outcome;
  }
  static Outcome Grpc(int status) {
    Outcome outcome;
    outcome.grpc_status = status;
    return outcome;
  }
  static Outcome Failure(Kind kind) {
    Outcome outcome;
    outcome.kind = kind;
    outcome.request_sent = kind != Kind::kConnectFailure &&
                           kind != Kind::kConnectTimeout &&
                           kind != Kind::kOverflow;
    return outcome;
  }
};

// What to do after an attempt.
struct RetryDecision {
  enum class Reason : uint8_t {
    kSuccess,          // nothing to retry
    kRetry,            // pick again after `after`
    kNotRetriable,     // the policy does not name this outcome
    kNoPolicy,         // the route has no retry policy
    kLimitExceeded,    // num_retries used up
    kOverflow,         // max_retries or the retry budget refuses
    kResponseStarted,  // the caller has seen a part of the response
    kDeadline,         // the request's timeout would pass first
    kCancelled,
    kAlreadyReported,  // the token was spent
  };
  bool retry = false;
  absl::Duration after = absl::ZeroDuration();
  Reason reason = Reason::kSuccess;
};

}  // namespace meshlib

#endif  // MESHLIB_OUTCOME_H_
