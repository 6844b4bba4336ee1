// The validate.rules of one field, ready to be checked against values.
#ifndef MESHLIB_PROTO_RULE_SET_H_
#define MESHLIB_PROTO_RULE_SET_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "absl/types/span.h"
#include "google/protobuf/descriptor.h"
#include "proto/ledger.h"

namespace re2 {
class RE2;
}  // namespace re2

namespace meshlib::proto {

// A value of any scalar type, a duration (signed nanoseconds) or a type URL.
// Text is borrowed.
struct Scalar {
  enum class Type : uint8_t {
    kSigned,
    kUnsigned,
    kReal,
    kBool,
    kEnum,
    kDuration,
    kText,
    kBytes,
  };

  Type type = Type::kSigned;
  int64_t integer = 0;  // kUnsigned: cast
  double real = 0;
  std::string_view text;
  const google::protobuf::EnumDescriptor* enumeration = nullptr;
};

// The value as users write it, cut to a length fit for a message.
std::string ToText(const Scalar& value);

// Immutable and thread-safe after construction.
class RuleSet {
 public:
  // Called with what is wrong: "70000 > 65535", "is empty, want ...".
  using ReportFn = absl::FunctionRef<void(const std::string& problem)>;

  explicit RuleSet(absl::Span<const RuleRow> rows);
  ~RuleSet();
  RuleSet(const RuleSet&) = delete;
  RuleSet& operator=(const RuleSet&) = delete;

  bool required() const { return required_; }
  bool skip() const { return skip_; }
  bool unique() const { return unique_; }
  // The value must be looked at (and not only its presence or its items).
  bool checks_value() const { return checks_value_; }
  // Null if there are none.
  const RuleSet* items() const { return items_.get(); }
  const RuleSet* keys() const { return keys_.get(); }
  const RuleSet* values() const { return values_.get(); }

  void CheckScalar(const Scalar& value, ReportFn report) const;
  // The number of items of a list or of entries of a map.
  void CheckCount(int64_t count, ReportFn report) const;

 private:
  void CheckText(const RuleRow& row, const Scalar& value,
                 ReportFn report) const;
  void CheckMembership(const Scalar& value, ReportFn report) const;

  absl::Span<const RuleRow> rows_;
  bool required_ = false;
  bool skip_ = false;
  bool unique_ = false;
  bool ignore_empty_ = false;
  bool checks_value_ = false;
  bool has_in_ = false;
  bool has_set_ = false;  // kIn or kNotIn
  std::unique_ptr<re2::RE2> pattern_;
  std::unique_ptr<RuleSet> items_;
  std::unique_ptr<RuleSet> keys_;
  std::unique_ptr<RuleSet> values_;
};

}  // namespace meshlib::proto

#endif  // MESHLIB_PROTO_RULE_SET_H_
