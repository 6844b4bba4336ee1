#ifndef MESHLIB_TARGET_H_
#define MESHLIB_TARGET_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "meshlib/explain.h"
#include "meshlib/export.h"
#include "meshlib/outcome.h"
#include "meshlib/pick.h"
#include "meshlib/request.h"

namespace meshlib {

namespace mesh {
class Core;
class TargetAccess;
}  // namespace mesh

// One authority that a mesh resolved: the place where requests to it are
// routed and balanced, and where their attempts are reported.
//
// Cheap to copy. Thread-safe: Pick() and Report() never block, lock, allocate
// or make a system call after a thread's first call, but for one: a report
// that brings a host to a threshold of outlier detection wakes the mesh's
// thread if that sleeps. A Target may outlive its Mesh: its
// picks then fail with kShutdown.
//
//   meshlib::PickResult pick = target.Pick(request);
//   while (pick.ok()) {
//     const meshlib::Outcome outcome = Send(pick.address, ...);
//     const auto decision = target.Report(pick.token, outcome);
//     if (!decision.retry) break;
//     Sleep(decision.after);
//     pick = target.Pick(request, std::move(pick.token));
//   }
class MESHLIB_EXPORT Target {
 public:
  Target(const Target&);
  Target& operator=(const Target&);
  Target(Target&&) noexcept;
  Target& operator=(Target&&) noexcept;
  ~Target();

  // Chooses a host for a request's first attempt. An empty
  // `request.authority` means this target's.
  PickResult Pick(const Request& request = {}) const;

  // For a further attempt of the same request: `previous` is the token of
  // the attempt before, reported or not (then it counts as cancelled). Avoids
  // the hosts that were tried, as the route's retry_host_predicate says.
  PickResult Pick(const Request& request, PickToken previous) const;

  // Says how the attempt ended and learns whether and when to try again.
  // A token that is not open gives kAlreadyReported and changes nothing.
  RetryDecision Report(PickToken& token, const Outcome& outcome) const;

  // Waits until a pick succeeds, fails for a reason that waiting does not
  // mend, or `deadline` passes (wait-for-ready). Blocks the calling thread.
  PickResult WaitForPick(const Request& request, absl::Time deadline) const;

  // What Pick(request) on this thread would do now and why. Allocates; changes
  // nothing. A policy of the application is asked with a new state.
  Explanation Explain(const Request& request) const;

  const std::string& authority() const;

 private:
  friend class Mesh;
  friend class mesh::TargetAccess;
  struct State;
  explicit Target(std::shared_ptr<State> state);

  class PickAttempt;
  void PickInto(const Request& request, PickResult& result) const;

  std::shared_ptr<State> state_;
};

}  // namespace meshlib

#endif  // MESHLIB_TARGET_H_
