#include "proto/rule_set.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include <re2/re2.h>
#include "absl/strings/escaping.h"

namespace meshlib::proto {
namespace {

using Type = Scalar::Type;

constexpr size_t kShownText = 80;

// The operand of `row` as a value of the same type as `like`.
Scalar Operand(const RuleRow& row, const Scalar& like) {
  Scalar operand = like;
  operand.integer = row.integer;
  operand.real = row.real;
  operand.text = row.text;
  return operand;
}

bool IsText(const Scalar& value) {
  return value.type == Type::kText || value.type == Type::kBytes;
}

bool Equal(const Scalar& a, const Scalar& b) {
  if (IsText(a)) return a.text == b.text;
  if (a.type == Type::kReal) return a.real == b.real;
  return a.integer == b.integer;
}

// False if one is NaN, so that a NaN breaks every bound.
bool Less(const Scalar& a, const Scalar& b) {
  if (a.type == Type::kReal) return a.real < b.real;
  if (a.type == Type::kUnsigned) {
    return static_cast<uint64_t>(a.integer) < static_cast<uint64_t>(b.integer);
  }
  return a.integer < b.integer;
}

bool IsDefault(const Scalar& value) {
  if (IsText(value)) return value.text.empty();
  return value.integer == 0 && value.real == 0;
}

std::string Seconds(int64_t nanoseconds) {
  char text[48];
  const bool negative = nanoseconds < 0;
  const uint64_t magnitude = negative ? 0 - static_cast<uint64_t>(nanoseconds)
                                      : static_cast<uint64_t>(nanoseconds);
  std::snprintf(text, sizeof(text), "%s%llu.%09llu", negative ? "-" : "",
                static_cast<unsigned long long>(magnitude / 1000000000),
                static_cast<unsigned long long>(magnitude % 1000000000));
  std::string out = text;
  out.erase(out.find_last_not_of('0') + 1);
  if (out.back() == '.') out.pop_back();
  return out + "s";
}

int64_t Characters(std::string_view text) {
  return std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  });
}

bool IsHeaderNameCharacter(unsigned char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
         (c >= 'A' && c <= 'Z') ||
         std::string_view("!#$%&'*+,-.^_|~`").find(static_cast<char>(c)) !=
             std::string_view::npos;
}

// Not strict: anything but NUL, CR and LF.
bool IsLooseHeader(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) {
    return c == '\0' || c == '\r' || c == '\n';
  });
}

// A token, with a colon in front of it for a pseudo header.
bool IsHeaderName(std::string_view text, bool strict) {
  if (!strict) return IsLooseHeader(text);
  if (!text.empty() && text.front() == ':') text.remove_prefix(1);
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), IsHeaderNameCharacter);
}

// No control characters but the tab.
bool IsHeaderValue(std::string_view text, bool strict) {
  if (!strict) return IsLooseHeader(text);
  return std::none_of(text.begin(), text.end(), [](unsigned char c) {
    return (c < 0x20 && c != '\t') || c == 0x7F;
  });
}

bool EndsWith(std::string_view text, std::string_view suffix) {
  return text.size() >= suffix.size() &&
         text.substr(text.size() - suffix.size()) == suffix;
}

std::string Bound(const Scalar& value, const char* relation,
                  const Scalar& bound) {
  return ToText(value).append(relation).append(ToText(bound));
}

// "has 2 characters, want at least 3"
std::string Length(int64_t got, const char* unit, const char* relation,
                   int64_t want) {
  if (got == 0 && want == 1) return "is empty";
  std::string out = "has ";
  out.append(std::to_string(got)).append(" ").append(unit);
  if (got != 1) out.push_back('s');
  return out.append(", want ").append(relation).append(std::to_string(want));
}

void CheckLength(const RuleRow& row, const Scalar& value,
                 RuleSet::ReportFn report) {
  const bool bytes = value.type == Type::kBytes ||
                     row.op == RuleOp::kMinBytes || row.op == RuleOp::kMaxBytes;
  const char* unit = bytes ? "byte" : "character";
  const int64_t length =
      bytes ? static_cast<int64_t>(value.text.size()) : Characters(value.text);
  if (row.op == RuleOp::kMinLen || row.op == RuleOp::kMinBytes) {
    if (length < row.integer) {
      report(Length(length, unit, "at least ", row.integer));
    }
  } else if (row.op == RuleOp::kMaxLen || row.op == RuleOp::kMaxBytes) {
    if (length > row.integer) {
      report(Length(length, unit, "at most ", row.integer));
    }
  }
}

}  // namespace

std::string ToText(const Scalar& value) {
  switch (value.type) {
    case Type::kSigned:
      return std::to_string(value.integer);
    case Type::kUnsigned:
      return std::to_string(static_cast<uint64_t>(value.integer));
    case Type::kBool:
      return value.integer != 0 ? "true" : "false";
    case Type::kDuration:
      return Seconds(value.integer);
    case Type::kReal: {
      char text[40];
      std::snprintf(text, sizeof(text), "%.10g", value.real);
      return text;
    }
    case Type::kEnum: {
      const auto* known =
          value.enumeration->FindValueByNumber(static_cast<int>(value.integer));
      return known != nullptr ? known->name() : std::to_string(value.integer);
    }
    case Type::kText:
    case Type::kBytes:
      break;
  }
  const std::string_view shown = value.text.substr(0, kShownText);
  std::string out = "\"";
  out.append(
      absl::Utf8SafeCEscape(absl::string_view(shown.data(), shown.size())));
  if (value.text.size() > kShownText) out.append("...");
  return out.append("\"");
}

