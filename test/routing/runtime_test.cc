#include "model/runtime.h"

#include <map>
#include <string>

#include "gtest/gtest.h"

namespace meshlib::model {
namespace {

Value Number(double number) {
  Value value;
  value.kind = Value::Kind::kNumber;
  value.number = number;
  return value;
}

Value String(std::string text) {
  Value value;
  value.kind = Value::Kind::kString;
  value.string = std::move(text);
  return value;
}

Value Struct(std::map<std::string, Value, std::less<>> fields) {
  Value value;
  value.kind = Value::Kind::kStruct;
  value.fields = std::move(fields);
  return value;
}

Value Bool(bool boolean) {
  Value value;
  value.kind = Value::Kind::kBool;
  value.boolean = boolean;
  return value;
}

TEST(Runtime, ReadsNumbersStringsAndNestedKeys) {
  const Runtime runtime({{"n", Number(3.7)},
                         {"negative", Number(-1)},
                         {"huge", Number(1e300)},
                         {"text", String("42")},
                         {"word", String("x")},
                         {"b", Bool(true)},
                         {"a", Struct({{"b", Struct({{"c", Number(7)}})}})}});
  EXPECT_EQ(runtime.GetInteger("n", 9), 3u);
  EXPECT_EQ(runtime.GetDouble("n", 9), 3.7);
  EXPECT_EQ(runtime.GetInteger("negative", 9), 9u);
  EXPECT_EQ(runtime.GetInteger("huge", 9), 9u);
  EXPECT_EQ(runtime.GetInteger("text", 9), 42u);
  EXPECT_EQ(runtime.GetInteger("word", 9), 9u);
  EXPECT_EQ(runtime.GetInteger("b", 9), 9u);
  EXPECT_TRUE(runtime.GetBoolean("b", false));
  EXPECT_TRUE(runtime.GetBoolean("text", false));
  EXPECT_FALSE(runtime.GetBoolean("word", false));
  EXPECT_EQ(runtime.GetInteger("a.b.c", 9), 7u);
  EXPECT_EQ(runtime.GetInteger("a", 9), 9u);
  EXPECT_EQ(runtime.GetInteger("", 9), 9u);
}

TEST(Runtime, AFractionComesFromAStructOrAsPercent) {
  const Runtime runtime(
      {{"struct", Struct({{"numerator", Number(5)},
                          {"denominator", String("TEN_THOUSAND")}})},
       {"percent", Number(30)},
       {"all", Number(1000)},
       {"word", String("x")}});
  const auto get = [&runtime](std::string key) {
    const Fraction f = runtime.GetFraction({7, 1'000'000, std::move(key)});
    return std::to_string(f.numerator) + "/" + std::to_string(f.denominator);
  };
  EXPECT_EQ(get(""), "7/1000000");
  EXPECT_EQ(get("absent"), "7/1000000");
  EXPECT_EQ(get("word"), "7/1000000");
  EXPECT_EQ(get("struct"), "5/10000");
  EXPECT_EQ(get("percent"), "30/100");
  EXPECT_EQ(get("all"), "100/100");
}

TEST(Runtime, DeepStructsDoNotOverflowTheStack) {
  Value value = Number(1);
  for (int i = 0; i < 1000; ++i) value = Struct({{"x", value}});
  const Runtime runtime({{"deep", value}});
  EXPECT_EQ(runtime.GetInteger("deep", 9), 9u);
}

}  // namespace
}  // namespace meshlib::model
