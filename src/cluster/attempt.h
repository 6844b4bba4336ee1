#ifndef MESHLIB_CLUSTER_ATTEMPT_H_
#define MESHLIB_CLUSTER_ATTEMPT_H_

#include <cstdint>
#include <optional>

#include "absl/time/time.h"
#include "cluster/cluster_version.h"
#include "meshlib/pick.h"
#include "meshlib/request.h"
#include "model/host.h"
#include "model/listener.h"
#include "resilience/fault.h"
#include "routing/compiled_route.h"

namespace meshlib::cluster {

// What a Call decided about one attempt. Views that are valid during
// Attempt::Start(); host and route also until the Call is released.
struct AttemptPlan {
  const model::Host* host = nullptr;
  const ClusterVersion* cluster = nullptr;
  const routing::CompiledRoute* route = nullptr;  // null: none
  // The request as it was routed: with its authority, normalized.
  const Request* request = nullptr;
  int weighted_index = -1;  // in weighted_clusters.clusters; -1: not weighted
  uint32_t number = 1;      // of the attempt
  absl::Duration timeout = absl::InfiniteDuration();  // of the whole request
  absl::Duration per_try_timeout = absl::InfiniteDuration();
  absl::Duration per_try_idle_timeout = absl::InfiniteDuration();
  // Of a stream: nothing moves, or it goes on. 0: none; unset: as the
  // listener says.
  std::optional<absl::Duration> idle_timeout;
  std::optional<absl::Duration> max_stream_duration;
  const model::StreamLimits* listener = nullptr;  // null: no limits

  absl::Duration IdleTimeout() const {
    return Limit(idle_timeout, &model::StreamLimits::idle_timeout);
  }
  absl::Duration MaxStreamDuration() const {
    return Limit(max_stream_duration,
                 &model::StreamLimits::max_stream_duration);
  }

 private:
  absl::Duration Limit(const std::optional<absl::Duration>& own,
                       absl::Duration model::StreamLimits::*of) const {
    const absl::Duration none = absl::ZeroDuration();
    const absl::Duration limit =
        own.value_or(listener == nullptr ? none : listener->*of);
    return limit == none ? absl::InfiniteDuration() : limit;
  }
};

// Whoever carries out the attempts of a Call: a connection of a client, the
// application behind pick/report, a simulation. Call::Next() ends with
// exactly one of the two; after Start(), exactly one Call::End() follows.
// Called on the thread of Call::Next(), inside its read section.
class Attempt {
 public:
  virtual void Start(const AttemptPlan& plan) = 0;
  virtual void Fail(PickFailure reason) = 0;
  // Before Fail(kDelayed): an injected fault. Next() is to be called again
  // when the request has waited so long.
  virtual void Delayed(absl::Duration delay) {}
  // Before Fail(kFaultAbort): what answers. The views are valid meanwhile.
  virtual void Aborted(const resilience::FaultAnswer& answer,
                       const Request& request) {}
  // Before Fail(kNotForwarded), where a route was found: what answers.
  virtual void NotForwarded(const routing::CompiledRoute& route,
                            const Request& request) {}

 protected:
  ~Attempt() = default;
};

}  // namespace meshlib::cluster

#endif  // MESHLIB_CLUSTER_ATTEMPT_H_
