#ifndef MESHLIB_NET_HTTP1_HTTP1_PARSER_H_
#define MESHLIB_NET_HTTP1_HTTP1_PARSER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "meshlib/request.h"

namespace meshlib::net {

// The head of a request or of a response. Views that are valid during
// Http1Handler::OnHead().
struct Http1Head {
  std::string_view method;           // of a request
  std::string_view target;           // of a request, as on the wire
  int status = 0;                    // of a response
  std::string_view reason;           // of a response; may be empty
  int version = 11;                  // 10 or 11
  absl::Span<const Header> headers;  // names in lower case
  // Without it, the body goes on as long as `chunked` or the connection does,
  // or there is none.
  std::optional<uint64_t> content_length;
  bool chunked = false;
  // Whether the connection may carry another message after this one.
  bool keep_alive = true;
  bool expects_continue = false;  // Expect: 100-continue
  // A request that asks for another protocol, or the response 101.
  bool upgrade = false;
};

// What the parser finds, in the order of the message: one head, pieces of the
// body, trailers if there are any, the end.
class Http1Handler {
 public:
  virtual ~Http1Handler() = default;

  virtual void OnHead(const Http1Head& head) = 0;
  virtual void OnBody(std::string_view piece) = 0;
  virtual void OnTrailers(absl::Span<const Header> trailers) = 0;
  virtual void OnEnd() = 0;
};

// The defaults are Envoy's.
struct Http1Limits {
  uint32_t max_header_bytes = 60 * 1024;  // of a head, and of trailers
  uint32_t max_headers = 100;             // the same
};

// Reads HTTP/1.1 messages (RFC 9112) of one connection, one after the other,
// from bytes that come in any pieces. What two readers of a message might
// frame differently is refused: Content-Length beside Transfer-Encoding,
// lengths that differ, codings other than "chunked", a Transfer-Encoding in
// HTTP/1.0, white space before a colon, a request without a Host or with two.
//
// Not thread-safe. After an error nothing more can be read: the connection
// is to be closed.
class Http1Parser {
 public:
  enum class Kind : uint8_t { kRequests, kResponses };

  Http1Parser(Kind kind, Http1Limits limits);
  ~Http1Parser();
  Http1Parser(const Http1Parser&) = delete;
  Http1Parser& operator=(const Http1Parser&) = delete;

  // Reads up to the end of the present message and gives how many of the
  // bytes it took: the rest belongs to the next message, or to another
  // protocol after an upgrade. InvalidArgument: they are no HTTP/1.1;
  // ResourceExhausted: they go beyond a limit.
  absl::StatusOr<size_t> Feed(std::string_view bytes, Http1Handler& handler);

  // The peer has closed its side. Ok if no message was cut short by it: then
  // none had begun, or its body went on until here.
  absl::Status FeedEnd(Http1Handler& handler);

  // Whether the present message is complete.
  bool done() const;
  // Whether a byte of the present message has come.
  bool started() const;

  // Begins the next message; for a response, `no_body` says that it answers
  // HEAD, or CONNECT with success, so that no body follows whatever its
  // headers say.
  void Next(bool no_body = false);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace meshlib::net

#endif  // MESHLIB_NET_HTTP1_HTTP1_PARSER_H_
