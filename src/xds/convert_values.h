#ifndef MESHLIB_XDS_CONVERT_VALUES_H_
#define MESHLIB_XDS_CONVERT_VALUES_H_

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/time/time.h"
#include "google/protobuf/any.pb.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/struct.pb.h"
#include "meshlib/xds/envoy/config/core/v3/base.pb.h"
#include "model/locality.h"
#include "model/metadata.h"
#include "xds/convert_errors.h"

namespace meshlib::xds {

// The small parts that every converter needs. Like all converters these are
// pure functions of a message that proto/validate_rules.h has found good:
// what the messages' own validate.rules say is not checked again.

// The value of a wrapper message, or what holds when it is absent.
template <typename Wrapper, typename T>
T ValueOr(bool has, const Wrapper& wrapper, T fallback) {
  return has ? static_cast<T>(wrapper.value()) : fallback;
}

// "a text" in quotes, cut and escaped, for messages.
std::string Quoted(std::string_view text);

// Refuses negative durations and those that nanoseconds in 64 bits cannot
// hold, as Envoy does. Returns zero for a refused one.
absl::Duration ConvertDuration(const ::google::protobuf::Duration& duration,
                               FieldErrors& errors);
std::optional<absl::Duration> ConvertOptionalDuration(
    bool has, const ::google::protobuf::Duration& duration,
    std::string_view field, FieldErrors& errors);

model::Value ConvertStruct(const ::google::protobuf::Struct& fields);
model::Value ConvertValue(const ::google::protobuf::Value& value);

// Null for metadata that says nothing.
std::shared_ptr<const model::Metadata> ConvertMetadata(
    const envoy::config::core::v3::Metadata& metadata);
model::Locality ConvertLocality(
    const envoy::config::core::v3::Locality& locality);

// The full name of the message in `any` (of the original, without
// "type.googleapis.com/"). For a TypedStruct the type that it stands for.
std::string_view AnyTypeName(const ::google::protobuf::Any& any);

// Whether `any` holds a T, directly or as a TypedStruct.
template <typename T>
bool HoldsA(const ::google::protobuf::Any& any);

// Reads the message in `any`, also from a TypedStruct. Adds an error (at the
// current path) and returns false if the bytes are not such a message.
bool UnpackInto(const ::google::protobuf::Any& any,
                ::google::protobuf::Message& message, FieldErrors& errors);

// Whether our copies lack the type; and the note that says so, in the words of
// the loader, so that the same fact is told once.
bool IsUnknownExtension(const ::google::protobuf::Any& any);
std::string UnknownExtension(const ::google::protobuf::Any& any);

// The fields of a TypedStruct as JSON; "{}" for anything else.
std::string AnyAsJson(const ::google::protobuf::Any& any);

// The name of the original of our copy T: "envoy.config.core.v3.Node".
std::string_view OriginalNameOf(
    const ::google::protobuf::Descriptor& descriptor);

template <typename T>
bool HoldsA(const ::google::protobuf::Any& any) {
  return AnyTypeName(any) == OriginalNameOf(*T::descriptor());
}

}  // namespace meshlib::xds

#endif  // MESHLIB_XDS_CONVERT_VALUES_H_
