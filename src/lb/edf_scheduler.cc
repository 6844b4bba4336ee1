#include "lb/edf_scheduler.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace meshlib::lb {

EdfStart StartEdf(const std::vector<double>& weights, uint64_t seed) {
  constexpr uint32_t kMaxPicks = 429496729;
  constexpr double kEpsilon = 1e-13;
  EdfStart start;
  if (weights.empty()) return start;
  const uint32_t picks = static_cast<uint32_t>(seed) % kMaxPicks;
  double sum = 0;
  for (const double weight : weights) sum += weight + kEpsilon;

  start.deadlines.reserve(weights.size());
  double now = 0;
  uint32_t done = 0;
  for (const double plain_weight : weights) {
    const double weight = plain_weight + kEpsilon;
    auto count = static_cast<uint32_t>(weight * picks / sum);
    // Rounding must not make a pick that is not due yet.
    if (count > 0 && count / weight >= picks / sum) --count;
    start.deadlines.push_back((count + 1) / weight);
    now = std::max(now, count / weight);
    done += count;
  }
  for (double& deadline : start.deadlines) {
    deadline = std::max(0.0, deadline - now);
  }
  start.picks_left = picks - done;
  return start;
}

EdfScheduler::EdfScheduler(const std::vector<double>& weights, uint64_t seed) {
  const EdfStart start = StartEdf(weights, seed);
  std::vector<DeadlineHeap<double, Earlier>::Entry> entries;
  entries.reserve(weights.size());
  for (uint32_t i = 0; i < weights.size(); ++i) {
    entries.push_back({start.deadlines[i], 0, i});
  }
  heap_ = DeadlineHeap<double, Earlier>(std::move(entries));
  for (uint32_t i = 0; i < start.picks_left; ++i) {
    Pick([&weights](uint32_t index) { return weights[index]; });
  }
}

WrrScheduler::WrrScheduler(const std::vector<double>& weights, uint64_t seed) {
  if (weights.empty()) return;
  const EdfStart start = StartEdf(weights, seed);
  // As many parts to the unit as keep all deadlines, which are at most
  // 2 / smallest weight apart, within half the range.
  const double smallest = *std::min_element(weights.begin(), weights.end());
  const int bits =
      std::min(60, static_cast<int>(std::floor(60 + std::log2(smallest))));
  const double unit = std::ldexp(1.0, bits);
  steps_.reserve(weights.size());
  std::vector<DeadlineHeap<uint64_t, Earlier>::Entry> entries;
  entries.reserve(weights.size());
  for (uint32_t i = 0; i < weights.size(); ++i) {
    const double weight = weights[i];
    Step step;
    if (bits >= 0 && weight == std::floor(weight) && weight < 0x1p62) {
      step.divisor = static_cast<uint64_t>(weight);
      step.step = (uint64_t{1} << bits) / step.divisor;
      step.remainder = (uint64_t{1} << bits) % step.divisor;
    } else {
      step.step = static_cast<uint64_t>(unit / weight);
    }
    steps_.push_back(step);
    entries.push_back({static_cast<uint64_t>(start.deadlines[i] * unit), 0, i});
  }
  heap_ = DeadlineHeap<uint64_t, Earlier>(std::move(entries));
  for (uint32_t i = 0; i < start.picks_left; ++i) Pick();
}

}  // namespace meshlib::lb
