#ifndef MESHLIB_BASE_MUTEX_H_
#define MESHLIB_BASE_MUTEX_H_

#include <condition_variable>
#include <mutex>

#include "absl/time/time.h"

#if defined(__clang__)
#define MESHLIB_THREAD_ANNOTATION(x) __attribute__((x))
#else
#define MESHLIB_THREAD_ANNOTATION(x)
#endif

#define MESHLIB_CAPABILITY(x) MESHLIB_THREAD_ANNOTATION(capability(x))
#define MESHLIB_SCOPED_CAPABILITY MESHLIB_THREAD_ANNOTATION(scoped_lockable)
#define MESHLIB_GUARDED_BY(x) MESHLIB_THREAD_ANNOTATION(guarded_by(x))
#define MESHLIB_REQUIRES(x) MESHLIB_THREAD_ANNOTATION(requires_capability(x))
#define MESHLIB_EXCLUDES(x) MESHLIB_THREAD_ANNOTATION(locks_excluded(x))
#define MESHLIB_ACQUIRE(...) \
  MESHLIB_THREAD_ANNOTATION(acquire_capability(__VA_ARGS__))
#define MESHLIB_RELEASE(...) \
  MESHLIB_THREAD_ANNOTATION(release_capability(__VA_ARGS__))

namespace meshlib::base {

// A std::mutex that Clang's thread-safety analysis understands. The library
// uses no other: ThreadSanitizer instruments std::mutex, while an
// absl::Mutex from an uninstrumented package gives it false races.
class MESHLIB_CAPABILITY("mutex") Mutex {
 public:
  Mutex() = default;
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

  void Lock() MESHLIB_ACQUIRE() { mutex_.lock(); }
  void Unlock() MESHLIB_RELEASE() { mutex_.unlock(); }

 private:
  friend class CondVar;
  std::mutex mutex_;
};

class MESHLIB_SCOPED_CAPABILITY MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) MESHLIB_ACQUIRE(mutex) : mutex_(mutex) {
    mutex_.Lock();
  }
  ~MutexLock() MESHLIB_RELEASE() { mutex_.Unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

// A condition variable for Mutex. Spurious wake-ups happen: wait in a loop.
class CondVar {
 public:
  void Wait(Mutex& mutex) MESHLIB_REQUIRES(mutex) {
    std::unique_lock<std::mutex> lock(mutex.mutex_, std::adopt_lock);
    condition_.wait(lock);
    lock.release();
  }
  // Returns early on a notification; `timeout` is real time.
  void WaitFor(Mutex& mutex, absl::Duration timeout) MESHLIB_REQUIRES(mutex) {
    std::unique_lock<std::mutex> lock(mutex.mutex_, std::adopt_lock);
    condition_.wait_for(lock, absl::ToChronoNanoseconds(timeout));
    lock.release();
  }
  void NotifyOne() { condition_.notify_one(); }
  void NotifyAll() { condition_.notify_all(); }

 private:
  std::condition_variable condition_;
};

}  // namespace meshlib::base

#endif  // MESHLIB_BASE_MUTEX_H_
