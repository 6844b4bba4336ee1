#ifndef MESHLIB_XDS_CONVERT_HTTP_OPTIONS_H_
#define MESHLIB_XDS_CONVERT_HTTP_OPTIONS_H_

#include "meshlib/xds/envoy/config/cluster/v3/cluster.pb.h"
#include "meshlib/xds/envoy/extensions/upstreams/http/v3/http_protocol_options.pb.h"
#include "model/cluster.h"
#include "xds/convert_errors.h"

namespace meshlib::xds {

// How a cluster's hosts are spoken to. `extension` is null where the cluster
// has none: then its own older fields say it.
model::UpstreamHttp ConvertUpstreamHttp(
    const envoy::config::cluster::v3::Cluster& in,
    const envoy::extensions::upstreams::http::v3::HttpProtocolOptions*
        extension,
    FieldErrors& errors);

}  // namespace meshlib::xds

#endif  // MESHLIB_XDS_CONVERT_HTTP_OPTIONS_H_
