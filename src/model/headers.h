#ifndef MESHLIB_MODEL_HEADERS_H_
#define MESHLIB_MODEL_HEADERS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/types/span.h"
#include "base/strings.h"
#include "meshlib/request.h"

namespace meshlib::model {

// How every layer reads a list of headers. Nothing here allocates but where it
// says so; answers are views into what was given.

// Header names are mostly of different lengths, or alike in every byte.
inline bool SameHeaderName(std::string_view a, std::string_view b) {
  return a.size() == b.size() && (a == b || base::EqualsIgnoreCase(a, b));
}

// The first header of this name; null if there is none.
const Header* FindHeader(absl::Span<const Header> headers,
                         std::string_view name);

// Whether Envoy's codec makes one header of all that a request has of this
// name (in lower case): those that it keeps inline, as accept or
// x-forwarded-for. What else stands twice stays several values.
bool IsJoinedHeader(std::string_view name);

// The values of a name that is joined, with "," between them; empty ones are
// left out. Null without such a header. With several values it allocates and
// points into `storage`.
std::optional<std::string_view> JoinedHeader(absl::Span<const Header> headers,
                                             std::string_view name,
                                             std::string& storage);

// Its value if that is a decimal uint64 as a whole.
std::optional<uint64_t> NumberOfHeader(absl::Span<const Header> headers,
                                       std::string_view name);

// Whether a request is a gRPC call: its content-type is application/grpc, or
// begins with application/grpc+.
bool IsGrpc(const Request& request);

}  // namespace meshlib::model

#endif  // MESHLIB_MODEL_HEADERS_H_
