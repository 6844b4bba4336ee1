#include "proto/ledger.h"

#include <algorithm>

#include "proto/generated_files.h"

namespace meshlib::proto {
namespace {

using ::google::protobuf::Descriptor;
using ::google::protobuf::DescriptorPool;

#include "proto/ledger_data.inc"

constexpr std::string_view kPrefix = "meshlib.xds.";
constexpr std::string_view kProtobufPrefix = "google.protobuf.";
constexpr std::string_view kTypeUrlPrefix = "type.googleapis.com/";

bool StartsWith(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}

std::string_view WithoutPrefix(std::string_view full_name) {
  if (StartsWith(full_name, kPrefix)) full_name.remove_prefix(kPrefix.size());
  return full_name;
}

// Whether `json` is the lowerCamelCase form of `name`.
bool IsJsonNameOf(std::string_view json, std::string_view name) {
  size_t at = 0;
  bool upper = false;
  for (char c : name) {
    if (c == '_') {
      upper = true;
      continue;
    }
    if (upper && c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    upper = false;
    if (at == json.size() || json[at++] != c) return false;
  }
  return at == json.size();
}

}  // namespace

absl::Span<const RuleRow> FieldRow::rules() const {
  return absl::MakeConstSpan(kRuleRows).subspan(rules_begin,
                                                rules_end - rules_begin);
}

absl::Span<const RuleRow> SubRules(const RuleRow& row) {
  return absl::MakeConstSpan(kRuleRows).subspan(row.begin, row.end - row.begin);
}

absl::Span<const FieldRow> MessageRow::fields() const {
  return absl::MakeConstSpan(kFieldRows)
      .subspan(fields_begin, fields_end - fields_begin);
}

absl::Span<const OneofRow> MessageRow::oneofs() const {
  return absl::MakeConstSpan(kOneofRows)
      .subspan(oneofs_begin, oneofs_end - oneofs_begin);
}

const FieldRow* MessageRow::FindByNumber(int number) const {
  const auto rows = fields();
  const auto it = std::lower_bound(
      rows.begin(), rows.end(), number,
      [](const FieldRow& row, int wanted) { return row.number < wanted; });
  return it != rows.end() && it->number == number ? &*it : nullptr;
}

const FieldRow* MessageRow::FindByName(
    std::string_view name_or_json_name) const {
  for (const FieldRow& row : fields()) {
    if (row.name == name_or_json_name) return &row;
  }
  for (const FieldRow& row : fields()) {
    if (IsJsonNameOf(name_or_json_name, row.name)) return &row;
  }
  return nullptr;
}

absl::Span<const MessageRow> Messages() { return kMessageRows; }

const MessageRow* FindMessage(std::string_view full_name) {
  full_name = WithoutPrefix(full_name);
  const auto rows = Messages();
  const auto it =
      std::lower_bound(rows.begin(), rows.end(), full_name,
                       [](const MessageRow& row, std::string_view wanted) {
                         return row.name < wanted;
                       });
  return it != rows.end() && it->name == full_name ? &*it : nullptr;
}

const MessageRow* FindMessage(const Descriptor& descriptor) {
  return FindMessage(std::string_view(descriptor.full_name()));
}

std::string_view OriginalName(const Descriptor& descriptor) {
  return WithoutPrefix(descriptor.full_name());
}

std::string_view OriginalName(const google::protobuf::EnumDescriptor& type) {
  return WithoutPrefix(type.full_name());
}

std::string TypeUrl(const Descriptor& descriptor) {
  return std::string(kTypeUrlPrefix).append(OriginalName(descriptor));
}

const Descriptor* FindMessageTypeByUrl(std::string_view url) {
  const size_t slash = url.rfind('/');
  if (slash == std::string_view::npos) return nullptr;
  EnsureLinked();
  const std::string_view original = url.substr(slash + 1);
  std::string name;
  if (!StartsWith(original, kProtobufPrefix)) name = kPrefix;
  name.append(original);
  return DescriptorPool::generated_pool()->FindMessageTypeByName(name);
}

void EnsureLinked() {
  // Reading the table through a volatile pointer keeps its rows, and with them
  // the generated files, in the program.
  const FileReference* volatile first = FileReferences().data();
  (void)first;
}

}  // namespace meshlib::proto
