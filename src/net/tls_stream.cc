#include "net/tls_stream.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"

namespace meshlib::net {
namespace {

using event::IoResult;

// Two records of the greatest size do not fit; what fits is soon decrypted.
constexpr size_t kReadBytes = 32 * 1024;
constexpr size_t kRecordBytes = 16 * 1024;
// Encrypted and sent with the lock held, in one system call.
constexpr size_t kRoundBytes = 64 * 1024;

absl::Status InHandshake(const absl::Status& status) {
  return {status.code(), absl::StrCat("TLS handshake: ", status.message())};
}

}  // namespace

// What is left of a list of pieces, as runs of bytes that are worth a record.
class TlsStream::Pieces {
 public:
  explicit Pieces(absl::Span<const std::string_view> pieces) : rest_(pieces) {
    SkipEmpty();
  }

  bool empty() const { return rest_.empty(); }

  // The next bytes, without taking them: of one piece, or of several small ones
  // as copied into `record`. At most `limit`.
  std::string_view Next(absl::Span<char> record, size_t limit) const {
    const std::string_view first = rest_.front().substr(offset_);
    if (rest_.size() == 1 || first.size() >= record.size()) {
      return first.substr(0, limit);
    }
    const size_t room = std::min(record.size(), limit);
    size_t filled = 0;
    for (size_t i = 0; i < rest_.size() && filled < room; ++i) {
      const std::string_view part =
          rest_[i].substr(i == 0 ? offset_ : 0, room - filled);
      if (part.empty()) continue;
      memcpy(record.data() + filled, part.data(), part.size());
      filled += part.size();
    }
    return {record.data(), filled};
  }

  void Take(size_t size) {
    while (size > 0) {
      const size_t part = std::min(size, rest_.front().size() - offset_);
      offset_ += part;
      size -= part;
      SkipEmpty();
    }
  }

 private:
  void SkipEmpty() {
    while (!rest_.empty() && offset_ == rest_.front().size()) {
      rest_.remove_prefix(1);
      offset_ = 0;
    }
  }

