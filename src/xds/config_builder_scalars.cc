#include "xds/config_builder_scalars.h"

#include <charconv>
#include <cmath>
#include <cstddef>
#include <limits>
#include <system_error>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/strings.h"

namespace meshlib::xds {
namespace {

constexpr int64_t kMaxDurationSeconds = 315576000000;

bool Got(ScalarText scalar, std::string_view want, std::string& why) {
  why = absl::StrCat("got ", Show(scalar), ", want ", base::ToAbsl(want));
  return false;
}

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// "yes", "Yes" or "YES", but not "yEs".
bool IsFlexibleCase(std::string_view text, std::string_view lower) {
  if (!base::EqualsIgnoreCase(text, lower)) return false;
  const auto is_lower = [](char c) { return c >= 'a' && c <= 'z'; };
  bool all_lower = true;
  bool all_upper = true;
  for (const char c : text.substr(1))
    (is_lower(c) ? all_upper : all_lower) = false;
  return all_lower || (all_upper && !is_lower(text[0]));
}

bool ReadPlainBool(std::string_view text, bool& out) {
  if (text.empty() || text.size() > 5) return false;
  for (const std::string_view name : {"true", "yes", "on", "y"}) {
    if (IsFlexibleCase(text, name)) return out = true;
  }
  for (const std::string_view name : {"false", "no", "off", "n"}) {
    if (IsFlexibleCase(text, name)) {
      out = false;
      return true;
    }
  }
  return false;
}

bool ReadPlainInteger(std::string_view text, int64_t& out) {
  if (text.empty()) return false;
  const bool negative = text[0] == '-';
  std::string_view digits = text;
  if (negative || text[0] == '+') digits.remove_prefix(1);
  if (digits.empty() || !IsDigit(digits[0])) return false;
  int base = 10;
  if (digits.size() > 2 && digits[0] == '0' && (digits[1] | 0x20) == 'x') {
    base = 16;
    digits.remove_prefix(2);
  } else if (digits.size() > 1 && digits[0] == '0') {
    base = 8;
  }
  uint64_t value = 0;
  const char* end = digits.data() + digits.size();
  const auto [rest, error] = std::from_chars(digits.data(), end, value, base);
  const uint64_t limit = uint64_t{1} << 63;
  if (error != std::errc() || rest != end) return false;
  if (negative ? value > limit : value >= limit) return false;
  out = static_cast<int64_t>(negative ? 0 - value : value);
  return true;
}

template <typename T>
bool ReadWhole(std::string_view text, T& out) {
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, out);
  return error == std::errc() && rest == end && !text.empty();
}

// JSON's numbers only: no "inf", no "0x", no spaces.
enum class Real { kOk, kNotANumber, kTooLarge };
Real ReadReal(std::string_view text, double& out) {
  if (text.empty() || (!IsDigit(text[0]) && text[0] != '-') ||
      text.find_first_not_of("0123456789+-.eE") != std::string_view::npos) {
    return Real::kNotANumber;
  }
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, out);
  if (rest != end || error == std::errc::invalid_argument) {
    return Real::kNotANumber;
  }
  if (error == std::errc::result_out_of_range) {
    // Too small is 0, and no harm.
    const size_t exponent = text.find_first_of("eE");
    if (exponent + 1 < text.size() && text[exponent + 1] == '-') {
      out = 0;
      return Real::kOk;
    }
    return Real::kTooLarge;
  }
  return Real::kOk;
}

bool IsBool(ScalarText scalar, bool& value) {
  if (scalar.style == ScalarStyle::kBool) {
    value = scalar.text == "true";
    return true;
  }
  return scalar.style == ScalarStyle::kPlain &&
         ReadPlainBool(scalar.text, value);
}

// An integer in any spelling, as two's complement or as a double.
bool ReadIntegral(ScalarText scalar, int64_t& integer, double& real,
                  bool& is_integer) {
  bool boolean;
  if (IsBool(scalar, boolean)) return false;
  is_integer = (scalar.style == ScalarStyle::kPlain &&
                ReadPlainInteger(scalar.text, integer)) ||
               ReadWhole(scalar.text, integer);
  if (is_integer) return true;
  return ReadReal(scalar.text, real) == Real::kOk && std::trunc(real) == real;
}

