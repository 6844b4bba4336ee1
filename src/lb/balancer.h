#ifndef MESHLIB_LB_BALANCER_H_
#define MESHLIB_LB_BALANCER_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/random.h"
#include "lb/bounded_load.h"
#include "lb/edf_scheduler.h"
#include "lb/hash_table.h"
#include "lb/host_policy.h"
#include "lb/host_set.h"
#include "lb/host_source.h"
#include "lb/pick_context.h"
#include "lb/priority_hosts.h"
#include "lb/priority_load.h"
#include "lb/zone_aware.h"
#include "meshlib/load_balancer.h"
#include "model/cluster.h"
#include "model/host.h"

namespace meshlib::lb {

// All that changes from pick to pick for one thread slot and one Balancer:
// the generator, turns and schedules. One thread at a time.
class SlotState {
 public:
  SlotState(const SlotState&) = delete;
  SlotState& operator=(const SlotState&) = delete;

 private:
  friend class Balancer;
  explicit SlotState(uint64_t seed) : random_(seed) {}

  base::Random random_;
  std::vector<SourceState> sources_;      // by source
  std::vector<WrrScheduler> localities_;  // by locality schedule
  std::vector<uint32_t> scratch_;         // for bounded loads
};

// Chooses hosts for one version of one cluster: priority, then locality, then
// host. Immutable after Create; every method is const and may be called on any
// thread. Borrows the hosts and localities of its input.
//
// What a pick draws from the slot's generator (splitmix64), in this order, is
// part of the contract, so that seeded runs agree between versions:
//   1. one number for the priority, always: r % 100 + 1 is compared with the
//      accumulated loads. Ring hash and Maglev use the request's hash for it
//      and draw only if there is none; the same number is then the hash.
//   2. for the locality: with zone-aware routing see DrawRoutedByZone and
//      DrawZone; locality weights take turns and draw nothing.
//   3. for the host: RANDOM one; LEAST_REQUEST choice_count, or one a tie with
//      FULL_SCAN, none for a single host; policies of the application one; what
//      takes turns none. RANDOM, and LEAST_REQUEST with two choices, draw for
//      the next pick from kNearFrom hosts on, and for the sixth after this
//      one from kFarFrom on.
// A new slot draws two numbers first: the seed of all hosts' schedules and the
// one of the localities'.
class Balancer {
 public:
  // `previous`, if not null, is the cluster's last version: what did not
  // change is shared with it. `factories` has the application's policies.
  // InvalidArgument: no config, too many priorities, a policy that does not
  // exist, or what its factory returned.
  static absl::StatusOr<std::shared_ptr<const Balancer>> Create(
      BalancerInput input, const Balancer* previous = nullptr,
      absl::Span<const std::shared_ptr<LoadBalancerFactory>> factories = {});

  ~Balancer();
  Balancer(const Balancer&) = delete;
  Balancer& operator=(const Balancer&) = delete;

  // Equal seeds give slots that pick alike. Costs time for each host of a
  // weighted policy: not for the request path.
  std::unique_ptr<SlotState> NewSlotState(uint64_t seed) const;

  // Makes a slot go on where another one is, but for the state of the
  // application's policies. Both are this Balancer's.
  void CopyTurns(const SlotState& from, SlotState& to) const;

  // Chooses a host, or says why there is none: kNoHosts, kNoHealthyHost
  // (nothing is available and panic is off) or kPanic (fail_traffic_on_panic).
  // Never allocates, locks or throws. `slot` is this Balancer's.
  HostChoice Pick(SlotState& slot, const PickContext& context) const;

  // The same without a slot, for threads that found none free: hosts and
  // localities are drawn by their weights instead of taking turns.
  HostChoice PickStateless(base::Random& random,
                           const PickContext& context) const;

  // Client-side weighted round robin: makes weights of what the hosts have
  // reported, for this and for all versions that share the hosts' sources. On
  // one thread at a time; picks may go on.
  void UpdateWeights(int64_t now_ns) const;

  // Whether picks read PickContext::cluster_active.
  bool needs_cluster_active() const { return bounded_hosts_ > 0; }

  // For Explain, simulate and meshctl.

