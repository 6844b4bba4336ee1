#include "controlplane/ads_exchange.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/strings.h"

namespace meshlib::controlplane {
namespace {

constexpr std::string_view kStreamMethod =
    "/envoy.service.discovery.v3.AggregatedDiscoveryService/"
    "StreamAggregatedResources";
constexpr std::string_view kGrpc = "application/grpc";

// What was written before is on its way after this.
constexpr absl::Duration kMoment = absl::Milliseconds(1);

// As gRPC writes grpc-message.
std::string PercentEncode(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string encoded;
  for (const char c : text) {
    if (c >= ' ' && c <= '~' && c != '%') {
      encoded.push_back(c);
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    encoded += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
  }
  return encoded;
}

std::string_view Find(absl::Span<const Header> headers, std::string_view name) {
  for (const Header& header : headers) {
    if (header.name == name) return header.value;
  }
  return {};
}

// "application/grpc", "application/grpc+proto", "application/grpc;...".
bool IsGrpc(std::string_view type) {
  return type.substr(0, kGrpc.size()) == kGrpc &&
         (type.size() == kGrpc.size() || type[kGrpc.size()] == '+' ||
          type[kGrpc.size()] == ';');
}

AdsEnd EndOf(const absl::Status& status) {
  return {AdsEnd::Kind::kStatus, static_cast<uint32_t>(status.code()),
          std::string(status.message())};
}

}  // namespace

AdsExchange::AdsExchange(AdsServer& server)
    : server_(server),
      decoder_(server.options_.max_request_bytes),
      ads_(server.options_.limits) {}

AdsExchange::~AdsExchange() {
  Close(absl::CancelledError("the server is destroyed"));
}

// --- The request ---

void AdsExchange::OnRequest(net::ServerStream& stream,
                            absl::Span<const Header> headers, bool) {
  stream_ = &stream;
  if (stream.version() != net::HttpVersion::kHttp2 ||
      Find(headers, ":method") != "POST" ||
      !IsGrpc(Find(headers, "content-type"))) {
    return Refuse("415", "an xDS server: speaks gRPC over HTTP/2\n");
  }
  const std::string_view path = Find(headers, ":path");
  if (path != kStreamMethod) {
    return Fail(absl::UnimplementedError(
        absl::StrCat("unknown method \"", base::Excerpt(path, 200), "\", want ",
                     base::ToAbsl(kStreamMethod))));
  }
  Open();
}

void AdsExchange::Refuse(std::string_view status, std::string_view text) {
  const std::string length = std::to_string(text.size());
  stream_
      ->SendHeaders({{":status", status},
                     {"content-type", "text/plain"},
                     {"content-length", length}},
                    false)
      .IgnoreError();
  stream_->Write(text, true);
  stream_ = nullptr;
}

void AdsExchange::Open() {
  id_ = ++server_.last_id_;
  server_.exchanges_.push_back(this);
  const AdsEnd end = server_.observer_->OnOpen(client());
  if (end.kind != AdsEnd::Kind::kNone) return End(end);
  headers_sent_ = true;
  stream_
      ->SendHeaders({{":status", "200"},
                     {"content-type", kGrpc},
                     {"grpc-accept-encoding", "identity"}},
                    false)
      .IgnoreError();
  if (server_.resources_ != nullptr) ads_.SetResources(server_.resources_);
}

void AdsExchange::OnData(net::ServerStream& stream, std::string_view bytes) {
  // What a request leaves behind is bounded, so that there is no reason to
  // hold the client back.
  stream.Consume(bytes.size());
  if (stream_ == nullptr) return;
  decoder_.Add(bytes);
  while (true) {
    const auto message = decoder_.Next();
    if (!message.ok()) return Fail(message.status());
    if (!message->has_value()) break;
    if ((*message)->compressed) {
      return Fail(absl::UnimplementedError("compressed requests"));
    }
    const auto request = ads_.Receive((*message)->bytes);
    if (!request.ok()) return Fail(request.status());
    server_.observer_->OnRequest(client(), *request);
  }
  Pump();
}

void AdsExchange::OnEnd(net::ServerStream&) {
  if (stream_ == nullptr) return;
  const absl::Status complete = decoder_.Finish();
  if (!complete.ok()) return Fail(complete);
  End({AdsEnd::Kind::kStatus, 0, ""});
}

void AdsExchange::OnReset(net::ServerStream&, const net::StreamReset& reset) {
  Close(reset.cause == net::StreamReset::Cause::kConnectionLost
            ? absl::UnavailableError("the connection is lost")
            : absl::CancelledError("the client has reset the stream"));
}

// --- The response ---

void AdsExchange::SetResources() {
  ads_.SetResources(server_.resources_);
  Pump();
}

bool AdsExchange::WriteOut() {
  const std::string_view left = std::string_view(out_).substr(written_);
  written_ += stream_->Write(left, false);
  if (written_ < out_.size()) return false;
  // A large response leaves no large buffer behind.
  out_ = std::string();
  written_ = 0;
  return true;
}

void AdsExchange::Pump() {
  while (stream_ != nullptr && headers_sent_ && !timer_.has_value()) {
    if (!WriteOut()) return;  // OnWritable() follows
    if (end_.kind != AdsEnd::Kind::kNone) {
      if (!std::exchange(abrupt_, false)) return End(end_);
      return Later(kMoment);
    }
    if (server_.silent_) return;
    const auto response = ads_.TakeResponse();
    if (!response.has_value()) return;
    AdsDelivery delivery = server_.observer_->OnResponse(client(), *response);
    out_ = std::move(delivery.bytes);
    end_ = std::move(delivery.end);
    abrupt_ =
        end_.kind == AdsEnd::Kind::kReset || end_.kind == AdsEnd::Kind::kAbort;
    if (delivery.delay > absl::ZeroDuration()) Later(delivery.delay);
  }
}

void AdsExchange::Later(absl::Duration delay) {
  timer_ = server_.loop_->RunAt(server_.loop_->Now() + delay, [this] {
    timer_.reset();
    Pump();
  });
}

void AdsExchange::Fail(const absl::Status& status) { End(EndOf(status)); }

void AdsExchange::End(const AdsEnd& end) {
  if (stream_ == nullptr) return;
  if (end.kind == AdsEnd::Kind::kStatus && written_ > 0) {
    // In the middle of a message nothing else can be said.
    end_ = end;
    abrupt_ = false;
    return;
  }
  net::ServerStream& stream = *stream_;
  const absl::Status why(static_cast<absl::StatusCode>(
                             end.kind == AdsEnd::Kind::kStatus ? end.code : 10),
                         end.message);
  const std::string code = std::to_string(end.code);
  const std::string message = PercentEncode(end.message);
  const Header trailers[] = {{"grpc-status", code}, {"grpc-message", message}};
  const Header head[] = {
      {":status", "200"}, {"content-type", kGrpc}, trailers[0], trailers[1]};
  Close(why);
  switch (end.kind) {
    case AdsEnd::Kind::kNone:
      return;
    case AdsEnd::Kind::kStatus:
      (headers_sent_ ? stream.SendTrailers(trailers)
                     : stream.SendHeaders(head, true))
          .IgnoreError();
      return;
    case AdsEnd::Kind::kReset:
      return stream.Reset(end.code);
    case AdsEnd::Kind::kClose:
      return stream.connection().CloseNow();
    case AdsEnd::Kind::kAbort:
      return stream.connection().Abort();
  }
}

// Says that it is over, once.
void AdsExchange::Close(const absl::Status& why) {
  if (timer_.has_value()) server_.loop_->Cancel(*timer_);
  timer_.reset();
  if (id_ != 0 && stream_ != nullptr) {
    server_.observer_->OnClose(client(), why);
    auto& all = server_.exchanges_;
    all.erase(std::remove(all.begin(), all.end(), this), all.end());
  }
  stream_ = nullptr;
}

}  // namespace meshlib::controlplane
