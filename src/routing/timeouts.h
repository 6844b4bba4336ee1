#ifndef MESHLIB_ROUTING_TIMEOUTS_H_
#define MESHLIB_ROUTING_TIMEOUTS_H_

#include <optional>
#include <string_view>

#include "absl/time/time.h"
#include "meshlib/request.h"
#include "model/route.h"

namespace meshlib::routing {

// How long one request may take. Infinite where nothing limits it.
struct Timeouts {
  absl::Duration request = absl::InfiniteDuration();  // until the response
  absl::Duration per_try = absl::InfiniteDuration();
  absl::Duration per_try_idle = absl::InfiniteDuration();
  // Unset: the listener's stream_idle_timeout and max_stream_duration count. 0
  // turns the first off, infinity the second (0: the time is over).
  std::optional<absl::Duration> idle;
  std::optional<absl::Duration> max_stream_duration;
};

// What a route's timeouts come to for a request, as Envoy's router has it:
// max_grpc_timeout and grpc_timeout_offset (old) or max_stream_duration (new)
// bound a gRPC request's own grpc-timeout; the headers
// x-envoy-upstream-rq-timeout-ms and x-envoy-upstream-rq-per-try-timeout-ms
// win over the route; a per-try timeout that is no shorter than the whole is
// off. One deliberate difference: a route without `timeout` gives 15 s to
// HTTP requests only, not to gRPC calls, whose deadline bounds them.
// `retry` may be null.
Timeouts TimeoutsFor(const Request& request, const model::RouteAction& action,
                     const model::RetryPolicy* retry);

// The value of a grpc-timeout header; nothing if it is not one.
std::optional<absl::Duration> ParseGrpcTimeout(std::string_view text);

}  // namespace meshlib::routing

#endif  // MESHLIB_ROUTING_TIMEOUTS_H_
