#include "net/socket_address.h"

#include <arpa/inet.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <cerrno>
#include <cstddef>
#include <cstring>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/strings.h"

namespace meshlib::net {
namespace {

constexpr std::string_view kUnix = "unix:";

absl::Status Refuse(std::string_view text, absl::string_view why) {
  return absl::InvalidArgumentError(
      absl::StrCat("address \"", base::Excerpt(text), "\": ", why));
}

absl::StatusOr<SocketAddress> ParseUnix(std::string_view text) {
  const std::string_view path = text.substr(kUnix.size());
  SocketAddress out;
  auto* const name = reinterpret_cast<sockaddr_un*>(&out.storage);
  if (path.empty()) return Refuse(text, "there is no path");
  // A path ends with a NUL, an abstract name begins with one.
  const bool abstract = path[0] == '@';
  if (path.size() + (abstract ? 0 : 1) > sizeof(name->sun_path)) {
    return Refuse(text, absl::StrCat("the path has more than ",
                                     sizeof(name->sun_path) - 1, " bytes"));
  }
  if (path.find('\0') != std::string_view::npos) {
    return Refuse(text, "the path has a NUL");
  }
  name->sun_family = AF_UNIX;
  std::memcpy(name->sun_path, path.data(), path.size());
  if (abstract) name->sun_path[0] = '\0';
  out.size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) +
                                    path.size() + (abstract ? 0 : 1));
  return out;
}

}  // namespace

absl::StatusOr<SocketAddress> SocketAddress::Parse(std::string_view text) {
  if (text.substr(0, kUnix.size()) == kUnix) return ParseUnix(text);
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return Refuse(text, "there is no port");
  std::string host(text.substr(0, colon));
  uint32_t port = 0;
  if (!absl::SimpleAtoi(base::ToAbsl(text.substr(colon + 1)), &port) ||
      port > 65535) {
    return Refuse(text, "the port is no number from 0 to 65535");
  }
  SocketAddress out;
  auto* const v4 = reinterpret_cast<sockaddr_in*>(&out.storage);
  if (inet_pton(AF_INET, host.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(static_cast<uint16_t>(port));
    out.size = sizeof(*v4);
    return out;
  }
  if (host.size() < 2 || host.front() != '[' || host.back() != ']') {
    return Refuse(text, "neither an IPv4 address nor an IPv6 one in brackets");
  }
  host = host.substr(1, host.size() - 2);
  out = SocketAddress();
  auto* const v6 = reinterpret_cast<sockaddr_in6*>(&out.storage);
  if (inet_pton(AF_INET6, host.c_str(), &v6->sin6_addr) != 1) {
    return Refuse(text, "there is no IPv6 address in the brackets");
  }
  v6->sin6_family = AF_INET6;
  v6->sin6_port = htons(static_cast<uint16_t>(port));
  out.size = sizeof(*v6);
  return out;
}

std::string SocketAddress::ToString() const {
  char text[INET6_ADDRSTRLEN] = {};
  if (family() == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(&storage);
    inet_ntop(AF_INET, &v4->sin_addr, text, sizeof(text));
    return absl::StrCat(text, ":", ntohs(v4->sin_port));
  }
  if (family() == AF_INET6) {
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&storage);
    inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof(text));
    return absl::StrCat("[", text, "]:", ntohs(v6->sin6_port));
  }
  const auto* name = reinterpret_cast<const sockaddr_un*>(&storage);
  constexpr size_t kPath = offsetof(sockaddr_un, sun_path);
  std::string out(kUnix);
  if (size <= kPath) return out;
  const size_t length = size - kPath;
  if (name->sun_path[0] != '\0') {
    return out.append(name->sun_path, strnlen(name->sun_path, length));
  }
  return out.append("@").append(name->sun_path + 1, length - 1);
}

absl::Status SocketError(std::string_view what, int error) {
  const std::string text =
      absl::StrCat(base::ToAbsl(what), ": ", base::SystemError(error));
  return error == EMFILE || error == ENFILE || error == ENOBUFS ||
                 error == ENOMEM
             ? absl::ResourceExhaustedError(text)
             : absl::UnavailableError(text);
}

bool PeerHasAll(int fd) {
  tcp_info info{};
  socklen_t size = sizeof(info);
  if (fd < 0 || getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0 ||
      size < offsetof(tcp_info, tcpi_bytes_retrans) + sizeof(uint64_t)) {
    return true;
  }
  // The SYN, which has a number of its own, is acknowledged like a byte.
  return info.tcpi_bytes_sent - info.tcpi_bytes_retrans < info.tcpi_bytes_acked;
}

}  // namespace meshlib::net
