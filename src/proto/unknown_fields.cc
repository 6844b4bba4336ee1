#include "proto/unknown_fields.h"

#include <algorithm>

#include "absl/container/flat_hash_map.h"
#include "google/protobuf/any.pb.h"
#include "google/protobuf/unknown_field_set.h"
#include "proto/any_types.h"
#include "proto/generated_files.h"

namespace meshlib::proto {
namespace {

using ::google::protobuf::Any;
using ::google::protobuf::Descriptor;
using ::google::protobuf::FieldDescriptor;
using ::google::protobuf::Message;
using ::google::protobuf::MessageFactory;
using ::google::protobuf::Reflection;
using ::google::protobuf::UnknownFieldSet;

constexpr int kMaxMessageDepth = 500;
constexpr std::string_view kNotInOriginal =
    "this version of meshlib does not know the field";
constexpr std::string_view kOtherWireType =
    "the value is not of the field's type";

struct Plan;

// A field to descend into.
struct ChildField {
  const FieldDescriptor* field;
  const Plan* plan;      // of the values; null for Any
  MapWalker walk;        // of a map
  const Message* unset;  // what reflection gives if it is not set
  bool is_list;
};

// Where to look in one type of message. Reflection is asked for once, here:
// asking each message for it is most of the cost of a search.
struct Plan {
  const Reflection* reflection = nullptr;
  const MessageRow* row = nullptr;
  std::vector<const FieldDescriptor*> kept;  // in the copy, but not used
  std::vector<ChildField> children;
};

const Message* Prototype(const Descriptor& type) {
  return MessageFactory::generated_factory()->GetPrototype(&type);
}

bool IsSet(const Message& message, const Reflection& reflection,
           const FieldDescriptor& field) {
  return field.is_repeated() ? reflection.FieldSize(message, &field) > 0
                             : reflection.HasField(message, &field);
}

}  // namespace

struct UnsupportedFieldFinder::State {
  const Plan& Get(const Descriptor& type);

  absl::flat_hash_map<const Descriptor*, std::unique_ptr<Plan>> plans;
  AnyTypes types;
};

const Plan& UnsupportedFieldFinder::State::Get(const Descriptor& type) {
  std::unique_ptr<Plan>& slot = plans[&type];
  if (slot != nullptr) return *slot;
  slot = std::make_unique<Plan>();
  Plan* plan = slot.get();  // the slot moves when the table grows
  plan->reflection = Prototype(type)->GetReflection();
  plan->row = FindMessage(type);
  if (plan->row == nullptr) return *plan;
  for (const FieldRow& row : plan->row->fields()) {
    if (!row.in_copy()) continue;
    const FieldDescriptor* field = type.FindFieldByNumber(row.number);
    if (row.use != FieldUse::kUsed) plan->kept.push_back(field);
    const Descriptor* child =
        row.map() ? field->message_type()->map_value()->message_type()
                  : field->message_type();
    if (child == nullptr) continue;
    const bool is_any = child == Any::descriptor();
    if (!is_any && FindMessage(*child) == nullptr) continue;
    plan->children.push_back({field, is_any ? nullptr : &Get(*child),
                              row.map() ? FindMapWalker(*field) : nullptr,
                              Prototype(*field->message_type()),
                              row.repeated()});
  }
  return *plan;
}

namespace {

// One search. State is a template parameter because it is private.
template <typename State>
class Search {
 public:
  Search(State& state, std::vector<UnsupportedField>* found)
      : state_(state), found_(found) {}

  void Visit(const Message& message, const Plan& plan) {
    if (depth_ >= kMaxMessageDepth || plan.row == nullptr) return;
    ++depth_;
    const Reflection& reflection = *plan.reflection;
    VisitUnknown(reflection.GetUnknownFields(message), *plan.row);
    for (const FieldDescriptor* field : plan.kept) {
      if (IsSet(message, reflection, *field)) {
        Add(*plan.row, field->number(), field);
      }
    }
    for (const ChildField& child : plan.children) {
      VisitChild(message, reflection, child);
    }
    --depth_;
  }

