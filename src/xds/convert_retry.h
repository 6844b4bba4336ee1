#ifndef MESHLIB_XDS_CONVERT_RETRY_H_
#define MESHLIB_XDS_CONVERT_RETRY_H_

#include "meshlib/xds/envoy/config/route/v3/route_components.pb.h"
#include "model/route.h"
#include "xds/convert_matchers.h"

namespace meshlib::xds {

// The paths are relative to the policy: the caller has entered it.
model::RetryPolicy ConvertRetryPolicy(
    const envoy::config::route::v3::RetryPolicy& in,
    const RouteContext& context);
model::HedgePolicy ConvertHedgePolicy(
    const envoy::config::route::v3::HedgePolicy& in, FieldErrors& errors);

}  // namespace meshlib::xds

#endif  // MESHLIB_XDS_CONVERT_RETRY_H_
