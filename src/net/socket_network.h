#ifndef MESHLIB_NET_SOCKET_NETWORK_H_
#define MESHLIB_NET_SOCKET_NETWORK_H_

#include <memory>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "event/io_loop.h"
#include "event/stream.h"

namespace meshlib::net {

// TCP over IPv4 and IPv6, and Unix-domain sockets. Never raises SIGPIPE.
// Streams and listeners must not outlive the loop; the network may.
class SocketNetwork final : public event::Network {
 public:
  // `loop` is borrowed.
  explicit SocketNetwork(event::IoLoop* loop) : loop_(loop) {}

  // On the loop only. TCP is without Nagle's delay.
  std::unique_ptr<event::Stream> Connect(
      std::string_view address, absl::Duration timeout,
      event::StreamHandler* handler) override;

  // On the loop only. A Unix-domain path is removed with its listener. While
  // descriptors are short, connections wait in the system's queue.
  absl::StatusOr<std::unique_ptr<event::Listener>> Listen(
      std::string_view address, Accept accept) override;

 private:
  event::IoLoop* const loop_;
};

}  // namespace meshlib::net

#endif  // MESHLIB_NET_SOCKET_NETWORK_H_
