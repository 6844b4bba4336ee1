#include "security/tls_session.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/strings.h"
#include "security/certificate.h"
#include "security/tls_buffer.h"
#include "security/tls_context_impl.h"
#include "security/tls_errors.h"

namespace meshlib::security {
namespace {

// A record has at most 16 KiB of plaintext and some overhead.
constexpr size_t kRecordBytes = 16 * 1024;
constexpr size_t kMaxInputBytes = 4 * kRecordBytes;
// Above Write()'s own limit: a record, alerts, and a handshake's flight.
constexpr size_t kOutputSlackBytes = 256 * 1024;
// A flight with the longest chain that is allowed, and room.
constexpr size_t kMaxHandshakeBytes = 512 * 1024;

// The ends that an SSL reads from and writes to.
struct Wire {
  explicit Wire(size_t max_output) : output(max_output) {}
  TlsBuffer input{kMaxInputBytes};
  TlsBuffer output;
};

int WireRead(BIO* bio, char* out, int size) {
  BIO_clear_retry_flags(bio);
  auto& input = static_cast<Wire*>(BIO_get_data(bio))->input;
  const size_t count =
      std::min(input.bytes().size(), static_cast<size_t>(std::max(size, 0)));
  if (count == 0) {
    BIO_set_retry_read(bio);
    return -1;
  }
  memcpy(out, input.bytes().data(), count);
  input.Consume(count);
  return static_cast<int>(count);
}

int WireWrite(BIO* bio, const char* in, int size) {
  BIO_clear_retry_flags(bio);
  auto& output = static_cast<Wire*>(BIO_get_data(bio))->output;
  const std::string_view bytes(in, static_cast<size_t>(std::max(size, 0)));
  // All or nothing; nothing ends the session: a peer that makes us answer
  // without reading the answers.
  if (bytes.size() > output.room()) return -1;
  output.Append(bytes);
  return size;
}

long WireControl(BIO*, int command, long, void*) {
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

class Session final : public TlsSession {
 public:
  Session(std::shared_ptr<const TlsContext> context, size_t max_pending_bytes)
      : context_(std::move(context)),
        max_pending_bytes_(max_pending_bytes),
        wire_(max_pending_bytes + kOutputSlackBytes),
        ssl_(SSL_new(context_->impl().ctx())) {}
  ~Session() override;

  absl::Status Start(const TlsSessionOptions& options);

  absl::StatusOr<size_t> Receive(std::string_view ciphertext) override;
  absl::Status ReceiveEnd() override;
  std::string_view PendingCiphertext() const override {
    return wire_.output.bytes();
  }
  void ConsumeCiphertext(size_t size) override { wire_.output.Consume(size); }
  absl::StatusOr<size_t> Write(std::string_view plaintext) override;
  absl::StatusOr<size_t> Read(absl::Span<char> out) override;
  absl::Status Close() override;

  bool handshake_done() const override { return handshake_done_; }
  bool AtEnd() const override { return at_end_; }
  const absl::Status& status() const override { return status_; }
  std::string_view alpn() const override;
  const PeerIdentity& peer() const override { return peer_; }
  std::string_view version() const override {
    return SSL_get_version(ssl_.get());
  }
  std::string_view cipher() const override;
  bool resumed() const override {
    return handshake_done_ && SSL_session_reused(ssl_.get()) == 1;
  }
  std::string_view sni() const override;

 private:
  absl::Status StartClient(const TlsSessionOptions& options);
  absl::Status Handshake();
  absl::Status FinishHandshake();
  absl::Status Fail(absl::Status status);
  // The error of an SSL call that returned `result`.
  absl::Status Fail(int result);

  const std::shared_ptr<const TlsContext> context_;
  const size_t max_pending_bytes_;
  Wire wire_;
  TlsCallbackState callbacks_;
  const SslHandle ssl_;
  absl::Status status_;
  PeerIdentity peer_;
  size_t handshake_bytes_ = 0;
  bool handshake_done_ = false;
  bool transport_ended_ = false;
  bool at_end_ = false;
  bool closed_ = false;
};

Session::~Session() {
  // The libraries forget the ticket of a session that ends without a
  // close_notify; that of a sound one is good all the same.
  if (ssl_ != nullptr && status_.ok() && handshake_done_) {
    SSL_set_shutdown(ssl_.get(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
  }
}

absl::Status Session::Start(const TlsSessionOptions& options) {
  ERR_clear_error();
  BIO* bio = BIO_new(context_->impl().bio_method());
  if (ssl_ == nullptr || bio == nullptr) {
    BIO_free(bio);
    return absl::ResourceExhaustedError("no TLS session: " + TakeSslErrors());
  }
  BIO_set_data(bio, &wire_);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_.get(), bio, bio);  // owns it
  SSL_set_app_data(ssl_.get(), &callbacks_);
  if (context_->role() == TlsContext::Role::kServer) {
    SSL_set_accept_state(ssl_.get());
    return absl::OkStatus();
  }
  SSL_set_connect_state(ssl_.get());
  absl::Status status = StartClient(options);
  if (status.ok()) status = Handshake();
  return status;
}

absl::Status Session::StartClient(const TlsSessionOptions& options) {
  if (!options.sni.empty() &&
      SSL_set_tlsext_host_name(ssl_.get(), options.sni.c_str()) != 1) {
    return absl::InvalidArgumentError(absl::StrCat(
        "sni \"", base::Excerpt(options.sni), "\": ", TakeSslErrors()));
  }
  const auto alpn = AlpnWire(options.alpn_protocols);
  if (!alpn.ok()) return alpn.status();
  if (!alpn->empty() &&
      SSL_set_alpn_protos(ssl_.get(),
                          reinterpret_cast<const unsigned char*>(alpn->data()),
                          static_cast<unsigned int>(alpn->size())) != 0) {
    return absl::InvalidArgumentError("alpn_protocols cannot be used");
  }
  if (!options.expected_name.empty()) {
    SanMatcher matcher;
    matcher.matcher.value = options.expected_name;
    matcher.san_type = SanMatcher::Type::kIpAddress;
    auto compiled = CompiledSanMatcher::Create(matcher);
    if (!compiled.ok()) {
      matcher.san_type = SanMatcher::Type::kDns;
      compiled = CompiledSanMatcher::Create(matcher);
    }
    if (!compiled.ok()) return compiled.status();
    callbacks_.expected_name = *std::move(compiled);
  }
  if (options.session_key.empty()) return absl::OkStatus();
  // Sessions whose peer was held to another name are not to be mixed.
  callbacks_.session_key =
      absl::StrCat(options.session_key, "\n", options.expected_name);
  const SslSessionPtr session =
      context_->impl().sessions().Take(callbacks_.session_key);
  if (session != nullptr) SSL_set_session(ssl_.get(), session.get());
  return absl::OkStatus();
}

absl::StatusOr<size_t> Session::Receive(std::string_view ciphertext) {
  if (!status_.ok()) return status_;
  size_t taken = 0;
  do {
    const std::string_view part = ciphertext.substr(taken, wire_.input.room());
    wire_.input.Append(part);
    taken += part.size();
    if (handshake_done_) return taken;
    handshake_bytes_ += part.size();
    if (absl::Status status = Handshake(); !status.ok()) return status;
  } while (taken < ciphertext.size() && wire_.input.room() > 0);
  return taken;
}

absl::Status Session::ReceiveEnd() {
  transport_ended_ = true;
  if (!status_.ok() || handshake_done_) return status_;
  return Fail(absl::UnavailableError(
      "the connection ended in the middle of the TLS handshake"));
}

absl::Status Session::Handshake() {
  ERR_clear_error();
  const int result = SSL_do_handshake(ssl_.get());
  if (result == 1) return FinishHandshake();
  if (SSL_get_error(ssl_.get(), result) != SSL_ERROR_WANT_READ) {
    return Fail(result);
  }
  if (handshake_bytes_ > kMaxHandshakeBytes) {
    return Fail(absl::UnavailableError(absl::StrCat(
        "the TLS handshake takes more than ", kMaxHandshakeBytes, " bytes")));
  }
  return absl::OkStatus();
}

absl::Status Session::FinishHandshake() {
  const X509Ptr leaf(SSL_get_peer_certificate(ssl_.get()));
  if (leaf != nullptr) {
    if (SSL_session_reused(ssl_.get()) == 1) {
      const std::string why =
          context_->impl().RefuseResumed(leaf.get(), callbacks_);
      if (!why.empty()) return Fail(absl::UnauthenticatedError(why));
    }
    peer_ = IdentityOf(leaf.get());
  }
  handshake_done_ = true;
  return absl::OkStatus();
}

absl::StatusOr<size_t> Session::Write(std::string_view plaintext) {
  if (!status_.ok()) return status_;
  if (closed_) {
    return absl::FailedPreconditionError("the TLS session is closed");
  }
  if (!handshake_done_) return 0;
  ERR_clear_error();
  size_t taken = 0;
  while (taken < plaintext.size() &&
         wire_.output.bytes().size() < max_pending_bytes_) {
    const std::string_view part = plaintext.substr(taken, kRecordBytes);
    const int result =
        SSL_write(ssl_.get(), part.data(), static_cast<int>(part.size()));
    if (result <= 0) {
      const absl::Status failed = Fail(result);
      return failed;
    }
    taken += static_cast<size_t>(result);
  }
  return taken;
}

absl::StatusOr<size_t> Session::Read(absl::Span<char> out) {
  if (!status_.ok()) return status_;
  if (!handshake_done_ || at_end_) return 0;
  ERR_clear_error();
  size_t filled = 0;
  while (filled < out.size()) {
    const size_t room = std::min(out.size() - filled, size_t{1} << 20);
    const int result =
        SSL_read(ssl_.get(), out.data() + filled, static_cast<int>(room));
    if (result > 0) {
      filled += static_cast<size_t>(result);
      continue;
    }
    const int error = SSL_get_error(ssl_.get(), result);
    if (error == SSL_ERROR_ZERO_RETURN) {
      at_end_ = true;
    } else if (error != SSL_ERROR_WANT_READ) {
      Fail(result).IgnoreError();
    } else if (transport_ended_) {
      Fail(absl::DataLossError(
               "the connection ended without a TLS close_notify: data may be "
               "missing"))
          .IgnoreError();
    }
    break;
  }
  // What was whole before an error is handed out first.
  if (filled > 0 || status_.ok()) return filled;
  return status_;
}

absl::Status Session::Close() {
  if (!status_.ok() || closed_) return status_;
  closed_ = true;
  if (!handshake_done_) return absl::OkStatus();
  ERR_clear_error();
  const int result = SSL_shutdown(ssl_.get());
  return result < 0 ? Fail(result) : absl::OkStatus();
}

absl::Status Session::Fail(absl::Status status) {
  status_ = std::move(status);
  ERR_clear_error();
  return status_;
}

absl::Status Session::Fail(int result) {
  const int error = SSL_get_error(ssl_.get(), result);
  if (!callbacks_.refusal.empty()) {
    return Fail(absl::UnauthenticatedError(callbacks_.refusal));
  }
  if (error == SSL_ERROR_ZERO_RETURN) {
    return Fail(absl::UnavailableError(
        "the peer closed TLS in the middle of the handshake"));
  }
  if (error != SSL_ERROR_SSL) {
    return Fail(absl::UnavailableError(
        "the peer makes us send and does not read: too much is pending"));
  }
  return Fail(TlsErrorStatus(handshake_done_));
}

std::string_view Session::alpn() const {
  const unsigned char* data = nullptr;
  unsigned int size = 0;
  SSL_get0_alpn_selected(ssl_.get(), &data, &size);
  return {reinterpret_cast<const char*>(data), size};
}

std::string_view Session::cipher() const {
  const char* name = SSL_get_cipher_name(ssl_.get());
  return name == nullptr ? "" : name;
}

std::string_view Session::sni() const {
  const char* name = SSL_get_servername(ssl_.get(), TLSEXT_NAMETYPE_host_name);
  return name == nullptr ? "" : name;
}

}  // namespace

BioMethodPtr NewSessionBioMethod() {
  BioMethodPtr method(BIO_meth_new(0, "meshlib TLS session"));
  if (method != nullptr) {
    BIO_meth_set_read(method.get(), WireRead);
    BIO_meth_set_write(method.get(), WireWrite);
    BIO_meth_set_ctrl(method.get(), WireControl);
  }
  return method;
}

absl::StatusOr<std::unique_ptr<TlsSession>> TlsSession::Create(
    std::shared_ptr<const TlsContext> context,
    const TlsSessionOptions& options) {
  auto session =
      std::make_unique<Session>(std::move(context), options.max_pending_bytes);
  if (absl::Status status = session->Start(options); !status.ok()) {
    return status;
  }
  return std::unique_ptr<TlsSession>(std::move(session));
}

}  // namespace meshlib::security
