#ifndef MESHLIB_CLUSTER_RUNTIME_CLUSTER_H_
#define MESHLIB_CLUSTER_RUNTIME_CLUSTER_H_

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/types/span.h"
#include "base/intrusive_stack.h"
#include "base/thread_slots.h"
#include "cluster/cluster_hosts.h"
#include "cluster/cluster_version.h"
#include "cluster/route_binding.h"
#include "cluster/stripe_block.h"
#include "lb/host_set.h"
#include "meshlib/clock.h"
#include "meshlib/cluster_totals.h"
#include "meshlib/load_balancer.h"
#include "model/host.h"
#include "resilience/circuit_breaker.h"
#include "resilience/outlier_detection.h"
#include "resilience/outlier_result.h"

namespace meshlib::cluster {

class RuntimeCluster;
class AttentionList;

// What all clusters of an engine share. Borrowed; outlives them.
struct ClusterContext {
  Clock* clock = nullptr;
  base::ThreadSlots* slots = nullptr;
  absl::Span<const std::shared_ptr<LoadBalancerFactory>> load_balancers;
  uint64_t seed = 0;
  bool nearest_first = false;
  // Makes what goes with each configuration of a cluster; null: nothing.
  // `previous` (null: none) may be given again where it means the same. The
  // breakers' resources outlive the cluster. On the control thread.
  std::function<std::shared_ptr<const ClusterAttachment>(
      const std::shared_ptr<const model::Cluster>& config,
      const std::shared_ptr<resilience::SharedResources>& resources,
      const std::shared_ptr<const ClusterAttachment>& previous)>
      attach;
  // The node's locality; null: not known. Control thread only.
  std::shared_ptr<const model::Locality> own_locality;
  // The clusters that want OnAttention() to be called on the control thread,
  // and what wakes it for that. Thread-safe, without locks.
  AttentionList* attention = nullptr;
  absl::AnyInvocable<void()> wake;
};

// One cluster at run time: its hosts and everything that outlives a change of
// its configuration (counts, breakers, ejections). The control thread changes
// it and builds versions of it; request threads use the thread-safe part.
class RuntimeCluster {
 public:
  RuntimeCluster(ClusterId id, std::string name, ClusterContext* context);
  ~RuntimeCluster();
  RuntimeCluster(const RuntimeCluster&) = delete;
  RuntimeCluster& operator=(const RuntimeCluster&) = delete;

  // --- Request threads ---
  ClusterId id() const { return id_; }
  const std::string& name() const { return name_; }
  StripeBlocks& blocks() { return blocks_; }
  resilience::CircuitBreaker& breakers() { return breakers_; }
  // Says that a host has reached a threshold of outlier detection. Never
  // locks or allocates.
  void Attention(const model::Host& host, resilience::Thresholds reached);

  // --- Control thread ---
  // Takes a configuration and its endpoints (null: none yet) and builds a
  // new version. On an error the last version stays.
  absl::Status Update(std::shared_ptr<const model::Cluster> config,
                      std::shared_ptr<const model::Endpoints> endpoints,
                      std::shared_ptr<const lb::LocalCluster> local_cluster);

  // The latest version; null before the first Update().
  const std::shared_ptr<const ClusterVersion>& version() const {
    return version_;
  }

  // Acts on what Attention() was told; only for who took the cluster from
  // the AttentionList. True: there is a new version.
  bool OnAttention(absl::Time now);
  // Runs what is due of outlier detection and of weights from load reports.
  // True: there is a new version.
  bool OnInterval(absl::Time now);
  // When OnInterval() is due next.
  absl::Time NextInterval() const {
    return outlier_.has_value()
               ? std::min(outlier_->next_interval(), next_weights_)
               : next_weights_;
  }

  const ClusterHosts& hosts() const { return hosts_; }

  ClusterTotals CountAll() const;

  // Destroys hosts that left and that no request uses. `oldest_reader` as
  // from ThreadSlots. True if none is left waiting.
  bool Reclaim(uint64_t oldest_reader) { return hosts_.Reclaim(oldest_reader); }
  // Whether the cluster, which can no longer be picked from, may be
  // destroyed.
  bool unused() const;
  // Marks what left since the last call with the epoch of its removal.
  void Retire(uint64_t epoch) { hosts_.Retire(epoch); }

 private:
  absl::Status Rebuild();
  void KeepSubset(std::vector<lb::PriorityHosts>& priorities) const;
  void ConfigureOutlier(absl::Time now);
  void ScheduleWeights(absl::Time now);
  bool OnOutlierInterval(absl::Time now);
  bool MarkEjections(const resilience::OutlierDetector::Events& events);
  bool Apply(const resilience::OutlierDetector::Events& events);
  void UpdateHosts(absl::Time now);
  struct Totals;
  std::vector<Totals> HostTotals() const;  // by host index

  const ClusterId id_;
  const std::string name_;
  ClusterContext* const context_;

  StripeBlocks blocks_;
  resilience::CircuitBreaker breakers_;

  // Hosts whose HostState::reached is not 0, and whether the cluster is on
  // the AttentionList for them.
  base::IntrusiveStack<model::HostState, &model::HostState::next_flagged>
      flagged_;
  std::atomic<bool> wants_attention_{false};
  RuntimeCluster* next_attention_ = nullptr;  // the list's
  friend class AttentionList;

  // Control thread only from here on.
  std::shared_ptr<const model::Cluster> config_;
  std::shared_ptr<const model::Endpoints> endpoints_;
  std::shared_ptr<const lb::LocalCluster> local_cluster_;
  std::shared_ptr<const ClusterVersion> version_;
  // Of `attached_config_`.
  std::shared_ptr<const ClusterAttachment> attachment_;
  std::shared_ptr<const model::Cluster> attached_config_;
  ClusterHosts hosts_;
  std::optional<resilience::OutlierDetector> outlier_;
  // When load reports become weights; never, unless the policy wants them.
  absl::Time next_weights_ = absl::InfiniteFuture();
  struct Totals {
    uint32_t total = 0, failed = 0, local_total = 0, local_failed = 0;
  };
  std::vector<Totals> last_totals_;  // by host index, at the last interval
};

// The clusters of an engine that want attention.
class AttentionList
    : public base::IntrusiveStack<RuntimeCluster,
                                  &RuntimeCluster::next_attention_> {};

}  // namespace meshlib::cluster

#endif  // MESHLIB_CLUSTER_RUNTIME_CLUSTER_H_
