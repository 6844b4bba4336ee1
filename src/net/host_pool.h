#ifndef MESHLIB_NET_HOST_POOL_H_
#define MESHLIB_NET_HOST_POOL_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "base/mutex.h"
#include "event/happy_eyeballs.h"
#include "event/io_loop.h"
#include "event/stream.h"
#include "model/cluster.h"
#include "model/host.h"
#include "net/client_connection.h"
#include "net/client_exchange.h"
#include "net/http1_client_codec.h"
#include "net/http2/options.h"
#include "net/upstream_counters.h"
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
// host's own name, which may be empty, its address, and what the request says
// that the server is called; empty: nothing.
using TlsChooser = std::function<absl::StatusOr<TlsParameters>(
    std::string_view hostname, std::string_view address,
    std::string_view server_name)>;

// How the hosts of one cluster are connected to. Immutable once shared.
struct UpstreamOptions {
  absl::Duration connect_timeout = absl::Seconds(5);
  event::HappyEyeballsOrder happy_eyeballs;  // of a host's addresses
  std::optional<model::TcpKeepalive> tcp_keepalive;
  HttpProtocol protocol = HttpProtocol::kHttp1;
  Http1ClientOptions http1;
  Http2Options http2;
  size_t max_concurrent_streams = 1024;      // of one HTTP/2 connection
  uint64_t max_requests_per_connection = 0;  // 0: any number
  absl::Duration idle_timeout = absl::Hours(1);
  absl::Duration max_connection_duration = absl::InfiniteDuration();
  // Of what waits to be sent, in TCP connections; bytes.
  uint32_t buffer_limit = 1024 * 1024;
  // Of one attempt; for those who make them.
  absl::Duration max_stream_duration = absl::InfiniteDuration();
  TlsChooser tls;  // null: plaintext
  // Whether it is to be told the name of the server as the request has it: the
  // first value of this header, if there is one, else the authority.
  bool names_server = false;
  std::string server_name_header;
  // Shared by all of a cluster; never null.
  std::shared_ptr<UpstreamCounters> counters =
      std::make_shared<UpstreamCounters>();
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
  // For each host; counted by its pool.
  virtual uint32_t max_connections_per_host() const { return UINT32_MAX; }
};

class PoolShard;

// Something on an I/O loop that must not outlive it.
class IoUser {
 public:
  virtual ~IoUser() = default;
  // On the loop, once at the most.
  virtual void OnIoShutdown(const absl::Status& reason) = 0;
};

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

  // Thread-safe. Keeps the user until Leave() or OnIoShutdown(). False: it is
  // shut down already.
  bool Enter(const std::shared_ptr<IoUser>& user);
  void Leave(const std::shared_ptr<IoUser>& user);

 private:
  friend class PoolShard;

  event::IoLoop* const loop_;
  event::Network* const network_;
  // On the loop only.
  absl::flat_hash_set<std::shared_ptr<PoolShard>> shards_;
  std::atomic<bool> shut_down_{false};
  base::Mutex mutex_;
  absl::flat_hash_set<std::shared_ptr<IoUser>> users_
      MESHLIB_GUARDED_BY(mutex_);
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
  // `host` is the pool's own, as it is now; borrowed for the call. Connections
  // are only shared under one `server_name`, which TLS gets: empty for none.
  void Start(size_t io, const model::Host& host,
             const std::shared_ptr<const UpstreamOptions>& options,
             const std::shared_ptr<ClientExchange>& exchange,
             std::string_view server_name = "");

  // Those of the cluster, which count the connections of this host besides:
  // for connections that others make.
  const std::shared_ptr<PoolBreakers>& breakers() const { return breakers_; }

  // How many server names it knows of; those without connections are
  // forgotten now and then.
  size_t server_names();

 private:
  const std::shared_ptr<PoolBreakers> breakers_;
  // By loop, then by protocol. Null: not used yet; else one of made_.
  std::vector<std::atomic<PoolShard*>> shards_;

  PoolShard& ShardOf(size_t at);
  std::shared_ptr<PoolShard> ShardFor(size_t at, std::string_view server_name);
  void DropUnused() MESHLIB_REQUIRES(mutex_);

  const absl::Span<const std::unique_ptr<ClientIo>> ios_;
  base::Mutex mutex_;
  std::vector<std::shared_ptr<PoolShard>> made_ MESHLIB_GUARDED_BY(mutex_);
  // Those for a server name; the first is as in shards_.
  absl::flat_hash_map<std::pair<size_t, std::string>,
                      std::shared_ptr<PoolShard>>
      named_ MESHLIB_GUARDED_BY(mutex_);
  size_t look_at_ MESHLIB_GUARDED_BY(mutex_) = 64;  // for unused ones
};

}  // namespace meshlib::net

#endif  // MESHLIB_NET_HOST_POOL_H_
