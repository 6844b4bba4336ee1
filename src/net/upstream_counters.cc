#include "net/upstream_counters.h"

namespace meshlib::net {

std::string_view UpstreamCounterName(UpstreamCounter counter) {
  static constexpr std::string_view kNames[] = {
      "upstream_cx_total",
      "upstream_cx_connect_fail",
      "upstream_cx_connect_timeout",
      "upstream_cx_protocol_error",
      "upstream_cx_destroy_with_active_rq",
      "upstream_rq_rx_reset",
      "upstream_rq_tx_reset",
      "upstream_rq_timeout",
      "upstream_rq_per_try_timeout",
      "upstream_rq_per_try_idle_timeout",
      "ssl.connection_error",
      "ssl.fail_verify_error",
      "http1.rx_messaging_error",
      "http1.header_overflow",
      "http2.rx_messaging_error",
      "http2.header_overflow",
      "http2.outbound_control_flood",
      "http2.inbound_reset_flood",
      "http2.inbound_window_update_frames_flood",
      "http2.inbound_empty_frames_flood",
      "http2.inbound_continuation_frames_flood",
      "http2.inbound_priority_frames_flood",
      "http2.inbound_closed_streams_flood",
      "http2.keepalive_timeout",
  };
  static_assert(sizeof(kNames) / sizeof(kNames[0]) == kUpstreamCounters);
  return kNames[static_cast<size_t>(counter)];
}

UpstreamCounter CounterOf(Http2Flood flood) {
  switch (flood) {
    case Http2Flood::kSettings:
    case Http2Flood::kPing:
      return UpstreamCounter::kHttp2ControlFlood;
    case Http2Flood::kReset:
      return UpstreamCounter::kHttp2ResetFlood;
    case Http2Flood::kWindowUpdate:
      return UpstreamCounter::kHttp2WindowUpdateFlood;
    case Http2Flood::kEmptyData:
      return UpstreamCounter::kHttp2EmptyFramesFlood;
    case Http2Flood::kContinuation:
      return UpstreamCounter::kHttp2ContinuationFlood;
    case Http2Flood::kClosedStreams:
      return UpstreamCounter::kHttp2ClosedStreamsFlood;
    case Http2Flood::kOther:
      break;
  }
  return UpstreamCounter::kHttp2PriorityFlood;
}

}  // namespace meshlib::net
