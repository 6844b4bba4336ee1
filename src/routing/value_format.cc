#include "routing/value_format.h"

#include <optional>
#include <utility>

#include "absl/strings/numbers.h"
#include "base/strings.h"
#include "routing/request_fields.h"

namespace meshlib::routing {
namespace {

bool ConsumePrefix(std::string_view& text, std::string_view prefix) {
  if (text.substr(0, prefix.size()) != prefix) return false;
  text.remove_prefix(prefix.size());
  return true;
}

std::optional<std::string_view> RequestHeader(const FormatContext& context,
                                              std::string_view name,
                                              std::string& storage) {
  // Ordinary headers stand in request_headers alone: they may be removed.
  Request request = context.request;
  request.headers = context.request_headers.headers();
  return HeaderValue(request, name, storage);
}

std::optional<std::string_view> ResponseHeader(const FormatContext& context,
                                               std::string_view name,
                                               std::string& storage) {
  if (context.response_headers == nullptr) return std::nullopt;
  return context.response_headers->First(name);
}

}  // namespace

ValueFormat::ValueFormat(std::string_view text) {
  while (!text.empty()) {
    const size_t percent = text.find('%');
    AddLiteral(text.substr(0, percent));
    if (percent == std::string_view::npos) return;
    text.remove_prefix(percent);
    const size_t end = text.find('%', 1);
    if (end == std::string_view::npos) {
      AddLiteral(text);
      return;
    }
    Part part;
    if (end == 1) {
      AddLiteral("%");
    } else if (ParseCommand(text.substr(1, end - 1), &part)) {
      parts_.push_back(std::move(part));
    } else {
      AddLiteral(text.substr(0, end + 1));
    }
    text.remove_prefix(end + 1);
  }
}

void ValueFormat::AddLiteral(std::string_view text) {
  if (text.empty()) return;
  if (parts_.empty() || parts_.back().kind != Kind::kLiteral) {
    parts_.emplace_back();
  }
  parts_.back().text += text;
}

bool ValueFormat::ParseCommand(std::string_view command, Part* part) {
  if (command == "PROTOCOL") {
    part->kind = Kind::kNothing;
  } else if (command == "ROUTE_NAME") {
    part->kind = Kind::kRouteName;
  } else if (command == "UPSTREAM_CLUSTER") {
    part->kind = Kind::kCluster;
  } else if (ConsumePrefix(command, "REQ(")) {
    part->kind = Kind::kRequestHeader;
    return ParseHeaderCommand(command, part);
  } else if (ConsumePrefix(command, "RESP(")) {
    part->kind = Kind::kResponseHeader;
    return ParseHeaderCommand(command, part);
  } else {
    return false;
  }
  return true;
}

bool ValueFormat::ParseHeaderCommand(std::string_view arguments, Part* part) {
  const size_t end = arguments.rfind(')');
  if (end == std::string_view::npos) return false;
  const std::string_view limit = arguments.substr(end + 1);
  uint64_t size = 0;
  if (!limit.empty()) {
    if (limit[0] != ':' ||
        !absl::SimpleAtoi(base::ToAbsl(limit.substr(1)), &size)) {
      return false;
    }
    part->max_size = size;
  }
  const std::string_view names = arguments.substr(0, end);
  const size_t question = names.find('?');
  part->text = base::LowerAscii(names.substr(0, question));
  if (question != std::string_view::npos) {
    part->alternative = base::LowerAscii(names.substr(question + 1));
  }
  return !part->text.empty();
}

std::string_view ValueFormat::Value(const Part& part,
                                    const FormatContext& context,
                                    std::string& storage) {
  switch (part.kind) {
    case Kind::kLiteral:
      return part.text;
    case Kind::kRouteName:
      return context.route_name;
    case Kind::kCluster:
      return context.cluster;
    case Kind::kNothing:
      return {};
    case Kind::kRequestHeader:
    case Kind::kResponseHeader:
      break;
  }
  const auto find =
      part.kind == Kind::kRequestHeader ? &RequestHeader : &ResponseHeader;
  std::optional<std::string_view> value = find(context, part.text, storage);
  if (!value.has_value() && !part.alternative.empty()) {
    value = find(context, part.alternative, storage);
  }
  return value.value_or("").substr(0, part.max_size);
}

std::string ValueFormat::Format(const FormatContext& context) const {
  std::string out;
  for (const Part& part : parts_) {
    std::string storage;
    out += Value(part, context, storage);
  }
  return out;
}

}  // namespace meshlib::routing
