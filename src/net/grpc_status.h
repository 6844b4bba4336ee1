#ifndef MESHLIB_NET_GRPC_STATUS_H_
#define MESHLIB_NET_GRPC_STATUS_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"

// How gRPC says in HTTP headers what became of a call ("gRPC over HTTP2").

namespace meshlib::net {

inline constexpr std::string_view kGrpcContentType = "application/grpc";

// Whether a response's body can be messages.
bool IsGrpcBody(int http_status, std::string_view content_type);

// What the values of grpc-status and grpc-message mean.
absl::Status ParseGrpcStatus(std::string_view code, std::string_view message);

// What a response that is over means where no grpc-status came.
absl::Status MissingGrpcStatus(int http_status, std::string_view content_type);

// Of grpc-message.
std::string PercentDecode(std::string_view text);
// The other way round.
std::string PercentEncode(std::string_view text);

}  // namespace meshlib::net

#endif  // MESHLIB_NET_GRPC_STATUS_H_
