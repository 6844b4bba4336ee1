#include "xds/config_builder_table.h"

#include <utility>

#include "base/strings.h"
#include "google/protobuf/descriptor.pb.h"
#include "xds/legacy.h"
#include "xds/loader_names.h"

namespace meshlib::xds {
namespace {

using ::google::protobuf::Descriptor;
using ::google::protobuf::FieldDescriptor;
using ::google::protobuf::MessageFactory;

ValueKind KindOfField(const FieldDescriptor* field) {
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return ValueKind::kInt32;
    case FieldDescriptor::CPPTYPE_INT64:
      return ValueKind::kInt64;
    case FieldDescriptor::CPPTYPE_UINT32:
      return ValueKind::kUint32;
    case FieldDescriptor::CPPTYPE_UINT64:
      return ValueKind::kUint64;
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return ValueKind::kDouble;
    case FieldDescriptor::CPPTYPE_FLOAT:
      return ValueKind::kFloat;
    case FieldDescriptor::CPPTYPE_BOOL:
      return ValueKind::kBool;
    case FieldDescriptor::CPPTYPE_ENUM:
      return ValueKind::kEnum;
    case FieldDescriptor::CPPTYPE_STRING:
      return field->type() == FieldDescriptor::TYPE_BYTES ? ValueKind::kBytes
                                                          : ValueKind::kString;
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return MessageTables::KindOf(field->message_type());
  }
  return ValueKind::kString;
}

}  // namespace

const FieldEntry* MessageTable::Find(std::string_view name) const {
  const auto it = by_name.find(base::ToAbsl(name));
  return it == by_name.end() ? nullptr : it->second;
}

std::vector<std::string_view> MessageTable::Names() const {
  std::vector<std::string_view> names;
  for (const FieldEntry& entry : fields) names.push_back(entry.name);
  return names;
}

ValueKind MessageTables::KindOf(const Descriptor* descriptor) {
  if (descriptor->file()->package() != "google.protobuf") {
    return ValueKind::kMessage;
  }
  switch (descriptor->well_known_type()) {
    case Descriptor::WELLKNOWNTYPE_ANY:
      return ValueKind::kAny;
    case Descriptor::WELLKNOWNTYPE_DURATION:
      return ValueKind::kDuration;
    case Descriptor::WELLKNOWNTYPE_TIMESTAMP:
      return ValueKind::kTimestamp;
    case Descriptor::WELLKNOWNTYPE_FIELDMASK:
      return ValueKind::kFieldMask;
    case Descriptor::WELLKNOWNTYPE_STRUCT:
      return ValueKind::kStruct;
    case Descriptor::WELLKNOWNTYPE_VALUE:
      return ValueKind::kValue;
    case Descriptor::WELLKNOWNTYPE_LISTVALUE:
      return ValueKind::kListValue;
    case Descriptor::WELLKNOWNTYPE_UNSPECIFIED:
      return ValueKind::kMessage;
    default:
      return ValueKind::kWrapper;
  }
}

FieldEntry MessageTables::MakeField(const FieldDescriptor* field) const {
  FieldEntry entry;
  entry.name = field->name();
  entry.field = field;
  entry.kind = KindOfField(field);
  entry.repeated = field->is_repeated() && !field->is_map();
  entry.map = field->is_map();
  entry.oneof = field->real_containing_oneof() != nullptr;
  entry.streamed = streamed_.contains(field);
  return entry;
}

std::unique_ptr<MessageTable> MessageTables::Make(
    const Descriptor* descriptor) const {
  auto table = std::make_unique<MessageTable>();
  table->descriptor = descriptor;
  table->reflection = MessageFactory::generated_factory()
                          ->GetPrototype(descriptor)
                          ->GetReflection();
  table->original = proto::OriginalName(*descriptor);
  table->kind = KindOf(descriptor);
  for (int i = 0; i < descriptor->field_count(); ++i) {
    table->fields.push_back(MakeField(descriptor->field(i)));
  }
  if (const proto::MessageRow* row = proto::FindMessage(*descriptor)) {
    absl::flat_hash_map<absl::string_view, FieldEntry*> present;
    for (FieldEntry& e : table->fields) present[base::ToAbsl(e.name)] = &e;
    for (const proto::FieldRow& field : row->fields()) {
      FieldEntry*& entry = present[base::ToAbsl(field.name)];
      if (entry == nullptr) entry = &table->fields.emplace_back();
      entry->name = field.name;
      entry->use = field.use;
      entry->deprecated = field.deprecated();
      entry->reason = field.reason;
      entry->oneof = field.oneof >= 0;
      entry->scalar = field.kind == proto::FieldKind::kScalar &&
                      !field.repeated() && !field.map();
    }
  }
  if (IsLegacyHosts(table->original, "hosts")) {
    FieldEntry& hosts = table->fields.emplace_back();
    const auto* address = proto::FindMessageTypeByUrl(
        "type.googleapis.com/envoy.config.core.v3.Address");
    hosts.name = "hosts";
    hosts.kind = KindOf(address);
    hosts.repeated = true;
    hosts.hosts = true;
  }
  int number = 0;
  for (FieldEntry& entry : table->fields) {
    entry.number = number++;
    table->by_name.emplace(base::ToAbsl(entry.name), &entry);
    const std::string& camel =
        table->camel_names.emplace_back(ToLowerCamel(entry.name));
    table->by_name.emplace(camel, &entry);
    if (entry.name == "typed_config") table->has_typed_config = true;
  }
  if (descriptor->options().map_entry()) {
    table->key = table->Find("key");
    table->value = table->Find("value");
  }
  return table;
}

const MessageTable& MessageTables::Get(const Descriptor* descriptor) {
  std::unique_ptr<MessageTable>& table = tables_[descriptor];
  if (table == nullptr) table = Make(descriptor);
  return *table;
}

}  // namespace meshlib::xds
