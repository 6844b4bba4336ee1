#ifndef MESHLIB_TEST_LIFECYCLE_IN_CHILD_H_
#define MESHLIB_TEST_LIFECYCLE_IN_CHILD_H_

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <functional>

// AddressSanitizer's allocator, unlike the system's, keeps the locks that other
// threads hold at a fork(): the child hangs where it allocates.
#ifdef __SANITIZE_ADDRESS__
#define MESHLIB_SKIP_WITHOUT_ALLOCATION_IN_CHILDREN() GTEST_SKIP()
#else
#define MESHLIB_SKIP_WITHOUT_ALLOCATION_IN_CHILDREN()
#endif

// ThreadSanitizer cannot follow threads that the child of a process with
// several threads starts.
#if defined(MESHLIB_TSAN) || defined(__SANITIZE_ADDRESS__)
#define MESHLIB_SKIP_WITHOUT_THREADS_IN_CHILDREN() GTEST_SKIP()
#else
#define MESHLIB_SKIP_WITHOUT_THREADS_IN_CHILDREN()
#endif

// In a child: says what does not hold, and ends it.
#define CHILD_EXPECT(condition)                        \
  if (!(condition)) {                                  \
    fprintf(stderr, "%d: %s\n", __LINE__, #condition); \
    _exit(1);                                          \
  }

namespace meshlib {

// Runs `body` in a child of fork(), which it ends.
inline pid_t Fork(const std::function<void()>& body) {
  const pid_t child = fork();
  if (child != 0) return child;
  body();
  _exit(0);
}

// How a child has ended: 0 if nothing failed.
inline int WaitFor(pid_t child) {
  int status = -1;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  return status;
}

inline int InChild(const std::function<void()>& body) {
  return WaitFor(Fork(body));
}

}  // namespace meshlib

#endif  // MESHLIB_TEST_LIFECYCLE_IN_CHILD_H_
