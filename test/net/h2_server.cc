// The server session on blocking sockets, one connection at a time, for a look
// with other people's clients:
//   meshlib_h2_server        prints the port it listens on
//   h2load -n 10000 -m 64 http://127.0.0.1:PORT/
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>

#include "net/http2/session.h"

namespace meshlib::net {
namespace {

// Echoes what it is sent; "ok" where nothing is.
class Echo : public StreamHandler, public Http2SessionHandler {
 public:
  StreamHandler* OnRequest(Http2Stream&) override { return this; }
  void OnHeaders(Http2Stream& stream, absl::Span<const Header>,
                 bool end_stream) override {
    (void)stream.SendHeaders({{":status", "200"}}, false);
    if (end_stream) stream.Write("ok", true);
  }
  // What does not fit is dropped: this is a demonstration.
  void OnData(Http2Stream& stream, std::string_view bytes,
              bool end_stream) override {
    stream.Write(bytes, end_stream);
    stream.Consume(bytes.size());
  }
  void OnTrailers(Http2Stream& stream, absl::Span<const Header>) override {
    (void)stream.SendTrailers({});
  }
  void OnReset(Http2Stream&, const StreamReset&) override {}
  void OnClosed(Http2Stream&) override {}
};

void Serve(int fd) {
  Echo echo;
  const auto session = Http2Session::Server({}, echo, absl::Now());
  char in[64 << 10];
  std::string out;
  while (true) {
    while (session->HasOutput()) {
      out.clear();
      (void)session->TakeOutput(out);
      if (send(fd, out.data(), out.size(), MSG_NOSIGNAL) < 0) return;
    }
    if (!session->status().ok()) break;
    const ssize_t n = recv(fd, in, sizeof in, 0);
    if (n <= 0) break;
    (void)session->Receive({in, static_cast<size_t>(n)}, absl::Now());
  }
  session->ConnectionLost(absl::UnavailableError("closed"));
  printf("%s, %d requests\n", session->status().ToString().c_str(),
         static_cast<int>(session->stats().streams));
}

}  // namespace
}  // namespace meshlib::net

int main() {
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (bind(listener, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      listen(listener, 16) != 0 ||
      getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) !=
          0) {
    perror("meshlib_h2_server");
    return 1;
  }
  printf("%d\n", ntohs(address.sin_port));
  fflush(stdout);
  while (true) {
    const int fd = accept(listener, nullptr, nullptr);
    if (fd < 0) return 1;
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    meshlib::net::Serve(fd);
    close(fd);
    fflush(stdout);
  }
}
