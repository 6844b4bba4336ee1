#ifndef MESHLIB_LB_HASH_TABLE_H_
#define MESHLIB_LB_HASH_TABLE_H_

#include <cstddef>
#include <cstdint>

#include "model/host.h"
#include "model/host_counters.h"

namespace meshlib::lb {

// A host, and where what a request to it needs is. The one is not asked for
// the other: in a large cluster each lies in memory by itself, and what would
// be waited for in turn is fetched at once.
struct PlacedHost {
  const model::Host* host;
  const model::HostState* state;
  model::CounterPlace place;

  explicit PlacedHost(const model::Host& of)
      : host(&of), state(&of.state()), place(of.counter_place()) {}

  void Fetch(const model::ActiveRequests& active, uint32_t stripe) const {
    __builtin_prefetch(host);
    __builtin_prefetch(state);
    active.PrefetchIn(stripe, place);
  }
};

// What maps a request's hash to a host: a ring or a Maglev table over the
// hosts of one priority. Immutable, thread-safe.
class HashTable {
 public:
  virtual ~HashTable() = default;

  // Null only if there are no hosts. `attempt` is k when k hosts were
  // refused. Never allocates.
  virtual const PlacedHost* Find(uint64_t hash, uint32_t attempt) const = 0;
  const model::Host* Pick(uint64_t hash, uint32_t attempt) const {
    const PlacedHost* const found = Find(hash, attempt);
    return found == nullptr ? nullptr : found->host;
  }

  // For `meshctl table` and tests.
  virtual size_t size() const = 0;
  // The place's host.
  virtual const model::Host* HostAt(size_t place) const = 0;
  // The place's hash; a Maglev slot's is its number.
  virtual uint64_t HashAt(size_t place) const = 0;
};

}  // namespace meshlib::lb

#endif  // MESHLIB_LB_HASH_TABLE_H_
