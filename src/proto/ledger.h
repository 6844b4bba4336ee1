// The field ledger: constant data about every field of every xDS message that
// meshlib knows, under the names of the original messages. It says what meshlib
// does with a field, so that nothing is dropped in silence, and carries the
// validate.rules of the fields that our copies have.
//
// Everything here is constant data or a pure function: thread-safe, never
// blocking (but for the lock of protobuf's descriptor pool, where noted), and
// pointers and views that are returned stay valid for the life of the process.
// The data is written by tools/protogen from ledger.txt and the original
// descriptors.
#ifndef MESHLIB_PROTO_LEDGER_H_
#define MESHLIB_PROTO_LEDGER_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/types/span.h"
#include "google/protobuf/descriptor.h"

namespace meshlib::proto {

// What meshlib does with a field that a resource sets.
enum class FieldUse : uint8_t {
  kUsed,     // acts on it
  kIgnored,  // passes over it, which is safe, and reports it as unsupported
  kRefused,  // refuses the resource: passing over it would weaken security or
             // send traffic elsewhere
};

enum class FieldKind : uint8_t {
  kScalar,   // numbers, strings, bytes, enums
  kMessage,  // a message other than Any
  kAny,      // google.protobuf.Any
};

// Bits of FieldRow::flags.
enum FieldFlag : uint8_t {
  kInCopy = 1,      // our copy of the message has the field
  kRepeated = 2,    // a list (not a map)
  kMap = 4,         // a map; the kind is that of its values
  kDeprecated = 8,  // marked so in the original
};

// One operator of a field's rules. Operands: `integer` for integers, enums,
// bools, lengths, counts and durations (nanoseconds; unsigned 64-bit operands
// are cast), `real` for floats and doubles, `text` for strings and bytes, the
// rule rows [begin, end) for the rules of items, keys and values.
enum class RuleOp : uint8_t {
  kRequired,     // the message must be set
  kSkip,         // the message's own rules are not checked
  kIgnoreEmpty,  // the other rules do not hold for the default value
  kConst,
  kLt,
  kLte,
  kGt,
  kGte,
  kIn,      // one row for each allowed value
  kNotIn,   // one row for each forbidden value
  kMinLen,  // in characters (bytes for bytes fields)
  kMaxLen,
  kMinBytes,
  kMaxBytes,
  kPattern,  // RE2, unanchored
  kPrefix,
  kSuffix,
  kContains,
  kHeaderName,   // HTTP header name; integer 1: strictly
  kHeaderValue,  // HTTP header value; integer 1: strictly
  kDefinedOnly,  // the enum has the value
  kMinItems,
  kMaxItems,
  kUnique,
  kItems,
  kMinPairs,
  kMaxPairs,
  kKeys,
  kValues,
};

struct RuleRow {
  RuleOp op;
  int64_t integer;
  double real;
  std::string_view text;
  uint16_t begin;
  uint16_t end;
};

struct OneofRow {
  std::string_view name;
  bool required;
};

struct FieldRow {
  int32_t number;
  int16_t oneof;  // index into LedgerMessage::oneofs(), or -1
  uint16_t rules_begin;
  uint16_t rules_end;
  FieldUse use;
  FieldKind kind;
  uint8_t flags;
  std::string_view name;    // as in the original, snake_case
  std::string_view reason;  // why it is refused (or ignored); may be empty

  bool in_copy() const { return (flags & kInCopy) != 0; }
  bool repeated() const { return (flags & kRepeated) != 0; }
  bool map() const { return (flags & kMap) != 0; }
  bool deprecated() const { return (flags & kDeprecated) != 0; }

  // The validate.rules of a field in our copy, in no particular order.
  absl::Span<const RuleRow> rules() const;
};

struct MessageRow {
  std::string_view name;  // the original's full name
  uint16_t fields_begin;
  uint16_t fields_end;
  uint16_t oneofs_begin;
  uint16_t oneofs_end;

  // Every field of the original, by number.
  absl::Span<const FieldRow> fields() const;
  absl::Span<const OneofRow> oneofs() const;

  // Null if the original has no such field.
  const FieldRow* FindByNumber(int number) const;
  // By the original's name or its JSON form: "lb_policy", "lbPolicy".
  const FieldRow* FindByName(std::string_view name_or_json_name) const;
};

// Every message in the ledger, by name.
absl::Span<const MessageRow> Messages();

// The rules of items, keys or values of `row`.
absl::Span<const RuleRow> SubRules(const RuleRow& row);

// Null for a message that the ledger does not have. Takes the original's full
// name or our copy's ("meshlib.xds." + the original's).
const MessageRow* FindMessage(std::string_view full_name);
const MessageRow* FindMessage(const google::protobuf::Descriptor& descriptor);

// "envoy.config.cluster.v3.Cluster" for our copy of it; the full name as it is
// for other messages.
std::string_view OriginalName(const google::protobuf::Descriptor& descriptor);
std::string_view OriginalName(const google::protobuf::EnumDescriptor& type);

// "type.googleapis.com/envoy.config.cluster.v3.Cluster"
std::string TypeUrl(const google::protobuf::Descriptor& descriptor);

// Our copy of the message that a type URL (anything up to the last slash, then
// the original's full name) names, or the google.protobuf message; null if
// there is none. Takes the lock of protobuf's generated pool.
const google::protobuf::Descriptor* FindMessageTypeByUrl(std::string_view url);

// Keeps the generated files of all messages in a statically linked program, so
// that protobuf's generated pool knows them. FindMessageTypeByUrl() does so.
void EnsureLinked();

}  // namespace meshlib::proto

#endif  // MESHLIB_PROTO_LEDGER_H_
