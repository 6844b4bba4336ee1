#ifndef MESHLIB_XDS_CONVERT_RETRY_H_
#define MESHLIB_XDS_CONVERT_RETRY_H_

#include <cstdint>
#include <string_view>

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

// The RetryOn bit of a condition's name ("5xx", "unavailable"); 0: unknown.
uint32_t RetryOnBit(std::string_view name);

}  // namespace meshlib::xds

#endif  // MESHLIB_XDS_CONVERT_RETRY_H_
