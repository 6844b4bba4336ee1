#ifndef MESHLIB_XDS_ADS_CONFIG_H_
#define MESHLIB_XDS_ADS_CONFIG_H_

#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/types/span.h"
#include "model/config.h"
#include "xds/ads_session.h"

namespace meshlib::xds {

// Makes configurations of what a file says and what a control plane sends, and
// asks the control plane for what they refer to: listeners lead to route
// configurations, these (in gRPC's way) to clusters, clusters to endpoints.
//
// What is changed is held back until all it needs is there: a cluster whose
// endpoints, or a listener whose routes have not come stays what it was before,
// as Envoy "warms" it, and so do routes whose clusters are held back (gRFC
// A74), in whatever order the control plane sends them. What the file says
// cannot be changed by the control plane.
//
// Not thread-safe. Does no I/O.
class AdsConfig final : private AdsObserver {
 public:
  // `base` is what the file says, with a control_plane.
  AdsConfig(std::shared_ptr<const model::Config> base, ConvertOptions convert);

  // For the stream that feeds it.
  AdsSession& session() { return session_; }
  const AdsSession& session() const { return session_; }

  // A target of that name begins to be used, or is used no more: each name as
  // often as it was begun.
  void AddTarget(std::string_view name);
  void RemoveTarget(std::string_view name);

  // The file says something else; its control_plane is the same.
  void Rebase(std::shared_ptr<const model::Config> base);

  // Whether there is news since Build().
  bool changed() const { return changed_; }
  std::shared_ptr<const model::Config> Build();

 private:
  using ClusterPtr = std::shared_ptr<const model::Cluster>;
  using ListenerPtr = std::shared_ptr<const model::Listener>;
  using RouteConfigPtr = std::shared_ptr<const model::RouteConfig>;

  void OnResources(ResourceType type,
                   absl::Span<const std::string> names) override;
  void TakeBase(std::shared_ptr<const model::Config> base);
  void Resubscribe();
  std::set<std::string> ListenerNames() const;
  std::set<std::string> RouteConfigNames() const;
  std::set<std::string> ClusterNames() const;
  std::set<std::string> EndpointsNames() const;

  // Whether all that it needs has come, or does not exist.
  bool Warm(const model::Cluster& cluster) const;
  bool Warm(const model::Listener& listener) const;
  bool Warm(const model::RouteConfig& routes) const;
  // Whether there is an answer to the question for that resource.
  bool Known(ResourceType type, const std::string& name) const;
  template <typename T>
  std::vector<std::shared_ptr<const T>> Choose(
      ResourceType type, const absl::flat_hash_set<std::string>& fixed,
      absl::flat_hash_map<std::string, std::shared_ptr<const T>>& used);

  std::shared_ptr<const model::Config> base_;
  const model::ControlPlane options_;
  // Names that base_ has given away.
  absl::flat_hash_set<std::string> fixed_clusters_;
  absl::flat_hash_set<std::string> fixed_listeners_;
  absl::flat_hash_set<std::string> fixed_routes_;
  absl::flat_hash_set<std::string> fixed_endpoints_;
  AdsSession session_;
  std::map<std::string, int, std::less<>> targets_;
  // Of the control plane's, what the last configuration has.
  absl::flat_hash_map<std::string, ClusterPtr> clusters_;
  absl::flat_hash_map<std::string, ListenerPtr> listeners_;
  absl::flat_hash_map<std::string, RouteConfigPtr> routes_;
  bool changed_ = false;
};

}  // namespace meshlib::xds

#endif  // MESHLIB_XDS_ADS_CONFIG_H_
