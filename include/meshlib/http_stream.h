#ifndef MESHLIB_HTTP_STREAM_H_
#define MESHLIB_HTTP_STREAM_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "meshlib/export.h"
#include "meshlib/http.h"

// Requests and responses whose bodies are sent and read piece by piece. What
// is not read is not sent by the host (flow control), and what the host does
// not take holds back the writer.
//
// A stream is retried on another host like any request, with what was written
// so far, until its response begins, or until more was written than is kept
// for that (per_request_buffer_limit_bytes of the route, else 1 MiB). A route's
// timeout counts from the end of the request; its idle_timeout and
// max_stream_duration and Request::timeout end streams too.
//
// A response may end before its request does: what is left of the request is
// not wanted then, and is not sent.

namespace meshlib::client {
class StreamCall;
class StreamWaiter;
}  // namespace meshlib::client

namespace meshlib::http {

// A stream for threads that may block. One thread may write while another one
// reads; Cancel() is thread-safe. Errors are those of Client; after the first
// one, all further calls give it too. Movable. May outlive its mesh, whose
// shutdown ends it, see docs/lifecycle.md. In callbacks all that blocks is
// FailedPrecondition.
class MESHLIB_EXPORT Stream {
 public:
  // Cancels what is not over.
  ~Stream();
  Stream(Stream&& other) noexcept;
  Stream& operator=(Stream&& other) noexcept;

  // --- The writer ---

  // Blocks until the stream has room for all of it. FailedPrecondition: the
  // response is whole, or CloseWrite() was called.
  absl::Status Write(std::string_view bytes);
  // Ends the request. Trailers go out over HTTP/2 and with HTTP/1.1's chunks.
  absl::Status CloseWrite(const Headers& trailers = {});

  // --- The reader ---

  // Blocks until the response begins.
  absl::StatusOr<ResponseHead> ReadHead();
  // Blocks until there is more of the body, and gives all that is there in the
  // place of what `bytes` held; false: the body has ended. What came before an
  // error is given first.
  absl::StatusOr<bool> Read(std::string& bytes);
  // When Read() has said false.
  Headers trailers() const;

  void Cancel();

 private:
  friend class Client;
  Stream(std::shared_ptr<client::StreamCall> call,
         std::shared_ptr<client::StreamWaiter> waiter);

  std::shared_ptr<client::StreamCall> call_;  // null: moved from
  std::shared_ptr<client::StreamWaiter> waiter_;
};

// A stream for those who do not block: nothing waits, the observer is told
// when it is worth while to go on. Copyable, all copies are the same stream,
// and dropping them ends nothing: read it to its end, or cancel it.
// Thread-safe; may be used within the observer's functions.
class MESHLIB_EXPORT AsyncStream {
 public:
  AsyncStream() = default;

  // Takes a copy of all of it. False: no more should be written until
  // OnWritable(); or the stream is over, and nothing was taken.
  bool Write(std::string_view bytes);
  // Ends the request. InvalidArgument: a trailer that cannot be sent.
  absl::Status CloseWrite(const Headers& trailers = {});

  enum class ReadResult : uint8_t {
    kData,
    kNothing,  // OnReadable() or OnDone() follows
    kEnd,      // or the error that OnDone() tells
  };
  // Appends what has come of the body.
  ReadResult Read(std::string& bytes);
  // From OnDone() on.
  Headers trailers() const;

  // OnDone() comes with Cancelled, unless it is under way.
  void Cancel();

 private:
  friend class Client;
  friend class client::StreamCall;
  explicit AsyncStream(std::shared_ptr<client::StreamCall> call);

  std::shared_ptr<client::StreamCall> call_;  // null: never began
};

// Told what happens to a stream: on an I/O thread of the mesh, one call at a
// time, without locks, and not from within calls of the stream. Should not
// block, and may do what http::Client::Callback may; what it throws is logged
// and goes no further. Held by the stream until OnDone() has returned. Where
// the mesh is shut down or the process was forked, OnDone() comes before
// Client::OpenAsync() returns.
class MESHLIB_EXPORT StreamObserver {
 public:
  virtual ~StreamObserver() = default;

  // Once, before OnReadable(); not if there is no response.
  virtual void OnHead(AsyncStream& stream, const ResponseHead& head) = 0;
  // Read() would give something. Once for each Read() at the most; may come
  // for nothing.
  virtual void OnReadable(AsyncStream& stream) = 0;
  // After a Write() that gave false.
  virtual void OnWritable(AsyncStream& stream) {}
  // The last call. OK: the response is whole; what has come of it can still be
  // read.
  virtual void OnDone(AsyncStream& stream, const absl::Status& status) = 0;
};

}  // namespace meshlib::http

#endif  // MESHLIB_HTTP_STREAM_H_
