#ifndef MESHLIB_MODEL_HOST_COUNTERS_H_
#define MESHLIB_MODEL_HOST_COUNTERS_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>

#include "base/prefetch.h"
#include "model/host.h"

namespace meshlib::model {

// What one thread stripe counted for one host. The sums over the stripes are
// what means something: a request may be picked on one stripe and reported
// on another, so that the parts of one stripe may be negative. The totals
// wrap; the control thread works with differences.
struct alignas(32) HostCounters {
  // Requests in flight in the low half, and in the high half the tokens that
  // refer to the host, reported or not: while there are any it must not go
  // away. One counter, since nearly every change is of both.
  std::atomic<int64_t> uses{0};
  static constexpr int64_t kInFlight = 1;
  static constexpr int64_t kPin = int64_t{1} << 32;

  std::atomic<uint32_t> total{0};        // attempts that ended
  std::atomic<uint32_t> failed{0};       // of these, by the external view
  std::atomic<uint32_t> local_total{0};  // split mode: connects and the like
  std::atomic<uint32_t> local_failed{0};
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
    const uint32_t last = CounterPlace::Of(hosts - 1).block;
    for (uint32_t block = 0; block <= last; ++block) {
      if (blocks_[block].load(std::memory_order_relaxed) != nullptr) continue;
      // Release pairs with the acquire in At().
      blocks_[block].store(
          new HostCounters[size_t{CounterPlace::kFirst} << block],
          std::memory_order_release);
    }
  }

  // Null where nothing was reserved.
  HostCounters* At(CounterPlace place) const {
    HostCounters* counters =
        blocks_[place.block].load(std::memory_order_acquire);
    return counters == nullptr ? nullptr : counters + place.offset;
  }
  HostCounters* At(uint32_t index) const { return At(CounterPlace::Of(index)); }

 private:
  static constexpr uint32_t kBlocks = 28;  // for every index

  std::array<std::atomic<HostCounters*>, kBlocks> blocks_{};
};

// The requests in flight to each host, summed over the stripes that are in
// use: what least request compares. A view of the tables that belong to a
// cluster. Reading the lines that other threads write costs a cache miss
// each, hence Prefetch() for hosts that will be asked for soon. Copyable,
// thread-safe.
class ActiveRequests {
 public:
  using Tables = std::atomic<const HostCounterTable*>;

  // Without tables, all counts are 0.
  ActiveRequests() = default;
  // `used` is how many of `tables` may be in use; null entries are not.
  ActiveRequests(const Tables* tables, const std::atomic<uint32_t>* used)
      : tables_(tables), used_(used) {}

  uint32_t Of(const Host& host) const {
    int64_t uses = Sum(host.counter_place());
    const uint32_t inherited = host.inherited_index();
    if (inherited != Host::kNoIndex) uses += Sum(CounterPlace::Of(inherited));
    return InFlight(uses);
  }

  std::array<uint32_t, 2> Of(const Host& a, const Host& b) const {
    return {Of(a), Of(b)};
  }

  // Of the hosts at two places, neither of which has inherited any.
  std::array<uint32_t, 2> Of(CounterPlace a, CounterPlace b) const {
    int64_t sum_a = 0;
    int64_t sum_b = 0;
    const uint32_t used = stripes();
    for (uint32_t i = 0; i < used; ++i) {
      const HostCounterTable* table =
          tables_[i].load(std::memory_order_acquire);
      if (table == nullptr) continue;
      sum_a += UsesIn(*table, a);
      sum_b += UsesIn(*table, b);
    }
    return {InFlight(sum_a), InFlight(sum_b)};
  }

  // Whether several stripes are in use.
  bool shared() const { return stripes() > 1; }

  void Prefetch(CounterPlace place) const {
    const uint32_t used = stripes();
    for (uint32_t i = 0; i < used; ++i) PrefetchIn(i, place);
  }
  // What a request on that stripe will write.
  void PrefetchIn(uint32_t stripe, CounterPlace place) const {
    const HostCounterTable* table = TableOf(stripe);
    if (table != nullptr) __builtin_prefetch(table->At(place));
  }
  // The same where others read it all the time: taken from them now, so that
  // the write does not wait for them.
  void PrefetchToCount(CounterPlace place, uint32_t stripe) const {
    const HostCounterTable* table = TableOf(stripe);
    if (table != nullptr) base::PrefetchToWrite(table->At(place));
  }

 private:
  uint32_t stripes() const {
    return used_ == nullptr ? 0 : used_->load(std::memory_order_acquire);
  }
  const HostCounterTable* TableOf(uint32_t stripe) const {
    // Acquire pairs with the release of the table's maker.
    return stripe < stripes() ? tables_[stripe].load(std::memory_order_acquire)
                              : nullptr;
  }
  static int64_t UsesIn(const HostCounterTable& table, CounterPlace place) {
    const HostCounters* counters = table.At(place);
    return counters == nullptr ? 0
                               : counters->uses.load(std::memory_order_relaxed);
  }
  int64_t Sum(CounterPlace place) const {
    int64_t sum = 0;
    const uint32_t used = stripes();
    for (uint32_t i = 0; i < used; ++i) {
      const HostCounterTable* table =
          tables_[i].load(std::memory_order_acquire);
      if (table != nullptr) sum += UsesIn(*table, place);
    }
    return sum;
  }
  static uint32_t InFlight(int64_t uses) {
    const auto in_flight = static_cast<int32_t>(static_cast<uint32_t>(uses));
    return in_flight < 0 ? 0 : static_cast<uint32_t>(in_flight);
  }

  const Tables* tables_ = nullptr;
  const std::atomic<uint32_t>* used_ = nullptr;
};

}  // namespace meshlib::model

#endif  // MESHLIB_MODEL_HOST_COUNTERS_H_
