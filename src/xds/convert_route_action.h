#ifndef MESHLIB_XDS_CONVERT_ROUTE_ACTION_H_
#define MESHLIB_XDS_CONVERT_ROUTE_ACTION_H_

#include <string>
#include <vector>

#include "meshlib/xds/envoy/config/route/v3/route_components.pb.h"
#include "model/route.h"
#include "xds/convert_matchers.h"

namespace meshlib::xds {

// The parts of a Route's action. The caller has entered the action's field,
// for `request_mirror_policies` the message that has the list.

model::RouteAction ConvertRouteAction(
    const envoy::config::route::v3::RouteAction& in,
    const RouteContext& context);
model::RedirectAction ConvertRedirect(
    const envoy::config::route::v3::RedirectAction& in,
    const RouteContext& context);
// Reads the body's file, if it names one.
model::DirectResponseAction ConvertDirectResponse(
    const envoy::config::route::v3::DirectResponseAction& in,
    const RouteContext& context);
std::vector<model::MirrorPolicy> ConvertMirrorPolicies(
    const ::google::protobuf::RepeatedPtrField<
        envoy::config::route::v3::RouteAction::RequestMirrorPolicy>& in,
    const RouteContext& context);

// Rewrites that need to know how the path matched. Reports at the paths of
// `match` and `route`, both fields of `in`.
void CheckPathRewrite(const envoy::config::route::v3::Route& in,
                      FieldErrors& errors);
// The template of a UriTemplateMatchConfig or UriTemplateRewriteConfig; empty,
// with an error, if the extension is another. The caller has entered the field.
std::string UriTemplateText(
    const envoy::config::core::v3::TypedExtensionConfig& in, bool rewrite,
    FieldErrors& errors);

}  // namespace meshlib::xds

#endif  // MESHLIB_XDS_CONVERT_ROUTE_ACTION_H_
