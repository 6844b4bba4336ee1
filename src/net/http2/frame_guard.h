#ifndef MESHLIB_NET_HTTP2_FRAME_GUARD_H_
#define MESHLIB_NET_HTTP2_FRAME_GUARD_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "absl/time/time.h"
#include "base/token_bucket.h"

namespace meshlib::net {

// Frames that cost their receiver more than their sender.
enum class Http2Flood : uint8_t {
  kSettings,
  kPing,
  kReset,
  kWindowUpdate,
  kEmptyData,
  kContinuation,
  kOther,          // PRIORITY and frames of unknown types
  kClosedStreams,  // whatever comes on streams that are over; Http2Session's
};
inline constexpr size_t kHttp2Floods = 8;

std::string_view Http2FloodName(Http2Flood kind);

// Bursts; each refills in `refill`. What honest peers send stays far below.
struct Http2FloodLimits {
  uint32_t settings = 50;
  // Beyond one for each DATA frame that we sent: gRPC's peers measure the
  // bandwidth by a ping after data.
  uint32_t pings = 200;
  // Beyond one for each stream.
  uint32_t resets = 200;
  // Beyond ten for each DATA frame that we sent, as Envoy counts them.
  uint32_t window_updates = 1000;
  uint32_t empty_data = 100;
  uint32_t others = 1000;
  // In one header block.
  uint32_t continuations = 8;
  absl::Duration refill = absl::Seconds(10);
};

// Walks over the frame headers of the bytes that a peer sent, before the
// parser sees them, and stops at the frame that is one too many. Of its own
// because nghttp2's limits differ between versions and know no time but the
// wall clock. Not thread-safe; allocates nothing.
class FrameGuard {
 public:
  // `server`: a client's connection preface comes first.
  FrameGuard(const Http2FloodLimits& limits, bool server, absl::Time now);

  // How many of `bytes` may go to the parser; fewer than given after a
  // violation() only.
  size_t Scan(std::string_view bytes, absl::Time now);

  std::optional<Http2Flood> violation() const { return violation_; }
  // Or the client used a stream id below its last one, which it had passed
  // over (RFC 9113, 5.1.1): nghttp2 takes that for the late frame of a stream
  // that was. Only the ids that were passed over last are known.
  bool out_of_order() const { return out_of_order_; }

  void OnDataFrameSent() {
    free_window_updates_ += 10;
    ++free_pings_;
  }
  // Of either side.
  void OnStreamOpened() { ++free_resets_; }

  // The length of the largest frame so far.
  size_t largest_frame() const { return largest_frame_; }

 private:
  static constexpr size_t kFrameHeader = 9;

  // Whether the frame whose header stands in header_ is too much.
  bool Judge(absl::Time now);
  bool Charge(Http2Flood kind, absl::Time now);
  bool OutOfOrder(int64_t stream_id);

  const bool server_;
  uint32_t max_continuations_;
  std::array<base::TokenBucket, kHttp2Floods> buckets_;
  uint64_t free_window_updates_ = 0;
  uint64_t free_pings_ = 0;
  uint64_t free_resets_ = 0;
  // Bytes to pass over: the preface, then each frame's payload.
  size_t skip_;
  std::array<unsigned char, kFrameHeader> header_{};
  size_t header_bytes_ = 0;
  uint32_t continuations_ = 0;
  size_t largest_frame_ = 0;
  std::optional<Http2Flood> violation_;
  int64_t last_stream_id_ = -1;
  // The ids between that one and the one before.
  int64_t passed_from_ = 0;
  int64_t passed_to_ = 0;
  bool out_of_order_ = false;
};

}  // namespace meshlib::net

#endif  // MESHLIB_NET_HTTP2_FRAME_GUARD_H_
