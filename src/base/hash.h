#ifndef MESHLIB_BASE_HASH_H_
#define MESHLIB_BASE_HASH_H_

#include <cstdint>
#include <string_view>

namespace meshlib::base {

// XXH64: what ring hash, Maglev and the hash policies of Envoy and gRPC use.
uint64_t XxHash64(std::string_view text, uint64_t seed = 0);

// MurmurHash2 in the 64-bit form of libstdc++ (ring_hash's MURMUR_HASH_2);
// Envoy seeds it with 0xc70f6907.
uint64_t MurmurHash2(std::string_view text, uint64_t seed = 0xc70f6907u);

}  // namespace meshlib::base

#endif  // MESHLIB_BASE_HASH_H_
