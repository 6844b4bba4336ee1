#ifndef MESHLIB_RESILIENCE_RETRY_HOSTS_H_
#define MESHLIB_RESILIENCE_RETRY_HOSTS_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "model/host.h"
#include "model/metadata.h"
#include "model/route.h"

namespace meshlib::resilience {

// retry_host_predicate: which hosts a retry should rather not go to. Envoy
// picks again, up to host_selection_retry_max_attempts times, and takes the
// last pick whatever it is. Immutable, any number of threads, allocates
// nothing after its construction.
class HostPredicate {
 public:
  explicit HostPredicate(const model::RetryPolicy& config);

  // False: every host suits, there is nothing to ask.
  bool active() const {
    return previous_hosts_ || omit_canary_ || !omit_metadata_.empty();
  }

  // Whether another host should be picked instead of `host`; `attempted` are
  // the hosts of the request's earlier attempts. A host that an update
  // replaced is still the same if its state went on.
  bool Rejects(const model::Host& host,
               absl::Span<const model::Host* const> attempted) const;

  uint32_t max_attempts() const { return max_attempts_; }

 private:
  bool previous_hosts_;
  bool omit_canary_;
  std::vector<std::pair<std::string, model::Value>> omit_metadata_;
  uint32_t max_attempts_;
};

// retry_priority previous_priorities: the loads of the priorities for a
// retry. After every `update_frequency` attempts, the priorities attempted
// by then are left out and 100 % are spread over the others by availability;
// when none is left, all count again.
//
// `attempted` are the priorities of the attempts so far, in order; `healthy`
// and `degraded` are each priority's availability in percent, at most 100,
// as the priority load computes it (health_p, degraded_p). Writes the loads
// and returns true, or returns false where the usual loads are to be used.
// All four spans have one entry a priority, at most model::kMaxPriorities.
// Pure.
bool PreviousPrioritiesLoad(uint32_t update_frequency,
                            absl::Span<const uint32_t> attempted,
                            absl::Span<const uint32_t> healthy,
                            absl::Span<const uint32_t> degraded,
                            absl::Span<uint32_t> healthy_load,
                            absl::Span<uint32_t> degraded_load);

}  // namespace meshlib::resilience

#endif  // MESHLIB_RESILIENCE_RETRY_HOSTS_H_
