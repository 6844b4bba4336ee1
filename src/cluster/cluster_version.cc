#include "cluster/cluster_version.h"

#include <utility>

#include "absl/time/time.h"

namespace meshlib::cluster {
namespace {

bool HasHosts(const lb::BalancerInput& input) {
  for (const lb::PriorityHosts& priority : input.priorities) {
    for (const lb::LocalityHosts& locality : priority.localities) {
      if (locality.hosts != nullptr && !locality.hosts->empty()) return true;
    }
  }
  return false;
}

}  // namespace

ClusterVersion::ClusterVersion(
    RuntimeCluster* runtime, std::shared_ptr<const model::Cluster> config,
    std::shared_ptr<const model::Endpoints> endpoints, lb::BalancerInput input,
    std::shared_ptr<const lb::Balancer> balancer, uint32_t stripes,
    uint64_t seed, std::shared_ptr<const ClusterAttachment> attachment)
    : runtime_(runtime),
      slots_(new std::atomic<lb::SlotState*>[stripes]),
      balancer_(std::move(balancer)),
      needs_time_(config->lb.slow_start.window > absl::ZeroDuration()),
      has_hosts_(HasHosts(input)),
      has_drops_(endpoints != nullptr && !endpoints->drops.empty()),
      max_requests_{config->circuit_breakers.thresholds[0].max_requests,
                    config->circuit_breakers.thresholds[1].max_requests},
      outlier_(config->outlier_detection.has_value()
                   ? &*config->outlier_detection
                   : nullptr),
      splits_errors_(outlier_ != nullptr &&
                     outlier_->split_external_local_origin_errors),
      config_(std::move(config)),
      endpoints_(std::move(endpoints)),
      input_(std::move(input)),
      stripes_(stripes),
      seed_(seed),
      attachment_(std::move(attachment)) {
  for (uint32_t i = 0; i < stripes_; ++i) {
    slots_[i].store(nullptr, std::memory_order_relaxed);
  }
}

ClusterVersion::~ClusterVersion() {
  for (uint32_t i = 0; i < stripes_; ++i) {
    delete slots_[i].load(std::memory_order_acquire);
  }
}

lb::SlotState& ClusterVersion::MakeSlot(uint32_t index) const {
  // Only the stripe's owner comes here: nobody else stores to this entry.
  lb::SlotState* slot = NewSlot({index, true}).release();
  slots_[index].store(slot, std::memory_order_release);
  return *slot;
}

std::unique_ptr<lb::SlotState> ClusterVersion::CopySlot(
    base::Stripe stripe) const {
  std::unique_ptr<lb::SlotState> copy = NewSlot(stripe);
  const lb::SlotState* slot =
      slots_[stripe.index].load(std::memory_order_acquire);
  if (slot != nullptr) balancer_->CopyTurns(*slot, *copy);
  return copy;
}

void ClusterVersion::PrepareSlots(const ClusterVersion& previous) const {
  for (uint32_t i = 0; i < stripes_ && i < previous.stripes_; ++i) {
    if (previous.slots_[i].load(std::memory_order_acquire) != nullptr) {
      MakeSlot(i);
    }
  }
}

}  // namespace meshlib::cluster
