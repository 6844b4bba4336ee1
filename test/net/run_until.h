#ifndef MESHLIB_TEST_NET_RUN_UNTIL_H_
#define MESHLIB_TEST_NET_RUN_UNTIL_H_

#include <functional>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "event/epoll_loop.h"

namespace meshlib::net {

// Runs a loop until something holds; false if it does not within seconds. Not
// by turns: one that has something to do turns very fast.
inline bool RunUntil(event::EpollLoop& loop,
                     const std::function<bool()>& done) {
  const absl::Time end = absl::Now() + absl::Seconds(20);
  while (!done() && absl::Now() < end) loop.RunOnce(absl::Milliseconds(10));
  return done();
}

}  // namespace meshlib::net

#endif  // MESHLIB_TEST_NET_RUN_UNTIL_H_
