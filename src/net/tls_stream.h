#ifndef MESHLIB_NET_TLS_STREAM_H_
#define MESHLIB_NET_TLS_STREAM_H_

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/mutex.h"
#include "event/loop.h"
#include "event/stream.h"
#include "security/peer_identity.h"
#include "security/tls_context.h"
#include "security/tls_session.h"

namespace meshlib::net {

// TLS over another stream, and a stream itself, with these particulars:
//
// - OnConnect() comes once, after the handshake; its time counts from the call
//   that made the stream, so it covers connecting and the handshake. Codes
//   besides those of the inner stream: Unauthenticated (the peer's certificate
//   is refused), Unavailable (no TLS, an alert, an end in the middle),
//   DeadlineExceeded, InvalidArgument (options that cannot be used). The
//   peer gets the alert. The handshake runs on the loop. Until it is over,
//   reads and writes give kBlocked.
// - With TLS 1.3 a client is done before the server has seen its certificate:
//   a refusal then comes as kFailed of a later Read().
// - Read() gives kBlocked only when nothing is left that was received, so that
//   polling Descriptor() afterwards misses nothing. OnReadable() comes for as
//   long as it is wanted and something is left here, too.
// - Write() takes nothing while ciphertext waits to be sent, and gives kBlocked
//   then. What waits is sent by the loop, wanted or not, and by every further
//   call that reads or writes. Small pieces share a record.
// - An end without close_notify is kFailed with DataLoss, not kEnded: somebody
//   may have cut the stream. CloseWrite() sends close_notify, then ends the
//   inner stream's writing. So does destroying, without waiting.
//
// Threads as for every stream: one in the reading half while one is in the
// writing half. They exclude each other for as long as it takes to encrypt and
// send 64 KB, or to decrypt 32 KB. No lock is held while a handler runs.
class TlsStream final : public event::Stream, private event::StreamHandler {
 public:
  using Context = std::shared_ptr<const security::TlsContext>;

  // The client's end of a connection to come. `loop` is that of `network`; both
  // and `handler` are borrowed, the network for this call only. On the loop.
  static std::unique_ptr<TlsStream> Connect(
      event::Loop* loop, event::Network* network, std::string_view address,
      absl::Duration timeout, Context context,
      security::TlsSessionOptions options, event::StreamHandler* handler);

  // The same over a stream that is connected already, a tunnel say.
  static std::unique_ptr<TlsStream> Client(
      event::Loop* loop, std::unique_ptr<event::Stream> connected,
      absl::Duration timeout, Context context,
      security::TlsSessionOptions options, event::StreamHandler* handler);

  // The server's end of a connection that was accepted.
  static std::unique_ptr<TlsStream> Server(
      event::Loop* loop, std::unique_ptr<event::Stream> accepted,
      absl::Duration timeout, Context context, event::StreamHandler* handler);

  ~TlsStream() override;

  event::IoResult Read(absl::Span<char> into) override;
  bool CanWait() const override { return inner_->CanWait(); }
  event::IoResult ReadWithin(absl::Span<char> into,
                             absl::Duration longest) override;
  void Interrupt() override { inner_->Interrupt(); }
  event::IoResult Write(absl::Span<const std::string_view> pieces) override;
  void WantRead(bool want) override;
  void WantWrite(bool want) override;
  void CloseWrite() override;
  void Reset() override;
  int Descriptor() const override { return inner_->Descriptor(); }
  absl::Status error() const override;
  void SetHandler(event::StreamHandler* handler) override {
    handler_ = handler;
  }
  std::string LocalAddress() const override { return inner_->LocalAddress(); }
  std::string PeerAddress() const override { return inner_->PeerAddress(); }

  // What the handshake brought; constant from OnConnect() on, for any thread.
  std::string_view alpn() const { return alpn_; }  // "": none agreed on
  std::string_view sni() const { return sni_; }    // server: as asked for
  const security::PeerIdentity& peer() const { return peer_; }
  bool resumed() const { return resumed_; }
  std::string_view version() const { return version_; }  // "TLSv1.3"
  std::string_view cipher() const { return cipher_; }
  // Whether the stream below stood: a failure is the handshake's.
  bool began_handshake() const { return began_handshake_; }

 private:
  class Pieces;
  enum class Phase { kConnecting, kHandshake, kOpen, kFailed };

  TlsStream(event::Loop* loop, Context context,
            security::TlsSessionOptions options, event::StreamHandler* handler);
  static std::unique_ptr<TlsStream> Over(
      event::Loop* loop, std::unique_ptr<event::Stream> connected,
      absl::Duration timeout, Context context,
      security::TlsSessionOptions options, event::StreamHandler* handler);

