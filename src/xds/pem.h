#ifndef MESHLIB_XDS_PEM_H_
#define MESHLIB_XDS_PEM_H_

#include <string_view>

namespace meshlib::xds {

// Whether `text` has a PEM block (RFC 7468) of the kind whose content is base64
// of one DER sequence. Only the form is looked at, which tells the field that
// is wrong; whether what is in it is sound is CheckKeyPair's question. Text
// outside of the blocks is passed over, as TLS libraries do.
bool HasPemCertificate(std::string_view text);
// "PRIVATE KEY", "RSA PRIVATE KEY", "ENCRYPTED PRIVATE KEY", ...
bool HasPemPrivateKey(std::string_view text);

}  // namespace meshlib::xds

#endif  // MESHLIB_XDS_PEM_H_
