#ifndef MESHLIB_CLUSTER_CALL_H_
#define MESHLIB_CLUSTER_CALL_H_

#include <array>
#include <cstdint>
#include <optional>

#include "absl/time/time.h"
#include "base/thread_slots.h"
#include "cluster/attempt.h"
#include "cluster/engine.h"
#include "cluster/route_binding.h"
#include "cluster/runtime_cluster.h"
#include "lb/balancer.h"
#include "lb/pick_context.h"
#include "meshlib/outcome.h"
#include "meshlib/pick.h"
#include "meshlib/request.h"
#include "resilience/retry.h"

namespace meshlib::cluster {

// One request's way through the mesh, whatever its protocol: route, admit,
// pick, attempt, report, retry. A small value without heap memory: it lives in
// a PickToken or in a client's stream, and may be moved byte by byte. One
// thread at a time.
//
//   call.Next(engine, target, request, attempt);   // Start() or Fail()
//   decision = call.End(outcome);                  // retry: Next() again
//   call.Release();                                // always, at the end
class Call {
 public:
  Call() = default;

  // Begins the first attempt, or the next one of the same request. An attempt
  // that is still open counts as cancelled.
  void Next(Engine& engine, uint32_t target, const Request& request,
            Attempt& attempt);

  // Ends the open attempt. Without one: kAlreadyReported, nothing changes.
  RetryDecision End(const Outcome& outcome);

  // Gives back everything that the call holds. An open attempt counts as
  // cancelled. May be called again.
  void Release();

  bool open() const { return open_; }
  uint32_t attempts() const { return attempts_; }

 private:
  static constexpr uint32_t kTried = 6;  // remembered hosts

  // What Next() works with.
  struct Scope {
    base::ThreadSlot& slot;
    const Snapshot& snapshot;
    const Request& request;
  };

  PickFailure Route(const Scope& scope, uint32_t target);
  PickFailure EnterCluster(const Scope& scope, ClusterId id);
  PickFailure TryNext(const Scope& scope, uint32_t target, AttemptPlan& plan);
  PickFailure Admit(const Scope& scope, const ClusterVersion& cluster);
  lb::HostChoice Pick(const Scope& scope, const ClusterVersion& cluster);
  lb::HostChoice PickOnce(const Scope& scope, const ClusterVersion& cluster,
                          const lb::PickContext& context);
  bool PassOver(const model::Host& host, uint32_t tries);
  bool OverrideLoads(const ClusterVersion& cluster,
                     lb::PriorityLoadOverride& loads) const;
  void AvoidBackoff(const Scope& scope, const ClusterVersion& cluster,
                    lb::PickContext context, lb::HostChoice& choice);
  void Remember(base::Stripe stripe, StripeBlock& block,
                const model::Host& host, uint32_t priority);
  void Forget(base::Stripe stripe);
  void CloseAttempt(base::Stripe stripe);
  void Record(base::Stripe stripe, const ClusterVersion* cluster,
              const Outcome& outcome);
  RetryDecision Decide(base::ThreadSlot& slot, const ClusterVersion* cluster,
                       const Outcome& outcome);
  void FillPlan(const Scope& scope, const ClusterVersion& cluster,
                AttemptPlan& plan) const;
  Engine* engine_ = nullptr;           // null: nothing is held
  RuntimeCluster* cluster_ = nullptr;  // of the attempts so far
  const RouteBinding* routes_ = nullptr;
  const BoundRoute* route_ = nullptr;             // of routes_; null: none
  std::array<const model::Host*, kTried> tried_;  // the last ones, pinned
  std::array<uint8_t, kTried> tried_priorities_;
  uint8_t tried_count_ = 0;
  bool open_ = false;
  bool counted_active_ = false;  // in HostState::active
  bool holds_retry_ = false;     // of the breakers
  model::RoutingPriority priority_ = model::RoutingPriority::kDefault;
  int16_t weighted_index_ = -1;
  uint16_t attempts_ = 0;
  ClusterId cluster_id_ = kNoCluster;
  resilience::RetryState retry_;
};

}  // namespace meshlib::cluster

#endif  // MESHLIB_CLUSTER_CALL_H_
