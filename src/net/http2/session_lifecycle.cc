// Keepalive and the graceful end.
#include <algorithm>

#include "net/http2/session_callbacks.h"

namespace meshlib::net {

absl::Status Http2Session::Tick(absl::Time now) {
  if (dead_ || in_call_) return status_;
  if (ping_sent_ != absl::InfiniteFuture()) {
    if (now >= ping_sent_ + options_.keepalive_timeout) {
      ++stats_.keepalive_timeouts;
      ConnectionLost(absl::UnavailableError(
          "http2: the peer did not answer the keepalive ping"));
      return status_;
    }
  } else if (now >= last_receive_ + options_.keepalive_interval &&
             (open_ > 0 || options_.keepalive_without_streams)) {
    nghttp2_submit_ping(h2_, NGHTTP2_FLAG_NONE, kKeepalivePing);
    ping_sent_ = now;
    ++stats_.keepalive_pings;
  }
  if (draining_ && !final_goaway_ &&
      now >= drain_started_ + options_.drain_ping_timeout) {
    SendFinalGoAway();
  }
  return status_;
}

absl::Time Http2Session::NextTick() const {
  if (dead_) return absl::InfiniteFuture();
  absl::Time next = absl::InfiniteFuture();
  if (ping_sent_ != absl::InfiniteFuture()) {
    next = ping_sent_ + options_.keepalive_timeout;
  } else if (open_ > 0 || options_.keepalive_without_streams) {
    next = last_receive_ + options_.keepalive_interval;
  }
  if (draining_ && !final_goaway_) {
    next = std::min(next, drain_started_ + options_.drain_ping_timeout);
  }
  return next;
}

void Http2Session::Drain(absl::Time now) {
  if (draining_ || dead_) return;
  draining_ = true;
  drain_started_ = now;
  if (!server_) {
    // A server has nothing under way to us that could be lost. Requests that
    // wait are failed by the next call.
    SendFinalGoAway();
    return;
  }
  nghttp2_submit_shutdown_notice(h2_);
  nghttp2_submit_ping(h2_, NGHTTP2_FLAG_NONE, kDrainPing);
}

void Http2Session::SendFinalGoAway() {
  if (final_goaway_ || dead_) return;
  final_goaway_ = true;
  nghttp2_submit_goaway(
      h2_, NGHTTP2_FLAG_NONE,
      server_ ? nghttp2_session_get_last_proc_stream_id(h2_) : 0,
      NGHTTP2_NO_ERROR, nullptr, 0);
}

void Http2Session::Trim() {
  // With nothing to send the frame buffer is between two frames.
  if (dead_ || in_call_ || open_ > 0 || HasOutput()) return;
  memory_.Trim();
}

bool Http2Session::Finished() const {
  if (dead_) return spill_.empty();
  if (HasOutput()) return false;
  return nghttp2_session_want_read(h2_) == 0 ||
         (open_ == 0 && (final_goaway_ || goaway_received_));
}

}  // namespace meshlib::net
