#ifndef MESHLIB_MODEL_HOST_COUNTERS_H_
#define MESHLIB_MODEL_HOST_COUNTERS_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>

namespace meshlib::model {

// What one thread stripe counted for one host. The sums over the stripes are
// what means something: a request may be picked on one stripe and reported
// on another, so that `in_flight` of one stripe may be negative. The totals
// wrap; the control thread works with differences.
struct alignas(32) HostCounters {
  std::atomic<int32_t> in_flight{0};
  std::atomic<uint32_t> total{0};        // attempts that ended
  std::atomic<uint32_t> failed{0};       // of these, by the external view
  std::atomic<uint32_t> local_total{0};  // split mode: connects and the like
  std::atomic<uint32_t> local_failed{0};
  // Tokens that refer to the host, reported or not: it must not go away.
  std::atomic<int32_t> pins{0};
};

// The counters of one stripe for all hosts of a cluster, by Host::index().
// Grows by blocks that never move: the owner of the stripe writes while the
// control thread reserves for hosts to come.
class HostCounterTable {
 public:
  ~HostCounterTable() {
    for (auto& block : blocks_) {
      delete[] block.load(std::memory_order_relaxed);
    }
  }
  HostCounterTable() = default;
  HostCounterTable(const HostCounterTable&) = delete;
  HostCounterTable& operator=(const HostCounterTable&) = delete;

  // Makes At() valid below `hosts`. One thread at a time.
  void Reserve(uint32_t hosts) {
    if (hosts == 0) return;
    const uint32_t last = BlockOf(hosts - 1);
    for (uint32_t block = 0; block <= last; ++block) {
      if (blocks_[block].load(std::memory_order_relaxed) != nullptr) continue;
      // Release pairs with the acquire in At().
      blocks_[block].store(new HostCounters[size_t{kFirst} << block],
                           std::memory_order_release);
    }
  }

  // Null where nothing was reserved.
  HostCounters* At(uint32_t index) const {
    const uint32_t block = BlockOf(index);
    HostCounters* counters = blocks_[block].load(std::memory_order_acquire);
    return counters == nullptr
               ? nullptr
               : counters + (index + kFirst - (kFirst << block));
  }

 private:
  // Block b holds kFirst << b hosts, from index (kFirst << b) - kFirst on.
  static constexpr uint32_t kFirst = 16;
  static constexpr uint32_t kBlocks = 27;

  static uint32_t BlockOf(uint32_t index) {
    return 31u - static_cast<uint32_t>(__builtin_clz(index + kFirst)) - 4u;
  }

  std::array<std::atomic<HostCounters*>, kBlocks> blocks_{};
};

// The requests in flight to each host, summed over the stripes that are in
// use: what least request compares. A view, made anew for each pick. Reading
// the lines that other threads write costs a cache miss each, hence
// Prefetch() for hosts that will be asked for soon.
class ActiveRequests {
 public:
  ActiveRequests() = default;
  // Null entries are stripes that are not in use.
  ActiveRequests(const std::atomic<const HostCounterTable*>* tables,
                 uint32_t count)
      : tables_(tables), count_(count) {}

  uint32_t Of(uint32_t host_index) const {
    int32_t sum = 0;
    for (uint32_t i = 0; i < count_; ++i) {
      const HostCounterTable* table =
          tables_[i].load(std::memory_order_acquire);
      if (table == nullptr) continue;
      const HostCounters* counters = table->At(host_index);
      if (counters == nullptr) continue;
      sum += counters->in_flight.load(std::memory_order_relaxed);
    }
    return sum < 0 ? 0 : static_cast<uint32_t>(sum);
  }

  void Prefetch(uint32_t host_index) const {
    for (uint32_t i = 0; i < count_; ++i) {
      const HostCounterTable* table =
          tables_[i].load(std::memory_order_relaxed);
      if (table != nullptr) __builtin_prefetch(table->At(host_index));
    }
  }

 private:
  const std::atomic<const HostCounterTable*>* tables_ = nullptr;
  uint32_t count_ = 0;
};

}  // namespace meshlib::model

#endif  // MESHLIB_MODEL_HOST_COUNTERS_H_
