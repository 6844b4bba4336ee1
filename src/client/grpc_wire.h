#ifndef MESHLIB_CLIENT_GRPC_WIRE_H_
#define MESHLIB_CLIENT_GRPC_WIRE_H_

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "meshlib/grpc_bytes.h"
#include "meshlib/http.h"

// gRPC's way to say things in HTTP/2 headers ("gRPC over HTTP2").

namespace meshlib::client {

// The request of a call, without messages. InvalidArgument: its metadata.
absl::StatusOr<http::Request> GrpcRequest(
    std::string_view method, const grpc_bytes::CallOptions& options);

// A grpc-timeout: at most eight digits, rounded up, and a unit.
std::string GrpcTimeout(absl::Duration timeout);

// What the application is to see of a response's headers or trailers.
grpc_bytes::Metadata GrpcMetadata(const http::Headers& headers);

// The status that `headers` tell; nothing if they tell none.
std::optional<absl::Status> GrpcStatusOf(const http::Headers& headers);

// Of a response that is over: told by the trailers, by the headers, or by its
// HTTP status.
absl::Status GrpcStatusOf(const http::ResponseHead& head,
                          const http::Headers& trailers);

// Whether the response's body can be messages.
bool HasGrpcBody(const http::ResponseHead& head);

// The one message of a unary response.
absl::StatusOr<std::string> OnlyGrpcMessage(std::string_view body,
                                            size_t max_bytes);

}  // namespace meshlib::client

#endif  // MESHLIB_CLIENT_GRPC_WIRE_H_
