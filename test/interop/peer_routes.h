#ifndef MESHLIB_TEST_INTEROP_PEER_ROUTES_H_
#define MESHLIB_TEST_INTEROP_PEER_ROUTES_H_

#include <string_view>

// What every peer of test/interop answers, where it can:
//   /hello     "hello"
//   /echo      the request's body
//   /trailers  "hello", then the trailer "x-check: done"
//   /204, /304 that status, no body
//   /chunked   pieces without a content-length
//   /close     "hello", and the end of the connection
//   /early     413 before the request's body was read
//   application/grpc on any path: the request's body, "grpc-status: 0"
// and gRPC's own servers each message of a stream as it comes, but for
// /test.Echo/Fail, which ends with ABORTED, kGrpcText and the trailing metadata
// "x-bytes-bin": kGrpcBytes.

namespace meshlib::interop {

inline constexpr std::string_view kHello = "hello";
inline constexpr int kPieces = 100;
inline constexpr std::string_view kGrpcText = "50 % of it: \xc3\xa4";
inline constexpr std::string_view kGrpcBytes("\0\1\xff", 3);
inline constexpr std::string_view kPiece = "one piece of many\n";

}  // namespace meshlib::interop

#endif  // MESHLIB_TEST_INTEROP_PEER_ROUTES_H_
