#ifndef MESHLIB_LB_HASH_TABLE_H_
#define MESHLIB_LB_HASH_TABLE_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "model/host.h"

namespace meshlib::lb {

// What maps a request's hash to a host: a ring or a Maglev table over the
// hosts of one priority. Immutable, thread-safe.
class HashTable {
 public:
  virtual ~HashTable() = default;

  // Null only if there are no hosts. `attempt` is k when k hosts were
  // refused. Never allocates.
  virtual const model::Host* Pick(uint64_t hash, uint32_t attempt) const = 0;

  // For `meshctl table` and tests.
  virtual size_t size() const = 0;
  // The place's host.
  virtual const model::Host* HostAt(size_t place) const = 0;
  // The place's hash; a Maglev slot's is its number.
  virtual uint64_t HashAt(size_t place) const = 0;
};

}  // namespace meshlib::lb

#endif  // MESHLIB_LB_HASH_TABLE_H_
