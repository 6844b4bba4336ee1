#include "net/http2_client_codec.h"

#include <algorithm>
#include <charconv>

#include "absl/container/inlined_vector.h"
#include "absl/strings/str_cat.h"
#include "net/http2/stream.h"

namespace meshlib::net {
namespace {

constexpr uint32_t kCancelCode = 8;
constexpr uint32_t kNoErrorCode = 0;

// 0: there is none.
int StatusOf(absl::Span<const Header> headers) {
  if (headers.empty() || headers[0].name != ":status") return 0;
  int status = 0;
  const std::string_view text = headers[0].value;
  std::from_chars(text.data(), text.data() + text.size(), status);
  return status;
}

}  // namespace

// One exchange on its stream. Used again and again.
class Http2Exchange final : public StreamHandler {
 public:
  explicit Http2Exchange(Http2ClientCodec* codec) : codec_(codec) {}

  void OnHeaders(Http2Stream& stream, absl::Span<const Header> headers,
                 bool end_stream) override {
    const int status = StatusOf(headers);
    if (status < 200) return;  // informational
    exchange->ReceiveHeaders(status, headers.subspan(1), end_stream);
    Changed();
  }
  void OnData(Http2Stream& stream, std::string_view bytes,
              bool end_stream) override {
    const std::optional<size_t> done = exchange->ReceiveBody(bytes, end_stream);
    Changed();
    if (!done.has_value()) {
      codec_->counters_->Add(UpstreamCounter::kRqTxReset);
      stream.Cancel(kCancelCode);
      return codec_->Release(*this);
    }
    if (*done != 0) stream.Consume(*done);
  }
  void OnTrailers(Http2Stream& stream,
                  absl::Span<const Header> trailers) override {
    exchange->ReceiveTrailers(trailers);
    Changed();
  }
  void OnReset(Http2Stream& stream, const StreamReset& reset) override {
    // After a whole response the rest of the request is not wanted.
    const bool whole = reset.cause == StreamReset::Cause::kReset &&
                       reset.error_code == kNoErrorCode &&
                       (exchange->events() & ClientExchange::kComplete) != 0;
    if (whole) return;
    codec_->CountReset(reset);
    exchange->Fail(codec_->FailureOf(reset), codec_->TextOf(reset),
                   reset.cause == StreamReset::Cause::kGoAway);
    Changed();
  }
  void OnClosed(Http2Stream& stream) override { codec_->Release(*this); }
  void OnWritable(Http2Stream& stream) override {
    if (!SendBody()) return;
    exchange->ReceiveWritable();
    Changed();
  }

  // Whether all of the body that the request came with is taken.
  bool SendBody() {
    const WireRequest& request = exchange->request();
    size_t& sent = exchange->place.body_sent;
    if (sent == request.body.size()) return true;
    sent += stream->Write(request.body.substr(sent), request.end);
    return sent == request.body.size();
  }

  ClientExchange* exchange = nullptr;
  Http2Stream* stream = nullptr;

 private:
  void Changed() { codec_->changed_->Add(*exchange); }

