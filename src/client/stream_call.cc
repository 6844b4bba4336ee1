#include "client/stream_call.h"

#include <utility>
#include <vector>

namespace meshlib::client {
namespace {

using http::AsyncStream;
using net::ClientExchange;

// What is taken of a writer beyond what the connection has taken.
constexpr size_t kWriteBuffer = size_t{64} << 10;

}  // namespace

StreamCall::StreamCall(std::shared_ptr<const CallEnvironment> environment,
                       Target target, http::Request request,
                       std::string_view path,
                       std::shared_ptr<http::StreamObserver> observer,
                       bool anywhere)
    : CallRunner(std::move(environment), std::move(target), std::move(request),
                 path, true),
      anywhere_(anywhere),
      observer_(std::move(observer)) {}

std::shared_ptr<StreamCall> StreamCall::Make(
    std::shared_ptr<const CallEnvironment> environment, Target target,
    http::Request request, std::string_view path,
    std::shared_ptr<http::StreamObserver> observer, bool anywhere) {
  // The application holds it too: in the child of a fork() another thread may
  // have been in it, and it is not destroyed.
  return std::shared_ptr<StreamCall>(
      new StreamCall(std::move(environment), std::move(target),
                     std::move(request), path, std::move(observer), anywhere),
      [](StreamCall* call) {
        if (!call->forked()) delete call;
      });
}

void StreamCall::Begin(bool whole) {
  {
    base::MutexLock lock(mutex_);
    buffer_ = std::move(request_.body);
    closed_ = whole;
    end_told_ = whole;
  }
  Launch(whole);
}

// --- The application's side ---

bool StreamCall::Write(std::string_view bytes) {
  if (forked()) return false;
  {
    base::MutexLock lock(mutex_);
    if (over_ || closed_) return false;
    buffer_ += bytes;
    // Before the poke: whoever makes room must know.
    wants_room_ = !HasRoom();
  }
  active_.store(true, std::memory_order_relaxed);
  Poke(Origin::kElsewhere);
  base::MutexLock lock(mutex_);
  if (over_) return false;
  wants_room_ = !HasRoom();
  return !wants_room_;
}

absl::Status StreamCall::CloseWrite(const http::Headers& trailers) {
  if (forked()) return environment_->core->gate().Check();
  const std::vector<Header> list = ListOf(trailers);
  WireHeaders wire;
  absl::Status status = wire.Assign(list, false);
  if (!status.ok()) return status;
  {
    base::MutexLock lock(mutex_);
    if (over_ || closed_) return absl::OkStatus();
    closed_ = true;
    Append(wire.headers(), trailers_out_);
  }
  Poke(Origin::kElsewhere);
  return absl::OkStatus();
}

AsyncStream::ReadResult StreamCall::Read(std::string& bytes) {
  if (forked()) return AsyncStream::ReadResult::kEnd;
  base::MutexLock lock(mutex_);
  // First: what comes after it is told.
  told_readable_ = false;
  const size_t before = bytes.size();
  if (!rest_.empty()) {
    bytes += std::exchange(rest_, {});
  } else if (source_ != nullptr) {
    source_->TakeBody(bytes);
  }
  if (bytes.size() != before) {
    active_.store(true, std::memory_order_relaxed);
    return AsyncStream::ReadResult::kData;
  }
  return over_ ? AsyncStream::ReadResult::kEnd
               : AsyncStream::ReadResult::kNothing;
}

http::Headers StreamCall::trailers() const {
  if (forked()) return {};
  base::MutexLock lock(mutex_);
  return trailers_;
}

// --- The request ---

bool StreamCall::HasRoom() const {
  return buffer_.size() - flushed_ < kWriteBuffer;
}

void StreamCall::FillBody(net::WireRequest& wire,
                          ClientExchange::Options& options) {
  options.collect = false;
  options.sink = std::static_pointer_cast<StreamCall>(shared_from_this());
  active_.store(true, std::memory_order_relaxed);
  base::MutexLock lock(mutex_);
  // A body that is whole goes out with its length.
  lent_ = closed_ && trailers_out_.empty();
  ended_ = lent_;
  wire.end = lent_;
  wire.body = lent_ ? std::string_view(buffer_) : std::string_view();
  flushed_ = lent_ ? buffer_.size() : 0;
}

bool StreamCall::CanRepeat(size_t limit) const {
  base::MutexLock lock(mutex_);
  return !dropped_ && buffer_.size() <= limit;
}

void StreamCall::OnExchange(ClientExchange& exchange) {
  active_.store(true, std::memory_order_relaxed);
  Poke(Origin::kLoop);
}

void StreamCall::OnProgress() {
  if (active_.exchange(false, std::memory_order_relaxed)) {
    SetIdleDeadline();
  }
  base::MutexLock lock(mutex_);
  if (closed_ && !std::exchange(end_told_, true)) EndRequest(Now());
  if (!ended_) {
    Pump();
  } else if (!lent_) {
    Forget();
  }
}

void StreamCall::Pump() {
  if ((exchange_->events() & ClientExchange::kStarted) == 0) return;
  const bool last = closed_ && trailers_out_.empty();
  if (flushed_ < buffer_.size()) {
    flushed_ +=
        exchange_->Write(std::string_view(buffer_).substr(flushed_), last);
    ended_ = last && flushed_ == buffer_.size();
  }
  if (closed_ && !ended_ && flushed_ == buffer_.size()) EndBody();
  Forget();
}

void StreamCall::EndBody() {
  ended_ = true;
  if (trailers_out_.empty()) {
    exchange_->Write({}, true);
    return;
  }
  // Where they have no place, after a content-length, the body's end is known
  // without them.
  exchange_->WriteTrailers(ListOf(trailers_out_)).IgnoreError();
}

// What can be of no use any more.
void StreamCall::Forget() {
  if (flushed_ == 0) return;
  if (!head_.has_value() && buffer_.size() <= repeat_limit()) return;
  dropped_ = true;
  if (flushed_ == buffer_.size()) {
    buffer_.clear();
  } else if (flushed_ >= kWriteBuffer) {
    buffer_.erase(0, flushed_);
  } else {
    return;
  }
  flushed_ = 0;
}

// --- The response ---

void StreamCall::OnCommitted() {
  FillHead(head_.emplace());
  base::MutexLock lock(mutex_);
  source_ = exchange_;
}

void StreamCall::TakeRest() {
  over_ = true;
  if (source_ != nullptr) std::exchange(source_, nullptr)->TakeBody(rest_);
}

void StreamCall::OnWhole() {
  http::Headers trailers;
  Append(exchange_->trailers(), trailers);
  EndFilters(absl::OkStatus(), trailers);
  base::MutexLock lock(mutex_);
  TakeRest();
  trailers_ = std::move(trailers);
}

void StreamCall::OnAnswered(http::Response response) {
  base::MutexLock lock(mutex_);
  rest_ = std::move(response.body);
  head_ = std::move(response);
  over_ = true;
}

void StreamCall::OnFailed(absl::Status status) {
  status_ = std::move(status);
  base::MutexLock lock(mutex_);
  TakeRest();
}

// --- Telling ---

bool StreamCall::HasNews() {
  if (observer_ == nullptr) return false;
  if (phase_ == Phase::kDone || (head_.has_value() && !head_told_)) return true;
  base::MutexLock lock(mutex_);
  return (wants_room_ && HasRoom()) ||
         (!told_readable_ && source_ != nullptr &&
          (source_->events() & ClientExchange::kBody) != 0);
}

bool StreamCall::TakeReadable() {
  base::MutexLock lock(mutex_);
  if (told_readable_) return false;
  told_readable_ =
      !rest_.empty() ||
      (source_ != nullptr && (source_->events() & ClientExchange::kBody) != 0);
  return told_readable_;
}

bool StreamCall::TakeWritable() {
  base::MutexLock lock(mutex_);
  if (over_ || !wants_room_ || !HasRoom()) return false;
  wants_room_ = false;
  return true;
}

void StreamCall::Tell(Origin origin) {
  if (observer_ == nullptr) return;
  const auto self = std::static_pointer_cast<StreamCall>(shared_from_this());
  if (origin != Origin::kLoop && !anywhere_) {
    if (HasNews()) loop().Post([self] { self->Poke(Origin::kLoop); });
    return;
  }
  TellAll(self);
}

void StreamCall::TellAll(const std::shared_ptr<StreamCall>& self) {
  mesh::Core& core = *environment_->core;
  AsyncStream stream(self);
  if (head_.has_value() && !std::exchange(head_told_, true)) {
    RunCallback(core, [&] { observer_->OnHead(stream, *head_); });
  }
  if (TakeReadable()) RunCallback(core, [&] { observer_->OnReadable(stream); });
  if (TakeWritable()) RunCallback(core, [&] { observer_->OnWritable(stream); });
  if (phase_ != Phase::kDone) return;
  RunCallback(core, [&] {
    std::exchange(observer_, nullptr)->OnDone(stream, status_);
  });
  Conclude();
}

}  // namespace meshlib::client
