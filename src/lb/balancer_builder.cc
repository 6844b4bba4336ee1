#include "lb/balancer_builder.h"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/strings.h"
#include "lb/custom_policy.h"
#include "lb/least_request/least_request.h"
#include "lb/random/random.h"
#include "lb/round_robin/round_robin.h"
#include "lb/slow_start.h"
#include "lb/weighted_round_robin/weighted_round_robin.h"

namespace meshlib::lb {

absl::StatusOr<std::shared_ptr<const Balancer>> Balancer::Create(
    BalancerInput input, const Balancer* previous,
    absl::Span<const std::shared_ptr<LoadBalancerFactory>> factories) {
  return BalancerBuilder(std::move(input), previous, factories).Build();
}

BalancerBuilder::BalancerBuilder(
    BalancerInput input, const Balancer* previous,
    absl::Span<const std::shared_ptr<LoadBalancerFactory>> factories)
    : balancer_(new Balancer), previous_(previous), factories_(factories) {
  balancer_->input_ = std::move(input);
}

absl::StatusOr<std::shared_ptr<const Balancer>> BalancerBuilder::Build() {
  if (absl::Status status = Check(); !status.ok()) return status;
  if (previous_ != nullptr && !(*previous_->input_.config == config())) {
    previous_ = nullptr;
  }
  if (absl::Status status = MakePolicy(); !status.ok()) return status;
  CountPriorities();
  if (balancer_->counted_.empty()) return balancer_;
  PlanZones();
  FillRouteTable();
  if (balancer_->policy_ == nullptr) {
    MakeHashRoutes();
  } else if (absl::Status status = MakeSourceRoutes(); !status.ok()) {
    return status;
  }
  return balancer_;
}

absl::Status BalancerBuilder::Check() const {
  const BalancerInput& input = balancer_->input_;
  if (input.config == nullptr) {
    return absl::InvalidArgumentError("a Balancer without a configuration");
  }
  if (input.priorities.size() > kMaxPriorities) {
    return absl::InvalidArgumentError(
        absl::StrCat("endpoints: ", input.priorities.size(),
                     " priorities, at most ", kMaxPriorities, " are allowed"));
  }
  const model::LoadBalancing& lb = *input.config;
  if (lb.policy == model::LbPolicy::kRingHash &&
      lb.minimum_ring_size > lb.maximum_ring_size) {
    return absl::InvalidArgumentError(
        absl::StrCat("ring_hash.minimum_ring_size ", lb.minimum_ring_size,
                     " > maximum_ring_size ", lb.maximum_ring_size));
  }
  return absl::OkStatus();
}

absl::Status BalancerBuilder::MakePolicy() {
  switch (config().policy) {
    case model::LbPolicy::kRoundRobin:
      balancer_->policy_ = std::make_unique<RoundRobin>(config().slow_start);
      break;
    case model::LbPolicy::kLeastRequest:
      balancer_->policy_ = std::make_unique<LeastRequest>(config());
      break;
    case model::LbPolicy::kRandom:
      balancer_->policy_ = std::make_unique<RandomPolicy>();
      break;
    case model::LbPolicy::kRingHash:
    case model::LbPolicy::kMaglev:
      return absl::OkStatus();
    case model::LbPolicy::kClientSideWeightedRoundRobin:
      balancer_->policy_ =
          std::make_unique<ClientSideWeightedRoundRobin>(config());
      break;
    case model::LbPolicy::kCustom:
      for (const std::shared_ptr<LoadBalancerFactory>& factory : factories_) {
        if (factory->name() == config().custom_name) factory_ = factory.get();
      }
      if (factory_ == nullptr) {
        return absl::InvalidArgumentError(absl::StrCat(
            "load balancing policy \"", base::Excerpt(config().custom_name),
            "\": no such policy is known"));
      }
      balancer_->policy_ = std::make_unique<CustomPolicy>();
      break;
  }
  return absl::OkStatus();
}

void BalancerBuilder::CountPriorities() {
  Balancer& b = *balancer_;
  std::vector<PriorityCounts> counts;
  for (size_t p = 0; p < b.input_.priorities.size(); ++p) {
    const PriorityHosts& hosts = b.input_.priorities[p];
    const bool same =
        previous_ != nullptr && p < previous_->counted_.size() &&
        SameHosts(*previous_->counted_[p], hosts, b.input_.own_locality);
    b.counted_.push_back(same ? previous_->counted_[p]
                              : CountPriority(hosts, b.input_.own_locality));
    counts.push_back(b.counted_.back()->counts);
  }
  PriorityLoadOptions options;
  options.overprovisioning_factor = b.input_.overprovisioning_factor;
  options.weighted_priority_health = b.input_.weighted_priority_health;
  options.panic_threshold = TruncatedPercent(config().healthy_panic_threshold);
  b.loads_ = ComputePriorityLoads(counts, options);
}

void BalancerBuilder::PlanZones() {
  Balancer& b = *balancer_;
  // The thread-aware policies do not route by zone.
  if (b.policy_ == nullptr || b.input_.local_cluster == nullptr) return;
  const model::ZoneAwareLb defaults;
  ZoneAwareInput input;
  input.config = config().zone_aware ? &*config().zone_aware : &defaults;
  input.local_cluster = b.input_.local_cluster.get();
  input.own_locality = b.input_.own_locality.get();
  for (const LocalityGroup& group : b.counted_[0]->groups) {
    input.zones.push_back(
        {group.locality, group.counts.healthy, group.counts.healthy_weight});
    if (group.own) input.own_zone_first = true;
  }
  input.healthy_hosts = b.counted_[0]->counts.healthy;
  input.panic_threshold = TruncatedPercent(config().healthy_panic_threshold);
  b.zone_plan_ = PlanZoneAware(input);
}

void BalancerBuilder::FillRouteTable() {
  Balancer& b = *balancer_;
  size_t r = 0;
  const auto fill = [&](uint32_t load, size_t route) {
    for (uint32_t i = 0; i < load && r < b.route_of_.size(); ++i) {
      b.route_of_[r++] = static_cast<uint16_t>(route);
    }
  };
  for (size_t p = 0; p < b.loads_.size(); ++p) {
    fill(b.loads_[p].healthy_load, 2 * p);
  }
  for (size_t p = 0; p < b.loads_.size(); ++p) {
    fill(b.loads_[p].degraded_load, 2 * p + 1);
  }
}

PickFailure BalancerBuilder::Failure(size_t priority) const {
  uint64_t hosts = 0;
  for (const auto& counted : balancer_->counted_) {
    hosts += counted->counts.hosts;
  }
  if (hosts == 0) return PickFailure::kNoHosts;
  return balancer_->loads_[priority].panic ? PickFailure::kPanic
                                           : PickFailure::kNoHealthyHost;
}

bool BalancerBuilder::NeedsLocalitySources(size_t priority) const {
  return config().locality_weighted ||
         (priority == 0 && !balancer_->zone_plan_.percentages.empty());
}

std::shared_ptr<const BalancerBuilder::PrioritySources>
BalancerBuilder::Reusable(size_t priority) const {
  // Slow start depends on the time, policies of the application on a factory
  // that may be another one.
  if (previous_ == nullptr ||
      config().slow_start.window > absl::ZeroDuration() ||
      factory_ != nullptr || priority >= previous_->priority_sources_.size() ||
      previous_->counted_[priority] != balancer_->counted_[priority]) {
    return nullptr;
  }
  const auto& sources = previous_->priority_sources_[priority];
  const bool fits = sources->panic == balancer_->loads_[priority].panic &&
                    sources->by_locality == NeedsLocalitySources(priority);
  return fits ? sources : nullptr;
}

absl::StatusOr<std::shared_ptr<const BalancerBuilder::PrioritySources>>
BalancerBuilder::MakeSources(size_t priority) const {
  const CountedPriority& counted = *balancer_->counted_[priority];
  auto sources = std::make_shared<PrioritySources>();
  sources->panic = balancer_->loads_[priority].panic;
  sources->by_locality = NeedsLocalitySources(priority);
  const auto make = [&](SourceKind kind, uint64_t count) {
    return MakeSource(counted.blocks, kind, count);
  };
  if (sources->panic) {
    auto all = make(SourceKind::kAll, counted.counts.hosts);
    if (!all.ok()) return all.status();
    sources->all = *std::move(all);
    return sources;
  }
  auto healthy = make(SourceKind::kHealthy, counted.counts.healthy);
  if (!healthy.ok()) return healthy.status();
  sources->healthy = *std::move(healthy);
  auto degraded = make(SourceKind::kDegraded, counted.counts.degraded);
  if (!degraded.ok()) return degraded.status();
  sources->degraded = *std::move(degraded);
  if (sources->by_locality) {
    absl::Status status = AddLocalitySources(counted, sources.get());
    if (!status.ok()) return status;
  }
  return sources;
}

absl::Status BalancerBuilder::AddLocalitySources(
    const CountedPriority& counted, PrioritySources* sources) const {
  for (const LocalityGroup& group : counted.groups) {
    for (const SourceKind kind :
         {SourceKind::kHealthy, SourceKind::kDegraded}) {
      auto source = MakeSource(group.blocks, kind, group.Count(kind));
      if (!source.ok()) return source.status();
      (kind == SourceKind::kHealthy ? sources->healthy_by_locality
                                    : sources->degraded_by_locality)
          .push_back(*std::move(source));
    }
  }
  return absl::OkStatus();
}

// Null if there are no hosts.
absl::StatusOr<std::shared_ptr<const HostSource>> BalancerBuilder::MakeSource(
    const Blocks& blocks, SourceKind kind, uint64_t count) const {
  if (count == 0) return std::shared_ptr<const HostSource>();
  auto source = std::make_shared<HostSource>();
  source->active = balancer_->input_.active;
  source->hosts.reserve(count);
  uint32_t least = UINT32_MAX;
  uint32_t greatest = 0;
  for (const HostEntries* block : blocks) {
    for (const HostEntry& entry : *block) {
      if (!Belongs(entry.health, kind)) continue;
      source->hosts.push_back(entry.host);
      least = std::min(least, entry.weight);
      greatest = std::max(greatest, entry.weight);
    }
  }
  if (least != greatest && balancer_->policy_->uses_weights()) {
    // Once more, with the weights, and without hosts of weight 0.
    source->hosts.clear();
    uint64_t sum = 0;
    for (const HostEntries* block : blocks) {
      for (const HostEntry& entry : *block) {
        if (!Belongs(entry.health, kind) || entry.weight == 0) continue;
        source->hosts.push_back(entry.host);
        source->weights.push_back(entry.weight);
        source->weight_sums.push_back(sum += entry.weight);
      }
    }
  }
  MarkSlowStart(blocks, kind, source.get());
  balancer_->policy_->Adopt(source.get(), balancer_->input_.now_ns);
  if (factory_ != nullptr) {
    auto custom =
        MakeCustomBalancer(*source, *factory_, config().custom_config);
    if (!custom.ok()) return custom.status();
    source->custom = *std::move(custom);
  }
  return std::shared_ptr<const HostSource>(std::move(source));
}

void BalancerBuilder::MarkSlowStart(const Blocks& blocks, SourceKind kind,
                                    HostSource* source) const {
  const SlowStartRamp ramp(config().slow_start);
  const model::LbPolicy policy = config().policy;
  const bool applies = policy == model::LbPolicy::kRoundRobin ||
                       policy == model::LbPolicy::kLeastRequest ||
                       policy == model::LbPolicy::kClientSideWeightedRoundRobin;
  if (!ramp.enabled() || !applies || kind == SourceKind::kDegraded) return;
  const bool weighted = source->weighted();
  std::vector<bool> ramps;
  for (const HostEntries* block : blocks) {
    for (const HostEntry& entry : *block) {
      if (!Belongs(entry.health, kind) || (weighted && entry.weight == 0)) {
        continue;
      }
      const bool healthy = entry.health == model::HostHealth::kHealthy;
      ramps.push_back(healthy);
      // Relaxed: the thread that builds is the one that writes it.
      if (healthy && ramp.Covers(entry.host->state().available_since_ns.load(
                                     std::memory_order_relaxed),
                                 balancer_->input_.now_ns)) {
        source->slow_start = true;
      }
    }
  }
  if (source->slow_start && kind == SourceKind::kAll) {
    source->ramps = std::move(ramps);
  }
}

}  // namespace meshlib::lb
