#include "testing/backend_exchange.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace meshlib::testing {
namespace {

using Fault = BackendAnswer::Fault;

constexpr size_t kKeptBody = size_t{1} << 20;
// What was written before is on its way after this.
constexpr absl::Duration kMoment = absl::Milliseconds(1);

// Neither TLS, nor HTTP/1.1, nor a frame that may begin anything.
constexpr std::string_view kGarbage = "\xff\xfe\xfd garbage \r\n\r\n\xff\xff";

// RFC 9113, 6.8, with 0 as the last stream.
std::string GoAwayFrame(uint32_t error_code) {
  std::string frame("\0\0\x08\x07\0\0\0\0\0\0\0\0\0", 13);
  for (int shift = 24; shift >= 0; shift -= 8) {
    frame.push_back(static_cast<char>(error_code >> shift));
  }
  return frame;
}

bool Has(const BackendAnswer& answer, std::string_view name) {
  return std::any_of(answer.headers.begin(), answer.headers.end(),
                     [&](const auto& h) { return h.first == name; });
}

bool NeedsBody(Fault fault) {
  return fault == Fault::kResetInBody || fault == Fault::kAbortInBody ||
         fault == Fault::kLongBody || fault == Fault::kShortBody;
}

}  // namespace

BackendExchange::~BackendExchange() {
  if (timer_.has_value()) core_.loop().Cancel(*timer_);
  core_.RemoveStalled(this);
  --core_.counts.open_requests;
  core_.Changed();
}

void BackendExchange::OnRequest(net::ServerStream& stream,
                                absl::Span<const Header> headers,
                                bool end_stream) {
  stream_ = &stream;
  Keep(headers);
  BackendCounts& counts = core_.counts;
  ++counts.requests;
  ++counts.open_requests;
  counts.most_open_requests =
      std::max(counts.most_open_requests, counts.open_requests);
  ++counts.by_path[seen_->path];
  ++counts.by_method[seen_->method];
  core_.last = seen_;
  answer_ = core_.Choose(*seen_);
  if (answer_.body.empty() && NeedsBody(answer_.fault)) {
    answer_.body.assign(1000, 'x');
  }
  if (answer_.early || answer_.echo) Begin();
  core_.Changed();
}

void BackendExchange::Keep(absl::Span<const Header> headers) {
  for (const Header& h : headers) {
    if (h.name == ":method") seen_->method = h.value;
    if (h.name == ":path") seen_->path = h.value;
    if (h.name == ":authority") seen_->authority = h.value;
    seen_->headers.emplace_back(h.name, h.value);
  }
  seen_->http_version = stream_->version() == net::HttpVersion::kHttp2 ? 2 : 1;
  const net::ServerPeer& peer = stream_->connection().peer();
  seen_->peer = peer.address;
  seen_->tls = peer.tls;
  seen_->sni = peer.sni;
  seen_->peer_uris = peer.identity.uris;
}

void BackendExchange::OnData(net::ServerStream& stream,
                             std::string_view bytes) {
  seen_->body_bytes += bytes.size();
  seen_->body.append(
      bytes.substr(0, kKeptBody - std::min(kKeptBody, seen_->body.size())));
  if (!answer_.echo) return stream.Consume(bytes.size());
  echo_.append(bytes);
  if (headers_sent_) SendEcho();
}

void BackendExchange::OnTrailers(net::ServerStream&,
                                 absl::Span<const Header> trailers) {
  for (const Header& h : trailers) {
    seen_->trailers.emplace_back(h.name, h.value);
  }
}

void BackendExchange::OnEnd(net::ServerStream&) {
  if (!std::exchange(seen_->complete, true)) ++core_.counts.complete_requests;
  if (!began_) {
    Begin();
  } else if (answer_.echo && headers_sent_) {
    SendEcho();
  }
  core_.Changed();
}

void BackendExchange::OnReset(net::ServerStream&, const net::StreamReset&) {
  stream_ = nullptr;
  core_.RemoveStalled(this);
  core_.Changed();
}

void BackendExchange::Later(absl::Duration delay,
                            absl::AnyInvocable<void()> task) {
  event::Loop& loop = core_.loop();
  timer_ =
      loop.RunAt(loop.Now() + delay, [this, task = std::move(task)]() mutable {
        timer_.reset();
        if (stream_ != nullptr) task();
      });
}

