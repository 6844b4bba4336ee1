// Names the fields of a decoded message that meshlib does not act on: those
// that our trimmed copies lack (protobuf keeps them as unknown fields) and
// those that a copy has but the ledger does not call used. With it nothing that
// a control plane sends is dropped in silence.
#ifndef MESHLIB_PROTO_UNKNOWN_FIELDS_H_
#define MESHLIB_PROTO_UNKNOWN_FIELDS_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "google/protobuf/message.h"
#include "proto/ledger.h"
#include "proto/message_path.h"

namespace meshlib::proto {

struct UnsupportedField {
  std::string path;             // of the field, from the examined message
  std::vector<PathStep> steps;  // the same
  std::string name;             // as in the original; "field 99" if it has none
  int number = 0;
  FieldUse use = FieldUse::kIgnored;  // kIgnored or kRefused
  std::string_view reason;            // may be empty; valid for ever
  std::string_view message;  // full name of the original that has the field

  // 'filter_action of envoy.config.route.v3.Route is refused: reason'
  std::string ToString() const;
};

// Remembers the types of messages that it met. Not thread-safe.
class UnsupportedFieldFinder {
 public:
  UnsupportedFieldFinder();
  ~UnsupportedFieldFinder();
  UnsupportedFieldFinder(const UnsupportedFieldFinder&) = delete;
  UnsupportedFieldFinder& operator=(const UnsupportedFieldFinder&) = delete;

  // The unsupported fields of `message` (of a generated class), of the messages
  // in it and of what google.protobuf.Any in it hold where we have a copy of
  // the type; each field of each message once. A number that the original does
  // not have either is ignored with the reason that says so. Any that do not
  // parse or stand deeper than kMaxAnyDepth are passed over: RuleChecker
  // reports them.
  std::vector<UnsupportedField> Find(const google::protobuf::Message& message);

 private:
  struct State;

  std::unique_ptr<State> state_;
};

// The same with a finder for this one message.
std::vector<UnsupportedField> FindUnsupportedFields(
    const google::protobuf::Message& message);

}  // namespace meshlib::proto

#endif  // MESHLIB_PROTO_UNKNOWN_FIELDS_H_
