#ifndef MESHLIB_MESH_GATE_H_
#define MESHLIB_MESH_GATE_H_

#include <atomic>
#include <cstdint>

#include "absl/status/status.h"

namespace meshlib::mesh {

// Whether a mesh may be used. Stands in a page of its own that the kernel
// clears in the child of a fork() (madvise(2), MADV_WIPEONFORK, Linux 4.14), so
// that one load tells: no handler, no getpid(). Thread-safe.
class Gate {
 public:
  enum State : uint8_t {
    kForked = 0,  // a copy in a child, whose threads do not exist
    kOpen = 1,
    kClosed = 2,  // takes nothing new
  };

  Gate();
  ~Gate();
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;

  // ResourceExhausted: there was no page, and the gate must not be used.
  absl::Status status() const;

  State state() const {
    // Relaxed: what a shutdown does is ordered by the locks of what it ends.
    return static_cast<State>(state_->load(std::memory_order_relaxed));
  }
  bool forked() const { return state() == kForked; }
  // Not in a child.
  void Close() { state_->store(kClosed, std::memory_order_relaxed); }

  // OK if it is open, else FailedPrecondition.
  absl::Status Check() const;

 private:
  std::atomic<uint8_t>* state_ = nullptr;  // the first byte of the page
};

}  // namespace meshlib::mesh

#endif  // MESHLIB_MESH_GATE_H_
