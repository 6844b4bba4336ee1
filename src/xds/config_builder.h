#ifndef MESHLIB_XDS_CONFIG_BUILDER_H_
#define MESHLIB_XDS_CONFIG_BUILDER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "google/protobuf/any.pb.h"
#include "google/protobuf/arena.h"
#include "google/protobuf/message.h"
#include "google/protobuf/struct.pb.h"
#include "xds/any_resolver.h"
#include "xds/config_builder_scalars.h"
#include "xds/config_builder_table.h"
#include "xds/event_buffer.h"
#include "xds/event_sink.h"
#include "xds/legacy.h"
#include "xds/line_index.h"
#include "xds/problem.h"

namespace meshlib::xds {

// Bounds on what one document may ask of us.
inline constexpr size_t kMaxBuildDepth = 100;
inline constexpr int kMaxStructDepth = 30;  // protobuf's parser: 100 messages
inline constexpr size_t kMaxBufferedEvents = 4000000;

// Builds protobuf messages from the events of a reader: proto3's JSON form,
// as Envoy takes it. Names may be snake_case or lowerCamelCase. What is wrong
// is reported with its path and line, passed over, and the building goes on,
// so that one run finds everything:
// - unknown fields (with the name that was probably meant), unknown enum
//   values, duplicate keys, two members of a oneof, values of a wrong type or
//   out of range are errors;
// - what the field ledger calls ignored is a note, what it calls refused an
//   error, deprecated fields are warnings.
// Any with a type that we do not have becomes a TypedStruct, with a note.
//
// Not thread-safe; reusable for any number of values, one after the other.
class ConfigBuilder : public EventSink {
 public:
  // Where a built message stands.
  struct Where {
    std::string_view path;   // "static_resources.clusters[3]"
    const LineIndex& lines;  // of the message; paths relative to it
    Position at;             // its first line
    bool valid;              // no error was reported for it
  };

  // Takes the messages of lists that are streamed. Messages and views are
  // valid during the call only.
  class Receiver {
   public:
    virtual ~Receiver() = default;
    virtual void OnElement(const google::protobuf::Message& message,
                           const Where& where) = 0;
  };

  // Both are borrowed.
  ConfigBuilder(Problems& problems, Receiver& receiver);
  ~ConfigBuilder() override;
  ConfigBuilder(const ConfigBuilder&) = delete;
  ConfigBuilder& operator=(const ConfigBuilder&) = delete;

  // The name of the file for problems.
  void SetFile(std::string file) { file_ = std::move(file); }

  // Elements of this field go to the receiver instead of into the message.
  // Before anything is built.
  void StreamField(const google::protobuf::FieldDescriptor* field) {
    tables_.Stream(field);
  }

  // Each of these says what the next value is. `path` is where it stands; it
  // precedes the paths of problems.
  //
  // The fields of `message`, which must outlive the value and, like all that
  // is built here, be of a generated class.
  void ExpectMessage(google::protobuf::Message& message, std::string path);
  // Free-form data; `fields` must outlive the value.
  void ExpectStruct(google::protobuf::Struct& fields, std::string path);
  // One resource with "@type", or a list of such, for the receiver.
  void ExpectResource(std::string path);
  void ExpectResources(std::string path);

  // Whether the value is complete.
  bool idle() const { return !expecting_ && depth_ == 0 && skip_depth_ == 0; }
  // Forgets an incomplete value.
  void Abort();

  // Of the message of ExpectMessage(), streamed elements excepted.
  const LineIndex& lines() const { return root_lines_; }
  // Whether an error was reported for it.
  bool root_valid() const { return root_valid_; }

  void BeginMap(Position at) override;
  void BeginList(Position at) override;
  void End() override;
  void Key(Position at, std::string_view name) override;
  void Scalar(Position at, ScalarStyle style, std::string_view text) override;
  void Null(Position at) override;

