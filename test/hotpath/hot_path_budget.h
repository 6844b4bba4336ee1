#ifndef MESHLIB_TEST_HOTPATH_HOT_PATH_BUDGET_H_
#define MESHLIB_TEST_HOTPATH_HOT_PATH_BUDGET_H_

#include <cstdint>
#include <functional>
#include <string>

#include "gtest/gtest.h"

namespace meshlib::testing {

// What a body of code used of what the hot path may not use.
struct HotPathUse {
  uint64_t allocations = 0;
  uint64_t frees = 0;
  uint64_t locks = 0;
  int system_call = -1;   // the number of the first one, or -1
  bool filter = false;    // whether system calls were looked for
  bool finished = false;  // whether the body ran to its end
  int status = 0;         // as waitpid() gives it
};

// Builds what the body needs (a mesh, a target) and returns the body. Both run
// in a child process, so that the child owns its threads.
using MakeHotPath = std::function<std::function<void()>()>;

struct HotPathOptions {
  int warm_up = 200;  // runs that may use what they like: first calls do
  int measured = 1000;
};

// Runs the body in a child process: first warm_up times freely, then counted,
// then with a filter that ends the process at the first system call.
HotPathUse MeasureHotPath(const MakeHotPath& make,
                          const HotPathOptions& options = {});

// The fixture for tests of the budget:
//   TEST_F(PickBudget, ...) { ExpectNothingUsed([] { ...; return body; }); }
class HotPathBudget : public ::testing::Test {
 protected:
  // Fails with what was used; skips the part about system calls where the
  // kernel has no filters.
  static void ExpectNothingUsed(const MakeHotPath& make,
                                const HotPathOptions& options = {});
};

}  // namespace meshlib::testing

#endif  // MESHLIB_TEST_HOTPATH_HOT_PATH_BUDGET_H_
