#ifndef MESHLIB_XDS_CONVERT_CONTROL_PLANE_H_
#define MESHLIB_XDS_CONVERT_CONTROL_PLANE_H_

#include <memory>

#include "absl/status/statusor.h"
#include "meshlib/xds/envoy/config/bootstrap/v3/bootstrap.pb.h"
#include "model/cluster.h"
#include "model/control_plane.h"
#include "xds/convert_errors.h"
#include "xds/grpc_bootstrap.h"

namespace meshlib::xds {

// The server of ads_config, and what of dynamic_resources comes from it; null:
// none that can be asked. Adds notes to `errors` for what is asked otherwise
// than the bootstrap says.
std::shared_ptr<const model::ControlPlane> ConvertControlPlane(
    const envoy::config::bootstrap::v3::Bootstrap& in, FieldErrors& errors);

// The first of a gRPC bootstrap's xds_servers.
struct GrpcControlPlane {
  std::shared_ptr<const model::ControlPlane> control_plane;
  std::shared_ptr<const model::Cluster> cluster;  // of its server
};
// InvalidArgument: its server_uri or its credentials cannot be used.
absl::StatusOr<GrpcControlPlane> ConvertGrpcControlPlane(
    const GrpcBootstrap& in);

// How clusters that lead to control planes are connected to: with TCP's
// keepalive, unless they have one of their own.
std::shared_ptr<const model::Cluster> WithKeepalive(
    std::shared_ptr<const model::Cluster> cluster);

}  // namespace meshlib::xds

#endif  // MESHLIB_XDS_CONVERT_CONTROL_PLANE_H_
