#ifndef MESHLIB_CLUSTER_ENGINE_H_
#define MESHLIB_CLUSTER_ENGINE_H_

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/dns.h"
#include "base/mutex.h"
#include "base/thread_slots.h"
#include "cluster/runtime_cluster.h"
#include "cluster/snapshot.h"
#include "event/loop.h"
#include "event/resolver.h"
#include "lb/balancer.h"
#include "meshlib/clock.h"
#include "meshlib/mesh.h"
#include "model/config.h"
#include "model/runtime.h"
#include "resilience/fault.h"

namespace meshlib::cluster {

struct EngineOptions {
  Clock* clock = nullptr;       // borrowed
  event::Loop* loop = nullptr;  // borrowed; control work runs here
  uint64_t seed = 0;
  uint32_t exclusive_stripes = 8;
  bool nearest_first = false;
  std::vector<std::shared_ptr<LoadBalancerFactory>> load_balancers;
  // Makes what DNS clusters look their names up with, on `loop`. Null: their
  // names are not looked up, each is a host.
  absl::AnyInvocable<std::unique_ptr<event::Resolver>(
      const base::DnsResolverOptions&)>
      make_resolver;
  absl::AnyInvocable<void(LogLevel, std::string_view)> log;
  // As in ClusterContext.
  decltype(ClusterContext::attach) attach;
};

// The part of a mesh that decides: it turns configurations into snapshots,
// publishes them, and keeps what outlives them.
//
// Control side: Apply(), Bind(), ... on the loop (EpollLoop::RunNow), one at
// a time. Request side: snapshot() inside a ReadSection of slots(), from any
// thread.
class Engine {
 public:
  explicit Engine(EngineOptions options);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // --- Request side ---
  base::ThreadSlots& slots() { return slots_; }
  // Never null. Valid until the caller's ReadSection ends.
  const Snapshot& snapshot() const {
    return *snapshot_.load(std::memory_order_acquire);
  }
  Clock& clock() { return *options_.clock; }
  bool shut_down() const { return shut_down_.load(std::memory_order_acquire); }
  // Waits until another snapshot than `seen` may be out, or for `timeout` of
  // real time. Returns the number of the latest.
  uint64_t WaitForPublish(uint64_t seen, absl::Duration timeout);
  // Whether a control plane is about to say what picks do not know yet: whoever
  // can had better wait a little.
  bool awaits_news() const {
    return awaits_news_.load(std::memory_order_acquire);
  }
  // What keeps the news away; empty: nothing is known of it.
  std::string WhyNoNews() const;

  // --- Control side ---
  // Puts a whole configuration in the place of the last. Every cluster is
  // tried; the error lists those that could not be built, whose last good
  // version stays.
  absl::Status Apply(std::shared_ptr<const model::Config> config);

  // What awaits_news() and WhyNoNews() answer from now on.
  void SetNews(bool awaited, std::string why_not);

  // Makes a target of an authority: its id in Snapshot::targets. Until
  // Unbind(), each configuration binds it anew.
  absl::StatusOr<uint32_t> Bind(std::string_view authority);
  void Unbind(uint32_t target);
  // Of the targets that are bound now; each as often as it is.
  std::vector<std::string> BoundAuthorities() const;
  const std::string& AuthorityOf(uint32_t target) const;

  // Why the target has no binding now; OK if it has.
  absl::Status TargetStatus(uint32_t target) const;

  // The latest version of a cluster, built if it was not yet; null if there
  // is no such cluster.
  std::shared_ptr<const ClusterVersion> Find(std::string_view cluster);

  // What was injected by the connection managers of that stat_prefix; null:
  // none has a fault filter.
  const resilience::FaultStats* FaultStatsOf(
      std::string_view stat_prefix) const;

  // The control side's view of hosts, for Explain. Null: not built.
  const RuntimeCluster* Runtime(ClusterId id) const;
  const RuntimeCluster* Runtime(std::string_view cluster) const;

