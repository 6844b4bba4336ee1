#ifndef MESHLIB_CLIENT_GRPC_READER_H_
#define MESHLIB_CLIENT_GRPC_READER_H_

#include <cstddef>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "meshlib/grpc_bytes.h"
#include "meshlib/http_stream.h"
#include "net/grpc_framing.h"

namespace meshlib::client {

// The reading side of a gRPC call: makes messages and a status of an HTTP
// response. One thread at a time.
class GrpcReader {
 public:
  explicit GrpcReader(size_t max_receive_bytes) : decoder_(max_receive_bytes) {}

  // As in grpc_bytes::Stream.
  const grpc_bytes::Metadata& ReadInitialMetadata(http::Stream& stream);
  bool Read(http::Stream& stream, std::string& message);
  absl::Status Finish(http::Stream& stream);
  const grpc_bytes::Metadata& trailing_metadata() const { return trailing_; }

 private:
  // The call is over. The stream is given up if it is not.
  void End(http::Stream& stream, absl::Status status);
  // At the end of the response's body.
  void EndWith(http::Stream& stream);

  std::optional<http::ResponseHead> head_;
  grpc_bytes::Metadata initial_;
  grpc_bytes::Metadata trailing_;
  net::GrpcDecoder decoder_;
  std::string piece_;  // the decoder has a view of it
  std::optional<absl::Status> status_;
};

}  // namespace meshlib::client

#endif  // MESHLIB_CLIENT_GRPC_READER_H_
