#ifndef MESHLIB_XDS_CONVERT_OUTLIER_H_
#define MESHLIB_XDS_CONVERT_OUTLIER_H_

#include "meshlib/xds/envoy/config/cluster/v3/circuit_breaker.pb.h"
#include "meshlib/xds/envoy/config/cluster/v3/outlier_detection.pb.h"
#include "model/cluster.h"
#include "xds/convert_errors.h"

namespace meshlib::xds {

// The paths of both are those of the message itself: the caller has entered
// `outlier_detection` or `circuit_breakers`.
model::OutlierDetection ConvertOutlierDetection(
    const envoy::config::cluster::v3::OutlierDetection& in,
    FieldErrors& errors);

// Of several thresholds for one priority the first holds, as in Envoy.
model::CircuitBreakers ConvertCircuitBreakers(
    const envoy::config::cluster::v3::CircuitBreakers& in, FieldErrors& errors);

}  // namespace meshlib::xds

#endif  // MESHLIB_XDS_CONVERT_OUTLIER_H_
