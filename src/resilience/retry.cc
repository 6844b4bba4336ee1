#include "resilience/retry.h"

#include <algorithm>
#include <limits>

#include "model/headers.h"
#include "model/retry_on.h"

namespace meshlib::resilience {
namespace {

constexpr uint32_t kHttpConditions = 0xffffu;
constexpr uint32_t kGrpcConditions = ~kHttpConditions;

// The condition that names a gRPC status code; 0 if none does.
uint32_t ConditionOfGrpcStatus(int status) {
  switch (status) {
    case 1:
      return model::kRetryOnGrpcCancelled;
    case 4:
      return model::kRetryOnGrpcDeadlineExceeded;
    case 8:
      return model::kRetryOnGrpcResourceExhausted;
    case 13:
      return model::kRetryOnGrpcInternal;
    case 14:
      return model::kRetryOnGrpcUnavailable;
    default:
      return 0;
  }
}

bool IsGatewayError(int status) { return status >= 502 && status <= 504; }

uint32_t ConditionsOfHeader(const Request& request, std::string_view name,
                            uint32_t allowed) {
  const Header* header = model::FindHeader(request.headers, name);
  return header == nullptr ? 0 : ParseRetryOn(header->value).bits & allowed;
}

// Attempts that ended without a response from the host.
bool MatchesReset(const Outcome& outcome, const RetryState& state) {
  const uint32_t on = state.retry_on;
  switch (outcome.kind) {
    case Outcome::Kind::kConnectFailure:
    case Outcome::Kind::kConnectTimeout:
      if ((on & model::kRetryOnConnectFailure) != 0) return true;
      break;
    case Outcome::Kind::kRefusedStream:
      if ((on & model::kRetryOnRefusedStream) != 0) return true;
      break;
    default:
      break;
  }
  if ((on & model::kRetryOnResetBeforeRequest) != 0 && !outcome.request_sent) {
    return true;
  }
  // A reset ends in a 503 for the caller, so that both count it as one.
  if ((on & (model::kRetryOnReset | model::kRetryOn5xx |
             model::kRetryOnGatewayError)) != 0) {
    return true;
  }
  // The deviation: a gRPC caller sees UNAVAILABLE for a lost connection (not
  // for a try that took too long).
  const bool grpc = state.grpc || outcome.grpc_status.has_value();
  return grpc && (on & model::kRetryOnGrpcUnavailable) != 0 &&
         outcome.kind != Outcome::Kind::kPerTryTimeout;
}

RetryDecision Refuse(RetryDecision::Reason reason) {
  RetryDecision decision;
  decision.reason = reason;
  return decision;
}

bool Succeeded(const Outcome& outcome) {
  return outcome.kind == Outcome::Kind::kResponse &&
         outcome.http_status < 400 && outcome.grpc_status.value_or(0) == 0;
}

}  // namespace

ParsedRetryOn ParseRetryOn(std::string_view text) {
  ParsedRetryOn out;
  for (std::string_view name = model::CutRetryOnName(text); !name.empty();
       name = model::CutRetryOnName(text)) {
    const uint32_t bit = model::RetryOnBit(name);
    if (bit == 0) out.all_known = false;
    out.bits |= bit;
  }
  return out;
}

CompiledRetryPolicy::CompiledRetryPolicy(const model::RetryPolicy& config)
    : retry_on_(config.retry_on),
      num_retries_(config.num_retries),
      per_try_timeout_(config.per_try_timeout),
      per_try_idle_timeout_(config.per_try_idle_timeout),
      retriable_status_codes_(config.retriable_status_codes),
      retriable_headers_(
          model::CompileHeaderMatchers(config.retriable_headers)),
      retriable_request_headers_(
          model::CompileHeaderMatchers(config.retriable_request_headers)),
      backoff_(config.base_interval,
               config.max_interval.value_or(config.base_interval * 10)) {
  if (config.rate_limited.has_value()) {
    reset_headers_ = config.rate_limited->reset_headers;
    reset_max_interval_ = config.rate_limited->max_interval;
  }
}

RetryState CompiledRetryPolicy::Start(const Request& request) const {
  RetryState state;
  state.retry_on = retry_on_;
  state.retries_remaining = num_retries_;
  state.backoff = backoff_;
  state.grpc = model::IsGrpc(request);
  state.retry_on |=
      ConditionsOfHeader(request, "x-envoy-retry-on", kHttpConditions);
  state.retry_on |=
      ConditionsOfHeader(request, "x-envoy-retry-grpc-on", kGrpcConditions);
  if (!retriable_request_headers_.empty() &&
      std::none_of(
          retriable_request_headers_.begin(), retriable_request_headers_.end(),
          [&](const auto& matcher) { return matcher.Matches(request); })) {
    state.retry_on = 0;
  }
  if (state.retry_on != 0) {
    const auto retries =
        model::NumberOfHeader(request.headers, "x-envoy-max-retries");
    if (retries.has_value()) {
      state.retries_remaining =
          static_cast<uint32_t>(std::min<uint64_t>(*retries, UINT32_MAX));
    }
  }
  state.judges_success = JudgesSuccess(state.retry_on);
  return state;
}

bool CompiledRetryPolicy::JudgesSuccess(uint32_t on) const {
  if ((on & (model::kRetryOnRetriable4xx | model::kRetryOnRetriableHeaders |
             model::kRetryOnEnvoyRateLimited)) != 0) {
    return true;
  }
  return (on & model::kRetryOnRetriableStatusCodes) != 0 &&
         std::any_of(retriable_status_codes_.begin(),
                     retriable_status_codes_.end(),
                     [](uint32_t status) { return status < 500; });
}

bool CompiledRetryPolicy::NamesStatus(int status, uint32_t on) const {
  return (on & model::kRetryOnRetriableStatusCodes) != 0 &&
         std::find(
             retriable_status_codes_.begin(), retriable_status_codes_.end(),
             static_cast<uint32_t>(status)) != retriable_status_codes_.end();
}

bool CompiledRetryPolicy::IsTooEarly(const Outcome& outcome,
                                     uint32_t on) const {
  return outcome.kind == Outcome::Kind::kResponse &&
         outcome.http_status == 425 && NamesStatus(425, on) &&
         model::FindHeader(outcome.response_headers, "x-envoy-ratelimited") ==
             nullptr;
}

bool CompiledRetryPolicy::MatchesResponse(const Outcome& outcome,
                                          uint32_t on) const {
  // The header says that a rate limit was reached, and by that alone it is
  // decided.
  if (model::FindHeader(outcome.response_headers, "x-envoy-ratelimited") !=
      nullptr) {
    return (on & model::kRetryOnEnvoyRateLimited) != 0;
  }
  const int status = outcome.http_status;
  if ((on & model::kRetryOn5xx) != 0 && status >= 500 && status < 600) {
    return true;
  }
  if ((on & model::kRetryOnGatewayError) != 0 && IsGatewayError(status)) {
    return true;
  }
  if ((on & model::kRetryOnRetriable4xx) != 0 && status == 409) return true;
  if (NamesStatus(status, on)) return true;
  if ((on & model::kRetryOnRetriableHeaders) != 0 &&
      std::any_of(retriable_headers_.begin(), retriable_headers_.end(),
                  [&](const auto& matcher) {
                    return matcher.MatchesResponse(outcome.response_headers,
                                                   status);
                  })) {
    return true;
  }
  // A status in trailers comes too late: the response has begun.
  return outcome.grpc_status.has_value() && outcome.grpc_trailers_only &&
         (on & ConditionOfGrpcStatus(*outcome.grpc_status)) != 0;
}

bool CompiledRetryPolicy::Matches(const Outcome& outcome,
                                  const RetryState& state) const {
  if (state.retry_on == 0 || outcome.response_started) return false;
  switch (outcome.kind) {
    case Outcome::Kind::kResponse:
      return MatchesResponse(outcome, state.retry_on);
    case Outcome::Kind::kConnectFailure:
    case Outcome::Kind::kConnectTimeout:
    case Outcome::Kind::kRefusedStream:
    case Outcome::Kind::kReset:
    case Outcome::Kind::kPerTryTimeout:
      return MatchesReset(outcome, state);
    case Outcome::Kind::kTimeout:
    case Outcome::Kind::kOverflow:
    case Outcome::Kind::kCancelled:
      return false;
  }
  return false;
}

RetryDecision CompiledRetryPolicy::Decide(const Outcome& outcome,
                                          RetryState& state,
                                          base::Random& random, absl::Time now,
                                          absl::Time deadline) const {
  using Reason = RetryDecision::Reason;
  if (outcome.kind == Outcome::Kind::kCancelled) {
    return Refuse(Reason::kCancelled);
  }
  if (!state.judges_success && Succeeded(outcome)) {
    return Refuse(Reason::kSuccess);
  }
  if (!Matches(outcome, state)) {
    if (Succeeded(outcome)) return Refuse(Reason::kSuccess);
    if (outcome.response_started) return Refuse(Reason::kResponseStarted);
    return Refuse(outcome.kind == Outcome::Kind::kTimeout
                      ? Reason::kDeadline
                      : Reason::kNotRetriable);
  }
  if (state.retries_remaining == 0) return Refuse(Reason::kLimitExceeded);
  --state.retries_remaining;

  const bool too_early = IsTooEarly(outcome, state.retry_on);
  RetryDecision decision;
  std::optional<absl::Duration> asked;
  if (!reset_headers_.empty() && outcome.kind == Outcome::Kind::kResponse &&
      !too_early) {
    asked = ResetInterval(outcome.response_headers, now);
  }
  if (asked.has_value() && *asked > absl::Milliseconds(1)) {
    decision.after = base::JitteredLowerBound(*asked, random.Next());
  } else if (!too_early) {
    decision.after = state.backoff.Next(random.Next());
  }
  if (now + decision.after >= deadline) return Refuse(Reason::kDeadline);
  decision.retry = true;
  decision.reason = Reason::kRetry;
  return decision;
}

std::optional<absl::Duration> CompiledRetryPolicy::ResetInterval(
    absl::Span<const Header> response_headers, absl::Time now) const {
  for (const model::ResetHeader& header : reset_headers_) {
    auto seconds = model::NumberOfHeader(response_headers, header.name);
    if (!seconds.has_value()) continue;
    if (header.format == model::ResetHeader::Format::kUnixTimestamp) {
      const uint64_t today =
          static_cast<uint64_t>(std::max<int64_t>(absl::ToUnixSeconds(now), 0));
      if (*seconds < today) continue;
      *seconds -= today;
    }
    constexpr uint64_t kMost = std::numeric_limits<int64_t>::max();
    const absl::Duration interval =
        absl::Seconds(static_cast<int64_t>(std::min(*seconds, kMost)));
    if (interval <= reset_max_interval_) return interval;
  }
  return std::nullopt;
}

}  // namespace meshlib::resilience
