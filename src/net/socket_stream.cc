#include "net/socket_stream.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/strings.h"

namespace meshlib::net {
namespace {

using event::IoResult;

constexpr size_t kMostPieces = 64;  // in one system call
constexpr int kSendFlags = MSG_NOSIGNAL | MSG_DONTWAIT;
// Of ReadWithin(). The system's clock for it is too coarse for less.
constexpr int64_t kShortestWaitMs = 16;
constexpr int64_t kLongestWaitMs = int64_t{1} << 20;

std::string NameOf(int fd,
                   int (*ask)(int, sockaddr*, socklen_t*) noexcept(true)) {
  SocketAddress address;
  address.size = sizeof(address.storage);
  if (fd < 0 || ask(fd, address.get(), &address.size) != 0) return "";
  return address.ToString();
}

void SetNoDelay(int fd) {
  const int on = 1;
  // Fails for Unix-domain sockets, which have no such delay.
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

}  // namespace

SocketStream::SocketStream(event::IoLoop* loop, int fd) : loop_(loop), fd_(fd) {
  SetNoDelay(fd);
  Watch();
}

SocketStream::SocketStream(event::IoLoop* loop, std::string_view address,
                           absl::Duration timeout,
                           event::StreamHandler* handler)
    : loop_(loop), handler_(handler), connecting_(true) {
  SetError(Open(address));
  if (!failed_) Watch();
  if (failed_) {
    FinishLater(error());
    return;
  }
  // Also a connection that stands at once is seen as writable by the loop.
  if (timeout != absl::InfiniteDuration()) {
    timer_ = loop_->RunAt(loop_->Now() + timeout, [this] {
      timer_.reset();
      Finish(absl::DeadlineExceededError("connect timeout"));
    });
  }
}

SocketStream::~SocketStream() {
  if (gone_ != nullptr) *gone_ = true;
  if (timer_.has_value()) loop_->Cancel(*timer_);
  Close();
}

absl::Status SocketStream::Open(std::string_view address) {
  const absl::StatusOr<SocketAddress> parsed = SocketAddress::Parse(address);
  if (!parsed.ok()) return parsed.status();
  fd_ = socket(parsed->family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd_ < 0) return SocketError("socket", errno);
  SetNoDelay(fd_);
  if (connect(fd_, parsed->get(), parsed->size) != 0 && errno != EINPROGRESS &&
      errno != EINTR) {
    return SocketError("connect", errno);
  }
  return absl::OkStatus();
}

void SocketStream::Watch() {
  auto watch = loop_->WatchFd(
      fd_, connecting_ ? event::Interest{false, true} : event::Interest{},
      [this](event::Interest ready) { OnReady(ready); });
  if (watch.ok()) {
    watch_ = *watch;
  } else {
    SetError(watch.status());
  }
}

absl::Status SocketStream::error() const {
  const base::MutexLock lock(mutex_);
  return error_;
}

void SocketStream::SetError(absl::Status status) {
  if (status.ok()) return;
  const base::MutexLock lock(mutex_);
  if (error_.ok()) error_ = std::move(status);
  failed_.store(true, std::memory_order_release);
}

event::Interest SocketStream::wanted() const {
  const base::MutexLock lock(mutex_);
  return wanted_;
}

void SocketStream::ApplyInterest() {
  if (watch_.has_value() && !connecting_) {
    loop_->SetInterest(*watch_, wanted_);
  }
}

void SocketStream::WantRead(bool want) {
  const base::MutexLock lock(mutex_);
  if (wanted_.read == want) return;
  wanted_.read = want;
  ApplyInterest();
}

void SocketStream::WantWrite(bool want) {
  const base::MutexLock lock(mutex_);
  if (wanted_.write == want) return;
  wanted_.write = want;
  ApplyInterest();
}

void SocketStream::OnReady(event::Interest ready) {
  if (connecting_) return OnConnected();
  bool gone = false;
  gone_ = &gone;
  if (ready.read && wanted().read && handler_ != nullptr) {
    handler_->OnReadable();
    if (gone) return;
  }
  if (ready.write && wanted().write && handler_ != nullptr) {
    handler_->OnWritable();
    if (gone) return;
  }
  gone_ = nullptr;
}

void SocketStream::OnConnected() {
  int error = 0;
  socklen_t size = sizeof(error);
  if (getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
  Finish(error == 0 ? absl::OkStatus() : SocketError("connect", error));
}

void SocketStream::FinishLater(absl::Status status) {
  timer_ = loop_->RunAt(loop_->Now(), [this, status] {
    timer_.reset();
    Finish(status);
  });
}

void SocketStream::Finish(absl::Status status) {
  if (timer_.has_value()) loop_->Cancel(*std::exchange(timer_, std::nullopt));
  connecting_ = false;
  SetError(status);
  if (status.ok()) {
    const base::MutexLock lock(mutex_);
    ApplyInterest();
  } else {
    Close();
  }
  if (handler_ != nullptr) handler_->OnConnect(std::move(status));
}

event::IoResult SocketStream::Failed(std::string_view what) {
  SetError(SocketError(what, errno));
  return {IoResult::Code::kFailed, 0};
}

event::IoResult SocketStream::Read(absl::Span<char> into) {
  return Receive(into, MSG_DONTWAIT);
}

event::IoResult SocketStream::ReadWithin(absl::Span<char> into,
                                         absl::Duration longest) {
  // A power of two, so that the limit hardly ever changes: timeouts are much
  // longer than answers take.
  int64_t limit = std::min(absl::ToInt64Milliseconds(longest), kLongestWaitMs);
  while ((limit & (limit - 1)) != 0) limit &= limit - 1;
  const bool waits = limit >= kShortestWaitMs &&
                     (receive_limit_ms_ == limit || SetReceiveLimit(limit));
  return Receive(into, waits ? 0 : MSG_DONTWAIT);
}

bool SocketStream::SetReceiveLimit(int64_t limit_ms) {
  if (fd_ < 0) return false;
  const timeval time = absl::ToTimeval(absl::Milliseconds(limit_ms));
  if (setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof(time)) != 0) {
    return false;
  }
  // All other calls say that they do not wait.
  if (receive_limit_ms_ == 0 &&
      fcntl(fd_, F_SETFL, fcntl(fd_, F_GETFL) & ~O_NONBLOCK) != 0) {
    return false;
  }
  receive_limit_ms_ = limit_ms;
  return true;
}

void SocketStream::Interrupt() {
  if (fd_ >= 0) shutdown(fd_, SHUT_RD);
}

event::IoResult SocketStream::Receive(absl::Span<char> into, int flags) {
  if (fd_ < 0) return {IoResult::Code::kFailed, 0};
  if (into.empty()) return {IoResult::Code::kDone, 0};  // would look ended
  while (true) {
    const ssize_t got = recv(fd_, into.data(), into.size(), flags);
    if (got > 0) return {IoResult::Code::kDone, static_cast<size_t>(got)};
    if (got == 0) {
      // After a write that failed, the system may call a reset an end.
      return {failed_.load(std::memory_order_acquire) ? IoResult::Code::kFailed
                                                      : IoResult::Code::kEnded,
              0};
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK) {
      return {IoResult::Code::kBlocked, 0};
    }
    // Time has passed for one who waits.
    if (errno == EINTR && flags == 0) return {IoResult::Code::kBlocked, 0};
    if (errno != EINTR) return Failed("read");
  }
}

event::IoResult SocketStream::Write(absl::Span<const std::string_view> pieces) {
  if (failed_.load(std::memory_order_acquire)) {
    return {IoResult::Code::kFailed, 0};
  }
  std::array<iovec, kMostPieces> vectors;
  const size_t count = std::min(pieces.size(), vectors.size());
  for (size_t i = 0; i < count; ++i) {
    vectors[i] = {const_cast<char*>(pieces[i].data()), pieces[i].size()};
  }
  msghdr message{};
  message.msg_iov = vectors.data();
  message.msg_iovlen = count;
  while (true) {
    // One piece is the rule, and costs the system less to look at.
    const ssize_t sent =
        count == 1 ? send(fd_, pieces[0].data(), pieces[0].size(), kSendFlags)
                   : sendmsg(fd_, &message, kSendFlags);
    if (sent >= 0) return {IoResult::Code::kDone, static_cast<size_t>(sent)};
    if (errno == EAGAIN || errno == EWOULDBLOCK) {
      return {IoResult::Code::kBlocked, 0};
    }
    if (errno != EINTR) return Failed("write");
  }
}

void SocketStream::CloseWrite() {
  if (fd_ >= 0) shutdown(fd_, SHUT_WR);
}

void SocketStream::Reset() {
  if (fd_ < 0) return;
  // With no time to linger, closing sends a reset instead of what is queued.
  const linger now{1, 0};
  setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
  Close();
  SetError(absl::CancelledError("reset by this side"));
}

std::string SocketStream::LocalAddress() const {
  return NameOf(fd_, getsockname);
}
std::string SocketStream::PeerAddress() const {
  return NameOf(fd_, getpeername);
}

void SocketStream::Close() {
  if (watch_.has_value()) loop_->Unwatch(*std::exchange(watch_, std::nullopt));
  if (fd_ >= 0) close(std::exchange(fd_, -1));
}

}  // namespace meshlib::net
