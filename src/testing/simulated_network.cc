#include "testing/simulated_network.h"

#include <cerrno>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/strings.h"
#include "net/socket_address.h"
#include "testing/simulated_connection.h"
#include "testing/simulated_stream.h"

namespace meshlib::testing {
namespace {

constexpr std::string_view kDefaultEndpoint = "client";
constexpr std::string_view kAnyPort = ":0";

class SimulatedListener final : public event::Listener {
 public:
  SimulatedListener(std::shared_ptr<SimulatedWorld> world, std::string address,
                    uint64_t id)
      : world_(std::move(world)), address_(std::move(address)), id_(id) {}
  ~SimulatedListener() override {
    std::shared_ptr<SimulatedWorld::Listening> dropped;  // without the lock
    base::MutexLock lock(world_->mutex);
    const auto found = world_->listeners.find(address_);
    if (found == world_->listeners.end() || found->second->id != id_) return;
    dropped = std::move(found->second);
    world_->listeners.erase(found);
  }

  std::string Address() const override { return address_; }

 private:
  const std::shared_ptr<SimulatedWorld> world_;
  const std::string address_;
  const uint64_t id_;
};

absl::StatusOr<std::unique_ptr<event::Listener>> ListenIn(
    const std::shared_ptr<SimulatedWorld>& world, std::string_view address,
    event::Network::Accept accept) {
  if (address.empty()) return absl::InvalidArgumentError("no address");
  std::string given(address);
  base::MutexLock lock(world->mutex);
  if (address.size() > kAnyPort.size() &&
      address.substr(address.size() - kAnyPort.size()) == kAnyPort) {
    given = absl::StrCat(base::ToAbsl(address.substr(0, address.size() - 1)),
                         world->next_port++);
  }
  if (world->listeners.count(given) != 0) {
    return net::SocketError(absl::StrCat(given, ": bind"), EADDRINUSE);
  }
  const uint64_t id = world->next_id++;
  world->listeners.emplace(
      given, std::make_shared<SimulatedWorld::Listening>(
                 SimulatedWorld::Listening{id, std::move(accept)}));
  return std::make_unique<SimulatedListener>(world, std::move(given), id);
}

using Connections = std::vector<std::shared_ptr<SimulatedConnection>>;

Connections ConnectionsOf(SimulatedWorld& world) {
  base::MutexLock lock(world.mutex);
  Connections connections;
  connections.reserve(world.connections.size());
  for (const auto& [id, connection] : world.connections) {
    // One that is being destroyed has nothing left to it.
    if (auto held = connection->weak_from_this().lock()) {
      connections.push_back(std::move(held));
    }
  }
  return connections;
}

constexpr size_t kClient = SimulatedConnection::kClient;
constexpr size_t kServer = SimulatedConnection::kServer;

}  // namespace

std::string_view SimulatedEndpointOf(std::string_view address) {
  constexpr std::string_view kUnix = "unix:";
  if (address.substr(0, kUnix.size()) == kUnix) return address;
  const size_t colon = address.rfind(':');
  if (colon == std::string_view::npos) return address;
  const std::string_view port = address.substr(colon + 1);
  const bool number = !port.empty() && port.find_first_not_of("0123456789") ==
                                           std::string_view::npos;
  return number ? address.substr(0, colon) : address;
}

class SimulatedNetwork::Endpoint final : public event::Network {
 public:
  Endpoint(std::shared_ptr<SimulatedWorld> world, std::string_view name)
      : world_(std::move(world)), name_(name) {}

  std::unique_ptr<event::Stream> Connect(
      std::string_view address, absl::Duration timeout,
      event::StreamHandler* handler) override {
    return SimulatedConnection::Connect(world_, name_, address, timeout,
                                        handler);
  }
  absl::StatusOr<std::unique_ptr<event::Listener>> Listen(
      std::string_view address, Accept accept) override {
    return ListenIn(world_, address, std::move(accept));
  }

