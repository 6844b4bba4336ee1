#include "net/server_http1.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/strings.h"
#include "net/http1/http1_writer.h"

namespace meshlib::net {
namespace {

// Requests sent ahead that are kept.
constexpr size_t kInputBytes = size_t{64} << 10;
constexpr uint32_t kCancel = 8;  // as HTTP/2 calls it

// Headers that are about the connection or the framing, which is ours.
bool IsOfConnection(std::string_view name) {
  return name == "connection" || name == "transfer-encoding" ||
         name == "keep-alive" || name == "proxy-connection";
}

std::optional<int> StatusOf(absl::Span<const Header> headers) {
  int status = 0;
  if (headers.empty() || headers[0].name != ":status" ||
      !absl::SimpleAtoi(base::ToAbsl(headers[0].value), &status)) {
    return std::nullopt;
  }
  return status;
}

}  // namespace

Http1ServerSession::Http1ServerSession(ServerTransport& transport)
    : transport_(transport),
      parser_(Http1Parser::Kind::kRequests, transport.options().http1),
      progress_(transport.now()) {
  ++transport_.stats().http1_connections;
}

Http1ServerSession::~Http1ServerSession() = default;

// ---- Input

bool Http1ServerSession::CanParse() const {
  return !stopped_ && !parser_.done();
}

// The next request waits until the responses before it are on their way.
bool Http1ServerSession::HasRoom() const {
  return transport_.unsent() * 2 <= transport_.options().http1_send_buffer;
}

bool Http1ServerSession::WantsInput() const {
  if (stopped_ || ended_) return false;
  return input_.size() < kInputBytes &&
         unconsumed_ < transport_.options().http1_window;
}

void Http1ServerSession::Receive(std::string_view bytes) {
  if (framing_ == Framing::kTunnel) return PassOn(bytes);
  if (!input_.empty()) {
    input_.append(bytes);
    return ParseBuffered();
  }
  bytes.remove_prefix(Parse(bytes));
  input_.append(bytes);
}

void Http1ServerSession::ParseBuffered() {
  if (input_.empty()) return;
  // Handlers may look at the buffer by way of WantsInput() only.
  input_.erase(0, Parse(input_));
}

// Up to the end of the present request. The next one is begun where the
// response ends.
size_t Http1ServerSession::Parse(std::string_view bytes) {
  const size_t size = bytes.size();
  while (!bytes.empty() && CanParse()) {
    if (!parser_.started()) {
      // Empty lines before a request are passed over (RFC 9112, 2.2).
      const size_t start = bytes.find_first_not_of("\r\n");
      bytes.remove_prefix(std::min(start, bytes.size()));
      if (bytes.empty()) break;
      // The first head has had its time since the connection began.
      if (requests_ > 0) progress_ = transport_.now();
    } else if (handler_ != nullptr) {
      progress_ = transport_.now();
    }
    const absl::StatusOr<size_t> taken = parser_.Feed(bytes, *this);
    if (!taken.ok()) {
      Refuse(taken.status().code() == absl::StatusCode::kResourceExhausted
                 ? 431
                 : 400);
      return size;
    }
    bytes.remove_prefix(*taken);
    if (refusal_ != 0) {
      Refuse(refusal_);
      return size;
    }
    if (framing_ == Framing::kTunnel) {
      PassOn(bytes);
      return size;
    }
    if (parser_.done() && response_ == Response::kDone && HasRoom()) {
      NextRequest();
    }
  }
  return stopped_ ? size : size - bytes.size();
}

void Http1ServerSession::OnHead(const Http1Head& head) {
  ServerStats& stats = transport_.stats();
  ++stats.requests;
  ++requests_;
  version_ = head.version;
  head_request_ = head.method == "HEAD";
  connect_ = head.method == "CONNECT";
  upgrade_ = head.upgrade;
  const ServerOptions& options = transport_.options();
  const bool end = !head.chunked && head.content_length.value_or(0) == 0;
  must_continue_ = head.expects_continue && version_ >= 11 && !end;
  if (!head.keep_alive || draining_ ||
      requests_ >= options.max_requests_per_connection) {
    close_ = true;
  }
  if (head.content_length.value_or(0) > options.max_request_body) {
    refusal_ = 413;
    return;
  }
  handler_ = transport_.factory().NewRequest(*this);
  if (handler_ == nullptr) {
    ++stats.refused_requests;
    refusal_ = 503;
    return;
  }
  ++stats.open_requests;
  Translate(head);
  handler_->OnRequest(*this, request_head_, end);
  if (must_continue_ && options.continue_requests &&
      response_ == Response::kNone && handler_ != nullptr) {
    SendInformational(100, {}).IgnoreError();
  }
}

void Http1ServerSession::Translate(const Http1Head& head) {
  std::string_view authority;
  std::string_view path = head.target;
  for (const Header& h : head.headers) {
    if (h.name == "host") authority = h.value;
  }
  const size_t scheme_end = path.find("://");
  if (connect_) {
    authority = path;
    path = {};
  } else if (path.substr(0, 1) != "/" && scheme_end != std::string_view::npos) {
    // A target in absolute form overrides Host (RFC 9112, 3.2.2).
    path.remove_prefix(scheme_end + 3);
    const size_t end = std::min(path.find_first_of("/?"), path.size());
    authority = path.substr(0, end);
    path.remove_prefix(end);
    if (path.empty()) path = "/";
  }
  std::vector<Header>& to = request_head_;
  to.clear();
  to.push_back({":method", head.method});
  to.push_back({":scheme", transport_.peer().tls ? "https" : "http"});
  to.push_back({":authority", authority});
  if (!connect_) to.push_back({":path", path});
  for (const Header& h : head.headers) {
    if (h.name == "host" || (IsOfConnection(h.name) && !upgrade_)) continue;
    to.push_back(h);
  }
}

void Http1ServerSession::OnBody(std::string_view piece) {
  body_bytes_ += piece.size();
  if (body_bytes_ > transport_.options().max_request_body) {
    if (refusal_ == 0) refusal_ = 413;
    return;
  }
  if (handler_ == nullptr || response_ == Response::kDone) {
    discarded_ += piece.size();
    if (discarded_ > transport_.options().max_discarded) close_ = true;
    return;
  }
  unconsumed_ += piece.size();
  handler_->OnData(*this, piece);
}

void Http1ServerSession::OnTrailers(absl::Span<const Header> trailers) {
  if (refusal_ == 0 && handler_ != nullptr && response_ != Response::kDone) {
    handler_->OnTrailers(*this, trailers);
  }
}

void Http1ServerSession::OnEnd() {
  if (refusal_ == 0 && handler_ != nullptr) {
    end_told_ = true;
    handler_->OnEnd(*this);
  }
}

void Http1ServerSession::PassOn(std::string_view tunnelled) {
  if (tunnelled.empty() || handler_ == nullptr || ended_) return;
  unconsumed_ += tunnelled.size();
  handler_->OnData(*this, tunnelled);
}

void Http1ServerSession::ReceiveEnd() {
  ended_ = true;
  if (handler_ == nullptr) {
    stopped_ = true;
  } else if (framing_ == Framing::kTunnel) {
    handler_->OnEnd(*this);
    if (response_ == Response::kDone) stopped_ = true;
  } else if (response_ != Response::kDone || !parser_.done()) {
    FailRequest();
    stopped_ = true;
    transport_.CloseNow();
  }
}

void Http1ServerSession::Consume(size_t bytes) {
  unconsumed_ -= std::min(bytes, unconsumed_);
  transport_.Touch();
}

// ---- From one request to the next

void Http1ServerSession::NextRequest() {
  EndHandler();
  progress_ = transport_.now();
  if (close_) {
    stopped_ = true;
    return;
  }
  parser_.Next();
  response_ = Response::kNone;
  framing_ = Framing::kNone;
  upgrade_ = connect_ = end_told_ = wants_room_ = false;
  body_bytes_ = discarded_ = 0;
  unconsumed_ = 0;
}

void Http1ServerSession::EndHandler() {
  if (handler_ == nullptr) return;
  --transport_.stats().open_requests;
  // It may be the caller.
  retired_.push_back(std::move(handler_));
}

void Http1ServerSession::FailRequest() {
  if (handler_ == nullptr) return;
  ServerHandler* const handler = handler_.get();
  EndHandler();
  if (response_ == Response::kDone && end_told_) return;
  ++transport_.stats().resets_received;
  StreamReset reset;
  reset.cause = StreamReset::Cause::kConnectionLost;
  reset.error_code = kCancel;
  handler->OnReset(*this, reset);
}

void Http1ServerSession::Refuse(int status) {
  ServerStats& stats = transport_.stats();
  if (status == 400) ++stats.bad_requests;
  if (status == 413) ++stats.bodies_too_large;
  if (status == 431) ++stats.headers_too_large;
  const Response before = std::exchange(response_, Response::kDone);
  refusal_ = 0;
  stopped_ = true;
  FailRequest();
  // A response that has begun can only be cut short.
  if (before == Response::kBegun) return transport_.CloseNow();
  if (before == Response::kDone) return transport_.CloseGently();
  ++stats.responses;
  AppendResponseHead(status, {{"content-length", "0"}, {"connection", "close"}},
                     transport_.output())
      .IgnoreError();
  transport_.CloseGently();
}

void Http1ServerSession::Reap() { retired_.clear(); }

void Http1ServerSession::MakeOutput() {
  if (wants_room_ && HasRoom() && handler_ != nullptr) {
    wants_room_ = false;
    handler_->OnWritable(*this);
  }
  if (framing_ == Framing::kTunnel) {
    // What the client sent ahead of the switch.
    if (!input_.empty()) PassOn(std::exchange(input_, {}));
    return;
  }
  while (response_ == Response::kDone && !stopped_ && HasRoom()) {
    if (parser_.done()) {
      NextRequest();
      ParseBuffered();
    } else if (close_) {
      // The client is not done with a body that nobody wants.
      EndHandler();
      stopped_ = true;
    } else {
      break;
    }
  }
}

bool Http1ServerSession::Finished() const {
  if (stopped_) return handler_ == nullptr || response_ == Response::kDone;
  return draining_ && handler_ == nullptr && !parser_.started() &&
         input_.empty() && transport_.now() >= NextTick();
}

void Http1ServerSession::Lost(const absl::Status&) { FailRequest(); }

void Http1ServerSession::Tick() {
  if (transport_.now() < NextTick()) return;
  ServerStats& stats = transport_.stats();
  if (handler_ != nullptr) {
    ++stats.body_timeouts;
    Refuse(408);
  } else if (parser_.started()) {
    ++stats.header_timeouts;
    Refuse(408);
  } else {
    if (!draining_) {
      ++(requests_ == 0 ? stats.header_timeouts : stats.idle_timeouts);
    }
    stopped_ = true;
  }
}

absl::Time Http1ServerSession::NextTick() const {
  const ServerOptions& options = transport_.options();
  if (stopped_ || ended_) return absl::InfiniteFuture();
  if (handler_ != nullptr) {
    const bool reads = !parser_.done() && WantsInput();
    return reads ? progress_ + options.body_timeout : absl::InfiniteFuture();
  }
  if (draining_ && !parser_.started()) return progress_ + options.drain_grace;
  if (requests_ == 0 || parser_.started()) {
    return progress_ + options.header_timeout;
  }
  return progress_ + options.idle_timeout;
}

// ---- Output

absl::Status Http1ServerSession::SendHeaders(absl::Span<const Header> headers,
                                             bool end_stream) {
  const std::optional<int> status = StatusOf(headers);
  if (handler_ == nullptr || response_ != Response::kNone) {
    return absl::FailedPreconditionError(
        "HTTP/1.1: the request takes no response headers");
  }
  if (!status.has_value()) {
    return absl::InvalidArgumentError("HTTP/1.1: no :status comes first");
  }
  if (*status < 200 && *status != 101) {
    return SendInformational(*status, headers);
  }
  if (*status == 101 && !upgrade_) {
    return absl::FailedPreconditionError(
        "HTTP/1.1: 101 to a request that asks for no upgrade");
  }
  if (must_continue_) close_ = true;  // whether its body comes is unknown
  if (draining_) close_ = true;
  Frame(*status, headers, end_stream);
  absl::Status written =
      AppendResponseHead(*status, head_, transport_.output());
  head_.clear();
  if (!written.ok()) return written;
  ++transport_.stats().responses;
  response_ = Response::kBegun;
  transport_.Touch();
  if (end_stream) EndBody({});
  return absl::OkStatus();
}

absl::Status Http1ServerSession::SendInformational(
    int status, absl::Span<const Header> headers) {
  if (version_ < 11) return absl::OkStatus();  // knows none
  if (status == 100) must_continue_ = false;
  transport_.Touch();
  if (!headers.empty()) headers.remove_prefix(1);
  return AppendResponseHead(status, headers, transport_.output());
}

void Http1ServerSession::Frame(int status, absl::Span<const Header> headers,
                               bool end_stream) {
  const bool tunnel = status == 101 || (connect_ && status / 100 == 2);
  std::optional<uint64_t> length;
  head_.clear();
  for (const Header& h : headers.subspan(1)) {
    if (IsOfConnection(h.name) && !tunnel) {
      close_ = close_ || (h.name == "connection" && h.value == "close");
      continue;
    }
    uint64_t value = 0;
    if (h.name == "content-length" && !tunnel) {
      if (length.has_value() || status == 204 ||
          !absl::SimpleAtoi(base::ToAbsl(h.value), &value)) {
        continue;
      }
      length = value;
    }
    head_.push_back(h);
  }
  if (tunnel) {
    framing_ = Framing::kTunnel;
    return;
  }
  if (head_request_ || status == 204 || status == 304) {
    framing_ = Framing::kNone;
  } else if (length.has_value() || end_stream) {
    framing_ = Framing::kLength;
    left_ = length.value_or(0);
    if (!length.has_value()) head_.push_back({"content-length", "0"});
  } else if (version_ >= 11) {
    framing_ = Framing::kChunked;
    head_.push_back({"transfer-encoding", "chunked"});
  } else {
    framing_ = Framing::kClose;
    close_ = true;
  }
  if (close_) {
    head_.push_back({"connection", "close"});
  } else if (version_ < 11) {
    head_.push_back({"connection", "keep-alive"});
  }
}

size_t Http1ServerSession::Write(std::string_view bytes, bool end_stream) {
  if (handler_ == nullptr || response_ != Response::kBegun) return 0;
  const size_t limit = transport_.options().http1_send_buffer;
  const size_t room = limit - std::min(limit, transport_.unsent());
  const size_t n = std::min(room, bytes.size());
  std::string_view piece = bytes.substr(0, n);
  std::string& out = transport_.output();
  switch (framing_) {
    case Framing::kNone:
      break;
    case Framing::kLength:
      // More than was announced would be read as the next response.
      piece = piece.substr(0, left_);
      left_ -= piece.size();
      out.append(piece);
      break;
    case Framing::kChunked:
      AppendChunk(piece, out);
      break;
    case Framing::kClose:
    case Framing::kTunnel:
      out.append(piece);
      break;
  }
  if (n < bytes.size()) {
    wants_room_ = true;
  } else if (end_stream) {
    EndBody({});
  }
  transport_.Touch();
  return n;
}

absl::Status Http1ServerSession::SendTrailers(
    absl::Span<const Header> trailers) {
  if (handler_ == nullptr || response_ != Response::kBegun) {
    return absl::FailedPreconditionError(
        "HTTP/1.1: the request takes no trailers");
  }
  EndBody(trailers);
  transport_.Touch();
  return absl::OkStatus();
}

void Http1ServerSession::EndBody(absl::Span<const Header> trailers) {
  response_ = Response::kDone;
  wants_room_ = false;
  switch (framing_) {
    case Framing::kNone:
    case Framing::kClose:
      break;
    case Framing::kLength:
      // Only the end of the connection tells that something is missing.
      if (left_ > 0) transport_.CloseNow();
      break;
    case Framing::kChunked:
      if (!AppendLastChunk(trailers, transport_.output()).ok()) {
        AppendLastChunk({}, transport_.output()).IgnoreError();
      }
      break;
    case Framing::kTunnel:
      if (ended_) {
        stopped_ = true;
      } else {
        transport_.EndOutput();
      }
      break;
  }
}

void Http1ServerSession::Reset(uint32_t) {
  if (handler_ == nullptr) return;
  ++transport_.stats().resets_sent;
  EndHandler();
  stopped_ = true;
  transport_.CloseNow();
  transport_.Touch();
}

}  // namespace meshlib::net
