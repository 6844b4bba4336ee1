#include "net/grpc_framing.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "absl/strings/str_cat.h"
#include "base/strings.h"

namespace meshlib::net {
namespace {

// A buffer that one large message made is not kept for the small ones.
constexpr size_t kKeptBufferBytes = size_t{256} << 10;

// Memory follows what arrives, not what a prefix promises.
constexpr size_t kReserveAtOnce = size_t{1} << 20;

absl::Status TooLarge(std::string_view direction, size_t got, size_t max) {
  return absl::ResourceExhaustedError(
      absl::StrCat("grpc: ", base::ToAbsl(direction), " message of ", got,
                   " bytes, the limit is ", max));
}

}  // namespace

absl::Status AppendGrpcMessage(std::string_view message, bool compressed,
                               size_t max_bytes, std::string& out) {
  max_bytes = std::min<size_t>(max_bytes, std::numeric_limits<uint32_t>::max());
  if (message.size() > max_bytes) {
    return TooLarge("sent", message.size(), max_bytes);
  }
  const auto size = static_cast<uint32_t>(message.size());
  const char prefix[kGrpcPrefixBytes] = {
      static_cast<char>(compressed ? 1 : 0), static_cast<char>(size >> 24),
      static_cast<char>(size >> 16), static_cast<char>(size >> 8),
      static_cast<char>(size)};
  out.append(prefix, sizeof prefix).append(message);
  return absl::OkStatus();
}

absl::Status GrpcDecoder::ParsePrefix() {
  if (prefix_[0] > 1) {
    return absl::InternalError(
        absl::StrCat("grpc: a message's compressed flag is ",
                     static_cast<int>(prefix_[0]), ", want 0 or 1"));
  }
  message_bytes_ = (size_t{prefix_[1]} << 24) | (size_t{prefix_[2]} << 16) |
                   (size_t{prefix_[3]} << 8) | size_t{prefix_[4]};
  if (message_bytes_ > max_bytes_) {
    return TooLarge("received", message_bytes_, max_bytes_);
  }
  return absl::OkStatus();
}

GrpcMessage GrpcDecoder::Deliver(std::string_view bytes) {
  prefix_bytes_ = 0;
  return GrpcMessage{bytes, prefix_[0] == 1};
}

absl::StatusOr<std::optional<GrpcMessage>> GrpcDecoder::Next() {
  if (!status_.ok()) return status_;
  if (delivered_buffer_) {
    delivered_buffer_ = false;
    buffer_.clear();
    if (buffer_.capacity() > kKeptBufferBytes) buffer_.shrink_to_fit();
  }
  if (prefix_bytes_ < kGrpcPrefixBytes) {
    const size_t n = std::min(kGrpcPrefixBytes - prefix_bytes_, piece_.size());
    std::copy_n(piece_.data(), n, prefix_.data() + prefix_bytes_);
    piece_.remove_prefix(n);
    prefix_bytes_ += n;
    if (prefix_bytes_ < kGrpcPrefixBytes) return std::nullopt;
    status_ = ParsePrefix();
    if (!status_.ok()) return status_;
  }
  const size_t missing = message_bytes_ - buffer_.size();
  if (buffer_.empty() && piece_.size() >= missing) {
    const std::string_view bytes = piece_.substr(0, missing);
    piece_.remove_prefix(missing);
    return Deliver(bytes);
  }
  if (buffer_.empty()) buffer_.reserve(std::min(missing, kReserveAtOnce));
  const size_t n = std::min(missing, piece_.size());
  buffer_.append(piece_.substr(0, n));
  piece_.remove_prefix(n);
  if (n < missing) return std::nullopt;
  delivered_buffer_ = true;
  return Deliver(buffer_);
}

absl::Status GrpcDecoder::Finish() const {
  if (!status_.ok()) return status_;
  if (prefix_bytes_ == 0) return absl::OkStatus();
  return absl::InternalError(
      absl::StrCat("grpc: the body ends within a message, after ",
                   buffered_bytes(), " bytes of it"));
}

}  // namespace meshlib::net
