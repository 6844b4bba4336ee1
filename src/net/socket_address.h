#ifndef MESHLIB_NET_SOCKET_ADDRESS_H_
#define MESHLIB_NET_SOCKET_ADDRESS_H_

#include <sys/socket.h>

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace meshlib::net {

// An address as the system takes it. "10.0.0.1:80", "[::1]:80", "unix:/path"
// and, for Linux's abstract names, "unix:@name". A value.
struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;

  // InvalidArgument says what is wrong with it. Never asks DNS.
  static absl::StatusOr<SocketAddress> Parse(std::string_view text);

  int family() const { return storage.ss_family; }
  const sockaddr* get() const {
    return reinterpret_cast<const sockaddr*>(&storage);
  }
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
  // As Parse() takes it; "unix:" for a socket without a name.
  std::string ToString() const;
};

// What a system call `what` failed with: ResourceExhausted where descriptors
// or memory are short, else Unavailable.
absl::Status SocketError(std::string_view what, int error);

// Whether the other end of the TCP connection `fd`, its system that is, has
// got all that was written. True where nobody knows: other sockets, -1.
bool PeerHasAll(int fd);

}  // namespace meshlib::net

#endif  // MESHLIB_NET_SOCKET_ADDRESS_H_
