// Tables that need the generated headers, apart from ledger.cc because those
// take long to compile.
#ifndef MESHLIB_PROTO_GENERATED_FILES_H_
#define MESHLIB_PROTO_GENERATED_FILES_H_

#include <string>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "absl/types/span.h"
#include "google/protobuf/message.h"

namespace meshlib::proto {

// A function of a generated file; one of the two is set. One for each file.
struct FileReference {
  const google::protobuf::Descriptor* (*message)();
  const google::protobuf::EnumDescriptor* (*enumeration)();
};

absl::Span<const FileReference> FileReferences();

// One entry of a map field. The value is a message, text or a number.
struct MapEntry {
  const std::string& key;
  const google::protobuf::Message* message = nullptr;
  const std::string* text = nullptr;
  double number = 0;
};

// Calls the function for each entry, in the order of the keys. (Reflection can
// only read a map by first copying it into a list inside the message.)
using MapWalker = void (*)(const google::protobuf::Message& message,
                           absl::FunctionRef<void(const MapEntry&)> fn);

struct MapFieldRow {
  std::string_view message;  // the original's full name
  int number;
  MapWalker walk;
};

// The walker of a map field in one of our copies; null if there is none.
MapWalker FindMapWalker(const google::protobuf::FieldDescriptor& field);

}  // namespace meshlib::proto

#endif  // MESHLIB_PROTO_GENERATED_FILES_H_
