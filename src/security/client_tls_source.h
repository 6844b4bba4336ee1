#ifndef MESHLIB_SECURITY_CLIENT_TLS_SOURCE_H_
#define MESHLIB_SECURITY_CLIENT_TLS_SOURCE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/mutex.h"
#include "model/tls.h"
#include "security/file_certificate_provider.h"
#include "security/tls_context.h"
#include "security/tls_session.h"

namespace meshlib::security {

// Reads the secret `name` of a file of resources: xds::ReadSecretFile(). May
// block; called by one thread at a time.
using ReadSecret = std::function<absl::StatusOr<model::TlsSecret>(
    const std::string& path, const std::string& name)>;

// The newest TlsContext for one UpstreamTls, as its certificates rotate. A new
// context takes the place of the old one when all that it is made of is there
// and fits together; until then the old one stays. What has no context yet
// is an error: connections are never made without the TLS that was asked for.
//
// A configuration that gives nothing to verify servers by gets, as in Envoy,
// TLS without verification, unless it names a secret for it.
class ClientTlsSource {
 public:
  // Makes the context if no file has to be read for it; else the first
  // Refresh() does. `read_secret` may be null.
  ClientTlsSource(std::shared_ptr<const model::UpstreamTls> config,
                  ReadSecret read_secret);

  // Thread-safe; locks for as long as it takes to copy a pointer. Unavailable,
  // with the reason: there was no usable certificate yet.
  absl::StatusOr<std::shared_ptr<const TlsContext>> Latest() const;

  // Reads everything again. The error says what is wrong now; it is also
  // counted. May block on the file system; one thread at a time.
  absl::Status Refresh();
  // Whether a Refresh() could ever change something.
  bool changes() const { return changes_; }

  // What a connection adds to the context. `hostname` is the host's, if it has
  // one; `session_key` says who the peer is (see TlsSessionOptions), the
  // cluster and the address say. `sni` is sent in the place of what the
  // configuration says, if it is a name. FailedPrecondition: the SNI is to be
  // verified, and there is none.
  absl::StatusOr<TlsSessionOptions> SessionOptions(
      std::string_view hostname, std::string_view session_key,
      std::string_view sni = "") const;

  const model::UpstreamTls& config() const { return *config_; }

  struct Counts {
    uint64_t rotations = 0;  // contexts that replaced another one
    uint64_t failures = 0;   // refreshes that failed
  };
  Counts counts() const;  // thread-safe

 private:
  absl::Status RefreshAll();
  // The configuration with the secrets of files in it.
  absl::StatusOr<model::CommonTls> Resolve() const;
  absl::StatusOr<TlsOptions> Options(const model::CommonTls& tls) const;

  const std::shared_ptr<const model::UpstreamTls> config_;
  const ReadSecret read_secret_;
  bool changes_ = false;

  // Of Refresh() only.
  model::CommonTls resolved_;
  std::unique_ptr<FileCertificateProvider> provider_;  // of `resolved_`
  std::shared_ptr<const TlsMaterial> used_;  // in latest_, with `resolved_`

  mutable base::Mutex mutex_;
  std::shared_ptr<const TlsContext> latest_ MESHLIB_GUARDED_BY(mutex_);
  absl::Status error_ MESHLIB_GUARDED_BY(mutex_);  // of the last refresh
  Counts counts_ MESHLIB_GUARDED_BY(mutex_);
};

}  // namespace meshlib::security

#endif  // MESHLIB_SECURITY_CLIENT_TLS_SOURCE_H_
