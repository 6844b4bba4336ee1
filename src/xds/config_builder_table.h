#ifndef MESHLIB_XDS_CONFIG_BUILDER_TABLE_H_
#define MESHLIB_XDS_CONFIG_BUILDER_TABLE_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"
#include "proto/ledger.h"

namespace meshlib::xds {

// What the JSON form of a field's value (of one element of a list, of a map's
// value) looks like.
enum class ValueKind : uint8_t {
  kString,
  kBytes,
  kBool,
  kInt32,
  kUint32,
  kInt64,
  kUint64,
  kFloat,
  kDouble,
  kEnum,
  kMessage,
  kDuration,
  kTimestamp,
  kFieldMask,
  kWrapper,
  kStruct,
  kValue,
  kListValue,
  kAny,
};
inline constexpr int kValueKinds = static_cast<int>(ValueKind::kAny) + 1;

struct MessageTable;

// A field of a message under each of its names.
struct FieldEntry {
  std::string_view name;  // snake_case; lives as long as the process
  const google::protobuf::FieldDescriptor* field = nullptr;  // not in our copy
  ValueKind kind = ValueKind::kString;
  proto::FieldUse use = proto::FieldUse::kUsed;
  bool repeated = false;  // a list, not a map
  bool map = false;
  bool oneof = false;
  bool deprecated = false;
  bool scalar = false;    // of its row in the ledger
  bool streamed = false;  // its elements are handed out one by one
  bool hosts = false;     // the v2 API's Cluster.hosts
  int number = 0;         // in the table: 0, 1, ...
  std::string_view reason;
  mutable const MessageTable* type = nullptr;  // of its values; when asked for
};

// The fields of one message by name. Immutable once it is made.
struct MessageTable {
  const google::protobuf::Descriptor* descriptor = nullptr;
  const google::protobuf::Reflection* reflection = nullptr;
  std::string_view original;  // the original message's full name
  ValueKind kind = ValueKind::kMessage;
  bool has_typed_config = false;
  std::deque<FieldEntry> fields;
  absl::flat_hash_map<absl::string_view, const FieldEntry*> by_name;
  std::deque<std::string> camel_names;  // that by_name points at
  // Of a map's entry.
  const FieldEntry* key = nullptr;
  const FieldEntry* value = nullptr;

  const FieldEntry* Find(std::string_view name) const;
  std::vector<std::string_view> Names() const;
};

// Makes tables when they are first asked for. Not thread-safe.
class MessageTables {
 public:
  // Before the first table of its message is made.
  void Stream(const google::protobuf::FieldDescriptor* field) {
    streamed_.insert(field);
  }

  const MessageTable& Get(const google::protobuf::Descriptor* descriptor);

  // How the JSON form of a message of this type looks.
  static ValueKind KindOf(const google::protobuf::Descriptor* descriptor);

 private:
  std::unique_ptr<MessageTable> Make(
      const google::protobuf::Descriptor* descriptor) const;
  FieldEntry MakeField(const google::protobuf::FieldDescriptor* field) const;

  absl::flat_hash_map<const google::protobuf::Descriptor*,
                      std::unique_ptr<MessageTable>>
      tables_;
  absl::flat_hash_set<const google::protobuf::FieldDescriptor*> streamed_;
};

}  // namespace meshlib::xds

#endif  // MESHLIB_XDS_CONFIG_BUILDER_TABLE_H_
