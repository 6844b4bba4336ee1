// A budget that cannot be exceeded proves nothing: each way to exceed it is
// planted here and must be seen.
#include "test/hotpath/hot_path_budget.h"

#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "gtest/gtest.h"
#include "test/hotpath/system_call_trap.h"

namespace meshlib::testing {
namespace {

// Keeps the compiler from removing an allocation that nobody looks at.
template <typename T>
void Keep(T* pointer) {
  asm volatile("" : : "g"(pointer) : "memory");
}

MakeHotPath Always(std::function<void()> body) {
  return [body] { return body; };
}

class HotPathBudgetTest : public HotPathBudget {};

TEST_F(HotPathBudgetTest, ArithmeticAndPreparedMemoryAreWithinIt) {
  ExpectNothingUsed([] {
    auto numbers = std::make_shared<std::vector<int>>(100, 1);
    return [numbers] {
      for (int& number : *numbers) ++number;
    };
  });
}

TEST_F(HotPathBudgetTest, TheFirstCallsMayUseWhatTheyLike) {
  ExpectNothingUsed([] {
    auto buffer = std::make_shared<std::string>();
    return [buffer] { buffer->assign(1000, 'x'); };
  });
}

TEST_F(HotPathBudgetTest, AnotherThreadDoesNotCount) {
  ExpectNothingUsed([] {
    auto stop = std::make_shared<std::atomic<bool>>(false);
    std::thread([stop] {
      while (!stop->load(std::memory_order_relaxed)) {
        Keep(std::make_unique<int>(1).get());
        std::this_thread::yield();
      }
    }).detach();
    return [] {};
  });
}

TEST_F(HotPathBudgetTest, FindsAnOperatorNew) {
  const HotPathUse use =
      MeasureHotPath(Always([] { Keep(std::make_unique<int>(1).get()); }));
  EXPECT_EQ(use.allocations, 1000u);
  EXPECT_EQ(use.frees, 1000u);
}

TEST_F(HotPathBudgetTest, FindsAnAlignedOperatorNew) {
  struct alignas(128) Wide {
    char data[128];
  };
  const HotPathUse use =
      MeasureHotPath(Always([] { Keep(std::make_unique<Wide>().get()); }));
  EXPECT_EQ(use.allocations, 1000u);
}

TEST_F(HotPathBudgetTest, FindsEveryKindOfMalloc) {
  const HotPathUse use = MeasureHotPath(Always([] {
    void* memory = std::malloc(10);
    Keep(memory);
    memory = std::realloc(memory, 100);
    Keep(memory);
    std::free(memory);
    memory = std::calloc(10, 10);
    Keep(memory);
    std::free(memory);
    if (posix_memalign(&memory, 64, 100) == 0) std::free(memory);
  }));
  EXPECT_EQ(use.allocations, 4000u);
  EXPECT_EQ(use.frees, 3000u);
}

TEST_F(HotPathBudgetTest, FindsAnAllocationInASharedLibrary) {
  const HotPathUse use = MeasureHotPath(Always([] {
    // libstdc++.so holds the code of std::string's growth.
    std::string text(20, 'x');
    Keep(&text);
  }));
  EXPECT_GE(use.allocations, 1000u);
}

TEST_F(HotPathBudgetTest, FindsOurMutex) {
  const HotPathUse use = MeasureHotPath([] {
    auto mutex = std::make_shared<base::Mutex>();
    return [mutex] { base::MutexLock lock(*mutex); };
  });
  EXPECT_EQ(use.locks, 1000u);
  EXPECT_EQ(use.allocations, 0u);
}

TEST_F(HotPathBudgetTest, FindsATriedMutex) {
  const HotPathUse use = MeasureHotPath([] {
    auto mutex = std::make_shared<std::mutex>();
    return [mutex] {
      if (mutex->try_lock()) mutex->unlock();
    };
  });
  EXPECT_EQ(use.locks, 1000u);
}

TEST_F(HotPathBudgetTest, FindsAReaderWriterLock) {
  const HotPathUse use = MeasureHotPath([] {
    auto mutex = std::make_shared<std::shared_mutex>();
    return [mutex] {
      { std::shared_lock<std::shared_mutex> lock(*mutex); }
      std::unique_lock<std::shared_mutex> lock(*mutex);
    };
  });
  EXPECT_EQ(use.locks, 2000u);
}

TEST_F(HotPathBudgetTest, EndsTheProcessAtASystemCall) {
  const HotPathUse use = MeasureHotPath(Always([] { syscall(SYS_getppid); }));
  if (!use.filter) GTEST_SKIP() << "this kernel has no seccomp filters";
  EXPECT_EQ(use.system_call, SYS_getppid);
  EXPECT_FALSE(use.finished);
  ASSERT_TRUE(WIFEXITED(use.status));
  EXPECT_EQ(WEXITSTATUS(use.status), kTrappedExitStatus);
}

TEST_F(HotPathBudgetTest, FindsASystemCallThatOnlyTheLastRunMakes) {
  const HotPathUse use = MeasureHotPath([] {
    auto run = std::make_shared<int>(0);
    return [run] {
      if (++*run == 2200) syscall(SYS_sched_yield);
    };
  });
  if (!use.filter) GTEST_SKIP() << "this kernel has no seccomp filters";
  EXPECT_EQ(use.system_call, SYS_sched_yield);
}

TEST_F(HotPathBudgetTest, ACrashIsNotAPass) {
  const HotPathUse use = MeasureHotPath(Always([] { std::abort(); }));
  EXPECT_FALSE(use.finished);
  EXPECT_TRUE(WIFSIGNALED(use.status));
}

}  // namespace
}  // namespace meshlib::testing