  Http2ClientCodec* const codec_;
};

Http2ClientCodec::Http2ClientCodec(const Http2Options& options,
                                   size_t most_streams, absl::Time now,
                                   ChangedExchanges* changed,
                                   std::shared_ptr<UpstreamCounters> counters)
    : most_streams_(most_streams),
      changed_(changed),
      counters_(std::move(counters)),
      session_(Http2Session::Client(options, *this, now)) {}

Http2ClientCodec::~Http2ClientCodec() = default;

Http2Exchange& Http2ClientCodec::NewExchange(ClientExchange& exchange) {
  if (free_.empty()) {
    exchanges_.push_back(std::make_unique<Http2Exchange>(this));
    free_.push_back(exchanges_.back().get());
  }
  Http2Exchange& made = *free_.back();
  free_.pop_back();
  made.exchange = &exchange;
  exchange.place.http2 = &made;
  exchange.place.active = true;
  ++active_;
  if (!exchange.blocking()) ++active_async_;
  return made;
}

void Http2ClientCodec::Release(Http2Exchange& exchange) {
  ClientExchange::Place& place = exchange.exchange->place;
  place.http2 = nullptr;
  place.active = false;
  if (!exchange.exchange->blocking()) --active_async_;
  exchange.exchange = nullptr;
  exchange.stream = nullptr;
  free_.push_back(&exchange);
  --active_;
}

absl::Status Http2ClientCodec::Start(ClientExchange& exchange) {
  const WireRequest& request = exchange.request();
  absl::InlinedVector<Header, 16> headers = {{":method", request.method},
                                             {":scheme", request.scheme},
                                             {":authority", request.authority},
                                             {":path", request.path}};
  headers.insert(headers.end(), request.headers.begin(), request.headers.end());
  const bool end = request.end && request.body.empty();
  Http2Exchange& made = NewExchange(exchange);
  const absl::StatusOr<Http2Stream*> stream =
      session_->Request(headers, end, made);
  if (!stream.ok()) {
    Release(made);
    return stream.status();
  }
  made.stream = *stream;
  if (!request.body.empty()) made.SendBody();
  return absl::OkStatus();
}

size_t Http2ClientCodec::Write(ClientExchange& exchange, std::string_view bytes,
                               bool end) {
  if (!exchange.place.http2->SendBody()) return 0;
  return exchange.place.http2->stream->Write(bytes, end);
}

absl::Status Http2ClientCodec::WriteTrailers(
    ClientExchange& exchange, absl::Span<const Header> trailers) {
  return exchange.place.http2->stream->SendTrailers(trailers);
}

void Http2ClientCodec::Consume(ClientExchange& exchange, size_t bytes) {
  exchange.place.http2->stream->Consume(bytes);
}

void Http2ClientCodec::Cancel(ClientExchange& exchange) {
  Http2Exchange& made = *exchange.place.http2;
  counters_->Add(UpstreamCounter::kRqTxReset);
  made.stream->Cancel(kCancelCode);
  Release(made);
}

absl::Status Http2ClientCodec::Receive(absl::Span<const char> bytes,
                                       absl::Time now) {
  return Count(session_->Receive(bytes, now));
}

ExchangeFailure Http2ClientCodec::FailureOf(const StreamReset& reset) const {
  switch (reset.cause) {
    case StreamReset::Cause::kHeadersTooLarge:
      return ExchangeFailure::kHeadersTooLarge;
    case StreamReset::Cause::kMalformed:
      return ExchangeFailure::kProtocolError;
    case StreamReset::Cause::kReset:
    case StreamReset::Cause::kGoAway:
    case StreamReset::Cause::kConnectionLost:
      break;
  }
  if (reset.retriable) return ExchangeFailure::kRefused;
  if (reset.cause == StreamReset::Cause::kReset) return ExchangeFailure::kReset;
  const bool lost = !lost_.ok() || absl::IsUnavailable(session_->status());
  return lost ? ExchangeFailure::kConnectionLost
              : ExchangeFailure::kProtocolError;
}

std::string Http2ClientCodec::TextOf(const StreamReset& reset) const {
  switch (reset.cause) {
    case StreamReset::Cause::kHeadersTooLarge:
      return absl::StrCat(
          "http2: more than ", session_->options().max_header_list_size,
          " bytes or ", session_->options().max_headers, " headers");
    case StreamReset::Cause::kMalformed:
      return absl::StrCat("http2: the response is malformed, error ",
                          reset.error_code);
    case StreamReset::Cause::kReset:
    case StreamReset::Cause::kGoAway:
      return absl::StrCat("HTTP/2 error ", reset.error_code);
    case StreamReset::Cause::kConnectionLost:
      break;
  }
  return std::string((lost_.ok() ? session_->status() : lost_).message());
}

void Http2ClientCodec::CountReset(const StreamReset& reset) {
  switch (reset.cause) {
    case StreamReset::Cause::kHeadersTooLarge:
      counters_->Add(UpstreamCounter::kHttp2HeaderOverflow);
      return counters_->Add(UpstreamCounter::kRqTxReset);
    case StreamReset::Cause::kMalformed:
      counters_->Add(UpstreamCounter::kHttp2MessagingError);
      return counters_->Add(UpstreamCounter::kRqTxReset);
    case StreamReset::Cause::kReset:
      return counters_->Add(UpstreamCounter::kRqRxReset);
    case StreamReset::Cause::kConnectionLost:
      if (std::exchange(destroyed_, true)) return;
      return counters_->Add(UpstreamCounter::kCxDestroyWithActiveRq);
    case StreamReset::Cause::kGoAway:
      return;
  }
}

// Notes once what ended the session.
absl::Status Http2ClientCodec::Count(absl::Status status) {
  if (status.ok() || broken_ || !lost_.ok()) return status;
  broken_ = true;
  counters_->Add(UpstreamCounter::kCxProtocolError);
  for (size_t i = 0; i < kHttp2Floods; ++i) {
    if (session_->stats().floods[i] == 0) continue;
    counters_->Add(CounterOf(static_cast<Http2Flood>(i)));
  }
  return status;
}

absl::Status Http2ClientCodec::Tick(absl::Time now) {
  absl::Status status = session_->Tick(now);
  if (!status.ok() && lost_.ok()) {
    counters_->Add(UpstreamCounter::kHttp2KeepaliveTimeout);
  }
  return status;
}

void Http2ClientCodec::ReceiveEnd(bool delivered) {
  ConnectionLost(absl::UnavailableError("the peer closed the connection"),
                 delivered);
}

void Http2ClientCodec::ConnectionLost(const absl::Status& reason,
                                      bool delivered) {
  lost_ = reason;
  session_->ConnectionLost(reason);
}

absl::Status Http2ClientCodec::TakeOutput(std::string& out) {
  return Count(session_->TakeOutput(out));
}

size_t Http2ClientCodec::capacity() const {
  return std::min<size_t>(most_streams_,
                          session_->peer_max_concurrent_streams());
}

}  // namespace meshlib::net
