#include "lb/random_subset.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/hash.h"
#include "gtest/gtest.h"

namespace meshlib::lb {
namespace {

std::vector<std::string> Addresses(int count) {
  std::vector<std::string> addresses;
  for (int i = 0; i < count; ++i) {
    addresses.push_back("10.0.0." + std::to_string(i) + ":80");
  }
  return addresses;
}

std::vector<bool> Subset(const std::vector<std::string>& addresses,
                         uint32_t size, uint64_t seed) {
  const std::vector<std::string_view> views(addresses.begin(), addresses.end());
  return RandomSubset(views, size, seed);
}

TEST(RandomSubset, KeepsThoseWithTheLeastHashes) {
  const std::vector<std::string> addresses = Addresses(100);
  for (uint64_t seed = 0; seed < 20; ++seed) {
    std::vector<uint64_t> hashes;
    for (const std::string& a : addresses) {
      hashes.push_back(base::XxHash64(a, seed));
    }
    std::sort(hashes.begin(), hashes.end());
    const std::vector<bool> kept = Subset(addresses, 7, seed);
    for (size_t i = 0; i < addresses.size(); ++i) {
      EXPECT_EQ(kept[i], base::XxHash64(addresses[i], seed) < hashes[7]) << i;
    }
  }
}

// XXH64 as the xxhash library has it.
TEST(RandomSubset, OfTwoAddressesTheOneOfTheLesserHash) {
  // Seed 0: 0x44bc2cf5ad770999 for "abc", 0xd24ec4f1a98c6e5b for "a".
  EXPECT_EQ(Subset({"a", "abc"}, 1, 0), (std::vector<bool>{false, true}));
}

TEST(RandomSubset, KeepsAllOfFew) {
  EXPECT_EQ(Subset({"a", "b"}, 2, 1), std::vector<bool>(2, true));
  EXPECT_EQ(Subset({"a", "b"}, 3, 1), std::vector<bool>(2, true));
  EXPECT_TRUE(Subset({}, 3, 1).empty());
}

TEST(RandomSubset, ANewHostReplacesOneAtMost) {
  std::vector<std::string> addresses = Addresses(50);
  std::vector<bool> before = Subset(addresses, 10, 7);
  int changes = 0;
  for (int i = 50; i < 250; ++i) {
    addresses.push_back("10.0.1." + std::to_string(i) + ":80");
    const std::vector<bool> after = Subset(addresses, 10, 7);
    int gone = 0;
    for (size_t j = 0; j < before.size(); ++j) {
      EXPECT_FALSE(!before[j] && after[j]);
      if (before[j] && !after[j]) ++gone;
    }
    EXPECT_EQ(gone, after.back() ? 1 : 0);
    changes += gone;
    before = after;
  }
  EXPECT_GT(changes, 5);  // about 10 * ln(250 / 50)
  EXPECT_LT(changes, 30);
}

TEST(RandomSubset, ClientsSpreadOverAllHosts) {
  const std::vector<std::string> addresses = Addresses(100);
  std::vector<int> clients(addresses.size());
  for (uint64_t seed = 0; seed < 10000; ++seed) {
    const std::vector<bool> kept = Subset(addresses, 5, seed * 7919);
    for (size_t i = 0; i < kept.size(); ++i) clients[i] += kept[i] ? 1 : 0;
  }
  for (const int count : clients) EXPECT_NEAR(count, 500, 120);
}

}  // namespace
}  // namespace meshlib::lb
