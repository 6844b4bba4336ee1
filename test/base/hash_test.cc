#include "base/hash.h"

#include <functional>
#include <string>
#include <string_view>

#include "gtest/gtest.h"

namespace meshlib::base {
namespace {

struct Vector {
  std::string_view text;
  uint64_t want;
};

TEST(XxHash64, GivesTheHashesOfItsSpecificationAndOfEnvoy) {
  const Vector kVectors[] = {
      {"", 0xef46db3751d8e999u},      {"a", 0xd24ec4f1a98c6e5bu},
      {"abc", 0x44bc2cf5ad770999u},   {"foo", 3728699739546630719u},
      {"bar", 5234164152756840025u},  {"foo\nbar", 8917841378505826757u},
      {"lyft", 4400747396090729504u},
  };
  for (const Vector& vector : kVectors) {
    EXPECT_EQ(XxHash64(vector.text), vector.want) << vector.text;
  }
}

TEST(XxHash64, DependsOnTheSeed) {
  EXPECT_EQ(XxHash64("", 1), 0xd5afba1336a3be4bu);
  EXPECT_NE(XxHash64("foo", 1), XxHash64("foo", 0));
}

TEST(MurmurHash2, GivesTheHashesOfEnvoy) {
  const Vector kVectors[] = {
      {"foo", 9631199822919835226u},       {"bar", 11474628671133349555u},
      {"foo\nbar", 16306510975912980159u}, {"lyft", 12847078931730529320u},
      {"", 6142509188972423790u},
  };
  for (const Vector& vector : kVectors) {
    EXPECT_EQ(MurmurHash2(vector.text), vector.want) << vector.text;
  }
}

#ifdef __GLIBCXX__
TEST(MurmurHash2, AgreesWithTheStandardLibraryForEveryLength) {
  std::string text;
  for (int i = 0; i < 70; ++i) {
    EXPECT_EQ(MurmurHash2(text),
              std::_Hash_bytes(text.data(), text.size(), 0xc70f6907u))
        << text.size();
    text.push_back(static_cast<char>(i * 37 + 200));
  }
}
#endif

}  // namespace
}  // namespace meshlib::base
