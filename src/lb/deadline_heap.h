#ifndef MESHLIB_LB_DEADLINE_HEAP_H_
#define MESHLIB_LB_DEADLINE_HEAP_H_

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace meshlib::lb {

// A heap of (deadline, order of insertion) whose top is replaced rather than
// popped and pushed: what every earliest-deadline-first pick does. `Earlier`
// compares two deadlines. Not thread-safe.
template <typename Deadline, typename Earlier>
class DeadlineHeap {
 public:
  struct Entry {
    Deadline deadline;
    uint32_t order;  // wraps; ties go to the entry that was inserted first
    uint32_t index;
  };

  DeadlineHeap() = default;
  // The entries' order is their place.
  explicit DeadlineHeap(std::vector<Entry> entries)
      : entries_(std::move(entries)),
        next_order_(static_cast<uint32_t>(entries_.size())) {
    for (size_t i = 0; i < entries_.size(); ++i) {
      entries_[i].order = static_cast<uint32_t>(i);
    }
    if (entries_.size() < 2) return;
    for (size_t i = (entries_.size() - 2) / kArity + 1; i-- > 0;) {
      SiftDown(i, entries_[i]);
    }
  }

  bool empty() const { return entries_.empty(); }
  size_t size() const { return entries_.size(); }
  const Entry& top() const { return entries_[0]; }
  // In no particular order.
  std::vector<Entry>& entries() { return entries_; }

  // The top's entry goes back in with a new deadline.
  void ReplaceTop(Deadline deadline) {
    SiftDown(0, {deadline, next_order_++, entries_[0].index});
  }

 private:
  static constexpr size_t kArity = 4;

  static bool Before(const Entry& a, const Entry& b) {
    const Earlier earlier;
    if (earlier(a.deadline, b.deadline)) return true;
    if (earlier(b.deadline, a.deadline)) return false;
    return static_cast<int32_t>(a.order - b.order) < 0;
  }

  void SiftDown(size_t hole, Entry entry) {
    const size_t n = entries_.size();
    while (true) {
      const size_t first = hole * kArity + 1;
      if (first >= n) break;
      const size_t end = first + kArity < n ? first + kArity : n;
      size_t best = first;
      for (size_t child = first + 1; child < end; ++child) {
        if (Before(entries_[child], entries_[best])) best = child;
      }
      if (!Before(entries_[best], entry)) break;
      entries_[hole] = entries_[best];
      hole = best;
    }
    entries_[hole] = entry;
  }

  std::vector<Entry> entries_;
  uint32_t next_order_ = 0;
};

}  // namespace meshlib::lb

#endif  // MESHLIB_LB_DEADLINE_HEAP_H_
