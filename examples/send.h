#ifndef MESHLIB_EXAMPLES_SEND_H_
#define MESHLIB_EXAMPLES_SEND_H_

// What stands for an application's own RPC framework in own_rpc.cc: a request
// over a socket of its own, blocking, HTTP/1.0, only to "IPv4:PORT".

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <string>
#include <string_view>

#include "absl/time/clock.h"
#include "meshlib/outcome.h"

inline meshlib::Outcome Send(std::string_view address) {
  using meshlib::Outcome;
  const std::string text(address);
  const size_t colon = text.rfind(':');
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(std::strtoul(text.c_str() + colon + 1, nullptr, 10));
  inet_pton(AF_INET, text.substr(0, colon).c_str(), &to.sin_addr);
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  std::string answer;
  bool connected =
      connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0;
  if (connected) {
    constexpr std::string_view kRequest = "GET /hello HTTP/1.0\r\n\r\n";
    connected = write(fd, kRequest.data(), kRequest.size()) > 0;
    char buffer[1024];
    for (ssize_t n; (n = read(fd, buffer, sizeof buffer)) > 0;) {
      answer.append(buffer, n);
    }
  }
  close(fd);
  std::cout << (connected ? "answered\n" : "refused\n");
  if (!connected) return Outcome::Failure(Outcome::Kind::kConnectFailure);
  if (answer.size() < 12) return Outcome::Failure(Outcome::Kind::kReset);
  // "HTTP/1.0 200 OK"
  return Outcome::Http(std::atoi(answer.c_str() + 9));
}

inline void Wait(absl::Duration time) { absl::SleepFor(time); }

#endif  // MESHLIB_EXAMPLES_SEND_H_
