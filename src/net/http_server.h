#ifndef MESHLIB_NET_HTTP_SERVER_H_
#define MESHLIB_NET_HTTP_SERVER_H_

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "event/loop.h"
#include "event/stream.h"
#include "net/http_server_connection.h"
#include "net/server_options.h"
#include "net/server_stream.h"

namespace meshlib::net {

// Puts a protocol such as TLS between an accepted stream and the server.
class ServerSecurity {
 public:
  virtual ~ServerSecurity() = default;
  // The stream's handler is told by OnConnect() when it can be used.
  virtual std::unique_ptr<event::Stream> Secure(
      std::unique_ptr<event::Stream> accepted) = 0;
  // After OnConnect(): fills in what is known of the peer. `secured` is what
  // Secure() gave.
  virtual void Describe(event::Stream& secured, ServerPeer& peer) = 0;
};

// Serves HTTP/2 and HTTP/1.1 to whoever connects: as ALPN chose, else by the
// first bytes that come. Belongs to its loop: everything is called there, and
// it is destroyed there, but never from within a handler. What it is given is
// borrowed.
class HttpServer {
 public:
  // `security` may be null: plaintext.
  HttpServer(event::Loop* loop, const ServerOptions& options,
             ServerHandlerFactory* factory, ServerSecurity* security = nullptr);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // Listens at one more address, and gives it with its port.
  absl::StatusOr<std::string> Listen(event::Network& network,
                                     std::string_view address);
  // At all of them; connections stay.
  void StopListening() { listeners_.clear(); }
  // Serves a connection that came in another way.
  void Accept(std::unique_ptr<event::Stream> stream);

  // Stops listening, lets the requests that are there end, and tells the
  // clients to send no more; resets what is left at `deadline`. `done` is
  // called then, from the loop, unless the server was destroyed before.
  void Drain(absl::Time deadline, absl::AnyInvocable<void()> done);
  // Lets each connection end as Drain() does; new ones may come.
  void DrainConnections();
  // Resets all connections, as if the process had been killed. Those whose
  // handler is being called follow soon.
  void AbortConnections();

  const ServerStats& stats() const { return stats_; }
  const ServerOptions& options() const { return options_; }

 private:
  friend class HttpServerConnection;

  // Bytes that one read takes.
  static constexpr size_t kReadBytes = size_t{64} << 10;

  void Touch(HttpServerConnection* connection);
  void RunTouched();
  void Destroy(HttpServerConnection* connection);
  void CheckDrained();

  event::Loop* const loop_;
  const ServerOptions options_;
  ServerHandlerFactory* const factory_;
  ServerSecurity* const security_;
  ServerStats stats_;
  std::vector<std::unique_ptr<event::Listener>> listeners_;
  std::vector<std::unique_ptr<HttpServerConnection>> connections_;
  // To be looked after by the posted task.
  std::vector<HttpServerConnection*> touched_;
  bool posted_ = false;

  // Used by one connection at a time, so that idle ones hold no memory.
  const std::unique_ptr<char[]> read_buffer_;
  std::string spare_output_;

  bool draining_ = false;
  event::Loop::TimerId drain_timer_ = 0;
  absl::AnyInvocable<void()> drained_;
  // Held by tasks of the loop, which may run after this is gone.
  const std::shared_ptr<HttpServer*> self_;
};

}  // namespace meshlib::net

#endif  // MESHLIB_NET_HTTP_SERVER_H_
