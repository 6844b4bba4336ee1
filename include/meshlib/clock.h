#ifndef MESHLIB_CLOCK_H_
#define MESHLIB_CLOCK_H_

#include "absl/time/time.h"
#include "meshlib/export.h"

namespace meshlib {

// The time that a mesh lives by. Everything that waits, ages or expires in
// the library asks this interface, so that tests and simulations can run on
// virtual time.
//
// Implementations must be thread-safe, must not block, and must never go
// backwards. The mesh borrows its clock: it must outlive the mesh.
class MESHLIB_EXPORT Clock {
 public:
  virtual ~Clock() = default;
  virtual absl::Time Now() = 0;
};

// The machine's monotonic clock, shifted once so that it starts at the wall
// clock's time: later changes of the wall clock do not reach it. Stateless;
// lives as long as the process.
MESHLIB_EXPORT Clock* SystemClock();

}  // namespace meshlib

#endif  // MESHLIB_CLOCK_H_
