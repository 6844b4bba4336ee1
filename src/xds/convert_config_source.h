#ifndef MESHLIB_XDS_CONVERT_CONFIG_SOURCE_H_
#define MESHLIB_XDS_CONVERT_CONFIG_SOURCE_H_

#include <string_view>

#include "meshlib/xds/envoy/config/core/v3/config_source.pb.h"
#include "xds/convert_deferred.h"
#include "xds/convert_errors.h"

namespace meshlib::xds {

// Where resources come from: refuses what Envoy refuses, and defers the checks
// of the clusters of servers and of files that `in` names. `field` is its name
// in the message that the caller has entered. `deferred` may be null.
void ConvertConfigSource(const envoy::config::core::v3::ConfigSource& in,
                         std::string_view field, FieldErrors& errors,
                         DeferredChecks* deferred);
void ConvertApiConfigSource(const envoy::config::core::v3::ApiConfigSource& in,
                            std::string_view field, bool ads,
                            FieldErrors& errors, DeferredChecks* deferred);

// Whether `in` says nothing.
bool IsUnset(const envoy::config::core::v3::ConfigSource& in);

// Whether a server is to be asked, not a file.
bool NeedsControlPlane(const envoy::config::core::v3::ConfigSource& in);

}  // namespace meshlib::xds

#endif  // MESHLIB_XDS_CONVERT_CONFIG_SOURCE_H_
