#include "client/stream_waiter.h"

#include <algorithm>

namespace meshlib::client {
namespace {

using ReadResult = http::AsyncStream::ReadResult;

// Large writes go in pieces, so that they need not be copied as a whole.
constexpr size_t kPiece = size_t{64} << 10;

}  // namespace

absl::Status StreamWaiter::Write(StreamCall& call, std::string_view bytes) {
  absl::Status may = MayBlock(call.environment());
  if (!may.ok()) return may;
  if (call.closed()) {
    return absl::FailedPreconditionError("the request has ended");
  }
  while (!bytes.empty()) {
    {
      base::MutexLock lock(mutex_);
      if (done_.has_value()) break;
      writable_ = false;
    }
    const bool room = call.Write(bytes.substr(0, kPiece));
    bytes.remove_prefix(std::min(kPiece, bytes.size()));
    base::MutexLock lock(mutex_);
    while (!room && !writable_ && !done_.has_value()) Wait(call);
  }
  base::MutexLock lock(mutex_);
  if (!done_.has_value()) return absl::OkStatus();
  if (!done_->ok()) return *done_;
  return absl::FailedPreconditionError(
      "the response is whole: the host wants no more of the request");
}

absl::StatusOr<http::ResponseHead> StreamWaiter::ReadHead(StreamCall& call) {
  const absl::Status may = MayBlock(call.environment());
  if (!may.ok()) return may;
  base::MutexLock lock(mutex_);
  while (!head_.has_value() && !done_.has_value()) Wait(call);
  if (head_.has_value()) return *head_;
  return *done_;
}

absl::StatusOr<bool> StreamWaiter::Read(StreamCall& call, std::string& bytes) {
  const absl::Status may = MayBlock(call.environment());
  if (!may.ok()) return may;
  bytes.clear();
  while (true) {
    {
      base::MutexLock lock(mutex_);
      readable_ = false;
    }
    const ReadResult result = call.Read(bytes);
    if (result == ReadResult::kData) return true;
    base::MutexLock lock(mutex_);
    // At the end nothing else comes but OnDone().
    while (!done_.has_value() && (result == ReadResult::kEnd || !readable_)) {
      Wait(call);
    }
    if (result != ReadResult::kEnd) continue;
    if (!done_->ok()) return *done_;
    return false;
  }
}

void StreamWaiter::Wait(const StreamCall& call) {
  mesh::Core& core = *call.environment().core;
  if (!core.Drives()) return changed_.Wait(mutex_);
  mutex_.Unlock();
  core.Drive();
  mutex_.Lock();
}

void StreamWaiter::OnHead(http::AsyncStream& stream,
                          const http::ResponseHead& head) {
  base::MutexLock lock(mutex_);
  head_ = head;
  changed_.NotifyAll();
}

void StreamWaiter::OnReadable(http::AsyncStream& stream) {
  base::MutexLock lock(mutex_);
  readable_ = true;
  changed_.NotifyAll();
}

void StreamWaiter::OnWritable(http::AsyncStream& stream) {
  base::MutexLock lock(mutex_);
  writable_ = true;
  changed_.NotifyAll();
}

void StreamWaiter::OnDone(http::AsyncStream& stream,
                          const absl::Status& status) {
  base::MutexLock lock(mutex_);
  done_ = status;
  changed_.NotifyAll();
}

}  // namespace meshlib::client
