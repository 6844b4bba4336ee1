#include "test/hotpath/hot_path_budget.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <new>

#include "test/hotpath/counting_allocator.h"
#include "test/hotpath/counting_locks.h"
#include "test/hotpath/system_call_trap.h"

namespace meshlib::testing {
namespace {

// What the child tells its parent, in memory that both see.
struct Shared {
  HotPathUse use;
  std::atomic<int> system_call{-1};
};

[[noreturn]] void RunChild(const MakeHotPath& make,
                           const HotPathOptions& options, Shared& shared) {
  const std::function<void()> body = make();
  for (int i = 0; i < options.warm_up; ++i) body();

  const AllocatorUse allocator = ThreadAllocatorUse();
  const uint64_t locks = ThreadLocksTaken();
  for (int i = 0; i < options.measured; ++i) body();
  const AllocatorUse after = ThreadAllocatorUse();
  shared.use.allocations = after.allocations - allocator.allocations;
  shared.use.frees = after.frees - allocator.frees;
  shared.use.locks = ThreadLocksTaken() - locks;

  shared.use.filter = TrapSystemCalls(&shared.system_call);
  if (shared.use.filter) {
    for (int i = 0; i < options.measured; ++i) body();
  }
  shared.use.finished = true;
  // Without destructors: they may use what they like, the filter would not.
  _exit(0);
}

}  // namespace

HotPathUse MeasureHotPath(const MakeHotPath& make,
                          const HotPathOptions& options) {
  void* memory = mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return {};
  auto* shared = new (memory) Shared;
  const pid_t child = fork();
  if (child == 0) RunChild(make, options, *shared);
  int status = 0;
  if (child > 0) waitpid(child, &status, 0);
  HotPathUse use = shared->use;
  use.system_call = shared->system_call.load(std::memory_order_relaxed);
  use.status = status;
  munmap(memory, sizeof(Shared));
  return use;
}

void HotPathBudget::ExpectNothingUsed(const MakeHotPath& make,
                                      const HotPathOptions& options) {
  const HotPathUse use = MeasureHotPath(make, options);
  EXPECT_EQ(use.allocations, 0u);
  EXPECT_EQ(use.frees, 0u);
  EXPECT_EQ(use.locks, 0u);
  EXPECT_EQ(use.system_call, -1) << "see <sys/syscall.h> for the number";
  EXPECT_TRUE(use.finished)
      << "the child ended with wait status " << use.status;
  if (use.finished && !use.filter) {
    GTEST_SKIP() << "this kernel has no seccomp filters";
  }
}

}  // namespace meshlib::testing
