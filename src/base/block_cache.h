#ifndef MESHLIB_BASE_BLOCK_CACHE_H_
#define MESHLIB_BASE_BLOCK_CACHE_H_

#include <atomic>
#include <cstddef>
#include <memory>
#include <new>
#include <utility>

namespace meshlib::base {

// Blocks of memory of one size, kept to be used again: for objects too large
// for what the system's allocator keeps for each thread, which takes several
// times as long for them. Thread-safe; nobody waits: while one thread is in it,
// the others allocate as ever. So it may be used after a fork(), too.
class BlockCache {
 public:
  // Keeps at most so many blocks, of the first size that is asked for.
  explicit BlockCache(size_t most) : most_(kKeeps ? most : 0) {}
  ~BlockCache() {
    while (first_ != nullptr) ::operator delete(Pop());
  }
  BlockCache(const BlockCache&) = delete;
  BlockCache& operator=(const BlockCache&) = delete;

  void* Take(size_t size) {
    void* kept = nullptr;
    if (TryEnter()) {
      if (size_ == 0 && size >= sizeof(Block)) size_ = size;
      if (size == size_ && first_ != nullptr) kept = Pop();
      Leave();
    }
    return kept != nullptr ? kept : ::operator new(size);
  }

  void Give(void* block, size_t size) {
    bool kept = false;
    if (TryEnter()) {
      kept = size == size_ && count_ < most_;
      if (kept) {
        first_ = new (block) Block{first_};
        ++count_;
      }
      Leave();
    }
    if (!kept) ::operator delete(block);
  }

 private:
  struct Block {
    Block* next;
  };

  // What follows sees what the thread before did in it.
  bool TryEnter() { return !busy_.exchange(true, std::memory_order_acquire); }
  void Leave() { busy_.store(false, std::memory_order_release); }

  void* Pop() {
    --count_;
    return std::exchange(first_, first_->next);
  }

#ifdef __SANITIZE_ADDRESS__
  static constexpr bool kKeeps = false;  // shows what is used too late
#else
  static constexpr bool kKeeps = true;
#endif

  const size_t most_;
  std::atomic<bool> busy_{false};
  // Of the thread that has entered.
  size_t size_ = 0;
  size_t count_ = 0;
  Block* first_ = nullptr;
};

// An allocator over a BlockCache, for std::allocate_shared().
template <typename T>
class CachedAllocator {
 public:
  using value_type = T;

  explicit CachedAllocator(std::shared_ptr<BlockCache> cache)
      : cache_(std::move(cache)) {}
  template <typename U>
  CachedAllocator(const CachedAllocator<U>& other)  // NOLINT: an allocator's
      : cache_(other.cache()) {}

  T* allocate(size_t count) {
    static_assert(alignof(T) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__);
    return static_cast<T*>(cache_->Take(count * sizeof(T)));
  }
  void deallocate(T* block, size_t count) {
    cache_->Give(block, count * sizeof(T));
  }
  const std::shared_ptr<BlockCache>& cache() const { return cache_; }
  template <typename U>
  bool operator==(const CachedAllocator<U>& other) const {
    return cache_ == other.cache();
  }
  template <typename U>
  bool operator!=(const CachedAllocator<U>& other) const {
    return cache_ != other.cache();
  }

 private:
  std::shared_ptr<BlockCache> cache_;
};

}  // namespace meshlib::base

#endif  // MESHLIB_BASE_BLOCK_CACHE_H_
