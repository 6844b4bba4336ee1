// What TimerLoop and EpollLoop promise alike.

#include "event/loop.h"

#include <atomic>
#include <future>
#include <memory>
#include <stdexcept>
#include <thread>
#include <vector>

#include "event/epoll_loop.h"
#include "event/timer_loop.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "meshlib/testing/fake_clock.h"

namespace meshlib::event {
namespace {

using ::testing::ElementsAre;

std::unique_ptr<TimerLoop> Make(TimerLoop*, Clock* clock) {
  return std::make_unique<TimerLoop>(clock);
}
std::unique_ptr<EpollLoop> Make(EpollLoop*, Clock* clock) {
  return EpollLoop::Create(clock).value();
}
void StartThread(TimerLoop& loop) { loop.Start(); }
void StartThread(EpollLoop& loop) { ASSERT_TRUE(loop.Start().ok()); }
absl::Time Run(TimerLoop& loop) { return loop.RunPending(); }
absl::Time Run(EpollLoop& loop) { return loop.RunReady(); }

template <typename L>
class LoopTest : public ::testing::Test {
 protected:
  testing::FakeClock clock_;
  std::unique_ptr<L> loop_ = Make(static_cast<L*>(nullptr), &clock_);
};
using Loops = ::testing::Types<TimerLoop, EpollLoop>;
TYPED_TEST_SUITE(LoopTest, Loops);

TYPED_TEST(LoopTest, RunsTasksInOrderAndNotAtOnce) {
  std::vector<int> ran;
  this->loop_->Post([&] {
    ran.push_back(1);
    this->loop_->Post([&] { ran.push_back(3); });
  });
  this->loop_->Post([&] { ran.push_back(2); });
  EXPECT_TRUE(ran.empty());
  EXPECT_EQ(Run(*this->loop_), absl::InfiniteFuture());
  EXPECT_THAT(ran, ElementsAre(1, 2, 3));
}

TYPED_TEST(LoopTest, RunsTimersInOrderOfTimeAndThenOfAsking) {
  const absl::Time start = this->clock_.Now();
  std::vector<int> ran;
  this->loop_->RunAt(start + absl::Seconds(2), [&] { ran.push_back(3); });
  this->loop_->RunAt(start + absl::Seconds(1), [&] { ran.push_back(1); });
  this->loop_->RunAt(start + absl::Seconds(1), [&] { ran.push_back(2); });
  EXPECT_EQ(Run(*this->loop_), start + absl::Seconds(1));
  EXPECT_TRUE(ran.empty());
  this->clock_.Advance(absl::Seconds(1));
  EXPECT_EQ(Run(*this->loop_), start + absl::Seconds(2));
  EXPECT_THAT(ran, ElementsAre(1, 2));
  this->clock_.Advance(absl::Seconds(1));
  EXPECT_EQ(Run(*this->loop_), absl::InfiniteFuture());
  EXPECT_THAT(ran, ElementsAre(1, 2, 3));
}

TYPED_TEST(LoopTest, CancelsATimerOnce) {
  bool ran = false;
  const auto timer =
      this->loop_->RunAt(this->clock_.Now(), [&] { ran = true; });
  EXPECT_TRUE(this->loop_->Cancel(timer));
  EXPECT_FALSE(this->loop_->Cancel(timer));
  Run(*this->loop_);
  EXPECT_FALSE(ran);
}

TYPED_TEST(LoopTest, RunsEachSignalOnceForSeveralRaises) {
  int first = 0;
  int second = 0;
  this->loop_->AddSignal([&] { ++first; });
  const auto signal = this->loop_->AddSignal([&] { ++second; });
  this->loop_->Raise(signal);
  this->loop_->Raise(signal);
  Run(*this->loop_);
  EXPECT_EQ(first, 0);
  EXPECT_EQ(second, 1);
}

TYPED_TEST(LoopTest, LivesOnAfterATaskThatThrows) {
  bool ran = false;
  this->loop_->Post([] { throw std::runtime_error("planted"); });
  this->loop_->Post([&] { ran = true; });
  Run(*this->loop_);
  EXPECT_TRUE(ran);
}

TYPED_TEST(LoopTest, ItsThreadWakesForTasksAndSignalsOfOthers) {
  const auto loop = Make(static_cast<TypeParam*>(nullptr), SystemClock());
  std::promise<std::thread::id> task;
  std::promise<void> signalled;
  const auto signal = loop->AddSignal([&] { signalled.set_value(); });
  StartThread(*loop);
  loop->Post([&] { task.set_value(std::this_thread::get_id()); });
  EXPECT_NE(task.get_future().get(), std::this_thread::get_id());
  loop->Raise(signal);
  signalled.get_future().wait();
  loop->Stop();
}

TYPED_TEST(LoopTest, ItsThreadDoesNotSleepOverATimerAskedForByRunNow) {
  const auto loop = Make(static_cast<TypeParam*>(nullptr), SystemClock());
  StartThread(*loop);
  for (int i = 0; i < 20; ++i) {
    // After this the thread sleeps without a timer, or soon does.
    std::promise<void> idle;
    loop->Post([&] { idle.set_value(); });
    idle.get_future().wait();
    std::promise<void> timer;
    loop->RunNow([&] {
      loop->RunAt(loop->Now() + absl::Milliseconds(1),
                  [&] { timer.set_value(); });
    });
    timer.get_future().wait();
  }
  loop->Stop();
}

TYPED_TEST(LoopTest, LosesNoTaskOfManyThreads) {
  constexpr int kEach = 2000;
  const auto loop = Make(static_cast<TypeParam*>(nullptr), SystemClock());
  std::promise<void> all;
  int left = 2 * kEach;  // on the loop only
  StartThread(*loop);
  const auto post = [&] {
    for (int i = 0; i < kEach; ++i) {
      loop->Post([&] {
        if (--left == 0) all.set_value();
      });
    }
  };
  std::thread one(post);
  std::thread two(post);
  one.join();
  two.join();
  all.get_future().wait();
  loop->Stop();
  EXPECT_EQ(left, 0);
}

}  // namespace
}  // namespace meshlib::event
