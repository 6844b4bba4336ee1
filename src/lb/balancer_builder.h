#ifndef MESHLIB_LB_BALANCER_BUILDER_H_
#define MESHLIB_LB_BALANCER_BUILDER_H_

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "lb/balancer.h"
#include "lb/balancer_parts.h"

namespace meshlib::lb {

// Makes one Balancer. Used once.
class BalancerBuilder {
 public:
  BalancerBuilder(
      BalancerInput input, const Balancer* previous,
      absl::Span<const std::shared_ptr<LoadBalancerFactory>> factories);

  absl::StatusOr<std::shared_ptr<const Balancer>> Build();

 private:
  using PrioritySources = Balancer::PrioritySources;
  using HashPriority = Balancer::HashPriority;
  using Route = Balancer::Route;
  using Blocks = std::vector<const HostEntries*>;

  absl::Status Check() const;
  absl::Status MakePolicy();
  void CountPriorities();
  void PlanZones();
  void FillRouteTable();

  // Policies that choose from sources.
  bool NeedsLocalitySources(size_t priority) const;
  std::shared_ptr<const PrioritySources> Reusable(size_t priority) const;
  absl::StatusOr<std::shared_ptr<const PrioritySources>> MakeSources(
      size_t priority) const;
  absl::StatusOr<std::shared_ptr<const HostSource>> MakeSource(
      const Blocks& blocks, SourceKind kind, uint64_t count) const;
  absl::Status AddLocalitySources(const CountedPriority& counted,
                                  PrioritySources* sources) const;
  void MarkSlowStart(const Blocks& blocks, SourceKind kind,
                     HostSource* source) const;
  absl::Status MakeSourceRoutes();
  uint32_t AddSource(const HostSource* source);
  Route MakeRoute(size_t priority, SourceKind kind);
  void RouteByLocalityWeight(size_t priority, SourceKind kind, Route* route);
  void RouteByZone(size_t priority, SourceKind kind, Route* route);

  // Ring hash and Maglev.
  void MakeHashRoutes();
  std::shared_ptr<const HashPriority> MakeHashPriority(size_t priority) const;
  std::vector<HashGroup> HashGroups(size_t priority) const;
  std::shared_ptr<const HashTable> MakeTable(
      const std::vector<WeightedHost>& hosts) const;

  PickFailure Failure(size_t priority) const;
  const model::LoadBalancing& config() const {
    return *balancer_->input_.config;
  }

  std::shared_ptr<Balancer> balancer_;
  const Balancer* previous_;  // null if nothing of it can be shared
  absl::Span<const std::shared_ptr<LoadBalancerFactory>> factories_;
  LoadBalancerFactory* factory_ = nullptr;  // of kCustom
};

}  // namespace meshlib::lb

#endif  // MESHLIB_LB_BALANCER_BUILDER_H_
