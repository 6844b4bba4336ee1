#ifndef MESHLIB_CLUSTER_CALL_H_
#define MESHLIB_CLUSTER_CALL_H_

#include <array>
#include <cstdint>
#include <string_view>

#include "absl/time/time.h"
#include "base/random.h"
#include "base/thread_slots.h"
#include "cluster/attempt.h"
#include "cluster/cluster_version.h"
#include "cluster/engine.h"
#include "cluster/route_binding.h"
#include "cluster/runtime_cluster.h"
#include "cluster/stripe_block.h"
#include "lb/balancer.h"
#include "lb/pick_context.h"
#include "meshlib/outcome.h"
#include "meshlib/pick.h"
#include "meshlib/request.h"
#include "resilience/fault.h"
#include "resilience/retry.h"

namespace meshlib::cluster {

// One request's way through the mesh, whatever its protocol: route, admit,
// pick, attempt, report, retry. A small value without heap memory (but where a
// fault is injected): it lives in a PickToken or in a client's stream, and may
// be moved byte by byte. One thread at a time.
//
//   call.Next(engine, target, request, host, attempt);  // Start() or Fail()
//   decision = call.End(outcome);                       // retry: Next() again
//   call.Release();                                     // always, at the end
class Call {
 public:
  Call() = default;
  // Of a connection, which Connected() and EndConnected() are for: it counts
  // among the requests in flight, but max_requests does not refuse it, as
  // Envoy's TCP pools have it.
  static Call ForConnection() {
    Call call;
    call.is_connection_ = true;
    return call;
  }

  // Begins the first attempt, or the next one of the same request. An attempt
  // that is still open counts as cancelled. `authority` stands in for the
  // request's own where that is empty.
  void Next(Engine& engine, uint32_t target, const Request& request,
            std::string_view authority, Attempt& attempt);

  // Ends the open attempt. Without one: kAlreadyReported, nothing changes.
  RetryDecision End(const Outcome& outcome);

  // For an attempt that lasts, a connection: it has been made. That is what it
  // counts as, at once; it goes on being in flight until EndConnected().
  void Connected();
  void EndConnected();

  // Gives back everything that the call holds. An open attempt counts as
  // cancelled. May be called again.
  void Release() {
    if (engine_ != nullptr) GiveBack();
  }

  // What Next() would choose for the first attempt of a request by that route
  // (null: none) on the thread of `slot`. Changes nothing; draws from `random`
  // what Next() would draw from the slot. Chance alone does not fail it:
  // kDropped is for what is always dropped. Costs time for each host.
  static lb::HostChoice Preview(Engine& engine, const base::ThreadSlot& slot,
                                base::Random& random, const Request& request,
                                const BoundRoute* route,
                                const ClusterVersion& cluster);

  // The part of the requests that drop_overloads drops, 0 to 1.
  static double DropProbability(const ClusterVersion& cluster);

  // Whether responses that are no errors may be retried too: such a response
  // must not reach the caller before End() has said so.
  bool judges_success() const { return retry_.judges_success; }

  bool open() const { return open_; }
  uint32_t attempts() const { return attempts_; }

 private:
  static constexpr uint32_t kTried = 6;  // remembered hosts
  // Attempts whose priority is remembered: what previous_priorities excludes
  // hangs on all of them, in order, so that none may be forgotten for a newer
  // one. Later attempts do not count any more.
  static constexpr uint32_t kTriedPriorities = 20;

  // What Next() works with.
  struct Scope {
    base::ThreadSlot& slot;
    const Snapshot& snapshot;
    const Request& request;
  };

  // What a host is chosen with.
  struct Draws {
    const Request& request;
    base::Random& random;
    lb::SlotState* turns;  // null: the stripe is not the thread's own
    uint32_t stripe;
    int64_t admitted;  // requests that this one counts as: 1, or 0

    lb::HostChoice Pick(const ClusterVersion& cluster,
                        const lb::PickContext& context) const {
      return turns != nullptr
                 ? cluster.balancer().Pick(*turns, context)
                 : cluster.balancer().PickStateless(random, context);
    }
  };

