#include "meshlib/grpc_bytes.h"

#include <limits>
#include <memory>
#include <utility>

#include "client/grpc_reader.h"
#include "client/grpc_wire.h"
#include "meshlib/http_stream.h"
#include "net/grpc_framing.h"

namespace meshlib::grpc_bytes {
namespace {

constexpr size_t kMostSent = std::numeric_limits<uint32_t>::max();

// A call's request with its one message.
absl::StatusOr<http::Request> UnaryRequest(std::string_view method,
                                           std::string_view message,
                                           const CallOptions& options) {
  absl::StatusOr<http::Request> request = client::GrpcRequest(method, options);
  if (!request.ok()) return request;
  const absl::Status status =
      net::AppendGrpcMessage(message, false, kMostSent, request->body);
  if (!status.ok()) return status;
  return request;
}

Result Failed(absl::Status status) {
  Result result;
  result.status = std::move(status);
  return result;
}

Result ResultOf(absl::StatusOr<http::Response> response,
                size_t max_receive_bytes) {
  if (!response.ok()) return Failed(response.status());
  Result result;
  result.attempts = response->attempts;
  result.host = std::move(response->host);
  result.cluster = std::move(response->cluster);
  const bool trailers_only =
      response->trailers.empty() &&
      client::GrpcStatusOf(response->headers).has_value();
  if (!trailers_only) {
    result.initial_metadata = client::GrpcMetadata(response->headers);
  }
  result.trailing_metadata = client::GrpcMetadata(
      trailers_only ? response->headers : response->trailers);
  result.status = client::GrpcStatusOf(*response, response->trailers);
  if (!result.status.ok()) return result;
  absl::StatusOr<std::string> message =
      client::OnlyGrpcMessage(response->body, max_receive_bytes);
  result.status = message.status();
  if (message.ok()) result.message = *std::move(message);
  return result;
}

}  // namespace

absl::StatusOr<Client> Client::Create(Mesh& mesh, ClientOptions options) {
  http::ClientOptions http;
  http.max_response_body = options.max_receive_bytes + net::kGrpcPrefixBytes;
  absl::StatusOr<http::Client> client = http::Client::Create(mesh, http);
  if (!client.ok()) return client.status();
  return Client(*std::move(client), options);
}

Result Client::Unary(std::string_view method, std::string_view message,
                     const CallOptions& options) const {
  const auto request = UnaryRequest(method, message, options);
  if (!request.ok()) return Failed(request.status());
  return ResultOf(client_.Send(*request), options_.max_receive_bytes);
}

http::CallHandle Client::UnaryAsync(std::string_view method,
                                    std::string_view message,
                                    const CallOptions& options,
                                    Callback done) const {
  auto request = UnaryRequest(method, message, options);
  absl::Status status(request.status().code(), request.status().message());
  // One without a URL is refused by the client, on an I/O thread.
  http::Request sent = request.ok() ? *std::move(request) : http::Request();
  return client_.SendAsync(
      std::move(sent),
      [status = std::move(status), most = options_.max_receive_bytes,
       done =
           std::move(done)](absl::StatusOr<http::Response> response) mutable {
        done(status.ok() ? ResultOf(std::move(response), most)
                         : Failed(std::move(status)));
      });
}

absl::StatusOr<Stream> Client::Open(std::string_view method,
                                    const CallOptions& options) const {
  absl::StatusOr<http::Request> request = client::GrpcRequest(method, options);
  if (!request.ok()) return request.status();
  absl::StatusOr<http::Stream> stream = client_.Open(*std::move(request));
  if (!stream.ok()) return stream.status();
  return Stream(*std::move(stream), options_.max_receive_bytes);
}

Stream::Stream(http::Stream stream, size_t max_receive_bytes)
    : stream_(std::make_unique<http::Stream>(std::move(stream))),
      reader_(std::make_unique<client::GrpcReader>(max_receive_bytes)) {}

Stream::~Stream() = default;
Stream::Stream(Stream&& other) noexcept = default;
Stream& Stream::operator=(Stream&& other) noexcept = default;

bool Stream::Write(std::string_view message) {
  std::string framed;
  const absl::Status status =
      net::AppendGrpcMessage(message, false, kMostSent, framed);
  return status.ok() && stream_->Write(framed).ok();
}

// Without trailers it cannot fail.
void Stream::WritesDone() { stream_->CloseWrite().IgnoreError(); }

const Metadata& Stream::ReadInitialMetadata() {
  return reader_->ReadInitialMetadata(*stream_);
}

bool Stream::Read(std::string& message) {
  return reader_->Read(*stream_, message);
}

absl::Status Stream::Finish() {
  WritesDone();
  return reader_->Finish(*stream_);
}

const Metadata& Stream::trailing_metadata() const {
  return reader_->trailing_metadata();
}

void Stream::Cancel() { stream_->Cancel(); }

}  // namespace meshlib::grpc_bytes
