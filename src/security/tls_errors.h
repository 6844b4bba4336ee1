#ifndef MESHLIB_SECURITY_TLS_ERRORS_H_
#define MESHLIB_SECURITY_TLS_ERRORS_H_

#include "absl/status/status.h"

namespace meshlib::security {

// The library's first queued error of this thread as a status (Unavailable,
// or Unauthenticated for a missing client certificate); empties the queue.
absl::Status TlsErrorStatus(bool handshake_done);

}  // namespace meshlib::security

#endif  // MESHLIB_SECURITY_TLS_ERRORS_H_
