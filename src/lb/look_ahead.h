#ifndef MESHLIB_LB_LOOK_AHEAD_H_
#define MESHLIB_LB_LOOK_AHEAD_H_

#include <array>
#include <cstdint>

#include "base/random.h"
#include "lb/host_source.h"
#include "model/host.h"

namespace meshlib::lb {

// Sources from this size on do not fit into the caches near the processor: a
// host that is drawn and used at once costs three waits for memory, one after
// the other (the list, the host, its state).
inline constexpr uint32_t kLookAheadFrom = 4096;

inline void PrefetchHost(const model::Host& host) {
  __builtin_prefetch(&host);
  __builtin_prefetch(reinterpret_cast<const char*>(&host) + 64);
}
inline void PrefetchState(const model::Host& host) {
  __builtin_prefetch(&host.state());
}

// Draws hosts three picks before they are used and has them fetched step by
// step meanwhile. Each pick uses two of them, or one. Not thread-safe.
class LookAhead {
 public:
  using Pair = std::array<uint32_t, 2>;

  // The indices of this pick. `used` is 1 or 2 and always the same.
  Pair Next(const HostSource& source, base::Random& random, uint32_t used) {
    if (!drawn_) {
      for (uint32_t i = 0; i < kDepth; ++i) Draw(i, source, random, used);
      drawn_ = true;
    }
    const uint32_t at = at_;
    at_ = (at + 1) % kPlaces;
    Draw((at + kDepth) % kPlaces, source, random, used);
    const Pair& second = pairs_[(at + 2) % kPlaces];
    const Pair& first = pairs_[(at + 1) % kPlaces];
    for (uint32_t i = 0; i < used; ++i) {
      PrefetchHost(*source.hosts[second[i]]);
      PrefetchState(*source.hosts[first[i]]);
    }
    return pairs_[at];
  }

 private:
  static constexpr uint32_t kDepth = 3;
  static constexpr uint32_t kPlaces = 4;

  void Draw(uint32_t place, const HostSource& source, base::Random& random,
            uint32_t used) {
    for (uint32_t i = 0; i < used; ++i) {
      pairs_[place][i] = DrawBelow(random, source.size());
      __builtin_prefetch(&source.hosts[pairs_[place][i]]);
    }
  }

  std::array<Pair, kPlaces> pairs_{};
  uint32_t at_ = 0;
  bool drawn_ = false;
};

}  // namespace meshlib::lb

#endif  // MESHLIB_LB_LOOK_AHEAD_H_
