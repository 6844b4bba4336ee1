#ifndef MESHLIB_SECURITY_FILE_CERTIFICATE_PROVIDER_H_
#define MESHLIB_SECURITY_FILE_CERTIFICATE_PROVIDER_H_

#include <memory>

#include "base/mutex.h"
#include "security/certificate_provider.h"

namespace meshlib::security {

// Material from files that others replace: one by one, by rename, or all at
// once by a directory symlink, as Kubernetes' "..data". Each Refresh() reads
// them and compares contents (times of files are too coarse for that). What
// changes while it is read is read again; a pair that does not match yet is
// an error until a later Refresh() finds it whole.
class FileCertificateProvider final : public CertificateProvider {
 public:
  // Reads nothing: the first Refresh() does.
  explicit FileCertificateProvider(TlsSources sources);

  std::shared_ptr<const TlsMaterial> Latest() const override;
  absl::Status Refresh() override;

 private:
  const TlsSources sources_;
  mutable base::Mutex mutex_;
  std::shared_ptr<const TlsMaterial> latest_ MESHLIB_GUARDED_BY(mutex_);
};

}  // namespace meshlib::security

#endif  // MESHLIB_SECURITY_FILE_CERTIFICATE_PROVIDER_H_
