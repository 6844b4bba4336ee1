#ifndef MESHLIB_CLIENT_WIRE_HEADERS_H_
#define MESHLIB_CLIENT_WIRE_HEADERS_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "meshlib/http.h"
#include "meshlib/request.h"

namespace meshlib::client {

// Headers in the form that goes over the wire: names in lower case, without
// what belongs to one connection and what only the mesh is told
// (x-envoy-retry-on and the like). Views of what was given, which must live
// as long; not movable.
class WireHeaders {
 public:
  WireHeaders() = default;
  WireHeaders(const WireHeaders&) = delete;
  WireHeaders& operator=(const WireHeaders&) = delete;

  // InvalidArgument for a name or value that cannot be sent (RFC 9110, 5).
  // With `for_mesh` the headers for the mesh stay: routing looks at them.
  absl::Status Assign(absl::Span<const Header> headers, bool for_mesh);
  // The only value of that name, which is in lower case and must live as long.
  void Set(std::string_view name, std::string value);

  absl::Span<const Header> headers() const { return headers_; }
  // Whether headers for the mesh are among them.
  bool tells_mesh() const { return tells_mesh_; }
  // The first value; empty: none.
  std::string_view Find(std::string_view name) const;
  // Of "host", which is not among headers().
  std::string_view host() const { return host_; }

 private:
  std::vector<Header> headers_;
  std::vector<std::unique_ptr<const std::string>> owned_;
  std::string_view host_;
  bool tells_mesh_ = false;
};

// Views of `headers`, which must live as long.
std::vector<Header> ListOf(const http::Headers& headers);

// Adds copies.
void Append(absl::Span<const Header> from, http::Headers& to);

}  // namespace meshlib::client

#endif  // MESHLIB_CLIENT_WIRE_HEADERS_H_