 private:
  enum class FrameKind : uint8_t {
    kMessage,    // the fields of a message
    kList,       // a repeated field
    kMap,        // a map field
    kStruct,     // a google.protobuf.Struct
    kValueList,  // a google.protobuf.ListValue
    kAny,        // an Any whose type is not known yet
    kWrapped,    // an Any that holds a well-known type: {"@type", "value"}
    kStream,     // a list whose elements go to the receiver
    kPassedOver  // a map of which nothing can be made
  };

  enum class AnyState : uint8_t { kKey, kType, kBuffering };

  // What is cheap to set up anew.
  struct FrameFields {
    FrameKind kind = FrameKind::kMessage;
    bool element = false;  // goes to the receiver when it is complete
    bool has_hosts = false;
    bool has_key = false;  // a key was read: it belongs to the path
    AnyState any_state = AnyState::kKey;
    google::protobuf::Message* message = nullptr;  // filled, or has the field
    const MessageTable* table = nullptr;           // of a message
    // Of the last key (kMessage; null: pass its value over), of the field
    // itself (kList, kMap, kStream).
    const FieldEntry* entry = nullptr;
    google::protobuf::Message* item = nullptr;      // kMap: the open entry
    google::protobuf::Value* value = nullptr;       // kStruct: of the last key
    google::protobuf::Struct* fields = nullptr;     // kStruct
    google::protobuf::ListValue* values = nullptr;  // kValueList
    // Packed into `any` when the frame is closed.
    google::protobuf::Any* any = nullptr;
    google::protobuf::Message* packed = nullptr;
    int any_depth = 0;
    int struct_depth = 0;
    int index = 0;      // of the next element
    int line_node = 0;  // of this value
    int key_node = 0;   // of the last key's value
    Position at;
    Position key_at;
    size_t seen_begin = 0;  // kMessage: into seen_
    int buffer_depth = 0;   // kAny
  };

  // One open map or list.
  struct Frame : FrameFields {
    std::string key;                        // kMap, kStruct: the last key
    absl::flat_hash_set<std::string> keys;  // kMap
    // kAny: what came before "@type". kMessage: the v2 API's "config", whose
    // type "name" tells, which may follow.
    std::unique_ptr<EventBuffer> buffer;
    Position config_at;  // of that "config"
  };

  // Where the next value goes.
  enum class How : uint8_t { kSet, kAdd, kSelf };
  struct Slot {
    google::protobuf::Message* holder;
    const FieldEntry* entry;
    How how;
    int line_node;
  };

  // config_builder.cc: the events
  Frame& Top() { return *frames_[depth_ - 1]; }
  const MessageTable& TypeOf(const FieldEntry& entry);
  Frame& Push(FrameKind kind, Position at, int line_node);
  void Pop();
  void Begin(Position at, bool is_map);
  void EnterRoot(Position at, bool is_map);
  bool SkipScalar();
  void StartElement(const FieldEntry* entry, Position at);
  void NextElement(Frame& frame, Position at, bool is_map);
  void DeliverElement(google::protobuf::Message* message, Position at);
  void FinishMessage(Frame& frame);

  // config_builder_fields.cc: keys and what values they want
  void MessageKey(Frame& frame, Position at, std::string_view name);
  void MapKey(Frame& frame, Position at, std::string_view name);
  void StructKey(Frame& frame, Position at, std::string_view name);
  void UnknownField(const Frame& frame, Position at, std::string_view name);
  void CheckUse(Frame& frame, Position at, const FieldEntry& entry);
  bool CheckOneof(const Frame& frame, Position at, const FieldEntry& entry);
  bool NextSlot(Position at, Slot& slot);
  google::protobuf::Message* SubMessage(const Slot& slot);
  void OpenMap(const Slot& slot, Position at);
  void OpenList(const Slot& slot, Position at);
  // Whether free-form data may go one level deeper; reports if not, and skips
  // what was opened.
  bool MayNest(Position at);
  void OpenStruct(google::protobuf::Struct* fields, Position at, int node);
  void OpenValueList(google::protobuf::ListValue* values, Position at,
                     int node);
  void OpenHosts(Frame& cluster, Position at);
  bool OpenRepeated(Frame& frame, Position at, bool is_map);
  google::protobuf::Value* NextValue(Position at, int& node);

