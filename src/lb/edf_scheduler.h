#ifndef MESHLIB_LB_EDF_SCHEDULER_H_
#define MESHLIB_LB_EDF_SCHEDULER_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "lb/deadline_heap.h"

namespace meshlib::lb {

// Where an earliest-deadline-first schedule starts: as if `picks` picks had
// been made, of which the larger part is computed instead of done.
struct EdfStart {
  // When each entry is due, measured from `now`.
  std::vector<double> deadlines;
  uint32_t picks_left = 0;  // to be made one after the other
};

// Envoy's seeded start: P = seed % 429496729 picks; entry i has had
// floor(P * w_i / sum) of them, its weight counting 1e-13 more than it is, so
// that ties between weights that are multiples of each other fall as they
// would pick by pick. No weight may be 0.
EdfStart StartEdf(const std::vector<double>& weights, uint64_t seed);

// Earliest deadline first, for weights that change from pick to pick (least
// request, slow start): an entry is due at now + 1/weight after it was
// inserted, the entry that is due first is picked (of several the one that was
// inserted first) and goes back in with its weight of that moment.
// Not thread-safe. Weights are above 0.
class EdfScheduler {
 public:
  EdfScheduler() = default;
  EdfScheduler(const std::vector<double>& weights, uint64_t seed);

  bool empty() const { return heap_.empty(); }
  size_t size() const { return heap_.size(); }

  // The index of the entry that is due. `weight_of(index)` gives its weight
  // from now on. Not to be called when empty.
  template <typename WeightOf>
  uint32_t Pick(const WeightOf& weight_of) {
    const uint32_t index = heap_.top().index;
    now_ = heap_.top().deadline;
    heap_.ReplaceTop(now_ + 1.0 / weight_of(index));
    return index;
  }

 private:
  struct Earlier {
    bool operator()(double a, double b) const { return a < b; }
  };

  DeadlineHeap<double, Earlier> heap_;
  double now_ = 0;
};

// The same schedule for weights that stay: deadlines are kept in whole parts
// of a unit of time, without rounding errors that add up. For whole weights
// the order of picks repeats after the sum of the weights, so that over such
// a cycle, begun anywhere, every entry is picked exactly as often as its weight
// says. Not thread-safe. Weights are above 0.
class WrrScheduler {
 public:
  WrrScheduler() = default;
  WrrScheduler(const std::vector<double>& weights, uint64_t seed);

  bool empty() const { return heap_.empty(); }
  size_t size() const { return heap_.size(); }

  // The index of the entry that is due. Not to be called when empty.
  uint32_t Pick() {
    const uint32_t index = heap_.top().index;
    heap_.ReplaceTop(heap_.top().deadline + Advance(steps_[index]));
    return index;
  }

 private:
  // An entry's period is step + error / divisor parts of a unit.
  struct Step {
    uint64_t step = 0;
    uint64_t remainder = 0;
    uint64_t error = 0;
    uint64_t divisor = 1;
  };
  struct Earlier {
    // Deadlines wrap; they are never half the range apart.
    bool operator()(uint64_t a, uint64_t b) const {
      return static_cast<int64_t>(a - b) < 0;
    }
  };

  static uint64_t Advance(Step& s) {
    s.error += s.remainder;
    const uint64_t carry = s.error >= s.divisor ? 1 : 0;
    s.error -= carry * s.divisor;
    return s.step + carry;
  }

  DeadlineHeap<uint64_t, Earlier> heap_;
  std::vector<Step> steps_;  // by index
};

}  // namespace meshlib::lb

#endif  // MESHLIB_LB_EDF_SCHEDULER_H_
