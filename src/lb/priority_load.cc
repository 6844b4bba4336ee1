#include "lb/priority_load.h"

#include <algorithm>
#include <cmath>

namespace meshlib::lb {
namespace {

uint32_t Availability(uint64_t factor, uint64_t available, uint64_t total) {
  if (total == 0) return 0;
  return static_cast<uint32_t>(
      std::min<uint64_t>(100, factor * available / total));
}

void ComputeAvailability(const PriorityCounts& c,
                         const PriorityLoadOptions& options,
                         PriorityLoad* load) {
  if (c.hosts == c.excluded) return;
  const bool weighted = options.weighted_priority_health;
  const uint64_t total =
      weighted ? c.hosts_weight - c.excluded_weight : c.hosts - c.excluded;
  const uint64_t factor = options.overprovisioning_factor;
  load->health =
      Availability(factor, weighted ? c.healthy_weight : c.healthy, total);
  load->degraded =
      Availability(factor, weighted ? c.degraded_weight : c.degraded, total);
}

uint32_t TotalAvailability(const std::vector<PriorityLoad>& loads) {
  uint64_t total = 0;
  for (const PriorityLoad& load : loads) total += load.health + load.degraded;
  return static_cast<uint32_t>(std::min<uint64_t>(total, 100));
}

// Gives each priority its share of 100 and the rounding rest to the first
// that has any availability. `total` is not 0.
void Distribute(uint32_t total, std::vector<PriorityLoad>* loads) {
  uint32_t rest = 100;
  for (PriorityLoad& load : *loads) {
    load.healthy_load = std::min(rest, load.health * 100 / total);
    rest -= load.healthy_load;
  }
  for (PriorityLoad& load : *loads) {
    load.degraded_load = std::min(rest, load.degraded * 100 / total);
    rest -= load.degraded_load;
  }
  if (rest == 0) return;
  for (PriorityLoad& load : *loads) {
    if (load.health == 0) continue;
    load.healthy_load += rest;
    return;
  }
  for (PriorityLoad& load : *loads) {
    if (load.degraded == 0) continue;
    load.degraded_load += rest;
    return;
  }
}

// Every priority panics: load by the number of hosts, whatever their health.
void DistributeInTotalPanic(const std::vector<PriorityCounts>& counts,
                            std::vector<PriorityLoad>* loads) {
  uint64_t hosts = 0;
  for (const PriorityCounts& c : counts) hosts += c.hosts;
  if (hosts == 0) {
    (*loads)[0].healthy_load = 100;
    return;
  }
  uint32_t rest = 100;
  size_t first = counts.size();
  for (size_t p = 0; p < counts.size(); ++p) {
    if (first == counts.size() && counts[p].hosts != 0) first = p;
    PriorityLoad& load = (*loads)[p];
    load.healthy_load = static_cast<uint32_t>(100 * counts[p].hosts / hosts);
    load.degraded_load = 0;
    rest -= load.healthy_load;
  }
  (*loads)[first].healthy_load += rest;
}

}  // namespace

bool BelowPanicThreshold(const PriorityCounts& counts, uint32_t threshold) {
  const uint64_t hosts = counts.hosts - counts.excluded;
  if (hosts == 0) return threshold > 0;
  // Two quotients, added: as Envoy rounds.
  const double healthy =
      100.0 * static_cast<double>(counts.healthy) / static_cast<double>(hosts);
  const double degraded =
      100.0 * static_cast<double>(counts.degraded) / static_cast<double>(hosts);
  return healthy + degraded < threshold;
}

std::vector<PriorityLoad> ComputePriorityLoads(
    const std::vector<PriorityCounts>& counts,
    const PriorityLoadOptions& options) {
  std::vector<PriorityLoad> loads(counts.size());
  if (counts.empty()) return loads;
  for (size_t p = 0; p < counts.size(); ++p) {
    ComputeAvailability(counts[p], options, &loads[p]);
  }
  const uint32_t total = TotalAvailability(loads);
  const uint32_t threshold = std::min<uint32_t>(100, options.panic_threshold);
  if (total != 0) {
    Distribute(total, &loads);
  } else if (threshold == 0) {
    loads[0].healthy_load = 100;
    return loads;
  }
  bool total_panic = true;
  for (size_t p = 0; p < counts.size(); ++p) {
    loads[p].panic = total != 100 && BelowPanicThreshold(counts[p], threshold);
    total_panic = total_panic && loads[p].panic;
  }
  if (total_panic) DistributeInTotalPanic(counts, &loads);
  return loads;
}

uint32_t TruncatedPercent(double percent) {
  if (std::isnan(percent) || percent <= 0) return 0;
  if (percent >= 100) return 100;
  // In this order of operations: 29 becomes 28.
  return static_cast<uint32_t>(100.0 * (percent / 100.0));
}

}  // namespace meshlib::lb
