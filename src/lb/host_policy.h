#ifndef MESHLIB_LB_HOST_POLICY_H_
#define MESHLIB_LB_HOST_POLICY_H_

#include <cstdint>
#include <memory>

#include "base/random.h"
#include "lb/edf_scheduler.h"
#include "lb/host_source.h"
#include "lb/look_ahead.h"
#include "lb/pick_context.h"
#include "lb/slow_start.h"
#include "lb/weighted_round_robin/static_stride.h"
#include "model/cluster.h"
#include "model/host.h"

namespace meshlib::lb {

// What one thread slot keeps for one host source. Which members a policy
// uses is its own affair.
struct SourceState {
  uint32_t next = 0;                  // round robin's index
  StaticStride::Turn turn;            // client-side weighted round robin's
  LookAhead ahead;                    // drawn for the next picks
  std::unique_ptr<WrrScheduler> wrr;  // weights that stay
  std::unique_ptr<EdfScheduler> edf;  // weights that change
  std::unique_ptr<LoadBalancer::State> custom;

  // Goes on where `from`, of the same source, is. Only the application could
  // copy `custom`.
  void CopyTurns(const SourceState& from) {
    next = from.next;
    turn = from.turn;
    ahead = from.ahead;
    if (from.wrr != nullptr) wrr = std::make_unique<WrrScheduler>(*from.wrr);
    if (from.edf != nullptr) edf = std::make_unique<EdfScheduler>(*from.edf);
  }
};

// Chooses one host of a source. Immutable, thread-safe: what changes is in the
// SourceState. Pick never allocates or blocks; no source is empty.
class HostPolicy {
 public:
  virtual ~HostPolicy() = default;

  // Whether unequal weights matter, so that sources must carry them.
  virtual bool uses_weights() const { return true; }

  // Completes a new source, which has its hosts. On the control thread.
  virtual void Adopt(HostSource* source, int64_t now_ns) const {}
  // Takes over what the hosts reported since. On the control thread.
  virtual void UpdateWeights(const HostSource& source, int64_t now_ns) const {}

  virtual void Prepare(const HostSource& source, uint64_t seed, int64_t now_ns,
                       SourceState* state) const {}
  virtual const model::Host* Pick(const HostSource& source, SourceState& state,
                                  base::Random& random,
                                  const PickContext& context) const = 0;
  // Without a slot: draws by weight instead of keeping turns.
  virtual const model::Host* PickStateless(
      const HostSource& source, base::Random& random,
      const PickContext& context) const = 0;
};

}  // namespace meshlib::lb

#endif  // MESHLIB_LB_HOST_POLICY_H_
