#include "net/http2/session.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/strings.h"
#include "net/http2/session_callbacks.h"

namespace meshlib::net {
namespace {

uint8_t* Bytes(std::string_view text) {
  // nghttp2 copies what it is given, and does not write to it.
  return const_cast<uint8_t*>(reinterpret_cast<const uint8_t*>(text.data()));
}

}  // namespace

std::unique_ptr<Http2Session> Http2Session::Client(const Http2Options& options,
                                                   Http2SessionHandler& handler,
                                                   absl::Time now) {
  std::unique_ptr<Http2Session> session(
      new Http2Session(options, handler, false, now));
  session->Start();
  return session;
}

std::unique_ptr<Http2Session> Http2Session::Server(const Http2Options& options,
                                                   Http2SessionHandler& handler,
                                                   absl::Time now) {
  std::unique_ptr<Http2Session> session(
      new Http2Session(options, handler, true, now));
  session->Start();
  return session;
}

Http2Session::Http2Session(const Http2Options& options,
                           Http2SessionHandler& handler, bool server,
                           absl::Time now)
    : options_(options),
      handler_(handler),
      server_(server),
      guard_(options.floods, server, now),
      vain_since_(now),
      last_receive_(now),
      drain_started_(absl::InfiniteFuture()) {}

void Http2Session::Start() {
  nghttp2_session_callbacks* callbacks = nullptr;
  nghttp2_session_callbacks_new(&callbacks);
  Callbacks::Register(callbacks);
  nghttp2_option* option = nullptr;
  nghttp2_option_new(&option);
  nghttp2_option_set_no_auto_window_update(option, 1);
#ifdef MESHLIB_NGHTTP2_HAS_RESET_LIMIT
  // Premature resets are counted here, against all requests: a busy proxy
  // may cancel hundreds a second, which nghttp2's absolute rate forbids.
  nghttp2_option_set_stream_reset_rate_limit(option, 1000000, 1000000);
#endif
  const auto create =
      server_ ? nghttp2_session_server_new3 : nghttp2_session_client_new3;
  create(&h2_, callbacks, this, option, memory_.mem());
  memory_.Created();
  nghttp2_option_del(option);
  nghttp2_session_callbacks_del(callbacks);

  std::vector<nghttp2_settings_entry> settings = {
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, options_.initial_stream_window},
      {NGHTTP2_SETTINGS_MAX_FRAME_SIZE, options_.max_frame_size},
      {NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, options_.header_table_size},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, options_.max_header_list_size}};
  if (!server_) {
    settings.push_back({NGHTTP2_SETTINGS_ENABLE_PUSH, 0});
  } else {
    settings.push_back({NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS,
                        options_.max_concurrent_streams});
    if (options_.enable_connect_protocol) {
      settings.push_back({NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1});
    }
  }
  nghttp2_submit_settings(h2_, NGHTTP2_FLAG_NONE, settings.data(),
                          settings.size());
  nghttp2_session_set_local_window_size(
      h2_, NGHTTP2_FLAG_NONE, 0,
      static_cast<int32_t>(
          std::min<uint32_t>(options_.connection_window, INT32_MAX)));
}

Http2Session::~Http2Session() {
  DropBlock();
  nghttp2_session_del(h2_);
}

void Http2Session::DropBlock() {
  for (nghttp2_rcbuf* buffer : buffers_) nghttp2_rcbuf_decref(buffer);
  buffers_.clear();
  block_.clear();
  block_size_ = 0;
  block_headers_ = 0;
}

Http2Session::NvList Http2Session::NvOf(absl::Span<const Header> headers) {
  NvList list;
  list.reserve(headers.size());
  for (const Header& h : headers) {
    list.push_back({Bytes(h.name), Bytes(h.value), h.name.size(),
                    h.value.size(), NGHTTP2_NV_FLAG_NONE});
  }
  return list;
}

Http2Stream* Http2Session::NewStream() {
  if (free_.empty()) {
    streams_.emplace_back(new Http2Stream(*this));
    free_.push_back(streams_.back().get());
  }
  Http2Stream* stream = free_.back();
  free_.pop_back();
  stream->active_ = true;
  ++open_;
  return stream;
}

void Http2Session::Release(Http2Stream* stream) {
  if (!stream->active_) return;
  stream->Reset();
  --open_;
  free_.push_back(stream);
}