  // config_builder_legacy.cc: fields of the v2 API
  bool KeepLegacyValue(const Frame& frame, Position at, std::string_view name);
  bool KeepsEvents(Position at);
  void Kept();
  void FinishConfig(Frame& frame);

  // config_builder_set.cc: scalars
  // Adds to a list, or sets a field, by the one or the other of Reflection.
  template <typename Method, typename T>
  static void Write(const Slot& slot, Method add, Method set, T value);
  void PutScalar(const Slot& slot, Position at, ScalarText scalar);
  bool Put(const Slot& slot, Position at, ScalarText scalar, std::string& why);
  bool PutNumber(const Slot& slot, ScalarText scalar, std::string& why);
  bool PutMessage(const Slot& slot, Position at, ScalarText scalar,
                  std::string& why);
  bool PutEnum(const Slot& slot, Position at, ScalarText scalar,
               std::string& why);
  bool PutFieldMask(google::protobuf::Message& mask, ScalarText scalar,
                    std::string& why);
  void PutNull(const Slot& slot, Position at);
  static bool PutValue(google::protobuf::Value& value, ScalarText scalar,
                       std::string& why);

  // config_builder_any.cc
  void OpenAny(google::protobuf::Any* any, Position at, int node);
  void AnyKey(Frame& frame, Position at, std::string_view name);
  void AnyBegin(Frame& frame, Position at, bool is_map);
  void AnyScalar(Frame& frame, Position at, ScalarText scalar);
  bool AnyEnd(Frame& frame);
  void UnwrapResource(Frame& frame);
  void CountBuffered(Frame& frame, Position at);
  void TypeKnown(Position at, std::string_view url);
  void AdoptType(Frame& frame, const google::protobuf::Message& prototype);
  void AdoptUnknownType(Frame& frame, std::string_view url);
  void Pack(Frame& frame);

  void Error(Position at, std::string message);
  void Warning(Position at, std::string message);
  // An error about a key: its value is passed over.
  void KeyError(const Frame& frame, Position at, std::string message);
  void Report(Severity severity, ProblemKind kind, Position at,
              std::string message);
  // The path of the value that is being read. An error about a key itself
  // has the path of what holds it.
  std::string Path() const;

  Problems& problems_;
  Receiver& receiver_;
  std::string file_;
  std::string root_path_;
  enum class Root : uint8_t { kMessage, kStruct, kResource, kResources };
  Root root_ = Root::kMessage;
  bool expecting_ = false;
  google::protobuf::Message* root_message_ = nullptr;
  google::protobuf::Struct* root_struct_ = nullptr;

  MessageTables tables_;
  AnyResolver resolver_;
  FieldEntry wrapped_[kValueKinds];  // stand for "value" of a kWrapped frame
  // The first depth_ of them are open; the others keep their memory.
  std::vector<std::unique_ptr<Frame>> frames_;
  size_t depth_ = 0;
  std::vector<uint64_t> seen_;  // fields of the open messages
  int skip_depth_ = 0;          // in a value that is passed over
  bool skip_value_ = false;     // the next value is passed over
  size_t buffered_events_ = 0;

  // The value of a v2 field, kept until it is complete.
  std::unique_ptr<EventBuffer> kept_;
  int kept_depth_ = 0;
  Position kept_at_;
  LegacyForm kept_form_;  // unknown for "config"

  bool in_element_ = false;
  bool element_valid_ = true;
  bool root_valid_ = true;
  LineIndex root_lines_;
  LineIndex element_lines_;
  LineIndex* lines_ = &root_lines_;
  std::unique_ptr<char[]> arena_block_;
  std::unique_ptr<google::protobuf::Arena> element_arena_;
  google::protobuf::Arena root_arena_;
  google::protobuf::Arena* arena_ = &root_arena_;
};

}  // namespace meshlib::xds

#endif  // MESHLIB_XDS_CONFIG_BUILDER_H_
