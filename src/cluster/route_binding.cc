#include "cluster/route_binding.h"

#include <utility>
#include <variant>

namespace meshlib::cluster {

RouteBinding::RouteBinding(std::string listener,
                           std::shared_ptr<const routing::RouteTable> table,
                           uint32_t stripes)
    : listener_(std::move(listener)),
      table_(std::move(table)),
      stripes_(stripes),
      users_(new Users[stripes]) {}

void RouteBinding::Bind(const routing::CompiledRoute& route, BoundRoute& bound,
                        IdOf id_of) {
  bound.route = &route;
  if (route.retry_policy() != nullptr) {
    bound.retry.emplace(*route.retry_policy());
    bound.hosts.emplace(*route.retry_policy());
    bound.previous_priorities_update_frequency =
        route.retry_policy()->previous_priorities_update_frequency;
  }
  if (route.action() == nullptr) return;
  if (!bound.retry.has_value()) {
    bound.retry.emplace(model::RetryPolicy());
    bound.implied_retry = true;
  }
  const auto& choice = route.action()->cluster;
  if (const auto* name = std::get_if<std::string>(&choice)) {
    bound.clusters.push_back(id_of(*name));
    return;
  }
  const auto* weighted = std::get_if<model::WeightedClusters>(&choice);
  if (weighted == nullptr) {
    any_cluster_ = true;
    return;
  }
  for (const model::WeightedCluster& cluster : weighted->clusters) {
    bound.clusters.push_back(cluster.name.empty() ? kNoCluster
                                                  : id_of(cluster.name));
    any_cluster_ |= cluster.name.empty();
  }
}

absl::StatusOr<std::unique_ptr<RouteBinding>> RouteBinding::Make(
    std::string listener, std::shared_ptr<const model::RouteConfig> routes,
    const model::Runtime& runtime, uint32_t stripes, IdOf id_of) {
  auto table = routing::RouteTable::Compile(std::move(routes), runtime);
  if (!table.ok()) return table.status();
  std::unique_ptr<RouteBinding> binding(
      new RouteBinding(std::move(listener), *std::move(table), stripes));
  for (const auto& virtual_host : binding->table_->virtual_hosts()) {
    for (const auto& route : virtual_host->routes()) {
      binding->Bind(*route, binding->routes_.emplace_back(), id_of);
    }
  }
  return binding;
}

bool RouteBinding::unused() const {
  int64_t sum = 0;
  for (uint32_t i = 0; i < stripes_; ++i) {
    sum += users_[i].count.load(std::memory_order_acquire);
  }
  return sum == 0;
}

}  // namespace meshlib::cluster
