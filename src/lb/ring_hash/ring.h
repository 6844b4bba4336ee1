#ifndef MESHLIB_LB_RING_HASH_RING_H_
#define MESHLIB_LB_RING_HASH_RING_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "lb/hash_table.h"
#include "lb/hash_weights.h"
#include "model/cluster.h"
#include "model/host.h"

namespace meshlib::lb {

// RING_HASH: Envoy's ketama ring. A host's i-th entry stands at the hash of
// "KEY_i"; a request goes to the first entry at or above its hash, around the
// end to the first. The ring is scaled so that the host of the least weight
// has a whole number of entries:
//   scale = min(ceil(least * minimum_ring_size) / least, maximum_ring_size)
// and hosts, in their order, get entries while fewer than the running sum of
// scale * weight stand. Refused hosts are passed over entry by entry.
class Ring final : public HashTable {
 public:
  struct Options {
    uint64_t minimum_size = 1024;
    uint64_t maximum_size = 8 * 1024 * 1024;
    model::RingHashFunction function = model::RingHashFunction::kXxHash;
    bool use_hostname = false;
  };

  Ring(const std::vector<WeightedHost>& hosts, const Options& options);

  const PlacedHost* Find(uint64_t hash, uint32_t attempt) const override;
  size_t size() const override { return entries_.size(); }
  const model::Host* HostAt(size_t place) const override {
    return hosts_[entries_[place].host].host;
  }
  uint64_t HashAt(size_t place) const override { return hashes_[place]; }

 private:
  struct Made {
    uint64_t hash;
    uint32_t host;
  };
  // As small as can be: a pick of a large ring reads from all over it.
  struct Entry {
    uint32_t key;  // KeyOf() its hash
    uint32_t host;
  };

  static std::vector<Made> MakeEntries(const std::vector<WeightedHost>& hosts,
                                       const Options& options);
  void SortIntoBuckets(const std::vector<Made>& made);
  void SortBucket(size_t begin, size_t end);
  // The bits that follow those which choose the bucket.
  uint32_t KeyOf(uint64_t hash) const {
    return static_cast<uint32_t>((hash << (64 - shift_)) >> 32);
  }

  std::vector<PlacedHost> hosts_;
  std::vector<Entry> entries_;    // by hash
  std::vector<uint64_t> hashes_;  // of the entries; read where keys are equal
  // Where the entries begin whose hash has the top bits b; one more at the
  // end. About one bucket an entry.
  std::vector<uint32_t> buckets_;
  int shift_ = 0;  // a hash's bucket is hash >> shift_
};

}  // namespace meshlib::lb

#endif  // MESHLIB_LB_RING_HASH_RING_H_
