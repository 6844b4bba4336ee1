#include "meshlib/http_stream.h"

#include <utility>

#include "client/stream_call.h"
#include "client/stream_waiter.h"

namespace meshlib::http {

Stream::Stream(std::shared_ptr<client::StreamCall> call,
               std::shared_ptr<client::StreamWaiter> waiter)
    : call_(std::move(call)), waiter_(std::move(waiter)) {}

Stream::~Stream() { Cancel(); }

Stream::Stream(Stream&& other) noexcept = default;

Stream& Stream::operator=(Stream&& other) noexcept {
  if (this == &other) return *this;
  Cancel();
  call_ = std::move(other.call_);
  waiter_ = std::move(other.waiter_);
  return *this;
}

absl::Status Stream::Write(std::string_view bytes) {
  return waiter_->Write(*call_, bytes);
}

absl::Status Stream::CloseWrite(const Headers& trailers) {
  return call_->CloseWrite(trailers);
}

absl::StatusOr<ResponseHead> Stream::ReadHead() {
  return waiter_->ReadHead(*call_);
}

absl::StatusOr<bool> Stream::Read(std::string& bytes) {
  return waiter_->Read(*call_, bytes);
}

Headers Stream::trailers() const { return call_->trailers(); }

void Stream::Cancel() {
  if (call_ != nullptr) call_->Cancel();
}

AsyncStream::AsyncStream(std::shared_ptr<client::StreamCall> call)
    : call_(std::move(call)) {}

bool AsyncStream::Write(std::string_view bytes) {
  return call_ != nullptr && call_->Write(bytes);
}

absl::Status AsyncStream::CloseWrite(const Headers& trailers) {
  return call_ == nullptr ? absl::OkStatus() : call_->CloseWrite(trailers);
}

AsyncStream::ReadResult AsyncStream::Read(std::string& bytes) {
  return call_ == nullptr ? ReadResult::kEnd : call_->Read(bytes);
}

Headers AsyncStream::trailers() const {
  return call_ == nullptr ? Headers() : call_->trailers();
}

void AsyncStream::Cancel() {
  if (call_ != nullptr) call_->Cancel();
}

}  // namespace meshlib::http
