#ifndef MESHLIB_TEST_EVENT_SOCKET_PAIR_H_
#define MESHLIB_TEST_EVENT_SOCKET_PAIR_H_

#include <sys/socket.h>
#include <unistd.h>

#include "event/io_loop.h"
#include "gtest/gtest.h"

namespace meshlib::event {

inline constexpr Interest kRead{true, false};
inline constexpr Interest kWrite{false, true};
inline constexpr Interest kNone{false, false};

// Two connected sockets.
struct Pair {
  Pair() { socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds); }
  ~Pair() {
    Close(0);
    Close(1);
  }
  void Close(int end) {
    if (fds[end] >= 0) close(fds[end]);
    fds[end] = -1;
  }
  void Send() { ASSERT_EQ(write(fds[1], "x", 1), 1); }

  int fds[2];
};

}  // namespace meshlib::event

#endif  // MESHLIB_TEST_EVENT_SOCKET_PAIR_H_