bool ReadFraction(std::string_view text, int32_t& nanos) {
  if (text.empty() || text.size() > 9) return false;
  nanos = 0;
  for (size_t i = 0; i < 9; ++i) {
    if (i < text.size() && !IsDigit(text[i])) return false;
    nanos = nanos * 10 + (i < text.size() ? text[i] - '0' : 0);
  }
  return true;
}

}  // namespace

std::string Show(ScalarText scalar) {
  const bool bare = scalar.style == ScalarStyle::kNumber ||
                    scalar.style == ScalarStyle::kBool ||
                    (scalar.style == ScalarStyle::kPlain &&
                     ReadPlain(scalar.text).type != PlainValue::Type::kText);
  const std::string text = base::Excerpt(scalar.text);
  return bare ? text : absl::StrCat("\"", text, "\"");
}

PlainValue ReadPlain(std::string_view text) {
  PlainValue value;
  if (ReadPlainBool(text, value.boolean)) {
    value.type = PlainValue::Type::kBool;
  } else if (ReadPlainInteger(text, value.integer)) {
    value.type = PlainValue::Type::kInteger;
  }
  return value;
}

bool ReadString(ScalarText scalar, std::string_view& out, std::string& why) {
  out = scalar.text;
  if (scalar.style == ScalarStyle::kString) return true;
  bool is_bool = scalar.style == ScalarStyle::kBool;
  bool is_number = scalar.style == ScalarStyle::kNumber;
  if (scalar.style == ScalarStyle::kPlain) {
    // Envoy takes floats and integers beyond 32 bits for text.
    const PlainValue plain = ReadPlain(scalar.text);
    is_bool = plain.type == PlainValue::Type::kBool;
    is_number = plain.type == PlainValue::Type::kInteger &&
                plain.integer >= std::numeric_limits<int32_t>::min() &&
                plain.integer <= std::numeric_limits<int32_t>::max();
  }
  if (!is_bool && !is_number) return true;
  why = absl::StrCat("got the ", is_bool ? "boolean " : "number ",
                     base::Excerpt(scalar.text), ", want a string: write \"",
                     base::Excerpt(scalar.text), "\"");
  return false;
}

bool ReadBool(ScalarText scalar, bool& out, std::string& why) {
  if (IsBool(scalar, out)) return true;
  // Envoy takes the quoted form, too.
  if (scalar.style == ScalarStyle::kString &&
      (scalar.text == "true" || scalar.text == "false")) {
    out = scalar.text == "true";
    return true;
  }
  return Got(scalar, "true or false", why);
}

bool ReadSigned(ScalarText scalar, int64_t min, int64_t max, int64_t& out,
                std::string& why) {
  double real = 0;
  bool is_integer = false;
  if (ReadIntegral(scalar, out, real, is_integer)) {
    constexpr double kLimit = 9223372036854775808.0;
    if (!is_integer && real >= -kLimit && real < kLimit) {
      out = static_cast<int64_t>(real);
      is_integer = true;
    }
    if (is_integer && out >= min && out <= max) return true;
  }
  return Got(scalar, absl::StrCat("an integer from ", min, " to ", max), why);
}

bool ReadUnsigned(ScalarText scalar, uint64_t max, uint64_t& out,
                  std::string& why) {
  double real = 0;
  bool is_integer = false;
  int64_t value = 0;
  bool boolean;
  bool ok = false;
  if (!IsBool(scalar, boolean) && ReadWhole(scalar.text, out) &&
      (scalar.style != ScalarStyle::kPlain || scalar.text[0] != '0')) {
    ok = true;
  } else if (ReadIntegral(scalar, value, real, is_integer)) {
    constexpr double kLimit = 18446744073709551616.0;
    ok = is_integer ? value >= 0 : real >= 0 && real < kLimit;
    if (ok) out = is_integer ? value : static_cast<uint64_t>(real);
  }
  if (ok && out <= max) return true;
  return Got(scalar, absl::StrCat("an integer from 0 to ", max), why);
}

