#include "model/metadata_json.h"

#include <cmath>
#include <cstdio>
#include <map>
#include <string_view>

namespace meshlib::model {
namespace {

void AppendString(std::string_view text, std::string* out) {
  out->push_back('"');
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out->push_back('\\');
      out->push_back(c);
    } else if (static_cast<unsigned char>(c) < 0x20) {
      char escaped[8];
      std::snprintf(escaped, sizeof(escaped), "\\u%04x", c);
      out->append(escaped);
    } else {
      out->push_back(c);
    }
  }
  out->push_back('"');
}

void AppendNumber(double number, std::string* out) {
  if (!std::isfinite(number)) {
    out->append("null");
    return;
  }
  char text[32];
  std::snprintf(text, sizeof(text), "%.17g", number);
  // The shortest form that reads back as the same number.
  for (int digits = 1; digits < 17; ++digits) {
    char shorter[32];
    std::snprintf(shorter, sizeof(shorter), "%.*g", digits, number);
    double back = 0;
    if (std::sscanf(shorter, "%lf", &back) == 1 && back == number) {
      out->append(shorter);
      return;
    }
  }
  out->append(text);
}

void AppendValue(const Value& value, std::string* out);

void AppendFields(const std::map<std::string, Value, std::less<>>& map,
                  std::string* out) {
  out->push_back('{');
  bool first = true;
  for (const auto& [key, value] : map) {
    if (!first) out->append(", ");
    first = false;
    AppendString(key, out);
    out->append(": ");
    AppendValue(value, out);
  }
  out->push_back('}');
}

void AppendList(const std::vector<Value>& list, std::string* out) {
  out->push_back('[');
  for (size_t i = 0; i < list.size(); ++i) {
    if (i > 0) out->append(", ");
    AppendValue(list[i], out);
  }
  out->push_back(']');
}

void AppendValue(const Value& value, std::string* out) {
  switch (value.kind) {
    case Value::Kind::kNull:
      out->append("null");
      return;
    case Value::Kind::kBool:
      out->append(value.boolean ? "true" : "false");
      return;
    case Value::Kind::kNumber:
      AppendNumber(value.number, out);
      return;
    case Value::Kind::kString:
      AppendString(value.string, out);
      return;
    case Value::Kind::kList:
      AppendList(value.list, out);
      return;
    case Value::Kind::kStruct:
      AppendFields(value.fields, out);
      return;
  }
}

}  // namespace

std::string MetadataJson(const Metadata& metadata) {
  std::string out;
  AppendFields(metadata.filters, &out);
  return out;
}

}  // namespace meshlib::model
