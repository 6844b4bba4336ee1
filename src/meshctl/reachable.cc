#include <algorithm>
#include <cstddef>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "meshctl/open_mesh.h"

namespace meshlib::meshctl {
namespace {

// Routes with a runtime fraction that are looked at. Each costs an Explain.
constexpr size_t kMaxFractions = 64;
// All that a fraction can tell of a draw is its rest modulo a denominator, and
// these all divide a million.
constexpr uint64_t kDraws = 1'000'000;

class Search {
 public:
  Search(const OpenMesh& open, const Target& target, const Request& request)
      : config_(*open.config), target_(target), request_(request) {}

  std::vector<std::string> Run() {
    for (const uint64_t draw : Draws(ExplainWith(0))) {
      const Explanation found = ExplainWith(draw);
      if (!found.cluster.empty()) AddCluster(found.cluster);
      AddSiblings(found);
    }
    std::vector<std::string> in_order;
    for (const auto& cluster : config_.clusters) {
      if (names_.count(cluster->name) > 0) in_order.push_back(cluster->name);
    }
    return in_order;
  }

 private:
  Explanation ExplainWith(uint64_t draw) const {
    Request request = request_;
    request.random = draw;
    return target_.Explain(request);
  }

  // Values of Request::random that take and that pass over each route that is
  // for a fraction of the requests only.
  std::set<uint64_t> Draws(const Explanation& found) const {
    std::set<uint64_t> draws = {0};
    const model::VirtualHost* host = FindVirtualHost(found);
    if (host == nullptr) return draws;
    std::vector<model::Fraction> fractions;
    for (const model::Route& route : host->routes) {
      if (fractions.size() == kMaxFractions) break;
      const auto& fraction = route.match.runtime_fraction;
      if (!fraction.has_value() || fraction->numerator == 0) continue;
      draws.insert(fraction->numerator - 1);
      draws.insert(fraction->numerator);
      fractions.push_back(*fraction);
    }
    AddFirstOf(fractions, draws);
    return draws;
  }

  // For each fraction a draw that it takes and that all before it pass over,
  // and one that all of them pass over; where there are such draws.
  static void AddFirstOf(const std::vector<model::Fraction>& fractions,
                         std::set<uint64_t>& draws) {
    std::vector<bool> seen(fractions.size() + 1);
    size_t missing = fractions.empty() ? 0 : seen.size();
    for (uint64_t draw = 0; draw < kDraws && missing > 0; ++draw) {
      const auto taker = std::find_if(fractions.begin(), fractions.end(),
                                      [draw](const model::Fraction& fraction) {
                                        return draw % fraction.denominator <
                                               fraction.numerator;
                                      });
      const size_t index = taker - fractions.begin();
      if (seen[index]) continue;
      seen[index] = true;
      --missing;
      draws.insert(draw);
    }
  }

  void AddCluster(const std::string& name) {
    if (!names_.insert(name).second) return;
    for (const auto& cluster : config_.clusters) {
      if (cluster->name != name) continue;
      for (const std::string& member : cluster->aggregate) AddCluster(member);
    }
  }

  // The other clusters of the weighted list that `found` drew from.
  void AddSiblings(const Explanation& found) {
    const model::Route* route = FindRoute(found);
    if (route != nullptr) {
      const auto* action = std::get_if<model::RouteAction>(&route->action);
      if (action != nullptr) AddWeighted(action->cluster);
      return;
    }
    for (const auto& listener : config_.listeners) {
      if (listener->name != found.listener) continue;
      for (const model::FilterChain& chain : listener->filter_chains) {
        if (chain.tcp.has_value()) AddWeighted(chain.tcp->cluster);
      }
    }
  }

  template <typename ClusterVariant>
  void AddWeighted(const ClusterVariant& clusters) {
    const auto* weighted = std::get_if<model::WeightedClusters>(&clusters);
    if (weighted == nullptr) return;
    for (const model::WeightedCluster& cluster : weighted->clusters) {
      if (cluster.weight > 0 && !cluster.name.empty()) AddCluster(cluster.name);
    }
  }

  const model::VirtualHost* FindVirtualHost(const Explanation& found) const {
    for (const auto& routes : config_.route_configs) {
      if (const auto* host = FindIn(routes.get(), found)) return host;
    }
    for (const auto& listener : config_.listeners) {
      if (listener->name != found.listener) continue;
      if (listener->api_listener.has_value()) {
        const auto* routes = listener->api_listener->route_config.get();
        if (const auto* host = FindIn(routes, found)) return host;
      }
      for (const model::FilterChain& chain : listener->filter_chains) {
        if (!chain.http.has_value()) continue;
        const auto* routes = chain.http->route_config.get();
        if (const auto* host = FindIn(routes, found)) return host;
      }
    }
    return nullptr;
  }

  static const model::VirtualHost* FindIn(const model::RouteConfig* routes,
                                          const Explanation& found) {
    if (routes == nullptr || routes->name != found.route_config) return nullptr;
    for (const model::VirtualHost& host : routes->virtual_hosts) {
      if (host.name == found.virtual_host) return &host;
    }
    return nullptr;
  }

  const model::Route* FindRoute(const Explanation& found) const {
    const model::VirtualHost* host = FindVirtualHost(found);
    if (host == nullptr || found.route.empty()) return nullptr;
    for (size_t i = 0; i < host->routes.size(); ++i) {
      const model::Route& route = host->routes[i];
      const bool same = route.name.empty()
                            ? found.route == absl::StrCat("#", i) ||
                                  found.route == absl::StrCat("route[", i, "]")
                            : found.route == route.name;
      if (same) return &route;
    }
    return nullptr;
  }

  const model::Config& config_;
  const Target& target_;
  const Request& request_;
  std::set<std::string> names_;
};

}  // namespace

std::vector<std::string> ReachableClusters(const OpenMesh& open,
                                           const Target& target,
                                           const Request& request) {
  return Search(open, target, request).Run();
}

}  // namespace meshlib::meshctl
