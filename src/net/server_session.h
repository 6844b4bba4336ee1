#ifndef MESHLIB_NET_SERVER_SESSION_H_
#define MESHLIB_NET_SERVER_SESSION_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "net/server_options.h"
#include "net/server_stream.h"

namespace meshlib::net {

// What a protocol's side of a server connection needs of the connection.
class ServerTransport : public ServerConnection {
 public:
  virtual const ServerOptions& options() const = 0;
  virtual ServerStats& stats() = 0;
  virtual ServerHandlerFactory& factory() = 0;
  // The time of the present batch.
  virtual absl::Time now() const = 0;
  // What is to be sent is appended here.
  virtual std::string& output() = 0;
  virtual size_t unsent() const = 0;
  // There is output, or something is over: looks after it soon.
  virtual void Touch() = 0;
  // Sends what there is, then closes so that the peer can read it.
  virtual void CloseGently() = 0;
  // Ends our side of a tunnel, after what there is.
  virtual void EndOutput() = 0;

 protected:
  ~ServerTransport() = default;
};

// One protocol's side of a server connection. The connection calls it in
// batches: Receive() as often as there are bytes, then MakeOutput(), writes,
// and Reap().
class ServerSession {
 public:
  virtual ~ServerSession() = default;

  virtual void Receive(std::string_view bytes) = 0;
  // The peer has ended its side.
  virtual void ReceiveEnd() = 0;
  // Whether Receive() should be called.
  virtual bool WantsInput() const = 0;
  // Appends to the output; called again when that was written.
  virtual void MakeOutput() = 0;
  // Destroys the handlers of requests that are over.
  virtual void Reap() = 0;

  virtual void Tick() = 0;
  virtual absl::Time NextTick() const = 0;

  virtual void Drain() = 0;
  // Nothing is left to do: the connection can be closed.
  virtual bool Finished() const = 0;
  // The connection is gone: resets all requests.
  virtual void Lost(const absl::Status& reason) = 0;
};

}  // namespace meshlib::net

#endif  // MESHLIB_NET_SERVER_SESSION_H_