 private:
  void VisitUnknown(const UnknownFieldSet& unknown, const MessageRow& row) {
    if (unknown.empty()) return;
    std::vector<int> numbers;
    for (int i = 0; i < unknown.field_count(); ++i) {
      numbers.push_back(unknown.field(i).number());
    }
    std::sort(numbers.begin(), numbers.end());
    numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
    for (const int number : numbers) Add(row, number, nullptr);
  }

  void VisitChild(const Message& message, const Reflection& reflection,
                  const ChildField& child) {
    if (child.walk != nullptr) {
      return child.walk(message, [&](const MapEntry& entry) {
        PathStack::Scope scope(path_, *child.field, -1, &entry.key);
        VisitValue(*entry.message, child.plan);
      });
    }
    if (child.is_list) {
      const int size = reflection.FieldSize(message, child.field);
      for (int i = 0; i < size; ++i) {
        PathStack::Scope scope(path_, *child.field, i);
        VisitValue(reflection.GetRepeatedMessage(message, child.field, i),
                   child.plan);
      }
      return;
    }
    const Message& value = reflection.GetMessage(message, child.field);
    if (&value == child.unset) return;
    PathStack::Scope scope(path_, *child.field);
    VisitValue(value, child.plan);
  }

  void VisitValue(const Message& value, const Plan* plan) {
    if (plan != nullptr) return Visit(value, *plan);
    const Any& any = static_cast<const Any&>(value);
    const Message* prototype = state_.types.Prototype(any.type_url());
    if (prototype == nullptr || any_depth_ == kMaxAnyDepth) return;
    std::unique_ptr<Message> content(prototype->New());
    if (!content->ParseFromString(any.value())) return;
    ++any_depth_;
    Visit(*content, state_.Get(*content->GetDescriptor()));
    --any_depth_;
  }

  // `kept` is null for an unknown field.
  void Add(const MessageRow& message, int number, const FieldDescriptor* kept) {
    UnsupportedField field;
    field.number = number;
    field.message = message.name;
    const FieldRow* row = message.FindByNumber(number);
    field.name = row != nullptr ? std::string(row->name)
                                : "field " + std::to_string(number);
    if (row == nullptr) {
      field.reason = kNotInOriginal;
    } else if (kept == nullptr && row->in_copy()) {
      field.reason = kOtherWireType;
    } else {
      field.use = row->use;
      field.reason = row->reason;
    }
    field.steps = path_.Steps();
    PathStep step;
    step.number = number;
    if (row != nullptr) step.field = row->name;
    field.steps.push_back(std::move(step));
    field.path = ToString(field.steps);
    if (row == nullptr) field.path.append(field.name);
    found_->push_back(std::move(field));
  }

  State& state_;
  std::vector<UnsupportedField>* found_;
  PathStack path_;
  int depth_ = 0;
  int any_depth_ = 0;
};

}  // namespace

std::string UnsupportedField::ToString() const {
  std::string text = name;
  text.append(" of ").append(message);
  text.append(use == FieldUse::kRefused ? " is refused" : " is ignored");
  if (!reason.empty()) text.append(": ").append(reason);
  return text;
}

UnsupportedFieldFinder::UnsupportedFieldFinder()
    : state_(std::make_unique<State>()) {}
UnsupportedFieldFinder::~UnsupportedFieldFinder() = default;

std::vector<UnsupportedField> UnsupportedFieldFinder::Find(
    const Message& message) {
  std::vector<UnsupportedField> found;
  Search(*state_, &found).Visit(message, state_->Get(*message.GetDescriptor()));
  return found;
}

std::vector<UnsupportedField> FindUnsupportedFields(const Message& message) {
  return UnsupportedFieldFinder().Find(message);
}

}  // namespace meshlib::proto
