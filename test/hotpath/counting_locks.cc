#include "test/hotpath/counting_locks.h"

#include <dlfcn.h>
#include <pthread.h>

#include <atomic>

namespace meshlib::testing {
namespace {

thread_local uint64_t locks = 0;

// Counts, finds the function behind ours once, and calls it. Threads that
// come first together store the same address.
template <typename Lock>
int CountAndCall(const char* name, std::atomic<int (*)(Lock*)>& next,
                 Lock* lock) {
  ++locks;
  int (*function)(Lock*) = next.load(std::memory_order_relaxed);
  if (function == nullptr) {
    function = reinterpret_cast<int (*)(Lock*)>(dlsym(RTLD_NEXT, name));
    next.store(function, std::memory_order_relaxed);
  }
  return function(lock);
}

}  // namespace

uint64_t ThreadLocksTaken() { return locks; }

}  // namespace meshlib::testing

#define MESHLIB_COUNT_LOCK(name, type)                              \
  extern "C" __attribute__((visibility("default"))) int name(       \
      type* lock) noexcept {                                        \
    static std::atomic<int (*)(type*)> next{nullptr};               \
    return meshlib::testing::CountAndCall<type>(#name, next, lock); \
  }

MESHLIB_COUNT_LOCK(pthread_mutex_lock, pthread_mutex_t)
MESHLIB_COUNT_LOCK(pthread_mutex_trylock, pthread_mutex_t)
MESHLIB_COUNT_LOCK(pthread_rwlock_rdlock, pthread_rwlock_t)
MESHLIB_COUNT_LOCK(pthread_rwlock_tryrdlock, pthread_rwlock_t)
MESHLIB_COUNT_LOCK(pthread_rwlock_wrlock, pthread_rwlock_t)
MESHLIB_COUNT_LOCK(pthread_rwlock_trywrlock, pthread_rwlock_t)
MESHLIB_COUNT_LOCK(pthread_spin_lock, volatile int)
