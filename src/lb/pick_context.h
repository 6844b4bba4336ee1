#ifndef MESHLIB_LB_PICK_CONTEXT_H_
#define MESHLIB_LB_PICK_CONTEXT_H_

#include <cstdint>
#include <optional>

#include "lb/priority_load.h"
#include "meshlib/pick.h"
#include "model/host.h"

namespace meshlib::lb {

// What one pick is made with. A value.
struct PickContext {
  std::optional<uint64_t> hash;  // of the request; else one is drawn
  int64_t now_ns = 0;            // the mesh's clock; slow start reads it
  // 0 for the first; k when k hosts were refused for this attempt of the
  // request (host selection retry).
  uint32_t attempt = 0;
  // Requests in flight to the whole cluster, for bounded loads; negative: the
  // sum over the hosts is used.
  int64_t cluster_active = -1;
  // The caller's thread stripe: what it will write is fetched beforehand.
  uint32_t stripe = 0;
  // Borrowed; null: the cluster's own loads. Ring hash and Maglev ignore it,
  // as Envoy's do, unless it is forced.
  const PriorityLoadOverride* loads = nullptr;
};

// What a pick gave.
struct HostChoice {
  const model::Host* host = nullptr;
  uint32_t priority = 0;  // that was chosen, also without a host
  PickFailure failure = PickFailure::kNone;  // kNone if and only if host is set
  bool panic = false;     // chosen among all hosts of the priority
  bool degraded = false;  // chosen among the degraded ones
};

}  // namespace meshlib::lb

#endif  // MESHLIB_LB_PICK_CONTEXT_H_
