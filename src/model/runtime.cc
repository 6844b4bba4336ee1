#include "model/runtime.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/strings.h"

namespace meshlib::model {
namespace {

// Deeper structs are not configuration but an attack on the stack.
constexpr int kMaxDepth = 32;

// The first double that no uint64_t reaches.
constexpr double kIntegerEnd = 18446744073709551616.0;

std::optional<uint64_t> ToInteger(double number) {
  if (!(number >= 0) || number >= kIntegerEnd) return std::nullopt;
  return static_cast<uint64_t>(number);
}

std::optional<double> ToNumber(std::string_view text) {
  double number = 0;
  if (!absl::SimpleAtod(base::ToAbsl(text), &number)) return std::nullopt;
  return number;
}

uint32_t Denominator(const Value& fraction) {
  const auto it = fraction.fields.find("denominator");
  if (it == fraction.fields.end()) return 100;
  if (it->second.string == "TEN_THOUSAND" || it->second.number == 1) {
    return 10'000;
  }
  if (it->second.string == "MILLION" || it->second.number == 2) {
    return 1'000'000;
  }
  return 100;
}

Fraction ToFraction(const Value& value) {
  Fraction fraction;
  fraction.numerator = 0;
  fraction.denominator = Denominator(value);
  const auto it = value.fields.find("numerator");
  if (it != value.fields.end()) {
    const uint64_t numerator = ToInteger(it->second.number).value_or(0);
    fraction.numerator =
        static_cast<uint32_t>(std::min<uint64_t>(numerator, UINT32_MAX));
  }
  return fraction;
}

}  // namespace

Runtime::Runtime(const std::map<std::string, Value, std::less<>>& values) {
  for (const auto& [key, value] : values) Add(key, value, 0);
}

void Runtime::Add(const std::string& key, const Value& value, int depth) {
  Entry entry;
  switch (value.kind) {
    case Value::Kind::kNumber:
      entry.number = value.number;
      break;
    case Value::Kind::kBool:
      entry.boolean = value.boolean;
      break;
    case Value::Kind::kString:
      entry.number = ToNumber(value.string);
      if (base::EqualsIgnoreCase(value.string, "true")) entry.boolean = true;
      if (base::EqualsIgnoreCase(value.string, "false")) entry.boolean = false;
      break;
    case Value::Kind::kStruct:
      return AddStruct(key, value, depth);
    case Value::Kind::kNull:
    case Value::Kind::kList:
      return;
  }
  if (entry.number.has_value()) {
    entry.integer = ToInteger(*entry.number);
    if (entry.integer.has_value() &&
        static_cast<double>(*entry.integer) == *entry.number) {
      entry.boolean = *entry.integer != 0;
    }
  }
  entries_[key] = entry;
}

void Runtime::AddStruct(const std::string& key, const Value& value, int depth) {
  const bool fraction = value.fields.count("numerator") > 0 ||
                        value.fields.count("denominator") > 0;
  if (fraction || value.fields.empty()) {
    Entry entry;
    entry.fraction = ToFraction(value);
    entries_[key] = entry;
    return;
  }
  if (depth == kMaxDepth) return;
  for (const auto& [name, field] : value.fields) {
    Add(absl::StrCat(key, ".", name), field, depth + 1);
  }
}

const Runtime::Entry* Runtime::Find(std::string_view key) const {
  if (key.empty()) return nullptr;
  const auto it = entries_.find(key);
  return it == entries_.end() ? nullptr : &it->second;
}

uint64_t Runtime::GetInteger(std::string_view key, uint64_t fallback) const {
  const Entry* entry = Find(key);
  return entry == nullptr ? fallback : entry->integer.value_or(fallback);
}

double Runtime::GetDouble(std::string_view key, double fallback) const {
  const Entry* entry = Find(key);
  return entry == nullptr ? fallback : entry->number.value_or(fallback);
}

bool Runtime::GetBoolean(std::string_view key, bool fallback) const {
  const Entry* entry = Find(key);
  return entry == nullptr ? fallback : entry->boolean.value_or(fallback);
}

Fraction Runtime::GetFraction(const Fraction& config) const {
  Fraction fraction = config;
  const Entry* entry = Find(config.runtime_key);
  if (entry != nullptr && entry->fraction.has_value()) {
    fraction = *entry->fraction;
  } else if (entry != nullptr && entry->integer.has_value()) {
    fraction.numerator =
        static_cast<uint32_t>(std::min<uint64_t>(*entry->integer, 100));
    fraction.denominator = 100;
  }
  fraction.runtime_key.clear();
  if (fraction.denominator == 0) fraction.denominator = 100;
  return fraction;
}

}  // namespace meshlib::model
