#include "net/http2/session_callbacks.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "base/strings.h"

namespace meshlib::net {
namespace {

constexpr size_t kFrameHeader = 9;

std::string_view View(nghttp2_rcbuf* buffer) {
  const nghttp2_vec v = nghttp2_rcbuf_get_buf(buffer);
  return std::string_view(reinterpret_cast<const char*>(v.base), v.len);
}

bool EndsStream(const nghttp2_frame_hd& hd) {
  return (hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
}

}  // namespace

void Http2Session::Callbacks::Register(nghttp2_session_callbacks* c) {
  nghttp2_session_callbacks_set_on_begin_headers_callback(c, OnBeginHeaders);
  nghttp2_session_callbacks_set_on_header_callback2(c, OnHeader);
  nghttp2_session_callbacks_set_on_frame_recv_callback(c, OnFrameRecv);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c, OnDataChunk);
  nghttp2_session_callbacks_set_on_stream_close_callback(c, OnStreamClose);
  nghttp2_session_callbacks_set_on_frame_send_callback(c, OnFrameSend);
  nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(c,
                                                               OnInvalidFrame);
  nghttp2_session_callbacks_set_error_callback2(c, OnError);
  nghttp2_session_callbacks_set_send_data_callback(c, SendData);
}

nghttp2_data_provider Http2Session::Callbacks::Body(Http2Stream* stream) {
  nghttp2_data_provider body;
  body.source.ptr = stream;
  body.read_callback = ReadBody;
  return body;
}

Http2Stream* Http2Session::Callbacks::StreamOf(nghttp2_session* h2,
                                               int32_t id) {
  return static_cast<Http2Stream*>(
      nghttp2_session_get_stream_user_data(h2, id));
}

int Http2Session::Callbacks::OnBeginHeaders(nghttp2_session* h2,
                                            const nghttp2_frame* frame,
                                            void* user) {
  auto& s = *static_cast<Http2Session*>(user);
  s.DropBlock();
  if (frame->hd.type == NGHTTP2_HEADERS &&
      frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
    ++s.stats_.streams;
    s.guard_.OnStreamOpened();
  }
  return 0;
}

int Http2Session::Callbacks::OnHeader(nghttp2_session* h2,
                                      const nghttp2_frame* frame,
                                      nghttp2_rcbuf* name, nghttp2_rcbuf* value,
                                      uint8_t flags, void* user) {
  auto& s = *static_cast<Http2Session*>(user);
  s.block_size_ += View(name).size() + View(value).size() + 32;
  ++s.block_headers_;
  // The rest must be decoded still, for the compression's state, but is not
  // kept.
  if (s.TooLarge()) return 0;
  nghttp2_rcbuf_incref(name);
  s.buffers_.push_back(name);
  nghttp2_rcbuf_incref(value);
  s.buffers_.push_back(value);
  s.block_.push_back({View(name), View(value)});
  return 0;
}

void Http2Session::Callbacks::RefuseTooLarge(Http2Session& s, int32_t id,
                                             bool request) {
  ++s.stats_.headers_too_large;
  if (request) {
    const NvList list = NvOf({{":status", "431"}});
    nghttp2_submit_response(s.h2_, id, list.data(), list.size(), nullptr);
    return;
  }
  if (Http2Stream* stream = StreamOf(s.h2_, id)) stream->too_large_ = true;
  nghttp2_submit_rst_stream(s.h2_, NGHTTP2_FLAG_NONE, id,
                            NGHTTP2_ENHANCE_YOUR_CALM);
}

void Http2Session::Callbacks::OnRequest(Http2Session& s,
                                        const nghttp2_headers& frame,
                                        bool end_stream) {
  Http2Stream* stream = s.NewStream();
  stream->id_ = frame.hd.stream_id;
  stream->got_headers_ = true;
  stream->remote_end_ = end_stream;
  StreamHandler* handler =
      s.draining_ && s.final_goaway_ ? nullptr : s.handler_.OnRequest(*stream);
  if (handler == nullptr) {
    nghttp2_submit_rst_stream(s.h2_, NGHTTP2_FLAG_NONE, stream->id_,
                              NGHTTP2_REFUSED_STREAM);
    s.Release(stream);
    return;
  }
  stream->handler_ = handler;
  nghttp2_session_set_stream_user_data(s.h2_, stream->id_, stream);
  handler->OnHeaders(*stream, s.block_, end_stream);
}

void Http2Session::Callbacks::OnHeadersFrame(Http2Session& s,
                                             const nghttp2_headers& frame) {
  const bool end_stream = EndsStream(frame.hd);
  const bool request = frame.cat == NGHTTP2_HCAT_REQUEST;
  if (s.TooLarge()) {
    RefuseTooLarge(s, frame.hd.stream_id, request);
    return;
  }
  if (request) {
    OnRequest(s, frame, end_stream);
    return;
  }
  Http2Stream* stream = StreamOf(s.h2_, frame.hd.stream_id);
  if (stream == nullptr || stream->handler_ == nullptr) return;
  stream->remote_end_ = end_stream;
  if (stream->got_headers_) {
    stream->handler_->OnTrailers(*stream, s.block_);
    return;
  }
  const bool informational = !s.block_.empty() &&
                             s.block_[0].name == ":status" &&
                             s.block_[0].value[0] == '1';
  if (informational &&
      ++stream->informational_ > s.options_.max_informational) {
    nghttp2_submit_rst_stream(s.h2_, NGHTTP2_FLAG_NONE, frame.hd.stream_id,
                              NGHTTP2_PROTOCOL_ERROR);
    return;
  }
  stream->got_headers_ = !informational;
  stream->handler_->OnHeaders(*stream, s.block_, end_stream);
}

int Http2Session::Callbacks::OnFrameRecv(nghttp2_session* h2,
                                         const nghttp2_frame* frame,
                                         void* user) {
  auto& s = *static_cast<Http2Session*>(user);
  // Those of streams that are over are not told of, or have no handler.
  const bool vain = frame->hd.type == NGHTTP2_DATA && !s.data_wanted_ &&
                    frame->hd.length != 0;
  if (!vain) s.useful_ += static_cast<int64_t>(kFrameHeader + frame->hd.length);
  s.data_wanted_ = false;
  switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
      OnHeadersFrame(s, frame->headers);
      s.DropBlock();
      break;
    case NGHTTP2_DATA: {
      Http2Stream* stream = StreamOf(h2, frame->hd.stream_id);
      if (!EndsStream(frame->hd) || stream == nullptr ||
          stream->handler_ == nullptr) {
        break;
      }
      stream->remote_end_ = true;
      stream->handler_->OnData(*stream, {}, true);
      break;
    }
    case NGHTTP2_SETTINGS:
      if ((frame->hd.flags & NGHTTP2_FLAG_ACK) == 0) s.handler_.OnSettings();
      break;
    case NGHTTP2_PING:
      if ((frame->hd.flags & NGHTTP2_FLAG_ACK) == 0) break;
      if (memcmp(frame->ping.opaque_data, kKeepalivePing, 8) == 0) {
        s.ping_sent_ = absl::InfiniteFuture();
      } else if (memcmp(frame->ping.opaque_data, kDrainPing, 8) == 0) {
        s.SendFinalGoAway();
      }
      break;
    case NGHTTP2_GOAWAY:
      s.goaway_received_ = true;
      s.handler_.OnGoAway(frame->goaway.error_code,
                          frame->goaway.last_stream_id);
      break;
    default:
      break;
  }
  return 0;
}