  void OnConnect(absl::Status status) override;
  void OnReadable() override;
  void OnWritable() override;

  void StartTimer();
  void StartHandshake();
  // As far as the handshake gets now; tells the handler if that is the end.
  void Handshake();
  // True: done. False: not yet.
  absl::StatusOr<bool> AdvanceHandshake() MESHLIB_REQUIRES(mutex_);
  void Finish(absl::Status status);
  void KeepResults() MESHLIB_REQUIRES(mutex_);

  // Runs `call` on the handler, unless that is gone; then sees to it that
  // OnReadable() comes again if something is left.
  void Tell(void (event::StreamHandler::*call)());
  void ReadAgainLater() MESHLIB_REQUIRES(mutex_);
  // Whether the handler is to be told of what is left here.
  bool ReadableHere() const MESHLIB_REQUIRES(mutex_) {
    return phase_ == Phase::kOpen && want_read_ && may_hold_input_;
  }

  // Hands over what the inner stream's Read() gave.
  void Feed(event::IoResult got, const char* ciphertext)
      MESHLIB_REQUIRES(mutex_);
  // Nothing: has to be read from the inner stream.
  std::optional<event::IoResult> ReadHeld(absl::Span<char> into)
      MESHLIB_REQUIRES(mutex_);
  // Nothing: more has to come from the peer.
  std::optional<event::IoResult> TakePlaintext(absl::Span<char> into)
      MESHLIB_REQUIRES(mutex_);
  // Encrypts what is worth one system call; how much that was.
  absl::StatusOr<size_t> EncryptRound(Pieces* rest) MESHLIB_REQUIRES(mutex_);
  event::IoResult Failed(absl::Status status) MESHLIB_REQUIRES(mutex_);
  // Sends what waits; false if something still does.
  bool Flush() MESHLIB_REQUIRES(mutex_);
  void WantInnerWrite() MESHLIB_REQUIRES(mutex_);
  bool waiting() const MESHLIB_REQUIRES(mutex_) {
    return session_ != nullptr && !session_->PendingCiphertext().empty();
  }

  event::Loop* const loop_;
  event::StreamHandler* handler_;
  std::unique_ptr<event::Stream> inner_;
  absl::Time deadline_;  // of connecting and the handshake
  std::optional<event::Loop::TimerId> timer_;

  std::string alpn_;
  std::string sni_;
  security::PeerIdentity peer_;
  std::string version_;
  std::string cipher_;
  bool resumed_ = false;

  // What posted tasks know the stream's life by.
  const std::shared_ptr<const bool> alive_ = std::make_shared<bool>(true);

  // The inner stream's writing half is used with it held only, so that
  // ciphertext goes out in the order in which it was made.
  mutable base::Mutex mutex_;
  Phase phase_ MESHLIB_GUARDED_BY(mutex_) = Phase::kConnecting;
  bool began_handshake_ = false;  // on the loop, before OnConnect()
  Context context_ MESHLIB_GUARDED_BY(mutex_);  // until the handshake
  security::TlsSessionOptions options_ MESHLIB_GUARDED_BY(mutex_);
  std::unique_ptr<security::TlsSession> session_ MESHLIB_GUARDED_BY(mutex_);
  absl::Status error_ MESHLIB_GUARDED_BY(mutex_);        // the first
  absl::Status read_error_ MESHLIB_GUARDED_BY(mutex_);   // the inner stream's
  absl::Status write_error_ MESHLIB_GUARDED_BY(mutex_);  // the inner stream's
  bool want_read_ MESHLIB_GUARDED_BY(mutex_) = false;
  bool want_write_ MESHLIB_GUARDED_BY(mutex_) = false;
  // Whether a Read() could give something that the inner stream does not know
  // of any more.
  bool may_hold_input_ MESHLIB_GUARDED_BY(mutex_) = true;
  // Whether a short read has just emptied the inner stream, so that asking it
  // again would be a system call for nothing.
  bool inner_drained_ MESHLIB_GUARDED_BY(mutex_) = false;
  bool read_posted_ MESHLIB_GUARDED_BY(mutex_) = false;
  bool inner_wants_write_ MESHLIB_GUARDED_BY(mutex_) = false;
  bool close_write_ MESHLIB_GUARDED_BY(mutex_) = false;
  bool inner_closed_ MESHLIB_GUARDED_BY(mutex_) = false;
};

}  // namespace meshlib::net

#endif  // MESHLIB_NET_TLS_STREAM_H_
