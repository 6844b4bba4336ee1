#ifndef MESHLIB_LB_NEAREST_FIRST_H_
#define MESHLIB_LB_NEAREST_FIRST_H_

#include <cstdint>
#include <vector>

#include "model/endpoints.h"
#include "model/locality.h"

namespace meshlib::lb {

// Nearest first, an option of the mesh: endpoints that carry localities but
// no priorities get priorities by their distance from the node:
//   same region, zone and sub-zone; same region and zone; same region; others
// numbered from 0 without gaps, so that requests stay near and fail over
// outwards by Envoy's priority rules.
// Returns the priority of each of endpoints.localities, in order. Empty: the
// endpoints have priorities of their own (one is above 0), or the node's
// locality is not known.
std::vector<uint32_t> NearestFirstPriorities(const model::Endpoints& endpoints,
                                             const model::Locality& node);

}  // namespace meshlib::lb

#endif  // MESHLIB_LB_NEAREST_FIRST_H_
