#include "lb/bounded_load.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <utility>

namespace meshlib::lb {
namespace {

// Uniform below n, as Envoy draws it: whole quotients, what is too large is
// drawn again.
uint32_t Uniform(std::mt19937& random, uint32_t n) {
  const uint64_t part = (uint64_t{1} << 32) / n;
  while (true) {
    const uint64_t drawn = random() / part;
    if (drawn < n) return static_cast<uint32_t>(drawn);
  }
}

}  // namespace

BoundedLoad::BoundedLoad(std::shared_ptr<const HashTable> table,
                         std::vector<WeightedHost> hosts,
                         uint32_t hash_balance_factor,
                         model::ActiveRequests active)
    : table_(std::move(table)),
      hosts_(std::move(hosts)),
      factor_(hash_balance_factor),
      active_(active) {
  weights_.reserve(hosts_.size());
  for (const WeightedHost& host : hosts_) weights_[host.host] = host.weight;
}

uint32_t BoundedLoad::TotalSlots(int64_t cluster_active) const {
  uint64_t active = 0;
  if (cluster_active >= 0) {
    active = static_cast<uint64_t>(cluster_active);
  } else {
    for (const WeightedHost& host : hosts_) active += active_.Of(*host.host);
  }
  const uint64_t slots = ((active + 1) * factor_ + 99) / 100;
  return static_cast<uint32_t>(std::min<uint64_t>(slots, UINT32_MAX));
}

double BoundedLoad::Overload(const model::Host& host, double weight,
                             uint32_t total_slots) const {
  const auto slots = std::max<uint32_t>(
      1, static_cast<uint32_t>(std::ceil(total_slots * weight)));
  return static_cast<double>(active_.Of(host)) / slots;
}

const model::Host* BoundedLoad::Pick(uint64_t hash, uint32_t attempt,
                                     int64_t cluster_active,
                                     absl::Span<uint32_t> scratch) const {
  const model::Host* host = table_->Pick(hash, attempt);
  if (host == nullptr) return nullptr;
  const auto weight = weights_.find(host);
  if (weight == weights_.end()) return host;
  const uint32_t total_slots = TotalSlots(cluster_active);
  const double overload = Overload(*host, weight->second, total_slots);
  if (overload <= 1.0) return host;
  return Probe(hash, host, overload, total_slots,
               scratch.subspan(0, std::min(scratch.size(), hosts_.size())));
}

const model::Host* BoundedLoad::Probe(uint64_t hash, const model::Host* full,
                                      double overload, uint32_t total_slots,
                                      absl::Span<uint32_t> order) const {
  const auto n = static_cast<uint32_t>(order.size());
  const auto all = static_cast<uint32_t>(hosts_.size());
  // With a place for every host these are all of them.
  const auto first = n < all ? static_cast<uint32_t>(hash % all) : 0;
  for (uint32_t i = 0; i < n; ++i) order[i] = (first + i) % all;
  // Seeded with the low 32 bits: one order for one hash.
  std::mt19937 random(static_cast<uint32_t>(hash));
  const model::Host* best = full;
  for (uint32_t i = 0; i < n; ++i) {
    std::swap(order[i], order[i + Uniform(random, n - i)]);
    const WeightedHost& other = hosts_[order[i]];
    if (other.host == full) continue;
    const double load = Overload(*other.host, other.weight, total_slots);
    if (load <= 1.0) return other.host;
    if (load < overload) {
      overload = load;
      best = other.host;
    }
  }
  return best;
}

}  // namespace meshlib::lb
