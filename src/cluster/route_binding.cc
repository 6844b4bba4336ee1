#include "cluster/route_binding.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "absl/container/flat_hash_map.h"

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

// Makes one list of what the levels say: settings and the switch come each
// from the nearest level that has them, as in Envoy.
class RouteBinding::FilterCompiler {
 public:
  explicit FilterCompiler(std::shared_ptr<const model::Runtime> runtime)
      : runtime_(std::move(runtime)) {}

  // Of the levels from weighted cluster to route configuration.
  using Levels = std::vector<const std::vector<model::FilterOverride>*>;

  std::vector<resilience::FaultOverride> Merge(const Levels& levels) {
    std::vector<resilience::FaultOverride> merged;
    for (const auto* level : levels) {
      for (const model::FilterOverride& in : *level) {
        const auto known = std::find_if(
            merged.begin(), merged.end(),
            [&](const auto& out) { return out.filter == in.filter; });
        if (known == merged.end()) {
          merged.push_back({in.filter, in.disabled, Compile(in.fault)});
        } else if (known->fault == nullptr) {
          known->fault = Compile(in.fault);
        }
      }
    }
    return merged;
  }

  // By weighted cluster, or one; empty if no level says anything.
  std::vector<std::vector<resilience::FaultOverride>> ForRoute(
      const model::Route& route, const Levels& parents) {
    Levels levels = {&route.filters};
    levels.insert(levels.end(), parents.begin(), parents.end());
    std::vector<std::vector<resilience::FaultOverride>> out;
    const auto* action = std::get_if<model::RouteAction>(&route.action);
    const auto* weighted =
        action == nullptr
            ? nullptr
            : std::get_if<model::WeightedClusters>(&action->cluster);
    bool any = false;
    const auto add = [&] {
      out.push_back(Merge(levels));
      any |= !out.back().empty();
    };
    if (weighted == nullptr) {
      add();
    } else {
      levels.insert(levels.begin(), nullptr);
      for (const model::WeightedCluster& cluster : weighted->clusters) {
        levels.front() = &cluster.filters;
        add();
      }
    }
    if (!any) out.clear();
    return out;
  }

 private:
  // Once for each message: a virtual host's serves all its routes.
  std::shared_ptr<const resilience::CompiledFault> Compile(
      const std::shared_ptr<const model::Fault>& fault) {
    if (fault == nullptr) return nullptr;
    auto& compiled = compiled_[fault.get()];
    if (compiled == nullptr) {
      compiled =
          std::make_shared<const resilience::CompiledFault>(fault, runtime_);
    }
    return compiled;
  }

  const std::shared_ptr<const model::Runtime> runtime_;
  absl::flat_hash_map<const model::Fault*,
                      std::shared_ptr<const resilience::CompiledFault>>
      compiled_;
};

absl::StatusOr<std::unique_ptr<RouteBinding>> RouteBinding::Make(
    std::string listener, std::shared_ptr<const model::RouteConfig> routes,
    const std::shared_ptr<const model::Runtime>& runtime, uint32_t stripes,
    IdOf id_of) {
  auto table = routing::RouteTable::Compile(std::move(routes), *runtime);
  if (!table.ok()) return table.status();
  std::unique_ptr<RouteBinding> binding(
      new RouteBinding(std::move(listener), *std::move(table), stripes));
  FilterCompiler filters(runtime);
  for (const auto& virtual_host : binding->table_->virtual_hosts()) {
    for (const auto& route : virtual_host->routes()) {
      BoundRoute& bound = binding->routes_.emplace_back();
      binding->Bind(*route, bound, id_of);
      bound.filters = filters.ForRoute(route->config(),
                                       {&virtual_host->config().filters,
                                        &binding->table_->config().filters});
      binding->overrides_filters_ |= !bound.filters.empty();
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

FaultScope FaultScope::Of(const Request& request, const RouteBinding& routes,
                          const routing::RouteTable::Match& match,
                          uint64_t random) {
  FaultScope scope;
  if (match.route == nullptr) return scope;
  int weighted_index = -1;
  if (match.route->action() != nullptr) {
    const routing::ClusterChoice choice =
        match.route->ClusterFor(request, random);
    weighted_index = choice.weighted_index;
    scope.cluster = choice.name;
  }
  scope.overrides = routes.bound(*match.route).FiltersFor(weighted_index);
  return scope;
}

}  // namespace meshlib::cluster
