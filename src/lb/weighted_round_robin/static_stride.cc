#include "lb/weighted_round_robin/static_stride.h"

#include <algorithm>
#include <cmath>

namespace meshlib::lb {
namespace {

constexpr double kMaxRatio = 10;    // to the mean
constexpr double kMinRatio = 0.01;  // likewise

// Draws that pass before any entry will do. With kMaxRatio at least every
// tenth is taken on average.
constexpr int kDraws = 64;

uint32_t Round(double value) {
  return static_cast<uint32_t>(std::lround(value));
}

}  // namespace

StaticStride::StaticStride(uint32_t size)
    : size_(size), scaled_(new std::atomic<uint16_t>[size]) {
  for (uint32_t i = 0; i < size_; ++i) {
    scaled_[i].store(kFull, std::memory_order_relaxed);
  }
}

void StaticStride::SetWeights(absl::Span<const double> weights) {
  double sum = 0;
  double greatest = 0;
  size_t known = 0;
  for (const double weight : weights) {
    if (weight <= 0) continue;
    ++known;
    sum += weight;
    greatest = std::max(greatest, weight);
  }
  double mean = 1;
  double cap = 1;
  if (known > 0) {
    mean = sum / static_cast<double>(known);
    cap = std::min(greatest, kMaxRatio * mean);
  }
  const double scale = kFull / cap;
  const uint32_t of_mean = std::min(Round(scale * mean), kFull);
  const uint32_t least = std::max(Round(of_mean * kMinRatio), uint32_t{1});
  for (uint32_t i = 0; i < size_; ++i) {
    uint32_t scaled = of_mean;
    if (weights[i] > 0) {
      scaled =
          std::clamp(Round(std::min(weights[i], cap) * scale), least, kFull);
    }
    // What stays is not written: other threads keep the line.
    if (scaled_[i].load(std::memory_order_relaxed) == scaled) continue;
    scaled_[i].store(static_cast<uint16_t>(scaled), std::memory_order_relaxed);
  }
}

uint32_t StaticStride::Draw(base::Random& random) const {
  uint32_t entry = 0;
  for (int i = 0; i < kDraws; ++i) {
    const uint64_t drawn = random.Next();
    // The upper half chooses the entry, the lower one whether it is taken.
    entry = static_cast<uint32_t>((drawn >> 32) * size_ >> 32);
    const uint32_t scaled = scaled_[entry].load(std::memory_order_relaxed);
    if ((drawn & 0xffffffff) % kFull < scaled) break;
  }
  return entry;
}

}  // namespace meshlib::lb
