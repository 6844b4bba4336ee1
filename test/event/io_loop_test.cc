#include "event/io_loop.h"

#include <unistd.h>

#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "event/epoll_loop.h"
#include "event/hosted_loop.h"
#include "gtest/gtest.h"
#include "meshlib/testing/fake_clock.h"
#include "test/event/poll_host.h"
#include "test/event/socket_pair.h"

namespace meshlib::event {
namespace {

struct OnEpoll {
  void Run() { loop->RunReady(); }

  testing::FakeClock clock;
  std::unique_ptr<EpollLoop> loop = EpollLoop::Create(&clock).value();
};

struct OnHost {
  void Run() { host.RunOnce(); }

  testing::FakeClock clock;
  PollHost host{&clock};
  std::unique_ptr<HostedLoop> loop = HostedLoop::Create(&host).value();
};

template <typename Driver>
class IoLoopTest : public ::testing::Test {
 protected:
  void Run() { driver_.Run(); }
  IoLoop& loop() { return *driver_.loop; }
  testing::FakeClock& clock() { return driver_.clock; }
  IoLoop::WatchId Watch(int fd, Interest interest,
                        IoLoop::WatchCallback callback) {
    return loop().WatchFd(fd, interest, std::move(callback)).value();
  }

 private:
  Driver driver_;
};

using Drivers = ::testing::Types<OnEpoll, OnHost>;
TYPED_TEST_SUITE(IoLoopTest, Drivers);

TYPED_TEST(IoLoopTest, CallsForAsLongAsADescriptorIsReady) {
  Pair pair;
  int calls = 0;
  this->Watch(pair.fds[0], kRead, [&](Interest ready) {
    EXPECT_EQ(ready, kRead);
    ++calls;
  });
  this->Run();
  EXPECT_EQ(calls, 0);
  pair.Send();
  this->Run();
  this->Run();
  EXPECT_EQ(calls, 2);
}

TYPED_TEST(IoLoopTest, ChangesInterest) {
  Pair pair;
  std::vector<Interest> seen;
  const auto watch = this->Watch(
      pair.fds[0], kNone, [&](Interest ready) { seen.push_back(ready); });
  pair.Send();
  this->Run();
  EXPECT_TRUE(seen.empty());
  for (const Interest interest : {kWrite, kRead, Interest{true, true}}) {
    EXPECT_TRUE(this->loop().SetInterest(watch, interest));
    this->Run();
    ASSERT_FALSE(seen.empty());
    EXPECT_EQ(seen.back(), interest);
  }
  EXPECT_TRUE(this->loop().SetInterest(watch, kNone));
  this->Run();
  EXPECT_EQ(seen.size(), 3u);
}

TYPED_TEST(IoLoopTest, TellsAHangUpByWhatIsWatched) {
  Pair pair;
  std::vector<Interest> seen;
  const auto watch = this->Watch(
      pair.fds[0], kWrite, [&](Interest ready) { seen.push_back(ready); });
  pair.Close(1);
  this->Run();
  this->loop().SetInterest(watch, kRead);
  this->Run();
  EXPECT_EQ(seen, (std::vector<Interest>{kWrite, kRead}));
}

TYPED_TEST(IoLoopTest, CallbackMayUnwatchItselfAndOthersOfTheSameBatch) {
  Pair one;
  Pair two;
  IoLoop::WatchId first = 0;
  IoLoop::WatchId second = 0;
  int calls = 0;
  const auto unwatch = [&](Interest) {
    ++calls;
    EXPECT_TRUE(this->loop().Unwatch(first));
    EXPECT_TRUE(this->loop().Unwatch(second));
  };
  first = this->Watch(one.fds[0], kRead, unwatch);
  second = this->Watch(two.fds[0], kRead, unwatch);
  one.Send();
  two.Send();
  this->Run();
  this->Run();
  EXPECT_EQ(calls, 1);
  EXPECT_FALSE(this->loop().Unwatch(first));
  EXPECT_FALSE(this->loop().SetInterest(second, kRead));
}

TYPED_TEST(IoLoopTest, LateEventDoesNotReachTheSuccessorOfADescriptor) {
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
    this->loop().Unwatch(watches[other]);
    ASSERT_EQ(dup2(fresh.fds[0], number), number);
    this->Watch(number, kRead, [&](Interest) { ++successor_calls; });
  };
  watches[0] = this->Watch(one.fds[0], kRead, [&](Interest) { replace(1); });
  watches[1] = this->Watch(two.fds[0], kRead, [&](Interest) { replace(0); });
  one.Send();
  two.Send();
  this->Run();
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(successor_calls, 0);
}

TYPED_TEST(IoLoopTest, RefusesWhatCannotBeWatched) {
  Pair pair;
  this->Watch(pair.fds[0], kRead, [](Interest) {});
  EXPECT_EQ(
      this->loop().WatchFd(pair.fds[0], kRead, [](Interest) {}).status().code(),
      absl::StatusCode::kAlreadyExists);
  EXPECT_FALSE(this->loop().WatchFd(-1, kRead, [](Interest) {}).ok());
}

TYPED_TEST(IoLoopTest, RunsTasksSignalsAndTimers) {
  std::vector<int> ran;
  const auto signal = this->loop().AddSignal([&] { ran.push_back(2); });
  const absl::Time now = this->loop().Now();
  this->loop().RunAt(now + absl::Seconds(2), [&] { ran.push_back(5); });
  this->loop().RunAt(now + absl::Seconds(1), [&] {
    ran.push_back(3);
    this->loop().RunAt(now + absl::Seconds(1), [&] { ran.push_back(4); });
  });
  const auto cancelled =
      this->loop().RunAt(now + absl::Seconds(1), [] { FAIL(); });
  this->loop().Post([&] { ran.push_back(1); });
  this->loop().Raise(signal);
  EXPECT_TRUE(ran.empty());
  this->Run();
  this->Run();
  EXPECT_EQ(ran, (std::vector<int>{1, 2}));
  EXPECT_TRUE(this->loop().Cancel(cancelled));
  this->clock().Advance(absl::Seconds(1));
  this->Run();
  EXPECT_EQ(ran, (std::vector<int>{1, 2, 3, 4}));
  this->clock().Advance(absl::Seconds(1));
  this->Run();
  EXPECT_EQ(ran, (std::vector<int>{1, 2, 3, 4, 5}));
  this->loop().Raise(signal);
  this->Run();
  EXPECT_EQ(ran.back(), 2);
}

class HostedLoopTest : public ::testing::Test {
 protected:
  testing::FakeClock clock_;
  PollHost host_{&clock_};
  std::unique_ptr<HostedLoop> loop_ = HostedLoop::Create(&host_).value();
};

TEST_F(HostedLoopTest, AsksTheHostForOnePostAndOneTimerAtATime) {
  int ran = 0;
  for (int i = 0; i < 10; ++i) {
    loop_->Post([&] {
      ++ran;
      loop_->Post([&] { ++ran; });
      loop_->RunAt(loop_->Now() + absl::Seconds(1), [&] { ++ran; });
      loop_->RunAt(loop_->Now() + absl::Seconds(2), [&] { ++ran; });
    });
  }
  host_.RunOnce();
  EXPECT_EQ(ran, 20);
  EXPECT_EQ(host_.posts(), 1);
  EXPECT_EQ(host_.alarms, 1);
  clock_.Advance(absl::Seconds(2));
  host_.RunOnce();
  EXPECT_EQ(ran, 40);
}

TEST_F(HostedLoopTest, KeepsTheHostFreeOfTasksThatPostTasks) {
  struct Again {
    void operator()() {
      ++*count;
      loop->Post(Again{loop, count});
    }
    HostedLoop* loop;
    int* count;
  };
  int count = 0;
  loop_->Post(Again{loop_.get(), &count});
  host_.RunOnce();
  const int once = count;
  EXPECT_LT(once, 100);
  host_.RunOnce();
  EXPECT_GT(count, once);
}

TEST_F(HostedLoopTest, TakesDescriptorsAndWorkFromOtherThreads) {
  Pair pair;
  int calls = 0;
  const auto watch =
      loop_->WatchFd(pair.fds[0], kNone, [&](Interest) { ++calls; }).value();
  EXPECT_EQ(host_.watched(), 1u);  // the loop's own
  pair.Send();
  int ran = 0;
  const auto signal = loop_->AddSignal([&] { ++ran; });
  std::thread([&] {
    EXPECT_TRUE(loop_->SetInterest(watch, kRead));
    loop_->RunNow([&] { loop_->RunAt(loop_->Now(), [&] { ++ran; }); });
    loop_->Raise(signal);
  }).join();
  host_.RunOnce();
  EXPECT_EQ(ran, 2);
  EXPECT_EQ(host_.watched(), 2u);
  host_.RunOnce();
  EXPECT_EQ(calls, 1);
  std::thread([&] { EXPECT_TRUE(loop_->SetInterest(watch, kNone)); }).join();
  host_.RunOnce();
  EXPECT_EQ(host_.watched(), 1u);
}

TEST_F(HostedLoopTest, LeavesNothingWithTheHostThatComesBack) {
  Pair pair;
  ASSERT_TRUE(
      loop_->WatchFd(pair.fds[0], kRead, [](Interest) { FAIL(); }).ok());
  loop_->RunAt(loop_->Now(), [] { FAIL(); });
  loop_->Post([] { FAIL(); });
  pair.Send();
  loop_.reset();
  EXPECT_EQ(host_.watched(), 0u);
  clock_.Advance(absl::Seconds(1));
  host_.RunOnce();
}

}  // namespace
}  // namespace meshlib::event
