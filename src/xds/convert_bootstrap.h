#ifndef MESHLIB_XDS_CONVERT_BOOTSTRAP_H_
#define MESHLIB_XDS_CONVERT_BOOTSTRAP_H_

#include <map>
#include <string>

#include "meshlib/xds/envoy/config/bootstrap/v3/bootstrap.pb.h"
#include "model/config.h"
#include "xds/convert_deferred.h"
#include "xds/convert_errors.h"
#include "xds/grpc_bootstrap.h"

namespace meshlib::xds {

// What a bootstrap says beside its static resources: the node, the local
// cluster's name, the runtime and the DNS resolver. Adds to `errors` what
// Envoy's own code would refuse, and notes for what has no effect yet.
void ConvertBootstrap(const envoy::config::bootstrap::v3::Bootstrap& in,
                      FieldErrors& errors, DeferredChecks* deferred,
                      model::Config& out);

model::Node ConvertNode(const envoy::config::core::v3::Node& in);
model::Node ConvertGrpcNode(const GrpcBootstrap::Node& in);

}  // namespace meshlib::xds

#endif  // MESHLIB_XDS_CONVERT_BOOTSTRAP_H_
