#include "base/thread_slots.h"

#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <deque>
#include <utility>
#include <vector>

#include "base/mutex.h"

#if defined(__linux__)
#include <linux/membarrier.h>
#include <sys/syscall.h>
#endif

#if defined(MESHLIB_TSAN)
// The build says so.
#elif defined(__SANITIZE_THREAD__)
#define MESHLIB_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define MESHLIB_TSAN 1
#endif
#endif

namespace meshlib::base {
namespace {

// ThreadSanitizer does not see membarrier.
bool RegisterMembarrier() {
#if defined(__linux__) && !defined(MESHLIB_TSAN)
  const long commands = syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);
  if (commands < 0 || (commands & MEMBARRIER_CMD_PRIVATE_EXPEDITED) == 0) {
    return false;
  }
  return syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0,
                 0) == 0;
#else
  return false;
#endif
}

// Whether what the thread had to give back at its end was given back. The main
// thread may go on after that, in the destructors of static objects; this one
// has no destructor.
thread_local bool thread_ended = false;

void Membarrier() {
#if defined(__linux__) && !defined(MESHLIB_TSAN)
  syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);
#endif
}

}  // namespace

struct ThreadSlots::Impl {
  Impl(uint32_t exclusive, uint64_t seed) : seeds(seed) {
    free_stripes.reserve(exclusive);
    for (uint32_t i = exclusive; i > 0; --i) free_stripes.push_back(i - 1);
    shared_stripe = exclusive;
  }

  ThreadSlot* Take() {
    MutexLock lock(mutex);
    ThreadSlot* slot;
    if (free_slots.empty()) {
      slot = &slots.emplace_back();
    } else {
      slot = free_slots.back();
      free_slots.pop_back();
    }
    if (free_stripes.empty()) {
      slot->stripe = {shared_stripe, false};
    } else {
      slot->stripe = {free_stripes.back(), true};
      free_stripes.pop_back();
    }
    slot->random = Random(seeds.Next());
    return slot;
  }

  void GiveBack(ThreadSlot* slot) {
    // In the child of a fork() another thread may have held the lock.
    if (getpid() != process) return;
    MutexLock lock(mutex);
    if (slot->stripe.exclusive) free_stripes.push_back(slot->stripe.index);
    free_slots.push_back(slot);
  }

  Mutex mutex;
  std::deque<ThreadSlot> slots MESHLIB_GUARDED_BY(mutex);
  std::vector<ThreadSlot*> free_slots MESHLIB_GUARDED_BY(mutex);
  std::vector<uint32_t> free_stripes MESHLIB_GUARDED_BY(mutex);
  Random seeds MESHLIB_GUARDED_BY(mutex);
  const pid_t process = getpid();
  uint32_t shared_stripe = 0;
  std::atomic<bool> closed{false};
};

// A thread's slots in all the meshes that it uses; gives them back when the
// thread ends.
struct ThreadSlots::Registrations {
  struct Entry {
    std::shared_ptr<Impl> impl;
    ThreadSlot* slot;
  };

  ~Registrations() {
    thread_ended = true;
    for (const Entry& entry : entries) entry.impl->GiveBack(entry.slot);
    cache_ = {nullptr, nullptr};
  }

  void DropClosed() {
    const auto closed = [](const Entry& entry) {
      return entry.impl->closed.load(std::memory_order_acquire);
    };
    entries.erase(std::remove_if(entries.begin(), entries.end(), closed),
                  entries.end());
  }

  std::vector<Entry> entries;
};

thread_local ThreadSlots::Cache ThreadSlots::cache_ = {nullptr, nullptr};

ThreadSlots::ThreadSlots(uint32_t exclusive_stripes, uint64_t seed)
    : stripes_(exclusive_stripes + 1),
      asymmetric_(RegisterMembarrier()),
      impl_(std::make_shared<Impl>(exclusive_stripes, seed)) {}

ThreadSlots::~ThreadSlots() {
  // Release pairs with the acquire in DropClosed.
  impl_->closed.store(true, std::memory_order_release);
}

ThreadSlots::Registrations& ThreadSlots::OfThread() {
  if (thread_ended) {
    thread_local Registrations* const late = new Registrations;  // for good
    return *late;
  }
  thread_local Registrations registrations;
  return registrations;
}

ThreadSlot& ThreadSlots::Register() {
  Registrations& registrations = OfThread();
  for (const Registrations::Entry& entry : registrations.entries) {
    if (entry.impl == impl_) {
      cache_ = {impl_.get(), entry.slot};
      return *entry.slot;
    }
  }
  cache_ = {nullptr, nullptr};  // it may point into what is dropped now
  registrations.DropClosed();
  ThreadSlot* slot = impl_->Take();
  registrations.entries.push_back({impl_, slot});
  cache_ = {impl_.get(), slot};
  return *slot;
}

uint64_t ThreadSlots::Advance() {
  // Seq_cst: after what was published, before the scan of the readers.
  const uint64_t epoch = epoch_.fetch_add(1, std::memory_order_seq_cst) + 1;
  if (asymmetric_) {
    Membarrier();
  } else {
    std::atomic_thread_fence(std::memory_order_seq_cst);
  }
  return epoch;
}

uint64_t ThreadSlots::OldestReader() const {
  uint64_t oldest = UINT64_MAX;
  MutexLock lock(impl_->mutex);
  for (const ThreadSlot& slot : impl_->slots) {
    // Acquire pairs with the release at the end of a read section.
    const uint64_t epoch = slot.epoch.load(std::memory_order_acquire);
    if (epoch != 0) oldest = std::min(oldest, epoch);
  }
  return oldest;
}

}  // namespace meshlib::base
