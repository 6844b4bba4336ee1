// google.protobuf.Any: the type decides what the other fields mean, and may
// stand after them.
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/strings.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "meshlib/xds/xds/type/v3/typed_struct.pb.h"
#include "proto/any_types.h"
#include "xds/config_builder.h"

namespace meshlib::xds {
namespace {

using ::google::protobuf::Any;
using ::google::protobuf::Arena;
using ::google::protobuf::Message;
using ::meshlib::xds::xds::type::v3::TypedStruct;

constexpr char kTypedStructUrl[] =
    "type.googleapis.com/xds.type.v3.TypedStruct";

}  // namespace

void ConfigBuilder::OpenAny(Any* any, Position at, int node) {
  if (Top().any_depth >= proto::kMaxAnyDepth) {
    Error(at, absl::StrCat("Any nested deeper than ", proto::kMaxAnyDepth,
                           " levels"));
    skip_depth_ = 1;
    return;
  }
  Frame& frame = Push(FrameKind::kAny, at, node);
  frame.any = any;
  ++frame.any_depth;
}

// Ends the buffering of the Any, and passes over what is left of it, when there
// is too much.
void ConfigBuilder::CountBuffered(Frame& frame, Position at) {
  if (++buffered_events_ < kMaxBufferedEvents) return;
  Error(at, absl::StrCat("more than ", kMaxBufferedEvents,
                         " values stand before their \"@type\""));
  frame.buffer.reset();
  frame.kind = FrameKind::kPassedOver;
  skip_depth_ = frame.buffer_depth;
}

void ConfigBuilder::AnyKey(Frame& frame, Position at, std::string_view name) {
  if (frame.any_state != AnyState::kBuffering && name == "@type") {
    frame.any_state = AnyState::kType;
    return;
  }
  if (frame.buffer == nullptr) frame.buffer = std::make_unique<EventBuffer>();
  frame.any_state = AnyState::kBuffering;
  frame.buffer->Key(at, name);
  CountBuffered(frame, at);
  if (frame.kind == FrameKind::kPassedOver) skip_value_ = skip_depth_ == 0;
}

void ConfigBuilder::AnyBegin(Frame& frame, Position at, bool is_map) {
  if (frame.any_state == AnyState::kType) {
    Error(at, absl::StrCat("got a ", is_map ? "map" : "list",
                           " for \"@type\", want a type URL"));
    frame.kind = FrameKind::kPassedOver;
    skip_depth_ = 1;
    return;
  }
  ++frame.buffer_depth;
  is_map ? frame.buffer->BeginMap(at) : frame.buffer->BeginList(at);
  CountBuffered(frame, at);
}

void ConfigBuilder::AnyScalar(Frame& frame, Position at, ScalarText scalar) {
  if (frame.any_state == AnyState::kType) return TypeKnown(at, scalar.text);
  frame.buffer->Scalar(at, scalar.style, scalar.text);
  if (frame.buffer_depth == 0) frame.any_state = AnyState::kKey;
  CountBuffered(frame, at);
}

// Returns whether it is the end of the Any itself.
bool ConfigBuilder::AnyEnd(Frame& frame) {
  if (frame.buffer_depth > 0) {
    frame.buffer->End();
    if (--frame.buffer_depth == 0) frame.any_state = AnyState::kKey;
    CountBuffered(frame, frame.at);
    return false;
  }
  if (frame.element && frame.buffer != nullptr) UnwrapResource(frame);
  if (frame.kind == FrameKind::kAny &&
      (frame.buffer != nullptr || frame.element)) {
    Error(frame.at, "no \"@type\", which says what this is");
  }
  return true;
}

// A DeltaDiscoveryResponse wraps its resources: {"name", "version",
// "resource"}. The events of the latter are then those of the element.
void ConfigBuilder::UnwrapResource(Frame& frame) {
  const EventBuffer::Range range = frame.buffer->FindValue("resource");
  if (!frame.buffer->is_map(range.begin)) return;
  const std::unique_ptr<EventBuffer> wrapper = std::move(frame.buffer);
  wrapper->Replay(range.begin + 1, range.end - 1, *this);
}

void ConfigBuilder::TypeKnown(Position at, std::string_view url) {
  Frame& frame = Top();
  const ResolvedType& type = resolver_.Resolve(url);
  switch (type.kind) {
    case ResolvedType::Kind::kKnown:
      if (frame.element &&
          MessageTables::KindOf(type.prototype->GetDescriptor()) !=
              ValueKind::kMessage) {
        Error(at, absl::StrCat(base::Excerpt(url), " is not a resource"));
        frame.kind = FrameKind::kPassedOver;
        break;
      }
      AdoptType(frame, *type.prototype);
      if (!type.problem.empty()) Warning(at, type.problem);
      if (frame.any != nullptr) {
        frame.any->set_type_url(type.url.empty() ? std::string(url) : type.url);
      }
      break;
    case ResolvedType::Kind::kUnknown:
      Report(frame.element ? Severity::kWarning : Severity::kNote,
             ProblemKind::kUnsupported, at, type.problem);
      if (frame.element) {
        frame.kind = FrameKind::kPassedOver;
      } else {
        AdoptUnknownType(frame, url);
      }
      break;
    case ResolvedType::Kind::kInvalid:
      Error(at, type.problem);
      frame.kind = FrameKind::kPassedOver;
      break;
  }
  // What came before the type, now that it is known what it means.
  const std::unique_ptr<EventBuffer> before = std::move(frame.buffer);
  if (before != nullptr) before->Replay(*this);
}

void ConfigBuilder::AdoptType(Frame& frame, const Message& prototype) {
  frame.message = prototype.New(arena_);
  frame.packed = frame.message;
  frame.table = &tables_.Get(prototype.GetDescriptor());
  if (frame.table->kind == ValueKind::kMessage) {
    frame.kind = FrameKind::kMessage;
    seen_.resize(seen_.size() + (frame.table->fields.size() + 63) / 64);
  } else {
    frame.kind = FrameKind::kWrapped;
  }
}

void ConfigBuilder::AdoptUnknownType(Frame& frame, std::string_view url) {
  auto* typed = Arena::CreateMessage<TypedStruct>(arena_);
  typed->set_type_url(std::string(url));
  frame.kind = FrameKind::kStruct;
  frame.struct_depth = 1;
  frame.fields = typed->mutable_value();
  frame.packed = typed;
  frame.any->set_type_url(kTypedStructUrl);
}

void ConfigBuilder::Pack(Frame& frame) {
  // Equal text gives equal bytes, also where it has maps.
  google::protobuf::io::StringOutputStream stream(frame.any->mutable_value());
  google::protobuf::io::CodedOutputStream coded(&stream);
  coded.SetSerializationDeterministic(true);
  frame.packed->SerializeToCodedStream(&coded);
}

}  // namespace meshlib::xds
