#include "event/epoll_loop.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <future>
#include <memory>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "meshlib/testing/fake_clock.h"

namespace meshlib::event {
namespace {

constexpr Interest kRead{true, false};
constexpr Interest kWrite{false, true};
constexpr Interest kNone{false, false};

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

class EpollLoopTest : public ::testing::Test {
 protected:
  bool Readable() {
    pollfd poll_fd{loop_->PollDescriptor(), POLLIN, 0};
    return poll(&poll_fd, 1, 0) == 1;
  }
  IoLoop::WatchId Watch(int fd, Interest interest,
                        IoLoop::WatchCallback callback) {
    return loop_->WatchFd(fd, interest, std::move(callback)).value();
  }

  testing::FakeClock clock_;
  std::unique_ptr<EpollLoop> loop_ = EpollLoop::Create(&clock_).value();
};

TEST_F(EpollLoopTest, CallsForAsLongAsADescriptorIsReady) {
  Pair pair;
  int calls = 0;
  Watch(pair.fds[0], kRead, [&](Interest ready) {
    EXPECT_EQ(ready, kRead);
    ++calls;
  });
  loop_->RunReady();
  EXPECT_EQ(calls, 0);
  pair.Send();
  EXPECT_TRUE(Readable());
  loop_->RunReady();
  loop_->RunReady();
  EXPECT_EQ(calls, 2);
}

TEST_F(EpollLoopTest, ChangesInterest) {
  Pair pair;
  std::vector<Interest> seen;
  const auto watch =
      Watch(pair.fds[0], kNone, [&](Interest ready) { seen.push_back(ready); });
  pair.Send();
  loop_->RunReady();
  EXPECT_TRUE(seen.empty());
  for (const Interest interest : {kWrite, kRead, Interest{true, true}}) {
    EXPECT_TRUE(loop_->SetInterest(watch, interest));
    loop_->RunReady();
    ASSERT_FALSE(seen.empty());
    EXPECT_EQ(seen.back(), interest);
  }
  EXPECT_TRUE(loop_->SetInterest(watch, kNone));
  loop_->RunReady();
  EXPECT_EQ(seen.size(), 3u);
}

TEST_F(EpollLoopTest, TellsAHangUpByWhatIsWatched) {
  Pair pair;
  std::vector<Interest> seen;
  const auto watch = Watch(pair.fds[0], kWrite,
                           [&](Interest ready) { seen.push_back(ready); });
  pair.Close(1);
  loop_->RunReady();
  loop_->SetInterest(watch, kRead);
  loop_->RunReady();
  EXPECT_EQ(seen, (std::vector<Interest>{kWrite, kRead}));
}

TEST_F(EpollLoopTest, IsNotKeptBusyByAHangUpThatNobodyWaitsFor) {
  Pair pair;
  const auto watch = Watch(pair.fds[0], kRead, [](Interest) {});
  loop_->SetInterest(watch, kNone);
  pair.Close(1);
  EXPECT_FALSE(Readable());
}

TEST_F(EpollLoopTest, CallbackMayUnwatchItselfAndOthersOfTheSameBatch) {
  Pair one;
  Pair two;
  IoLoop::WatchId first = 0;
  IoLoop::WatchId second = 0;
  int calls = 0;
  const auto unwatch = [&](Interest) {
    ++calls;
    EXPECT_TRUE(loop_->Unwatch(first));
    EXPECT_TRUE(loop_->Unwatch(second));
  };
  first = Watch(one.fds[0], kRead, unwatch);
  second = Watch(two.fds[0], kRead, unwatch);
  one.Send();
  two.Send();
  loop_->RunReady();
  loop_->RunReady();
  EXPECT_EQ(calls, 1);
  EXPECT_FALSE(loop_->Unwatch(first));
  EXPECT_FALSE(loop_->SetInterest(second, kRead));
}

TEST_F(EpollLoopTest, LateEventDoesNotReachTheSuccessorOfADescriptor) {
  Pair one;
  Pair two;
  Pair fresh;
  IoLoop::WatchId watches[2] = {};
  Pair* pairs[2] = {&one, &two};
  int calls = 0;
  int successor_calls = 0;
  const auto replace = [&](int other) {
    ++calls;
    // The number of the other, ready in this batch too, is given away.
    const int number = pairs[other]->fds[0];
    loop_->Unwatch(watches[other]);
    ASSERT_EQ(dup2(fresh.fds[0], number), number);
    Watch(number, kRead, [&](Interest) { ++successor_calls; });
  };
  watches[0] = Watch(one.fds[0], kRead, [&](Interest) { replace(1); });
  watches[1] = Watch(two.fds[0], kRead, [&](Interest) { replace(0); });
  one.Send();
  two.Send();
  loop_->RunReady();
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(successor_calls, 0);
}

TEST_F(EpollLoopTest, DescriptorClosedWithoutUnwatchMayBeWatchedAnew) {
  Pair one;
  Pair two;
  const int number = one.fds[0];
  const auto stale = Watch(number, kRead, [](Interest) { FAIL(); });
  ASSERT_EQ(dup2(two.fds[0], number), number);
  int calls = 0;
  Watch(number, kRead, [&](Interest) { ++calls; });
  EXPECT_FALSE(loop_->Unwatch(stale));
  two.Send();
  loop_->RunReady();
  EXPECT_EQ(calls, 1);
}

TEST_F(EpollLoopTest, RefusesWhatCannotBeWatched) {
  Pair pair;
  Watch(pair.fds[0], kRead, [](Interest) {});
  EXPECT_EQ(loop_->WatchFd(pair.fds[0], kRead, [](Interest) {}).status().code(),
            absl::StatusCode::kAlreadyExists);
  EXPECT_FALSE(loop_->WatchFd(-1, kRead, [](Interest) {}).ok());
}

TEST_F(EpollLoopTest, PollDescriptorTellsAHostOfTasksAndSignals) {
  EXPECT_FALSE(Readable());
  int ran = 0;
  loop_->Post([&] { ++ran; });
  EXPECT_TRUE(Readable());
  loop_->RunReady();
  EXPECT_FALSE(Readable());
  const auto signal = loop_->AddSignal([&] { ++ran; });
  loop_->Raise(signal);
  EXPECT_TRUE(Readable());
  loop_->RunReady();
  EXPECT_FALSE(Readable());
  EXPECT_EQ(ran, 2);
}

TEST_F(EpollLoopTest, DescriptorsAreNotStarvedByTasksThatPostTasks) {
  Pair pair;
  int calls = 0;
  Watch(pair.fds[0], kRead, [&](Interest) { ++calls; });
  struct Again {
    void operator()() { loop->Post(Again{loop}); }
    EpollLoop* loop;
  };
  loop_->Post(Again{loop_.get()});
  EXPECT_EQ(loop_->RunReady(), absl::InfinitePast());
  EXPECT_TRUE(Readable());
  pair.Send();
  loop_->RunReady();
  EXPECT_EQ(calls, 1);
}

TEST(EpollLoop, ItsThreadServesDescriptorsAskedForByRunNow) {
  Pair pair;
  const auto loop = EpollLoop::Create(SystemClock()).value();
  ASSERT_TRUE(loop->Start().ok());
  std::promise<void> readable;
  IoLoop::WatchId watch = 0;
  loop->RunNow([&] {
    watch = loop->WatchFd(pair.fds[0], kRead,
                          [&](Interest) {
                            loop->Unwatch(watch);
                            readable.set_value();
                          })
                .value();
  });
  pair.Send();
  readable.get_future().wait();
  loop->Stop();
}

TEST(EpollLoop, AnotherThreadMayTakeADescriptorAndGiveItBack) {
  constexpr int kRounds = 500;
  Pair pair;
  const auto loop = EpollLoop::Create(SystemClock()).value();
  std::promise<void> seen;
  bool told = false;  // on the loop only
  const auto watch = loop->WatchFd(pair.fds[0], kNone,
                                   [&](Interest) {
                                     if (!std::exchange(told, true))
                                       seen.set_value();
                                   })
                         .value();
  ASSERT_TRUE(loop->Start().ok());
  for (int i = 0; i < kRounds; ++i) {
    ASSERT_TRUE(loop->SetInterest(watch, kRead));
    ASSERT_TRUE(loop->SetInterest(watch, kNone));
  }
  pair.Send();
  ASSERT_TRUE(loop->SetInterest(watch, kRead));
  seen.get_future().wait();
  loop->Stop();
}

}  // namespace
}  // namespace meshlib::event
