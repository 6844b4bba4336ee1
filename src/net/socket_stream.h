#ifndef MESHLIB_NET_SOCKET_STREAM_H_
#define MESHLIB_NET_SOCKET_STREAM_H_

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/mutex.h"
#include "event/io_loop.h"
#include "event/stream.h"
#include "net/socket_address.h"

namespace meshlib::net {

// A connected socket, or one that is being connected.
class SocketStream final : public event::Stream {
 public:
  // A connection that was accepted; takes the descriptor.
  SocketStream(event::IoLoop* loop, int fd);
  // A connection to come. `handler` is told how it went, later.
  SocketStream(event::IoLoop* loop, std::string_view address,
               absl::Duration timeout, event::StreamHandler* handler);
  ~SocketStream() override;

  event::IoResult Read(absl::Span<char> into) override;
  bool CanWait() const override { return true; }
  event::IoResult ReadWithin(absl::Span<char> into,
                             absl::Duration longest) override;
  void Interrupt() override;
  event::IoResult Write(absl::Span<const std::string_view> pieces) override;
  void WantRead(bool want) override;
  void WantWrite(bool want) override;
  void CloseWrite() override;
  void Reset() override;
  int Descriptor() const override { return fd_; }
  absl::Status error() const override;
  void SetHandler(event::StreamHandler* handler) override {
    handler_ = handler;
  }
  std::string LocalAddress() const override;
  std::string PeerAddress() const override;

 private:
  absl::Status Open(std::string_view address);
  void Watch();
  // Wants the whole of `wanted_` of the loop, once connected.
  void ApplyInterest() MESHLIB_REQUIRES(mutex_);
  event::Interest wanted() const;
  void OnReady(event::Interest ready);
  void OnConnected();
  // Tells the handler soon, from the loop.
  void FinishLater(absl::Status status);
  void Finish(absl::Status status);
  event::IoResult Failed(std::string_view what);
  // Keeps the first.
  void SetError(absl::Status status);
  event::IoResult Receive(absl::Span<char> into, int flags);
  // How long the system lets calls wait that do.
  bool SetReceiveLimit(int64_t limit_ms);
  void Close();

  event::IoLoop* const loop_;
  event::StreamHandler* handler_ = nullptr;
  int fd_ = -1;
  std::atomic<bool> connecting_{false};
  std::optional<event::IoLoop::WatchId> watch_;
  std::optional<event::Loop::TimerId> timer_;  // of the connect
  // Of the reading half. 0: the descriptor does not block.
  int64_t receive_limit_ms_ = 0;
  // What both halves touch.
  mutable base::Mutex mutex_;
  event::Interest wanted_ MESHLIB_GUARDED_BY(mutex_);
  absl::Status error_ MESHLIB_GUARDED_BY(mutex_);
  std::atomic<bool> failed_{false};  // whether there is an error_
  // Set while a handler runs: it may destroy the stream.
  bool* gone_ = nullptr;
};

}  // namespace meshlib::net

#endif  // MESHLIB_NET_SOCKET_STREAM_H_
