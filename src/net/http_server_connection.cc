#include "net/http_server_connection.h"

#include <algorithm>
#include <utility>

#include "net/http_server.h"
#include "net/server_http1.h"
#include "net/server_http2.h"

namespace meshlib::net {
namespace {

using event::IoResult;

constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
// In one turn of the loop; then others have theirs.
constexpr int kReads = 4;
constexpr int kWrites = 16;
constexpr size_t kKeptOutputBytes = size_t{1} << 20;
// Bytes that were sent, which a slow reader's output does without.
constexpr size_t kReclaimedBytes = size_t{64} << 10;

}  // namespace

HttpServerConnection::HttpServerConnection(
    HttpServer& server, std::unique_ptr<event::Stream> stream, bool handshakes)
    : server_(server),
      stream_(std::move(stream)),
      phase_(handshakes ? Phase::kHandshake : Phase::kDetect),
      now_(server.loop_->Now()),
      phase_began_(now_) {}

HttpServerConnection::~HttpServerConnection() {
  in_batch_ = true;  // what handlers still ask for is not looked after
  if (timer_.has_value()) server_.loop_->Cancel(*timer_);
  if (session_ != nullptr) {
    session_->Lost(absl::UnavailableError("the connection is gone"));
    session_->Reap();
  }
}

void HttpServerConnection::Start() {
  peer_.address = stream_->PeerAddress();
  stream_->SetHandler(this);
  BeginBatch();
  if (phase_ == Phase::kDetect) ChooseProtocol();
  EndBatch();
}

const ServerOptions& HttpServerConnection::options() const {
  return server_.options_;
}
ServerStats& HttpServerConnection::stats() { return server_.stats_; }
ServerHandlerFactory& HttpServerConnection::factory() {
  return *server_.factory_;
}

// ---- Batches

void HttpServerConnection::BeginBatch() {
  in_batch_ = true;
  now_ = server_.loop_->Now();
  if (out_.capacity() < server_.spare_output_.capacity() && out_.empty()) {
    out_.swap(server_.spare_output_);
  }
}

void HttpServerConnection::EndBatch() {
  Flush();
  CloseIfDue();
  if (session_ != nullptr) session_->Reap();
  if (out_.empty()) {
    if (out_.capacity() <= kKeptOutputBytes) server_.spare_output_.swap(out_);
    std::string().swap(out_);
  }
  in_batch_ = false;
  if (phase_ == Phase::kOver) return server_.Destroy(this);
  // Also where the last write was taken whole: more goes when there is room.
  if (unsent() > 0 && !std::exchange(blocked_, true)) write_began_ = now_;
  UpdateInterest();
  ArmTimer();
}

void HttpServerConnection::Touch() {
  if (in_batch_ || std::exchange(touched_, true)) return;
  server_.Touch(this);
}

void HttpServerConnection::RunTouched() {
  touched_ = false;
  BeginBatch();
  EndBatch();
}

// ---- Events of the stream

void HttpServerConnection::OnConnect(absl::Status status) {
  BeginBatch();
  if (!status.ok()) {
    ++stats().failed_handshakes;
    phase_ = Phase::kOver;
  } else if (phase_ == Phase::kHandshake) {
    server_.security_->Describe(*stream_, peer_);
    phase_ = Phase::kDetect;
    phase_began_ = now_;
    ChooseProtocol();
  }
  EndBatch();
}

void HttpServerConnection::OnReadable() {
  BeginBatch();
  ReadSome();
  EndBatch();
}

void HttpServerConnection::OnWritable() {
  BeginBatch();
  in_stream_ = false;
  if (unsent() == 0) blocked_ = false;  // else when bytes have gone
  EndBatch();
}

void HttpServerConnection::ReadSome() {
  const absl::Span<char> into(server_.read_buffer_.get(),
                              HttpServer::kReadBytes);
  for (int i = 0; i < kReads; ++i) {
    const IoResult result = stream_->Read(into);
    if (result.bytes > 0) {
      stats().bytes_received += result.bytes;
      Receive(std::string_view(into.data(), result.bytes));
    }
    if (result.code == IoResult::Code::kFailed) return Fail(stream_->error());
    if (result.code == IoResult::Code::kEnded) {
      ended_ = true;
      if (phase_ == Phase::kServe) {
        session_->ReceiveEnd();
      } else {
        phase_ = Phase::kOver;
      }
      return;
    }
    // A short read has emptied the socket, most likely.
    if (result.code == IoResult::Code::kBlocked || result.bytes < into.size() ||
        phase_ == Phase::kOver ||
        (phase_ == Phase::kServe && !session_->WantsInput())) {
      return;
    }
  }
}

void HttpServerConnection::Receive(std::string_view bytes) {
  switch (phase_) {
    case Phase::kDetect:
      return Detect(bytes);
    case Phase::kServe:
      if (closing_ == Closing::kNo) session_->Receive(bytes);
      return;
    case Phase::kLinger:
      return Discard(bytes.size());
    case Phase::kHandshake:
    case Phase::kOver:
      return;
  }
}

void HttpServerConnection::ChooseProtocol() {
  const ServerProtocol known = options().protocol;
  if (peer_.alpn == "h2") {
    Serve(true);
  } else if (!peer_.alpn.empty()) {
    Serve(false);
  } else if (known != ServerProtocol::kDetect) {
    Serve(known == ServerProtocol::kHttp2);
  }
}

// HTTP/2 begins with its preface; nothing else does.
void HttpServerConnection::Detect(std::string_view bytes) {
  first_bytes_.append(bytes);
  const size_t compared = std::min(first_bytes_.size(), kPreface.size());
  const bool http2 =
      kPreface.compare(0, compared, first_bytes_, 0, compared) == 0;
  if (http2 && compared < kPreface.size()) return;
  Serve(http2);
  const std::string first = std::exchange(first_bytes_, {});
  session_->Receive(first);
}

void HttpServerConnection::Serve(bool http2) {
  if (http2) {
    session_ = std::make_unique<Http2ServerSession>(*this);
  } else {
    session_ = std::make_unique<Http1ServerSession>(*this);
  }
  http2_ = http2;
  phase_ = Phase::kServe;
  if (draining_) session_->Drain();
}

// What comes too late is read, lest the peer be told of a reset before it
// has read our last words.
void HttpServerConnection::Discard(size_t bytes) {
  discarded_ += bytes;
  if (discarded_ > options().max_discarded) phase_ = Phase::kOver;
}

void HttpServerConnection::Fail(const absl::Status& reason) {
  if (session_ != nullptr) session_->Lost(reason);
  phase_ = Phase::kOver;
}

// ---- Output

void HttpServerConnection::Flush() {
  for (int i = 0; i < kWrites; ++i) {
    if (phase_ == Phase::kOver || closing_ == Closing::kAbort) return;
    if (unsent() > 0 && !WriteOut()) return;
    MakeOutput();
    if (unsent() == 0) return;
  }
}

void HttpServerConnection::MakeOutput() {
  if (phase_ != Phase::kServe || last_output_made_) return;
  last_output_made_ = closing_ != Closing::kNo;
  session_->MakeOutput();
  out_.append(std::exchange(raw_, {}));
}

bool HttpServerConnection::WriteOut() {
  while (unsent() > 0) {
    const std::string_view piece = std::string_view(out_).substr(sent_);
    const IoResult result = stream_->Write({&piece, 1});
    if (result.code == IoResult::Code::kBlocked) {
      if (sent_ > kReclaimedBytes) {
        out_.erase(0, sent_);
        sent_ = 0;
      }
      return false;
    }
    if (result.code != IoResult::Code::kDone) {
      Fail(stream_->error());
      return false;
    }
    stats().bytes_sent += result.bytes;
    sent_ += result.bytes;
    blocked_ = false;
    in_stream_ = peer_.tls;
  }
  out_.clear();
  sent_ = 0;
  return true;
}

void HttpServerConnection::CloseIfDue() {
  if (phase_ == Phase::kOver) return;
  if (closing_ == Closing::kAbort) {
    stream_->Reset();
    return Fail(absl::CancelledError("reset by this side"));
  }
  if (unsent() > 0) return;
  if (phase_ == Phase::kServe && closing_ == Closing::kNo &&
      session_->Finished()) {
    closing_ = Closing::kGently;
  }
  if (draining_ && phase_ < Phase::kServe && now_ >= NextDeadline()) {
    phase_ = Phase::kOver;
  }
  if (end_output_ ||
      (closing_ == Closing::kGently && phase_ < Phase::kLinger)) {
    end_output_ = false;
    stream_->CloseWrite();
  }
  if (closing_ == Closing::kFlushed ||
      (closing_ == Closing::kGently && ended_)) {
    if (!in_stream_) return Fail(absl::UnavailableError("closed by this side"));
    if (!std::exchange(blocked_, true)) write_began_ = now_;
  } else if (closing_ == Closing::kGently && phase_ == Phase::kServe) {
    session_->Lost(absl::UnavailableError("closed by this side"));
    phase_ = Phase::kLinger;
    phase_began_ = now_;
  }
}

void HttpServerConnection::Drain() {
  draining_ = true;
  if (session_ != nullptr) session_->Drain();
  Touch();
}

void HttpServerConnection::Abort() {
  closing_ = Closing::kAbort;
  Touch();
}

void HttpServerConnection::CloseNow() {
  closing_ = std::max(closing_, Closing::kFlushed);
  Touch();
}

void HttpServerConnection::CloseGently() {
  closing_ = std::max(closing_, Closing::kGently);
  Touch();
}

void HttpServerConnection::EndOutput() {
  end_output_ = true;
  Touch();
}

void HttpServerConnection::WriteRaw(std::string_view bytes) {
  (http2_ ? raw_ : out_).append(bytes);
  Touch();
}

// ---- Interest and time

void HttpServerConnection::UpdateInterest() {
  bool read = !ended_;
  if (phase_ == Phase::kHandshake) read = false;
  if (phase_ == Phase::kServe) read = read && session_->WantsInput();
  stream_->WantRead(read);
  stream_->WantWrite(unsent() > 0 || blocked_);
}

// With a connection that does not serve yet.
absl::Duration HttpServerConnection::Patience(absl::Duration timeout) const {
  if (!draining_) return timeout;
  return std::min(timeout, options().drain_grace);
}

absl::Time HttpServerConnection::NextDeadline() const {
  const ServerOptions& o = options();
  absl::Time due = absl::InfiniteFuture();
  if (blocked_) due = write_began_ + o.write_timeout;
  switch (phase_) {
    case Phase::kHandshake:
      return std::min(due, phase_began_ + Patience(o.handshake_timeout));
    case Phase::kDetect:
      return std::min(due, phase_began_ + Patience(o.header_timeout));
    case Phase::kServe:
      return std::min(due, session_->NextTick());
    case Phase::kLinger:
      return std::min(due, phase_began_ + o.linger_timeout);
    case Phase::kOver:
      break;
  }
  return due;
}

// A deadline moves on with every request: the timer stays where it is, and
// looks again when it fires.
void HttpServerConnection::ArmTimer() {
  const absl::Time due = NextDeadline();
  if (timer_.has_value() && timer_at_ <= due) return;
  if (timer_.has_value()) server_.loop_->Cancel(*timer_);
  timer_.reset();
  if (due == absl::InfiniteFuture()) return;
  timer_at_ = due;
  timer_ = server_.loop_->RunAt(due, [this] { OnTimer(); });
}

void HttpServerConnection::OnTimer() {
  timer_.reset();
  BeginBatch();
  const ServerOptions& o = options();
  if (now_ >= NextDeadline()) {
    if (blocked_ && now_ >= write_began_ + o.write_timeout) {
      ++stats().write_timeouts;
      closing_ = Closing::kAbort;
    } else if (phase_ == Phase::kServe) {
      session_->Tick();
    } else {
      if (phase_ == Phase::kHandshake && !draining_) {
        ++stats().handshake_timeouts;
      }
      if (phase_ == Phase::kDetect && !draining_) ++stats().header_timeouts;
      phase_ = Phase::kOver;
    }
  }
  EndBatch();
}

}  // namespace meshlib::net
