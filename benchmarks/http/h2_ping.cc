// The least that an HTTP/2 client can do: one request after the other on a
// blocking thread, with nghttp2 and nothing else. Prints one line of JSON.
//
//   h2_ping PORT SECONDS
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <nghttp2/nghttp2.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace {

using SteadyClock = std::chrono::steady_clock;

struct Ping {
  int fd = -1;
  bool done = false;
};

int OnClose(nghttp2_session*, int32_t, uint32_t, void* user) {
  static_cast<Ping*>(user)->done = true;
  return 0;
}

bool SendAll(nghttp2_session* session, int fd) {
  const uint8_t* data = nullptr;
  while (true) {
    const ssize_t size = nghttp2_session_mem_send(session, &data);
    if (size <= 0) return size == 0;
    if (send(fd, data, static_cast<size_t>(size), MSG_NOSIGNAL) != size) {
      return false;
    }
  }
}

nghttp2_nv Nv(const char* name, const char* value) {
  return {reinterpret_cast<uint8_t*>(const_cast<char*>(name)),
          reinterpret_cast<uint8_t*>(const_cast<char*>(value)), strlen(name),
          strlen(value), NGHTTP2_NV_FLAG_NONE};
}

bool Call(nghttp2_session* session, Ping& ping) {
  const nghttp2_nv headers[] = {Nv(":method", "GET"), Nv(":scheme", "http"),
                                Nv(":authority", "echo"), Nv(":path", "/")};
  ping.done = false;
  nghttp2_submit_request(session, nullptr, headers, 4, nullptr, nullptr);
  if (!SendAll(session, ping.fd)) return false;
  uint8_t buffer[16384];
  while (!ping.done) {
    const ssize_t size = recv(ping.fd, buffer, sizeof(buffer), 0);
    if (size <= 0 || nghttp2_session_mem_recv(session, buffer,
                                              static_cast<size_t>(size)) < 0) {
      return false;
    }
  }
  return SendAll(session, ping.fd);
}

int Main(int argc, char** argv) {
  if (argc != 3) return 2;
  Ping ping;
  ping.fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(atoi(argv[1])));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(ping.fd, reinterpret_cast<sockaddr*>(&address),
              sizeof(address)) != 0) {
    perror("connect");
    return 1;
  }
  const int on = 1;
  setsockopt(ping.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  nghttp2_session_callbacks* callbacks = nullptr;
  nghttp2_session_callbacks_new(&callbacks);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, OnClose);
  nghttp2_session* session = nullptr;
  nghttp2_session_client_new(&session, callbacks, &ping);
  nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, nullptr, 0);
  const auto begin = SteadyClock::now();
  const auto end =
      begin + std::chrono::milliseconds(static_cast<int>(atof(argv[2]) * 1000));
  std::vector<float> all;
  auto now = begin;
  while (now < end) {
    if (!Call(session, ping)) return 1;
    const auto then = now;
    now = SteadyClock::now();
    all.push_back(std::chrono::duration<float, std::micro>(now - then).count());
  }
  std::sort(all.begin(), all.end());
  printf(
      "{\"calls\": %zu, \"rate\": %.0f, \"p50_us\": %.1f, \"p99_us\": %.1f}\n",
      all.size(),
      static_cast<double>(all.size()) /
          std::chrono::duration<double>(now - begin).count(),
      all[all.size() / 2], all[all.size() * 99 / 100]);
  nghttp2_session_del(session);
  nghttp2_session_callbacks_del(callbacks);
  close(ping.fd);
  return 0;
}

}  // namespace

int main(int argc, char** argv) { return Main(argc, argv); }
