#ifndef MESHLIB_BASE_RANDOM_H_
#define MESHLIB_BASE_RANDOM_H_

#include <cstdint>

namespace meshlib::base {

// splitmix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number
// generators", 2014). One fixed generator, so that seeded runs agree between
// versions and platforms. Not for secrets. Not thread-safe: one per slot.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  uint64_t Next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }

  // Uniform in [0, 1), 53 bits.
  double NextDouble() { return static_cast<double>(Next() >> 11) * 0x1.0p-53; }

 private:
  uint64_t state_;
};

}  // namespace meshlib::base

#endif  // MESHLIB_BASE_RANDOM_H_