 private:
  const std::shared_ptr<SimulatedWorld> world_;
  const std::string name_;
};

SimulatedNetwork::SimulatedNetwork(SimulatedLoop* loop, const Options& options)
    : world_(std::make_shared<SimulatedWorld>(loop, options)) {}

SimulatedNetwork::~SimulatedNetwork() = default;

std::unique_ptr<event::Stream> SimulatedNetwork::Connect(
    std::string_view address, absl::Duration timeout,
    event::StreamHandler* handler) {
  return SimulatedConnection::Connect(world_, kDefaultEndpoint, address,
                                      timeout, handler);
}

absl::StatusOr<std::unique_ptr<event::Listener>> SimulatedNetwork::Listen(
    std::string_view address, Accept accept) {
  return ListenIn(world_, address, std::move(accept));
}

event::Network& SimulatedNetwork::At(std::string_view endpoint) {
  auto found = endpoints_.find(endpoint);
  if (found == endpoints_.end()) {
    found = endpoints_
                .emplace(std::string(endpoint),
                         std::make_unique<Endpoint>(world_, endpoint))
                .first;
  }
  return *found->second;
}

void SimulatedNetwork::SetDefaultLink(const SimulatedLink& link) {
  base::MutexLock lock(world_->mutex);
  world_->links.SetDefault(link);
}

void SimulatedNetwork::SetLink(std::string_view a, std::string_view b,
                               const SimulatedLink& link) {
  base::MutexLock lock(world_->mutex);
  world_->links.Between(a, b).own = link;
  world_->links.Between(b, a).own = link;
}

void SimulatedNetwork::SetCut(std::string_view a, std::string_view b,
                              bool cut) {
  base::MutexLock lock(world_->mutex);
  world_->links.Between(a, b).cut = cut;
  world_->links.Between(b, a).cut = cut;
}

void SimulatedNetwork::SetIsolated(std::string_view endpoint, bool isolated) {
  base::MutexLock lock(world_->mutex);
  world_->links.SetCut(endpoint, isolated);
}

size_t SimulatedNetwork::ResetConnections(std::string_view a,
                                          std::string_view b) {
  size_t count = 0;
  for (const auto& connection : ConnectionsOf(*world_)) {
    const std::string& client = connection->EndpointOf(kClient);
    const std::string& server = connection->EndpointOf(kServer);
    if ((client != a || server != b) && (client != b || server != a)) continue;
    connection->ResetBoth();
    ++count;
  }
  return count;
}

size_t SimulatedNetwork::ResetConnections(std::string_view endpoint) {
  size_t count = 0;
  for (const auto& connection : ConnectionsOf(*world_)) {
    if (connection->EndpointOf(kClient) != endpoint &&
        connection->EndpointOf(kServer) != endpoint) {
      continue;
    }
    connection->ResetBoth();
    ++count;
  }
  return count;
}

void SimulatedNetwork::Kill(std::string_view endpoint) {
  std::vector<std::shared_ptr<SimulatedWorld::Listening>> dropped;
  {
    base::MutexLock lock(world_->mutex);
    for (auto at = world_->listeners.begin(); at != world_->listeners.end();) {
      if (SimulatedEndpointOf(at->first) == endpoint) {
        dropped.push_back(std::move(at->second));
        at = world_->listeners.erase(at);
      } else {
        ++at;
      }
    }
  }
  for (const auto& connection : ConnectionsOf(*world_)) {
    for (const size_t end : {kClient, kServer}) {
      if (connection->EndpointOf(end) == endpoint) connection->Kill(end);
    }
  }
}

SimulatedLinkStats SimulatedNetwork::stats(std::string_view from,
                                           std::string_view to) const {
  base::MutexLock lock(world_->mutex);
  return world_->links.Stats(from, to);
}

SimulatedLinkStats SimulatedNetwork::stats() const {
  base::MutexLock lock(world_->mutex);
  return world_->links.Total();
}

size_t SimulatedNetwork::connections() const {
  base::MutexLock lock(world_->mutex);
  return world_->connections.size();
}

}  // namespace meshlib::testing
