#ifndef MESHLIB_LB_WEIGHTED_ROUND_ROBIN_STATIC_STRIDE_H_
#define MESHLIB_LB_WEIGHTED_ROUND_ROBIN_STATIC_STRIDE_H_

#include <atomic>
#include <cstdint>
#include <memory>

#include "absl/types/span.h"
#include "base/random.h"

namespace meshlib::lb {

// The static stride scheduler of gRPC's weighted_round_robin (gRFC A58).
// Weights are scaled so that the greatest is K = 65535. Entries have their
// turns one after the other, and entry b passes on its turn in round g if
//   (scaled_b * g + b * 32767) % K < K - scaled_b
// so that of K rounds it takes scaled_b, spread evenly.
//
// Readers keep their own place (Turn): nothing that picks write is shared,
// where one counter for all would cost every pick a contended cache line. Each
// reader's shares are right for themselves, hence their sum too.
//
// One thread may set weights while others pick: an entry takes or passes on a
// turn by its own weight alone, so a table seen half old and half new is as
// good as either. Thus a new table needs no memory, no version and nothing
// that is reclaimed.
class StaticStride {
 public:
  static constexpr uint32_t kFull = 65535;  // K

  // A place in the sequence of turns. Not thread-safe.
  struct Turn {
    uint32_t entry = 0;
    uint32_t round = 0;  // below kFull: only that remainder matters
  };

  // All weights are equal. `size` is above 0.
  explicit StaticStride(uint32_t size);

  // One weight for each entry, finite; 0 is one that is not known and counts
  // as the mean of the others. A weight counts at most 10 and at least 0.01
  // times the mean, as with gRPC, which bounds the turns that a pick tries.
  // Without any weight all are equal. One thread at a time.
  void SetWeights(absl::Span<const double> weights);

  // The place where the sequence is after that many turns.
  Turn Start(uint32_t sequence) const {
    return {sequence % size_, sequence / size_ % kFull};
  }

  // The entry that takes the next turn.
  uint32_t Pick(Turn& turn) const {
    while (true) {
      const uint64_t entry = turn.entry;
      const uint64_t round = turn.round;
      if (++turn.entry == size_) {
        turn.entry = 0;
        if (++turn.round == kFull) turn.round = 0;
      }
      // Relaxed: see above, any weight will do.
      const uint64_t scaled = scaled_[entry].load(std::memory_order_relaxed);
      if ((scaled * round + entry * (kFull / 2)) % kFull >= kFull - scaled) {
        return static_cast<uint32_t>(entry);
      }
    }
  }

  // An entry by its share, without a place in the sequence.
  uint32_t Draw(base::Random& random) const;

 private:
  const uint32_t size_;
  const std::unique_ptr<std::atomic<uint16_t>[]> scaled_;  // 1 to kFull
};

}  // namespace meshlib::lb

#endif  // MESHLIB_LB_WEIGHTED_ROUND_ROBIN_STATIC_STRIDE_H_