RuleSet::RuleSet(absl::Span<const RuleRow> rows) : rows_(rows) {
  for (const RuleRow& row : rows_) {
    switch (row.op) {
      case RuleOp::kRequired:
        required_ = true;
        break;
      case RuleOp::kSkip:
        skip_ = true;
        break;
      case RuleOp::kUnique:
        unique_ = true;
        break;
      case RuleOp::kIgnoreEmpty:
        ignore_empty_ = true;
        break;
      case RuleOp::kItems:
        items_ = std::make_unique<RuleSet>(SubRules(row));
        break;
      case RuleOp::kKeys:
        keys_ = std::make_unique<RuleSet>(SubRules(row));
        break;
      case RuleOp::kValues:
        values_ = std::make_unique<RuleSet>(SubRules(row));
        break;
      case RuleOp::kPattern:
        pattern_ = std::make_unique<re2::RE2>(
            re2::StringPiece(row.text.data(), row.text.size()),
            re2::RE2::Quiet);
        checks_value_ = true;
        break;
      case RuleOp::kIn:
        has_in_ = true;
        [[fallthrough]];
      case RuleOp::kNotIn:
        has_set_ = true;
        checks_value_ = true;
        break;
      default:
        checks_value_ = true;
    }
  }
}

RuleSet::~RuleSet() = default;

void RuleSet::CheckScalar(const Scalar& value, ReportFn report) const {
  if (ignore_empty_ && IsDefault(value)) return;
  if (value.type == Type::kReal && std::isnan(value.real) && checks_value_) {
    // Every bound would say so again.
    return report("NaN, want a number");
  }
  for (const RuleRow& row : rows_) {
    const Scalar operand = Operand(row, value);
    switch (row.op) {
      case RuleOp::kConst:
        if (!Equal(value, operand)) report(Bound(value, ", want ", operand));
        break;
      case RuleOp::kLt:
        if (!Less(value, operand)) report(Bound(value, " >= ", operand));
        break;
      case RuleOp::kLte:
        if (!Less(value, operand) && !Equal(value, operand)) {
          report(Bound(value, " > ", operand));
        }
        break;
      case RuleOp::kGt:
        if (!Less(operand, value)) report(Bound(value, " <= ", operand));
        break;
      case RuleOp::kGte:
        if (!Less(operand, value) && !Equal(value, operand)) {
          report(Bound(value, " < ", operand));
        }
        break;
      case RuleOp::kDefinedOnly:
        if (value.enumeration->FindValueByNumber(
                static_cast<int>(value.integer)) == nullptr) {
          report(ToText(value)
                     .append(" is not a value of ")
                     .append(OriginalName(*value.enumeration)));
        }
        break;
      default:
        if (IsText(value)) CheckText(row, value, report);
    }
  }
  if (has_set_) CheckMembership(value, report);
}

void RuleSet::CheckText(const RuleRow& row, const Scalar& value,
                        ReportFn report) const {
  const std::string_view text = value.text;
  // "\"x\" does not start with \"%\""
  const auto fail = [&](const char* what) {
    Scalar operand = value;
    operand.text = row.text;
    report(ToText(value).append(what).append(ToText(operand)));
  };
  switch (row.op) {
    case RuleOp::kPattern:
      if (!re2::RE2::PartialMatch(re2::StringPiece(text.data(), text.size()),
                                  *pattern_)) {
        fail(" does not match ");
      }
      break;
    case RuleOp::kPrefix:
      if (text.substr(0, row.text.size()) != row.text) {
        fail(" does not start with ");
      }
      break;
    case RuleOp::kSuffix:
      if (!EndsWith(text, row.text)) fail(" does not end with ");
      break;
    case RuleOp::kContains:
      if (text.find(row.text) == std::string_view::npos) {
        fail(" does not contain ");
      }
      break;
    case RuleOp::kHeaderName:
      if (!IsHeaderName(text, row.integer != 0)) {
        report(ToText(value) + " is not a valid HTTP header name");
      }
      break;
    case RuleOp::kHeaderValue:
      if (!IsHeaderValue(text, row.integer != 0)) {
        report(ToText(value) + " is not a valid HTTP header value");
      }
      break;
    default:
      CheckLength(row, value, report);
  }
}

void RuleSet::CheckMembership(const Scalar& value, ReportFn report) const {
  bool found = false;
  for (const RuleRow& row : rows_) {
    if (row.op != RuleOp::kIn && row.op != RuleOp::kNotIn) continue;
    if (!Equal(value, Operand(row, value))) continue;
    found = true;
    if (row.op == RuleOp::kNotIn) report(ToText(value) + " is not allowed");
  }
  if (found || !has_in_) return;
  std::string want;
  for (const RuleRow& row : rows_) {
    if (row.op != RuleOp::kIn) continue;
    want.append(want.empty() ? "" : ", ").append(ToText(Operand(row, value)));
  }
  report(ToText(value).append(", want one of ").append(want));
}

void RuleSet::CheckCount(int64_t count, ReportFn report) const {
  if (ignore_empty_ && count == 0) return;
  for (const RuleRow& row : rows_) {
    const bool list =
        row.op == RuleOp::kMinItems || row.op == RuleOp::kMaxItems;
    const bool least =
        row.op == RuleOp::kMinItems || row.op == RuleOp::kMinPairs;
    if (!least && !list && row.op != RuleOp::kMaxPairs) continue;
    if (least ? count >= row.integer : count <= row.integer) continue;
    std::string text = std::to_string(count);
    text.append(list ? (count == 1 ? " item" : " items")
                     : (count == 1 ? " entry" : " entries"));
    text.append(least ? ", want at least " : ", want at most ");
    report(text.append(std::to_string(row.integer)));
  }
}

}  // namespace meshlib::proto
