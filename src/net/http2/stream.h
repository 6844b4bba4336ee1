#ifndef MESHLIB_NET_HTTP2_STREAM_H_
#define MESHLIB_NET_HTTP2_STREAM_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "meshlib/request.h"
#include "net/http2/header_copy.h"

namespace meshlib::net {

class Http2Session;
class Http2Stream;

struct StreamReset {
  enum class Cause : uint8_t {
    kReset,            // by RST_STREAM of either side
    kHeadersTooLarge,  // the peer's header list was beyond our limit
    kMalformed,        // by us, for what the peer sent on it
    kGoAway,           // never sent, or above the last stream of a GOAWAY
    kConnectionLost,
  };
  Cause cause = Cause::kReset;
  uint32_t error_code = 0;  // HTTP/2's
  // The peer has not acted on the request: it may go out again as it is.
  bool retriable = false;
};

// What happens on one stream. All is called from within the session's
// Receive(), TakeOutput(), Tick() or ConnectionLost(), on their thread, and
// may use the stream and the session, but not call these four or destroy the
// session.
class StreamHandler {
 public:
  virtual ~StreamHandler() = default;

  // Pseudo-headers first. Informational responses (1xx) come here too, before
  // the response. The views end with the call; HeaderCopy keeps them.
  virtual void OnHeaders(Http2Stream& stream, absl::Span<const Header> headers,
                         bool end_stream) = 0;
  // A piece of the body; the last call may have no bytes. The peer's window
  // opens by what stream.Consume() is told.
  virtual void OnData(Http2Stream& stream, std::string_view bytes,
                      bool end_stream) = 0;
  // Ends the peer's side.
  virtual void OnTrailers(Http2Stream& stream,
                          absl::Span<const Header> trailers) = 0;
  // The stream ends before both sides said all. OnClosed() follows.
  virtual void OnReset(Http2Stream& stream, const StreamReset& reset) = 0;
  // Once and last, unless Cancel() was called. The stream is gone afterwards.
  virtual void OnClosed(Http2Stream& stream) = 0;
  // Write() took less than it was given, and would take more now.
  virtual void OnWritable(Http2Stream& stream) {}
};

// One request and its response. Belongs to its session; valid until
// OnClosed() returned or Cancel() was called. Not thread-safe.
class Http2Stream {
 public:
  Http2Stream(const Http2Stream&) = delete;
  Http2Stream& operator=(const Http2Stream&) = delete;

  // 0 while a request waits for its turn.
  int32_t id() const { return id_; }
  Http2Session& session() { return session_; }

  // Servers: the response; a status of 1xx is informational and may repeat.
  // FailedPrecondition after the response.
  absl::Status SendHeaders(absl::Span<const Header> headers, bool end_stream);

  // Copies what fits into the send buffer and returns its size; OnWritable()
  // tells when there is room again. With `end_stream`, the end is taken only
  // if all bytes were.
  size_t Write(std::string_view bytes, bool end_stream);

  // Ends our side after what was written. FailedPrecondition if it has ended
  // or waits for its turn still.
  absl::Status SendTrailers(absl::Span<const Header> trailers);

  // The application is done with `bytes` of what OnData() gave: the peer may
  // send as many.
  void Consume(size_t bytes);

  // Resets the stream (8: CANCEL). The handler is not called again, and the
  // stream must not be used.
  void Cancel(uint32_t error_code = 8);

  size_t unsent_bytes() const { return send_.size() - sent_; }
  size_t unconsumed_bytes() const { return unconsumed_; }

 private:
  friend class Http2Session;

  explicit Http2Stream(Http2Session& session) : session_(session) {}
  void Reset();
  void Resume();

  Http2Session& session_;
  StreamHandler* handler_ = nullptr;
  int32_t id_ = 0;
  bool active_ = false;
  bool pending_ = false;
  bool closing_ = false;       // within OnReset() or OnClosed()
  bool submitted_ = false;     // our headers were given to nghttp2
  bool headers_sent_ = false;  // and taken out as bytes
  bool got_headers_ = false;   // final ones, not 1xx
  bool local_end_ = false;     // nothing can be written any more
  bool remote_end_ = false;
  bool deferred_ = false;       // nghttp2 waits for Resume()
  bool wants_room_ = false;     // OnWritable() is owed
  bool too_large_ = false;      // reset because of the peer's headers
  bool malformed_ = false;      // reset because of what the peer sent
  uint32_t informational_ = 0;  // responses, 1xx
  bool has_trailers_ = false;
  // How often the object has served a stream.
  uint64_t uses_ = 0;
  // The body from sent_ on is to be sent.
  std::string send_;
  size_t sent_ = 0;
  size_t unconsumed_ = 0;
  // Of a pending request, later the trailers to send.
  HeaderCopy headers_;
};

}  // namespace meshlib::net

#endif  // MESHLIB_NET_HTTP2_STREAM_H_