int Http2Session::Callbacks::OnDataChunk(nghttp2_session* h2, uint8_t flags,
                                         int32_t id, const uint8_t* data,
                                         size_t size, void* user) {
  Http2Stream* stream = StreamOf(h2, id);
  auto& s = *static_cast<Http2Session*>(user);
  s.data_wanted_ = stream != nullptr && stream->handler_ != nullptr;
  if (!s.data_wanted_) {
    nghttp2_session_consume_connection(h2, size);
    return 0;
  }
  // nghttp2 resets a stream that overruns its window, but still passes on what
  // comes until the reset is on its way.
  if (stream->unconsumed_ + size >
      static_cast<size_t>(
          nghttp2_session_get_stream_effective_local_window_size(h2, id))) {
    nghttp2_session_consume_connection(h2, size);
    return 0;
  }
  stream->unconsumed_ += size;
  stream->handler_->OnData(
      *stream, std::string_view(reinterpret_cast<const char*>(data), size),
      false);
  return 0;
}

// A client's stream ended before its response began, and not because the
// application wanted it so.
void Http2Session::Callbacks::CountPremature(Http2Session& s) {
  const uint64_t count = ++s.stats_.premature_resets;
  if (count > s.options_.max_premature_resets && count * 2 > s.stats_.streams) {
    s.calm_down_ = true;
  }
}

int Http2Session::Callbacks::OnStreamClose(nghttp2_session* h2, int32_t id,
                                           uint32_t error_code, void* user) {
  auto& s = *static_cast<Http2Session*>(user);
  Http2Stream* stream = StreamOf(h2, id);
  if (stream == nullptr) return 0;
  if (error_code != NGHTTP2_NO_ERROR && s.server_ && !stream->headers_sent_) {
    CountPremature(s);
  }
  const bool complete = error_code == NGHTTP2_NO_ERROR &&
                        (s.server_ ? stream->local_end_ : stream->remote_end_);
  if (complete) {
    s.Close(stream, nullptr);
    return 0;
  }
  StreamReset reset;
  reset.error_code = error_code;
  if (stream->too_large_) {
    reset.cause = StreamReset::Cause::kHeadersTooLarge;
  } else if (stream->malformed_) {
    reset.cause = StreamReset::Cause::kMalformed;
  } else if (!s.server_ && !stream->headers_sent_) {
    reset.error_code = NGHTTP2_REFUSED_STREAM;
    reset.cause = StreamReset::Cause::kGoAway;
  } else if (s.goaway_received_ && error_code == NGHTTP2_REFUSED_STREAM) {
    reset.cause = StreamReset::Cause::kGoAway;
  }
  reset.retriable = !s.server_ && !stream->got_headers_ &&
                    reset.error_code == NGHTTP2_REFUSED_STREAM;
  s.Close(stream, &reset);
  return 0;
}

