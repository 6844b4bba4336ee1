#include "xds/convert_values.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/strings.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/util/json_util.h"
#include "meshlib/xds/udpa/type/v1/typed_struct.pb.h"
#include "meshlib/xds/xds/type/v3/typed_struct.pb.h"
#include "proto/ledger.h"

namespace meshlib::xds {
namespace {

constexpr std::string_view kPackagePrefix = "meshlib.xds.";
constexpr std::string_view kUdpaTypedStruct = "udpa.type.v1.TypedStruct";
constexpr std::string_view kXdsTypedStruct = "xds.type.v3.TypedStruct";

std::string_view AfterSlash(std::string_view url) {
  return url.substr(url.rfind('/') + 1);
}

// Field 1 of a TypedStruct, which is the first that serializers write, read
// without parsing the rest. Empty if it is not there.
std::string_view TypedStructUrl(std::string_view bytes) {
  if (bytes.size() < 2 || bytes[0] != 0x0a) return {};
  const auto length = static_cast<unsigned char>(bytes[1]);
  size_t start = 2;
  size_t size = length & 0x7fu;
  if (length >= 0x80) {
    if (bytes.size() < 3 || static_cast<signed char>(bytes[2]) < 0) return {};
    size |= static_cast<size_t>(bytes[2]) << 7;
    start = 3;
  }
  if (bytes.size() < start + size) return {};
  return bytes.substr(start, size);
}

// Struct -> JSON -> message: what TypedStruct means by its type_url.
bool FromStruct(const ::google::protobuf::Struct& fields,
                ::google::protobuf::Message& message, FieldErrors& errors) {
  std::string json;
  auto status = ::google::protobuf::util::MessageToJsonString(fields, &json);
  if (status.ok()) {
    status = ::google::protobuf::util::JsonStringToMessage(json, &message);
  }
  if (status.ok()) return true;
  const auto text = status.message();
  errors.Error(absl::StrCat(
      "the TypedStruct is not a valid ",
      base::ToAbsl(OriginalNameOf(*message.GetDescriptor())), ": ",
      base::Excerpt(std::string_view(text.data(), text.size()), 200)));
  return false;
}

}  // namespace

std::string Quoted(std::string_view text) {
  return absl::StrCat("\"", base::Excerpt(text), "\"");
}

absl::Duration ConvertDuration(const ::google::protobuf::Duration& duration,
                               FieldErrors& errors) {
  constexpr int64_t kMaxSeconds = 9223372035;  // of int64 nanoseconds
  if (duration.seconds() < 0 || duration.nanos() < 0) {
    errors.Error("is a negative duration");
    return absl::ZeroDuration();
  }
  if (duration.seconds() > kMaxSeconds || duration.nanos() > 999999999) {
    errors.Error(absl::StrCat("is out of range, want at most ", kMaxSeconds,
                              "s and 999999999 nanoseconds"));
    return absl::ZeroDuration();
  }
  return absl::Seconds(duration.seconds()) +
         absl::Nanoseconds(duration.nanos());
}

std::optional<absl::Duration> ConvertOptionalDuration(
    bool has, const ::google::protobuf::Duration& duration,
    std::string_view field, FieldErrors& errors) {
  if (!has) return std::nullopt;
  ScopedField scope(errors, field);
  return ConvertDuration(duration, errors);
}

model::Value ConvertValue(const ::google::protobuf::Value& value) {
  using Kind = model::Value::Kind;
  model::Value out;
  switch (value.kind_case()) {
    case ::google::protobuf::Value::kNullValue:
    case ::google::protobuf::Value::KIND_NOT_SET:
      break;
    case ::google::protobuf::Value::kNumberValue:
      out.kind = Kind::kNumber;
      out.number = value.number_value();
      break;
    case ::google::protobuf::Value::kStringValue:
      out.kind = Kind::kString;
      out.string = value.string_value();
      break;
    case ::google::protobuf::Value::kBoolValue:
      out.kind = Kind::kBool;
      out.boolean = value.bool_value();
      break;
    case ::google::protobuf::Value::kStructValue:
      return ConvertStruct(value.struct_value());
    case ::google::protobuf::Value::kListValue:
      out.kind = Kind::kList;
      for (const auto& item : value.list_value().values()) {
        out.list.push_back(ConvertValue(item));
      }
      break;
  }
  return out;
}

model::Value ConvertStruct(const ::google::protobuf::Struct& fields) {
  model::Value out;
  out.kind = model::Value::Kind::kStruct;
  for (const auto& [key, value] : fields.fields()) {
    out.fields.emplace(key, ConvertValue(value));
  }
  return out;
}

std::shared_ptr<const model::Metadata> ConvertMetadata(
    const envoy::config::core::v3::Metadata& metadata) {
  if (metadata.filter_metadata().empty()) return nullptr;
  auto out = std::make_shared<model::Metadata>();
  for (const auto& [filter, fields] : metadata.filter_metadata()) {
    out->filters.emplace(filter, ConvertStruct(fields));
  }
  return out;
}

model::Locality ConvertLocality(
    const envoy::config::core::v3::Locality& locality) {
  return {locality.region(), locality.zone(), locality.sub_zone()};
}

std::string_view OriginalNameOf(
    const ::google::protobuf::Descriptor& descriptor) {
  std::string_view name = descriptor.full_name();
  if (name.substr(0, kPackagePrefix.size()) == kPackagePrefix) {
    name.remove_prefix(kPackagePrefix.size());
  }
  return name;
}

std::string_view AnyTypeName(const ::google::protobuf::Any& any) {
  const std::string_view name = AfterSlash(any.type_url());
  if (name == kXdsTypedStruct || name == kUdpaTypedStruct) {
    const std::string_view inner = AfterSlash(TypedStructUrl(any.value()));
    if (!inner.empty()) return inner;
  }
  return name;
}

bool IsUnknownExtension(const ::google::protobuf::Any& any) {
  return proto::FindMessageTypeByUrl(
             absl::StrCat("/", base::ToAbsl(AnyTypeName(any)))) == nullptr;
}

std::string UnknownExtension(const ::google::protobuf::Any& any) {
  return absl::StrCat("extension type.googleapis.com/",
                      base::Excerpt(AnyTypeName(any), 200),
                      " is not supported");
}

std::string AnyAsJson(const ::google::protobuf::Any& any) {
  const std::string_view name = AfterSlash(any.type_url());
  ::meshlib::xds::xds::type::v3::TypedStruct wrapped;
  std::string json;
  if ((name == kXdsTypedStruct || name == kUdpaTypedStruct) &&
      wrapped.ParseFromString(any.value()) &&
      ::google::protobuf::util::MessageToJsonString(wrapped.value(), &json)
          .ok()) {
    return json;
  }
  return "{}";
}

bool UnpackInto(const ::google::protobuf::Any& any,
                ::google::protobuf::Message& message, FieldErrors& errors) {
  const std::string_view name = AfterSlash(any.type_url());
  if (name == kXdsTypedStruct || name == kUdpaTypedStruct) {
    // Both have the same fields.
    ::meshlib::xds::xds::type::v3::TypedStruct wrapped;
    if (wrapped.ParseFromString(any.value())) {
      return FromStruct(wrapped.value(), message, errors);
    }
  } else if (message.ParseFromString(any.value())) {
    return true;
  }
  errors.Error(
      absl::StrCat("does not hold a valid ",
                   base::ToAbsl(OriginalNameOf(*message.GetDescriptor()))));
  return false;
}

}  // namespace meshlib::xds
