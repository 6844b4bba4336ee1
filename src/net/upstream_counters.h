#ifndef MESHLIB_NET_UPSTREAM_COUNTERS_H_
#define MESHLIB_NET_UPSTREAM_COUNTERS_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "net/http2/options.h"

namespace meshlib::net {

// What went wrong between a cluster's hosts and us, besides what responses
// say. Envoy's counters of that name, where it has them.
enum class UpstreamCounter : uint8_t {
  kCxTotal,
  kCxConnectFail,     // timeouts too
  kCxConnectTimeout,  // TLS handshakes too
  kCxProtocolError,   // closed for what the peer sent
  kCxDestroyWithActiveRq,
  kRqRxReset,  // by the peer
  kRqTxReset,  // by us: cancelled, malformed, too large
  kRqTimeout,
  kRqPerTryTimeout,
  kRqPerTryIdleTimeout,
  kSslConnectionError,  // handshakes that failed, for refused peers too
  kSslFailVerifyError,  // the peer's certificate was refused, for any reason
  // Responses refused: framing or fields, and size.
  kHttp1MessagingError,
  kHttp1HeaderOverflow,
  kHttp2MessagingError,
  kHttp2HeaderOverflow,
  // Each closed a connection.
  kHttp2ControlFlood,  // SETTINGS and PING, which want answers
  kHttp2ResetFlood,
  kHttp2WindowUpdateFlood,
  kHttp2EmptyFramesFlood,
  kHttp2ContinuationFlood,
  kHttp2PriorityFlood,  // and frames of unknown types
  kHttp2ClosedStreamsFlood,
  kHttp2KeepaliveTimeout,
};
inline constexpr size_t kUpstreamCounters = 24;

// "upstream_cx_total", "http2.header_overflow".
std::string_view UpstreamCounterName(UpstreamCounter counter);
UpstreamCounter CounterOf(Http2Flood flood);

// Of one cluster. None counts what every request does. Thread-safe.
class UpstreamCounters {
 public:
  void Add(UpstreamCounter counter, uint64_t count = 1) {
    // Relaxed: the counts order nothing.
    counts_[static_cast<size_t>(counter)].fetch_add(count,
                                                    std::memory_order_relaxed);
  }
  uint64_t Get(UpstreamCounter counter) const {
    return counts_[static_cast<size_t>(counter)].load(
        std::memory_order_relaxed);
  }

 private:
  std::array<std::atomic<uint64_t>, kUpstreamCounters> counts_{};
};

}  // namespace meshlib::net

#endif  // MESHLIB_NET_UPSTREAM_COUNTERS_H_
