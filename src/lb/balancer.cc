#include "lb/balancer.h"

#include <algorithm>
#include <utility>

#include "lb/balancer_parts.h"

namespace meshlib::lb {
namespace {

// Of a cluster that has no priority even.
HostChoice NoHosts() {
  HostChoice choice;
  choice.failure = PickFailure::kNoHosts;
  return choice;
}

}  // namespace

Balancer::Balancer() { route_of_.fill(0); }
Balancer::~Balancer() = default;

std::unique_ptr<SlotState> Balancer::NewSlotState(uint64_t seed) const {
  std::unique_ptr<SlotState> slot(new SlotState(seed));
  const uint64_t host_seed = slot->random_.Next();
  const uint64_t locality_seed = slot->random_.Next();
  slot->sources_.resize(sources_.size());
  for (size_t i = 0; i < sources_.size(); ++i) {
    policy_->Prepare(*sources_[i], host_seed, input_.now_ns,
                     &slot->sources_[i]);
  }
  slot->localities_.reserve(schedules_.size());
  for (const LocalitySchedule& schedule : schedules_) {
    slot->localities_.emplace_back(schedule.weights, locality_seed);
  }
  slot->scratch_.resize(bounded_hosts_);
  return slot;
}

void Balancer::CopyTurns(const SlotState& from, SlotState& to) const {
  to.random_ = from.random_;
  to.localities_ = from.localities_;
  for (size_t i = 0; i < sources_.size(); ++i) {
    to.sources_[i].CopyTurns(from.sources_[i]);
  }
}

void Balancer::UpdateWeights(int64_t now_ns) const {
  for (const HostSource* source : sources_) {
    policy_->UpdateWeights(*source, now_ns);
  }
}

HostChoice Balancer::Choice(uint32_t route_index, const Route& route,
                            const model::Host* host) {
  HostChoice choice;
  choice.host = host;
  choice.priority = route_index / 2;
  if (host == nullptr) choice.failure = route.failure;
  choice.panic = route.panic;
  choice.degraded = route_index % 2 != 0;
  return choice;
}

HostChoice Balancer::Pick(SlotState& slot, const PickContext& context) const {
  if (!hashes_.empty()) {
    return PickByHash(slot.random_, context, absl::MakeSpan(slot.scratch_));
  }
  if (routes_.empty()) return NoHosts();
  const uint64_t drawn = slot.random_.Next();
  const uint32_t index = context.loads == nullptr
                             ? route_of_[drawn % 100]
                             : OverriddenRoute(drawn, *context.loads);
  const Route& route = routes_[index];
  uint32_t source = route.flat;
  if (route.kind == Route::Kind::kLocalityWeighted) {
    source = schedules_[route.schedule]
                 .sources[slot.localities_[route.schedule].Pick()];
  } else if (route.kind == Route::Kind::kZoneAware) {
    bool fail = false;
    source = ChooseZone(route, slot.random_, &fail);
    if (fail) return Choice(index, route, nullptr);
  }
  if (source == kNoSource) return Choice(index, route, nullptr);
  return Choice(index, route,
                policy_->Pick(*sources_[source], slot.sources_[source],
                              slot.random_, context));
}

HostChoice Balancer::PickStateless(base::Random& random,
                                   const PickContext& context) const {
  if (!hashes_.empty()) {
    // A thread without a slot has no scratch of its own.
    std::array<uint32_t, 1024> scratch;
    return PickByHash(
        random, context,
        absl::MakeSpan(scratch.data(),
                       std::min<size_t>(scratch.size(), bounded_hosts_)));
  }
  if (routes_.empty()) return NoHosts();
  const uint64_t drawn = random.Next();
  const uint32_t index = context.loads == nullptr
                             ? route_of_[drawn % 100]
                             : OverriddenRoute(drawn, *context.loads);
  const Route& route = routes_[index];
  uint32_t source = route.flat;
  if (route.kind == Route::Kind::kLocalityWeighted) {
    source = DrawLocality(route, random);
  } else if (route.kind == Route::Kind::kZoneAware) {
    bool fail = false;
    source = ChooseZone(route, random, &fail);
    if (fail) return Choice(index, route, nullptr);
  }
  if (source == kNoSource) return Choice(index, route, nullptr);
  return Choice(index, route,
                policy_->PickStateless(*sources_[source], random, context));
}

uint32_t Balancer::OverriddenRoute(uint64_t drawn,
                                   const PriorityLoadOverride& loads) const {
  const uint32_t r = static_cast<uint32_t>(drawn % 100) + 1;
  const uint32_t n = std::min<uint32_t>(
      loads.priorities, static_cast<uint32_t>(routes_.size() / 2));
  uint32_t sum = 0;
  for (uint32_t p = 0; p < n; ++p) {
    sum += loads.healthy[p];
    if (r <= sum) return 2 * p;
  }
  for (uint32_t p = 0; p < n; ++p) {
    sum += loads.degraded[p];
    if (r <= sum) return 2 * p + 1;
  }
  return route_of_[drawn % 100];  // loads of another version
}

uint32_t Balancer::ChooseZone(const Route& route, base::Random& random,
                              bool* fail) const {
  if (!DrawRoutedByZone(zone_plan_, random)) return route.flat;
  if (zone_plan_.mode == ZoneAwarePlan::Mode::kFail) {
    *fail = true;
    return kNoSource;
  }
  // A zone without hosts of this availability fails, as in Envoy. Healthy
  // requests never draw one.
  return route.zones[DrawZone(zone_plan_, random)];
}

uint32_t Balancer::DrawLocality(const Route& route,
                                base::Random& random) const {
  const LocalitySchedule& schedule = schedules_[route.schedule];
  const double drawn = random.NextDouble() * schedule.sums.back();
  const auto found =
      std::upper_bound(schedule.sums.begin(), schedule.sums.end(), drawn);
  const size_t index = std::min<size_t>(found - schedule.sums.begin(),
                                        schedule.sources.size() - 1);
  return schedule.sources[index];
}

HostChoice Balancer::PickByHash(base::Random& random,
                                const PickContext& context,
                                absl::Span<uint32_t> scratch) const {
  const uint64_t hash = context.hash ? *context.hash : random.Next();
  const uint32_t index = context.loads != nullptr && context.loads->forced
                             ? OverriddenRoute(hash, *context.loads)
                             : route_of_[hash % 100];
  const HashPriority& priority = *hashes_[index / 2];
  const model::Host* host = nullptr;
  if (priority.bounded != nullptr) {
    host = priority.bounded->Pick(hash, context.attempt, context.cluster_active,
                                  scratch);
  } else if (const PlacedHost* const found =
                 priority.table->Find(hash, context.attempt)) {
    found->Fetch(input_.active, context.stripe);
    host = found->host;
  }
  return Choice(index, routes_[index], host);
}

}  // namespace meshlib::lb
