#ifndef MESHLIB_CLUSTER_STRIPE_BLOCK_H_
#define MESHLIB_CLUSTER_STRIPE_BLOCK_H_

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>

#include "base/mutex.h"
#include "base/stripe.h"
#include "model/host_counters.h"

namespace meshlib::cluster {

// What one thread stripe counts for one cluster.
struct alignas(64) StripeBlock {
  // Tokens that refer to the cluster; the sum over the stripes counts.
  std::atomic<int64_t> tokens{0};
  std::atomic<uint64_t> rq_total{0};    // attempts picked
  std::atomic<uint64_t> rq_success{0};  // attempts that succeeded
  std::atomic<uint64_t> rq_error{0};
  std::atomic<uint64_t> rq_cancelled{0};
  std::atomic<uint64_t> rq_retry{0};
  std::atomic<uint64_t> rq_retry_overflow{0};
  std::atomic<uint64_t> rq_overflow{0};  // refused by max_requests
  std::atomic<uint64_t> rq_no_host{0};
  model::HostCounterTable hosts;
};

// The stripe blocks of one cluster. A block is made when its stripe first
// touches the cluster, and then stays.
class StripeBlocks {
 public:
  explicit StripeBlocks(uint32_t stripes)
      : count_(stripes),
        blocks_(new std::atomic<StripeBlock*>[stripes]),
        tables_(new std::atomic<const model::HostCounterTable*>[stripes]) {
    for (uint32_t i = 0; i < stripes; ++i) {
      blocks_[i].store(nullptr, std::memory_order_relaxed);
      tables_[i].store(nullptr, std::memory_order_relaxed);
    }
  }
  ~StripeBlocks() {
    for (uint32_t i = 0; i < count_; ++i) {
      delete blocks_[i].load(std::memory_order_relaxed);
    }
  }
  StripeBlocks(const StripeBlocks&) = delete;
  StripeBlocks& operator=(const StripeBlocks&) = delete;

  // The block of `stripe`. Allocates on the first call for a stripe.
  StripeBlock& Get(base::Stripe stripe) {
    StripeBlock* block = blocks_[stripe.index].load(std::memory_order_acquire);
    return block != nullptr ? *block : Make(stripe.index);
  }

  // Makes the host counters of every block cover `hosts` indices. To be
  // called before a host with such an index can be picked.
  void Reserve(uint32_t hosts) {
    base::MutexLock lock(mutex_);
    reserved_ = std::max(reserved_, hosts);
    for (uint32_t i = 0; i < count_; ++i) {
      StripeBlock* block = blocks_[i].load(std::memory_order_relaxed);
      if (block != nullptr) block->hosts.Reserve(reserved_);
    }
  }

  // A view that lives as long as this.
  model::ActiveRequests active() const {
    return model::ActiveRequests(tables_.get(), &used_);
  }

  // Calls f(const StripeBlock&) for every block there is.
  template <typename F>
  void ForEach(F&& f) const {
    for (uint32_t i = 0; i < count_; ++i) {
      const StripeBlock* block = blocks_[i].load(std::memory_order_acquire);
      if (block != nullptr) f(*block);
    }
  }

  // Whether tokens refer to the host with this index. Exact for a host that
  // can no longer be picked: then the counts only fall, and no is final.
  bool Used(uint32_t host_index) const {
    int64_t sum = 0;
    ForEach([&](const StripeBlock& block) {
      const model::HostCounters* counters = block.hosts.At(host_index);
      if (counters != nullptr) {
        sum += counters->uses.load(std::memory_order_acquire);
      }
    });
    return sum != 0;
  }

  int64_t Tokens() const {
    int64_t sum = 0;
    ForEach([&](const StripeBlock& block) {
      sum += block.tokens.load(std::memory_order_acquire);
    });
    return sum;
  }

 private:
  StripeBlock& Make(uint32_t index) {
    base::MutexLock lock(mutex_);
    StripeBlock* block = blocks_[index].load(std::memory_order_relaxed);
    if (block != nullptr) return *block;
    block = new StripeBlock;
    block->hosts.Reserve(reserved_);
    // Release pairs with the acquire loads of Get, ForEach and Of.
    tables_[index].store(&block->hosts, std::memory_order_release);
    blocks_[index].store(block, std::memory_order_release);
    if (used_.load(std::memory_order_relaxed) <= index) {
      used_.store(index + 1, std::memory_order_release);
    }
    return *block;
  }

  const uint32_t count_;
  const std::unique_ptr<std::atomic<StripeBlock*>[]> blocks_;
  const std::unique_ptr<std::atomic<const model::HostCounterTable*>[]> tables_;
  std::atomic<uint32_t> used_{0};  // 1 + the highest index with a block
  base::Mutex mutex_;
  uint32_t reserved_ MESHLIB_GUARDED_BY(mutex_) = 0;
};

}  // namespace meshlib::cluster

#endif  // MESHLIB_CLUSTER_STRIPE_BLOCK_H_
