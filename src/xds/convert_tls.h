#ifndef MESHLIB_XDS_CONVERT_TLS_H_
#define MESHLIB_XDS_CONVERT_TLS_H_

#include <memory>

#include "meshlib/xds/envoy/extensions/transport_sockets/tls/v3/secret.pb.h"
#include "meshlib/xds/envoy/extensions/transport_sockets/tls/v3/tls.pb.h"
#include "model/tls.h"
#include "xds/convert_deferred.h"
#include "xds/convert_errors.h"

namespace meshlib::xds {

// What TLS is configured to be. Certificates and keys are looked at for their
// form; files are read for that, and named in what is returned. `deferred` may
// be null. What Envoy takes and we cannot do is an error of a client's and a
// warning of a server's, which serves nobody yet.
enum class TlsEnd { kClient, kServer };
model::CommonTls ConvertCommonTls(
    const envoy::extensions::transport_sockets::tls::v3::CommonTlsContext& in,
    TlsEnd end, FieldErrors& errors, DeferredChecks* deferred);

// Of a listener's filter chain; null if there was an error.
std::shared_ptr<const model::DownstreamTls> ConvertDownstreamTls(
    const envoy::extensions::transport_sockets::tls::v3::DownstreamTlsContext&
        in,
    FieldErrors& errors, DeferredChecks* deferred);

// Null for secrets of other kinds than certificates and validation contexts,
// and if there was an error.
std::shared_ptr<const model::TlsSecret> ConvertSecret(
    const envoy::extensions::transport_sockets::tls::v3::Secret& in,
    FieldErrors& errors, DeferredChecks* deferred);

}  // namespace meshlib::xds

#endif  // MESHLIB_XDS_CONVERT_TLS_H_
