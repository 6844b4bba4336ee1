#include "xds/config_builder.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/strings.h"
#include "google/protobuf/duration.pb.h"
#include "proto/validate_rules.h"
#include "xds/legacy.h"

namespace meshlib::xds {
namespace {

using ::google::protobuf::Arena;
using ::google::protobuf::ArenaOptions;
using ::google::protobuf::Message;

// A cluster with a hundred endpoints fits.
constexpr size_t kArenaBlock = size_t{256} << 10;

bool IsIdentifier(std::string_view text) {
  if (text.empty() || (text[0] >= '0' && text[0] <= '9')) return false;
  for (const char c : text) {
    const char lower = base::LowerAscii(c);
    if (!(lower >= 'a' && lower <= 'z') && !(c >= '0' && c <= '9') &&
        c != '_' && c != '-') {
      return false;
    }
  }
  return true;
}

void AppendKey(std::string& path, std::string_view key, bool dotted) {
  if (dotted && IsIdentifier(key)) {
    absl::StrAppend(&path, path.empty() ? "" : ".", base::ToAbsl(key));
  } else {
    absl::StrAppend(&path, "[\"", base::Excerpt(key), "\"]");
  }
}

std::string_view What(bool is_map) { return is_map ? "a map" : "a list"; }

}  // namespace

ConfigBuilder::ConfigBuilder(Problems& problems, Receiver& receiver)
    : problems_(problems),
      receiver_(receiver),
      arena_block_(std::make_unique<char[]>(kArenaBlock)) {
  ArenaOptions options;
  options.initial_block = arena_block_.get();
  options.initial_block_size = kArenaBlock;
  element_arena_ = std::make_unique<Arena>(options);
  for (int i = 0; i < kValueKinds; ++i) {
    wrapped_[i].name = "value";
    wrapped_[i].kind = static_cast<ValueKind>(i);
  }
}

ConfigBuilder::~ConfigBuilder() = default;

void ConfigBuilder::ExpectMessage(Message& message, std::string path) {
  Abort();
  root_ = Root::kMessage;
  root_message_ = &message;
  root_path_ = std::move(path);
  expecting_ = true;
}

void ConfigBuilder::ExpectStruct(google::protobuf::Struct& fields,
                                 std::string path) {
  Abort();
  root_ = Root::kStruct;
  root_struct_ = &fields;
  root_path_ = std::move(path);
  expecting_ = true;
}

void ConfigBuilder::ExpectResource(std::string path) {
  Abort();
  root_ = Root::kResource;
  root_path_ = std::move(path);
  expecting_ = true;
}

void ConfigBuilder::ExpectResources(std::string path) {
  Abort();
  root_ = Root::kResources;
  root_path_ = std::move(path);
  expecting_ = true;
}

void ConfigBuilder::Abort() {
  depth_ = 0;
  seen_.clear();
  skip_depth_ = 0;
  skip_value_ = false;
  expecting_ = false;
  in_element_ = false;
  root_valid_ = true;
  buffered_events_ = 0;
  kept_.reset();
  kept_depth_ = 0;
  lines_ = &root_lines_;
  root_lines_.Clear({});
  root_arena_.Reset();
  arena_ = &root_arena_;
  element_arena_->Reset();
}

ConfigBuilder::Frame& ConfigBuilder::Push(FrameKind kind, Position at,
                                          int line_node) {
  if (depth_ == frames_.size()) frames_.push_back(std::make_unique<Frame>());
  const Frame* parent = depth_ > 0 ? frames_[depth_ - 1].get() : nullptr;
  Frame& frame = *frames_[depth_++];
  static_cast<FrameFields&>(frame) = FrameFields();
  frame.key.clear();
  frame.keys.clear();
  frame.buffer.reset();
  frame.kind = kind;
  frame.at = at;
  frame.line_node = line_node;
  frame.seen_begin = seen_.size();
  if (parent != nullptr) {
    frame.any_depth = parent->any_depth;
    if (kind == FrameKind::kStruct || kind == FrameKind::kValueList) {
      frame.struct_depth = parent->struct_depth + 1;
    }
  }
  return frame;
}

void ConfigBuilder::Pop() {
  seen_.resize(Top().seen_begin);
  --depth_;
}

const MessageTable& ConfigBuilder::TypeOf(const FieldEntry& entry) {
  if (entry.type == nullptr) {
    entry.type = &tables_.Get(entry.field->message_type());
  }
  return *entry.type;
}

void ConfigBuilder::BeginMap(Position at) { Begin(at, true); }
void ConfigBuilder::BeginList(Position at) { Begin(at, false); }

void ConfigBuilder::Begin(Position at, bool is_map) {
  if (KeepsEvents(at)) {
    is_map ? kept_->BeginMap(at) : kept_->BeginList(at);
    ++kept_depth_;
    return;
  }
  if (skip_depth_ > 0 || skip_value_) {
    skip_value_ = false;
    ++skip_depth_;
    return;
  }
  if (depth_ == 0) return EnterRoot(at, is_map);
  Frame& frame = Top();
  if (frame.kind == FrameKind::kAny) return AnyBegin(frame, at, is_map);
  if (depth_ >= kMaxBuildDepth) {
    Error(at, absl::StrCat("nested deeper than ", kMaxBuildDepth, " levels"));
    skip_depth_ = 1;
    return;
  }
  switch (frame.kind) {
    case FrameKind::kStream:
      return NextElement(frame, at, is_map);
    case FrameKind::kStruct:
    case FrameKind::kValueList: {
      int node = 0;
      google::protobuf::Value* value = NextValue(at, node);
      return is_map ? OpenStruct(value->mutable_struct_value(), at, node)
                    : OpenValueList(value->mutable_list_value(), at, node);
    }
    default:
      break;
  }
  if (OpenRepeated(frame, at, is_map)) return;
  Slot slot;
  if (!NextSlot(at, slot)) {
    skip_depth_ = 1;
    return;
  }
  is_map ? OpenMap(slot, at) : OpenList(slot, at);
}

void ConfigBuilder::EnterRoot(Position at, bool is_map) {
  const bool expected = expecting_;
  expecting_ = false;
  if (!expected) {
    skip_depth_ = 1;
    return;
  }
  root_lines_.Clear(at);
  if (is_map != (root_ != Root::kResources)) {
    Error(at, absl::StrCat("got ", base::ToAbsl(What(is_map)), ", want ",
                           base::ToAbsl(What(!is_map))));
    skip_depth_ = 1;
    return;
  }
  switch (root_) {
    case Root::kMessage: {
      Frame& frame = Push(FrameKind::kMessage, at, 0);
      frame.message = root_message_;
      frame.table = &tables_.Get(root_message_->GetDescriptor());
      seen_.resize(seen_.size() + (frame.table->fields.size() + 63) / 64);
      return;
    }
    case Root::kStruct:
      Push(FrameKind::kStruct, at, 0).fields = root_struct_;
      return;
    case Root::kResource:
      return StartElement(nullptr, at);
    case Root::kResources:
      Push(FrameKind::kStream, at, 0);
      return;
  }
}

void ConfigBuilder::NextElement(Frame& frame, Position at, bool is_map) {
  frame.key_node = lines_->AddElement(frame.line_node, frame.index++, at);
  frame.has_key = true;
  if (is_map) return StartElement(frame.entry, at);
  Error(at, "got a list, want a map");
  skip_depth_ = 1;
}

void ConfigBuilder::StartElement(const FieldEntry* entry, Position at) {
  in_element_ = true;
  element_valid_ = true;
  lines_ = &element_lines_;
  element_lines_.Clear(at);
  arena_ = element_arena_.get();
  if (entry == nullptr) {
    Push(FrameKind::kAny, at, 0).element = true;
    return;
  }
  Frame& frame = Push(FrameKind::kMessage, at, 0);
  frame.element = true;
  frame.table = &TypeOf(*entry);
  frame.message = google::protobuf::MessageFactory::generated_factory()
                      ->GetPrototype(frame.table->descriptor)
                      ->New(arena_);
  seen_.resize(seen_.size() + (frame.table->fields.size() + 63) / 64);
}

void ConfigBuilder::DeliverElement(Message* message, Position at) {
  if (message != nullptr) {
    const std::string path = Path();
    receiver_.OnElement(*message, {path, element_lines_, at, element_valid_});
  }
  in_element_ = false;
  lines_ = &root_lines_;
  arena_ = &root_arena_;
  element_arena_->Reset();
}

void ConfigBuilder::End() {
  if (KeepsEvents({})) {
    kept_->End();
    --kept_depth_;
    return Kept();
  }
  if (skip_depth_ > 0) {
    --skip_depth_;
    return;
  }
  if (depth_ == 0) return;
  Frame& frame = Top();
  if (frame.kind == FrameKind::kAny && !AnyEnd(frame)) return;
  if (frame.kind == FrameKind::kMessage && frame.table->has_typed_config) {
    FinishConfig(frame);
  }
  frame.has_key = false;
  if (frame.kind == FrameKind::kMessage) FinishMessage(frame);
  if (frame.any != nullptr && frame.packed != nullptr) Pack(frame);
  const bool element = frame.element;
  Message* message =
      frame.kind == FrameKind::kMessage ? frame.message : nullptr;
  const Position at = frame.at;
  Pop();
  if (element) DeliverElement(message, at);
}

void ConfigBuilder::FinishMessage(Frame& frame) {
  if (frame.has_hosts) FinishLegacyHosts(*frame.message);
  // Written as a map, Envoy takes it so.
  if (frame.table->kind == ValueKind::kDuration) {
    const auto& duration =
        static_cast<const google::protobuf::Duration&>(*frame.message);
    if (!proto::IsValidDuration(duration)) {
      Error(frame.at, "the duration is out of range");
    }
  }
}

void ConfigBuilder::Key(Position at, std::string_view name) {
  if (KeepsEvents(at)) return kept_->Key(at, name);
  if (skip_depth_ > 0 || depth_ == 0) return;
  Frame& frame = Top();
  switch (frame.kind) {
    case FrameKind::kMessage:
      return MessageKey(frame, at, name);
    case FrameKind::kMap:
      return MapKey(frame, at, name);
    case FrameKind::kStruct:
      return StructKey(frame, at, name);
    case FrameKind::kAny:
      return AnyKey(frame, at, name);
    case FrameKind::kWrapped:
      if (name == "value" && !frame.has_key) {
        frame.key_node = lines_->AddField(frame.line_node, "value", at);
        frame.has_key = true;
      } else {
        KeyError(frame, at,
                 absl::StrCat("key \"", base::Excerpt(name),
                              "\" beside \"@type\", want \"value\" only"));
      }
      return;
    default:  // a map that is passed over
      skip_value_ = true;
  }
}

bool ConfigBuilder::SkipScalar() {
  if (skip_depth_ > 0) return true;
  const bool skip = skip_value_;
  skip_value_ = false;
  return skip;
}

void ConfigBuilder::Scalar(Position at, ScalarStyle style,
                           std::string_view text) {
  if (KeepsEvents(at)) {
    kept_->Scalar(at, style, text);
    return Kept();
  }
  if (SkipScalar()) return;
  const ScalarText scalar{style, text};
  if (depth_ == 0) {
    if (!expecting_) return;
    expecting_ = false;
    return Error(at,
                 absl::StrCat("got ", Show(scalar), ", want ",
                              base::ToAbsl(What(root_ != Root::kResources))));
  }
  Frame& frame = Top();
  switch (frame.kind) {
    case FrameKind::kAny:
      return AnyScalar(frame, at, scalar);
    case FrameKind::kStream:
      frame.key_node = lines_->AddElement(frame.line_node, frame.index++, at);
      frame.has_key = true;
      return Error(at, absl::StrCat("got ", Show(scalar), ", want a map"));
    case FrameKind::kStruct:
    case FrameKind::kValueList: {
      int node = 0;
      std::string why;
      if (!PutValue(*NextValue(at, node), scalar, why)) {
        Error(at, std::move(why));
      }
      return;
    }
    default:
      break;
  }
  Slot slot;
  if (NextSlot(at, slot)) PutScalar(slot, at, scalar);
}

void ConfigBuilder::Null(Position at) {
  if (KeepsEvents(at)) {
    kept_->Null(at);
    return Kept();
  }
  if (SkipScalar()) return;
  if (depth_ == 0) {
    if (!expecting_) return;
    expecting_ = false;
    if (root_ != Root::kMessage) Error(at, "got null, want a value");
    return;
  }
  Frame& frame = Top();
  switch (frame.kind) {
    case FrameKind::kAny:
      if (frame.any_state == AnyState::kType) {
        return AnyScalar(frame, at, {ScalarStyle::kString, ""});
      }
      frame.buffer->Null(at);
      if (frame.buffer_depth == 0) frame.any_state = AnyState::kKey;
      return CountBuffered(frame, at);
    case FrameKind::kStream:
      frame.key_node = lines_->AddElement(frame.line_node, frame.index++, at);
      frame.has_key = true;
      return Error(at, "got null, want a map");
    case FrameKind::kStruct:
    case FrameKind::kValueList: {
      int node = 0;
      NextValue(at, node)->set_null_value(google::protobuf::NULL_VALUE);
      return;
    }
    case FrameKind::kMessage:
      // As if it were not written.
      if (frame.entry->repeated || frame.entry->map) return;
      break;
    default:
      break;
  }
  Slot slot;
  if (NextSlot(at, slot)) PutNull(slot, at);
}

std::string ConfigBuilder::Path() const {
  std::string path = root_path_;
  for (size_t i = 0; i < depth_; ++i) {
    const Frame& frame = *frames_[i];
    if (!frame.has_key) continue;
    switch (frame.kind) {
      case FrameKind::kMessage:
        absl::StrAppend(&path, path.empty() ? "" : ".",
                        base::ToAbsl(frame.entry->name));
        break;
      case FrameKind::kWrapped:
        path += path.empty() ? "value" : ".value";
        break;
      case FrameKind::kList:
      case FrameKind::kStream:
      case FrameKind::kValueList:
        absl::StrAppend(&path, "[", frame.index - 1, "]");
        break;
      case FrameKind::kMap:
        AppendKey(path, frame.key, false);
        break;
      case FrameKind::kStruct:
        AppendKey(path, frame.key, true);
        break;
      case FrameKind::kAny:
      case FrameKind::kPassedOver:
        break;
    }
  }
  return path;
}

void ConfigBuilder::Report(Severity severity, ProblemKind kind, Position at,
                           std::string message) {
  problems_.Add(
      {severity, kind, file_, at.line, at.column, Path(), std::move(message)});
}

void ConfigBuilder::Error(Position at, std::string message) {
  (in_element_ ? element_valid_ : root_valid_) = false;
  if (depth_ > 0) {
    const Frame& frame = Top();
    lines_->MarkBad(frame.has_key ? frame.key_node : frame.line_node);
  }
  Report(Severity::kError, ProblemKind::kInvalid, at, std::move(message));
}

void ConfigBuilder::KeyError(const Frame& frame, Position at,
                             std::string message) {
  (in_element_ ? element_valid_ : root_valid_) = false;
  lines_->MarkBad(lines_->AddField(frame.line_node, "", at));
  Report(Severity::kError, ProblemKind::kInvalid, at, std::move(message));
  skip_value_ = true;
}

void ConfigBuilder::Warning(Position at, std::string message) {
  Report(Severity::kWarning, ProblemKind::kOutdated, at, std::move(message));
}

}  // namespace meshlib::xds
