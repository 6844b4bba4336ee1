// The keys of maps, and the maps and lists that they may hold.
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/strings.h"
#include "xds/config_builder.h"
#include "xds/field_use.h"
#include "xds/legacy.h"
#include "xds/loader_names.h"

namespace meshlib::xds {
namespace {

using ::google::protobuf::FieldDescriptor;
using ::google::protobuf::ListValue;
using ::google::protobuf::Message;
using ::google::protobuf::OneofDescriptor;
using ::google::protobuf::Struct;
using ::google::protobuf::Value;

std::string Duplicate(std::string_view name, Position first) {
  std::string message =
      absl::StrCat("\"", base::Excerpt(name), "\" stands twice");
  if (first.line > 0) {
    absl::StrAppend(&message, " (first on line ", first.line, ")");
  }
  return message;
}

std::string_view Want(const FieldEntry& entry) {
  switch (entry.kind) {
    case ValueKind::kString:
      return "a string";
    case ValueKind::kBytes:
      return "bytes in base64";
    case ValueKind::kBool:
      return "true or false";
    case ValueKind::kInt32:
    case ValueKind::kUint32:
    case ValueKind::kInt64:
    case ValueKind::kUint64:
      return "an integer";
    case ValueKind::kFloat:
    case ValueKind::kDouble:
      return "a number";
    case ValueKind::kEnum:
      return "the name of a value";
    case ValueKind::kDuration:
      return "a duration such as \"0.25s\"";
    case ValueKind::kTimestamp:
      return "a time such as \"2026-01-31T12:00:00Z\"";
    case ValueKind::kFieldMask:
      return "field names in a string";
    case ValueKind::kWrapper:
      return "a scalar";
    case ValueKind::kListValue:
      return "a list";
    case ValueKind::kMessage:
    case ValueKind::kStruct:
    case ValueKind::kValue:
    case ValueKind::kAny:
      break;
  }
  return "a map";
}

}  // namespace

void ConfigBuilder::MessageKey(Frame& frame, Position at,
                               std::string_view name) {
  frame.has_key = false;
  const FieldEntry* entry = frame.table->Find(name);
  if (entry == nullptr) return UnknownField(frame, at, name);
  uint64_t& seen = seen_[frame.seen_begin + entry->number / 64];
  const uint64_t bit = uint64_t{1} << (entry->number % 64);
  if ((seen & bit) != 0) {
    return KeyError(
        frame, at,
        Duplicate(name, lines_->FindField(frame.line_node, entry->name)));
  }
  seen |= bit;
  frame.entry = entry;
  frame.key_at = at;
  frame.key_node = lines_->AddField(frame.line_node, entry->name, at);
  if (entry->oneof && !CheckOneof(frame, at, *entry)) return;
  frame.has_key = true;
  CheckUse(frame, at, *entry);
}

void ConfigBuilder::UnknownField(const Frame& frame, Position at,
                                 std::string_view name) {
  const MessageTable& table = *frame.table;
  if (name == "@type" && (frame.element || frame.any != nullptr)) {
    return KeyError(frame, at, Duplicate(name, {}));
  }
  if (KeepLegacyValue(frame, at, name)) return;
  std::string message = absl::StrCat("no field \"", base::Excerpt(name),
                                     "\" in ", base::ToAbsl(table.original));
  if (name == "<<") {
    message += " (YAML merge keys are not supported)";
  } else if (problems_.errors() < Problems::kDefaultLimit) {
    // Costs more than all the rest; beyond the bound nobody reads it.
    message += DidYouMean(name, table.Names());
  }
  KeyError(frame, at, std::move(message));
}

bool ConfigBuilder::CheckOneof(const Frame& frame, Position at,
                               const FieldEntry& entry) {
  if (entry.field == nullptr) return true;
  const OneofDescriptor* oneof = entry.field->real_containing_oneof();
  if (oneof == nullptr ||
      !frame.table->reflection->HasOneof(*frame.message, oneof)) {
    return true;
  }
  const FieldDescriptor* other =
      frame.table->reflection->GetOneofFieldDescriptor(*frame.message, oneof);
  KeyError(frame, at,
           absl::StrCat("\"", base::ToAbsl(entry.name), "\" and \"",
                        other->name(), "\" are both set, want one of them"));
  return false;
}

// What the ledger says about the field; called with the key in the path.
void ConfigBuilder::CheckUse(Frame& frame, Position at,
                             const FieldEntry& entry) {
  if (entry.hosts) {
    std::string path = Path();
    path.resize(path.size() - entry.name.size());
    return Warning(
        at, absl::StrCat("\"hosts\" is the form of Envoy's v2 API; write ",
                         TodaysPath(path),
                         "load_assignment.endpoints[0].lb_endpoints"));
  }
  if (entry.use == proto::FieldUse::kRefused) {
    // A scalar that says what holds anyway changes nothing.
    if (entry.scalar && !entry.oneof) return;
    Error(at, RefusedField(entry.reason));
    skip_value_ = true;
    return;
  }
  if (entry.deprecated) {
    Warning(at, absl::StrCat("\"", base::ToAbsl(entry.name), "\" of ",
                             base::ToAbsl(frame.table->original),
                             " is deprecated"));
  }
  if (entry.use == proto::FieldUse::kUsed) return;
  Report(Severity::kNote, ProblemKind::kUnsupported, at,
         IgnoredField(frame.table->original, entry.name, entry.reason));
  if (entry.field == nullptr) {
    lines_->MarkBad(frame.key_node);
    skip_value_ = true;
  }
}

void ConfigBuilder::MapKey(Frame& frame, Position at, std::string_view name) {
  frame.has_key = false;
  if (!frame.keys.insert(std::string(name)).second) {
    return KeyError(frame, at, Duplicate(name, {}));
  }
  frame.key.assign(name);
  frame.key_at = at;
  frame.key_node = lines_->AddEntry(frame.line_node, name, at);
  frame.has_key = true;
  const MessageTable& type = TypeOf(*frame.entry);
  frame.item = frame.message->GetReflection()->AddMessage(frame.message,
                                                          frame.entry->field);
  std::string why;
  const Slot slot{frame.item, type.key, How::kSet, frame.key_node};
  if (!Put(slot, at, {ScalarStyle::kString, name}, why)) {
    Error(at, absl::StrCat("key: ", why));
    skip_value_ = true;
  }
}

void ConfigBuilder::StructKey(Frame& frame, Position at,
                              std::string_view name) {
  frame.has_key = false;
  std::string key(name);
  auto& fields = *frame.fields->mutable_fields();
  if (fields.contains(key) || (frame.packed != nullptr && name == "@type")) {
    return KeyError(frame, at, Duplicate(name, {}));
  }
  frame.value = &fields[key];
  frame.key = std::move(key);
  frame.key_at = at;
  frame.key_node = lines_->AddEntry(frame.line_node, name, at);
  frame.has_key = true;
}

google::protobuf::Value* ConfigBuilder::NextValue(Position at, int& node) {
  Frame& frame = Top();
  if (frame.kind == FrameKind::kValueList) {
    frame.key_node = lines_->AddElement(frame.line_node, frame.index++, at);
    frame.has_key = true;
    frame.value = frame.values->add_values();
  }
  node = frame.key_node;
  return frame.value;
}

bool ConfigBuilder::NextSlot(Position at, Slot& slot) {
  Frame& frame = Top();
  switch (frame.kind) {
    case FrameKind::kMessage:
      slot = {frame.message, frame.entry, How::kSet, frame.key_node};
      if (frame.entry->map) {
        Error(at, "got a scalar, want a map");
        return false;
      }
      // Envoy takes a single value for a list of one.
      if (frame.entry->repeated) {
        if (frame.entry->streamed || frame.entry->hosts) {
          Error(at, "want a list");
          return false;
        }
        Warning(at, absl::StrCat("\"", base::ToAbsl(frame.entry->name),
                                 "\" is a list; write it as one"));
        slot.how = How::kAdd;
      }
      return true;
    case FrameKind::kList:
      frame.key_node = lines_->AddElement(frame.line_node, frame.index++, at);
      frame.has_key = true;
      slot = {frame.message, frame.entry, How::kAdd, frame.key_node};
      return true;
    case FrameKind::kMap:
      slot = {frame.item, TypeOf(*frame.entry).value, How::kSet,
              frame.key_node};
      return true;
    case FrameKind::kWrapped:
      slot = {frame.message, &wrapped_[static_cast<int>(frame.table->kind)],
              How::kSelf, frame.key_node};
      return true;
    default:
      return false;
  }
}

Message* ConfigBuilder::SubMessage(const Slot& slot) {
  if (slot.how == How::kSelf) return slot.holder;
  if (slot.entry->hosts) return AddLegacyHost(*slot.holder);
  const auto* reflection = slot.holder->GetReflection();
  return slot.how == How::kAdd
             ? reflection->AddMessage(slot.holder, slot.entry->field)
             : reflection->MutableMessage(slot.holder, slot.entry->field);
}

bool ConfigBuilder::OpenRepeated(Frame& frame, Position at, bool is_map) {
  if (frame.kind != FrameKind::kMessage) return false;
  const FieldEntry& entry = *frame.entry;
  if (entry.use == proto::FieldUse::kRefused) {
    Error(at, RefusedField(entry.reason));
    skip_depth_ = 1;
    return true;
  }
  if (!entry.repeated && !entry.map) return false;
  if (entry.map != is_map) {
    if (entry.repeated) return false;  // NextSlot() takes it for a list of one
    Error(at, "got a list, want a map");
    skip_depth_ = 1;
    return true;
  }
  if (entry.hosts) {
    OpenHosts(frame, at);
    return true;
  }
  const FrameKind kind = entry.map        ? FrameKind::kMap
                         : entry.streamed ? FrameKind::kStream
                                          : FrameKind::kList;
  Message* const holder = frame.message;
  Frame& list = Push(kind, at, frame.key_node);
  list.message = holder;
  list.entry = &entry;
  return true;
}

// The endpoints stand where load_assignment has them, so that later checks
// find their lines.
void ConfigBuilder::OpenHosts(Frame& cluster, Position at) {
  cluster.has_hosts = true;
  int node = lines_->AddField(cluster.line_node, "load_assignment", at);
  node = lines_->AddField(node, "endpoints", at);
  node = lines_->AddElement(node, 0, at);
  node = lines_->AddField(node, "lb_endpoints", at);
  const FieldEntry* assignment = cluster.table->Find("load_assignment");
  if (static_cast<const Message*>(cluster.message)
          ->GetReflection()
          ->HasField(*cluster.message, assignment->field)) {
    Error(at,
          "\"hosts\" and \"load_assignment\" are both set, want the latter");
    skip_depth_ = 1;
    return;
  }
  // Should load_assignment follow, it stands twice.
  seen_[cluster.seen_begin + assignment->number / 64] |=
      uint64_t{1} << (assignment->number % 64);
  Message* const holder = cluster.message;
  const FieldEntry* entry = cluster.entry;
  Frame& list = Push(FrameKind::kList, at, node);
  list.message = holder;
  list.entry = entry;
}

void ConfigBuilder::OpenMap(const Slot& slot, Position at) {
  switch (slot.entry->kind) {
    case ValueKind::kMessage:
    // The well-known types, too, may be written as maps of their fields.
    case ValueKind::kDuration:
    case ValueKind::kTimestamp:
    case ValueKind::kFieldMask:
    case ValueKind::kWrapper: {
      Message* message = SubMessage(slot);
      const MessageTable& table = slot.entry->field != nullptr
                                      ? TypeOf(*slot.entry)
                                      : tables_.Get(message->GetDescriptor());
      int node = slot.line_node;
      if (slot.entry->hosts) {
        node = lines_->AddField(node, "endpoint", at);
        node = lines_->AddField(node, "address", at);
      }
      Frame& frame = Push(FrameKind::kMessage, at, node);
      frame.message = message;
      frame.table = &table;
      seen_.resize(seen_.size() + (table.fields.size() + 63) / 64);
      return;
    }
    case ValueKind::kStruct:
      return OpenStruct(static_cast<Struct*>(SubMessage(slot)), at,
                        slot.line_node);
    case ValueKind::kValue:
      return OpenStruct(
          static_cast<Value*>(SubMessage(slot))->mutable_struct_value(), at,
          slot.line_node);
    case ValueKind::kAny:
      return OpenAny(static_cast<google::protobuf::Any*>(SubMessage(slot)), at,
                     slot.line_node);
    default:
      Error(at,
            absl::StrCat("got a map, want ", base::ToAbsl(Want(*slot.entry))));
      skip_depth_ = 1;
  }
}

void ConfigBuilder::OpenList(const Slot& slot, Position at) {
  switch (slot.entry->kind) {
    case ValueKind::kListValue:
      return OpenValueList(static_cast<ListValue*>(SubMessage(slot)), at,
                           slot.line_node);
    case ValueKind::kValue:
      return OpenValueList(
          static_cast<Value*>(SubMessage(slot))->mutable_list_value(), at,
          slot.line_node);
    default:
      Error(at,
            absl::StrCat("got a list, want ", base::ToAbsl(Want(*slot.entry))));
      skip_depth_ = 1;
  }
}

bool ConfigBuilder::MayNest(Position at) {
  if (Top().struct_depth < kMaxStructDepth) return true;
  Error(at, absl::StrCat("free-form data nested deeper than ", kMaxStructDepth,
                         " levels"));
  skip_depth_ = 1;
  return false;
}

void ConfigBuilder::OpenStruct(Struct* fields, Position at, int node) {
  if (!MayNest(at)) return;
  Push(FrameKind::kStruct, at, node).fields = fields;
}

void ConfigBuilder::OpenValueList(ListValue* values, Position at, int node) {
  if (!MayNest(at)) return;
  Push(FrameKind::kValueList, at, node).values = values;
}

}  // namespace meshlib::xds
