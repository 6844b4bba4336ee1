#include "cluster/call.h"

#include <algorithm>
#include <memory>
#include <type_traits>

#include "lb/weighted_round_robin/load_weight.h"
#include "resilience/circuit_breaker.h"
#include "resilience/connect_backoff.h"
#include "resilience/outlier_result.h"
#include "routing/normalize.h"

namespace meshlib::cluster {
namespace {

constexpr uint32_t kMillion = 1'000'000;

// What counts as one for statistics and speaks for the host.
bool Succeeded(const Outcome& outcome) {
  return outcome.kind == Outcome::Kind::kResponse &&
         outcome.http_status < 500 && outcome.grpc_status.value_or(0) == 0;
}

bool ConnectFailed(const Outcome& outcome) {
  return outcome.kind == Outcome::Kind::kConnectFailure ||
         outcome.kind == Outcome::Kind::kConnectTimeout;
}

PickFailure WhyNoEndpoints(const ClusterVersion& cluster) {
  const model::DiscoveryType type = cluster.config().type;
  return type == model::DiscoveryType::kOriginalDst ||
                 type == model::DiscoveryType::kAggregate
             ? PickFailure::kUnsupportedCluster
             : PickFailure::kNotReady;
}

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

inline StripeBlock& Call::Block(base::Stripe stripe) {
  return stripe.index == stripe_ ? *block_ : cluster_->blocks().Get(stripe);
}

inline model::HostCounters& Call::LastCounters(base::Stripe stripe) {
  if (stripe.index == stripe_) return *counters_;
  model::HostCounters* counters =
      cluster_->blocks().Get(stripe).hosts.At(last_host().counter_place());
  // Reserved in every block before the host could be picked.
  // NOLINTNEXTLINE(clang-analyzer-core.uninitialized.UndefReturn)
  return *counters;
}

void Call::Next(Engine& engine, uint32_t target, const Request& request,
                std::string_view authority, Attempt& attempt) {
  if (engine.shut_down()) return attempt.Fail(PickFailure::kShutdown);
  base::ThreadSlot& slot = engine.slots().Current();
  const base::ReadSection section(engine.slots(), slot);
  const Snapshot& snapshot = engine.snapshot();
  engine_ = &engine;
  if (open_) Cancel(slot.stripe);
  const TargetBinding* binding =
      target < snapshot.targets.size() ? &snapshot.targets[target] : nullptr;
  if (binding != nullptr && binding->normalization != nullptr) {
    return NextNormalized(slot, *binding, snapshot, request, authority,
                          attempt);
  }
  if (!request.authority.empty() || binding == nullptr ||
      binding->routes == nullptr) {
    return Try(slot, binding, snapshot, request, attempt);
  }
  Request named = request;
  named.authority = authority;
  Try(slot, binding, snapshot, named, attempt);
}

[[gnu::noinline]] void Call::NextNormalized(base::ThreadSlot& slot,
                                            const TargetBinding& binding,
                                            const Snapshot& snapshot,
                                            const Request& request,
                                            std::string_view authority,
                                            Attempt& attempt) {
  Request changed = request;
  if (changed.authority.empty()) changed.authority = authority;
  routing::NormalizedText text;
  if (routing::NormalizeRequest(*binding.normalization, changed, text) !=
      routing::Normalized::kRoutable) {
    return attempt.Fail(PickFailure::kNotForwarded);
  }
  Try(slot, &binding, snapshot, changed, attempt);
}

[[gnu::always_inline]] inline void Call::Try(base::ThreadSlot& slot,
                                             const TargetBinding* binding,
                                             const Snapshot& snapshot,
                                             const Request& request,
                                             Attempt& attempt) {
  const Scope scope{slot, snapshot, request};
  const ClusterVersion* cluster = nullptr;
  PickFailure failure = PickFailure::kNone;
  if (binding == nullptr) {
    failure = PickFailure::kNotReady;
  } else if (attempts_ == 0) {
    cluster = binding->version;
    if (cluster == nullptr) failure = Route(scope, *binding, cluster, attempt);
  } else {
    cluster = snapshot.cluster(cluster_id_);
    if (cluster == nullptr) failure = PickFailure::kUnknownCluster;
  }
  AttemptPlan plan;
  if (failure == PickFailure::kNone) failure = Start(scope, *cluster, plan);
  if (failure != PickFailure::kNone) return attempt.Fail(failure);
  plan.listener = binding->stream_limits.get();
  attempt.Start(plan);
}

PickFailure Call::Route(const Scope& scope, const TargetBinding& binding,
                        const ClusterVersion*& cluster, Attempt& attempt) {
  if (binding.routes == nullptr) {
    return binding.cluster == kNoCluster ? PickFailure::kNotReady
                                         : PickFailure::kUnknownCluster;
  }
  const uint64_t random = scope.request.random.has_value()
                              ? *scope.request.random
                          : faults_ != nullptr ? FaultRandom()
                                               : scope.slot.random.Next();
  const routing::RouteTable::Match match =
      binding.routes->table().Find(scope.request, random);
  if (binding.faults != nullptr) {
    const PickFailure injected = Inject(scope, binding, match, random, attempt);
    if (injected != PickFailure::kNone) return injected;
  }
  if (match.route == nullptr) {
    return match.wants_tls ? PickFailure::kTlsRequired : PickFailure::kNoRoute;
  }
  if (match.route->action() == nullptr) {
    attempt.NotForwarded(*match.route, scope.request);
    return PickFailure::kNotForwarded;
  }
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
  cluster = scope.snapshot.cluster(id);
  if (cluster == nullptr) return PickFailure::kUnknownCluster;
  if (routes_ != nullptr) routes_->AddUser(scope.slot.stripe, -1);
  routes_ = binding.routes;
  routes_->AddUser(scope.slot.stripe, 1);
  route_ = &bound;
  priority_ = match.route->priority();
  if (bound.retry.has_value()) retry_ = bound.retry->Start(scope.request);
  return PickFailure::kNone;
}

[[gnu::always_inline]] inline void Call::Enter(base::Stripe stripe,
                                               RuntimeCluster& cluster) {
  if (&cluster != cluster_) {
    Forget(stripe);
    cluster_ = &cluster;
    cluster_id_ = cluster.id();
    block_ = &cluster.blocks().Get(stripe);
    base::StripeAdd<int64_t>(stripe, block_->tokens, 1);
  } else if (stripe.index != stripe_) {
    block_ = &cluster.blocks().Get(stripe);
  }
  stripe_ = stripe.index;
}

[[gnu::always_inline]] inline PickFailure Call::Start(
    const Scope& scope, const ClusterVersion& cluster, AttemptPlan& plan) {
  const base::Stripe stripe = scope.slot.stripe;
  Enter(stripe, cluster.runtime());
  if (cluster.has_drops() && Dropped(cluster, scope.slot.random)) {
    return PickFailure::kDropped;
  }
  resilience::CircuitBreaker& breakers = cluster_->breakers();
  if (breakers.TryAcquireRequest(stripe, priority_,
                                 cluster.max_requests(priority_)) !=
      resilience::Admission::kAdmitted) {
    if (!is_connection_) {
      base::StripeAdd<uint64_t>(stripe, block_->rq_overflow, 1);
      return PickFailure::kOverflow;
    }
    breakers.AcquireRequest(stripe, priority_);
  }
  const Draws draws{scope.request, scope.slot.random,
                    stripe.exclusive ? &cluster.Slot(stripe) : nullptr,
                    stripe.index, 1};
  const lb::HostChoice choice = Pick(draws, cluster);
  if (choice.host == nullptr) {
    breakers.ReleaseRequest(stripe, priority_);
    base::StripeAdd<uint64_t>(stripe, block_->rq_no_host, 1);
    return choice.failure;
  }
  Remember(stripe, *choice.host, choice.priority);
  base::StripeAdd<uint64_t>(stripe, block_->rq_total, 1);
  open_ = true;
  splits_errors_ = cluster.splits_errors();
  ++attempts_;
  FillPlan(scope, cluster, *choice.host, plan);
  return PickFailure::kNone;
}

bool Call::Dropped(const ClusterVersion& cluster, base::Random& random) {
  for (const model::DropOverload& drop : cluster.endpoints()->drops) {
    if (random.Next() % kMillion < drop.parts_per_million) {
      return true;
    }
  }
  return false;
}

double Call::DropProbability(const ClusterVersion& cluster) {
  if (!cluster.has_drops()) return 0;
  double kept = 1;
  for (const model::DropOverload& drop : cluster.endpoints()->drops) {
    kept *= 1 - std::min(1.0, 1.0 * drop.parts_per_million / kMillion);
  }
  return 1 - kept;
}

[[gnu::always_inline]] inline lb::HostChoice Call::Pick(
    const Draws& draws, const ClusterVersion& cluster) const {
  lb::PickContext context;
  context.stripe = draws.stripe;
  context.hash = draws.request.hash;
  if (!context.hash.has_value() && route_ != nullptr) {
    context.hash = route_->route->Hash(draws.request);
  }
  if (cluster.needs_time()) {
    context.now_ns = absl::ToUnixNanos(engine_->clock().Now());
  }
  if (cluster.balancer().needs_cluster_active()) {
    // Without this request, which was admitted just now.
    context.cluster_active =
        static_cast<int64_t>(cluster_->breakers().ActiveRequests()) -
        draws.admitted;
  }
  lb::PriorityLoadOverride loads;
  lb::HostChoice choice = attempts_ == 0
                              ? draws.Pick(cluster, context)
                              : PickAgain(draws, cluster, context, loads);
  if (choice.host == nullptr) {
    if (!cluster.has_endpoints()) choice.failure = WhyNoEndpoints(cluster);
  } else if (choice.host->state().connect_backoff_until_ns.load(
                 std::memory_order_relaxed) != 0) {
    AvoidBackoff(draws, cluster, context, choice);
  }
  return choice;
}

lb::HostChoice Call::Preview(Engine& engine, const base::ThreadSlot& slot,
                             base::Random& random, const Request& request,
                             const BoundRoute* route,
                             const ClusterVersion& cluster) {
  Call call;
  call.engine_ = &engine;
  call.cluster_ = &cluster.runtime();
  call.route_ = route;
  if (route != nullptr) call.priority_ = route->route->priority();
  lb::HostChoice refused;
  if (cluster.has_drops()) {
    Dropped(cluster, random);  // what it draws
    if (DropProbability(cluster) >= 1) refused.failure = PickFailure::kDropped;
  }
  if (refused.failure == PickFailure::kNone &&
      call.cluster_->breakers()
          .GetOpen(call.priority_, Limits(cluster, call.priority_))
          .requests) {
    refused.failure = PickFailure::kOverflow;
  }
  if (refused.failure != PickFailure::kNone) return refused;
  const std::unique_ptr<lb::SlotState> turns =
      slot.stripe.exclusive ? cluster.CopySlot(slot.stripe) : nullptr;
  const Draws draws{request, random, turns.get(), slot.stripe.index, 0};
  return call.Pick(draws, cluster);
}

[[gnu::always_inline]] inline void Call::Remember(base::Stripe stripe,
                                                  const model::Host& host,
                                                  uint32_t priority) {
  counters_ = block_->hosts.At(host.counter_place());
  base::StripeAdd(stripe, counters_->uses,
                  model::HostCounters::kPin + model::HostCounters::kInFlight);
  if (tried_count_ == kTried) {
    // The oldest is forgotten.
    base::StripeAdd(stripe, block_->hosts.At(tried_[0]->counter_place())->uses,
                    -model::HostCounters::kPin, std::memory_order_release);
    for (uint32_t i = 1; i < kTried; ++i) tried_[i - 1] = tried_[i];
    --tried_count_;
  }
  tried_[tried_count_] = &host;
  ++tried_count_;
  if (attempts_ < kTriedPriorities) {
    tried_priorities_[attempts_] = static_cast<uint8_t>(priority);
  }
}

inline void Call::Forget(base::Stripe stripe) {
  if (cluster_ == nullptr) return;
  StripeBlock& block = Block(stripe);
  // Release: whoever finds the counts at 0 may destroy hosts and cluster.
  for (uint32_t i = 0; i < tried_count_; ++i) {
    base::StripeAdd(stripe, block.hosts.At(tried_[i]->counter_place())->uses,
                    -model::HostCounters::kPin, std::memory_order_release);
  }
  tried_count_ = 0;
  base::StripeAdd<int64_t>(stripe, block.tokens, -1, std::memory_order_release);
  cluster_ = nullptr;
}

[[gnu::always_inline]] inline void Call::FillPlan(const Scope& scope,
                                                  const ClusterVersion& cluster,
                                                  const model::Host& host,
                                                  AttemptPlan& plan) {
  plan.host = &host;
  plan.cluster = &cluster;
  plan.request = &scope.request;
  plan.weighted_index = weighted_index_;
  plan.number = attempts_;
  if (route_ == nullptr) return;
  plan.route = route_->route;
  const routing::Timeouts timeouts = plan.route->TimeoutsFor(scope.request);
  plan.timeout = timeouts.request;
  plan.per_try_timeout = timeouts.per_try;
  plan.per_try_idle_timeout = timeouts.per_try_idle;
  plan.max_stream_duration = timeouts.max_stream_duration;
  plan.idle_timeout = timeouts.idle;
  // Only a retry asks for the time.
  if (attempts_ == 1 && retry_.retry_on != 0) {
    deadline_ = plan.timeout == absl::InfiniteDuration()
                    ? absl::InfiniteFuture()
                    : engine_->clock().Now() + plan.timeout;
  }
}

RetryDecision Call::End(const Outcome& outcome) {
  if (!open_) return NoRetry(RetryDecision::Reason::kAlreadyReported);
  base::ThreadSlot& slot = engine_->slots().Current();
  if (outcome.load_report != nullptr) {
    TakeLoadReport(slot, *outcome.load_report);
  }
  if (Succeeded(outcome) && !retry_.judges_success &&
      EndPlainSuccess(slot.stripe)) {
    return {};
  }
  return EndOther(slot, outcome);
}

// What nearly every request ends with: a success of a host without failures.
// The token keeps alive all that this touches.
[[gnu::always_inline]] inline bool Call::EndPlainSuccess(base::Stripe stripe) {
  const model::HostState& state = last_host().state();
  if (resilience::HasConnectFailures(state) ||
      resilience::HasFailureRun(state)) {
    return false;
  }
  base::StripeAdd<uint64_t>(stripe, Block(stripe).rq_success, 1);
  model::HostCounters& counters = LastCounters(stripe);
  base::StripeAdd<uint32_t>(stripe, counters.total, 1);
  if (splits_errors_)
    base::StripeAdd<uint32_t>(stripe, counters.local_total, 1);
  CloseAttempt(stripe);
  return true;
}

RetryDecision Call::EndOther(base::ThreadSlot& slot, const Outcome& outcome) {
  const base::ReadSection section(engine_->slots(), slot);
  const ClusterVersion* cluster = engine_->snapshot().cluster(cluster_id_);
  if (cluster != nullptr && &cluster->runtime() != cluster_) cluster = nullptr;
  Record(slot, cluster, outcome);
  CloseAttempt(slot.stripe);
  return Decide(slot, cluster, outcome);
}

void Call::Connected() {
  if (!open_) return;
  base::ThreadSlot& slot = engine_->slots().Current();
  const base::ReadSection section(engine_->slots(), slot);
  const ClusterVersion* cluster = engine_->snapshot().cluster(cluster_id_);
  if (cluster != nullptr && &cluster->runtime() != cluster_) cluster = nullptr;
  Record(slot, cluster, Outcome::Ok());
}

void Call::EndConnected() {
  if (open_) CloseAttempt(engine_->slots().Current().stripe);
}

// For client-side weighted round robin (gRFC A58): only hosts of such a
// cluster have a place for it.
[[gnu::noinline]] void Call::TakeLoadReport(base::ThreadSlot& slot,
                                            const LoadReport& report) const {
  model::HostLoad* load = last_host().state().load();
  if (load == nullptr) return;
  const base::ReadSection section(engine_->slots(), slot);
  const ClusterVersion* cluster = engine_->snapshot().cluster(cluster_id_);
  if (cluster == nullptr || &cluster->runtime() != cluster_) return;
  lb::RecordLoadReport(report, cluster->config().lb.load_report_weights,
                       absl::ToUnixNanos(engine_->clock().Now()), *load);
}

[[gnu::always_inline]] inline void Call::CloseAttempt(base::Stripe stripe) {
  base::StripeAdd(stripe, LastCounters(stripe).uses,
                  -model::HostCounters::kInFlight);
  cluster_->breakers().ReleaseRequest(stripe, priority_);
  if (holds_retry_) {
    cluster_->breakers().Release(resilience::Resource::kRetries, priority_);
    holds_retry_ = false;
  }
  open_ = false;
}

void Call::Cancel(base::Stripe stripe) {
  base::StripeAdd<uint64_t>(stripe, Block(stripe).rq_cancelled, 1);
  CloseAttempt(stripe);
}

void Call::Record(base::ThreadSlot& slot, const ClusterVersion* cluster,
                  const Outcome& outcome) {
  const base::Stripe stripe = slot.stripe;
  const model::Host& host = last_host();
  StripeBlock& block = Block(stripe);
  if (outcome.kind == Outcome::Kind::kCancelled) {
    base::StripeAdd<uint64_t>(stripe, block.rq_cancelled, 1);
    return;
  }
  const bool succeeded = Succeeded(outcome);
  base::StripeAdd<uint64_t>(stripe,
                            succeeded ? block.rq_success : block.rq_error, 1);
  if (ConnectFailed(outcome)) {
    resilience::OnConnectFailure(host.state(),
                                 absl::ToUnixNanos(engine_->clock().Now()),
                                 slot.random.Next());
  } else if (outcome.kind == Outcome::Kind::kResponse) {
    resilience::OnConnectSuccess(host.state());
  }
  const model::OutlierDetection* outlier =
      cluster == nullptr ? nullptr : cluster->outlier();
  const bool split =
      outlier != nullptr && outlier->split_external_local_origin_errors;
  const resilience::HostResult result =
      resilience::ClassifyOutcome(outcome, split);
  model::HostCounters& counters = LastCounters(stripe);
  base::StripeAdd(stripe, counters.total, result.total());
  base::StripeAdd(stripe, counters.failed, result.failed());
  if (split) {
    base::StripeAdd(stripe, counters.local_total, result.local_total());
    base::StripeAdd(stripe, counters.local_failed, result.local_failed());
  }
  if (outlier == nullptr) return;
  const resilience::Thresholds reached =
      resilience::RecordResult(*outlier, host.state(), result);
  if (reached) cluster_->Attention(host, reached);
}

RetryDecision Call::Decide(base::ThreadSlot& slot,
                           const ClusterVersion* cluster,
                           const Outcome& outcome) {
  using Reason = RetryDecision::Reason;
  const bool succeeded = Succeeded(outcome);
  const Reason refused = outcome.kind == Outcome::Kind::kCancelled
                             ? Reason::kCancelled
                             : Reason::kNotRetriable;
  const bool no_policy =
      route_ == nullptr || (route_->implied_retry && retry_.retry_on == 0);
  if (no_policy || cluster == nullptr) {
    if (succeeded) return NoRetry(Reason::kSuccess);
    return NoRetry(no_policy && refused == Reason::kNotRetriable
                       ? Reason::kNoPolicy
                       : refused);
  }
  RetryDecision decision = route_->retry->Decide(
      outcome, retry_, slot.random, engine_->clock().Now(), deadline_);
  if (!decision.retry) {
    // To a client a 404 is no success, to a caller there is nothing to retry.
    if (succeeded && decision.reason == Reason::kNotRetriable) {
      decision.reason = Reason::kSuccess;
    }
    return decision;
  }
  StripeBlock& block = Block(slot.stripe);
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

void Call::GiveBack() {
  const base::Stripe stripe = engine_->slots().Current().stripe;
  if (open_) {
    Cancel(stripe);
  } else if (holds_retry_) {
    cluster_->breakers().Release(resilience::Resource::kRetries, priority_);
    holds_retry_ = false;
  }
  Forget(stripe);
  if (routes_ != nullptr) {
    routes_->AddUser(stripe, -1);
    routes_ = nullptr;
    route_ = nullptr;
  }
  if (faults_ != nullptr) EndFaults();
  engine_ = nullptr;
  attempts_ = 0;
}

}  // namespace meshlib::cluster
