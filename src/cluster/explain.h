#ifndef MESHLIB_CLUSTER_EXPLAIN_H_
#define MESHLIB_CLUSTER_EXPLAIN_H_

#include <cstdint>

#include "cluster/engine.h"
#include "meshlib/explain.h"
#include "meshlib/request.h"

namespace meshlib::cluster {

// What a Call would do with `request` and why, by the same tables and
// policies. The pick is the one that a thread which has not picked from this
// version of the cluster would make. Control side; changes nothing.
Explanation ExplainRequest(Engine& engine, uint32_t target,
                           const Request& request);

}  // namespace meshlib::cluster

#endif  // MESHLIB_CLUSTER_EXPLAIN_H_
