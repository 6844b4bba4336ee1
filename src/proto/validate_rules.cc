#include "proto/validate_rules.h"

#include <algorithm>
#include <limits>
#include <set>
#include <string_view>

#include "google/protobuf/any.pb.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/unknown_field_set.h"
#include "proto/any_types.h"
#include "proto/rule_plan.h"

namespace meshlib::proto {
namespace {

using ::google::protobuf::Any;
using ::google::protobuf::Duration;
using ::google::protobuf::FieldDescriptor;
using ::google::protobuf::Message;
using ::google::protobuf::Reflection;

// Deeper messages come only from a message that was built by hand: protobuf's
// parser stops at 100, inside each Any.
constexpr int kMaxMessageDepth = 500;

// In nanoseconds; beyond 292 years the largest of that sign.
int64_t Nanoseconds(const Duration& duration) {
  constexpr int64_t kMaxSeconds =
      std::numeric_limits<int64_t>::max() / 1000000000 - 1;
  if (duration.seconds() > kMaxSeconds) {
    return std::numeric_limits<int64_t>::max();
  }
  if (duration.seconds() < -kMaxSeconds) {
    return std::numeric_limits<int64_t>::min();
  }
  return duration.seconds() * 1000000000 + duration.nanos();
}

Scalar Text(std::string_view text) {
  Scalar value;
  value.type = Scalar::Type::kText;
  value.text = text;
  return value;
}

// The `item` of a field that is no list.
constexpr int kSingular = -1;

// The value of a scalar field, or of one item of a list of them. Text is
// borrowed from the message, or from *scratch.
Scalar ReadScalar(const Message& message, const ScalarReader& reader, int item,
                  std::string* scratch) {
  const Reflection& r = *reader.reflection;
  const FieldDescriptor* f = reader.field;
  const auto get = [&](auto singular, auto repeated) {
    return item == kSingular ? (r.*singular)(message, f)
                             : (r.*repeated)(message, f, item);
  };
  Scalar value;
  value.type = reader.type;
  value.enumeration = reader.enumeration;
  switch (reader.cpp_type) {
    case FieldDescriptor::CPPTYPE_INT32:
      value.integer = get(&Reflection::GetInt32, &Reflection::GetRepeatedInt32);
      break;
    case FieldDescriptor::CPPTYPE_INT64:
      value.integer = get(&Reflection::GetInt64, &Reflection::GetRepeatedInt64);
      break;
    case FieldDescriptor::CPPTYPE_UINT32:
      value.integer =
          get(&Reflection::GetUInt32, &Reflection::GetRepeatedUInt32);
      break;
    case FieldDescriptor::CPPTYPE_UINT64:
      value.integer = static_cast<int64_t>(
          get(&Reflection::GetUInt64, &Reflection::GetRepeatedUInt64));
      break;
    case FieldDescriptor::CPPTYPE_DOUBLE:
      value.real = get(&Reflection::GetDouble, &Reflection::GetRepeatedDouble);
      break;
    case FieldDescriptor::CPPTYPE_FLOAT:
      value.real = get(&Reflection::GetFloat, &Reflection::GetRepeatedFloat);
      break;
    case FieldDescriptor::CPPTYPE_BOOL:
      value.integer = get(&Reflection::GetBool, &Reflection::GetRepeatedBool);
      break;
    case FieldDescriptor::CPPTYPE_ENUM:
      value.integer =
          get(&Reflection::GetEnumValue, &Reflection::GetRepeatedEnumValue);
      break;
    default:  // CPPTYPE_STRING; messages are not read here
      value.text = item == kSingular ? r.GetStringReference(message, f, scratch)
                                     : r.GetRepeatedStringReference(
                                           message, f, item, scratch);
  }
  return value;
}

// One check of one message.
class Walker {
 public:
  Walker(RulePlans& plans, AnyTypes& types, RuleProblemFn report)
      : plans_(plans), types_(types), report_(report) {}

  void CheckMessage(const Message& message, const RulePlan& plan);

 private:
  void CheckSingular(const Message& message, const Reflection& reflection,
                     const FieldPlan& plan);
  void CheckList(const Message& message, const Reflection& reflection,
                 const FieldPlan& plan);
  void CheckCount(const FieldPlan& plan, int64_t count);
  void CheckUnique(const Message& message, const FieldPlan& plan);
  void CheckMap(const Message& message, const FieldPlan& plan);
  void CheckMapValue(const FieldPlan& plan, const MapEntry& entry);
  void CheckOneof(const Message& message, const Reflection& reflection,
                  const OneofPlan& plan);

