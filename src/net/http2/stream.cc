#include "net/http2/stream.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "net/http2/session_callbacks.h"

namespace meshlib::net {
namespace {

// What a stream object keeps for the next stream that uses it.
constexpr size_t kKeptBufferBytes = size_t{64} << 10;

bool IsInformational(absl::Span<const Header> headers) {
  return !headers.empty() && headers[0].name == ":status" &&
         !headers[0].value.empty() && headers[0].value[0] == '1';
}

}  // namespace

void Http2Stream::Reset() {
  handler_ = nullptr;
  id_ = 0;
  active_ = pending_ = submitted_ = headers_sent_ = got_headers_ = false;
  local_end_ = remote_end_ = deferred_ = wants_room_ = too_large_ = false;
  has_trailers_ = malformed_ = false;
  informational_ = 0;
  send_.clear();
  if (send_.capacity() > kKeptBufferBytes) send_.shrink_to_fit();
  sent_ = unconsumed_ = 0;
  headers_.Clear();
  closing_ = false;
  ++uses_;
}

absl::Status Http2Stream::SendHeaders(absl::Span<const Header> headers,
                                      bool end_stream) {
  Http2Session& s = session_;
  if (!s.server_ || submitted_ || s.dead_) {
    return absl::FailedPreconditionError(
        absl::StrCat("http2: stream ", id_, " takes no response headers"));
  }
  const Http2Session::NvList list = Http2Session::NvOf(headers);
  int error = 0;
  if (!end_stream && IsInformational(headers)) {
    error = nghttp2_submit_headers(s.h2_, NGHTTP2_FLAG_NONE, id_, nullptr,
                                   list.data(), list.size(), nullptr);
  } else {
    const nghttp2_data_provider body = Http2Session::Callbacks::Body(this);
    error = nghttp2_submit_response(s.h2_, id_, list.data(), list.size(),
                                    end_stream ? nullptr : &body);
    submitted_ = error == 0;
    local_end_ = end_stream;
  }
  if (error == 0) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("http2: response headers: ", nghttp2_strerror(error)));
}

size_t Http2Stream::Write(std::string_view bytes, bool end_stream) {
  if (local_end_ || !(submitted_ || pending_)) return 0;
  const size_t limit = session_.options_.send_buffer;
  const size_t room = limit - std::min(limit, unsent_bytes());
  const size_t n = std::min(room, bytes.size());
  // Moves the rest to the front where the buffer would grow otherwise.
  if (sent_ > 0 && send_.size() + n > send_.capacity()) {
    send_.erase(0, sent_);
    sent_ = 0;
  }
  send_.append(bytes.substr(0, n));
  if (n < bytes.size()) {
    wants_room_ = true;
  } else if (end_stream) {
    local_end_ = true;
  }
  if (n > 0 || local_end_) Resume();
  return n;
}

absl::Status Http2Stream::SendTrailers(absl::Span<const Header> trailers) {
  if (local_end_ || !submitted_) {
    return absl::FailedPreconditionError(
        absl::StrCat("http2: stream ", id_, " takes no trailers"));
  }
  headers_.Assign(trailers);
  has_trailers_ = !trailers.empty();
  local_end_ = true;
  Resume();
  return absl::OkStatus();
}

void Http2Stream::Resume() {
  if (!deferred_ || session_.dead_) return;
  deferred_ = false;
  nghttp2_session_resume_data(session_.h2_, id_);
}

void Http2Stream::Consume(size_t bytes) {
  bytes = std::min(bytes, unconsumed_);
  unconsumed_ -= bytes;
  if (bytes == 0 || session_.dead_) return;
  nghttp2_session_consume(session_.h2_, id_, bytes);
}

void Http2Stream::Cancel(uint32_t error_code) {
  Http2Session& s = session_;
  if (closing_) {
    // Nothing is left to reset.
  } else if (pending_) {
    s.pending_.erase(std::find(s.pending_.begin(), s.pending_.end(), this));
  } else if (!s.dead_) {
    nghttp2_session_set_stream_user_data(s.h2_, id_, nullptr);
    nghttp2_submit_rst_stream(s.h2_, NGHTTP2_FLAG_NONE, id_, error_code);
    ++s.resets_sent_;
    if (unconsumed_ > 0) nghttp2_session_consume_connection(s.h2_, unconsumed_);
  }
  s.Release(this);
}

}  // namespace meshlib::net
