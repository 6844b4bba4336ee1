#ifndef MESHLIB_NET_HTTP2_OPTIONS_H_
#define MESHLIB_NET_HTTP2_OPTIONS_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include "absl/time/time.h"
#include "net/http2/frame_guard.h"

namespace meshlib::net {

// A value type. Sizes are bytes.
struct Http2Options {
  // Sent as our SETTINGS.
  uint32_t initial_stream_window = 256 << 10;
  uint32_t connection_window = 1 << 20;  // at least 65535
  uint32_t max_frame_size = 16 << 10;
  uint32_t header_table_size = 4096;
  uint32_t max_concurrent_streams = 100;  // of the peer; servers only
  bool enable_connect_protocol = false;   // servers only

  // Of one request, response or trailer block: names, values and 32 for each
  // entry, as SETTINGS_MAX_HEADER_LIST_SIZE counts.
  uint32_t max_header_list_size = 60 << 10;
  uint32_t max_headers = 100;  // of the same

  // What Write() takes of one stream beyond what the peer's window allows.
  size_t send_buffer = 64 << 10;
  // Requests that may wait until the peer allows another stream.
  size_t max_pending_requests = 1000;

  // Pings when nothing came for so long; infinite: never.
  absl::Duration keepalive_interval = absl::InfiniteDuration();
  absl::Duration keepalive_timeout = absl::Seconds(20);
  bool keepalive_without_streams = false;

  // For the answer to the first GOAWAY's ping, then the drain goes on.
  absl::Duration drain_ping_timeout = absl::Seconds(5);

  Http2FloodLimits floods;
  // Streams that the client reset, or made us reset, before their response
  // began. Beyond so many, and more than half of all, it is an attack.
  uint64_t max_premature_resets = 500;
  // 1xx before one response: beyond so many it is refused.
  uint32_t max_informational = 100;
};

struct Http2Stats {
  uint64_t streams = 0;
  uint64_t premature_resets = 0;
  uint64_t headers_too_large = 0;
  // Frames refused, each of which cost a stream or the connection.
  uint64_t invalid_frames = 0;
  uint64_t keepalive_pings = 0;
  uint64_t keepalive_timeouts = 0;
  // By Http2Flood; at most one in a session.
  std::array<uint64_t, kHttp2Floods> floods{};
};

}  // namespace meshlib::net

#endif  // MESHLIB_NET_HTTP2_OPTIONS_H_
