#include "net/http1_client_codec.h"

#include <algorithm>
#include <charconv>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/strings.h"
#include "model/headers.h"
#include "net/http1/http1_writer.h"

namespace meshlib::net {
namespace {

constexpr int kSwitchingProtocols = 101;

// Empty: there is none.
std::string_view ValueOf(absl::Span<const Header> headers,
                         std::string_view name) {
  const Header* const header = model::FindHeader(headers, name);
  return header == nullptr ? std::string_view() : header->value;
}

// RFC 9110, 9.2.2.
bool IsIdempotent(std::string_view method) {
  return method == "GET" || method == "HEAD" || method == "PUT" ||
         method == "DELETE" || method == "OPTIONS" || method == "TRACE";
}

// Methods for which a length of 0 is said (RFC 9110, 8.6).
bool ExpectsBody(std::string_view method) {
  return method == "POST" || method == "PUT" || method == "PATCH";
}

}  // namespace

Http1ClientCodec::Http1ClientCodec(const Http1ClientOptions& options,
                                   ChangedExchanges* changed,
                                   std::shared_ptr<UpstreamCounters> counters)
    : options_(options),
      changed_(changed),
      counters_(std::move(counters)),
      parser_(Http1Parser::Kind::kResponses, options.limits) {}

absl::Status Http1ClientCodec::AppendHead(const WireRequest& request) {
  std::vector<Header> headers;
  headers.reserve(request.headers.size() + 3);
  headers.push_back({"host", request.authority});
  const std::string_view upgrade = ValueOf(request.headers, "upgrade");
  const std::string_view length = ValueOf(request.headers, "content-length");
  for (const Header& header : request.headers) {
    if (header.name != "content-length") headers.push_back(header);
  }
  if (!upgrade.empty()) headers.push_back({"connection", "upgrade"});
  std::string length_text;
  body_left_ = request.body.size();
  if (!upgrade.empty()) {
    body_ = Body::kTunnel;
  } else if (request.end) {
    body_ = request.body.empty() ? Body::kNone : Body::kLength;
    if (body_ == Body::kLength || ExpectsBody(request.method)) {
      length_text = absl::StrCat(request.body.size());
    }
  } else if (!length.empty()) {
    const auto [end, error] = std::from_chars(
        length.data(), length.data() + length.size(), body_left_);
    if (error != std::errc() || end != length.data() + length.size()) {
      return absl::InvalidArgumentError("content-length is no number");
    }
    body_ = Body::kLength;
    length_text = std::string(length);
  } else {
    body_ = Body::kChunked;
    headers.push_back({"transfer-encoding", "chunked"});
  }
  if (!length_text.empty()) {
    headers.push_back({"content-length", length_text});
  }
  return AppendRequestHead(
      request.method,
      request.method == "CONNECT" ? request.authority : request.path, headers,
      out_);
}

absl::Status Http1ClientCodec::Start(ClientExchange& exchange) {
  const WireRequest& request = exchange.request();
  absl::Status status = AppendHead(request);
  if (!status.ok()) return status;
  parser_.Next(request.method == "HEAD");
  exchange_ = &exchange;
  exchange.place.active = true;
  keep_alive_ = true;
  informationals_ = 0;
  sent_all_ = body_ == Body::kNone;
  wants_room_ = false;
  reused_ = std::exchange(used_, true);
  answering_ = false;
  end_held_ = false;
  holds_body_ = body_ == Body::kTunnel ||
                ValueOf(request.headers, "expect") == "100-continue";
  if (holds_body_ && body_ != Body::kTunnel) {
    continue_at_ = absl::InfinitePast();  // from the next Tick() on
  }
  SendBody();
  return absl::OkStatus();
}

size_t Http1ClientCodec::Room() const {
  return options_.send_buffer - std::min(options_.send_buffer, out_.size());
}

void Http1ClientCodec::SendBody() {
  if (holds_body_ || sent_all_) return;
  const WireRequest& request = exchange_->request();
  size_t& sent = exchange_->place.body_sent;
  const size_t take = std::min(Room(), request.body.size() - sent);
  const bool last = sent + take == request.body.size();
  const bool end = last && (request.end || end_held_);
  if (take != 0 || end) AppendBody(request.body.substr(sent, take), end);
  sent += take;
}

void Http1ClientCodec::AppendBody(std::string_view bytes, bool end) {
  if (body_ == Body::kChunked) {
    AppendChunk(bytes, out_);
    // Without trailers it cannot fail.
    if (end) AppendLastChunk({}, out_).IgnoreError();
  } else {
    out_ += bytes;
    body_left_ -= std::min<uint64_t>(body_left_, bytes.size());
  }
  if (end || (body_ == Body::kLength && body_left_ == 0)) sent_all_ = true;
}

size_t Http1ClientCodec::Write(ClientExchange& exchange, std::string_view bytes,
                               bool end) {
  if (sent_all_) return 0;
  size_t take = 0;
  const size_t held = exchange.request().body.size() - exchange.place.body_sent;
  if (holds_body_ || held != 0) {
    end_held_ = end && bytes.empty();
    if (end_held_ && body_ == Body::kLength && held < body_left_) {
      EndShort();
      return 0;
    }
  } else {
    take = std::min(Room(), bytes.size());
    // More than was announced would be read as the next request.
    if (body_ == Body::kLength) take = std::min<uint64_t>(take, body_left_);
    const bool last = end && take == bytes.size();
    if (body_ == Body::kLength && last && take < body_left_) {
      EndShort();
      return take;
    }
    if (take != 0 || last) AppendBody(bytes.substr(0, take), last);
  }
  wants_room_ = take < bytes.size();
  return take;
}

void Http1ClientCodec::EndShort() {
  FailExchange(ExchangeFailure::kProtocolError,
               "the body is shorter than its content-length");
  draining_ = true;
}

absl::Status Http1ClientCodec::WriteTrailers(
    ClientExchange& exchange, absl::Span<const Header> trailers) {
  if (sent_all_ || body_ != Body::kChunked) {
    return absl::FailedPreconditionError("the body has no place for trailers");
  }
  // Nothing else is to come: there is nothing to wait for.
  holds_body_ = false;
  SendBody();
  if (exchange.place.body_sent != exchange.request().body.size()) {
    return absl::FailedPreconditionError("the body has not been sent");
  }
  absl::Status status = AppendLastChunk(trailers, out_);
  if (status.ok()) sent_all_ = true;
  return status;
}

void Http1ClientCodec::Consume(ClientExchange& exchange, size_t bytes) {
  unconsumed_ -= std::min(unconsumed_, bytes);
}

void Http1ClientCodec::Cancel(ClientExchange& exchange) {
  counters_->Add(UpstreamCounter::kRqTxReset);
  draining_ = true;  // the rest of the response would come
  Release();
}

absl::Status Http1ClientCodec::Receive(absl::Span<const char> bytes,
                                       absl::Time now) {
  std::string_view rest(bytes.data(), bytes.size());
  while (!rest.empty()) {
    if (exchange_ == nullptr) {
      draining_ = true;
      // Servers say that they close what is idle.
      if (!absl::StartsWith(base::ToAbsl(rest), "HTTP/1.1 408 ")) {
        counters_->Add(UpstreamCounter::kCxProtocolError);
      }
      return absl::InternalError("http1: a response that nobody asked for");
    }
    if (body_ == Body::kTunnel && !holds_body_) {
      Give(rest);
      if (given_up_) Cancel(*exchange_);
      break;
    }
    answering_ = true;
    const absl::StatusOr<size_t> taken = parser_.Feed(rest, *this);
    if (!taken.ok()) return Refuse(taken.status());
    rest.remove_prefix(*taken);
    if (given_up_) {
      Cancel(*exchange_);
      break;
    }
    if (!parser_.done()) {
      if (*taken == 0) break;
      continue;
    }
    if (informational_) {
      if (unasked_) {
        return Refuse(absl::InvalidArgumentError(
            "HTTP/1.1: an upgrade that nobody asked for"));
      }
      if (++informationals_ > options_.max_informational) {
        return Refuse(absl::InvalidArgumentError(
            "HTTP/1.1: too many informational responses"));
      }
      parser_.Next(exchange_->request().method == "HEAD");
      informational_ = false;
    } else if (!(body_ == Body::kTunnel && !holds_body_)) {
      if (!sent_all_ || !keep_alive_) draining_ = true;
      Release();
    }
  }
  return absl::OkStatus();
}

// What came is no response that could be read on.
absl::Status Http1ClientCodec::Refuse(absl::Status status) {
  draining_ = true;
  const bool large = absl::IsResourceExhausted(status);
  counters_->Add(UpstreamCounter::kCxProtocolError);
  counters_->Add(UpstreamCounter::kRqTxReset);
  counters_->Add(large ? UpstreamCounter::kHttp1HeaderOverflow
                       : UpstreamCounter::kHttp1MessagingError);
  FailExchange(large ? ExchangeFailure::kHeadersTooLarge
                     : ExchangeFailure::kProtocolError,
               std::string(status.message()));
  return status;
}

void Http1ClientCodec::OnHead(const Http1Head& head) {
  if (head.status == kSwitchingProtocols && body_ == Body::kTunnel) {
    holds_body_ = false;
    keep_alive_ = false;
    exchange_->ReceiveHeaders(head.status, head.headers, false);
    SendBody();
    exchange_->ReceiveWritable();
  } else if (head.status < 200) {
    informational_ = true;
    unasked_ = head.status == kSwitchingProtocols;
    holds_body_ = body_ == Body::kTunnel;
    continue_at_ = absl::InfiniteFuture();
    SendBody();
    if (wants_room_) exchange_->ReceiveWritable();
  } else {
    keep_alive_ = head.keep_alive;
    // A refused upgrade: no tunnel, and nothing more to send.
    if (body_ == Body::kTunnel) {
      body_ = Body::kNone;
      sent_all_ = true;
    }
    holds_body_ = false;
    continue_at_ = absl::InfiniteFuture();
    // A server that answers without "100 Continue" may read the body still.
    SendBody();
    if (wants_room_) exchange_->ReceiveWritable();
    exchange_->ReceiveHeaders(head.status, head.headers, false);
  }
  changed_->Add(*exchange_);
}

void Http1ClientCodec::Give(std::string_view piece) {
  const std::optional<size_t> done = exchange_->ReceiveBody(piece, false);
  changed_->Add(*exchange_);
  given_up_ = !done.has_value();
  if (!given_up_) unconsumed_ += piece.size() - *done;
}

void Http1ClientCodec::OnBody(std::string_view piece) { Give(piece); }

void Http1ClientCodec::OnTrailers(absl::Span<const Header> trailers) {
  exchange_->ReceiveTrailers(trailers);
}

void Http1ClientCodec::OnEnd() {
  if (informational_ || (body_ == Body::kTunnel && !holds_body_)) return;
  exchange_->ReceiveEnd();
  changed_->Add(*exchange_);
}

void Http1ClientCodec::ReceiveEnd(bool delivered) {
  if (exchange_ == nullptr) return;
  if (body_ == Body::kTunnel && !holds_body_) {
    exchange_->ReceiveEnd();
  } else {
    const absl::Status status = parser_.FeedEnd(*this);
    if (status.ok() && parser_.started()) {
      // A body that goes on as long as the connection has ended.
      exchange_->ReceiveEnd();
    } else {
      counters_->Add(UpstreamCounter::kCxDestroyWithActiveRq);
      exchange_->Fail(ExchangeFailure::kConnectionLost,
                      status.ok() ? "the peer closed the connection"
                                  : std::string(status.message()),
                      Unprocessed(delivered));
    }
  }
  changed_->Add(*exchange_);
  draining_ = true;
  Release();
}

void Http1ClientCodec::ConnectionLost(const absl::Status& reason,
                                      bool delivered) {
  draining_ = true;
  if (exchange_ == nullptr) return;
  counters_->Add(UpstreamCounter::kCxDestroyWithActiveRq);
  FailExchange(ExchangeFailure::kConnectionLost, std::string(reason.message()),
               Unprocessed(delivered));
}

// An idle connection that the peer closes when the next request is on its way.
// One that took the request and then died is a failure like others.
bool Http1ClientCodec::Unprocessed(bool delivered) const {
  return !delivered && reused_ && !answering_ &&
         IsIdempotent(exchange_->request().method);
}

void Http1ClientCodec::FailExchange(ExchangeFailure failure, std::string text,
                                    bool unprocessed) {
  exchange_->Fail(failure, std::move(text), unprocessed);
  changed_->Add(*exchange_);
  Release();
}

void Http1ClientCodec::Release() {
  exchange_->place.active = false;
  exchange_ = nullptr;
  unconsumed_ = 0;
  continue_at_ = absl::InfiniteFuture();
  holds_body_ = false;
  given_up_ = false;
}

absl::Status Http1ClientCodec::TakeOutput(std::string& out) {
  if (out.empty()) {
    out.swap(out_);
  } else {
    out += out_;
  }
  out_.clear();
  if (exchange_ == nullptr) return absl::OkStatus();
  SendBody();
  if (wants_room_ && !holds_body_ &&
      exchange_->place.body_sent == exchange_->request().body.size()) {
    wants_room_ = false;
    exchange_->ReceiveWritable();
    changed_->Add(*exchange_);
  }
  return absl::OkStatus();
}

absl::Status Http1ClientCodec::Tick(absl::Time now) {
  if (!holds_body_ || body_ == Body::kTunnel) return absl::OkStatus();
  if (continue_at_ == absl::InfinitePast()) {
    continue_at_ = now + options_.continue_timeout;
  } else if (now >= continue_at_) {
    continue_at_ = absl::InfiniteFuture();
    holds_body_ = false;
    SendBody();
    if (wants_room_) exchange_->ReceiveWritable();
    changed_->Add(*exchange_);
  }
  return absl::OkStatus();
}

}  // namespace meshlib::net
