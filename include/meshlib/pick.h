#ifndef MESHLIB_PICK_H_
#define MESHLIB_PICK_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "meshlib/export.h"
#include "meshlib/outcome.h"

namespace meshlib {

namespace cluster {
class Call;
}  // namespace cluster

// Why a pick gave no host.
enum class PickFailure : uint8_t {
  kNone,
  kNotReady,        // no configuration for this target yet
  kShutdown,        // the mesh was shut down
  kNoRoute,         // no virtual host or route matches
  kNotForwarded,    // the route redirects or answers by itself
  kUnknownCluster,  // the route names a cluster that does not exist
  kNoHosts,         // the cluster has no endpoints
  kNoHealthyHost,   // none may be used, and panic is off
  kPanic,           // fail_traffic_on_panic
  kDropped,         // drop_overloads
  kOverflow,        // a circuit breaker is open
  // The virtual host demands https (require_tls), and the request is not: a
  // proxy would answer 301. Ask with Request::scheme "https" to be routed.
  kTlsRequired,
  // Clusters of its type (ORIGINAL_DST, aggregate) have no hosts yet.
  kUnsupportedCluster,
  // A fault filter delays the request: wait PickResult::fault.delay, then
  // Pick(request, std::move(token)).
  kDelayed,
  // A fault filter answers in the host's place: see PickResult::fault.
  kFaultAbort,
  // In the child of a fork(): the mesh is its parent's.
  kForked,
};

// A constant text such as "no healthy host"; lives as long as the process.
MESHLIB_EXPORT std::string_view PickFailureName(PickFailure failure);

// Stands for one attempt that was picked and not reported yet, and carries
// what the request's next attempt must know: the hosts tried, the retries
// made. Move-only, no allocation. An attempt that is not reported when the
// token dies counts as cancelled. A token must not outlive the Target that
// gave it. One thread at a time, but any thread.
class MESHLIB_EXPORT PickToken {
 public:
  PickToken() noexcept;
  PickToken(PickToken&& other) noexcept;
  PickToken& operator=(PickToken&& other) noexcept;
  ~PickToken();

  // Whether an attempt is open: picked, and not reported yet.
  bool open() const;

 private:
  friend class Target;
  static constexpr size_t kSize = 200;

  cluster::Call& call();
  const cluster::Call& call() const;

  alignas(8) unsigned char state_[kSize];
};

// The metadata of an endpoint, as the control plane or the file gave it. A
// view that is valid while the pick's token is open.
class MESHLIB_EXPORT EndpointMetadata {
 public:
  EndpointMetadata() = default;

  bool empty() const { return metadata_ == nullptr; }
  // The string at filter_metadata[filter][key], if there is one.
  std::optional<std::string_view> GetString(std::string_view filter,
                                            std::string_view key) const;
  // All of it: {"envoy.lb": {"version": "v1"}}; "{}" when empty.
  std::string ToJson() const;

 private:
  friend class Target;
  explicit EndpointMetadata(const void* metadata) : metadata_(metadata) {}
  const void* metadata_ = nullptr;
};

// What a fault filter (envoy.filters.http.fault) does to a request.
struct InjectedFault {
  absl::Duration delay = absl::ZeroDuration();  // kDelayed
  int http_status = 0;                          // kFaultAbort
  // kFaultAbort: that the filter names, or, for a request with a gRPC
  // content-type, that http_status stands for; -1: none.
  int grpc_status = -1;
};

// What a pick gives. The views are valid while the token is open.
struct PickResult {
  PickFailure failure = PickFailure::kNone;
  std::string_view address;  // "10.0.0.1:80", "[::1]:80", "unix:/path"
  std::string_view hostname;
  std::string_view cluster;
  // The identities (SANs) that the server may have; empty: not checked.
  absl::Span<const std::string> expected_identities;
  EndpointMetadata metadata;
  // For the whole request, retries included; infinite if there is none.
  absl::Duration timeout = absl::InfiniteDuration();
  // For this attempt.
  absl::Duration per_try_timeout = absl::InfiniteDuration();
  uint32_t attempt = 1;  // 1 for the first
  InjectedFault fault;
  PickToken token;

  bool ok() const { return failure == PickFailure::kNone; }
  // With the reason as its message: NotFound where no route leads anywhere,
  // ResourceExhausted where a breaker or drop_overloads refused,
  // FailedPrecondition after Shutdown() or a fork, else Unavailable. Allocates.
  absl::Status status() const;
};

}  // namespace meshlib

#endif  // MESHLIB_PICK_H_