  struct LocalityReport {
    const model::Locality* locality = nullptr;
    uint32_t priority = 0;
    uint32_t weight = 0;  // as configured; 0: none
    uint64_t hosts = 0;
    uint64_t healthy = 0;
    uint64_t degraded = 0;
    // What the locality's part of its priority's requests goes by:
    //  - with locality weights what the healthy hosts leave of the weight
    //    (ring hash and Maglev: all of it), as Envoy computes it, though it is
    //    not used in panic;
    //  - routed by zone the part itself, in percent;
    //  - else the sum of the weights of the hosts that may be picked once the
    //    priority is chosen: degraded ones if it has a degraded load.
    double effective_weight = 0;
    // With zone-aware routing, in hundredths of a percent.
    uint64_t local_percentage = 0;
    uint64_t upstream_percentage = 0;
  };
  // In the order in which localities are scheduled.
  std::vector<LocalityReport> DescribeLocalities() const;

  size_t priorities() const { return counted_.size(); }
  const std::vector<PriorityLoad>& loads() const { return loads_; }
  const PriorityCounts& counts(size_t priority) const {
    return counted_[priority]->counts;
  }
  const ZoneAwarePlan& zone_aware_plan() const { return zone_plan_; }
  // The hosts that a pick may choose now, by the loads of the priorities, the
  // weights and, with zone-aware routing, where the requests stay.
  absl::flat_hash_set<const model::Host*> Eligible() const;
  // The ring or table of a priority; null for other policies.
  const HashTable* table(size_t priority) const;
  const BalancerInput& input() const { return input_; }

 private:
  friend class BalancerBuilder;

  static constexpr uint32_t kNoSource = UINT32_MAX;

  // Localities that take turns, and the sources of their hosts.
  struct LocalitySchedule {
    std::vector<double> weights;  // all above 0
    std::vector<double> sums;     // running
    std::vector<uint32_t> sources;
  };

  // Where the requests of one priority and availability go.
  struct Route {
    enum class Kind : uint8_t { kFlat, kLocalityWeighted, kZoneAware };
    Kind kind = Kind::kFlat;
    // If there is no host.
    PickFailure failure = PickFailure::kNoHealthyHost;
    bool panic = false;
    uint32_t flat = kNoSource;    // all hosts of the priority alike
    uint32_t schedule = 0;        // kLocalityWeighted: in schedules_
    std::vector<uint32_t> zones;  // kZoneAware: sources; may be kNoSource
  };

  // What a priority is served from; shared with the next version if nothing
  // in the priority changed.
  struct PrioritySources;
  struct HashPriority;

  Balancer();

  uint32_t OverriddenRoute(uint64_t drawn,
                           const PriorityLoadOverride& loads) const;
  uint32_t ChooseZone(const Route& route, base::Random& random,
                      bool* fail) const;
  uint32_t DrawLocality(const Route& route, base::Random& random) const;
  HostChoice PickByHash(base::Random& random, const PickContext& context,
                        absl::Span<uint32_t> scratch) const;
  void AddEligible(size_t route,
                   absl::flat_hash_set<const model::Host*>& hosts) const;
  std::vector<double> EffectiveWeights(size_t priority) const;
  std::vector<double> WeightsOfEligible(size_t priority) const;
  void ShareByZone(std::vector<double>& weights) const;
  static HostChoice Choice(uint32_t route_index, const Route& route,
                           const model::Host* host);

  BalancerInput input_;
  std::unique_ptr<const HostPolicy> policy_;  // null for hash policies
  uint32_t bounded_hosts_ = 0;  // most hosts that one probe needs places for

  // Hot. Routes are 2 * priority + degraded.
  std::array<uint16_t, 100> route_of_;  // by r % 100
  std::vector<Route> routes_;
  std::vector<const HostSource*> sources_;  // owned by priority_sources_
  std::vector<LocalitySchedule> schedules_;
  std::vector<std::shared_ptr<const HashPriority>> hashes_;  // by priority
  ZoneAwarePlan zone_plan_;                                  // of priority 0

  std::vector<PriorityLoad> loads_;
  std::vector<std::shared_ptr<const CountedPriority>> counted_;
  std::vector<std::shared_ptr<const PrioritySources>> priority_sources_;
};

}  // namespace meshlib::lb

#endif  // MESHLIB_LB_BALANCER_H_
