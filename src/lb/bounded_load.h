#ifndef MESHLIB_LB_BOUNDED_LOAD_H_
#define MESHLIB_LB_BOUNDED_LOAD_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/types/span.h"
#include "lb/hash_table.h"
#include "lb/hash_weights.h"
#include "model/host.h"
#include "model/host_counters.h"

namespace meshlib::lb {

// Consistent hashing with bounded loads (Mirrokni, Thorup, Zadimoghaddam,
// arXiv:1608.01350; the random order of the probes after arXiv:1908.08762):
// no host gets more than hash_balance_factor percent of its share of the
// requests in flight. A host that is full is replaced by the first that is not
// in an order that the hash alone decides, else by the least loaded.
// Immutable, thread-safe.
class BoundedLoad {
 public:
  BoundedLoad(std::shared_ptr<const HashTable> table,
              std::vector<WeightedHost> hosts, uint32_t hash_balance_factor,
              model::ActiveRequests active);

  uint32_t size() const { return static_cast<uint32_t>(hosts_.size()); }

  // `cluster_active`: requests in flight to the whole cluster; negative: the
  // sum over these hosts. `scratch` has size() places, or fewer: then only as
  // many hosts are tried, from a place on that the hash decides. Never
  // allocates.
  const model::Host* Pick(uint64_t hash, uint32_t attempt,
                          int64_t cluster_active,
                          absl::Span<uint32_t> scratch) const;

 private:
  uint32_t TotalSlots(int64_t cluster_active) const;
  double Overload(const model::Host& host, double weight,
                  uint32_t total_slots) const;
  const model::Host* Probe(uint64_t hash, const model::Host* full,
                           double overload, uint32_t total_slots,
                           absl::Span<uint32_t> order) const;

  const std::shared_ptr<const HashTable> table_;
  const std::vector<WeightedHost> hosts_;
  const uint32_t factor_;
  const model::ActiveRequests active_;
  absl::flat_hash_map<const model::Host*, double> weights_;
};

}  // namespace meshlib::lb

#endif  // MESHLIB_LB_BOUNDED_LOAD_H_
