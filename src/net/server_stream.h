#ifndef MESHLIB_NET_SERVER_STREAM_H_
#define MESHLIB_NET_SERVER_STREAM_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "meshlib/request.h"
#include "net/http2/stream.h"
#include "security/peer_identity.h"

// What an application sees of an HTTP server: the same for HTTP/1.1 and
// HTTP/2. All of it belongs to the server's loop: called there only.

namespace meshlib::net {

enum class HttpVersion : uint8_t { kHttp10, kHttp11, kHttp2 };

// Who is at the other end of a connection.
struct ServerPeer {
  std::string address;  // as event::Stream gives it
  bool tls = false;
  std::string alpn;  // what was agreed on; may be empty
  std::string sni;   // what it asked for; may be empty
  // What its certificate said, where it showed one.
  security::PeerIdentity identity;
};

// A connection, as its requests see it.
class ServerConnection {
 public:
  virtual const ServerPeer& peer() const = 0;
  // Takes no more requests, and closes when those that there are have been
  // answered.
  virtual void Drain() = 0;
  // Closes soon, without a word: the peer sees a reset.
  virtual void Abort() = 0;
  // Sends what was written before, then closes; open requests are cut short.
  virtual void CloseNow() = 0;
  // Sends bytes as they are, after all that was written, and next to any
  // protocol: for tests of those who read them.
  virtual void WriteRaw(std::string_view bytes) = 0;

 protected:
  ~ServerConnection() = default;
};

// One request and its response. Valid until its ServerHandler is destroyed;
// may be called at any time, from within the handler or later, on the loop.
class ServerStream {
 public:
  virtual HttpVersion version() const = 0;
  virtual ServerConnection& connection() = 0;

  // The response, ":status" first, names in lower case. Statuses 1xx may come
  // before it. HTTP/1.1: without a content-length the body is chunked; the
  // headers that frame it and the connection's own are ours, but "connection:
  // close" is heard. After 101 to an upgrade, or 2xx to CONNECT, bytes go
  // both ways as they are.
  virtual absl::Status SendHeaders(absl::Span<const Header> headers,
                                   bool end_stream) = 0;
  // Copies what there is room for and gives its size; OnWritable() tells when
  // there is room again. With `end_stream`, the end is taken only if all
  // bytes were.
  virtual size_t Write(std::string_view bytes, bool end_stream) = 0;
  // Ends the response. HTTP/1.1 sends trailers of chunked bodies only.
  virtual absl::Status SendTrailers(absl::Span<const Header> trailers) = 0;
  absl::Status End() { return SendTrailers({}); }

  // The application is done with `bytes` of what OnData() gave: the peer may
  // send as many.
  virtual void Consume(size_t bytes) = 0;

  // Ends the request at once: RST_STREAM with HTTP/2's `error_code`; HTTP/1.1
  // closes the connection after what was written. No further call of the
  // handler; it is destroyed soon, and must not use the stream any more.
  virtual void Reset(uint32_t error_code) = 0;

 protected:
  ~ServerStream() = default;
};

// What the application makes of one request. Owned by the connection and
// destroyed when the request is over: response and request ended, OnReset() or
// Reset(). May be destroyed before the client has read the response.
class ServerHandler {
 public:
  virtual ~ServerHandler() = default;

  // Pseudo-headers first, in HTTP/1.1 too; no Host, which is ":authority".
  // The views end with the call. If the client waits for "100 Continue", it is
  // sent when this returns without a response (see ServerOptions). The end of
  // the request, also of one without a body, is OnEnd().
  virtual void OnRequest(ServerStream& stream, absl::Span<const Header> headers,
                         bool end_stream) = 0;
  // A piece of the body, never empty. What is not Consume()d for long makes
  // the client wait.
  virtual void OnData(ServerStream& stream, std::string_view bytes) {
    stream.Consume(bytes.size());
  }
  virtual void OnTrailers(ServerStream& stream,
                          absl::Span<const Header> trailers) {}
  // The request is complete. After an upgrade: a second time, when the client
  // has ended its side.
  virtual void OnEnd(ServerStream& stream) = 0;
  // Write() took less than it was given, and would take more now.
  virtual void OnWritable(ServerStream& stream) {}
  // The request ends before both sides said all. Last call; what is sent is
  // dropped.
  virtual void OnReset(ServerStream& stream, const StreamReset& reset) {}
};

// Makes the handlers of one server. Borrowed by it.
class ServerHandlerFactory {
 public:
  virtual ~ServerHandlerFactory() = default;
  // Null refuses: REFUSED_STREAM, or status 503.
  virtual std::unique_ptr<ServerHandler> NewRequest(ServerStream& stream) = 0;
  // A connection came or went; the server must be left alone meanwhile.
  virtual void OnConnections(size_t open) {}
};

}  // namespace meshlib::net

#endif  // MESHLIB_NET_SERVER_STREAM_H_
