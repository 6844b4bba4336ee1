#ifndef MESHLIB_XDS_CHECK_CERTIFICATE_H_
#define MESHLIB_XDS_CHECK_CERTIFICATE_H_

#include "meshlib/xds/envoy/extensions/transport_sockets/tls/v3/common.pb.h"
#include "xds/convert_errors.h"

namespace meshlib::xds {

// Refuses what TLS could not load later, as Envoy does: certificates and keys
// that are none, and a key that is not the certificate's. Looks at what has
// both halves and can be read, and not at keys behind a password. Blocks while
// it reads files.
void CheckKeyPair(
    const envoy::extensions::transport_sockets::tls::v3::TlsCertificate& in,
    FieldErrors& errors);

// The same of a trusted_ca.
void CheckTrustedCa(const envoy::extensions::transport_sockets::tls::v3::
                        CertificateValidationContext& in,
                    FieldErrors& errors);

}  // namespace meshlib::xds

#endif  // MESHLIB_XDS_CHECK_CERTIFICATE_H_
