#include "base/block_cache.h"

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace meshlib::base {
namespace {

#ifdef __SANITIZE_ADDRESS__
constexpr bool kKeeps = false;
#else
constexpr bool kKeeps = true;
#endif

TEST(BlockCache, GivesAKeptBlockOfTheFirstSizeAgain) {
  BlockCache cache(1);
  void* const first = cache.Take(2000);
  void* const second = cache.Take(2000);
  void* const other = cache.Take(3000);
  cache.Give(first, 2000);
  cache.Give(second, 2000);  // one too many
  cache.Give(other, 3000);   // of another size
  void* const again = cache.Take(2000);
  if (kKeeps) {
    EXPECT_EQ(again, first);
  }
  cache.Give(again, 2000);
}

TEST(BlockCache, MayBeGivenBackToByTheLastObjectThatUsesIt) {
  auto cache = std::make_shared<BlockCache>(4);
  auto object = std::allocate_shared<std::string>(
      CachedAllocator<std::string>(cache), 2000, 'x');
  const std::weak_ptr<std::string> weak = object;
  cache.reset();
  EXPECT_EQ(object->size(), 2000u);
  object.reset();
  EXPECT_TRUE(weak.expired());
}

TEST(BlockCache, ServesManyThreads) {
  auto cache = std::make_shared<BlockCache>(8);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([cache, i] {
      std::vector<std::shared_ptr<std::string>> held;
      for (int round = 0; round < 2000; ++round) {
        held.push_back(std::allocate_shared<std::string>(
            CachedAllocator<std::string>(cache), std::to_string(i)));
        if (held.size() < 6) continue;
        for (const auto& text : held) EXPECT_EQ(*text, std::to_string(i));
        held.clear();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace meshlib::base
