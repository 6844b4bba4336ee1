#ifndef MESHLIB_CLUSTER_ROUTE_BINDING_H_
#define MESHLIB_CLUSTER_ROUTE_BINDING_H_

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "base/stripe.h"
#include "model/route.h"
#include "model/runtime.h"
#include "resilience/fault.h"
#include "resilience/retry.h"
#include "resilience/retry_hosts.h"
#include "routing/route_table.h"

namespace meshlib::cluster {

// A cluster's place in every snapshot of an engine: given to a name when it
// is first mentioned, so that routes can hold it instead of the name.
using ClusterId = uint32_t;
inline constexpr ClusterId kNoCluster = UINT32_MAX;

// A route with what was looked up for it beforehand.
struct BoundRoute {
  const routing::CompiledRoute* route = nullptr;
  // By ClusterChoice::weighted_index, or one for a plain cluster; kNoCluster
  // where a header names it.
  std::vector<ClusterId> clusters;
  // Where the route has no policy, one that retries nothing of itself: the
  // request's headers may add conditions.
  std::optional<resilience::CompiledRetryPolicy> retry;
  bool implied_retry = false;
  std::optional<resilience::HostPredicate> hosts;
  uint32_t previous_priorities_update_frequency = 0;
  // What the route and the levels above it say of the connection manager's
  // filters: by ClusterChoice::weighted_index, or one. Empty: nothing.
  std::vector<std::vector<resilience::FaultOverride>> filters;

  // Null: nothing.
  const std::vector<resilience::FaultOverride>* FiltersFor(
      int weighted_index) const {
    const auto index = static_cast<size_t>(std::max(weighted_index, 0));
    return index < filters.size() ? &filters[index] : nullptr;
  }
};

// A route table as targets use it. Immutable, but for the count of its users.
class RouteBinding {
 public:
  using IdOf = absl::FunctionRef<ClusterId(const std::string&)>;

  // Compiles `routes`. `id_of` gives the id of a cluster's name.
  static absl::StatusOr<std::unique_ptr<RouteBinding>> Make(
      std::string listener, std::shared_ptr<const model::RouteConfig> routes,
      const std::shared_ptr<const model::Runtime>& runtime, uint32_t stripes,
      IdOf id_of);

  const std::string& listener() const { return listener_; }
  const routing::RouteTable& table() const { return *table_; }
  // `route` is of table().
  const BoundRoute& bound(const routing::CompiledRoute& route) const {
    return routes_[route.ordinal()];
  }
  // By CompiledRoute::ordinal().
  const std::vector<BoundRoute>& routes() const { return routes_; }
  // Whether some route says something of the connection manager's filters.
  bool overrides_filters() const { return overrides_filters_; }
  // Whether a header may name any cluster.
  bool any_cluster() const { return any_cluster_; }

  // Tokens that point into the binding keep it alive. The count is striped;
  // only the sum means something.
  void AddUser(base::Stripe stripe, int64_t delta) const {
    // Release: whoever finds the sum at 0 may destroy the binding.
    base::StripeAdd(stripe, users_[stripe.index].count, delta,
                    std::memory_order_release);
  }
  // Exact once no snapshot holds the binding: then the count only falls.
  bool unused() const;

 private:
  struct alignas(64) Users {
    std::atomic<int64_t> count{0};
  };

  RouteBinding(std::string listener,
               std::shared_ptr<const routing::RouteTable> table,
               uint32_t stripes);
  void Bind(const routing::CompiledRoute& route, BoundRoute& bound, IdOf id_of);
  class FilterCompiler;

  const std::string listener_;
  const std::shared_ptr<const routing::RouteTable> table_;
  std::vector<BoundRoute> routes_;
  bool any_cluster_ = false;
  bool overrides_filters_ = false;
  const uint32_t stripes_;
  const std::unique_ptr<Users[]> users_;
};

// What fault filters look at beside the request itself. Views.
struct FaultScope {
  std::string_view cluster;  // where the request is routed; empty: nowhere
  const std::vector<resilience::FaultOverride>* overrides = nullptr;

  static FaultScope Of(const Request& request, const RouteBinding& routes,
                       const routing::RouteTable::Match& match,
                       uint64_t random);
};

}  // namespace meshlib::cluster

#endif  // MESHLIB_CLUSTER_ROUTE_BINDING_H_
