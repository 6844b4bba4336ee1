#ifndef MESHLIB_BASE_PREFETCH_H_
#define MESHLIB_BASE_PREFETCH_H_

namespace meshlib::base {

// Has the cache line of `address` fetched for writing: taken from the caches
// of other processors, so that the write does not wait. Never faults.
//
// For plain x86-64 compilers turn __builtin_prefetch(address, 1) into a fetch
// for reading. Processors without PREFETCHW take it for a no-op.
inline void PrefetchToWrite(const void* address) {
#if defined(__x86_64__) && defined(__GNUC__)
  asm volatile("prefetchw %0" : : "m"(*static_cast<const char*>(address)));
#else
  __builtin_prefetch(address, 1);
#endif
}

}  // namespace meshlib::base

#endif  // MESHLIB_BASE_PREFETCH_H_