  // The value of a message field, list item or map entry.
  void CheckSubMessage(const Message& value, const FieldPlan& plan,
                       const FieldDescriptor& field, const RuleSet* rules);
  void CheckAny(const Any& any, const FieldDescriptor& field);

  void Check(const RuleSet& rules, const Scalar& value,
             const FieldDescriptor& field);
  void Report(std::string message);
  void Report(const FieldDescriptor& field, const std::string& problem) {
    Report(std::string(field.name()).append(" ").append(problem));
  }

  RulePlans& plans_;
  AnyTypes& types_;
  RuleProblemFn report_;
  PathStack path_;
  int depth_ = 0;
  int any_depth_ = 0;
};

void Walker::Report(std::string message) {
  RuleProblem problem;
  problem.steps = path_.Steps();
  problem.path = ToString(problem.steps);
  problem.message = std::move(message);
  report_(problem);
}

void Walker::Check(const RuleSet& rules, const Scalar& value,
                   const FieldDescriptor& field) {
  rules.CheckScalar(value,
                    [&](const std::string& text) { Report(field, text); });
}

void Walker::CheckMessage(const Message& message, const RulePlan& plan) {
  if (!plan.needed) return;
  if (depth_ >= kMaxMessageDepth) return Report("is nested too deeply");
  ++depth_;
  for (const FieldPlan& field : plan.fields) {
    switch (field.shape) {
      case FieldShape::kSingular:
        CheckSingular(message, *plan.reflection, field);
        break;
      case FieldShape::kList:
        CheckList(message, *plan.reflection, field);
        break;
      case FieldShape::kMap:
        CheckMap(message, field);
        break;
    }
  }
  for (const OneofPlan& oneof : plan.oneofs) {
    CheckOneof(message, *plan.reflection, oneof);
  }
  --depth_;
}

void Walker::CheckSingular(const Message& message, const Reflection& reflection,
                           const FieldPlan& plan) {
  const FieldDescriptor& field = *plan.field;
  if (plan.type == ValueType::kScalar) {
    if (plan.has_presence && !reflection.HasField(message, &field)) return;
    PathStack::Scope scope(path_, field);
    std::string scratch;
    return Check(*plan.rules,
                 ReadScalar(message, plan.reader, kSingular, &scratch), field);
  }
  const Message& value = reflection.GetMessage(message, &field);
  const bool is_set = &value != plan.unset;
  if (!is_set && !plan.required) return;
  PathStack::Scope scope(path_, field);
  if (!is_set) return Report(field, "is required");
  CheckSubMessage(value, plan, field, plan.rules.get());
}

void Walker::CheckSubMessage(const Message& value, const FieldPlan& plan,
                             const FieldDescriptor& field,
                             const RuleSet* rules) {
  const bool check = rules != nullptr && rules->checks_value();
  switch (plan.type) {
    case ValueType::kMessage:
      if (plan.child != nullptr && !(rules != nullptr && rules->skip())) {
        CheckMessage(value, *plan.child);
      }
      break;
    case ValueType::kAny: {
      const Any& any = static_cast<const Any&>(value);
      if (check) Check(*rules, Text(any.type_url()), field);
      CheckAny(any, field);
      break;
    }
    case ValueType::kDuration: {
      const Duration& duration = static_cast<const Duration&>(value);
      if (rules == nullptr) break;
      if (!IsValidDuration(duration)) {
        Report(field, "is not a valid duration");
      } else if (check) {
        Scalar scalar;
        scalar.type = Scalar::Type::kDuration;
        scalar.integer = Nanoseconds(duration);
        Check(*rules, scalar, field);
      }
      break;
    }
    case ValueType::kWrapper: {
      if (!check) break;
      std::string scratch;
      Check(*rules, ReadScalar(value, plan.reader, kSingular, &scratch), field);
      break;
    }
    case ValueType::kScalar:
      break;
  }
}

void Walker::CheckAny(const Any& any, const FieldDescriptor& field) {
  const Message* prototype = types_.Prototype(any.type_url());
  if (prototype == nullptr) return;
  const RulePlan& plan = plans_.Get(*prototype->GetDescriptor());
  if (any_depth_ == kMaxAnyDepth) {
    return Report(field, "holds more than " + std::to_string(kMaxAnyDepth) +
                             " Any inside one another");
  }
  std::unique_ptr<Message> content(prototype->New());
  if (!content->ParseFromString(any.value())) {
    return Report(field, std::string("does not parse as ")
                             .append(OriginalName(*content->GetDescriptor())));
  }
  ++any_depth_;
  CheckMessage(*content, plan);
  --any_depth_;
}

void Walker::CheckList(const Message& message, const Reflection& reflection,
                       const FieldPlan& plan) {
  const FieldDescriptor& field = *plan.field;
  const int size = reflection.FieldSize(message, &field);
  CheckCount(plan, size);
  const RuleSet* items = plan.rules != nullptr ? plan.rules->items() : nullptr;
  if (plan.type == ValueType::kScalar) {
    for (int i = 0; items != nullptr && i < size; ++i) {
      PathStack::Scope scope(path_, field, i);
      std::string scratch;
      Check(*items, ReadScalar(message, plan.reader, i, &scratch), field);
    }
    if (plan.rules->unique()) CheckUnique(message, plan);
    return;
  }
  for (int i = 0; i < size; ++i) {
    PathStack::Scope scope(path_, field, i);
    CheckSubMessage(reflection.GetRepeatedMessage(message, &field, i), plan,
                    field, items);
  }
}

void Walker::CheckUnique(const Message& message, const FieldPlan& plan) {
  std::set<std::string> seen;
  const int size = plan.reader.reflection->FieldSize(message, plan.field);
  for (int i = 0; i < size; ++i) {
    std::string scratch;
    const Scalar value = ReadScalar(message, plan.reader, i, &scratch);
    const bool is_text =
        value.type == Scalar::Type::kText || value.type == Scalar::Type::kBytes;
    if (seen.insert(is_text ? std::string(value.text) : ToText(value)).second) {
      continue;
    }
    PathStack::Scope scope(path_, *plan.field, i);
    Report(*plan.field, ToText(value) + " is there twice");
  }
}

void Walker::CheckMap(const Message& message, const FieldPlan& plan) {
  const FieldDescriptor& field = *plan.field;
  int64_t count = 0;
  plan.walk(message, [&](const MapEntry& entry) {
    ++count;
    PathStack::Scope scope(path_, field, -1, &entry.key);
    if (plan.rules != nullptr && plan.rules->keys() != nullptr) {
      plan.rules->keys()->CheckScalar(
          Text(entry.key), [&](const std::string& text) {
            Report(std::string(field.name()).append(" key ").append(text));
          });
    }
    CheckMapValue(plan, entry);
  });
  CheckCount(plan, count);
}

// Of a list's items or a map's entries.
void Walker::CheckCount(const FieldPlan& plan, int64_t count) {
  if (plan.rules == nullptr) return;
  PathStack::Scope scope(path_, *plan.field);
  plan.rules->CheckCount(count, [&](const std::string& text) {
    Report(std::string(plan.field->name()).append(": ").append(text));
  });
}

void Walker::CheckMapValue(const FieldPlan& plan, const MapEntry& entry) {
  const RuleSet* values =
      plan.rules != nullptr ? plan.rules->values() : nullptr;
  if (entry.message != nullptr) {
    return CheckSubMessage(*entry.message, plan, *plan.field, values);
  }
  if (values == nullptr) return;
  Scalar value;
  if (entry.text != nullptr) {
    value = Text(*entry.text);
  } else {
    value.type = Scalar::Type::kReal;
    value.real = entry.number;
  }
  Check(*values, value, *plan.field);
}

void Walker::CheckOneof(const Message& message, const Reflection& reflection,
                        const OneofPlan& plan) {
  if (plan.oneof != nullptr && reflection.HasOneof(message, plan.oneof)) return;
  // A field that our copy lacks may be the one that is set.
  const auto& unknown = reflection.GetUnknownFields(message);
  for (int i = 0; i < unknown.field_count(); ++i) {
    const int number = unknown.field(i).number();
    if (std::find(plan.trimmed.begin(), plan.trimmed.end(), number) !=
        plan.trimmed.end()) {
      return;
    }
  }
  Report(std::string(plan.name)
             .append(" is required: one of ")
             .append(plan.members));
}

}  // namespace

bool IsValidDuration(const Duration& duration) {
  constexpr int64_t kMaxSeconds = 315576000000;
  return duration.seconds() >= -kMaxSeconds &&
         duration.seconds() <= kMaxSeconds && duration.nanos() > -1000000000 &&
         duration.nanos() < 1000000000 &&
         (duration.seconds() == 0 || duration.nanos() == 0 ||
          (duration.seconds() < 0) == (duration.nanos() < 0));
}

struct RuleChecker::State {
  RulePlans plans;
  AnyTypes types;
};

RuleChecker::RuleChecker() : state_(std::make_unique<State>()) {}
RuleChecker::~RuleChecker() = default;

void RuleChecker::Check(const Message& message, RuleProblemFn report) {
  Walker(state_->plans, state_->types, report)
      .CheckMessage(message, state_->plans.Get(*message.GetDescriptor()));
}

void ValidateRules(const Message& message, RuleProblemFn report) {
  RuleChecker().Check(message, report);
}

}  // namespace meshlib::proto
