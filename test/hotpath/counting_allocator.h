#ifndef MESHLIB_TEST_HOTPATH_COUNTING_ALLOCATOR_H_
#define MESHLIB_TEST_HOTPATH_COUNTING_ALLOCATOR_H_

#include <cstdint>

namespace meshlib::testing {

// Linking this replaces the program's malloc family by one that counts and
// passes on to glibc's. operator new and delete are counted too: the standard
// library's come down to these. Not for sanitizer builds, which bring a malloc
// of their own.
//
// What the calling thread has done so far; other threads do not show.
struct AllocatorUse {
  uint64_t allocations = 0;  // malloc, calloc, realloc and the aligned ones
  uint64_t frees = 0;        // of a pointer that is not null
};
AllocatorUse ThreadAllocatorUse();

}  // namespace meshlib::testing

#endif  // MESHLIB_TEST_HOTPATH_COUNTING_ALLOCATOR_H_
