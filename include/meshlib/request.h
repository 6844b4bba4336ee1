#ifndef MESHLIB_REQUEST_H_
#define MESHLIB_REQUEST_H_

#include <cstdint>
#include <optional>
#include <string_view>

#include "absl/types/span.h"

namespace meshlib {

// One header of a request. Names are compared without regard to case;
// a header that stands twice is two entries, in order.
struct Header {
  std::string_view name;
  std::string_view value;
};

// What the mesh may look at to route and balance one request, whatever the
// protocol is: the parts of an HTTP request, most of them optional for
// others. A view: everything it points to must live until the call that takes
// it returns. Copyable, not thread-safe.
struct Request {
  std::string_view authority;        // "echo.shop.global:8080"
  std::string_view path = "/";       // with the query, as on the wire
  std::string_view method = "GET";   // "POST" for gRPC
  std::string_view scheme = "http";  // or "https"
  absl::Span<const Header> headers;  // without pseudo-headers

  // Sets the hash that ring hash and Maglev use, instead of the route's hash
  // policies.
  std::optional<uint64_t> hash;

  // A random value for the decisions of routing (weighted clusters, runtime
  // fractions); drawn by the mesh when absent.
  std::optional<uint64_t> random;

  // The peer's address, for hash policies on connection properties; may be
  // empty.
  std::string_view source_ip;
};

}  // namespace meshlib

#endif  // MESHLIB_REQUEST_H_
