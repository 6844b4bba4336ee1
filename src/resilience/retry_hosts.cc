#include "resilience/retry_hosts.h"

#include <algorithm>
#include <bitset>
#include <string_view>

#include "model/endpoints.h"

namespace meshlib::resilience {
namespace {

constexpr std::string_view kLbFilter = "envoy.lb";

using Excluded = std::bitset<model::kMaxPriorities>;

bool IsCanary(const model::Host& host) {
  if (host.metadata() == nullptr) return false;
  const model::Value* canary = host.metadata()->Find(kLbFilter, {"canary"});
  return canary != nullptr && canary->kind == model::Value::Kind::kBool &&
         canary->boolean;
}

// A list in the host's metadata matches if any of its elements does.
bool HasLabel(const model::Host& host, const std::string& key,
              const model::Value& wanted) {
  const model::Value* value = host.metadata()->Find(kLbFilter, {key});
  if (value == nullptr) return false;
  if (value->kind != model::Value::Kind::kList) return *value == wanted;
  return std::find(value->list.begin(), value->list.end(), wanted) !=
         value->list.end();
}

uint32_t TotalAvailability(absl::Span<const uint32_t> healthy,
                           absl::Span<const uint32_t> degraded,
                           const Excluded& excluded) {
  uint32_t total = 0;
  for (size_t i = 0; i < healthy.size(); ++i) {
    if (!excluded[i]) total += healthy[i] + degraded[i];
  }
  return std::min(total, 100u);
}

void Spread(absl::Span<const uint32_t> availability, const Excluded& excluded,
            uint32_t total, uint32_t& left, absl::Span<uint32_t> load) {
  for (size_t i = 0; i < availability.size(); ++i) {
    if (excluded[i]) continue;
    const uint32_t part = std::min(left, availability[i] * 100 / total);
    load[i] += part;
    left -= part;
  }
}

}  // namespace

HostPredicate::HostPredicate(const model::RetryPolicy& config)
    : previous_hosts_(config.previous_hosts),
      omit_canary_(config.omit_canary_hosts),
      omit_metadata_(config.omit_host_metadata),
      max_attempts_(config.host_selection_retry_max_attempts) {}

bool HostPredicate::Rejects(
    const model::Host& host,
    absl::Span<const model::Host* const> attempted) const {
  if (previous_hosts_) {
    for (const model::Host* previous : attempted) {
      if (&previous->state() == &host.state()) return true;
    }
  }
  if (omit_canary_ && IsCanary(host)) return true;
  // Rejected only if all the labels are there.
  return !omit_metadata_.empty() && host.metadata() != nullptr &&
         std::all_of(omit_metadata_.begin(), omit_metadata_.end(),
                     [&](const auto& label) {
                       return HasLabel(host, label.first, label.second);
                     });
}

bool PreviousPrioritiesLoad(uint32_t update_frequency,
                            absl::Span<const uint32_t> attempted,
                            absl::Span<const uint32_t> healthy,
                            absl::Span<const uint32_t> degraded,
                            absl::Span<uint32_t> healthy_load,
                            absl::Span<uint32_t> degraded_load) {
  if (update_frequency == 0 || healthy.size() > model::kMaxPriorities) {
    return false;
  }
  Excluded excluded;
  uint32_t total = 0;
  size_t since_reset = 0;  // attempts since all counted again
  bool adjusted = false;
  for (size_t i = 0; i < attempted.size(); ++i) {
    ++since_reset;
    adjusted = since_reset >= update_frequency;
    if (since_reset % update_frequency != 0) continue;
    for (size_t j = i + 1 - since_reset; j <= i; ++j) {
      if (attempted[j] < healthy.size()) excluded.set(attempted[j]);
    }
    total = TotalAvailability(healthy, degraded, excluded);
    if (total == 0) {
      excluded.reset();
      since_reset = 0;
      total = TotalAvailability(healthy, degraded, excluded);
    }
    if (total == 0) return false;
  }
  if (!adjusted) return false;

  std::fill(healthy_load.begin(), healthy_load.end(), 0);
  std::fill(degraded_load.begin(), degraded_load.end(), 0);
  // More than one round gives what rounding left to the first ones.
  for (uint32_t left = 100; left != 0;) {
    Spread(healthy, excluded, total, left, healthy_load);
    Spread(degraded, excluded, total, left, degraded_load);
  }
  return true;
}

}  // namespace meshlib::resilience