void BackendExchange::Begin() {
  began_ = true;
  if (answer_.delay > absl::ZeroDuration()) {
    Later(answer_.delay, [this] { Act(); });
  } else {
    Act();
  }
}

void BackendExchange::Release() {
  if (stream_ == nullptr) return;
  answer_.fault = Fault::kNone;
  Act();
}

void BackendExchange::ResetStream() {
  std::exchange(stream_, nullptr)->Reset(answer_.error_code);
}

bool BackendExchange::ActBeforeHeaders() {
  net::ServerConnection& connection = stream_->connection();
  switch (answer_.fault) {
    case Fault::kResetBeforeHeaders:
      ResetStream();
      return false;
    case Fault::kAbortBeforeHeaders:
      connection.Abort();
      return false;
    case Fault::kStall:
      core_.AddStalled(this);
      return false;
    case Fault::kGoAway:
      connection.Drain();
      return true;
    case Fault::kGoAwayError:
      if (seen_->http_version == 2) {
        connection.WriteRaw(GoAwayFrame(answer_.error_code));
      }
      connection.CloseNow();
      return false;
    case Fault::kGarbage:
      connection.WriteRaw(kGarbage);
      connection.CloseNow();
      return false;
    default:
      return true;
  }
}

void BackendExchange::Act() {
  if (!ActBeforeHeaders()) return;
  SendHead();
  switch (answer_.fault) {
    case Fault::kStallAfterHeaders:
      return;
    case Fault::kResetAfterHeaders:
      return Later(kMoment, [this] { ResetStream(); });
    case Fault::kResetInBody:
      stream_->Write(left_.substr(0, left_.size() / 2), false);
      return Later(kMoment, [this] { ResetStream(); });
    case Fault::kAbortInBody:
      stream_->Write(left_.substr(0, left_.size() / 2), false);
      return Later(kMoment, [this] { stream_->connection().Abort(); });
    default:
      return SendBody();
  }
}

void BackendExchange::SendHead() {
  const std::string status = std::to_string(answer_.status);
  size_t size = answer_.body.size();
  if (answer_.fault == Fault::kShortBody) size += 10;
  if (answer_.fault == Fault::kLongBody) size /= 2;
  const std::string length = std::to_string(size);
  std::vector<Header> headers = {{":status", status}};
  for (const auto& [name, value] : answer_.headers) {
    headers.push_back({name, value});
  }
  headers.push_back({"x-backend", core_.address});
  const bool framed_by_end = answer_.echo || !answer_.trailers.empty() ||
                             Has(answer_, "content-length");
  if (!framed_by_end) headers.push_back({"content-length", length});
  const bool end = answer_.body.empty() && answer_.trailers.empty() &&
                   !answer_.echo && answer_.fault == Fault::kNone;
  left_ = answer_.body;
  headers_sent_ = true;
  ++core_.counts.responses;
  if (!stream_->SendHeaders(headers, end).ok()) {
    --core_.counts.responses;
    return ResetStream();
  }
  if (end) Finish();
  core_.Changed();
}

void BackendExchange::SendBody() {
  if (stream_ == nullptr || done_ || !headers_sent_) return;
  if (answer_.echo) return SendEcho();
  const bool end = answer_.trailers.empty();
  const size_t taken = stream_->Write(left_, end);
  left_.remove_prefix(taken);
  if (!left_.empty()) return;  // OnWritable() follows
  if (answer_.fault == Fault::kLongBody && seen_->http_version == 1) {
    // The server sends no more than was announced, by itself.
    stream_->connection().WriteRaw(
        std::string_view(answer_.body).substr(answer_.body.size() / 2));
  }
  Finish();
}

void BackendExchange::SendEcho() {
  if (stream_ == nullptr || done_) return;
  const size_t taken = stream_->Write(echo_, false);
  echo_.erase(0, taken);
  stream_->Consume(taken);
  if (seen_->complete && echo_.empty()) Finish();
}

void BackendExchange::Finish() {
  done_ = true;
  ++core_.counts.complete_responses;
  std::vector<Header> trailers;
  for (const auto& [name, value] : answer_.trailers) {
    trailers.push_back({name, value});
  }
  // Without trailers, the end has been said already, but for echoes.
  if (answer_.echo || !trailers.empty()) {
    stream_->SendTrailers(trailers).IgnoreError();
  }
  core_.Changed();
}

}  // namespace meshlib::testing
