#include "client/grpc_reader.h"

#include <utility>

#include "client/grpc_wire.h"

namespace meshlib::client {

const grpc_bytes::Metadata& GrpcReader::ReadInitialMetadata(
    http::Stream& stream) {
  if (head_.has_value() || status_.has_value()) return initial_;
  absl::StatusOr<http::ResponseHead> head = stream.ReadHead();
  if (!head.ok()) {
    End(stream, head.status());
    return initial_;
  }
  head_ = *std::move(head);
  // Where the status comes in the headers they are trailers.
  if (GrpcStatusOf(head_->headers).has_value()) {
    trailing_ = GrpcMetadata(head_->headers);
    End(stream, GrpcStatusOf(*head_, {}));
    return initial_;
  }
  initial_ = GrpcMetadata(head_->headers);
  if (!HasGrpcBody(*head_)) End(stream, GrpcStatusOf(*head_, {}));
  return initial_;
}

void GrpcReader::End(http::Stream& stream, absl::Status status) {
  status_ = std::move(status);
  stream.Cancel();
}

void GrpcReader::EndWith(http::Stream& stream) {
  const http::Headers trailers = stream.trailers();
  trailing_ = GrpcMetadata(trailers);
  absl::Status status = GrpcStatusOf(*head_, trailers);
  if (status.ok()) status = decoder_.Finish();
  End(stream, std::move(status));
}

bool GrpcReader::Read(http::Stream& stream, std::string& message) {
  ReadInitialMetadata(stream);
  while (!status_.has_value()) {
    const auto next = decoder_.Next();
    if (!next.ok()) {
      End(stream, next.status());
    } else if (!next->has_value()) {
      const absl::StatusOr<bool> more = stream.Read(piece_);
      if (!more.ok()) {
        End(stream, more.status());
      } else if (*more) {
        decoder_.Add(piece_);
      } else {
        EndWith(stream);
      }
    } else if ((*next)->compressed) {
      End(stream,
          absl::InternalError("a compressed message, but none was accepted"));
    } else {
      message.assign((*next)->bytes);
      return true;
    }
  }
  return false;
}

absl::Status GrpcReader::Finish(http::Stream& stream) {
  std::string passed_over;
  while (Read(stream, passed_over)) {
  }
  return *status_;
}

}  // namespace meshlib::client
