#ifndef MESHLIB_XDS_CONVERT_MATCHERS_H_
#define MESHLIB_XDS_CONVERT_MATCHERS_H_

#include <string>
#include <string_view>
#include <vector>

#include "meshlib/xds/envoy/config/core/v3/base.pb.h"
#include "meshlib/xds/envoy/config/route/v3/route_components.pb.h"
#include "meshlib/xds/envoy/type/matcher/v3/regex.pb.h"
#include "meshlib/xds/envoy/type/matcher/v3/string.pb.h"
#include "model/route.h"
#include "xds/convert_deferred.h"
#include "xds/convert_errors.h"

namespace meshlib::xds {

// What the converters of one RouteConfiguration hand down. `deferred` may be
// null: then nothing is deferred, and nothing checked that would be.
struct RouteContext {
  FieldErrors& errors;
  DeferredChecks* deferred = nullptr;
  bool validate_clusters = true;
  uint32_t max_direct_response_body_size = 4096;

  void NeedCluster(std::string_view field, const std::string& cluster) const;
};

// Adds an error if the regex does not compile or is too large. Regexes are
// RE2's, which take linear time and bounded memory whatever they are.
void CheckRegex(const envoy::type::matcher::v3::RegexMatcher& in,
                const RouteContext& context);

model::StringMatcher ConvertStringMatcher(
    const envoy::type::matcher::v3::StringMatcher& in,
    const RouteContext& context);
model::HeaderMatcher ConvertHeaderMatcher(
    const envoy::config::route::v3::HeaderMatcher& in,
    const RouteContext& context);
// `field` is the name of the list, for paths.
std::vector<model::HeaderMatcher> ConvertHeaderMatchers(
    const ::google::protobuf::RepeatedPtrField<
        envoy::config::route::v3::HeaderMatcher>& in,
    std::string_view field, const RouteContext& context);
model::QueryParameterMatcher ConvertQueryParameterMatcher(
    const envoy::config::route::v3::QueryParameterMatcher& in,
    const RouteContext& context);
model::HeaderMatcher ConvertCookieMatcher(
    const envoy::config::route::v3::CookieMatcher& in,
    const RouteContext& context);
model::Fraction ConvertFraction(
    const envoy::config::core::v3::RuntimeFractionalPercent& in);
// Refuses also a substitution that names a group that the regex does not have.
model::RegexRewrite ConvertRegexRewrite(
    const envoy::type::matcher::v3::RegexMatchAndSubstitute& in,
    const RouteContext& context);

}  // namespace meshlib::xds

#endif  // MESHLIB_XDS_CONVERT_MATCHERS_H_
