#include "resilience/connect_backoff.h"

#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "model/host.h"

namespace meshlib::resilience {
namespace {

constexpr int64_t kSecond = 1000000000;
constexpr uint64_t kMiddle = uint64_t{1} << 63;  // no jitter

TEST(ConnectBackoff, AFreshHostIsNotInBackoff) {
  model::HostState state;
  EXPECT_FALSE(InConnectBackoff(state, 0));
  EXPECT_FALSE(InConnectBackoff(state, kSecond));
}

TEST(ConnectBackoff, LastsOneSecondAndGrowsWithEachFailureInARow) {
  model::HostState state;
  int64_t now = 100 * kSecond;
  for (const double want : {1.0, 1.6, 2.56}) {
    EXPECT_TRUE(OnConnectFailure(state, now, kMiddle));
    const auto length = static_cast<int64_t>(want * kSecond);
    EXPECT_TRUE(InConnectBackoff(state, now + length - 1000));
    EXPECT_FALSE(InConnectBackoff(state, now + length + 1000));
    now += length + 1000;
  }
}

TEST(ConnectBackoff, NeverLastsLongerThanItsMaximumAndJitter) {
  model::HostState state;
  int64_t now = kSecond;
  for (int i = 0; i < 100; ++i) {
    EXPECT_TRUE(OnConnectFailure(state, now, ~uint64_t{0}));
    const int64_t until = state.connect_backoff_until_ns.load();
    EXPECT_LE(until - now, 144 * kSecond);
    now = until;
  }
}

TEST(ConnectBackoff, ManyCallersThatFailTogetherAreOneEvent) {
  model::HostState state;
  EXPECT_TRUE(OnConnectFailure(state, kSecond, kMiddle));
  for (int i = 0; i < 50; ++i) {
    EXPECT_FALSE(OnConnectFailure(state, kSecond + i, kMiddle));
  }
  EXPECT_EQ(state.connect_failures.load(), 1u);
  EXPECT_FALSE(InConnectBackoff(state, 2 * kSecond + 1000));
}

TEST(ConnectBackoff, ASuccessEndsItAndForgets) {
  model::HostState state;
  OnConnectFailure(state, kSecond, kMiddle);
  OnConnectFailure(state, 10 * kSecond, kMiddle);
  OnConnectSuccess(state);
  EXPECT_FALSE(InConnectBackoff(state, 10 * kSecond));
  OnConnectFailure(state, 20 * kSecond, kMiddle);
  EXPECT_FALSE(InConnectBackoff(state, 21 * kSecond + 1000));
}

}  // namespace
}  // namespace meshlib::resilience
