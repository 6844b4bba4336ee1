#include "test/hotpath/counting_allocator.h"

#include <cerrno>
#include <cstddef>
#include <cstdlib>

// The settings hide symbols by default; these must be seen by the shared
// libraries that the program uses.
#define MESHLIB_INTERPOSE extern "C" __attribute__((visibility("default")))

extern "C" {
void* __libc_malloc(size_t size);
void* __libc_calloc(size_t count, size_t size);
void* __libc_realloc(void* pointer, size_t size);
void* __libc_memalign(size_t alignment, size_t size);
void __libc_free(void* pointer);
}

namespace meshlib::testing {
namespace {
// Plain integers: a thread_local with a constructor would allocate in malloc.
thread_local uint64_t allocations = 0;
thread_local uint64_t frees = 0;
}  // namespace

AllocatorUse ThreadAllocatorUse() { return {allocations, frees}; }

}  // namespace meshlib::testing

using meshlib::testing::allocations;
using meshlib::testing::frees;

MESHLIB_INTERPOSE void* malloc(size_t size) noexcept {
  ++allocations;
  return __libc_malloc(size);
}

MESHLIB_INTERPOSE void* calloc(size_t count, size_t size) noexcept {
  ++allocations;
  return __libc_calloc(count, size);
}

MESHLIB_INTERPOSE void* realloc(void* pointer, size_t size) noexcept {
  ++allocations;
  return __libc_realloc(pointer, size);
}

MESHLIB_INTERPOSE void* memalign(size_t alignment, size_t size) noexcept {
  ++allocations;
  return __libc_memalign(alignment, size);
}

MESHLIB_INTERPOSE void* aligned_alloc(size_t alignment, size_t size) noexcept {
  ++allocations;
  return __libc_memalign(alignment, size);
}

MESHLIB_INTERPOSE int posix_memalign(void** result, size_t alignment,
                                     size_t size) noexcept {
  ++allocations;
  *result = __libc_memalign(alignment, size);
  return *result == nullptr ? ENOMEM : 0;
}

MESHLIB_INTERPOSE void free(void* pointer) noexcept {
  if (pointer != nullptr) ++frees;
  __libc_free(pointer);
}
