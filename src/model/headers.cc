#include "model/headers.h"

#include "absl/strings/numbers.h"

namespace meshlib::model {

const Header* FindHeader(absl::Span<const Header> headers,
                         std::string_view name) {
  for (const Header& header : headers) {
    if (SameHeaderName(header.name, name)) return &header;
  }
  return nullptr;
}

std::optional<uint64_t> NumberOfHeader(absl::Span<const Header> headers,
                                       std::string_view name) {
  const Header* header = FindHeader(headers, name);
  uint64_t value = 0;
  if (header == nullptr ||
      !absl::SimpleAtoi(base::ToAbsl(header->value), &value)) {
    return std::nullopt;
  }
  return value;
}

bool IsGrpc(const Request& request) {
  constexpr std::string_view kGrpc = "application/grpc";
  const Header* header = FindHeader(request.headers, "content-type");
  return header != nullptr && header->value.substr(0, kGrpc.size()) == kGrpc &&
         (header->value.size() == kGrpc.size() ||
          header->value[kGrpc.size()] == '+');
}

}  // namespace meshlib::model
