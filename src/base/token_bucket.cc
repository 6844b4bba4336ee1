#include "base/token_bucket.h"

#include <algorithm>
#include <cmath>

namespace meshlib::base {
namespace {

// Times come in nanoseconds; rounding must not cost a caller who waited
// exactly TimeUntil() its token.
constexpr double kSlack = 1e-9;

double NonNegative(double value) { return value > 0 ? value : 0; }

}  // namespace

TokenBucket::TokenBucket(double max_tokens, double tokens_per_second,
                         absl::Time now)
    : max_tokens_(NonNegative(max_tokens)),
      tokens_per_second_(NonNegative(tokens_per_second)),
      tokens_(max_tokens_),
      updated_(now) {}

void TokenBucket::Refill(absl::Time now) {
  if (now <= updated_) return;
  const double added =
      absl::ToDoubleSeconds(now - updated_) * tokens_per_second_;
  tokens_ = std::min(max_tokens_, tokens_ + added);
  updated_ = now;
}

bool TokenBucket::Consume(double tokens, absl::Time now) {
  Refill(now);
  if (tokens_ + kSlack * max_tokens_ < tokens) return false;
  tokens_ = NonNegative(tokens_ - tokens);
  return true;
}

absl::Duration TokenBucket::TimeUntil(double tokens, absl::Time now) {
  Refill(now);
  if (tokens_ >= tokens) return absl::ZeroDuration();
  if (tokens > max_tokens_ || tokens_per_second_ == 0) {
    return absl::InfiniteDuration();
  }
  const double seconds = (tokens - tokens_) / tokens_per_second_;
  return absl::Nanoseconds(std::ceil(seconds * 1e9));
}

double TokenBucket::Available(absl::Time now) {
  Refill(now);
  return tokens_;
}

}  // namespace meshlib::base
