#ifndef MESHLIB_SECURITY_TLS_SESSION_H_
#define MESHLIB_SECURITY_TLS_SESSION_H_

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "security/peer_identity.h"
#include "security/tls_context.h"

namespace meshlib::security {

// What one session adds to its context; only a client uses all of it.
struct TlsSessionOptions {
  std::string sni;  // sent as it is; empty: none
  // A DNS name or IP address that the peer's certificate must have besides
  // what the context asks; empty: none.
  std::string expected_name;
  std::vector<std::string> alpn_protocols;  // instead of the context's
  // Who the peer is: sessions of the same key may be resumed. Empty: neither
  // resumes nor keeps sessions.
  std::string session_key;
  // Write() takes no more while this many bytes wait to be sent.
  size_t max_pending_bytes = 256 * 1024;
};

// One end of a TLS connection as a transformer of bytes: it has no socket, no
// clock and no thread. The owner
//   - hands over what came from the peer (Receive, ReceiveEnd),
//   - sends what PendingCiphertext() holds after every other call,
//   - reads and writes plaintext once the handshake is over.
// Memory is bounded on all sides, whatever the peer sends: Receive() takes
// only what fits, Write() only until enough waits to be sent. Time is the
// owner's to bound: a peer that stalls in the handshake changes nothing here.
//
// The first error is final: every later call returns it. Its alert for the
// peer is in PendingCiphertext(), and is worth sending. Codes: Unauthenticated
// (the peer's certificate is refused), DataLoss (the stream ended without
// close_notify: someone may have cut it), Unavailable (the rest).
//
// Not thread-safe; sessions of one context may live on different threads.
class TlsSession {
 public:
  // A client's first bytes are pending at once. InvalidArgument: options that
  // cannot be used.
  static absl::StatusOr<std::unique_ptr<TlsSession>> Create(
      std::shared_ptr<const TlsContext> context,
      const TlsSessionOptions& options);
  virtual ~TlsSession() = default;

  // Ciphertext from the peer; drives the handshake. Returns how many bytes
  // were taken: all of them, or fewer when plaintext must be read first.
  virtual absl::StatusOr<size_t> Receive(std::string_view ciphertext) = 0;
  // The transport ended. Plaintext before it can still be read.
  virtual absl::Status ReceiveEnd() = 0;

  // Ciphertext for the peer, valid until the next call that is not const.
  virtual std::string_view PendingCiphertext() const = 0;
  // `size` bytes of it are sent.
  virtual void ConsumeCiphertext(size_t size) = 0;

  // Returns how many bytes were taken, 0 during the handshake and while too
  // much is pending. FailedPrecondition after Close().
  virtual absl::StatusOr<size_t> Write(std::string_view plaintext) = 0;
  // Fills `out` as far as plaintext is there; 0: not now, or AtEnd().
  virtual absl::StatusOr<size_t> Read(absl::Span<char> out) = 0;

  // Sends close_notify: nothing will be written any more. Reading goes on.
  virtual absl::Status Close() = 0;

  virtual bool handshake_done() const = 0;
  // All plaintext was read and the peer said that this was all.
  virtual bool AtEnd() const = 0;
  // OK, or the error that ended the session.
  virtual const absl::Status& status() const = 0;

  // Meaningful after the handshake; empty: none.
  virtual std::string_view alpn() const = 0;
  // Who the peer is by its certificate, verified unless the context accepts
  // untrusted ones; all empty: it sent none.
  virtual const PeerIdentity& peer() const = 0;
  virtual std::string_view version() const = 0;  // "TLSv1.3"
  virtual std::string_view cipher() const = 0;   // the library's name
  virtual bool resumed() const = 0;

  // Server: what the client asked for; empty: nothing.
  virtual std::string_view sni() const = 0;

  TlsSession(const TlsSession&) = delete;
  TlsSession& operator=(const TlsSession&) = delete;

 protected:
  TlsSession() = default;
};

}  // namespace meshlib::security

#endif  // MESHLIB_SECURITY_TLS_SESSION_H_
