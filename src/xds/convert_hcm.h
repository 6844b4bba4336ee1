#ifndef MESHLIB_XDS_CONVERT_HCM_H_
#define MESHLIB_XDS_CONVERT_HCM_H_

#include "meshlib/xds/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"
#include "meshlib/xds/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy.pb.h"
#include "model/listener.h"
#include "xds/convert_deferred.h"
#include "xds/convert_errors.h"

namespace meshlib::xds {

// The two network filters that a listener's chain ends in. The caller has
// entered the filter's typed_config.

model::HttpConnectionManager ConvertHttpConnectionManager(
    const envoy::extensions::filters::network::http_connection_manager::v3::
        HttpConnectionManager& in,
    FieldErrors& errors, DeferredChecks* deferred);

model::TcpProxy ConvertTcpProxy(
    const envoy::extensions::filters::network::tcp_proxy::v3::TcpProxy& in,
    FieldErrors& errors, DeferredChecks* deferred);

}  // namespace meshlib::xds

#endif  // MESHLIB_XDS_CONVERT_HCM_H_
