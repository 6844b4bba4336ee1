#include "routing/timeouts.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string_view>

#include "model/headers.h"
#include "routing/request_fields.h"

namespace meshlib::routing {
namespace {

constexpr absl::Duration kDefaultTimeout = absl::Seconds(15);

// Zero means no limit all over Envoy's API.
absl::Duration OrInfinite(absl::Duration duration) {
  return duration == absl::ZeroDuration() ? absl::InfiniteDuration() : duration;
}

std::optional<absl::Duration> GrpcTimeout(const Request& request) {
  const std::optional<std::string_view> text =
      FirstHeader(request, "grpc-timeout");
  if (!text.has_value()) return std::nullopt;
  return ParseGrpcTimeout(*text);
}

std::optional<absl::Duration> Milliseconds(const Request& request,
                                           std::string_view name) {
  const std::optional<uint64_t> number =
      model::NumberOfHeader(request.headers, name);
  if (!number.has_value()) return std::nullopt;
  constexpr uint64_t kMost = std::numeric_limits<int64_t>::max();
  return absl::Milliseconds(static_cast<int64_t>(std::min(*number, kMost)));
}

// An offset that would leave nothing is not applied.
absl::Duration MinusOffset(absl::Duration timeout,
                           std::optional<absl::Duration> offset) {
  if (!offset.has_value() || *offset >= timeout) return timeout;
  return timeout - *offset;
}

absl::Duration RequestTimeout(const Request& request,
                              const model::RouteAction& action) {
  const bool grpc = model::IsGrpc(request);
  if (grpc && action.max_grpc_timeout.has_value() &&
      !action.max_stream_duration.has_value()) {
    const absl::Duration own = MinusOffset(
        OrInfinite(GrpcTimeout(request).value_or(absl::ZeroDuration())),
        action.grpc_timeout_offset);
    return std::min(own, OrInfinite(*action.max_grpc_timeout));
  }
  if (action.timeout.has_value()) return OrInfinite(*action.timeout);
  return grpc ? absl::InfiniteDuration() : kDefaultTimeout;
}

std::optional<absl::Duration> StreamDuration(const Request& request,
                                             const model::RouteAction& action) {
  if (!action.max_stream_duration.has_value()) return std::nullopt;
  const model::MaxStreamDuration& config = *action.max_stream_duration;
  if (config.grpc_timeout_header_max.has_value()) {
    const std::optional<absl::Duration> own = GrpcTimeout(request);
    if (own.has_value()) {
      const absl::Duration bounded =
          std::min(*own, OrInfinite(*config.grpc_timeout_header_max));
      // Here an offset may leave nothing: then the time is over.
      return std::max(bounded - config.grpc_timeout_header_offset.value_or(
                                    absl::ZeroDuration()),
                      absl::ZeroDuration());
    }
  }
  if (!config.max_stream_duration.has_value()) return std::nullopt;
  return OrInfinite(*config.max_stream_duration);
}

}  // namespace

std::optional<absl::Duration> ParseGrpcTimeout(std::string_view text) {
  // At most eight digits and a unit, says the protocol.
  if (text.size() < 2 || text.size() > 9) return std::nullopt;
  int64_t number = 0;
  for (const char c : text.substr(0, text.size() - 1)) {
    if (c < '0' || c > '9') return std::nullopt;
    number = number * 10 + (c - '0');
  }
  switch (text.back()) {
    case 'H':
      return absl::Hours(number);
    case 'M':
      return absl::Minutes(number);
    case 'S':
      return absl::Seconds(number);
    case 'm':
      return absl::Milliseconds(number);
    case 'u':
      return absl::Microseconds(number);
    case 'n':
      return absl::Nanoseconds(number);
    default:
      return std::nullopt;
  }
}

Timeouts TimeoutsFor(const Request& request, const model::RouteAction& action,
                     const model::RetryPolicy* retry) {
  Timeouts timeouts;
  timeouts.request = RequestTimeout(request, action);
  timeouts.max_stream_duration = StreamDuration(request, action);
  timeouts.idle = action.idle_timeout;
  if (retry != nullptr) {
    timeouts.per_try = OrInfinite(retry->per_try_timeout);
    timeouts.per_try_idle = OrInfinite(retry->per_try_idle_timeout);
  }
  const std::optional<absl::Duration> request_header =
      Milliseconds(request, "x-envoy-upstream-rq-timeout-ms");
  if (request_header.has_value()) {
    timeouts.request = OrInfinite(*request_header);
  }
  const std::optional<absl::Duration> per_try_header =
      Milliseconds(request, "x-envoy-upstream-rq-per-try-timeout-ms");
  if (per_try_header.has_value()) {
    timeouts.per_try = OrInfinite(*per_try_header);
  }
  if (timeouts.per_try >= timeouts.request) {
    timeouts.per_try = absl::InfiniteDuration();
  }
  return timeouts;
}

}  // namespace meshlib::routing