  absl::Span<const std::string_view> rest_;
  size_t offset_ = 0;  // within the first
};

TlsStream::TlsStream(event::Loop* loop, Context context,
                     security::TlsSessionOptions options,
                     event::StreamHandler* handler)
    : loop_(loop),
      handler_(handler),
      context_(std::move(context)),
      options_(std::move(options)) {}

std::unique_ptr<TlsStream> TlsStream::Connect(
    event::Loop* loop, event::Network* network, std::string_view address,
    absl::Duration timeout, Context context,
    security::TlsSessionOptions options, event::StreamHandler* handler) {
  std::unique_ptr<TlsStream> out(
      new TlsStream(loop, std::move(context), std::move(options), handler));
  out->deadline_ = loop->Now() + timeout;
  out->inner_ = network->Connect(address, timeout, out.get());
  return out;
}

std::unique_ptr<TlsStream> TlsStream::Client(
    event::Loop* loop, std::unique_ptr<event::Stream> connected,
    absl::Duration timeout, Context context,
    security::TlsSessionOptions options, event::StreamHandler* handler) {
  auto out = Over(loop, std::move(connected), timeout, std::move(context),
                  std::move(options), handler);
  // Its first bytes go out when the loop finds that they can.
  const base::MutexLock lock(out->mutex_);
  out->inner_wants_write_ = true;
  out->inner_->WantWrite(true);
  return out;
}

std::unique_ptr<TlsStream> TlsStream::Server(
    event::Loop* loop, std::unique_ptr<event::Stream> accepted,
    absl::Duration timeout, Context context, event::StreamHandler* handler) {
  return Over(loop, std::move(accepted), timeout, std::move(context), {},
              handler);
}

std::unique_ptr<TlsStream> TlsStream::Over(
    event::Loop* loop, std::unique_ptr<event::Stream> connected,
    absl::Duration timeout, Context context,
    security::TlsSessionOptions options, event::StreamHandler* handler) {
  std::unique_ptr<TlsStream> out(
      new TlsStream(loop, std::move(context), std::move(options), handler));
  out->deadline_ = loop->Now() + timeout;
  out->inner_ = std::move(connected);
  out->inner_->SetHandler(out.get());
  out->StartHandshake();
  return out;
}

TlsStream::~TlsStream() {
  if (timer_.has_value()) loop_->Cancel(*timer_);
  CloseWrite();
}

void TlsStream::StartTimer() {
  if (deadline_ == absl::InfiniteFuture()) return;
  timer_ = loop_->RunAt(deadline_, [this] {
    timer_.reset();
    Finish(absl::DeadlineExceededError("TLS handshake timeout"));
  });
}

void TlsStream::OnConnect(absl::Status status) {
  if (!status.ok()) return Finish(std::move(status));
  StartHandshake();
  Handshake();
}

void TlsStream::StartHandshake() {
  {
    const base::MutexLock lock(mutex_);
    phase_ = Phase::kHandshake;
  }
  began_handshake_ = true;
  StartTimer();
  inner_->WantRead(true);
}

void TlsStream::OnReadable() {
  bool tell = false;
  {
    const base::MutexLock lock(mutex_);
    if (phase_ == Phase::kFailed) return;
    tell = phase_ == Phase::kOpen;
    inner_drained_ = false;
    if (tell && !want_read_) return;
  }
  if (!tell) return Handshake();
  Tell(&event::StreamHandler::OnReadable);
}

void TlsStream::OnWritable() {
  bool tell = false;
  {
    const base::MutexLock lock(mutex_);
    if (phase_ == Phase::kFailed) return;
    tell = phase_ == Phase::kOpen;
    // After an error it is Write() that tells of it.
    if (tell && !(Flush() && want_write_)) return;
  }
  if (!tell) return Handshake();
  Tell(&event::StreamHandler::OnWritable);
}

void TlsStream::Handshake() {
  absl::StatusOr<bool> done = false;
  {
    const base::MutexLock lock(mutex_);
    done = AdvanceHandshake();
    Flush();
  }
  if (!done.ok()) return Finish(done.status());
  if (*done) Finish(absl::OkStatus());
}

absl::StatusOr<bool> TlsStream::AdvanceHandshake() {
  if (session_ == nullptr) {
    auto made = security::TlsSession::Create(std::move(context_), options_);
    if (!made.ok()) return made.status();
    session_ = *std::move(made);
  }
  char ciphertext[kReadBytes];
  while (true) {
    Flush();
    const IoResult got = inner_->Read(absl::MakeSpan(ciphertext));
    if (got.code == IoResult::Code::kBlocked) {
      // Only then: the peer may have said why it went away.
      if (!write_error_.ok()) return InHandshake(write_error_);
      return false;
    }
    Feed(got, ciphertext);
    if (!session_->status().ok()) return session_->status();
    if (!read_error_.ok()) return InHandshake(read_error_);
    if (session_->handshake_done()) return true;
    if (got.bytes < sizeof(ciphertext)) return false;
  }
}

void TlsStream::KeepResults() {
  alpn_ = session_->alpn();
  sni_ = session_->sni();
  peer_ = session_->peer();
  version_ = session_->version();
  cipher_ = session_->cipher();
  resumed_ = session_->resumed();
}

void TlsStream::Finish(absl::Status status) {
  if (timer_.has_value()) loop_->Cancel(*std::exchange(timer_, std::nullopt));
  bool close = false;
  {
    const base::MutexLock lock(mutex_);
    if (status.ok()) {
      phase_ = Phase::kOpen;
      KeepResults();
      close = std::exchange(close_write_, false);
      inner_->WantRead(want_read_);
      WantInnerWrite();
      if (ReadableHere()) ReadAgainLater();
    } else {
      phase_ = Phase::kFailed;
      error_ = status;
      inner_->WantRead(false);
      inner_->WantWrite(false);
      inner_->CloseWrite();
    }
  }
  if (close) CloseWrite();
  if (handler_ != nullptr) handler_->OnConnect(std::move(status));
}

void TlsStream::Tell(void (event::StreamHandler::*call)()) {
  if (handler_ == nullptr) return;
  const std::weak_ptr<const bool> alive = alive_;
  (handler_->*call)();
  if (alive.expired()) return;
  const base::MutexLock lock(mutex_);
  if (ReadableHere()) ReadAgainLater();
}

void TlsStream::ReadAgainLater() {
  if (std::exchange(read_posted_, true)) return;
  loop_->Post([this, alive = std::weak_ptr<const bool>(alive_)] {
    if (alive.expired()) return;
    {
      const base::MutexLock lock(mutex_);
      read_posted_ = false;
      if (!ReadableHere()) return;
    }
    Tell(&event::StreamHandler::OnReadable);
  });
}

void TlsStream::WantRead(bool want) {
  const base::MutexLock lock(mutex_);
  want_read_ = want;
  if (phase_ != Phase::kOpen) return;  // Finish() looks again
  inner_->WantRead(want);
  if (ReadableHere()) ReadAgainLater();
}

void TlsStream::WantWrite(bool want) {
  const base::MutexLock lock(mutex_);
  want_write_ = want;
  if (phase_ == Phase::kOpen) WantInnerWrite();
}

void TlsStream::WantInnerWrite() {
  if (phase_ == Phase::kFailed) return;
  const bool want = waiting() || (want_write_ && phase_ == Phase::kOpen);
  if (want == inner_wants_write_) return;
  inner_wants_write_ = want;
  inner_->WantWrite(want);
}

bool TlsStream::Flush() {
  while (waiting() && write_error_.ok()) {
    const std::string_view pending = session_->PendingCiphertext();
    const IoResult sent = inner_->Write({&pending, 1});
    if (sent.code == IoResult::Code::kDone) {
      session_->ConsumeCiphertext(sent.bytes);
      if (sent.bytes < pending.size()) break;
    } else if (sent.code == IoResult::Code::kBlocked) {
      break;
    } else {
      write_error_ = inner_->error();
      if (error_.ok()) error_ = write_error_;
    }
  }
  if (!write_error_.ok() && waiting()) {
    session_->ConsumeCiphertext(session_->PendingCiphertext().size());
  }
  WantInnerWrite();
  if (waiting()) return false;
  if (close_write_ && phase_ == Phase::kOpen && !inner_closed_) {
    inner_closed_ = true;
    inner_->CloseWrite();
  }
  return true;
}

void TlsStream::Feed(IoResult got, const char* ciphertext) {
  // Errors of the session are found in its status.
  switch (got.code) {
    case IoResult::Code::kDone: {
      const auto taken = session_->Receive({ciphertext, got.bytes});
      if (taken.ok() && *taken < got.bytes) {
        read_error_ = absl::InternalError("TLS has no room for its input");
      }
      return;
    }
    case IoResult::Code::kEnded:
      session_->ReceiveEnd().IgnoreError();
      return;
    case IoResult::Code::kFailed:
      read_error_ = inner_->error();
      return;
    case IoResult::Code::kBlocked:
      return;
  }
}

IoResult TlsStream::Failed(absl::Status status) {
  if (error_.ok()) error_ = std::move(status);
  return {IoResult::Code::kFailed, 0};
}

std::optional<IoResult> TlsStream::TakePlaintext(absl::Span<char> into) {
  const absl::StatusOr<size_t> size = session_->Read(into);
  // It may have answered the peer, or tell it what is wrong.
  if (waiting()) Flush();
  if (size.ok() && *size > 0) {
    may_hold_input_ = *size == into.size() || session_->AtEnd() ||
                      !session_->status().ok() || !read_error_.ok();
    return IoResult{IoResult::Code::kDone, *size};
  }
  if (!size.ok()) return Failed(size.status());
  if (session_->AtEnd()) return IoResult{IoResult::Code::kEnded, 0};
  if (!read_error_.ok()) return Failed(read_error_);
  may_hold_input_ = false;
  return std::nullopt;
}

std::optional<IoResult> TlsStream::ReadHeld(absl::Span<char> into) {
  if (phase_ == Phase::kFailed) return IoResult{IoResult::Code::kFailed, 0};
  if (phase_ != Phase::kOpen) return IoResult{IoResult::Code::kBlocked, 0};
  if (waiting()) Flush();
  if (may_hold_input_) return TakePlaintext(into);
  return std::nullopt;
}

IoResult TlsStream::Read(absl::Span<char> into) {
  return ReadWithin(into, absl::ZeroDuration());
}

IoResult TlsStream::ReadWithin(absl::Span<char> into, absl::Duration longest) {
  if (into.empty()) return {IoResult::Code::kDone, 0};
  const bool waits = longest > absl::ZeroDuration();
  {
    const base::MutexLock lock(mutex_);
    if (const auto held = ReadHeld(into)) return *held;
    // The caller waits now, which tells of what has come since.
    if (std::exchange(inner_drained_, false) && !waits) {
      return {IoResult::Code::kBlocked, 0};
    }
  }
  char ciphertext[kReadBytes];
  while (true) {
    const absl::Span<char> space = absl::MakeSpan(ciphertext);
    const IoResult got =
        waits ? inner_->ReadWithin(space, longest) : inner_->Read(space);
    if (got.code == IoResult::Code::kBlocked) return got;
    const base::MutexLock lock(mutex_);
    may_hold_input_ = true;
    Feed(got, ciphertext);
    const bool drained = got.bytes < sizeof(ciphertext);
    if (const auto taken = TakePlaintext(into)) {
      inner_drained_ = drained && got.code == IoResult::Code::kDone;
      return *taken;
    }
    // Who waited does so anew, as long as there is time still.
    if (drained || waits) return {IoResult::Code::kBlocked, 0};
  }
}

IoResult TlsStream::Write(absl::Span<const std::string_view> pieces) {
  Pieces rest(pieces);
  size_t accepted = 0;
  bool sent = true;
  while (sent && !rest.empty()) {
    const base::MutexLock lock(mutex_);
    if (phase_ == Phase::kFailed) return {IoResult::Code::kFailed, 0};
    if (phase_ != Phase::kOpen || !Flush()) break;
    const absl::StatusOr<size_t> taken = EncryptRound(&rest);
    if (taken.ok()) accepted += *taken;
    sent = Flush();
    if (!taken.ok()) return Failed(taken.status());
    if (!write_error_.ok()) return Failed(write_error_);
  }
  const bool blocked = accepted == 0 && !rest.empty();
  return {blocked ? IoResult::Code::kBlocked : IoResult::Code::kDone, accepted};
}

absl::StatusOr<size_t> TlsStream::EncryptRound(Pieces* rest) {
  char record[kRecordBytes];
  size_t round = 0;
  while (!rest->empty() && round < kRoundBytes) {
    const auto taken = session_->Write(
        rest->Next(absl::MakeSpan(record), kRoundBytes - round));
    if (!taken.ok()) return taken.status();
    if (*taken == 0) break;  // as much as may wait
    rest->Take(*taken);
    round += *taken;
  }
  return round;
}

void TlsStream::CloseWrite() {
  const base::MutexLock lock(mutex_);
  if (close_write_ || phase_ == Phase::kFailed) return;
  close_write_ = true;
  if (phase_ != Phase::kOpen) return;  // Finish() looks again
  session_->Close().IgnoreError();
  Flush();
}

void TlsStream::Reset() {
  if (timer_.has_value()) loop_->Cancel(*std::exchange(timer_, std::nullopt));
  const base::MutexLock lock(mutex_);
  phase_ = Phase::kFailed;
  may_hold_input_ = true;
  if (error_.ok()) error_ = absl::CancelledError("reset by this side");
  inner_->Reset();
}

absl::Status TlsStream::error() const {
  const base::MutexLock lock(mutex_);
  return error_;
}

}  // namespace meshlib::net
