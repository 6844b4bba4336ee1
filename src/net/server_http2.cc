#include "net/server_http2.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "base/strings.h"

namespace meshlib::net {
namespace {

// One batch of output, before it is written.
constexpr size_t kOutputBytes = size_t{256} << 10;

}  // namespace

// A request on the one side, an HTTP/2 stream on the other.
class Http2ServerSession::Stream final : public ServerStream,
                                         public StreamHandler {
 public:
  explicit Stream(Http2ServerSession& session) : session_(session) {}

  void Begin(Http2Stream& stream) {
    stream_ = &stream;
    body_bytes_ = 0;
    open_ = true;
    responded_ = false;
    head_request_ = false;
    bodiless_ = false;
  }
  void SetHandler(std::unique_ptr<ServerHandler> handler) {
    handler_ = std::move(handler);
  }
  void DropHandler() { handler_.reset(); }
  bool free() const { return stream_ == nullptr; }

  HttpVersion version() const override { return HttpVersion::kHttp2; }
  ServerConnection& connection() override { return session_.transport_; }

  absl::Status SendHeaders(absl::Span<const Header> headers,
                           bool end_stream) override {
    if (!open_) return Over();
    const bool informational = !headers.empty() && !headers[0].value.empty() &&
                               headers[0].value[0] == '1';
    const bool bodiless = !informational && IsBodiless(headers);
    absl::Status status = stream_->SendHeaders(headers, end_stream || bodiless);
    if (status.ok() && !informational) {
      responded_ = true;
      bodiless_ = bodiless;
      ++stats().responses;
    }
    session_.transport_.Touch();
    return status;
  }
  size_t Write(std::string_view bytes, bool end_stream) override {
    if (!open_) return 0;
    if (bodiless_) return bytes.size();
    session_.transport_.Touch();
    return stream_->Write(bytes, end_stream);
  }
  absl::Status SendTrailers(absl::Span<const Header> trailers) override {
    if (!open_) return Over();
    if (bodiless_) return absl::OkStatus();
    session_.transport_.Touch();
    return stream_->SendTrailers(trailers);
  }
  void Consume(size_t bytes) override {
    if (!open_) return;
    session_.transport_.Touch();
    stream_->Consume(bytes);
  }
  void Reset(uint32_t error_code) override {
    if (!open_) return;
    ++stats().resets_sent;
    session_.transport_.Touch();
    std::exchange(stream_, nullptr)->Cancel(error_code);
    End();
  }

  void OnHeaders(Http2Stream&, absl::Span<const Header> headers,
                 bool end_stream) override {
    bool waits = false;
    head_request_ =
        std::any_of(headers.begin(), headers.end(), [](const Header& h) {
          return h.name == ":method" && h.value == "HEAD";
        });
    if (!end_stream && !LookAtBody(headers, waits)) return;
    handler_->OnRequest(*this, headers, end_stream);
    if (waits && open_ && !responded_) {
      stream_->SendHeaders({{":status", "100"}}, false).IgnoreError();
    }
    if (end_stream && open_) handler_->OnEnd(*this);
  }
  void OnData(Http2Stream&, std::string_view bytes, bool end_stream) override {
    if (open_ && !bytes.empty()) {
      body_bytes_ += bytes.size();
      if (body_bytes_ <= session_.transport_.options().max_request_body) {
        handler_->OnData(*this, bytes);
      } else {
        RefuseBody();
      }
    }
    if (open_) {
      if (end_stream) handler_->OnEnd(*this);
    } else if (stream_ != nullptr) {
      stream_->Consume(bytes.size());
    }
  }
  void OnTrailers(Http2Stream&, absl::Span<const Header> trailers) override {
    if (open_) handler_->OnTrailers(*this, trailers);
    if (open_) handler_->OnEnd(*this);
  }
  void OnReset(Http2Stream&, const StreamReset& reset) override {
    if (!open_) return;
    ++stats().resets_received;
    open_ = false;
    handler_->OnReset(*this, reset);
  }
  void OnClosed(Http2Stream&) override {
    stream_ = nullptr;
    End();
  }
  void OnWritable(Http2Stream&) override {
    if (open_) handler_->OnWritable(*this);
  }

 private:
  static absl::Status Over() {
    return absl::FailedPreconditionError("http2: the request is over");
  }
  ServerStats& stats() { return session_.transport_.stats(); }

  // As in HTTP/1.1, the application need not know which responses have no
  // body, whatever it writes.
  bool IsBodiless(absl::Span<const Header> headers) const {
    if (head_request_) return true;
    const std::string_view status = headers.empty() ? "" : headers[0].value;
    return status == "204" || status == "304";
  }

  void End() {
    open_ = false;
    session_.Retire(this);
  }

  // False if it refused a body that is too long. `waits`: the client wants a
  // word before it sends one.
  bool LookAtBody(absl::Span<const Header> headers, bool& waits) {
    const ServerOptions& options = session_.transport_.options();
    for (const Header& h : headers) {
      uint64_t length = 0;
      if (h.name == "expect") {
        waits = options.continue_requests &&
                absl::EqualsIgnoreCase(base::ToAbsl(h.value), "100-continue");
      } else if (h.name == "content-length" &&
                 absl::SimpleAtoi(base::ToAbsl(h.value), &length) &&
                 length > options.max_request_body) {
        RefuseBody();
        return false;
      }
    }
    return true;
  }

  // With a whole response, after which the session stops the client; what
  // comes until then is dropped.
  void RefuseBody() {
    ++stats().bodies_too_large;
    if (responded_) return Reset(NGHTTP2_CANCEL);
    open_ = false;
    stream_->SendHeaders({{":status", "413"}}, true).IgnoreError();
    ++stats().responses;
    StreamReset reset;
    reset.error_code = NGHTTP2_CANCEL;
    handler_->OnReset(*this, reset);
  }

  Http2ServerSession& session_;
  Http2Stream* stream_ = nullptr;  // null when the stream is gone
  std::unique_ptr<ServerHandler> handler_;
  uint64_t body_bytes_ = 0;
  bool open_ = false;  // the handler has its say
  bool responded_ = false;
  bool head_request_ = false;
  bool bodiless_ = false;  // the response is at its end already
};

Http2ServerSession::Http2ServerSession(ServerTransport& transport)
    : transport_(transport),
      session_(Http2Session::Server(transport.options().http2, *this,
                                    transport.now())),
      idle_since_(transport.now()) {
  ++transport_.stats().http2_connections;
}

Http2ServerSession::~Http2ServerSession() {
  const Http2Stats& own = session_->stats();
  ServerStats& all = transport_.stats();
  all.invalid_frames += own.invalid_frames;
  all.premature_resets += own.premature_resets;
  all.headers_too_large += own.headers_too_large;
  all.keepalive_timeouts += own.keepalive_timeouts;
  for (size_t i = 0; i < own.floods.size(); ++i) all.floods[i] += own.floods[i];
}

StreamHandler* Http2ServerSession::OnRequest(Http2Stream& stream) {
  ServerStats& stats = transport_.stats();
  ++stats.requests;
  if (free_.empty()) {
    streams_.push_back(std::make_unique<Stream>(*this));
    free_.push_back(streams_.back().get());
  }
  Stream* own = free_.back();
  own->Begin(stream);
  auto handler = transport_.factory().NewRequest(*own);
  if (handler == nullptr) {
    ++stats.refused_requests;
    return nullptr;
  }
  free_.pop_back();
  own->SetHandler(std::move(handler));
  ++stats.open_requests;
  if (session_->stats().streams >=
      transport_.options().max_requests_per_connection) {
    session_->Drain(transport_.now());
  }
  return own;
}

void Http2ServerSession::Retire(Stream* stream) {
  --transport_.stats().open_requests;
  retired_.push_back(stream);
}

void Http2ServerSession::Reap() {
  // A handler's end may be the end of another request.
  while (!retired_.empty()) {
    Stream* stream = retired_.back();
    retired_.pop_back();
    stream->DropHandler();
    free_.push_back(stream);
    idle_since_ = transport_.now();
  }
}

void Http2ServerSession::Receive(std::string_view bytes) {
  // The status is looked at with the output.
  session_->Receive({bytes.data(), bytes.size()}, transport_.now())
      .IgnoreError();
}

void Http2ServerSession::ReceiveEnd() { ended_ = true; }

bool Http2ServerSession::WantsInput() const {
  return !ended_ && session_->status().ok();
}

void Http2ServerSession::MakeOutput() {
  if (session_->HasOutput()) {
    session_->TakeOutput(transport_.output(), kOutputBytes).IgnoreError();
  }
}

void Http2ServerSession::Tick() {
  const absl::Time now = transport_.now();
  session_->Tick(now).IgnoreError();
  const ServerOptions& options = transport_.options();
  if (!settled_ && now >= idle_since_ + options.header_timeout) {
    ++transport_.stats().header_timeouts;
    transport_.CloseNow();
  } else if (session_->open_streams() == 0 &&
             now >= idle_since_ + options.idle_timeout) {
    ++transport_.stats().idle_timeouts;
    idle_since_ = now;
    session_->Drain(now);
  }
}

absl::Time Http2ServerSession::NextTick() const {
  const absl::Time next = session_->NextTick();
  if (session_->open_streams() > 0) return next;
  const ServerOptions& options = transport_.options();
  return std::min(next,
                  idle_since_ + (settled_ ? options.idle_timeout
                                          : std::min(options.header_timeout,
                                                     options.idle_timeout)));
}

void Http2ServerSession::Drain() {
  session_->Drain(transport_.now());
  transport_.Touch();
}

bool Http2ServerSession::Finished() const {
  return ended_ || !session_->status().ok() || session_->Finished();
}

void Http2ServerSession::Lost(const absl::Status& reason) {
  session_->ConnectionLost(reason);
}

}  // namespace meshlib::net
