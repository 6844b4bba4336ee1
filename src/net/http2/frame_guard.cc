#include "net/http2/frame_guard.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>

namespace meshlib::net {
namespace {

base::TokenBucket Bucket(uint32_t burst, const Http2FloodLimits& limits,
                         absl::Time now) {
  return base::TokenBucket(burst, burst / absl::ToDoubleSeconds(limits.refill),
                           now);
}

int64_t StreamId(const std::array<unsigned char, 9>& header) {
  return (int64_t{header[5] & 0x7f} << 24) | (int64_t{header[6]} << 16) |
         (int64_t{header[7]} << 8) | int64_t{header[8]};
}

}  // namespace

std::string_view Http2FloodName(Http2Flood kind) {
  static constexpr std::string_view kNames[kHttp2Floods] = {
      "SETTINGS",   "PING",         "RST_STREAM",          "WINDOW_UPDATE",
      "empty DATA", "CONTINUATION", "PRIORITY or unknown", "closed streams'"};
  return kNames[static_cast<size_t>(kind)];
}

FrameGuard::FrameGuard(const Http2FloodLimits& limits, bool server,
                       absl::Time now)
    : server_(server),
      max_continuations_(limits.continuations),
      buckets_{Bucket(limits.settings, limits, now),
               Bucket(limits.pings, limits, now),
               Bucket(limits.resets, limits, now),
               Bucket(limits.window_updates, limits, now),
               Bucket(limits.empty_data, limits, now),
               Bucket(limits.continuations, limits, now),
               Bucket(limits.others, limits, now),
               Bucket(0, limits, now)},
      skip_(server ? NGHTTP2_CLIENT_MAGIC_LEN : 0) {}

size_t FrameGuard::Scan(std::string_view bytes, absl::Time now) {
  if (violation_ || out_of_order_) return 0;
  size_t at = 0;
  while (at < bytes.size()) {
    if (skip_ > 0) {
      const size_t n = std::min(skip_, bytes.size() - at);
      skip_ -= n;
      at += n;
      continue;
    }
    const size_t n = std::min(kFrameHeader - header_bytes_, bytes.size() - at);
    std::copy_n(bytes.data() + at, n, header_.data() + header_bytes_);
    header_bytes_ += n;
    if (header_bytes_ < kFrameHeader) break;
    if (Judge(now)) return at;
    at += n;
    header_bytes_ = 0;
  }
  return bytes.size();
}

bool FrameGuard::Judge(absl::Time now) {
  const size_t length = (size_t{header_[0]} << 16) | (size_t{header_[1]} << 8) |
                        size_t{header_[2]};
  const uint8_t type = header_[3];
  const uint8_t flags = header_[4];
  skip_ = length;
  largest_frame_ = std::max(largest_frame_, length);
  switch (type) {
    case NGHTTP2_HEADERS:
      continuations_ = 0;
      out_of_order_ = server_ && OutOfOrder(StreamId(header_));
      return out_of_order_;
    case NGHTTP2_CONTINUATION:
      if (++continuations_ <= max_continuations_) return false;
      violation_ = Http2Flood::kContinuation;
      return true;
    case NGHTTP2_DATA:
      return length == 0 && (flags & NGHTTP2_FLAG_END_STREAM) == 0 &&
             Charge(Http2Flood::kEmptyData, now);
    case NGHTTP2_SETTINGS:
      return Charge(Http2Flood::kSettings, now);
    case NGHTTP2_PING:
      if (free_pings_ == 0) return Charge(Http2Flood::kPing, now);
      --free_pings_;
      return false;
    case NGHTTP2_RST_STREAM:
      if (free_resets_ == 0) return Charge(Http2Flood::kReset, now);
      --free_resets_;
      return false;
    case NGHTTP2_WINDOW_UPDATE:
      if (free_window_updates_ == 0) {
        return Charge(Http2Flood::kWindowUpdate, now);
      }
      --free_window_updates_;
      return false;
    default:
      return Charge(Http2Flood::kOther, now);
  }
}

bool FrameGuard::OutOfOrder(int64_t stream_id) {
  if (stream_id <= last_stream_id_) {
    return stream_id >= passed_from_ && stream_id <= passed_to_;
  }
  if (stream_id > last_stream_id_ + 2) {
    passed_from_ = last_stream_id_ + 2;
    passed_to_ = stream_id - 2;
  }
  last_stream_id_ = stream_id;
  return false;
}

bool FrameGuard::Charge(Http2Flood kind, absl::Time now) {
  if (buckets_[static_cast<size_t>(kind)].Consume(1, now)) return false;
  violation_ = kind;
  return true;
}

}  // namespace meshlib::net
