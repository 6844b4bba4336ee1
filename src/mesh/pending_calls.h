#ifndef MESHLIB_MESH_PENDING_CALLS_H_
#define MESHLIB_MESH_PENDING_CALLS_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <memory>

#include "absl/time/time.h"
#include "base/mutex.h"

namespace meshlib::mesh {

// A call that PendingCalls knows of. Belongs to whoever made it.
class PendingCall {
 public:
  PendingCall() = default;
  PendingCall(const PendingCall&) = delete;
  PendingCall& operator=(const PendingCall&) = delete;

  // Whether the call has to end now. Thread-safe.
  bool aborted() const {
    // Acquire pairs with the release in PendingCalls::AbortAll().
    return aborted_.load(std::memory_order_acquire);
  }

 protected:
  virtual ~PendingCall() = default;  // after Remove()

  // Keeps the call alive while it is told; null: it looks for itself.
  // With a lock held.
  virtual std::shared_ptr<PendingCall> Hold() { return nullptr; }
  // aborted() is true now. On any thread, without locks.
  virtual void OnAbort() {}

 private:
  friend class PendingCalls;
  PendingCall* before_ = nullptr;
  PendingCall* after_ = nullptr;
  size_t shard_ = 0;
  bool listed_ = false;
  std::atomic<bool> aborted_{false};
};

// The calls of a mesh that are not over, callbacks included, so that a
// shutdown can wait for them and end them. Thread-safe.
class PendingCalls {
 public:
  // The call is in flight from now on, until Remove(). False: the mesh takes
  // no more. Calls of different `stripe` do not disturb each other.
  bool Add(size_t stripe, PendingCall& call);
  // Does nothing to a call that was not added.
  void Remove(PendingCall& call);

  void Refuse();
  bool refusing() const { return refusing_.load(std::memory_order_acquire); }
  // After Refuse(). Once it is empty it stays so.
  bool empty() const;
  // After Refuse(). Waits until there are none, or for `longest` of real
  // time; less now and then.
  void WaitEmpty(absl::Duration longest);

  // Every call has to end, those that wait in Sleep() too.
  void AbortAll();
  // Waits for `time` of real time; returns early once AbortAll() was called,
  // or without a reason.
  void Sleep(absl::Duration time);

 private:
  struct alignas(64) Shard {
    mutable base::Mutex mutex;
    PendingCall* first MESHLIB_GUARDED_BY(mutex) = nullptr;
  };

  std::array<Shard, 16> shards_;
  std::atomic<bool> refusing_{false};

  base::Mutex mutex_;
  base::CondVar changed_;  // empty, or aborting
  bool aborting_ MESHLIB_GUARDED_BY(mutex_) = false;
};

}  // namespace meshlib::mesh

#endif  // MESHLIB_MESH_PENDING_CALLS_H_
