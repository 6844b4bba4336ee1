#ifndef MESHLIB_BASE_TOKEN_BUCKET_H_
#define MESHLIB_BASE_TOKEN_BUCKET_H_

#include "absl/time/time.h"

namespace meshlib::base {

// A token bucket on passed-in times. It starts full. Time that goes backward
// adds nothing. Not thread-safe.
class TokenBucket {
 public:
  // `max_tokens` at most, `tokens_per_second` added over time.
  TokenBucket(double max_tokens, double tokens_per_second, absl::Time now);

  // Takes `tokens` if there are as many, else none.
  bool Consume(double tokens, absl::Time now);

  // How long until Consume(tokens) can succeed; infinite if never.
  absl::Duration TimeUntil(double tokens, absl::Time now);

  double Available(absl::Time now);

 private:
  void Refill(absl::Time now);

  double max_tokens_;
  double tokens_per_second_;
  double tokens_;
  absl::Time updated_;
};

}  // namespace meshlib::base

#endif  // MESHLIB_BASE_TOKEN_BUCKET_H_