void Http2Session::Close(Http2Stream* stream, const StreamReset* reset) {
  const size_t unconsumed = stream->unconsumed_;
  StreamHandler* handler = stream->handler_;
  if (!dead_ && stream->id_ != 0) {
    nghttp2_session_set_stream_user_data(h2_, stream->id_, nullptr);
    if (unconsumed > 0) nghttp2_session_consume_connection(h2_, unconsumed);
  }
  stream->unconsumed_ = 0;
  stream->local_end_ = true;
  stream->closing_ = true;
  const uint64_t use = stream->uses_;
  if (reset != nullptr && handler != nullptr) handler->OnReset(*stream, *reset);
  // Either call may have cancelled it, and the object may serve a new request.
  if (stream->uses_ != use) return;
  if (handler != nullptr) handler->OnClosed(*stream);
  if (stream->uses_ == use) Release(stream);
}

bool Http2Session::AcceptsRequests() const {
  return !server_ && status_.ok() && !goaway_received_ && !draining_ &&
         nghttp2_session_check_request_allowed(h2_) != 0;
}

uint32_t Http2Session::peer_max_concurrent_streams() const {
  return nghttp2_session_get_remote_settings(
      h2_, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
}

bool Http2Session::HasRoomForRequest() const {
  return open_ - pending_.size() < peer_max_concurrent_streams();
}

absl::StatusOr<Http2Stream*> Http2Session::Request(
    absl::Span<const Header> headers, bool end_stream, StreamHandler& handler) {
  if (!AcceptsRequests()) {
    return absl::UnavailableError(
        status_.ok() ? "http2: the connection takes no more requests"
                     : absl::StrCat("http2: the connection has failed: ",
                                    status_.message()));
  }
  const bool now = pending_.empty() && HasRoomForRequest();
  if (!now && pending_.size() >= options_.max_pending_requests) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "http2: no capacity: the peer allows ", peer_max_concurrent_streams(),
        " streams, and ", pending_.size(), " requests wait already"));
  }
  Http2Stream* stream = NewStream();
  stream->handler_ = &handler;
  stream->local_end_ = end_stream;
  if (!now) {
    stream->pending_ = true;
    stream->headers_.Assign(headers);
    pending_.push_back(stream);
    return stream;
  }
  if (Submit(stream, headers)) return stream;
  Release(stream);
  return absl::UnavailableError("http2: the connection is out of stream ids");
}

bool Http2Session::Submit(Http2Stream* stream,
                          absl::Span<const Header> headers) {
  const NvList list = NvOf(headers);
  const bool has_body = !stream->local_end_ || stream->unsent_bytes() > 0;
  const nghttp2_data_provider body = Callbacks::Body(stream);
  stream->id_ = nghttp2_submit_request(h2_, nullptr, list.data(), list.size(),
                                       has_body ? &body : nullptr, stream);
  stream->submitted_ = stream->id_ > 0;
  if (!stream->submitted_) return false;
  ++stats_.streams;
  guard_.OnStreamOpened();
  return true;
}

bool Http2Session::PumpPending() {
  bool any = false;
  while (!pending_.empty() && HasRoomForRequest() && AcceptsRequests()) {
    Http2Stream* stream = pending_.front();
    pending_.pop_front();
    stream->pending_ = false;
    if (Submit(stream, stream->headers_.headers())) {
      any = true;
      continue;
    }
    stream->id_ = 0;
    const StreamReset reset{StreamReset::Cause::kGoAway, NGHTTP2_REFUSED_STREAM,
                            true};
    Close(stream, &reset);
  }
  return any;
}

void Http2Session::FailPending() {
  while (!pending_.empty()) {
    Http2Stream* stream = pending_.front();
    pending_.pop_front();
    stream->pending_ = false;
    const StreamReset reset{StreamReset::Cause::kGoAway, NGHTTP2_REFUSED_STREAM,
                            true};
    Close(stream, &reset);
  }
}

void Http2Session::FailAll() {
  dead_ = true;
  FailPending();
  for (size_t i = 0; i < streams_.size(); ++i) {
    Http2Stream* stream = streams_[i].get();
    if (!stream->active_) continue;
    StreamReset reset;
    reset.cause = StreamReset::Cause::kConnectionLost;
    reset.error_code = NGHTTP2_CANCEL;
    reset.retriable = !server_ && !stream->headers_sent_;
    Close(stream, &reset);
  }
}

