#ifndef MESHLIB_EVENT_DESCRIPTOR_SET_H_
#define MESHLIB_EVENT_DESCRIPTOR_SET_H_

#include <unistd.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace meshlib::event {

// Descriptors that a process owns, so that a child which inherited them can
// close them, whatever other threads were at when it was forked: hence no lock
// and no memory. Those from 65536 on are not kept. Thread-safe.
class DescriptorSet {
 public:
  // Between the descriptor's being opened and being closed.
  void Add(int fd) {
    if (Fits(fd)) word(fd).fetch_or(Bit(fd), std::memory_order_relaxed);
  }
  void Remove(int fd) {
    if (Fits(fd)) word(fd).fetch_and(~Bit(fd), std::memory_order_relaxed);
  }
  // Closes and forgets all of them.
  void CloseAll() {
    for (size_t i = 0; i < words_.size(); ++i) {
      uint64_t bits = words_[i].exchange(0, std::memory_order_relaxed);
      for (; bits != 0; bits &= bits - 1) {
        close(static_cast<int>(i * 64) + __builtin_ctzll(bits));
      }
    }
  }

 private:
  static bool Fits(int fd) { return fd >= 0 && fd < 65536; }
  static uint64_t Bit(int fd) { return uint64_t{1} << (fd % 64); }
  std::atomic<uint64_t>& word(int fd) {
    return words_[static_cast<size_t>(fd) / 64];
  }

  std::array<std::atomic<uint64_t>, 1024> words_{};
};

}  // namespace meshlib::event

#endif  // MESHLIB_EVENT_DESCRIPTOR_SET_H_