  void NextNormalized(base::ThreadSlot& slot, const TargetBinding& binding,
                      const Snapshot& snapshot, const Request& request,
                      std::string_view authority, Attempt& attempt);
  void Try(base::ThreadSlot& slot, const TargetBinding* binding,
           const Snapshot& snapshot, const Request& request, Attempt& attempt);
  PickFailure Route(const Scope& scope, const TargetBinding& binding,
                    const ClusterVersion*& cluster, Attempt& attempt);
  PickFailure Inject(const Scope& scope, const TargetBinding& binding,
                     const routing::RouteTable::Match& match, uint64_t random,
                     Attempt& attempt);
  struct Faults;
  static PickFailure Apply(const Scope& scope,
                           const resilience::CompiledFault& fault,
                           Faults& state, Attempt& attempt);
  uint64_t FaultRandom() const;
  void EndFaults();
  PickFailure Start(const Scope& scope, const ClusterVersion& cluster,
                    AttemptPlan& plan);
  static bool Dropped(const ClusterVersion& cluster, base::Random& random);
  lb::HostChoice Pick(const Draws& draws, const ClusterVersion& cluster) const;
  lb::HostChoice PickAgain(const Draws& draws, const ClusterVersion& cluster,
                           lb::PickContext& context,
                           lb::PriorityLoadOverride& loads) const;
  bool PassOver(const model::Host& host, uint32_t tries) const;
  bool OverrideLoads(const ClusterVersion& cluster,
                     lb::PriorityLoadOverride& loads) const;
  void AvoidBackoff(const Draws& draws, const ClusterVersion& cluster,
                    lb::PickContext context, lb::HostChoice& choice) const;
  void Enter(base::Stripe stripe, RuntimeCluster& cluster);
  void Remember(base::Stripe stripe, const model::Host& host,
                uint32_t priority);
  void Forget(base::Stripe stripe);
  void FillPlan(const Scope& scope, const ClusterVersion& cluster,
                const model::Host& host, AttemptPlan& plan);

  const model::Host& last_host() const { return *tried_[tried_count_ - 1]; }
  StripeBlock& Block(base::Stripe stripe);
  model::HostCounters& LastCounters(base::Stripe stripe);
  bool EndPlainSuccess(base::Stripe stripe);
  RetryDecision EndOther(base::ThreadSlot& slot, const Outcome& outcome);
  void TakeLoadReport(base::ThreadSlot& slot, const LoadReport& report) const;
  void CloseAttempt(base::Stripe stripe);
  void Cancel(base::Stripe stripe);
  void Record(base::ThreadSlot& slot, const ClusterVersion* cluster,
              const Outcome& outcome);
  RetryDecision Decide(base::ThreadSlot& slot, const ClusterVersion* cluster,
                       const Outcome& outcome);
  void GiveBack();

  Engine* engine_ = nullptr;           // null: nothing is held
  RuntimeCluster* cluster_ = nullptr;  // of the attempts so far
  // Where the thread stripe of the last attempt counts for the cluster and
  // for that host: other threads look theirs up.
  StripeBlock* block_ = nullptr;
  model::HostCounters* counters_ = nullptr;
  uint32_t stripe_ = 0;
  ClusterId cluster_id_ = kNoCluster;
  const RouteBinding* routes_ = nullptr;
  const BoundRoute* route_ = nullptr;  // of routes_; null: none
  uint16_t attempts_ = 0;
  int16_t weighted_index_ = -1;
  bool open_ = false;
  bool splits_errors_ = false;  // split_external_local_origin_errors
  bool holds_retry_ = false;    // of the breakers
  bool is_connection_ = false;
  model::RoutingPriority priority_ = model::RoutingPriority::kDefault;
  uint8_t tried_count_ = 0;
  std::array<uint8_t, kTriedPriorities> tried_priorities_;  // by attempt
  std::array<const model::Host*, kTried> tried_;  // the last ones, pinned
  resilience::RetryState retry_;
  absl::Time deadline_ = absl::InfiniteFuture();  // of a request with retries
  // What fault filters have done to the request; null: nothing.
  Faults* faults_ = nullptr;
};

}  // namespace meshlib::cluster

#endif  // MESHLIB_CLUSTER_CALL_H_
