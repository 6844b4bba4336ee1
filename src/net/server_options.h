#ifndef MESHLIB_NET_SERVER_OPTIONS_H_
#define MESHLIB_NET_SERVER_OPTIONS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "absl/time/time.h"
#include "net/http1/http1_parser.h"
#include "net/http2/options.h"

namespace meshlib::net {

// What a server speaks where ALPN has not chosen.
enum class ServerProtocol : uint8_t {
  kDetect,  // by the client's first bytes
  kHttp1,
  kHttp2,
};

// A value type. Sizes are bytes.
struct ServerOptions {
  ServerProtocol protocol = ServerProtocol::kDetect;
  Http2Options http2;
  Http1Limits http1;
  // Of HTTP/1.1, as http2.initial_stream_window and http2.send_buffer are of
  // HTTP/2.
  size_t http1_window = 256 << 10;
  size_t http1_send_buffer = 64 << 10;

  // "100 Continue" without the handler's doing.
  bool continue_requests = true;
  // A longer body is refused with 413, or cut short if the response began.
  uint64_t max_request_body = std::numeric_limits<uint64_t>::max();
  // Further connections are closed at once.
  size_t max_connections = std::numeric_limits<size_t>::max();
  // Then the connection is drained.
  uint64_t max_requests_per_connection = std::numeric_limits<uint64_t>::max();

  // For the TLS handshake.
  absl::Duration handshake_timeout = absl::Seconds(10);
  // HTTP/1.1: for each head, from its first byte (the first one: from the
  // connection's start). HTTP/2: for the client's preface and SETTINGS.
  absl::Duration header_timeout = absl::Seconds(10);
  // HTTP/1.1: no byte of a body that is read for.
  absl::Duration body_timeout = absl::Minutes(5);
  // No byte could be written.
  absl::Duration write_timeout = absl::Minutes(1);
  // No request.
  absl::Duration idle_timeout = absl::Hours(1);
  // While draining: for how long an HTTP/1.1 connection that has just been made
  // or used is kept. Its next request may be on its way, and would be lost.
  absl::Duration drain_grace = absl::Seconds(1);
  // How long a connection that is closed in good order still reads, so that
  // the last bytes reach the client; and how much.
  absl::Duration linger_timeout = absl::Seconds(2);
  uint64_t max_discarded = 1 << 20;
};

// What a server has seen, of connections that are gone too.
struct ServerStats {
  uint64_t connections = 0;
  uint64_t open_connections = 0;
  uint64_t refused_connections = 0;  // beyond max_connections
  uint64_t failed_handshakes = 0;
  uint64_t http1_connections = 0;
  uint64_t http2_connections = 0;

  uint64_t requests = 0;
  uint64_t open_requests = 0;
  uint64_t responses = 0;        // begun
  uint64_t resets_received = 0;  // of requests, lost connections too
  uint64_t resets_sent = 0;

  uint64_t bad_requests = 0;       // HTTP/1.1, answered with 400
  uint64_t headers_too_large = 0;  // 431
  uint64_t bodies_too_large = 0;   // 413
  uint64_t refused_requests = 0;   // by the factory

  uint64_t handshake_timeouts = 0;
  uint64_t header_timeouts = 0;
  uint64_t body_timeouts = 0;
  uint64_t write_timeouts = 0;
  uint64_t idle_timeouts = 0;
  uint64_t keepalive_timeouts = 0;

  // HTTP/2; see Http2Stats. Added when a connection ends.
  uint64_t invalid_frames = 0;
  uint64_t premature_resets = 0;
  std::array<uint64_t, kHttp2Floods> floods{};

  uint64_t bytes_received = 0;
  uint64_t bytes_sent = 0;
};

}  // namespace meshlib::net

#endif  // MESHLIB_NET_SERVER_OPTIONS_H_
