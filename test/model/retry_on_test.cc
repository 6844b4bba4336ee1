#include "model/retry_on.h"

#include <set>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace meshlib::model {
namespace {

TEST(RetryOnBit, KnowsEveryConditionOfEnvoy) {
  std::set<uint32_t> bits;
  for (const char* name :
       {"5xx", "gateway-error", "reset", "reset-before-request",
        "connect-failure", "envoy-ratelimited", "retriable-4xx",
        "refused-stream", "retriable-status-codes", "retriable-headers",
        "http3-post-connect-failure", "cancelled", "deadline-exceeded",
        "internal", "resource-exhausted", "unavailable"}) {
    const uint32_t bit = RetryOnBit(name);
    EXPECT_NE(bit, 0u) << name;
    EXPECT_TRUE(bits.insert(bit).second) << name;
  }
  EXPECT_EQ(RetryOnBit("5XX"), 0u);
  EXPECT_EQ(RetryOnBit(""), 0u);
}

TEST(CutRetryOnName, CutsAtCommasAndPassesOverNothings) {
  std::string_view text = " 5xx, \tconnect-failure ,, no pe,reset\r\n,";
  std::vector<std::string> names;
  for (auto name = CutRetryOnName(text); !name.empty();
       name = CutRetryOnName(text)) {
    names.emplace_back(name);
  }
  EXPECT_EQ(names, (std::vector<std::string>{"5xx", "connect-failure", "no pe",
                                             "reset"}));
}

}  // namespace
}  // namespace meshlib::model