int Http2Session::Callbacks::OnFrameSend(nghttp2_session* h2,
                                         const nghttp2_frame* frame,
                                         void* user) {
  auto& s = *static_cast<Http2Session*>(user);
  const int32_t id = frame->hd.stream_id;
  switch (frame->hd.type) {
    case NGHTTP2_GOAWAY:
      if (frame->goaway.error_code == NGHTTP2_NO_ERROR || s.failed_) break;
      s.failed_ = true;
      ++s.stats_.invalid_frames;
      s.status_ = absl::InternalError(absl::StrCat(
          "http2: the peer broke the protocol: ",
          nghttp2_http2_strerror(frame->goaway.error_code), ": ",
          base::Excerpt(std::string_view(
              reinterpret_cast<const char*>(frame->goaway.opaque_data),
              frame->goaway.opaque_data_len))));
      break;
    case NGHTTP2_RST_STREAM:
      if (frame->rst_stream.error_code == NGHTTP2_PROTOCOL_ERROR) {
        ++s.stats_.invalid_frames;
      }
      // What the application cancelled is not known any more.
      if (Http2Stream* stream = StreamOf(h2, id)) {
        ++s.resets_sent_;
        stream->malformed_ = frame->rst_stream.error_code != NGHTTP2_NO_ERROR;
      }
      return 0;
    case NGHTTP2_DATA:
      s.guard_.OnDataFrameSent();
      break;
    case NGHTTP2_HEADERS:
      if (Http2Stream* stream = StreamOf(h2, id)) stream->headers_sent_ = true;
      break;
    default:
      return 0;
  }
  // A whole response makes the rest of the request pointless: the client is
  // told to stop, without an error (RFC 9113, 8.1).
  if (s.server_ && EndsStream(frame->hd) && frame->hd.type <= NGHTTP2_HEADERS &&
      nghttp2_session_get_stream_remote_close(h2, id) == 0) {
    nghttp2_submit_rst_stream(h2, NGHTTP2_FLAG_NONE, id, NGHTTP2_NO_ERROR);
  }
  return 0;
}

int Http2Session::Callbacks::OnInvalidFrame(nghttp2_session* h2,
                                            const nghttp2_frame* frame,
                                            int error, void* user) {
  auto& s = *static_cast<Http2Session*>(user);
  s.suspect_ = true;
  s.DropBlock();
  // A malformed request costs as much as one that is reset.
  if (s.server_ && frame->hd.type == NGHTTP2_HEADERS &&
      StreamOf(h2, frame->hd.stream_id) == nullptr) {
    CountPremature(s);
  }
  return 0;
}

int Http2Session::Callbacks::OnError(nghttp2_session* h2, int error,
                                     const char* message, size_t size,
                                     void* user) {
  static_cast<Http2Session*>(user)->suspect_ = true;
  return 0;
}

ssize_t Http2Session::Callbacks::ReadBody(nghttp2_session* h2, int32_t id,
                                          uint8_t* buffer, size_t size,
                                          uint32_t* flags,
                                          nghttp2_data_source* source,
                                          void* user) {
  auto* stream = static_cast<Http2Stream*>(source->ptr);
  // A cancelled stream's object may serve another one by now.
  if (StreamOf(h2, id) != stream) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  const size_t n = std::min(size, stream->unsent_bytes());
  if (n == 0 && !stream->local_end_) {
    stream->deferred_ = true;
    return NGHTTP2_ERR_DEFERRED;
  }
  *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
  if (n < stream->unsent_bytes() || !stream->local_end_) {
    return static_cast<ssize_t>(n);
  }
  *flags |= NGHTTP2_DATA_FLAG_EOF;
  if (stream->has_trailers_) {
    *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
    const NvList list = NvOf(stream->headers_.headers());
    nghttp2_submit_trailer(h2, id, list.data(), list.size());
  }
  return static_cast<ssize_t>(n);
}

int Http2Session::Callbacks::SendData(nghttp2_session* h2, nghttp2_frame* frame,
                                      const uint8_t* header, size_t size,
                                      nghttp2_data_source* source, void* user) {
  auto& s = *static_cast<Http2Session*>(user);
  auto* stream = static_cast<Http2Stream*>(source->ptr);
  if (StreamOf(h2, frame->hd.stream_id) != stream) {
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  }
  s.out_->append(reinterpret_cast<const char*>(header), 9);
  s.out_->append(stream->send_, stream->sent_, size);
  stream->sent_ += size;
  if (stream->unsent_bytes() == 0) {
    stream->send_.clear();
    stream->sent_ = 0;
  }
  if (stream->wants_room_ && !stream->local_end_ &&
      stream->unsent_bytes() * 2 <= s.options_.send_buffer) {
    stream->wants_room_ = false;
    if (stream->handler_ != nullptr) stream->handler_->OnWritable(*stream);
  }
  return s.out_->size() >= s.out_limit_ ? NGHTTP2_ERR_PAUSE : 0;
}

}  // namespace meshlib::net
