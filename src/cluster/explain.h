#ifndef MESHLIB_CLUSTER_EXPLAIN_H_
#define MESHLIB_CLUSTER_EXPLAIN_H_

#include <cstdint>

#include "cluster/engine.h"
#include "meshlib/explain.h"
#include "meshlib/request.h"

namespace meshlib::cluster {

// What a Call of the calling thread would do with `request` now and why, by the
// same code, tables and turns. Only what is dropped by chance is told as a
// probability. Control side; changes nothing.
Explanation ExplainRequest(Engine& engine, uint32_t target,
                           const Request& request);

}  // namespace meshlib::cluster

#endif  // MESHLIB_CLUSTER_EXPLAIN_H_
