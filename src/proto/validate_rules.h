// Checks messages against the validate.rules of the original protos: bounds,
// required fields, minimum items, patterns. Envoy refuses a resource that
// breaks one, so do we, and name every broken rule, not only the first.
#ifndef MESHLIB_PROTO_VALIDATE_RULES_H_
#define MESHLIB_PROTO_VALIDATE_RULES_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/message.h"
#include "proto/message_path.h"

namespace meshlib::proto {

struct RuleProblem {
  std::string path;             // of the bad field, from the checked message
  std::vector<PathStep> steps;  // the same
  std::string message;          // "port_value 70000 > 65535"
};

// Called once for each broken rule, in the order of the field numbers.
using RuleProblemFn = absl::FunctionRef<void(const RuleProblem& problem)>;

// Remembers, for each type of message it met, where rules can apply, so that
// messages and fields without rules cost nothing. Make one and keep it while
// there is something to load. Not thread-safe: one for each thread.
class RuleChecker {
 public:
  RuleChecker();
  ~RuleChecker();
  RuleChecker(const RuleChecker&) = delete;
  RuleChecker& operator=(const RuleChecker&) = delete;

  // Checks `message`, which is of a generated class (not a DynamicMessage), the
  // messages in it, and what google.protobuf.Any in it hold where we have a
  // copy of the type. An Any that does not parse, and more than kMaxAnyDepth of
  // them inside one another, are problems too; an unknown type is not. `report`
  // must not call this checker.
  void Check(const google::protobuf::Message& message, RuleProblemFn report);

 private:
  struct State;

  std::unique_ptr<State> state_;
};

// The same with a checker for this one message.
void ValidateRules(const google::protobuf::Message& message,
                   RuleProblemFn report);

// protobuf's definition: 10,000 years, both parts of one sign.
bool IsValidDuration(const google::protobuf::Duration& duration);

}  // namespace meshlib::proto

#endif  // MESHLIB_PROTO_VALIDATE_RULES_H_
