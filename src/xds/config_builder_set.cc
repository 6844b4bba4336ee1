// Scalars into fields.
#include <cmath>
#include <limits>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/strings.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/field_mask.pb.h"
#include "google/protobuf/timestamp.pb.h"
#include "xds/config_builder.h"
#include "xds/loader_names.h"

namespace meshlib::xds {
namespace {

using ::google::protobuf::EnumDescriptor;
using ::google::protobuf::EnumValueDescriptor;
using ::google::protobuf::Message;
using ::google::protobuf::Reflection;
using ::google::protobuf::Value;

// "unknown value "X" of T (did you mean Y?), want one of A, B, ..."
std::string UnknownEnumValue(const EnumDescriptor* type, ScalarText scalar) {
  constexpr int kShown = 10;
  std::vector<std::string_view> names;
  for (int i = 0; i < type->value_count(); ++i) {
    names.push_back(type->value(i)->name());
  }
  std::string message = absl::StrCat("unknown value ", Show(scalar), " of ",
                                     base::ToAbsl(proto::OriginalName(*type)),
                                     scalar.style == ScalarStyle::kNumber
                                         ? std::string()
                                         : DidYouMean(scalar.text, names),
                                     ", want one of ");
  for (size_t i = 0; i < names.size() && i < kShown; ++i) {
    absl::StrAppend(&message, i == 0 ? "" : ", ", base::ToAbsl(names[i]));
  }
  if (names.size() > kShown) message += ", ...";
  return message;
}

// Envoy takes names in lower case, too.
const EnumValueDescriptor* FindIgnoringCase(const EnumDescriptor* type,
                                            std::string_view name) {
  for (int i = 0; i < type->value_count(); ++i) {
    if (base::EqualsIgnoreCase(type->value(i)->name(), name)) {
      return type->value(i);
    }
  }
  return nullptr;
}

std::string SnakePath(std::string_view camel) {
  std::string out;
  for (const char c : camel) {
    if (absl::ascii_isupper(static_cast<unsigned char>(c))) out.push_back('_');
    out.push_back(base::LowerAscii(c));
  }
  return out;
}

}  // namespace

void ConfigBuilder::PutScalar(const Slot& slot, Position at,
                              ScalarText scalar) {
  const FieldEntry& entry = *slot.entry;
  if (entry.use == proto::FieldUse::kRefused) {
    if (!IsDefaultScalar(scalar)) {
      return Error(Top().key_at,
                   absl::StrCat("not supported: ", base::ToAbsl(entry.reason)));
    }
    if (entry.field == nullptr) return;
  }
  std::string why;
  if (!Put(slot, at, scalar, why)) Error(at, std::move(why));
}

template <typename Method, typename T>
void ConfigBuilder::Write(const Slot& slot, Method add, Method set, T value) {
  const Reflection* reflection = slot.holder->GetReflection();
  (reflection->*(slot.how == How::kAdd ? add : set))(
      slot.holder, slot.entry->field, std::move(value));
}

bool ConfigBuilder::Put(const Slot& slot, Position at, ScalarText scalar,
                        std::string& why) {
  const FieldEntry& entry = *slot.entry;
  switch (entry.kind) {
    case ValueKind::kString: {
      std::string_view text;
      if (!ReadString(scalar, text, why)) return false;
      Write(slot, &Reflection::AddString, &Reflection::SetString,
            std::string(text));
      return true;
    }
    case ValueKind::kBytes: {
      std::string bytes;
      if (!ReadBytes(scalar, bytes, why)) return false;
      Write(slot, &Reflection::AddString, &Reflection::SetString,
            std::move(bytes));
      return true;
    }
    case ValueKind::kBool: {
      bool value = false;
      if (!ReadBool(scalar, value, why)) return false;
      Write(slot, &Reflection::AddBool, &Reflection::SetBool, value);
      return true;
    }
    case ValueKind::kEnum:
      return PutEnum(slot, at, scalar, why);
    case ValueKind::kInt32:
    case ValueKind::kUint32:
    case ValueKind::kInt64:
    case ValueKind::kUint64:
    case ValueKind::kFloat:
    case ValueKind::kDouble:
      return PutNumber(slot, scalar, why);
    default:
      return PutMessage(slot, at, scalar, why);
  }
}

bool ConfigBuilder::PutNumber(const Slot& slot, ScalarText scalar,
                              std::string& why) {
  const bool wide = slot.entry->kind == ValueKind::kInt64 ||
                    slot.entry->kind == ValueKind::kUint64;
  switch (slot.entry->kind) {
    case ValueKind::kInt32:
    case ValueKind::kInt64: {
      using Int32 = std::numeric_limits<int32_t>;
      using Int64 = std::numeric_limits<int64_t>;
      int64_t value = 0;
      if (!ReadSigned(scalar, wide ? Int64::min() : Int32::min(),
                      wide ? Int64::max() : Int32::max(), value, why)) {
        return false;
      }
      if (wide) {
        Write(slot, &Reflection::AddInt64, &Reflection::SetInt64, value);
      } else {
        Write(slot, &Reflection::AddInt32, &Reflection::SetInt32,
              static_cast<int32_t>(value));
      }
      return true;
    }
    case ValueKind::kUint32:
    case ValueKind::kUint64: {
      uint64_t value = 0;
      const uint64_t max = wide ? std::numeric_limits<uint64_t>::max()
                                : std::numeric_limits<uint32_t>::max();
      if (!ReadUnsigned(scalar, max, value, why)) return false;
      if (wide) {
        Write(slot, &Reflection::AddUInt64, &Reflection::SetUInt64, value);
      } else {
        Write(slot, &Reflection::AddUInt32, &Reflection::SetUInt32,
              static_cast<uint32_t>(value));
      }
      return true;
    }
    case ValueKind::kFloat: {
      float value = 0;
      if (!ReadFloat(scalar, value, why)) return false;
      Write(slot, &Reflection::AddFloat, &Reflection::SetFloat, value);
      return true;
    }
    default: {
      double value = 0;
      if (!ReadDouble(scalar, value, why)) return false;
      Write(slot, &Reflection::AddDouble, &Reflection::SetDouble, value);
      return true;
    }
  }
}

bool ConfigBuilder::PutEnum(const Slot& slot, Position at, ScalarText scalar,
                            std::string& why) {
  const EnumDescriptor* type = slot.entry->field->enum_type();
  const EnumValueDescriptor* value = nullptr;
  if (scalar.style != ScalarStyle::kNumber) {
    value = type->FindValueByName(std::string(scalar.text));
    if (value == nullptr) {
      value = FindIgnoringCase(type, scalar.text);
      if (value != nullptr) {
        Warning(at, absl::StrCat("write ", value->name(), " for \"",
                                 base::Excerpt(scalar.text), "\""));
      }
    }
  }
  int64_t number = 0;
  std::string no_number;
  if (value == nullptr &&
      ReadSigned(scalar, INT32_MIN, INT32_MAX, number, no_number)) {
    value = type->FindValueByNumber(static_cast<int>(number));
  }
  if (value == nullptr) {
    why = UnknownEnumValue(type, scalar);
    return false;
  }
  Write(slot, &Reflection::AddEnumValue, &Reflection::SetEnumValue,
        value->number());
  return true;
}

bool ConfigBuilder::PutMessage(const Slot& slot, Position at, ScalarText scalar,
                               std::string& why) {
  SecondsAndNanos time;
  switch (slot.entry->kind) {
    case ValueKind::kDuration: {
      if (!ReadDuration(scalar, time, why)) return false;
      auto* duration =
          static_cast<google::protobuf::Duration*>(SubMessage(slot));
      duration->set_seconds(time.seconds);
      duration->set_nanos(time.nanos);
      return true;
    }
    case ValueKind::kTimestamp: {
      if (!ReadTimestamp(scalar, time, why)) return false;
      auto* timestamp =
          static_cast<google::protobuf::Timestamp*>(SubMessage(slot));
      timestamp->set_seconds(time.seconds);
      timestamp->set_nanos(time.nanos);
      return true;
    }
    case ValueKind::kWrapper: {
      Message* wrapper = SubMessage(slot);
      const MessageTable& table = slot.entry->field != nullptr
                                      ? TypeOf(*slot.entry)
                                      : tables_.Get(wrapper->GetDescriptor());
      const Slot value{wrapper, &table.fields.front(), How::kSet,
                       slot.line_node};
      return Put(value, at, scalar, why);
    }
    case ValueKind::kFieldMask:
      return PutFieldMask(*SubMessage(slot), scalar, why);
    case ValueKind::kValue:
      return PutValue(*static_cast<Value*>(SubMessage(slot)), scalar, why);
    case ValueKind::kListValue:
      why = absl::StrCat("got ", Show(scalar), ", want a list");
      return false;
    default:
      why = absl::StrCat("got ", Show(scalar), ", want a map");
      return false;
  }
}

bool ConfigBuilder::PutFieldMask(Message& mask, ScalarText scalar,
                                 std::string& why) {
  std::string_view text;
  if (!ReadString(scalar, text, why)) return false;
  if (text.empty()) return true;
  for (const absl::string_view path : absl::StrSplit(base::ToAbsl(text), ',')) {
    static_cast<google::protobuf::FieldMask&>(mask).add_paths(
        SnakePath(base::ToStd(path)));
  }
  return true;
}

bool ConfigBuilder::PutValue(Value& value, ScalarText scalar,
                             std::string& why) {
  switch (scalar.style) {
    case ScalarStyle::kString:
      value.set_string_value(std::string(scalar.text));
      return true;
    case ScalarStyle::kBool:
      value.set_bool_value(scalar.text == "true");
      return true;
    case ScalarStyle::kNumber: {
      double number = 0;
      if (!ReadDouble(scalar, number, why)) return false;
      value.set_number_value(number);
      return true;
    }
    case ScalarStyle::kPlain:
      break;
  }
  // As Envoy does: integers of 32 bits are numbers, what is larger and floats
  // are text, so that no digit is lost.
  const PlainValue plain = ReadPlain(scalar.text);
  if (plain.type == PlainValue::Type::kBool) {
    value.set_bool_value(plain.boolean);
  } else if (plain.type == PlainValue::Type::kText) {
    value.set_string_value(std::string(scalar.text));
  } else if (plain.integer >= std::numeric_limits<int32_t>::min() &&
             plain.integer <= std::numeric_limits<int32_t>::max()) {
    value.set_number_value(static_cast<double>(plain.integer));
  } else {
    value.set_string_value(absl::StrCat(plain.integer));
  }
  return true;
}

void ConfigBuilder::PutNull(const Slot& slot, Position at) {
  if (slot.entry->kind == ValueKind::kValue) {
    static_cast<Value*>(SubMessage(slot))
        ->set_null_value(google::protobuf::NULL_VALUE);
    return;
  }
  // A field that is null is as if it were not written.
  const bool in_map = Top().kind == FrameKind::kMap;
  if (slot.how == How::kAdd || in_map) {
    Error(at, absl::StrCat("got null in a ", in_map ? "map" : "list",
                           ", want a value"));
  }
}

}  // namespace meshlib::xds
