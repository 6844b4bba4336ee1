#include "net/host_pool.h"

#include <utility>

#include "net/pool_shard.h"

namespace meshlib::net {
namespace {

std::vector<std::shared_ptr<PoolShard>> MakeShards(
    absl::Span<const std::unique_ptr<ClientIo>> ios,
    const std::shared_ptr<PoolBreakers>& breakers) {
  std::vector<std::shared_ptr<PoolShard>> shards;
  shards.reserve(ios.size() * kHttpProtocols);
  for (const auto& io : ios) {
    for (size_t i = 0; i < kHttpProtocols; ++i) {
      shards.push_back(std::make_shared<PoolShard>(io.get(), breakers));
    }
  }
  return shards;
}

}  // namespace

ClientIo::~ClientIo() = default;

void ClientIo::Shutdown() {
  shut_down_ = true;
  while (!shards_.empty()) {
    const std::shared_ptr<PoolShard> shard = *shards_.begin();
    shards_.erase(shards_.begin());
    shard->Shutdown(absl::UnavailableError("the mesh is shut down"));
  }
}

HostPool::HostPool(absl::Span<const std::unique_ptr<ClientIo>> ios,
                   std::shared_ptr<PoolBreakers> breakers)
    : shards_(MakeShards(ios, breakers)) {}

HostPool::~HostPool() {
  for (const auto& shard : shards_) shard->Abandon();
}

void HostPool::Start(size_t io, const model::Host& host,
                     const std::shared_ptr<const UpstreamOptions>& options,
                     const std::shared_ptr<ClientExchange>& exchange) {
  const size_t at =
      io * kHttpProtocols + static_cast<size_t>(options->protocol);
  shards_[at]->Start(host, options, exchange);
}

}  // namespace meshlib::net
