#ifndef MESHLIB_BASE_INTRUSIVE_STACK_H_
#define MESHLIB_BASE_INTRUSIVE_STACK_H_

#include <atomic>

namespace meshlib::base {

// A list that any thread pushes to and one thread takes whole, without locks
// or memory of its own: the items carry the link (`T::*kNext`, which nobody
// else touches). An item may be on it once at a time; its owner must see to
// that, usually by a flag in the item that is cleared when it was taken.
//
// R. K. Treiber's stack (1986). Items are never taken one by one, so that the
// ABA problem cannot occur. Thread-safe.
template <typename T, T* T::*kNext>
class IntrusiveStack {
 public:
  // `item` must live until it was taken.
  void Push(T* item) {
    T* top = top_.load(std::memory_order_relaxed);
    do {
      item->*kNext = top;
      // Release pairs with the acquire in TakeAll().
    } while (!top_.compare_exchange_weak(top, item, std::memory_order_release,
                                         std::memory_order_relaxed));
  }

  // Calls f(T&) for every item, the last one pushed first. In f, the item may
  // be pushed again.
  template <typename F>
  void TakeAll(F&& f) {
    T* item = top_.exchange(nullptr, std::memory_order_acquire);
    while (item != nullptr) {
      T* next = item->*kNext;
      f(*item);
      item = next;
    }
  }

 private:
  std::atomic<T*> top_{nullptr};
};

}  // namespace meshlib::base

#endif  // MESHLIB_BASE_INTRUSIVE_STACK_H_
