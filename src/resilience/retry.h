#ifndef MESHLIB_RESILIENCE_RETRY_H_
#define MESHLIB_RESILIENCE_RETRY_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "absl/types/span.h"
#include "base/backoff.h"
#include "base/random.h"
#include "meshlib/outcome.h"
#include "meshlib/request.h"
#include "model/matchers.h"
#include "model/route.h"

namespace meshlib::resilience {

// retry_on as text: "5xx,connect-failure" (HTTP's and gRPC's names alike, as
// a route's retry_on takes both). Unknown names are skipped and make
// `all_known` false.
struct ParsedRetryOn {
  uint32_t bits = 0;  // model::RetryOn
  bool all_known = true;
};
ParsedRetryOn ParseRetryOn(std::string_view text);

// What one request still may do. A small value in the request's state; not
// thread-safe.
struct RetryState {
  uint32_t retry_on = 0;  // 0: this request is not retried
  uint32_t retries_remaining = 0;
  bool grpc = false;
  // Whether a response below 500, without a gRPC error, may be retried too.
  bool judges_success = false;
  base::JitteredExponentialBackoff backoff;
};

// A route's RetryPolicy in the form that requests meet. Immutable, any number
// of threads; allocates nothing after its construction.
//
// It decides as Envoy's router does (retry_state_impl), but for one deliberate
// deviation: for gRPC, a connection that is refused or lost before response
// headers counts as `unavailable`.
class CompiledRetryPolicy {
 public:
  explicit CompiledRetryPolicy(const model::RetryPolicy& config);

  // The state of a new request. With retriable_request_headers, one of them
  // must match, or the request is never retried. The application is trusted,
  // as Envoy trusts internal requests: x-envoy-retry-on and
  // x-envoy-retry-grpc-on add conditions, and x-envoy-max-retries replaces
  // num_retries; x-envoy-retriable-status-codes and
  // x-envoy-retriable-header-names are not read.
  RetryState Start(const Request& request) const;

  // Decides after an attempt. A retry uses up one of num_retries and draws its
  // back-off from `random`; the retry of a 425 (Too Early) goes out at once.
  // A retry that could only start at `deadline` or later
  // (absl::InfiniteFuture(): none) is refused: the answer at hand beats a
  // timeout. `now` is the wall clock too, for x-ratelimit-reset.
  //
  // The caller still has to ask the breaker (CircuitBreaker::TryAcquireRetry)
  // and give the answer up with Reason::kOverflow if that refuses.
  RetryDecision Decide(const Outcome& outcome, RetryState& state,
                       base::Random& random, absl::Time now,
                       absl::Time deadline) const;

  // Whether the conditions of `state` name the outcome.
  bool Matches(const Outcome& outcome, const RetryState& state) const;

  // What the response asks to wait, if it does and not for longer than
  // max_interval: the first such of reset_headers.
  std::optional<absl::Duration> ResetInterval(
      absl::Span<const Header> response_headers, absl::Time now) const;

  absl::Duration per_try_timeout() const { return per_try_timeout_; }
  absl::Duration per_try_idle_timeout() const { return per_try_idle_timeout_; }
  uint32_t num_retries() const { return num_retries_; }

 private:
  bool MatchesResponse(const Outcome& outcome, uint32_t retry_on) const;
  bool NamesStatus(int status, uint32_t retry_on) const;
  bool IsTooEarly(const Outcome& outcome, uint32_t retry_on) const;

  bool JudgesSuccess(uint32_t retry_on) const;

  uint32_t retry_on_;
  uint32_t num_retries_;
  absl::Duration per_try_timeout_;
  absl::Duration per_try_idle_timeout_;
  std::vector<uint32_t> retriable_status_codes_;
  std::vector<model::CompiledHeaderMatcher> retriable_headers_;
  std::vector<model::CompiledHeaderMatcher> retriable_request_headers_;
  base::JitteredExponentialBackoff backoff_;
  std::vector<model::ResetHeader> reset_headers_;
  absl::Duration reset_max_interval_ = absl::ZeroDuration();
};

}  // namespace meshlib::resilience

#endif  // MESHLIB_RESILIENCE_RETRY_H_
