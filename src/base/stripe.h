#ifndef MESHLIB_BASE_STRIPE_H_
#define MESHLIB_BASE_STRIPE_H_

#include <atomic>
#include <cstdint>

namespace meshlib::base {

// A thread's place in striped counters. Most threads own their stripe alone
// and write it without an atomic read-modify-write; the last stripe is shared
// by the threads for which none was left.
struct Stripe {
  uint32_t index = 0;
  bool exclusive = true;
};

// Adds to a counter of `stripe`. Any thread may read it at any time; only the
// stripe's owner (or, on the shared stripe, anyone) writes it.
template <typename T>
inline void StripeAdd(Stripe stripe, std::atomic<T>& counter, T delta) {
  if (stripe.exclusive) {
    // Relaxed: the only writer is this thread, readers want a recent value.
    counter.store(
        static_cast<T>(counter.load(std::memory_order_relaxed) + delta),
        std::memory_order_relaxed);
  } else {
    counter.fetch_add(delta, std::memory_order_relaxed);
  }
}

}  // namespace meshlib::base

#endif  // MESHLIB_BASE_STRIPE_H_
