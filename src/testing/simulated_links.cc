#include "testing/simulated_links.h"

#include <algorithm>

namespace meshlib::testing {

SimulatedLinkStats& SimulatedLinkStats::operator+=(
    const SimulatedLinkStats& other) {
  connects += other.connects;
  refused += other.refused;
  segments += other.segments;
  bytes += other.bytes;
  lost += other.lost;
  resets += other.resets;
  return *this;
}

SimulatedLinks::Way& SimulatedLinks::Between(std::string_view from,
                                             std::string_view to) {
  const auto [found, added] =
      ways_.try_emplace({std::string(from), std::string(to)});
  if (added) {
    found->second.from = from;
    found->second.to = to;
  }
  return found->second;
}

bool SimulatedLinks::IsCut(const Way& way) const {
  if (way.cut) return true;
  return !isolated_.empty() &&
         (isolated_.count(way.from) != 0 || isolated_.count(way.to) != 0);
}

// Without a draw where nothing is left to chance, so that a fault on one link
// does not move the others'.
bool SimulatedLinks::Draw(double probability) {
  return probability > 0 && random_.NextDouble() < probability;
}

absl::Duration SimulatedLinks::DrawLatency(const SimulatedLink& link) {
  if (link.jitter <= absl::ZeroDuration()) return link.latency;
  return link.latency + link.jitter * random_.NextDouble();
}

SimulatedLinks::Fate SimulatedLinks::Send(Way& way, size_t bytes, bool data,
                                          absl::Time now) {
  const SimulatedLink& link = Of(way);
  if (data) {
    ++way.stats.segments;
    way.stats.bytes += bytes;
  }
  const absl::Duration transmission =
      absl::Seconds(static_cast<double>(bytes) / link.bytes_per_second);
  way.busy_until = std::max(way.busy_until, now) + transmission;
  Fate fate;
  if (IsCut(way) || Draw(link.loss)) {
    ++way.stats.lost;
    return fate;
  }
  fate.arrival = way.busy_until + DrawLatency(link);
  fate.reset = data && Draw(link.reset);
  if (fate.reset) ++way.stats.resets;
  return fate;
}

std::optional<absl::Time> SimulatedLinks::SendSurely(Way& way, absl::Time now) {
  if (IsCut(way)) {
    ++way.stats.lost;
    return std::nullopt;
  }
  return std::max(way.busy_until, now) + DrawLatency(Of(way));
}

bool SimulatedLinks::Arrives(Way& way) {
  if (!IsCut(way)) return true;
  ++way.stats.lost;
  return false;
}

void SimulatedLinks::SetCut(std::string_view endpoint, bool cut) {
  if (cut) {
    isolated_.emplace(endpoint);
  } else {
    isolated_.erase(std::string(endpoint));
  }
}

SimulatedLinkStats SimulatedLinks::Stats(std::string_view from,
                                         std::string_view to) const {
  const auto found = ways_.find({std::string(from), std::string(to)});
  return found == ways_.end() ? SimulatedLinkStats() : found->second.stats;
}

SimulatedLinkStats SimulatedLinks::Total() const {
  SimulatedLinkStats total;
  for (const auto& [ends, way] : ways_) total += way.stats;
  return total;
}

}  // namespace meshlib::testing
