#ifndef MESHLIB_TCP_H_
#define MESHLIB_TCP_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "meshlib/export.h"
#include "meshlib/mesh.h"
#include "meshlib/target.h"

// Connections through a mesh, for whatever protocol the application speaks: the
// mesh chooses a host, connects to it over TCP (or a Unix-domain socket) with
// the TLS of its cluster, and tries others where that fails.
//
//   auto stream = meshlib::tcp::Connect(**mesh, "db.shop.global:5432");
//   if (stream.ok()) status = stream->Write("hello");
//
// What leads to a cluster is a listener with envoy.filters.network.tcp_proxy
// ("NAME:PORT", see Mesh::Resolve() for "tcp://"), or its name
// ("cluster:NAME"). Of the proxy hold cluster and weighted_clusters,
// max_connect_attempts, backoff_options, idle_timeout (an hour unless it says
// otherwise; none for a cluster's name), max_downstream_connection_duration and
// hash_policy. As with Envoy, a connection counts under max_connections of its
// cluster and host, while it is being made under max_pending_requests, and as
// long as it lasts as a request in flight for load balancing; max_requests,
// which may refuse requests for its sake, does not refuse it. Outlier detection
// and connect back-off learn how the connect went. Of what is written,
// per_connection_buffer_limit_bytes may wait here.

namespace meshlib::client {
class TcpCall;
}  // namespace meshlib::client

namespace meshlib::tcp {

// A value.
struct ConnectOptions {
  // Until there is a connection, other hosts and TLS included. Each attempt has
  // the cluster's connect_timeout besides.
  absl::Duration timeout = absl::InfiniteDuration();
  // How many hosts are tried at the most. Unset: max_connect_attempts of the
  // TCP proxy; for a cluster's name 1.
  std::optional<uint32_t> max_connect_attempts;
  // What ring hash and Maglev place the connection by.
  std::optional<uint64_t> hash;
};

// Where a connection leads; a value.
struct Peer {
  std::string host;  // its address
  std::string cluster;
  uint32_t attempts = 0;  // how many hosts were asked
};

// What has gone through a connection so far; a value.
struct Counts {
  uint64_t bytes_read = 0;
  uint64_t bytes_written = 0;  // taken by the system, or by TLS
};

// Errors, of all that follows: NotFound (no such target), Unavailable (no
// host, or none that could be reached; the connection was lost),
// ResourceExhausted (max_connections, max_pending_requests), DeadlineExceeded
// (a timeout, also idle_timeout), Cancelled, FailedPrecondition (the mesh was
// shut down, or is the parent's of this process; a call that blocks in a
// callback), DataLoss (TLS ended without saying so).

// A connection for threads that may block. One thread may write while another
// one reads; Cancel() is thread-safe. After the first error, all further calls
// give it too; what came before it can be read first, unless it is one of
// writing. Movable; may outlive its mesh, whose end ends it.
class MESHLIB_EXPORT Stream {
 public:
  // Closes the connection at once: Write() the last word, CloseWrite(), and
  // Read() to the end, to know that it has arrived.
  ~Stream();
  Stream(Stream&& other) noexcept;
  Stream& operator=(Stream&& other) noexcept;

  // Blocks until the connection has room for all of it. With DeadlineExceeded,
  // a part of it was written, and more of it may be.
  absl::Status Write(std::string_view bytes,
                     absl::Time deadline = absl::InfiniteFuture());
  // The peer reads an end after what was written; reading goes on.
  absl::Status CloseWrite();

  // Blocks until something has come, and gives it in the place of what `bytes`
  // held; false: the peer has ended its half, writing may go on. After
  // DeadlineExceeded it may be called again.
  absl::StatusOr<bool> Read(std::string& bytes,
                            absl::Time deadline = absl::InfiniteFuture());

  Peer peer() const;
  Counts counts() const;

  // Closes the connection; calls under way give Cancelled.
  void Cancel();

 private:
  friend class client::TcpCall;
  explicit Stream(std::shared_ptr<client::TcpCall> call);

  std::shared_ptr<client::TcpCall> call_;  // null: moved from
};

// A connection for those who do not block: nothing waits, the observer is told
// when it is worth while to go on. Copyable, all copies are the same
// connection, and dropping them closes nothing: read and write it to its ends,
// or cancel it. Thread-safe; may be used within the observer's functions.
class MESHLIB_EXPORT AsyncStream {
 public:
  AsyncStream() = default;

  // Takes a copy of all of it, also before there is a connection. False: no
  // more should be written until OnWritable(); or the connection is over or was
  // closed for writing, and nothing was taken.
  bool Write(std::string_view bytes);
  void CloseWrite();

  enum class ReadResult : uint8_t {
    kData,
    kNothing,  // OnReadable() or OnDone() follows
    kEnd,      // or the error that OnDone() tells
  };
  // Appends what has come. What is not read is not sent by the peer, as TCP
  // has it.
  ReadResult Read(std::string& bytes);

  Peer peer() const;
  Counts counts() const;

  // OnDone() comes with Cancelled, unless it is under way.
  void Cancel();

 private:
  friend class client::TcpCall;
  explicit AsyncStream(std::shared_ptr<client::TcpCall> call);

  std::shared_ptr<client::TcpCall> call_;  // null: never began
};

// Told what happens to a connection: on an I/O thread of the mesh, one call at
// a time, without locks, and not from within calls of the stream. Should not
// block. Held until OnDone() has returned.
class MESHLIB_EXPORT StreamObserver {
 public:
  virtual ~StreamObserver() = default;

  // Once, before OnReadable() and OnWritable(); not if there is no connection.
  virtual void OnConnect(AsyncStream& stream, const Peer& peer) {}
  // Read() would give something. After a Read() that gave kNothing.
  virtual void OnReadable(AsyncStream& stream) = 0;
  // After a Write() that gave false: all that was written has gone out.
  virtual void OnWritable(AsyncStream& stream) {}
  // The last call. OK: both halves have ended.
  virtual void OnDone(AsyncStream& stream, const absl::Status& status) = 0;
};

// Blocks until there is a connection. Thread-safe, as are the others. The
// target is one of "tcp://NAME:PORT" or of "cluster:NAME"; resolve it once for
// many connections.
MESHLIB_EXPORT absl::StatusOr<Stream> Connect(
    const Target& target, const ConnectOptions& options = {});
// Resolves "NAME:PORT" (as "tcp://NAME:PORT") or "cluster:NAME".
MESHLIB_EXPORT absl::StatusOr<Stream> Connect(
    Mesh& mesh, std::string_view name, const ConnectOptions& options = {});
// Any error comes to the observer.
MESHLIB_EXPORT AsyncStream
ConnectAsync(const Target& target, std::shared_ptr<StreamObserver> observer,
             const ConnectOptions& options = {});

}  // namespace meshlib::tcp

#endif  // MESHLIB_TCP_H_
