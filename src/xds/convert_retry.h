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

// The two of a virtual host or of a route's action.
template <typename In, typename Out>
void ConvertRetryAndHedge(const In& in, const RouteContext& context, Out& out) {
  if (in.has_retry_policy()) {
    ScopedField scope(context.errors, "retry_policy");
    out.retry_policy = ConvertRetryPolicy(in.retry_policy(), context);
  }
  if (in.has_hedge_policy()) {
    ScopedField scope(context.errors, "hedge_policy");
    out.hedge_policy = ConvertHedgePolicy(in.hedge_policy(), context.errors);
  }
}

}  // namespace meshlib::xds

#endif  // MESHLIB_XDS_CONVERT_RETRY_H_