bool ReadDouble(ScalarText scalar, double& out, std::string& why) {
  int64_t integer;
  bool boolean;
  if (IsBool(scalar, boolean)) return Got(scalar, "a number", why);
  if (scalar.style != ScalarStyle::kNumber) {
    const std::string_view text = scalar.text;
    if (text == "NaN") {
      out = std::numeric_limits<double>::quiet_NaN();
      return true;
    }
    if (text == "Infinity" || text == "-Infinity") {
      out = std::numeric_limits<double>::infinity() * (text[0] == '-' ? -1 : 1);
      return true;
    }
  }
  if (scalar.style == ScalarStyle::kPlain &&
      ReadPlainInteger(scalar.text, integer)) {
    out = static_cast<double>(integer);
    return true;
  }
  switch (ReadReal(scalar.text, out)) {
    case Real::kOk:
      return true;
    case Real::kTooLarge:
      return Got(scalar, "a number below 1.8e308", why);
    case Real::kNotANumber:
      break;
  }
  return Got(scalar, "a number", why);
}

bool ReadFloat(ScalarText scalar, float& out, std::string& why) {
  double value = 0;
  if (!ReadDouble(scalar, value, why)) return false;
  if (std::isfinite(value) &&
      std::fabs(value) > std::numeric_limits<float>::max()) {
    return Got(scalar, "a number below 3.4e38", why);
  }
  out = static_cast<float>(value);
  return true;
}

bool ReadBytes(ScalarText scalar, std::string& out, std::string& why) {
  std::string_view text;
  if (!ReadString(scalar, text, why)) return false;
  if (absl::Base64Unescape(base::ToAbsl(text), &out) ||
      absl::WebSafeBase64Unescape(base::ToAbsl(text), &out)) {
    return true;
  }
  return Got(scalar, "bytes in base64", why);
}

bool ReadDuration(ScalarText scalar, SecondsAndNanos& out, std::string& why) {
  constexpr std::string_view kWant = "a duration such as \"0.25s\"";
  std::string_view text = scalar.text;
  if (text.size() < 2 || text.back() != 's' ||
      scalar.style == ScalarStyle::kNumber) {
    return Got(scalar, kWant, why);
  }
  text.remove_suffix(1);
  const bool negative = text[0] == '-';
  if (negative) text.remove_prefix(1);
  const size_t point = text.find('.');
  out = {};
  if (point != std::string_view::npos) {
    if (!ReadFraction(text.substr(point + 1), out.nanos)) {
      return Got(scalar, "a duration with at most 9 decimals", why);
    }
    text = text.substr(0, point);
  }
  if (text.empty() || !IsDigit(text[0]) || !ReadWhole(text, out.seconds) ||
      out.seconds > kMaxDurationSeconds ||
      (out.seconds == kMaxDurationSeconds && out.nanos > 0)) {
    // Digits alone that do not fit are a duration, but too long a one.
    const bool digits = !text.empty() && text.find_first_not_of("0123456789") ==
                                             std::string_view::npos;
    return Got(scalar, digits ? "at most 315576000000s" : kWant, why);
  }
  if (negative) {
    out.seconds = -out.seconds;
    out.nanos = -out.nanos;
  }
  return true;
}

bool ReadTimestamp(ScalarText scalar, SecondsAndNanos& out, std::string& why) {
  absl::Time time;
  std::string error;
  const bool ok =
      scalar.text.size() < 64 &&
      absl::ParseTime(absl::RFC3339_full, base::ToAbsl(scalar.text), &time,
                      &error) &&
      time >= absl::FromUnixSeconds(-62135596800) &&  // year 1
      time < absl::FromUnixSeconds(253402300800);     // year 10000
  if (!ok || scalar.style == ScalarStyle::kNumber || scalar.text[0] == 'i') {
    return Got(scalar, "a time such as \"2026-01-31T12:00:00Z\"", why);
  }
  out.seconds = absl::ToUnixSeconds(time);
  out.nanos = static_cast<int32_t>(
      absl::ToInt64Nanoseconds(time - absl::FromUnixSeconds(out.seconds)));
  return true;
}

bool IsDefaultScalar(ScalarText scalar) {
  bool boolean = true;
  if (IsBool(scalar, boolean)) return !boolean;
  double real = 1;
  return scalar.text.empty() ||
         (scalar.style != ScalarStyle::kString &&
          ReadReal(scalar.text, real) == Real::kOk && real == 0);
}

}  // namespace meshlib::xds
