// What TcpCall does for callers that block; all else see tcp_call.cc.
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "client/callbacks.h"
#include "client/tcp_call.h"

namespace meshlib::client {
namespace {

// Large writes of a blocking caller go in pieces, so that what the system does
// not take need not be copied as a whole.
constexpr size_t kPiece = size_t{64} << 10;
constexpr absl::Duration kLongestWait = absl::Hours(1);

}  // namespace

bool TcpCall::Wait(absl::Time deadline) {
  if (core_->Drives()) {
    if (Now() >= deadline) return false;
    mutex_.Unlock();
    core_->Drive();
    mutex_.Lock();
    return true;
  }
  if (deadline == absl::InfiniteFuture()) {
    changed_.Wait(mutex_);
    return true;
  }
  const absl::Duration left = deadline - Now();
  if (left <= absl::ZeroDuration()) return false;
  changed_.WaitFor(mutex_, std::min(left, kLongestWait));
  return true;
}

bool TcpCall::Poll(int descriptor, absl::Time deadline) {
  const absl::Duration left = deadline - Now();
  std::array<pollfd, 2> polled{{{descriptor, POLLIN, 0}, {wake_, POLLIN, 0}}};
  const timespec wait =
      absl::ToTimespec(std::clamp(left, absl::ZeroDuration(), kLongestWait));
  const int ready = ppoll(polled.data(), polled.size(), &wait, nullptr);
  base::MutexLock lock(read_mutex_);
  polling_ = false;
  polled_.NotifyAll();
  return ready > 0 || left > kLongestWait || Now() < deadline;
}

// Waits for no longer than it takes a thread to be woken.
void TcpCall::EndPolling() {
  base::MutexLock lock(read_mutex_);
  may_poll_ = false;
  if (!polling_) return;
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t put = write(wake_, &one, sizeof(one));
  while (polling_) polled_.Wait(read_mutex_);
}

absl::Status TcpCall::WaitConnected() {
  base::MutexLock lock(mutex_);
  while (!is_connected_ && !done_.has_value()) Wait(absl::InfiniteFuture());
  return done_.has_value() ? OwnCopy(*done_) : absl::OkStatus();
}

absl::Status TcpCall::WriteAll(std::string_view bytes, absl::Time deadline) {
  absl::Status may = MayBlock(*core_, *transport_);
  if (!may.ok()) return may;
  while (!bytes.empty()) {
    {
      base::MutexLock lock(mutex_);
      if (done_.has_value()) break;
      writable_ = false;
    }
    const bool room = Write(bytes.substr(0, kPiece));
    bytes.remove_prefix(std::min(kPiece, bytes.size()));
    if (room) continue;
    {
      base::MutexLock lock(write_mutex_);
      if (write_closed_) {
        return absl::FailedPreconditionError("was closed for writing");
      }
    }
    base::MutexLock lock(mutex_);
    while (!writable_ && !done_.has_value()) {
      if (!Wait(deadline)) {
        return absl::DeadlineExceededError("the peer does not take more");
      }
    }
  }
  base::MutexLock lock(mutex_);
  if (!done_.has_value()) return absl::OkStatus();
  if (!done_->ok()) return OwnCopy(*done_);
  return absl::FailedPreconditionError("the connection has ended");
}

absl::StatusOr<bool> TcpCall::ReadSome(std::string& bytes,
                                       absl::Time deadline) {
  const absl::Status may = MayBlock(*core_, *transport_);
  if (!may.ok()) return may;
  bytes.clear();
  while (true) {
    {
      base::MutexLock lock(mutex_);
      readable_ = false;
    }
    int descriptor = -1;
    // Who does the mesh's work has more to wait for than this descriptor.
    const Reading result =
        ReadNow(bytes, core_->Drives() ? nullptr : &descriptor);
    if (result == Reading::kData) return true;
    if (result == Reading::kEnd) return false;
    if (descriptor >= 0) {
      if (Poll(descriptor, deadline)) continue;
      return absl::DeadlineExceededError("the peer sends nothing");
    }
    base::MutexLock lock(mutex_);
    // What failed is told a moment later.
    while (!done_.has_value() && (result == Reading::kFailed || !readable_)) {
      if (!Wait(deadline)) {
        return absl::DeadlineExceededError("the peer sends nothing");
      }
    }
    if (result == Reading::kFailed) return OwnCopy(*done_);
  }
}

}  // namespace meshlib::client
