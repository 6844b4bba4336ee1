#include <algorithm>
#include <cstddef>
#include <utility>

#include "lb/balancer_builder.h"
#include "lb/maglev/maglev.h"
#include "lb/ring_hash/ring.h"

namespace meshlib::lb {

absl::Status BalancerBuilder::MakeSourceRoutes() {
  Balancer& b = *balancer_;
  for (size_t p = 0; p < b.counted_.size(); ++p) {
    std::shared_ptr<const PrioritySources> sources = Reusable(p);
    if (sources == nullptr) {
      auto made = MakeSources(p);
      if (!made.ok()) return made.status();
      sources = *std::move(made);
    }
    b.priority_sources_.push_back(std::move(sources));
    b.routes_.push_back(MakeRoute(p, SourceKind::kHealthy));
    b.routes_.push_back(MakeRoute(p, SourceKind::kDegraded));
  }
  return absl::OkStatus();
}

uint32_t BalancerBuilder::AddSource(const HostSource* source) {
  if (source == nullptr) return Balancer::kNoSource;
  std::vector<const HostSource*>& all = balancer_->sources_;
  // Both routes of a priority in panic have the same source.
  if (!all.empty() && all.back() == source) {
    return static_cast<uint32_t>(all.size() - 1);
  }
  all.push_back(source);
  return static_cast<uint32_t>(all.size() - 1);
}

BalancerBuilder::Route BalancerBuilder::MakeRoute(size_t priority,
                                                  SourceKind kind) {
  const PrioritySources& sources = *balancer_->priority_sources_[priority];
  Route route;
  route.failure = Failure(priority);
  if (sources.panic) {
    route.panic = true;
    const bool fails =
        config().zone_aware && config().zone_aware->fail_traffic_on_panic;
    if (!fails) route.flat = AddSource(sources.all.get());
    return route;
  }
  route.flat = AddSource(kind == SourceKind::kHealthy ? sources.healthy.get()
                                                      : sources.degraded.get());
  if (route.flat == Balancer::kNoSource) return route;
  if (config().locality_weighted) RouteByLocalityWeight(priority, kind, &route);
  if (route.kind == Route::Kind::kFlat && priority == 0 &&
      balancer_->zone_plan_.mode != ZoneAwarePlan::Mode::kOff) {
    RouteByZone(priority, kind, &route);
  }
  return route;
}

void BalancerBuilder::RouteByLocalityWeight(size_t priority, SourceKind kind,
                                            Route* route) {
  Balancer& b = *balancer_;
  const CountedPriority& counted = *b.counted_[priority];
  const PrioritySources& sources = *b.priority_sources_[priority];
  const auto& by_locality = kind == SourceKind::kHealthy
                                ? sources.healthy_by_locality
                                : sources.degraded_by_locality;
  Balancer::LocalitySchedule schedule;
  double sum = 0;
  for (size_t i = 0; i < counted.groups.size(); ++i) {
    const double weight = EffectiveLocalityWeight(
        counted.groups[i], kind, b.input_.overprovisioning_factor);
    if (weight <= 0) continue;
    schedule.weights.push_back(weight);
    schedule.sums.push_back(sum += weight);
    schedule.sources.push_back(AddSource(by_locality[i].get()));
  }
  // No locality has a weight: all hosts alike.
  if (schedule.weights.empty()) return;
  route->kind = Route::Kind::kLocalityWeighted;
  route->schedule = static_cast<uint32_t>(b.schedules_.size());
  b.schedules_.push_back(std::move(schedule));
}

void BalancerBuilder::RouteByZone(size_t priority, SourceKind kind,
                                  Route* route) {
  const PrioritySources& sources = *balancer_->priority_sources_[priority];
  route->kind = Route::Kind::kZoneAware;
  if (balancer_->zone_plan_.mode == ZoneAwarePlan::Mode::kFail) {
    route->failure = PickFailure::kPanic;
  }
  for (const auto& source : kind == SourceKind::kHealthy
                                ? sources.healthy_by_locality
                                : sources.degraded_by_locality) {
    route->zones.push_back(AddSource(source.get()));
  }
}

void BalancerBuilder::MakeHashRoutes() {
  Balancer& b = *balancer_;
  for (size_t p = 0; p < b.counted_.size(); ++p) {
    b.hashes_.push_back(MakeHashPriority(p));
    if (b.hashes_.back()->bounded != nullptr) {
      b.bounded_hosts_ =
          std::max(b.bounded_hosts_, b.hashes_.back()->bounded->size());
    }
    Route route;
    route.failure = Failure(p);
    route.panic = b.loads_[p].panic;
    b.routes_.push_back(route);
    b.routes_.push_back(std::move(route));
  }
}

std::shared_ptr<const BalancerBuilder::HashPriority>
BalancerBuilder::MakeHashPriority(size_t priority) const {
  if (previous_ != nullptr && priority < previous_->hashes_.size() &&
      previous_->counted_[priority] == balancer_->counted_[priority] &&
      previous_->loads_[priority].panic == balancer_->loads_[priority].panic) {
    return previous_->hashes_[priority];
  }
  std::vector<WeightedHost> hosts = NormalizeWeights(HashGroups(priority));
  // A change that does not touch the hosts of the table keeps it.
  if (previous_ != nullptr && priority < previous_->hashes_.size() &&
      previous_->hashes_[priority]->hosts == hosts) {
    return previous_->hashes_[priority];
  }
  auto result = std::make_shared<HashPriority>();
  result->hosts = std::move(hosts);
  result->table = MakeTable(result->hosts);
  if (config().hash_balance_factor > 0) {
    result->bounded = std::make_shared<BoundedLoad>(
        result->table, result->hosts, config().hash_balance_factor,
        balancer_->input_.active);
  }
  return result;
}

std::vector<HashGroup> BalancerBuilder::HashGroups(size_t priority) const {
  const CountedPriority& counted = *balancer_->counted_[priority];
  // As in Envoy, degraded hosts are never in a table: a priority that has no
  // others fails what hashes to it.
  const SourceKind kind = balancer_->loads_[priority].panic
                              ? SourceKind::kAll
                              : SourceKind::kHealthy;
  std::vector<HashGroup> groups;
  const auto add = [&](const Blocks& blocks, HashGroup* group) {
    for (const HostEntries* block : blocks) {
      for (const HostEntry& entry : *block) {
        if (!Belongs(entry.health, kind)) continue;
        group->hosts.push_back(entry.host);
        group->weights.push_back(entry.weight);
      }
    }
    // Hosts without any weight count alike.
    if (std::all_of(group->weights.begin(), group->weights.end(),
                    [](uint32_t weight) { return weight == 0; })) {
      std::fill(group->weights.begin(), group->weights.end(), 1);
    }
  };
  if (!config().locality_weighted) {
    add(counted.blocks, &groups.emplace_back());
    return groups;
  }
  for (const LocalityGroup& locality : counted.groups) {
    HashGroup& group = groups.emplace_back();
    group.weight = locality.weight;
    add(locality.blocks, &group);
  }
  return groups;
}

std::shared_ptr<const HashTable> BalancerBuilder::MakeTable(
    const std::vector<WeightedHost>& hosts) const {
  if (config().policy == model::LbPolicy::kMaglev) {
    MaglevTable::Options options;
    options.table_size = config().maglev_table_size;
    options.use_hostname = config().use_hostname_for_hashing;
    return std::make_shared<MaglevTable>(hosts, options);
  }
  Ring::Options options;
  options.minimum_size = config().minimum_ring_size;
  options.maximum_size = config().maximum_ring_size;
  options.function = config().hash_function;
  options.use_hostname = config().use_hostname_for_hashing;
  return std::make_shared<Ring>(hosts, options);
}

}  // namespace meshlib::lb
