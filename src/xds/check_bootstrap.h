#ifndef MESHLIB_XDS_CHECK_BOOTSTRAP_H_
#define MESHLIB_XDS_CHECK_BOOTSTRAP_H_

#include "meshlib/xds/envoy/config/bootstrap/v3/bootstrap.pb.h"
#include "xds/convert_errors.h"

namespace meshlib::xds {

// Refuses what Envoy refuses in parts of a bootstrap that have no effect here:
// stats_config and overload_manager.
void CheckBootstrap(const envoy::config::bootstrap::v3::Bootstrap& in,
                    FieldErrors& errors);

}  // namespace meshlib::xds

#endif  // MESHLIB_XDS_CHECK_BOOTSTRAP_H_
