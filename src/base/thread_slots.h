#ifndef MESHLIB_BASE_THREAD_SLOTS_H_
#define MESHLIB_BASE_THREAD_SLOTS_H_

#include <atomic>
#include <cstdint>
#include <memory>

#include "base/random.h"
#include "base/stripe.h"

namespace meshlib::base {

// One thread's place in one ThreadSlots. Only its thread uses it, except
// for `epoch`, which the publisher reads.
struct alignas(64) ThreadSlot {
  // The epoch in which the thread entered its present read section; 0 outside
  // of one. Pairs with the scan in ThreadSlots::OldestReader.
  std::atomic<uint64_t> epoch{0};
  Stripe stripe;
  Random random{0};
  uint32_t depth = 0;  // of nested read sections
};

// The threads that use one mesh, and what protects what they read.
//
// Readers: `ReadSection section(slots)` makes everything that was published
// when it began stay alive until it ends. It costs two plain stores: the
// fence that an epoch scheme needs is paid by the publisher with membarrier(2)
// (Linux; elsewhere, and under ThreadSanitizer, readers issue the fence).
//
// Publisher (one thread at a time): replace the pointer that readers load,
// then `const uint64_t epoch = Advance()`; what was replaced may be destroyed
// once `OldestReader() >= epoch`. A thread that is not in a read section
// holds nothing back.
//
// Epoch-based reclamation after K. Fraser, "Practical lock-freedom" (2004).
// Thread-safe.
class ThreadSlots {
 public:
  // At most `exclusive_stripes` threads at a time have a stripe of their own;
  // further ones share the last stripe. `seed` starts each slot's generator.
  ThreadSlots(uint32_t exclusive_stripes, uint64_t seed);
  ~ThreadSlots();
  ThreadSlots(const ThreadSlots&) = delete;
  ThreadSlots& operator=(const ThreadSlots&) = delete;

  // The calling thread's slot. Locks and allocates on a thread's first call
  // only; the slot is given back when the thread ends.
  ThreadSlot& Current() {
    if (cache_.owner == impl_.get()) return *cache_.slot;
    return Register();
  }

  // Stripe indices are below this.
  uint32_t stripes() const { return stripes_; }

  uint64_t Advance();
  uint64_t OldestReader() const;  // UINT64_MAX if nobody reads

  // Whether the publisher pays for the readers' fence.
  bool asymmetric() const { return asymmetric_; }

 private:
  friend class ReadSection;
  struct Impl;
  struct Cache {
    const void* owner;
    ThreadSlot* slot;
  };
  struct Registrations;
  static Registrations& OfThread();

  // The slot that the thread used last. Initial-exec: one load instead of a
  // call, also in a shared library.
  static thread_local Cache cache_ __attribute__((tls_model("initial-exec")));

  ThreadSlot& Register();

  const uint32_t stripes_;
  const bool asymmetric_;
  std::atomic<uint64_t> epoch_{1};
  // Shared with the registrations of threads, which may outlive this.
  std::shared_ptr<Impl> impl_;
};

// See ThreadSlots. May be nested. Not copyable; lives on the stack.
class ReadSection {
 public:
  explicit ReadSection(ThreadSlots& slots)
      : ReadSection(slots, slots.Current()) {}
  ReadSection(ThreadSlots& slots, ThreadSlot& slot) : slot_(slot) {
    if (slot_.depth++ != 0) return;
    // Acquire pairs with Advance(): who sees a new epoch sees what was
    // published before it. An older one only holds back more.
    const uint64_t epoch = slots.epoch_.load(std::memory_order_acquire);
    slot_.epoch.store(epoch, std::memory_order_relaxed);
    // The store must be visible before anything published is loaded. Pairs
    // with membarrier, or with the fence, in Advance().
    if (slots.asymmetric_) {
      std::atomic_signal_fence(std::memory_order_seq_cst);
    } else {
      std::atomic_thread_fence(std::memory_order_seq_cst);
    }
  }
  ~ReadSection() {
    if (--slot_.depth != 0) return;
    // Release: what was read stays before. Pairs with the acquire load in
    // OldestReader().
    slot_.epoch.store(0, std::memory_order_release);
  }
  ReadSection(const ReadSection&) = delete;
  ReadSection& operator=(const ReadSection&) = delete;

 private:
  ThreadSlot& slot_;
};

}  // namespace meshlib::base

#endif  // MESHLIB_BASE_THREAD_SLOTS_H_
