#ifndef MESHLIB_XDS_CONVERT_ROUTE_H_
#define MESHLIB_XDS_CONVERT_ROUTE_H_

#include <memory>

#include "meshlib/xds/envoy/config/route/v3/route.pb.h"
#include "model/route.h"
#include "xds/convert_deferred.h"
#include "xds/convert_errors.h"

namespace meshlib::xds {

// A RouteConfiguration that proto/validate_rules.h has found good, as a value.
// Adds to `errors` everything that Envoy's own code would refuse. Null if
// there was an error.
//
// What depends on other resources goes to `deferred`, if it is not null. The
// clusters that routes name are checked where validate_clusters says so; its
// default is true for configurations inside a listener and false for RDS.
std::shared_ptr<const model::RouteConfig> ConvertRouteConfig(
    const envoy::config::route::v3::RouteConfiguration& in, FieldErrors& errors,
    DeferredChecks* deferred = nullptr,
    bool validate_clusters_by_default = false);

}  // namespace meshlib::xds

#endif  // MESHLIB_XDS_CONVERT_ROUTE_H_
