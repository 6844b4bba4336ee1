#include "proto/rule_plan.h"

#include <algorithm>

#include "google/protobuf/any.pb.h"
#include "google/protobuf/duration.pb.h"

namespace meshlib::proto {
namespace {

using ::google::protobuf::Descriptor;
using ::google::protobuf::FieldDescriptor;
using ::google::protobuf::Message;
using ::google::protobuf::MessageFactory;
using ::google::protobuf::Reflection;

// The field that holds the values: of a map, that in its entries.
const FieldDescriptor& ValueField(const FieldDescriptor& field) {
  return field.is_map() ? *field.message_type()->map_value() : field;
}

ValueType TypeOf(const FieldDescriptor& value) {
  const Descriptor* message = value.message_type();
  if (message == nullptr) return ValueType::kScalar;
  if (message == google::protobuf::Any::descriptor()) return ValueType::kAny;
  if (message == google::protobuf::Duration::descriptor()) {
    return ValueType::kDuration;
  }
  return message->well_known_type() >= Descriptor::WELLKNOWNTYPE_DOUBLEVALUE &&
                 message->well_known_type() <=
                     Descriptor::WELLKNOWNTYPE_BOOLVALUE
             ? ValueType::kWrapper
             : ValueType::kMessage;
}

std::vector<OneofPlan> RequiredOneofs(const Descriptor& type,
                                      const MessageRow& row) {
  std::vector<OneofPlan> plans;
  for (size_t i = 0; i < row.oneofs().size(); ++i) {
    if (!row.oneofs()[i].required) continue;
    OneofPlan plan;
    plan.name = row.oneofs()[i].name;
    for (const FieldRow& field : row.fields()) {
      if (field.oneof != static_cast<int>(i)) continue;
      if (!field.in_copy()) {
        plan.trimmed.push_back(field.number);
        continue;
      }
      plan.oneof =
          type.FindFieldByNumber(field.number)->real_containing_oneof();
      plan.members.append(plan.members.empty() ? "" : ", ").append(field.name);
    }
    plans.push_back(std::move(plan));
  }
  return plans;
}

const Message& PrototypeOf(const Descriptor& type) {
  return *MessageFactory::generated_factory()->GetPrototype(&type);
}

const Reflection* ReflectionOf(const Descriptor& type) {
  return PrototypeOf(type).GetReflection();
}

Scalar::Type ScalarType(const FieldDescriptor& field) {
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_UINT32:
    case FieldDescriptor::CPPTYPE_UINT64:
      return Scalar::Type::kUnsigned;
    case FieldDescriptor::CPPTYPE_DOUBLE:
    case FieldDescriptor::CPPTYPE_FLOAT:
      return Scalar::Type::kReal;
    case FieldDescriptor::CPPTYPE_BOOL:
      return Scalar::Type::kBool;
    case FieldDescriptor::CPPTYPE_ENUM:
      return Scalar::Type::kEnum;
    case FieldDescriptor::CPPTYPE_STRING:
      return field.type() == FieldDescriptor::TYPE_BYTES ? Scalar::Type::kBytes
                                                         : Scalar::Type::kText;
    default:
      return Scalar::Type::kSigned;
  }
}

ScalarReader ReaderOf(const FieldDescriptor& field) {
  ScalarReader reader;
  reader.field = &field;
  reader.reflection = ReflectionOf(*field.containing_type());
  reader.cpp_type = field.cpp_type();
  reader.type = ScalarType(field);
  reader.enumeration = field.enum_type();
  return reader;
}

// All of the plan but the child.
FieldPlan MakeFieldPlan(const FieldDescriptor& field, const FieldRow& row) {
  FieldPlan plan;
  plan.field = &field;
  plan.type = TypeOf(ValueField(field));
  plan.shape = row.map()        ? FieldShape::kMap
               : row.repeated() ? FieldShape::kList
                                : FieldShape::kSingular;
  plan.has_presence = field.has_presence();
  if (!row.rules().empty()) plan.rules = std::make_unique<RuleSet>(row.rules());
  plan.required = plan.rules != nullptr && plan.rules->required() &&
                  field.real_containing_oneof() == nullptr;
  if (plan.shape == FieldShape::kSingular && field.message_type() != nullptr) {
    plan.unset = &PrototypeOf(*field.message_type());
  }
  if (plan.shape == FieldShape::kMap) {
    plan.walk = FindMapWalker(field);
  } else if (plan.type == ValueType::kScalar) {
    plan.reader = ReaderOf(field);
  } else if (plan.type == ValueType::kWrapper) {
    plan.reader = ReaderOf(*field.message_type()->field(0));
  }
  return plan;
}

bool HasWork(const FieldPlan& plan) {
  return plan.rules != nullptr || plan.type == ValueType::kAny ||
         (plan.child != nullptr && plan.child->needed);
}

}  // namespace

RulePlan* RulePlans::Add(const Descriptor& type,
                         std::vector<RulePlan*>* added) {
  std::unique_ptr<RulePlan>& slot = plans_[&type];
  if (slot != nullptr) return slot.get();
  slot = std::make_unique<RulePlan>();
  RulePlan* plan = slot.get();  // the slot moves when the table grows
  added->push_back(plan);
  plan->reflection = ReflectionOf(type);
  const MessageRow* row = FindMessage(type);
  if (row == nullptr) return plan;  // google.protobuf.Struct and its like
  plan->oneofs = RequiredOneofs(type, *row);
  for (const FieldRow& field_row : row->fields()) {
    if (!field_row.in_copy()) continue;
    FieldPlan field =
        MakeFieldPlan(*type.FindFieldByNumber(field_row.number), field_row);
    if (field.type == ValueType::kMessage &&
        !(field.rules != nullptr && field.rules->skip())) {
      field.child = Add(*ValueField(*field.field).message_type(), added);
    }
    plan->fields.push_back(std::move(field));
  }
  return plan;
}

const RulePlan& RulePlans::Get(const Descriptor& type) {
  const auto found = plans_.find(&type);
  if (found != plans_.end()) return *found->second;
  std::vector<RulePlan*> added;
  const RulePlan* plan = Add(type, &added);
  // Types can contain themselves: repeat until nothing more is needed.
  for (bool changed = true; changed;) {
    changed = false;
    for (RulePlan* p : added) {
      if (p->needed) continue;
      p->needed = !p->oneofs.empty() ||
                  std::any_of(p->fields.begin(), p->fields.end(), HasWork);
      changed = changed || p->needed;
    }
  }
  for (RulePlan* p : added) {
    p->fields.erase(
        std::remove_if(p->fields.begin(), p->fields.end(),
                       [](const FieldPlan& f) { return !HasWork(f); }),
        p->fields.end());
  }
  return *plan;
}

}  // namespace meshlib::proto
