// Where in a type of message rules can apply.
#ifndef MESHLIB_PROTO_RULE_PLAN_H_
#define MESHLIB_PROTO_RULE_PLAN_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"
#include "proto/generated_files.h"
#include "proto/ledger.h"
#include "proto/rule_set.h"

namespace meshlib::proto {

struct RulePlan;

// What the values of a field are, as far as rules can see.
enum class ValueType : uint8_t {
  kScalar,
  kMessage,
  kAny,
  kDuration,
  kWrapper,  // google.protobuf.UInt32Value and its like
};

enum class FieldShape : uint8_t { kSingular, kList, kMap };

// How to read a scalar. Descriptors and reflection are asked once, here: asking
// them for each message is most of the cost of a check.
struct ScalarReader {
  const google::protobuf::FieldDescriptor* field = nullptr;
  const google::protobuf::Reflection* reflection = nullptr;
  google::protobuf::FieldDescriptor::CppType cpp_type =
      google::protobuf::FieldDescriptor::CPPTYPE_INT32;
  Scalar::Type type = Scalar::Type::kSigned;
  const google::protobuf::EnumDescriptor* enumeration = nullptr;
};

struct FieldPlan {
  const google::protobuf::FieldDescriptor* field = nullptr;
  ValueType type = ValueType::kScalar;
  FieldShape shape = FieldShape::kSingular;
  bool has_presence = false;
  bool required = false;           // must be set
  std::unique_ptr<RuleSet> rules;  // null if it has none
  RulePlan* child = nullptr;       // of kMessage
  MapWalker walk = nullptr;        // of a map
  // What reflection gives for a singular message field that is not set: one
  // question less than asking first whether it is.
  const google::protobuf::Message* unset = nullptr;
  ScalarReader reader;  // of kScalar, and of what a wrapper holds
};

// A oneof of which one field must be set.
struct OneofPlan {
  const google::protobuf::OneofDescriptor* oneof = nullptr;  // null: trimmed
  std::string_view name;
  std::string members;       // our fields of it: "pipe, socket_address"
  std::vector<int> trimmed;  // numbers of its fields that our copy lacks
};

// One for each type; the fields are those where there is something to do.
struct RulePlan {
  const google::protobuf::Reflection* reflection = nullptr;
  std::vector<FieldPlan> fields;
  std::vector<OneofPlan> oneofs;
  bool needed = false;  // rules or Any in it or below it
};

// Makes and keeps plans. Not thread-safe.
class RulePlans {
 public:
  // Belongs to this object.
  const RulePlan& Get(const google::protobuf::Descriptor& type);

 private:
  RulePlan* Add(const google::protobuf::Descriptor& type,
                std::vector<RulePlan*>* added);

  absl::flat_hash_map<const google::protobuf::Descriptor*,
                      std::unique_ptr<RulePlan>>
      plans_;
};

}  // namespace meshlib::proto

#endif  // MESHLIB_PROTO_RULE_PLAN_H_
