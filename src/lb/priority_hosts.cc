#include "lb/priority_hosts.h"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace meshlib::lb {
namespace {

PriorityCounts CountHosts(const HostEntries& hosts) {
  // By HostHealth; one pass that only streams.
  uint64_t counts[4] = {};
  uint64_t weights[4] = {};
  for (const HostEntry& entry : hosts) {
    const auto health = static_cast<size_t>(entry.health) & 3;
    ++counts[health];
    weights[health] += entry.weight;
  }
  const auto healthy = static_cast<size_t>(model::HostHealth::kHealthy);
  const auto degraded = static_cast<size_t>(model::HostHealth::kDegraded);
  const auto excluded = static_cast<size_t>(model::HostHealth::kExcluded);
  PriorityCounts result;
  result.hosts = hosts.size();
  result.healthy = counts[healthy];
  result.degraded = counts[degraded];
  result.excluded = counts[excluded];
  result.hosts_weight = weights[0] + weights[1] + weights[2] + weights[3];
  result.healthy_weight = weights[healthy];
  result.degraded_weight = weights[degraded];
  result.excluded_weight = weights[excluded];
  return result;
}

void Add(const PriorityCounts& more, PriorityCounts* sum) {
  sum->hosts += more.hosts;
  sum->healthy += more.healthy;
  sum->degraded += more.degraded;
  sum->excluded += more.excluded;
  sum->hosts_weight += more.hosts_weight;
  sum->healthy_weight += more.healthy_weight;
  sum->degraded_weight += more.degraded_weight;
  sum->excluded_weight += more.excluded_weight;
}

// Several groups of one locality become one; the last weight counts.
void MergeAndOrder(std::vector<LocalityGroup>* groups) {
  std::stable_sort(groups->begin(), groups->end(),
                   [](const LocalityGroup& a, const LocalityGroup& b) {
                     if (a.own != b.own) return a.own;
                     return *a.locality < *b.locality;
                   });
  std::vector<LocalityGroup> merged;
  for (LocalityGroup& group : *groups) {
    if (merged.empty() || *merged.back().locality != *group.locality) {
      merged.push_back(std::move(group));
      continue;
    }
    LocalityGroup& last = merged.back();
    if (group.weight != 0) last.weight = group.weight;
    Add(group.counts, &last.counts);
    last.blocks.insert(last.blocks.end(), group.blocks.begin(),
                       group.blocks.end());
  }
  *groups = std::move(merged);
}

}  // namespace

std::shared_ptr<const CountedPriority> CountPriority(
    const PriorityHosts& input,
    const std::shared_ptr<const model::Locality>& own_locality) {
  auto result = std::make_shared<CountedPriority>();
  result->input = input;
  result->own_locality = own_locality;
  for (const LocalityHosts& locality : input.localities) {
    if (locality.hosts == nullptr || locality.hosts->empty()) continue;
    LocalityGroup group;
    group.locality =
        locality.locality != nullptr ? locality.locality : &result->no_locality;
    group.weight = locality.weight_set ? locality.weight : 0;
    group.own = own_locality != nullptr && *own_locality == *group.locality;
    group.counts = CountHosts(*locality.hosts);
    group.blocks.push_back(locality.hosts.get());
    Add(group.counts, &result->counts);
    result->blocks.push_back(locality.hosts.get());
    result->groups.push_back(std::move(group));
  }
  MergeAndOrder(&result->groups);
  return result;
}

bool SameHosts(const CountedPriority& counted, const PriorityHosts& input,
               const std::shared_ptr<const model::Locality>& own_locality) {
  const auto same_locality = [](const model::Locality* a,
                                const model::Locality* b) {
    return a == b || (a != nullptr && b != nullptr && *a == *b);
  };
  if (!same_locality(counted.own_locality.get(), own_locality.get())) {
    return false;
  }
  return std::equal(counted.input.localities.begin(),
                    counted.input.localities.end(), input.localities.begin(),
                    input.localities.end(),
                    [](const LocalityHosts& a, const LocalityHosts& b) {
                      // The locality too by identity: it is borrowed.
                      return a.locality == b.locality && a.weight == b.weight &&
                             a.weight_set == b.weight_set && a.hosts == b.hosts;
                    });
}

double EffectiveLocalityWeight(const LocalityGroup& group, SourceKind kind,
                               uint32_t overprovisioning_factor) {
  const uint64_t hosts = group.counts.hosts - group.counts.excluded;
  if (hosts == 0) return 0;
  const double available =
      1.0 * static_cast<double>(group.Count(kind)) / static_cast<double>(hosts);
  return group.weight *
         std::min(1.0, (overprovisioning_factor / 100.0) * available);
}

}  // namespace meshlib::lb
