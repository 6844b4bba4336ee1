#ifndef MESHLIB_NET_POOL_SHARD_H_
#define MESHLIB_NET_POOL_SHARD_H_

#include <cstddef>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "net/dialer.h"
#include "net/host_pool.h"

namespace meshlib::net {

// The connections of one host on one loop.
class PoolShard final : private ConnectionOwner,
                        public std::enable_shared_from_this<PoolShard> {
 public:
  // `server_name` is what its connections take for the host's name (SNI).
  PoolShard(ClientIo* io, std::shared_ptr<PoolBreakers> breakers,
            std::string_view server_name = "");
  ~PoolShard() override;

  // Thread-safe.
  void Start(const model::Host& host,
             const std::shared_ptr<const UpstreamOptions>& options,
             const std::shared_ptr<ClientExchange>& exchange);
  // Thread-safe. The host is gone: lets what runs end.
  void Abandon();
  // On the loop.
  void Shutdown(const absl::Status& reason);

 private:
  struct Connecting;
  using Connections = std::vector<std::shared_ptr<ClientConnection>>;

  void OnRoom(ClientConnection& connection) override;
  void OnDraining(ClientConnection& connection) override;
  void OnClosed(ClientConnection& connection) override;

  void UseOptions(const std::shared_ptr<const UpstreamOptions>& options)
      MESHLIB_REQUIRES(mutex_);
  std::shared_ptr<ClientConnection> WithRoom() MESHLIB_REQUIRES(mutex_);
  bool StartOn(ClientConnection& connection, ClientExchange& exchange);
  void Enqueue(const std::shared_ptr<ClientExchange>& exchange);
  void SetWaits(bool waits) MESHLIB_REQUIRES(mutex_);
  void ConnectMore() MESHLIB_REQUIRES(mutex_);
  // On the loop.
  void Connect();
  void OnConnected(Connecting& connecting,
                   absl::StatusOr<Dialer::Connection> made);
  void Establish(const Connecting& connecting, Dialer::Connection made);
  void ServeWaiters();
  void FailWaiters(ExchangeFailure failure, const absl::Status& reason);
  void Unregister();

  ClientIo* const io_;
  const std::shared_ptr<PoolBreakers> breakers_;
  const std::string server_name_;

  base::Mutex mutex_;
  std::shared_ptr<const UpstreamOptions> options_ MESHLIB_GUARDED_BY(mutex_);
  // Where to connect to now.
  std::shared_ptr<const DialEndpoint> endpoint_ MESHLIB_GUARDED_BY(mutex_);
  Connections connections_ MESHLIB_GUARDED_BY(mutex_);
  std::list<std::shared_ptr<ClientExchange>> waiters_
      MESHLIB_GUARDED_BY(mutex_);
  size_t connecting_count_ MESHLIB_GUARDED_BY(mutex_) = 0;
  bool closed_ MESHLIB_GUARDED_BY(mutex_) = false;

  // On the loop only.
  std::vector<std::shared_ptr<Connecting>> connecting_;
  Connections draining_;
};

}  // namespace meshlib::net

#endif  // MESHLIB_NET_POOL_SHARD_H_
