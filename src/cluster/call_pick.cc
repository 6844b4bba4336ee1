// What Call does to get around hosts: those that the request tried before, and
// those in connect back-off.

#include <algorithm>
#include <array>
#include <cstddef>

#include "cluster/call.h"
#include "cluster/fallback.h"
#include "resilience/connect_backoff.h"
#include "resilience/retry_hosts.h"

namespace meshlib::cluster {
namespace {

// How often a pick is made again to get around hosts in connect back-off.
constexpr uint32_t kBackoffPicks = 64;

// Without a route there is no retry_host_predicate: hosts that were tried are
// avoided this many times.
constexpr uint32_t kAvoidTried = 5;

}  // namespace

lb::HostChoice Call::PickAgain(const Draws& draws,
                               const ClusterVersion& cluster,
                               lb::PickContext& context,
                               lb::PriorityLoadOverride& loads) const {
  if (OverrideLoads(cluster, loads)) context.loads = &loads;
  lb::HostChoice choice = draws.Pick(cluster, context);
  for (uint32_t tries = 0;
       choice.host != nullptr && PassOver(*choice.host, tries); ++tries) {
    context.attempt = tries + 1;
    choice = draws.Pick(cluster, context);
  }
  return choice;
}

bool Call::PassOver(const model::Host& host, uint32_t tries) const {
  const absl::Span<const model::Host* const> tried(tried_.data(), tried_count_);
  if (route_ != nullptr && route_->hosts.has_value()) {
    return tries < route_->hosts->max_attempts() && route_->hosts->active() &&
           route_->hosts->Rejects(host, tried);
  }
  if (tries >= kAvoidTried) return false;
  for (const model::Host* before : tried) {
    if (&before->state() == &host.state()) return true;
  }
  return false;
}

bool Call::OverrideLoads(const ClusterVersion& cluster,
                         lb::PriorityLoadOverride& loads) const {
  if (route_ == nullptr || route_->previous_priorities_update_frequency == 0) {
    return false;
  }
  std::array<uint32_t, lb::kMaxPriorities> healthy, degraded, healthy_load,
      degraded_load;
  const size_t attempts = std::min<size_t>(attempts_, kTriedPriorities);
  std::array<uint32_t, kTriedPriorities> tried;
  std::copy_n(tried_priorities_.begin(), attempts, tried.begin());
  const auto& current = cluster.balancer().loads();
  const size_t count = std::min(current.size(), healthy.size());
  for (size_t i = 0; i < count; ++i) {
    healthy[i] = current[i].health;
    degraded[i] = current[i].degraded;
  }
  if (!resilience::PreviousPrioritiesLoad(
          route_->previous_priorities_update_frequency,
          absl::MakeSpan(tried.data(), attempts),
          absl::MakeSpan(healthy.data(), count),
          absl::MakeSpan(degraded.data(), count),
          absl::MakeSpan(healthy_load.data(), count),
          absl::MakeSpan(degraded_load.data(), count))) {
    return false;
  }
  loads.priorities = static_cast<uint32_t>(count);
  for (size_t i = 0; i < count; ++i) {
    loads.healthy[i] = static_cast<uint8_t>(healthy_load[i]);
    loads.degraded[i] = static_cast<uint8_t>(degraded_load[i]);
  }
  return true;
}

void Call::AvoidBackoff(const Draws& draws, const ClusterVersion& cluster,
                        lb::PickContext context, lb::HostChoice& choice) const {
  const int64_t now_ns = absl::ToUnixNanos(engine_->clock().Now());
  if (!resilience::InConnectBackoff(choice.host->state(), now_ns)) return;
  const auto suits = [&](const model::Host& host) {
    return !resilience::InConnectBackoff(host.state(), now_ns) &&
           (attempts_ == 0 || !PassOver(host, 0));
  };
  // What has one hash stays together also where it goes instead.
  const uint64_t start =
      context.hash.has_value() ? *context.hash : draws.random.Next();
  const Fallback found = FindFallback(cluster, choice.priority, start, suits);
  // None suits: the turn that was taken stays, so that whoever retries takes
  // the hosts in turn, as if there were no back-off.
  if (found.host == nullptr) return;
  // One is there. Whose turn it is, by weight, locality or hash, is for the
  // balancer to say; the turns of others that go by unused are no loss to
  // them, since they are not to be used now.
  const bool degraded = found.health == model::HostHealth::kDegraded;
  lb::PriorityLoadOverride only;
  only.SendAllTo(found.priority, degraded);
  context.loads = &only;
  context.attempt = 0;
  choice.host = found.host;
  choice.priority = found.priority;
  for (uint32_t i = 0; i < kBackoffPicks; ++i, ++context.attempt) {
    const lb::HostChoice next = draws.Pick(cluster, context);
    if (next.host == nullptr || !suits(*next.host)) continue;
    choice = next;
    return;
  }
}

}  // namespace meshlib::cluster