  const model::Config& config() const { return *config_; }

  // Picks fail from now on; tokens may still be reported.
  void Shutdown();
  // Looks up no more names. After Shutdown(), on the loop.
  void StopDns();

 private:
  struct Target;
  struct Slot;  // of a cluster
  template <typename T>
  struct Retired {
    uint64_t epoch;
    std::unique_ptr<T> what;
  };

  ClusterId IdOf(const std::string& name);
  absl::Status UpdateCluster(ClusterId id);
  void Activate(ClusterId id);
  void ActivateFor(const RouteBinding& binding);
  void BindTarget(Target& target);
  std::shared_ptr<const resilience::FaultChain> ChainOf(
      const model::HttpConnectionManager& http, const RouteBinding& routes);
  absl::StatusOr<RouteBinding*> BindRoutes(
      const std::string& listener,
      std::shared_ptr<const model::RouteConfig> routes);
  void UpdateLocalCluster();
  bool LooksUp(const model::Cluster& cluster) const;
  void UpdateDns(ClusterId id);
  std::shared_ptr<event::Resolver> ResolverFor(
      const base::DnsResolverOptions& options);
  void OnDnsChange(ClusterId id);
  void LogStatus(ClusterId id, LogLevel level, const absl::Status& status);
  void ApplyDnsChanges();
  void SetChunk(ClusterId id, std::shared_ptr<const ClusterVersion> version);
  void Publish();
  void Reclaim();
  void ScheduleReclaim();
  void ScheduleInterval(ClusterId id);
  void OnAttention();
  void Log(LogLevel level, std::string_view text);

  EngineOptions options_;
  base::ThreadSlots slots_;
  std::atomic<const Snapshot*> snapshot_{nullptr};
  std::atomic<bool> shut_down_{false};

  std::atomic<bool> awaits_news_{false};

  mutable base::Mutex publish_mutex_;
  base::CondVar published_;
  std::string why_no_news_ MESHLIB_GUARDED_BY(publish_mutex_);
  uint64_t publications_ MESHLIB_GUARDED_BY(publish_mutex_) = 0;

  AttentionList attention_;

  // Control side only from here on.
  ClusterContext context_;
  std::shared_ptr<const model::Config> config_;
  std::shared_ptr<const model::Runtime> runtime_ =
      std::make_shared<const model::Runtime>();
  // By stat_prefix. None is ever removed: requests under way point there.
  absl::flat_hash_map<std::string, std::unique_ptr<resilience::FaultStats>>
      fault_stats_;
  std::shared_ptr<const Snapshot::Names> names_;
  std::vector<std::unique_ptr<Slot>> clusters_;  // by ClusterId
  absl::flat_hash_map<std::string, ClusterId> ids_;
  std::vector<std::shared_ptr<Snapshot::Chunk>> chunks_;
  absl::flat_hash_set<size_t> changed_chunks_;
  absl::flat_hash_map<const model::RouteConfig*, std::unique_ptr<RouteBinding>>
      route_bindings_;
  std::deque<std::unique_ptr<Target>> targets_;
  std::shared_ptr<const lb::LocalCluster> local_cluster_;

  std::unique_ptr<const Snapshot> current_;
  std::vector<Retired<const Snapshot>> old_snapshots_;
  std::vector<Retired<RouteBinding>> old_bindings_;
  std::vector<Retired<RuntimeCluster>> old_clusters_;
  absl::flat_hash_set<RuntimeCluster*> draining_;
  // Those that clusters use now.
  std::vector<
      std::pair<base::DnsResolverOptions, std::weak_ptr<event::Resolver>>>
      resolvers_;
  // With news that are not applied yet; a task is posted for them.
  absl::flat_hash_set<ClusterId> dns_changes_;
  bool reclaim_scheduled_ = false;
};

}  // namespace meshlib::cluster

#endif  // MESHLIB_CLUSTER_ENGINE_H_
