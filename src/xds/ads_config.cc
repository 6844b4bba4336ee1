#include "xds/ads_config.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>
#include <variant>

#include "absl/strings/str_replace.h"
#include "base/strings.h"
#include "model/route.h"

namespace meshlib::xds {
namespace {

AdsOptions OptionsOf(const model::ControlPlane& from, ConvertOptions convert) {
  AdsOptions out;
  out.node = from.node;
  out.convert = convert;
  out.fetch_timeout = from.initial_fetch_timeout == absl::ZeroDuration()
                          ? absl::InfiniteDuration()
                          : from.initial_fetch_timeout;
  return out;
}

template <typename T>
std::shared_ptr<const T> ValueOf(const ResourceState& state) {
  const auto* const value = std::get_if<std::shared_ptr<const T>>(&state.value);
  return value == nullptr ? nullptr : *value;
}

// Calls `take` with each connection manager of the listener.
template <typename Take>
void ForEachHttp(const model::Listener& listener, const Take& take) {
  if (listener.api_listener.has_value()) take(*listener.api_listener);
  for (const model::FilterChain& chain : listener.filter_chains) {
    if (chain.http.has_value()) take(*chain.http);
  }
}

void AddRouteConfigNames(const model::Listener& listener,
                         std::set<std::string>& names) {
  ForEachHttp(listener, [&](const model::HttpConnectionManager& http) {
    if (!http.rds_route_config_name.empty()) {
      names.insert(http.rds_route_config_name);
    }
  });
}

// Of a target that is a cluster outright.
std::optional<std::string> ClusterOf(const std::string& target) {
  constexpr std::string_view kScheme = "cluster:";
  if (target.rfind(kScheme, 0) != 0) return std::nullopt;
  return target.substr(kScheme.size());
}

const std::string& EndpointsNameOf(const model::Cluster& cluster) {
  return cluster.eds_service_name.empty() ? cluster.name
                                          : cluster.eds_service_name;
}

}  // namespace

AdsConfig::AdsConfig(std::shared_ptr<const model::Config> base,
                     ConvertOptions convert)
    : options_(*base->control_plane),
      session_(OptionsOf(options_, convert), this) {
  if (options_.all_clusters) session_.SubscribeToAll(ResourceType::kCluster);
  if (options_.all_listeners) session_.SubscribeToAll(ResourceType::kListener);
  TakeBase(std::move(base));
}

void AdsConfig::TakeBase(std::shared_ptr<const model::Config> base) {
  base_ = std::move(base);
  fixed_clusters_.clear();
  fixed_listeners_.clear();
  fixed_routes_.clear();
  fixed_endpoints_.clear();
  for (const auto& cluster : base_->clusters) {
    fixed_clusters_.insert(cluster->name);
  }
  for (const auto& listener : base_->listeners) {
    fixed_listeners_.insert(listener->name);
  }
  for (const auto& routes : base_->route_configs) {
    fixed_routes_.insert(routes->name);
  }
  for (const auto& endpoints : base_->endpoints) {
    fixed_endpoints_.insert(endpoints->cluster_name);
  }
  Resubscribe();
}

void AdsConfig::Rebase(std::shared_ptr<const model::Config> base) {
  TakeBase(std::move(base));
  changed_ = true;
}

void AdsConfig::AddTarget(std::string_view name) {
  if (!options_.by_target) return;
  if (targets_[std::string(name)]++ == 0) Resubscribe();
}

void AdsConfig::RemoveTarget(std::string_view name) {
  const auto found = targets_.find(name);
  if (found == targets_.end() || --found->second > 0) return;
  targets_.erase(found);
  Resubscribe();
  changed_ = true;
}

// --- What is asked for ---

void AdsConfig::OnResources(ResourceType type,
                            absl::Span<const std::string> names) {
  if (names.empty()) return;
  changed_ = true;
  if (type != ResourceType::kEndpoints) Resubscribe();
}

void AdsConfig::Resubscribe() {
  if (!options_.all_listeners) {
    session_.Subscribe(ResourceType::kListener, ListenerNames());
  }
  session_.Subscribe(ResourceType::kRouteConfig, RouteConfigNames());
  if (!options_.all_clusters) {
    session_.Subscribe(ResourceType::kCluster, ClusterNames());
  }
  session_.Subscribe(ResourceType::kEndpoints, EndpointsNames());
}

std::set<std::string> AdsConfig::ListenerNames() const {
  std::set<std::string> names;
  for (const auto& [target, uses] : targets_) {
    if (ClusterOf(target).has_value()) continue;
    names.insert(options_.listener_template.empty()
                     ? target
                     : absl::StrReplaceAll(options_.listener_template,
                                           {{"%s", target}}));
  }
  return names;
}

std::set<std::string> AdsConfig::RouteConfigNames() const {
  std::set<std::string> names;
  for (const auto& listener : base_->listeners) {
    AddRouteConfigNames(*listener, names);
  }
  for (const auto& [name, state] :
       session_.resources(ResourceType::kListener)) {
    const auto listener = ValueOf<model::Listener>(state);
    if (listener != nullptr) AddRouteConfigNames(*listener, names);
  }
  for (const auto& [name, listener] : listeners_) {
    AddRouteConfigNames(*listener, names);
  }
  for (const std::string& name : fixed_routes_) names.erase(name);
  return names;
}

std::set<std::string> AdsConfig::ClusterNames() const {
  std::set<std::string> names;
  const auto add_listener = [&names](const model::Listener& listener) {
    ForEachHttp(listener, [&](const model::HttpConnectionManager& http) {
      if (http.route_config != nullptr) {
        model::AddClusterNames(*http.route_config, names);
      }
    });
    for (const model::FilterChain& chain : listener.filter_chains) {
      if (chain.tcp.has_value()) {
        model::AddClusterNames(*chain.tcp->routes, names);
      }
    }
  };
  for (const auto& [name, state] :
       session_.resources(ResourceType::kListener)) {
    const auto listener = ValueOf<model::Listener>(state);
    if (listener != nullptr) add_listener(*listener);
  }
  for (const auto& [name, state] :
       session_.resources(ResourceType::kRouteConfig)) {
    const auto routes = ValueOf<model::RouteConfig>(state);
    if (routes != nullptr) model::AddClusterNames(*routes, names);
  }
  for (const auto& [name, routes] : routes_) {
    model::AddClusterNames(*routes, names);
  }
  for (const auto& [name, listener] : listeners_) add_listener(*listener);
  for (const auto& [target, uses] : targets_) {
    if (auto cluster = ClusterOf(target)) names.insert(*std::move(cluster));
  }
  // The members of aggregates, which may be aggregates.
  std::vector<std::string> open(names.begin(), names.end());
  while (!open.empty()) {
    const ResourceState* const state =
        session_.Find(ResourceType::kCluster, open.back());
    open.pop_back();
    const auto cluster =
        state == nullptr ? nullptr : ValueOf<model::Cluster>(*state);
    if (cluster == nullptr) continue;
    for (const std::string& member : cluster->aggregate) {
      if (names.insert(member).second) open.push_back(member);
    }
  }
  for (const std::string& name : fixed_clusters_) names.erase(name);
  return names;
}

std::set<std::string> AdsConfig::EndpointsNames() const {
  std::set<std::string> names;
  const auto add = [&](const model::Cluster& cluster) {
    if (cluster.type == model::DiscoveryType::kEds) {
      names.insert(EndpointsNameOf(cluster));
    }
  };
  for (const auto& cluster : base_->clusters) add(*cluster);
  for (const auto& [name, state] : session_.resources(ResourceType::kCluster)) {
    const auto cluster = ValueOf<model::Cluster>(state);
    if (cluster != nullptr) add(*cluster);
  }
  for (const auto& [name, cluster] : clusters_) add(*cluster);
  for (const std::string& name : fixed_endpoints_) names.erase(name);
  return names;
}

// --- What there is ---

bool AdsConfig::Known(ResourceType type, const std::string& name) const {
  const ResourceState* const state = session_.Find(type, name);
  return state != nullptr &&
         (state->has_value() || state->status == ResourceStatus::kDoesNotExist);
}

bool AdsConfig::Warm(const model::Cluster& cluster) const {
  if (cluster.type != model::DiscoveryType::kEds) return true;
  const std::string& name = EndpointsNameOf(cluster);
  return fixed_endpoints_.contains(name) ||
         Known(ResourceType::kEndpoints, name);
}

bool AdsConfig::Warm(const model::RouteConfig& routes) const {
  std::set<std::string> names;
  model::AddClusterNames(routes, names);
  return std::all_of(names.begin(), names.end(), [this](const auto& name) {
    const ResourceState* const state =
        session_.Find(ResourceType::kCluster, name);
    // Of a cluster that is not among all there is nobody knows more.
    if (state == nullptr || fixed_clusters_.contains(name)) return true;
    const auto cluster = ValueOf<model::Cluster>(*state);
    return cluster == nullptr ? Known(ResourceType::kCluster, name)
                              : Warm(*cluster);
  });
}

bool AdsConfig::Warm(const model::Listener& listener) const {
  bool warm = true;
  ForEachHttp(listener, [&](const model::HttpConnectionManager& http) {
    if (http.route_config != nullptr) warm = warm && Warm(*http.route_config);
  });
  if (!warm) return false;
  std::set<std::string> names;
  AddRouteConfigNames(listener, names);
  for (const std::string& name : names) {
    if (!fixed_routes_.contains(name) &&
        !Known(ResourceType::kRouteConfig, name)) {
      return false;
    }
  }
  return true;
}

// The control plane's resources of a type, each as new as it can be used.
// `used` is what was chosen the last time.
template <typename T>
std::vector<std::shared_ptr<const T>> AdsConfig::Choose(
    ResourceType type, const absl::flat_hash_set<std::string>& fixed,
    absl::flat_hash_map<std::string, std::shared_ptr<const T>>& used) {
  std::vector<std::shared_ptr<const T>> out;
  absl::flat_hash_map<std::string, std::shared_ptr<const T>> now;
  for (const auto& [name, state] : session_.resources(type)) {
    auto value = ValueOf<T>(state);
    if (value == nullptr || fixed.contains(name)) continue;
    if (const auto before = used.find(name);
        before != used.end() && before->second != value && !Warm(*value)) {
      value = before->second;
    }
    now.emplace(name, value);
    out.push_back(std::move(value));
  }
  used = std::move(now);
  return out;
}

std::shared_ptr<const model::Config> AdsConfig::Build() {
  changed_ = false;
  auto out = std::make_shared<model::Config>(*base_);
  const auto append = [](auto from, auto& to) {
    to.insert(to.end(), std::make_move_iterator(from.begin()),
              std::make_move_iterator(from.end()));
  };
  append(Choose(ResourceType::kCluster, fixed_clusters_, clusters_),
         out->clusters);
  append(Choose(ResourceType::kListener, fixed_listeners_, listeners_),
         out->listeners);
  append(Choose(ResourceType::kRouteConfig, fixed_routes_, routes_),
         out->route_configs);
  for (const auto& [name, state] :
       session_.resources(ResourceType::kEndpoints)) {
    auto endpoints = ValueOf<model::Endpoints>(state);
    if (endpoints != nullptr) {
      out->endpoints.push_back(std::move(endpoints));
    } else if (state.status == ResourceStatus::kDoesNotExist) {
      auto none = std::make_shared<model::Endpoints>();
      none->cluster_name = name;
      out->endpoints.push_back(std::move(none));
    }
  }
  Resubscribe();  // what was held back needs no more what it had
  return out;
}

}  // namespace meshlib::xds
