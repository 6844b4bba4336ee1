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
//
// `order` is relaxed for a count that only means itself: the only writer is
// this thread, readers want a recent value. It is release where a count says
// "I am done with it" to a reader that then destroys something.
template <typename T>
inline void StripeAdd(Stripe stripe, std::atomic<T>& counter, T delta,
                      std::memory_order order = std::memory_order_relaxed) {
  if (stripe.exclusive) {
    counter.store(
        static_cast<T>(counter.load(std::memory_order_relaxed) + delta), order);
  } else {
    counter.fetch_add(delta, order);
  }
}

}  // namespace meshlib::base

#endif  // MESHLIB_BASE_STRIPE_H_
