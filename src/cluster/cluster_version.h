#ifndef MESHLIB_CLUSTER_CLUSTER_VERSION_H_
#define MESHLIB_CLUSTER_CLUSTER_VERSION_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>

#include "base/stripe.h"
#include "lb/balancer.h"
#include "lb/host_set.h"
#include "model/cluster.h"
#include "model/endpoints.h"

namespace meshlib::cluster {

class RuntimeCluster;

// What somebody else made of a cluster's configuration, and keeps with it.
// Immutable or thread-safe.
class ClusterAttachment {
 public:
  virtual ~ClusterAttachment() = default;
};

// One cluster as a snapshot sees it. Immutable, but for the scheduling state
// that each thread stripe keeps for itself.
class ClusterVersion {
 public:
  ClusterVersion(RuntimeCluster* runtime,
                 std::shared_ptr<const model::Cluster> config,
                 std::shared_ptr<const model::Endpoints> endpoints,
                 lb::BalancerInput input,
                 std::shared_ptr<const lb::Balancer> balancer, uint32_t stripes,
                 uint64_t seed,
                 std::shared_ptr<const ClusterAttachment> attachment);
  ~ClusterVersion();
  ClusterVersion(const ClusterVersion&) = delete;
  ClusterVersion& operator=(const ClusterVersion&) = delete;

  RuntimeCluster& runtime() const { return *runtime_; }
  const model::Cluster& config() const { return *config_; }
  // Null until endpoints have arrived.
  const model::Endpoints* endpoints() const { return endpoints_.get(); }
  const lb::BalancerInput& input() const { return input_; }
  const lb::Balancer& balancer() const { return *balancer_; }
  const std::shared_ptr<const lb::Balancer>& shared_balancer() const {
    return balancer_;
  }
  bool has_hosts() const { return has_hosts_; }
  // Null where ClusterContext::attach is.
  const ClusterAttachment* attachment() const { return attachment_.get(); }

  // The rest of the public part is what every request asks.

  bool has_endpoints() const { return endpoints_ != nullptr; }
  bool needs_time() const { return needs_time_; }
  bool has_drops() const { return has_drops_; }
  // Null: off.
  const model::OutlierDetection* outlier() const { return outlier_; }
  // outlier()->split_external_local_origin_errors; false if off.
  bool splits_errors() const { return splits_errors_; }
  uint32_t max_requests(model::RoutingPriority priority) const {
    return max_requests_[static_cast<size_t>(priority)];
  }

  // The scheduling state of an exclusive stripe; to be used by its owner
  // only. Allocates where PrepareSlots() has not made it.
  lb::SlotState& Slot(base::Stripe stripe) const {
    lb::SlotState* slot = slots_[stripe.index].load(std::memory_order_acquire);
    return slot != nullptr ? *slot : MakeSlot(stripe.index);
  }

  // A state as Slot() begins with, apart from everything.
  std::unique_ptr<lb::SlotState> NewSlot(base::Stripe stripe) const {
    return balancer_->NewSlotState(seed_ + stripe.index);
  }

  // A state that goes on as Slot() would; the application's policies, whose
  // state is their own, begin anew. For the owner of the exclusive stripe.
  std::unique_ptr<lb::SlotState> CopySlot(base::Stripe stripe) const;

  // Makes the states of the stripes that used `previous`, so that their next
  // pick finds them. On the control thread, before this is published.
  void PrepareSlots(const ClusterVersion& previous) const;

 private:
  lb::SlotState& MakeSlot(uint32_t index) const;

  // In the order in which a request reads them.
  RuntimeCluster* const runtime_;
  const std::unique_ptr<std::atomic<lb::SlotState*>[]> slots_;
  const std::shared_ptr<const lb::Balancer> balancer_;
  const bool needs_time_;  // slow start
  const bool has_hosts_;
  const bool has_drops_;
  const std::array<uint32_t, 2> max_requests_;  // by RoutingPriority
  const model::OutlierDetection* const outlier_;
  const bool splits_errors_;

  const std::shared_ptr<const model::Cluster> config_;
  const std::shared_ptr<const model::Endpoints> endpoints_;
  const lb::BalancerInput input_;
  const uint32_t stripes_;
  const uint64_t seed_;
  const std::shared_ptr<const ClusterAttachment> attachment_;
};

}  // namespace meshlib::cluster

#endif  // MESHLIB_CLUSTER_CLUSTER_VERSION_H_
