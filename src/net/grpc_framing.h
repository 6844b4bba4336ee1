#ifndef MESHLIB_NET_GRPC_FRAMING_H_
#define MESHLIB_NET_GRPC_FRAMING_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

// gRPC's messages in an HTTP/2 body: one byte that says whether the message is
// compressed, four bytes of length (big endian), the message.

namespace meshlib::net {

inline constexpr size_t kGrpcPrefixBytes = 5;
// What gRPC's own receivers accept unless told otherwise.
inline constexpr size_t kGrpcDefaultMaxMessageBytes = size_t{4} << 20;

struct GrpcMessage {
  // Valid until the decoder's next call that is not const.
  std::string_view bytes;
  bool compressed = false;
};

// Appends a message with its prefix to `out`. ResourceExhausted beyond
// `max_bytes` (as gRPC reports it), `out` unchanged.
absl::Status AppendGrpcMessage(std::string_view message, bool compressed,
                               size_t max_bytes, std::string& out);

// Takes a body in pieces of any size and gives whole messages. A message that
// lies whole in one piece is not copied. Not thread-safe.
class GrpcDecoder {
 public:
  explicit GrpcDecoder(size_t max_message_bytes = kGrpcDefaultMaxMessageBytes)
      : max_bytes_(max_message_bytes) {}

  // Passes the next piece, which is borrowed until Next() gave nullopt or an
  // error. Not before Next() has given nullopt for the piece before.
  void Add(std::string_view piece) { piece_ = piece; }

  // The next message; nullopt when the rest needs more pieces. Errors stay:
  // ResourceExhausted for a message that is too large (said by its prefix,
  // nothing of it is kept), Internal for a prefix that is none.
  absl::StatusOr<std::optional<GrpcMessage>> Next();

  // To be asked at the end of the body: Internal in the middle of a message.
  absl::Status Finish() const;

  // Bytes held back for a message that is not whole.
  size_t buffered_bytes() const { return prefix_bytes_ + buffer_.size(); }

 private:
  absl::Status ParsePrefix();
  GrpcMessage Deliver(std::string_view bytes);

  size_t max_bytes_;
  // What Next() has not looked at yet; borrowed.
  std::string_view piece_;
  std::array<unsigned char, kGrpcPrefixBytes> prefix_{};
  // How much of prefix_ is there.
  size_t prefix_bytes_ = 0;
  // From the prefix, once it is whole.
  size_t message_bytes_ = 0;
  // The message's start, if the piece ended within it.
  std::string buffer_;
  // buffer_ was given out and is to be emptied by the next call.
  bool delivered_buffer_ = false;
  absl::Status status_;
};

}  // namespace meshlib::net

#endif  // MESHLIB_NET_GRPC_FRAMING_H_
