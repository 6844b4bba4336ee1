#ifndef MESHLIB_NET_HOST_POOL_H_
#define MESHLIB_NET_HOST_POOL_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "event/io_loop.h"
#include "event/stream.h"
#include "model/host.h"
#include "net/client_connection.h"
#include "net/client_exchange.h"
#include "net/http1_client_codec.h"
#include "net/http2/options.h"
#include "security/tls_session.h"

namespace meshlib::net {

enum class HttpProtocol : uint8_t {
  kHttp1,
  kHttp2,
  kAlpn,  // what the TLS handshake agrees on; HTTP/1.1 if it does not
};
inline constexpr size_t kHttpProtocols = 3;

// What a TLS connection to a host is made with.
struct TlsParameters {
  std::shared_ptr<const security::TlsContext> context;
  security::TlsSessionOptions options;
  // The context says which protocols to offer.
  bool offers_alpn = false;
};

// Asked for each connection, on its loop; an error fails the connect. Gets the
// host's own name, which may be empty, and its address.
using TlsChooser = std::function<absl::StatusOr<TlsParameters>(
    std::string_view hostname, std::string_view address)>;

// How the hosts of one cluster are connected to. Immutable once shared.
struct UpstreamOptions {
  absl::Duration connect_timeout = absl::Seconds(5);
  HttpProtocol protocol = HttpProtocol::kHttp1;
  Http1ClientOptions http1;
  Http2Options http2;
  size_t max_concurrent_streams = 1024;      // of one HTTP/2 connection
  uint64_t max_requests_per_connection = 0;  // 0: any number
  absl::Duration idle_timeout = absl::Hours(1);
  TlsChooser tls;  // null: plaintext
};

// The breakers that a pool has to ask. Thread-safe.
class PoolBreakers {
 public:
  virtual ~PoolBreakers() = default;
  // A connection more; one Disconnected() follows each true. With `force` it
  // is always true.
  virtual bool TryConnect(bool force) = 0;
  virtual void Disconnected() = 0;
  // A request more that waits for a connection; one StoppedWaiting() follows
  // each true.
  virtual bool TryWait() = 0;
  virtual void StoppedWaiting() = 0;
};

class PoolShard;

// The client side of one I/O loop: what all pools have in common there.
class ClientIo {
 public:
  // Borrowed; both outlive this.
  ClientIo(event::IoLoop* loop, event::Network* network)
      : loop_(loop), network_(network) {}
  ~ClientIo();

  event::IoLoop& loop() { return *loop_; }
  event::Network& network() { return *network_; }

  // On the loop. Closes every connection; waiting exchanges fail, later ones
  // fail at once.
  void Shutdown();

 private:
  friend class PoolShard;

  event::IoLoop* const loop_;
  event::Network* const network_;
  // On the loop only.
  absl::flat_hash_set<std::shared_ptr<PoolShard>> shards_;
  std::atomic<bool> shut_down_{false};
};

// The connections to one host, apart for each I/O loop and each protocol.
// Thread-safe.
class HostPool final : public model::HostConnections {
 public:
  // `ios` is borrowed and outlives the pool.
  HostPool(absl::Span<const std::unique_ptr<ClientIo>> ios,
           std::shared_ptr<PoolBreakers> breakers);
  // Closes what is idle, lets go of the rest.
  ~HostPool() override;

  // Sends the exchange on a connection of the loop number `io`: now, or once
  // there is one. It fails with kConnectFailure, kConnectTimeout or kOverflow
  // if there is none in time, which may be at once: its sink is told only of
  // what happens later. Connections that were made with other options
  // are used no more.
  // `host` is the pool's own, as it is now; borrowed for the call.
  void Start(size_t io, const model::Host& host,
             const std::shared_ptr<const UpstreamOptions>& options,
             const std::shared_ptr<ClientExchange>& exchange);

 private:
  // By loop, then by protocol.
  const std::vector<std::shared_ptr<PoolShard>> shards_;
};

}  // namespace meshlib::net

#endif  // MESHLIB_NET_HOST_POOL_H_
