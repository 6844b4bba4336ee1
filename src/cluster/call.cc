#include "cluster/call.h"

#include <type_traits>

#include "resilience/circuit_breaker.h"
#include "resilience/connect_backoff.h"
#include "resilience/outlier_result.h"
#include "resilience/retry_hosts.h"

namespace meshlib::cluster {
namespace {

// How often a pick is made again to get around hosts in connect back-off,
// and how many hosts are then looked at one by one.
constexpr uint32_t kBackoffPicks = 8;
constexpr uint32_t kBackoffScan = 64;

// Without a route there is no retry_host_predicate: hosts that were tried are
// avoided this many times.
constexpr uint32_t kAvoidTried = 5;

constexpr uint32_t kMillion = 1'000'000;

bool Succeeded(const Outcome& outcome) {
  return outcome.kind == Outcome::Kind::kResponse &&
         outcome.http_status < 500 && outcome.grpc_status.value_or(0) == 0;
}

bool ConnectFailed(const Outcome& outcome) {
  return outcome.kind == Outcome::Kind::kConnectFailure ||
         outcome.kind == Outcome::Kind::kConnectTimeout;
}

Outcome Cancelled() { return Outcome::Failure(Outcome::Kind::kCancelled); }

RetryDecision NoRetry(RetryDecision::Reason reason) {
  RetryDecision decision;
  decision.reason = reason;
  return decision;
}

const model::CircuitBreakerThresholds& Limits(const ClusterVersion& cluster,
                                              model::RoutingPriority priority) {
  return cluster.config()
      .circuit_breakers.thresholds[static_cast<size_t>(priority)];
}

}  // namespace

static_assert(std::is_trivially_copyable_v<Call>,
              "tokens move a Call byte by byte");

void Call::Next(Engine& engine, uint32_t target, const Request& request,
                Attempt& attempt) {
  base::ThreadSlot& slot = engine.slots().Current();
  const base::ReadSection section(engine.slots(), slot);
  const Scope scope{slot, engine.snapshot(), request};
  engine_ = &engine;
  if (open_) {
    const ClusterVersion* cluster = scope.snapshot.cluster(cluster_id_);
    Record(slot.stripe, cluster, Cancelled());
    CloseAttempt(slot.stripe);
  }
  AttemptPlan plan;
  const PickFailure failure = TryNext(scope, target, plan);
  if (failure != PickFailure::kNone) {
    attempt.Fail(failure);
  } else {
    attempt.Start(plan);
  }
}

PickFailure Call::TryNext(const Scope& scope, uint32_t target,
                          AttemptPlan& plan) {
  if (engine_->shut_down()) return PickFailure::kShutdown;
  PickFailure failure =
      attempts_ == 0 ? Route(scope, target) : EnterCluster(scope, cluster_id_);
  if (failure != PickFailure::kNone) return failure;
  const ClusterVersion& cluster = *scope.snapshot.cluster(cluster_id_);
  failure = Admit(scope, cluster);
  if (failure != PickFailure::kNone) return failure;
  const lb::HostChoice choice = Pick(scope, cluster);
  StripeBlock& block = cluster_->blocks().Get(scope.slot.stripe);
  if (choice.host == nullptr) {
    cluster_->breakers().ReleaseRequest(scope.slot.stripe, priority_);
    base::StripeAdd<uint64_t>(scope.slot.stripe, block.rq_no_host, 1);
    return cluster.endpoints() == nullptr ? PickFailure::kNotReady
                                          : choice.failure;
  }
  Remember(scope.slot.stripe, block, *choice.host, choice.priority);
  base::StripeAdd<uint64_t>(scope.slot.stripe, block.rq_total, 1);
  if (cluster.balancer().needs_active()) {
    choice.host->state().active.fetch_add(1, std::memory_order_relaxed);
    counted_active_ = true;
  }
  open_ = true;
  ++attempts_;
  plan.host = choice.host;
  FillPlan(scope, cluster, plan);
  return PickFailure::kNone;
}

PickFailure Call::Route(const Scope& scope, uint32_t target) {
  if (target >= scope.snapshot.targets.size()) return PickFailure::kNotReady;
  const TargetBinding& binding = scope.snapshot.targets[target];
  if (binding.routes == nullptr) {
    if (binding.cluster == kNoCluster) return PickFailure::kNotReady;
    return EnterCluster(scope, binding.cluster);
  }
  const uint64_t random = scope.request.random.has_value()
                              ? *scope.request.random
                              : scope.slot.random.Next();
  const routing::RouteTable::Match match =
      binding.routes->table().Find(scope.request, random);
  if (match.route == nullptr) return PickFailure::kNoRoute;
  if (match.route->action() == nullptr) return PickFailure::kNotForwarded;
  const BoundRoute& bound = binding.routes->bound(*match.route);
  const routing::ClusterChoice choice =
      match.route->ClusterFor(scope.request, random);
  weighted_index_ = static_cast<int16_t>(choice.weighted_index);
  const size_t index = weighted_index_ < 0 ? 0 : weighted_index_;
  ClusterId id =
      index < bound.clusters.size() ? bound.clusters[index] : kNoCluster;
  if (id == kNoCluster) {
    const auto found = scope.snapshot.names->find(
        absl::string_view(choice.name.data(), choice.name.size()));
    if (found == scope.snapshot.names->end()) {
      return PickFailure::kUnknownCluster;
    }
    id = found->second;
  }
  const PickFailure failure = EnterCluster(scope, id);
  if (failure != PickFailure::kNone) return failure;
  if (routes_ != nullptr) routes_->AddUser(scope.slot.stripe, -1);
  routes_ = binding.routes;
  routes_->AddUser(scope.slot.stripe, 1);
  route_ = &bound;
  priority_ = match.route->priority();
  if (bound.retry.has_value()) retry_ = bound.retry->Start(scope.request);
  return PickFailure::kNone;
}

PickFailure Call::EnterCluster(const Scope& scope, ClusterId id) {
  const ClusterVersion* cluster = scope.snapshot.cluster(id);
  if (cluster == nullptr) return PickFailure::kUnknownCluster;
  RuntimeCluster& runtime = cluster->runtime();
  if (&runtime == cluster_) return PickFailure::kNone;
  const base::Stripe stripe = scope.slot.stripe;
  Forget(stripe);
  base::StripeAdd<int64_t>(stripe, runtime.blocks().Get(stripe).tokens, 1);
  cluster_ = &runtime;
  cluster_id_ = id;
  return PickFailure::kNone;
}

PickFailure Call::Admit(const Scope& scope, const ClusterVersion& cluster) {
  if (cluster.endpoints() != nullptr) {
    for (const model::DropOverload& drop : cluster.endpoints()->drops) {
      if (scope.slot.random.Next() % kMillion < drop.parts_per_million) {
        return PickFailure::kDropped;
      }
    }
  }
  const resilience::Admission admission =
      cluster_->breakers().TryAcquireRequest(
          scope.slot.stripe, priority_,
          Limits(cluster, priority_).max_requests);
  if (admission == resilience::Admission::kAdmitted) return PickFailure::kNone;
  base::StripeAdd<uint64_t>(
      scope.slot.stripe, cluster_->blocks().Get(scope.slot.stripe).rq_overflow,
      1);
  return PickFailure::kOverflow;
}

lb::HostChoice Call::PickOnce(const Scope& scope, const ClusterVersion& cluster,
                              const lb::PickContext& context) {
  if (scope.slot.stripe.exclusive) {
    return cluster.balancer().Pick(cluster.Slot(scope.slot.stripe), context);
  }
  return cluster.balancer().PickStateless(scope.slot.random, context);
}

bool Call::PassOver(const model::Host& host, uint32_t tries) {
  if (attempts_ == 0) return false;
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

lb::HostChoice Call::Pick(const Scope& scope, const ClusterVersion& cluster) {
  lb::PickContext context;
  context.hash = scope.request.hash;
  if (!context.hash.has_value() && route_ != nullptr) {
    context.hash = route_->route->Hash(scope.request);
  }
  if (cluster.needs_time()) {
    context.now_ns = absl::ToUnixNanos(engine_->clock().Now());
  }
  lb::PriorityLoadOverride loads;
  if (attempts_ > 0 && OverrideLoads(cluster, loads)) context.loads = &loads;
  lb::HostChoice choice = PickOnce(scope, cluster, context);
  for (uint32_t tries = 0;
       choice.host != nullptr && PassOver(*choice.host, tries); ++tries) {
    context.attempt = tries + 1;
    choice = PickOnce(scope, cluster, context);
  }
  if (choice.host != nullptr &&
      choice.host->state().connect_backoff_until_ns.load(
          std::memory_order_relaxed) != 0) {
    AvoidBackoff(scope, cluster, context, choice);
  }
  return choice;
}

bool Call::OverrideLoads(const ClusterVersion& cluster,
                         lb::PriorityLoadOverride& loads) const {
  if (route_ == nullptr || route_->previous_priorities_update_frequency == 0) {
    return false;
  }
  std::array<uint32_t, lb::kMaxPriorities> healthy, degraded, healthy_load,
      degraded_load;
  std::array<uint32_t, kTried> tried;
  for (uint32_t i = 0; i < tried_count_; ++i) tried[i] = tried_priorities_[i];
  const auto& current = cluster.balancer().loads();
  const size_t count = std::min(current.size(), healthy.size());
  for (size_t i = 0; i < count; ++i) {
    healthy[i] = current[i].health;
    degraded[i] = current[i].degraded;
  }
  if (!resilience::PreviousPrioritiesLoad(
          route_->previous_priorities_update_frequency,
          absl::MakeSpan(tried.data(), tried_count_),
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

void Call::AvoidBackoff(const Scope& scope, const ClusterVersion& cluster,
                        lb::PickContext context, lb::HostChoice& choice) {
  const int64_t now_ns = absl::ToUnixNanos(engine_->clock().Now());
  const auto suits = [&](const model::Host& host) {
    return !resilience::InConnectBackoff(host.state(), now_ns);
  };
  if (suits(*choice.host)) return;
  for (uint32_t i = 0; i < kBackoffPicks; ++i) {
    ++context.attempt;
    const lb::HostChoice next = PickOnce(scope, cluster, context);
    if (next.host == nullptr) break;
    if (!suits(*next.host)) continue;
    choice = next;
    return;
  }
  // Few hosts, or most of them down: look at those of the same priority.
  uint32_t looked_at = 0;
  const auto& priorities = cluster.input().priorities;
  for (size_t p = 0; p < priorities.size(); ++p) {
    const size_t priority = (choice.priority + p) % priorities.size();
    for (const lb::LocalityHosts& locality : priorities[priority].localities) {
      if (locality.hosts == nullptr) continue;
      for (const lb::HostEntry& entry : *locality.hosts) {
        if (++looked_at > kBackoffScan) return;
        if (entry.health != model::HostHealth::kHealthy || entry.weight == 0 ||
            !suits(*entry.host)) {
          continue;
        }
        choice.host = entry.host;
        choice.priority = static_cast<uint32_t>(priority);
        return;
      }
    }
  }
}

void Call::Remember(base::Stripe stripe, StripeBlock& block,
                    const model::Host& host, uint32_t priority) {
  model::HostCounters* counters = block.hosts.At(host.index());
  base::StripeAdd<int32_t>(stripe, counters->in_flight, 1);
  base::StripeAdd<int32_t>(stripe, counters->pins, 1);
  if (tried_count_ == kTried) {
    // The oldest is forgotten.
    model::HostCounters* oldest = block.hosts.At(tried_[0]->index());
    base::StripeAdd<int32_t>(stripe, oldest->pins, -1);
    for (uint32_t i = 1; i < kTried; ++i) {
      tried_[i - 1] = tried_[i];
      tried_priorities_[i - 1] = tried_priorities_[i];
    }
    --tried_count_;
  }
  tried_[tried_count_] = &host;
  tried_priorities_[tried_count_] = static_cast<uint8_t>(priority);
  ++tried_count_;
}

void Call::Forget(base::Stripe stripe) {
  if (cluster_ == nullptr) return;
  StripeBlock& block = cluster_->blocks().Get(stripe);
  for (uint32_t i = 0; i < tried_count_; ++i) {
    base::StripeAdd<int32_t>(stripe, block.hosts.At(tried_[i]->index())->pins,
                             -1);
  }
  tried_count_ = 0;
  base::StripeAdd<int64_t>(stripe, block.tokens, -1);
  cluster_ = nullptr;
}

void Call::FillPlan(const Scope& scope, const ClusterVersion& cluster,
                    AttemptPlan& plan) const {
  plan.cluster = &cluster;
  plan.choice.weighted_index = weighted_index_;
  plan.choice.name = cluster.config().name;
  plan.number = attempts_;
  if (route_ == nullptr) return;
  plan.route = route_->route;
  const routing::Timeouts timeouts = plan.route->TimeoutsFor(scope.request);
  plan.timeout = timeouts.request;
  plan.per_try_timeout = timeouts.per_try;
}

RetryDecision Call::End(const Outcome& outcome) {
  if (!open_) return NoRetry(RetryDecision::Reason::kAlreadyReported);
  base::ThreadSlot& slot = engine_->slots().Current();
  const base::ReadSection section(engine_->slots(), slot);
  const ClusterVersion* cluster = engine_->snapshot().cluster(cluster_id_);
  if (cluster != nullptr && &cluster->runtime() != cluster_) cluster = nullptr;
  Record(slot.stripe, cluster, outcome);
  CloseAttempt(slot.stripe);
  if (Succeeded(outcome) && retry_.retry_on == 0) return {};
  return Decide(slot, cluster, outcome);
}

void Call::CloseAttempt(base::Stripe stripe) {
  const model::Host& host = *tried_[tried_count_ - 1];
  base::StripeAdd<int32_t>(
      stripe, cluster_->blocks().Get(stripe).hosts.At(host.index())->in_flight,
      -1);
  cluster_->breakers().ReleaseRequest(stripe, priority_);
  if (holds_retry_) {
    cluster_->breakers().Release(resilience::Resource::kRetries, priority_);
    holds_retry_ = false;
  }
  if (counted_active_) {
    // Relaxed: a count that policies compare, nothing hangs on it.
    host.state().active.fetch_sub(1, std::memory_order_relaxed);
    counted_active_ = false;
  }
  open_ = false;
}

void Call::Record(base::Stripe stripe, const ClusterVersion* cluster,
                  const Outcome& outcome) {
  const model::Host& host = *tried_[tried_count_ - 1];
  StripeBlock& block = cluster_->blocks().Get(stripe);
  if (outcome.kind == Outcome::Kind::kCancelled) {
    base::StripeAdd<uint64_t>(stripe, block.rq_cancelled, 1);
    return;
  }
  base::StripeAdd<uint64_t>(
      stripe, Succeeded(outcome) ? block.rq_success : block.rq_error, 1);
  if (ConnectFailed(outcome)) {
    resilience::OnConnectFailure(host.state(),
                                 absl::ToUnixNanos(engine_->clock().Now()),
                                 engine_->slots().Current().random.Next());
  } else if (outcome.kind == Outcome::Kind::kResponse) {
    resilience::OnConnectSuccess(host.state());
  }
  const model::OutlierDetection* outlier =
      cluster != nullptr && cluster->config().outlier_detection.has_value()
          ? &*cluster->config().outlier_detection
          : nullptr;
  const resilience::HostResult result = resilience::ClassifyOutcome(
      outcome,
      outlier != nullptr && outlier->split_external_local_origin_errors);
  model::HostCounters& counters = *block.hosts.At(host.index());
  base::StripeAdd(stripe, counters.total, result.total());
  if (!Succeeded(outcome)) {
    base::StripeAdd(stripe, counters.failed, result.failed());
  }
  if (outlier == nullptr) return;
  if (outlier->split_external_local_origin_errors) {
    base::StripeAdd(stripe, counters.local_total, result.local_total());
    base::StripeAdd(stripe, counters.local_failed, result.local_failed());
  }
  const resilience::Thresholds reached =
      resilience::RecordResult(*outlier, host.state(), result);
  if (reached) cluster_->Attention(host, reached);
}

RetryDecision Call::Decide(base::ThreadSlot& slot,
                           const ClusterVersion* cluster,
                           const Outcome& outcome) {
  using Reason = RetryDecision::Reason;
  const Reason without = Succeeded(outcome) ? Reason::kSuccess
                         : outcome.kind == Outcome::Kind::kCancelled
                             ? Reason::kCancelled
                             : Reason::kNotRetriable;
  if (route_ == nullptr || !route_->retry.has_value()) {
    return NoRetry(without == Reason::kNotRetriable ? Reason::kNoPolicy
                                                    : without);
  }
  if (cluster == nullptr || !route_->retry->Matches(outcome, retry_)) {
    return NoRetry(without);
  }
  RetryDecision decision =
      route_->retry->Decide(outcome, retry_, slot.random,
                            engine_->clock().Now(), absl::InfiniteFuture());
  if (!decision.retry) return decision;
  StripeBlock& block = cluster_->blocks().Get(slot.stripe);
  if (cluster_->breakers().TryAcquireRetry(priority_,
                                           Limits(*cluster, priority_)) !=
      resilience::Admission::kAdmitted) {
    base::StripeAdd<uint64_t>(slot.stripe, block.rq_retry_overflow, 1);
    return NoRetry(Reason::kOverflow);
  }
  holds_retry_ = true;
  base::StripeAdd<uint64_t>(slot.stripe, block.rq_retry, 1);
  return decision;
}

void Call::Release() {
  if (engine_ == nullptr) return;
  base::ThreadSlot& slot = engine_->slots().Current();
  {
    const base::ReadSection section(engine_->slots(), slot);
    if (open_) {
      const ClusterVersion* cluster = engine_->snapshot().cluster(cluster_id_);
      Record(slot.stripe, cluster, Cancelled());
      CloseAttempt(slot.stripe);
    } else if (holds_retry_) {
      cluster_->breakers().Release(resilience::Resource::kRetries, priority_);
      holds_retry_ = false;
    }
    Forget(slot.stripe);
    if (routes_ != nullptr) routes_->AddUser(slot.stripe, -1);
  }
  routes_ = nullptr;
  route_ = nullptr;
  engine_ = nullptr;
  attempts_ = 0;
}

}  // namespace meshlib::cluster
