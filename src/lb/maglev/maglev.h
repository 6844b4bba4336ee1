#ifndef MESHLIB_LB_MAGLEV_MAGLEV_H_
#define MESHLIB_LB_MAGLEV_MAGLEV_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "lb/hash_table.h"
#include "lb/hash_weights.h"
#include "model/host.h"

namespace meshlib::lb {

// Divides by a number that is not known at compile time, by multiplication
// (Barrett reduction). Exact.
class FastModulo {
 public:
  explicit FastModulo(uint64_t divisor)
      : divisor_(divisor), reciprocal_(UINT64_MAX / divisor) {}

  uint64_t operator()(uint64_t value) const {
    const auto quotient = static_cast<uint64_t>(
        static_cast<unsigned __int128>(value) * reciprocal_ >> 64);
    // The quotient is at most two too small.
    uint64_t rest = value - quotient * divisor_;
    while (rest >= divisor_) rest -= divisor_;
    return rest;
  }

 private:
  uint64_t divisor_;
  uint64_t reciprocal_;
};

// MAGLEV: the table of the paper by Eisenbud et al., "Maglev: A Fast and
// Reliable Software Network Load Balancer", section 3.4, with Envoy's weights
// and hashes. Hosts, in the order of their keys, prefer the slots
//   (XXH64(key, 0) % M + n * (XXH64(key, 1) % (M - 1) + 1)) % M, n = 0, 1, ...
// and take turns, in round r a host only if r * weight has reached its target,
// which grows by the greatest weight with each slot. A request's slot is
// hash % M; when k hosts were refused, the hash is changed by XOR (2^64 - k).
class MaglevTable final : public HashTable {
 public:
  struct Options {
    uint64_t table_size = 65537;  // a prime
    bool use_hostname = false;
  };

  MaglevTable(const std::vector<WeightedHost>& hosts, const Options& options);

  const PlacedHost* Find(uint64_t hash, uint32_t attempt) const override {
    if (slots_.empty()) return nullptr;
    if (attempt > 0) hash ^= uint64_t{0} - attempt;
    return &hosts_[slots_[modulo_(hash)]];
  }
  size_t size() const override { return slots_.size(); }
  const model::Host* HostAt(size_t place) const override {
    return hosts_[slots_[place]].host;
  }
  uint64_t HashAt(size_t place) const override { return place; }

 private:
  struct Turn;

  void Fill(const std::vector<WeightedHost>& sorted, const Options& options);

  std::vector<PlacedHost> hosts_;  // by key
  std::vector<uint32_t> slots_;    // index of the host
  FastModulo modulo_;
};

}  // namespace meshlib::lb

#endif  // MESHLIB_LB_MAGLEV_MAGLEV_H_
