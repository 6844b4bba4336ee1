#include "mesh/pending_calls.h"

#include <gtest/gtest.h>

namespace meshlib::mesh {
namespace {

class Call final : public PendingCall {};

TEST(PendingCalls, TakesNoneOnceItRefuses) {
  PendingCalls calls;
  Call before, after;
  EXPECT_TRUE(calls.Add(0, before));
  calls.Refuse();
  EXPECT_FALSE(calls.Add(0, after));
  EXPECT_FALSE(calls.empty());
  calls.Remove(after);  // does nothing
  calls.Remove(before);
  EXPECT_TRUE(calls.empty());
}

TEST(PendingCalls, WhoWantsToSleepAfterTheEndDoesNot) {
  PendingCalls calls;
  calls.AbortAll();
  calls.Sleep(absl::Hours(1));
}

}  // namespace
}  // namespace meshlib::mesh
