#ifndef MESHLIB_SECURITY_CERTIFICATE_PROVIDER_H_
#define MESHLIB_SECURITY_CERTIFICATE_PROVIDER_H_

#include <memory>

#include "absl/status/status.h"
#include "security/tls_material.h"

namespace meshlib::security {

// Where certificates come from and how they change: files here, SDS and
// certificate authorities in the layer "identity".
//
// Material that is handed out has been checked (CheckTlsMaterial); errors
// never take good material away. Latest() is for any thread, Refresh() for
// one thread at a time.
class CertificateProvider {
 public:
  virtual ~CertificateProvider() = default;

  // The newest good material; null before there was any. Another pointer
  // means that the content changed.
  virtual std::shared_ptr<const TlsMaterial> Latest() const = 0;

  // Looks for something newer, and says what is wrong now: an error leaves
  // Latest() as it was. May block on the file system.
  virtual absl::Status Refresh() = 0;
};

}  // namespace meshlib::security

#endif  // MESHLIB_SECURITY_CERTIFICATE_PROVIDER_H_
