// Fields that only the v2 API had. Their values are kept until they are
// complete, then sent in today's form as if the file had it.
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/strings.h"
#include "xds/config_builder.h"
#include "xds/legacy.h"

namespace meshlib::xds {
namespace {

using ::google::protobuf::FieldDescriptor;
using ::google::protobuf::Message;

std::string OldForm(std::string_view name, std::string_view today) {
  return absl::StrCat("\"", base::ToAbsl(name),
                      "\" is the form of Envoy's v2 API; write ",
                      base::ToAbsl(today));
}

std::string NameOf(const Message& message) {
  const FieldDescriptor* name =
      message.GetDescriptor()->FindFieldByName("name");
  if (name == nullptr || name->is_repeated() ||
      name->cpp_type() != FieldDescriptor::CPPTYPE_STRING) {
    return {};
  }
  return message.GetReflection()->GetString(message, name);
}

// Whether nothing says what the extension's configuration is.
bool LacksConfig(const Message& message, const FieldDescriptor* typed_config) {
  const auto* reflection = message.GetReflection();
  const auto* oneof = typed_config->real_containing_oneof();
  return oneof != nullptr ? !reflection->HasOneof(message, oneof)
                          : !reflection->HasField(message, typed_config);
}

}  // namespace

// Whether the unknown field is one of v2, which is all there is to say.
bool ConfigBuilder::KeepLegacyValue(const Frame& frame, Position at,
                                    std::string_view name) {
  LegacyForm form;
  if (name != "config" || !frame.table->has_typed_config) {
    form = TodaysForm(frame.table->original, name);
    if (!form.known()) return false;
    if (form.dropped) {
      Warning(at, OldForm(name, form.today));
      skip_value_ = true;
      return true;
    }
    if (!form.rewritable()) {
      KeyError(frame, at, OldForm(name, form.today));
      return true;
    }
    Warning(at, OldForm(name, form.today));
  } else if (frame.buffer != nullptr) {
    KeyError(frame, at, "\"config\" stands twice");
    return true;
  }
  kept_ = std::make_unique<EventBuffer>();
  kept_depth_ = 0;
  kept_at_ = at;
  kept_form_ = form;
  return true;
}

// Whether the event belongs to a value that is being kept.
bool ConfigBuilder::KeepsEvents(Position at) {
  if (kept_ == nullptr) return false;
  if (++buffered_events_ < kMaxBufferedEvents) return true;
  Error(at.line > 0 ? at : kept_at_,
        absl::StrCat("more than ", kMaxBufferedEvents,
                     " values stand in forms of the v2 API"));
  kept_.reset();
  skip_depth_ = kept_depth_;
  skip_value_ = kept_depth_ == 0;
  return false;
}

void ConfigBuilder::Kept() {
  if (kept_depth_ > 0) return;
  const std::unique_ptr<EventBuffer> value = std::move(kept_);
  if (kept_form_.known()) {
    const LegacyForm form = kept_form_;
    return SendInTodaysForm(form, kept_at_, *value, *this);
  }
  Frame& frame = Top();
  frame.buffer = std::make_unique<EventBuffer>(std::move(*value));
  frame.config_at = kept_at_;
}

// At the end of a message that has a typed_config: sends it if the message has
// v2's "config", or a name that needed none.
void ConfigBuilder::FinishConfig(Frame& frame) {
  const std::unique_ptr<EventBuffer> config = std::move(frame.buffer);
  const FieldEntry* entry = frame.table->Find("typed_config");
  if (entry->field == nullptr) return;
  const std::string name = NameOf(*frame.message);
  LegacyForm form;
  form.keys = "typed_config";
  form.type = TypeOfExtension(name);
  const std::string today =
      form.type.empty()
          ? "typed_config with an \"@type\""
          : absl::StrCat("typed_config with the \"@type\" type.googleapis.com/",
                         base::ToAbsl(form.type));
  frame.has_key = false;
  if (config != nullptr) {
    if (form.type.empty()) {
      lines_->MarkBad(
          lines_->AddField(frame.line_node, "typed_config", frame.config_at));
      KeyError(frame, frame.config_at, OldForm("config", today));
      skip_value_ = false;  // which has been read
      return;
    }
    Warning(frame.config_at, OldForm("config", today));
    return SendInTodaysForm(form, frame.config_at, *config, *this);
  }
  if (!IsOldExtensionName(name) || !LacksConfig(*frame.message, entry->field)) {
    return;
  }
  Warning(frame.at,
          absl::StrCat("\"", name, "\" alone",
                       " is the form of Envoy's v2 API; write ", today));
  EventBuffer empty;
  empty.BeginMap(frame.at);
  empty.End();
  SendInTodaysForm(form, frame.at, empty, *this);
}

}  // namespace meshlib::xds
