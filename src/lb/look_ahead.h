#ifndef MESHLIB_LB_LOOK_AHEAD_H_
#define MESHLIB_LB_LOOK_AHEAD_H_

#include <array>
#include <cstdint>

#include "base/random.h"
#include "lb/host_source.h"
#include "model/host.h"

namespace meshlib::lb {

// A host that is drawn and used at once costs a wait for memory, or several
// one after the other: the list, the host, its state and counters. Sources
// from kFarFrom hosts on do not fit into the caches near the processor. In
// those from kNearFrom on, it is only the counters that are elsewhere: other
// threads have just written them.
inline constexpr uint32_t kNearFrom = 512;
inline constexpr uint32_t kFarFrom = 4096;

// Has what follows the host at `index` fetched, for policies that take turns.
inline void FetchAhead(const HostSource& source, uint32_t index,
                       uint32_t stripe) {
  if (source.size() < kFarFrom || index + 4 >= source.size()) return;
  __builtin_prefetch(source.hosts[index + 4]);
  const model::Host& soon = *source.hosts[index + 2];
  __builtin_prefetch(&soon.state());
  source.active.PrefetchIn(stripe, soon.counter_place());
}

// Draws hosts one pick before they are used (near) or six (far), and has
// them fetched step by step meanwhile. Each pick uses two of them, or one.
// For one source, which must always ask for the same. Not thread-safe.
class LookAhead {
 public:
  using Pair = std::array<uint32_t, 2>;

  // The index of this pick, or the two whose counts are going to be compared.
  uint32_t Near(const HostSource& source, base::Random& random) {
    if (!drawn_) {
      Draw(0, source, random, 1);
      drawn_ = true;
    }
    const uint32_t index = pairs_[0][0];
    pairs_[0][0] = DrawBelow(random, source.size());
    __builtin_prefetch(source.hosts[pairs_[0][0]]);
    return index;
  }
  Pair NearPair(const HostSource& source, base::Random& random,
                uint32_t stripe) {
    if (!drawn_) {
      for (uint32_t i = 0; i < kNearDepth; ++i) {
        pairs_[i] = DrawPairBelow(random, source.size());
      }
      drawn_ = true;
    }
    const uint32_t at = at_;
    at_ = (at + 1) % kPlaces;
    const Pair drawn = DrawPairBelow(random, source.size());
    pairs_[(at + kNearDepth) % kPlaces] = drawn;
    for (const uint32_t index : drawn) {
      __builtin_prefetch(source.hosts[index]);
    }
    if (source.active.shared()) FetchShared(source, at, stripe);
    return pairs_[at];
  }

  // The indices of this pick. `used` is 1 or 2.
  Pair Far(const HostSource& source, base::Random& random, uint32_t used,
           uint32_t stripe) {
    if (!drawn_) {
      for (uint32_t i = 0; i < kDepth; ++i) Draw(i, source, random, used);
      drawn_ = true;
    }
    const uint32_t at = at_;
    at_ = (at + 1) % kPlaces;
    Draw((at + kDepth) % kPlaces, source, random, used);
    const Pair& second = pairs_[(at + 4) % kPlaces];
    const Pair& first = pairs_[(at + 2) % kPlaces];
    for (uint32_t i = 0; i < used; ++i) {
      __builtin_prefetch(source.hosts[second[i]]);
      const model::Host& next = *source.hosts[first[i]];
      __builtin_prefetch(&next.state());
      if (used == 1) {
        source.active.PrefetchIn(stripe, next.counter_place());
      } else {
        source.active.Prefetch(next.counter_place());
      }
    }
    return pairs_[at];
  }

 private:
  static constexpr uint32_t kDepth = 6;
  static constexpr uint32_t kNearDepth = 4;
  static constexpr uint32_t kPlaces = 8;

  // The counts of the pair drawn now are fetched. Of the pair that was drawn
  // two picks ago, and has arrived, whichever would be picked at present is
  // likely to be written soon: its line is taken from the others. That of the
  // other one is left to them, who would have to fetch it again.
  [[gnu::noinline]] void FetchShared(const HostSource& source, uint32_t at,
                                     uint32_t stripe) const {
    for (const uint32_t index : pairs_[(at + kNearDepth) % kPlaces]) {
      source.active.Prefetch(PlaceOf(source, index));
    }
    const Pair& soon = pairs_[(at + kNearDepth / 2) % kPlaces];
    const model::CounterPlace first = PlaceOf(source, soon[0]);
    const model::CounterPlace second = PlaceOf(source, soon[1]);
    const auto [active, other] = source.active.Of(first, second);
    source.active.PrefetchToCount(other < active ? second : first, stripe);
  }

  static model::CounterPlace PlaceOf(const HostSource& source, uint32_t index) {
    return source.places.empty() ? source.hosts[index]->counter_place()
                                 : source.places[index];
  }

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
