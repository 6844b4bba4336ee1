#include "base/hash.h"

#include <xxhash.h>

#include <cstring>

namespace meshlib::base {

uint64_t XxHash64(std::string_view text, uint64_t seed) {
  return XXH64(text.data(), text.size(), seed);
}

uint64_t MurmurHash2(std::string_view text, uint64_t seed) {
  constexpr uint64_t kMul = 0xc6a4a7935bd1e995u;
  const auto mix = [](uint64_t v) { return v ^ (v >> 47); };
  uint64_t hash = seed ^ (text.size() * kMul);
  const size_t whole = text.size() & ~size_t{7};
  for (size_t i = 0; i < whole; i += 8) {
    uint64_t word;
    std::memcpy(&word, text.data() + i, sizeof(word));
    hash = (hash ^ (mix(word * kMul) * kMul)) * kMul;
  }
  if (whole != text.size()) {
    uint64_t rest = 0;
    std::memcpy(&rest, text.data() + whole, text.size() - whole);
    hash = (hash ^ rest) * kMul;
  }
  hash = mix(hash) * kMul;
  return mix(hash);
}

}  // namespace meshlib::base