absl::Status Http2Session::Receive(absl::Span<const char> bytes,
                                   absl::Time now) {
  if (dead_) return status_;
  if (in_call_) {
    return absl::FailedPreconditionError("http2: Receive() in a callback");
  }
  in_call_ = true;
  last_receive_ = now;
  if (now >= vain_since_ + options_.floods.refill) {
    vain_since_ = now;
    received_ = useful_ = 0;
  }
  received_ += static_cast<int64_t>(bytes.size());
  const size_t fine =
      guard_.Scan(std::string_view(bytes.data(), bytes.size()), now);
  const ssize_t n = nghttp2_session_mem_recv(
      h2_, reinterpret_cast<const uint8_t*>(bytes.data()), fine);
  if (n < 0) {
    Terminate(NGHTTP2_PROTOCOL_ERROR,
              absl::InternalError(
                  absl::StrCat("http2: the peer broke the protocol: ",
                               nghttp2_strerror(static_cast<int>(n)))));
  } else if (guard_.out_of_order() && !failed_) {
    Terminate(NGHTTP2_PROTOCOL_ERROR,
              absl::InternalError("http2: the peer broke the protocol: a "
                                  "request with an id that was passed over"));
  } else if (guard_.violation() && !failed_) {
    Flooded(*guard_.violation());
  } else if (TooMuchInVain() && !failed_) {
    Flooded(Http2Flood::kClosedStreams);
  } else if (suspect_ || guard_.largest_frame() > options_.max_frame_size) {
    suspect_ = false;
    // A connection error shows as the GOAWAY that nghttp2 makes of it.
    Flush(spill_, spill_.size() + options_.send_buffer);
  }
  return Settle();
}

void Http2Session::Flooded(Http2Flood kind) {
  ++stats_.floods[static_cast<size_t>(kind)];
  Terminate(NGHTTP2_ENHANCE_YOUR_CALM,
            absl::ResourceExhaustedError(
                absl::StrCat("http2: the peer floods us with ",
                             base::ToAbsl(Http2FloodName(kind)), " frames")));
}

// A server that goes on with streams that are over. When we reset one, its
// window and a header block may be on their way.
bool Http2Session::TooMuchInVain() const {
  if (server_) return false;
  const int64_t on_their_way = int64_t{options_.initial_stream_window} +
                               options_.max_header_list_size +
                               2 * int64_t{options_.max_frame_size};
  return received_ - useful_ > (1 + resets_sent_) * on_their_way;
}

// What both directions end with.
absl::Status Http2Session::Settle() {
  if (calm_down_ && !failed_) {
    Terminate(NGHTTP2_ENHANCE_YOUR_CALM,
              absl::ResourceExhaustedError(absl::StrCat(
                  "http2: ", stats_.premature_resets, " of ", stats_.streams,
                  " requests were reset before their response")));
  }
  if (failed_ && !dead_) FailAll();
  if (!dead_ && (goaway_received_ || draining_)) FailPending();
  if (!dead_) PumpPending();
  in_call_ = false;
  return status_;
}

void Http2Session::Terminate(uint32_t error_code, absl::Status status) {
  failed_ = true;
  status_ = std::move(status);
  nghttp2_session_terminate_session(h2_, error_code);
  Flush(spill_, spill_.size() + options_.send_buffer);
}

void Http2Session::Flush(std::string& out, size_t limit) {
  out_ = &out;
  out_limit_ = limit;
  while (out.size() < limit) {
    const uint8_t* data = nullptr;
    const ssize_t n = nghttp2_session_mem_send(h2_, &data);
    if (n > 0) {
      out.append(reinterpret_cast<const char*>(data), static_cast<size_t>(n));
      continue;
    }
    if (n < 0 && !failed_) {
      failed_ = true;
      status_ = absl::InternalError(absl::StrCat(
          "http2: cannot send: ", nghttp2_strerror(static_cast<int>(n))));
    }
    if (n < 0 || failed_ || !PumpPending()) break;
  }
  out_ = nullptr;
}

bool Http2Session::HasOutput() const {
  return !spill_.empty() || (!dead_ && nghttp2_session_want_write(h2_) != 0);
}

absl::Status Http2Session::TakeOutput(std::string& out, size_t max_bytes) {
  if (in_call_) {
    return absl::FailedPreconditionError("http2: TakeOutput() in a callback");
  }
  const size_t limit = out.size() + max_bytes;
  out.append(spill_);
  spill_.clear();
  if (dead_) return status_;
  in_call_ = true;
  Flush(out, limit);
  return Settle();
}

void Http2Session::ConnectionLost(const absl::Status& reason) {
  if (dead_ || in_call_) return;
  status_ = reason;
  failed_ = true;
  in_call_ = true;
  FailAll();
  in_call_ = false;
}

}  // namespace meshlib::net
