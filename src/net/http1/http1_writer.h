#ifndef MESHLIB_NET_HTTP1_HTTP1_WRITER_H_
#define MESHLIB_NET_HTTP1_HTTP1_WRITER_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "meshlib/request.h"

namespace meshlib::net {

// The parts of HTTP/1.1 messages as they go over the wire (RFC 9112), appended
// to `out`. The caller decides on the framing and writes its headers:
// Content-Length, or Transfer-Encoding and then chunks. InvalidArgument for
// what would end a line early or be read as something else (a line break in a
// value, a space in a name or target); nothing is appended then.

absl::Status AppendRequestHead(std::string_view method, std::string_view target,
                               absl::Span<const Header> headers,
                               std::string& out);

// `status` from 100 to 999. The reason phrase is the registered one, or empty.
absl::Status AppendResponseHead(int status, absl::Span<const Header> headers,
                                std::string& out);

// A piece of a chunked body. Nothing for an empty piece, since an empty chunk
// would end the body.
void AppendChunk(std::string_view piece, std::string& out);

// The end of a chunked body.
absl::Status AppendLastChunk(absl::Span<const Header> trailers,
                             std::string& out);

}  // namespace meshlib::net

#endif  // MESHLIB_NET_HTTP1_HTTP1_WRITER_H_
