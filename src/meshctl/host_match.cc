#include "meshctl/host_match.h"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace meshlib::meshctl {
namespace {

std::vector<std::string> Split(std::string_view text) {
  std::vector<std::string> parts;
  while (true) {
    const size_t slash = text.find('/');
    parts.emplace_back(text.substr(0, slash));
    if (slash == std::string_view::npos) return parts;
    text.remove_prefix(slash + 1);
  }
}

template <typename Visitor>
void ForEachEndpoints(const model::Config& config, const Visitor& visit) {
  for (const auto& cluster : config.clusters) {
    if (cluster->endpoints != nullptr) visit(*cluster->endpoints);
  }
  for (const auto& endpoints : config.endpoints) visit(*endpoints);
}

model::HealthStatus Degraded(model::HealthStatus health) {
  switch (health) {
    case model::HealthStatus::kUnknown:
    case model::HealthStatus::kHealthy:
      return model::HealthStatus::kDegraded;
    default:
      return health;
  }
}

// Null if nothing changes.
std::shared_ptr<const model::Endpoints> Changed(
    const model::Endpoints& endpoints, const std::vector<HostMatch>& down,
    const std::vector<HostMatch>& degrade) {
  auto copy = std::make_shared<model::Endpoints>(endpoints);
  bool changed = false;
  for (model::LocalityEndpoints& group : copy->localities) {
    for (model::Endpoint& endpoint : group.endpoints) {
      const model::HealthStatus before = endpoint.health;
      if (MatchesAny(down, endpoint.address, group.locality)) {
        endpoint.health = model::HealthStatus::kUnhealthy;
      } else if (MatchesAny(degrade, endpoint.address, group.locality)) {
        endpoint.health = Degraded(endpoint.health);
      }
      changed = changed || endpoint.health != before;
    }
  }
  return changed ? std::move(copy) : nullptr;
}

}  // namespace

bool GlobMatches(std::string_view pattern, std::string_view text) {
  // Where to go on when a guess for the last '*' was wrong: one character
  // more for it. Earlier ones need no second guess.
  size_t star = std::string_view::npos;
  size_t covered = 0;
  size_t p = 0;
  size_t t = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      covered = t;
    } else if (p < pattern.size() && pattern[p] == text[t]) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++covered;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

HostMatch::HostMatch(std::string text) : text_(std::move(text)) {
  std::vector<std::string> parts = Split(text_);
  if (parts.size() == 2 || parts.size() == 3) parts_ = std::move(parts);
}

bool HostMatch::Matches(std::string_view address,
                        const model::Locality& locality) const {
  if (GlobMatches(text_, address)) return true;
  if (parts_.empty()) return false;
  return GlobMatches(parts_[0], locality.region) &&
         GlobMatches(parts_[1], locality.zone) &&
         (parts_.size() < 3 || GlobMatches(parts_[2], locality.sub_zone));
}

std::vector<HostMatch> MakeMatches(const std::vector<std::string>& texts) {
  return std::vector<HostMatch>(texts.begin(), texts.end());
}

bool MatchesAny(const std::vector<HostMatch>& matches, std::string_view address,
                const model::Locality& locality) {
  return std::any_of(
      matches.begin(), matches.end(),
      [&](const HostMatch& match) { return match.Matches(address, locality); });
}

std::vector<std::string> Unmatched(const model::Config& config,
                                   const std::vector<HostMatch>& matches) {
  std::vector<bool> matched(matches.size());
  ForEachEndpoints(config, [&](const model::Endpoints& endpoints) {
    for (const model::LocalityEndpoints& group : endpoints.localities) {
      for (const model::Endpoint& endpoint : group.endpoints) {
        for (size_t i = 0; i < matches.size(); ++i) {
          matched[i] = matched[i] ||
                       matches[i].Matches(endpoint.address, group.locality);
        }
      }
    }
  });
  std::vector<std::string> unmatched;
  for (size_t i = 0; i < matches.size(); ++i) {
    if (!matched[i]) unmatched.push_back(matches[i].text());
  }
  return unmatched;
}

std::shared_ptr<const model::Config> WithHealth(
    const std::shared_ptr<const model::Config>& config,
    const std::vector<HostMatch>& down, const std::vector<HostMatch>& degrade) {
  if (down.empty() && degrade.empty()) return config;
  auto copy = std::make_shared<model::Config>(*config);
  for (std::shared_ptr<const model::Cluster>& cluster : copy->clusters) {
    if (cluster->endpoints == nullptr) continue;
    auto endpoints = Changed(*cluster->endpoints, down, degrade);
    if (endpoints == nullptr) continue;
    auto changed = std::make_shared<model::Cluster>(*cluster);
    changed->endpoints = std::move(endpoints);
    cluster = std::move(changed);
  }
  for (std::shared_ptr<const model::Endpoints>& endpoints : copy->endpoints) {
    auto changed = Changed(*endpoints, down, degrade);
    if (changed != nullptr) endpoints = std::move(changed);
  }
  return copy;
}

}  // namespace meshlib::meshctl
