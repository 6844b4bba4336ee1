#include "event/happy_eyeballs.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace meshlib::event {
namespace {

using Family = HappyEyeballsOrder::Family;

TEST(OrderForHappyEyeballs, TakesTheFamiliesInTurns) {
  struct Case {
    std::vector<std::string> in;
    HappyEyeballsOrder order;
    std::vector<std::string> out;
  };
  const std::string a = "10.0.0.1:80", b = "10.0.0.2:80", c = "10.0.0.3:80";
  const std::string x = "[::1]:80", y = "[::2]:80", z = "[::3]:80";
  const std::string u = "unix:/u";
  const Case kCases[] = {
      {{}, {}, {}},
      {{a}, {}, {a}},
      {{a, b, x, y}, {}, {a, x, b, y}},
      {{x, y, z, a}, {}, {x, a, y, z}},
      {{a, x, y, z}, {}, {a, x, y, z}},
      {{x, a, b, c, y}, {}, {x, a, y, b, c}},
      {{a, b, c}, {}, {a, b, c}},
      {{a, u, b, x}, {}, {a, u, b, x}},
      {{u, a, x}, {}, {u, a, x}},
      {{a, b, x, y}, {Family::kV6, 1}, {x, a, y, b}},
      {{x, y, a, b}, {Family::kV4, 1}, {a, x, b, y}},
      {{x, y}, {Family::kV4, 2}, {x, y}},
      {{a, b, x, y, z}, {Family::kV6, 2}, {x, y, a, z, b}},
      {{a, b, c, x, y}, {Family::kOfFirst, 2}, {a, b, x, c, y}},
      {{a, b, x}, {Family::kOfFirst, 0}, {a, x, b}},
  };
  for (const Case& test : kCases) {
    EXPECT_EQ(OrderForHappyEyeballs(test.in, test.order), test.out);
  }
}

}  // namespace
}  // namespace meshlib::event
