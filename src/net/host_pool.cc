#include "net/host_pool.h"

#include <algorithm>
#include <utility>

#include "net/pool_shard.h"

namespace meshlib::net {
namespace {

// Counts the connections of one host. As with Envoy's breakers, those that may
// overshoot (`force`) count too.
class HostBreakers final : public PoolBreakers {
 public:
  explicit HostBreakers(std::shared_ptr<PoolBreakers> cluster)
      : cluster_(std::move(cluster)) {}

  bool TryConnect(bool force) override {
    const uint32_t before =
        connections_.fetch_add(1, std::memory_order_relaxed);
    if ((before < cluster_->max_connections_per_host() || force) &&
        cluster_->TryConnect(force)) {
      return true;
    }
    connections_.fetch_sub(1, std::memory_order_relaxed);
    return false;
  }
  void Disconnected() override {
    connections_.fetch_sub(1, std::memory_order_relaxed);
    cluster_->Disconnected();
  }
  bool TryWait() override { return cluster_->TryWait(); }
  void StoppedWaiting() override { cluster_->StoppedWaiting(); }

 private:
  const std::shared_ptr<PoolBreakers> cluster_;
  std::atomic<uint32_t> connections_{0};
};

}  // namespace

ClientIo::~ClientIo() = default;

bool ClientIo::Enter(const std::shared_ptr<IoUser>& user) {
  base::MutexLock lock(mutex_);
  if (shut_down_) return false;
  users_.insert(user);
  return true;
}

void ClientIo::Leave(const std::shared_ptr<IoUser>& user) {
  base::MutexLock lock(mutex_);
  users_.erase(user);
}

void ClientIo::Shutdown() {
  const absl::Status reason = absl::UnavailableError("the mesh is shut down");
  absl::flat_hash_set<std::shared_ptr<IoUser>> users;
  {
    base::MutexLock lock(mutex_);
    shut_down_ = true;
    users.swap(users_);
  }
  for (const auto& user : users) user->OnIoShutdown(reason);
  while (!shards_.empty()) {
    const std::shared_ptr<PoolShard> shard = *shards_.begin();
    shards_.erase(shards_.begin());
    shard->Shutdown(reason);
  }
}

HostPool::HostPool(absl::Span<const std::unique_ptr<ClientIo>> ios,
                   std::shared_ptr<PoolBreakers> breakers)
    : breakers_(std::make_shared<HostBreakers>(std::move(breakers))),
      shards_(ios.size() * kHttpProtocols),
      ios_(ios) {}

HostPool::~HostPool() {
  base::MutexLock lock(mutex_);
  for (const auto& shard : made_) shard->Abandon();
  for (const auto& [key, shard] : named_) shard->Abandon();
}

void HostPool::Start(size_t io, const model::Host& host,
                     const std::shared_ptr<const UpstreamOptions>& options,
                     const std::shared_ptr<ClientExchange>& exchange,
                     std::string_view server_name) {
  const size_t at =
      io * kHttpProtocols + static_cast<size_t>(options->protocol);
  if (server_name.empty()) {
    return ShardOf(at).Start(host, options, exchange);
  }
  ShardFor(at, server_name)->Start(host, options, exchange);
}

// Most hosts are used by one protocol, and not from every loop.
PoolShard& HostPool::ShardOf(size_t at) {
  // Acquire: pairs with the store, so that the shard is seen as it was made.
  if (PoolShard* const shard = shards_[at].load(std::memory_order_acquire)) {
    return *shard;
  }
  base::MutexLock lock(mutex_);
  if (PoolShard* const shard = shards_[at].load(std::memory_order_relaxed)) {
    return *shard;
  }
  made_.push_back(
      std::make_shared<PoolShard>(ios_[at / kHttpProtocols].get(), breakers_));
  shards_[at].store(made_.back().get(), std::memory_order_release);
  return *made_.back();
}

std::shared_ptr<PoolShard> HostPool::ShardFor(size_t at,
                                              std::string_view server_name) {
  base::MutexLock lock(mutex_);
  std::shared_ptr<PoolShard>& shard = named_[{at, std::string(server_name)}];
  if (shard != nullptr) return shard;
  shard = std::make_shared<PoolShard>(ios_[at / kHttpProtocols].get(),
                                      breakers_, server_name);
  std::shared_ptr<PoolShard> made = shard;
  if (named_.size() >= look_at_) DropUnused();
  return made;
}

size_t HostPool::server_names() {
  base::MutexLock lock(mutex_);
  return named_.size();
}

// Callers may make up names. A shard that something goes on in is held by its
// loop, too.
void HostPool::DropUnused() {
  absl::erase_if(
      named_, [](const auto& entry) { return entry.second.use_count() == 1; });
  look_at_ = std::max<size_t>(64, 2 * named_.size());
}

}  // namespace meshlib::net
