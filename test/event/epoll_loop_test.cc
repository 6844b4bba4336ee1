#include "event/epoll_loop.h"

#include <poll.h>
#include <unistd.h>

#include <future>
#include <memory>
#include <utility>

#include "gtest/gtest.h"
#include "meshlib/testing/fake_clock.h"
#include "test/event/socket_pair.h"

namespace meshlib::event {
namespace {

// What holds for every loop with descriptors is in io_loop_test.cc.
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

TEST_F(EpollLoopTest, IsNotKeptBusyByAHangUpThatNobodyWaitsFor) {
  Pair pair;
  const auto watch = Watch(pair.fds[0], kRead, [](Interest) {});
  loop_->SetInterest(watch, kNone);
  pair.Close(1);
  EXPECT_FALSE(Readable());
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

TEST_F(EpollLoopTest, PollDescriptorTellsAHostOfWhatThereIsToDo) {
  Pair pair;
  Watch(pair.fds[0], kRead, [](Interest) {});
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
  pair.Send();
  EXPECT_TRUE(Readable());
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
