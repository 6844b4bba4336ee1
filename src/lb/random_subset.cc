#include "lb/random_subset.h"

#include <algorithm>
#include <cstddef>
#include <memory>
#include <utility>

#include "base/hash.h"

namespace meshlib::lb {
namespace {

using Candidate = absl::FunctionRef<bool(const model::Host&)>;

bool SameEntries(const std::shared_ptr<const HostEntries>& a,
                 const std::shared_ptr<const HostEntries>& b) {
  if (a == nullptr || b == nullptr) return a == b;
  return std::equal(a->begin(), a->end(), b->begin(), b->end(),
                    [](const HostEntry& x, const HostEntry& y) {
                      return x.host == y.host && x.weight == y.weight &&
                             x.health == y.health;
                    });
}

// One subset of all these hosts.
void KeepIn(const RandomSubsetOptions& options, Candidate candidate,
            absl::Span<LocalityHosts> localities) {
  std::vector<std::string_view> all;
  std::vector<std::string_view> candidates;
  std::vector<bool> is_candidate;
  for (const LocalityHosts& locality : localities) {
    if (locality.hosts == nullptr) continue;
    for (const HostEntry& entry : *locality.hosts) {
      all.push_back(entry.host->address_view());
      is_candidate.push_back(candidate(*entry.host));
      if (is_candidate.back()) candidates.push_back(all.back());
    }
  }
  const bool any = !candidates.empty();
  const std::vector<bool> kept =
      RandomSubset(any ? candidates : all, options.size, options.seed);
  size_t at = 0;    // in is_candidate
  size_t next = 0;  // in kept
  for (LocalityHosts& locality : localities) {
    if (locality.hosts == nullptr) continue;
    HostEntries entries;
    for (const HostEntry& entry : *locality.hosts) {
      if (any && !is_candidate[at++]) continue;
      if (kept[next++]) entries.push_back(entry);
    }
    if (entries.size() == locality.hosts->size()) continue;
    locality.hosts = std::make_shared<const HostEntries>(std::move(entries));
  }
}

}  // namespace

std::vector<bool> RandomSubset(absl::Span<const std::string_view> addresses,
                               uint32_t size, uint64_t seed) {
  if (addresses.size() <= size) {
    return std::vector<bool>(addresses.size(), true);
  }
  std::vector<std::pair<uint64_t, size_t>> by_hash;
  by_hash.reserve(addresses.size());
  for (size_t i = 0; i < addresses.size(); ++i) {
    by_hash.emplace_back(base::XxHash64(addresses[i], seed), i);
  }
  std::nth_element(by_hash.begin(), by_hash.begin() + size, by_hash.end());
  std::vector<bool> kept(addresses.size(), false);
  for (uint32_t i = 0; i < size; ++i) kept[by_hash[i].second] = true;
  return kept;
}

void KeepRandomSubset(const RandomSubsetOptions& options,
                      absl::FunctionRef<bool(const model::Host&)> candidate,
                      const std::vector<PriorityHosts>* previous,
                      std::vector<PriorityHosts>& priorities) {
  for (size_t p = 0; p < priorities.size(); ++p) {
    const absl::Span<LocalityHosts> all =
        absl::MakeSpan(priorities[p].localities);
    const size_t step = options.by_locality ? 1 : all.size();
    for (size_t i = 0; i < all.size(); i += step) {
      KeepIn(options, candidate, all.subspan(i, step));
    }
    if (previous == nullptr || p >= previous->size()) continue;
    const auto& before = (*previous)[p].localities;
    for (size_t i = 0; i < all.size() && i < before.size(); ++i) {
      if (SameEntries(all[i].hosts, before[i].hosts)) {
        all[i].hosts = before[i].hosts;
      }
    }
  }
}

}  // namespace meshlib::lb
