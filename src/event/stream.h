#ifndef MESHLIB_EVENT_STREAM_H_
#define MESHLIB_EVENT_STREAM_H_

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"

namespace meshlib::event {

// How a read or write ended, and the bytes that it moved.
struct IoResult {
  enum class Code { kDone, kBlocked, kEnded, kFailed };  // why: Stream::error()
  Code code = Code::kDone;
  size_t bytes = 0;
};

// Told on the loop. May destroy the stream from any of these.
class StreamHandler {
 public:
  virtual ~StreamHandler() = default;
  // Once for each Connect(), never from within it. InvalidArgument (no
  // address), Unavailable (refused, unreachable, reset), DeadlineExceeded
  // (timeout), ResourceExhausted (no descriptor left), Unauthenticated (TLS:
  // the peer's certificate is refused).
  virtual void OnConnect(absl::Status status) = 0;
  // For as long as wanted and ready; may come once without reason.
  virtual void OnReadable() = 0;
  // The same. What Write() took before is with the system by then.
  virtual void OnWritable() = 0;
};

// One end of a connection. Made, reset and destroyed on the loop (destroying
// closes). All else from any thread, in two halves:
//   reading   Read, WantRead
//   writing   Write, WantWrite, CloseWrite
// One thread may be in the one half while another is in the other; calls in one
// half do not overlap, and nothing overlaps SetHandler, Reset and the
// destructor. error() and Descriptor() are for both halves.
//
// A blocking caller does WantRead(false), reads until kBlocked (a stream may
// hold bytes that poll(2) does not know of, until then), polls {Descriptor(),
// wake descriptor}, reads its own answer, and does WantRead(true) only if
// others wait for the loop.
class Stream {
 public:
  virtual ~Stream() = default;
  // Done with at least one byte, unless `into` is empty.
  virtual IoResult Read(absl::Span<char> into) = 0;
  // Takes as many bytes as it says, perhaps fewer than given. Some may wait in
  // a buffer of the stream's own, which the loop sends on; they are lost if the
  // stream is destroyed before OnWritable().
  virtual IoResult Write(absl::Span<const std::string_view> pieces) = 0;
  // Reading, for one who blocks and whom nobody has to wake but by
  // Interrupt(): saves the poll. Waits for something to come, at most about
  // `longest`, perhaps much less; kBlocked: nothing has. False: cannot.
  virtual bool CanWait() const { return false; }
  virtual IoResult ReadWithin(absl::Span<char> into, absl::Duration longest) {
    return Read(into);
  }
  // From any thread: ReadWithin() comes back, now and ever after.
  virtual void Interrupt() {}
  virtual void WantRead(bool want) = 0;  // neither at first
  virtual void WantWrite(bool want) = 0;
  virtual void CloseWrite() = 0;           // the peer reads an end
  virtual void Reset() = 0;                // the peer's next call fails
  virtual int Descriptor() const = 0;      // -1: drive the loop instead
  virtual absl::Status error() const = 0;  // the first of either half
  virtual void SetHandler(StreamHandler* handler) = 0;  // borrowed
  virtual std::string LocalAddress() const = 0;
  virtual std::string PeerAddress() const = 0;
};

class Listener {
 public:
  virtual ~Listener() = default;            // stops listening
  virtual std::string Address() const = 0;  // with the port given for 0
};

// Addresses as in Pick: "10.0.0.1:80", "[::1]:80", "unix:/path", "unix:@name";
// names of any form in a simulation.
class Network {
 public:
  virtual ~Network() = default;
  virtual std::unique_ptr<Stream> Connect(std::string_view address,
                                          absl::Duration timeout,
                                          StreamHandler* handler) = 0;
  // `accept` is called on the loop for each connection that comes.
  using Accept = absl::AnyInvocable<void(std::unique_ptr<Stream>)>;
  virtual absl::StatusOr<std::unique_ptr<Listener>> Listen(
      std::string_view address, Accept accept) = 0;
};

}  // namespace meshlib::event

#endif  // MESHLIB_EVENT_STREAM_H_
