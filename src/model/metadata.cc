#include "model/metadata.h"

namespace meshlib::model {

bool operator==(const Value& a, const Value& b) {
  if (a.kind != b.kind) return false;
  switch (a.kind) {
    case Value::Kind::kNull:
      return true;
    case Value::Kind::kBool:
      return a.boolean == b.boolean;
    case Value::Kind::kNumber:
      return a.number == b.number;
    case Value::Kind::kString:
      return a.string == b.string;
    case Value::Kind::kList:
      return a.list == b.list;
    case Value::Kind::kStruct:
      return a.fields == b.fields;
  }
  return false;
}

const Value* Metadata::Find(
    std::string_view filter,
    std::initializer_list<std::string_view> path) const {
  const auto found = filters.find(filter);
  if (found == filters.end()) return nullptr;
  const Value* value = &found->second;
  for (const std::string_view key : path) {
    const auto field = value->fields.find(key);
    if (field == value->fields.end()) return nullptr;
    value = &field->second;
  }
  return value;
}

}  // namespace meshlib::model
