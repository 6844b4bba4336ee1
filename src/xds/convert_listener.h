#ifndef MESHLIB_XDS_CONVERT_LISTENER_H_
#define MESHLIB_XDS_CONVERT_LISTENER_H_

#include <memory>

#include "meshlib/xds/envoy/config/listener/v3/listener.pb.h"
#include "model/listener.h"
#include "xds/convert_deferred.h"
#include "xds/convert_errors.h"

namespace meshlib::xds {

// A Listener that proto/validate_rules.h has found good, as a value: an API
// listener, or a socket listener with what its filter chains do. Adds to
// `errors` everything that Envoy's own code would refuse. Filters that are not
// known are passed over with a note. Null if there was an error.
//
// With `legacy` (the tutorial form of old Envoy) a listener without filter
// chains is no error (the loader warns of it).
std::shared_ptr<const model::Listener> ConvertListener(
    const envoy::config::listener::v3::Listener& in, FieldErrors& errors,
    DeferredChecks* deferred = nullptr, bool legacy = false);

}  // namespace meshlib::xds

#endif  // MESHLIB_XDS_CONVERT_LISTENER_H_
