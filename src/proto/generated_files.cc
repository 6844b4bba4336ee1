#include "proto/generated_files.h"

#include <algorithm>
#include <type_traits>
#include <vector>

#include "google/protobuf/map.h"
#include "proto/generated_headers.inc"
#include "proto/ledger.h"

namespace meshlib::proto {
namespace {

using ::google::protobuf::Map;
using ::google::protobuf::Message;

template <typename Value>
MapEntry Entry(const std::string& key, const Value& value) {
  if constexpr (std::is_base_of_v<Message, Value>) {
    return MapEntry{key, &value};
  } else if constexpr (std::is_same_v<Value, std::string>) {
    return MapEntry{key, nullptr, &value};
  } else {
    return MapEntry{key, nullptr, nullptr, static_cast<double>(value)};
  }
}

template <typename M, typename Value>
void WalkMap(const Message& message,
             const Map<std::string, Value>& (M::*accessor)() const,
             absl::FunctionRef<void(const MapEntry&)> fn) {
  const auto& map = (static_cast<const M&>(message).*accessor)();
  if (map.size() <= 1) {
    for (const auto& [key, value] : map) fn(Entry(key, value));
    return;
  }
  std::vector<const typename Map<std::string, Value>::value_type*> entries;
  entries.reserve(map.size());
  for (const auto& entry : map) entries.push_back(&entry);
  std::sort(entries.begin(), entries.end(),
            [](auto* a, auto* b) { return a->first < b->first; });
  for (const auto* entry : entries) fn(Entry(entry->first, entry->second));
}

template <auto Accessor>
void Walk(const Message& message, absl::FunctionRef<void(const MapEntry&)> fn) {
  WalkMap(message, Accessor, fn);
}

#include "proto/generated_files.inc"

}  // namespace

absl::Span<const FileReference> FileReferences() { return kFileReferences; }

MapWalker FindMapWalker(const google::protobuf::FieldDescriptor& field) {
  const std::string_view message = OriginalName(*field.containing_type());
  for (const MapFieldRow& row : kMapFields) {
    if (row.number == field.number() && row.message == message) return row.walk;
  }
  return nullptr;
}

}  // namespace meshlib::proto
