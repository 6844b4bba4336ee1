#ifndef MESHLIB_XDS_CONVERT_TRANSPORT_H_
#define MESHLIB_XDS_CONVERT_TRANSPORT_H_

#include <memory>

#include "meshlib/xds/envoy/config/cluster/v3/cluster.pb.h"
#include "model/cluster.h"
#include "xds/convert_deferred.h"
#include "xds/convert_errors.h"

namespace meshlib::xds {

// Fills `tls`, `transport_socket_matches` and `expected_identities`. Transport
// sockets that are neither TLS nor plaintext are errors: connections without
// them would be less secure or go elsewhere.
void ConvertTransport(const envoy::config::cluster::v3::Cluster& in,
                      FieldErrors& errors, DeferredChecks* deferred,
                      model::Cluster& out);

// What a listener's filter chain speaks; null: plaintext, something that is not
// supported, or an error.
std::shared_ptr<const model::DownstreamTls> ConvertListenerTransport(
    const envoy::config::core::v3::TransportSocket& in, FieldErrors& errors,
    DeferredChecks* deferred);

}  // namespace meshlib::xds

#endif  // MESHLIB_XDS_CONVERT_TRANSPORT_H_
