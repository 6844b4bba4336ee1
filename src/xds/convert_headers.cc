#include "xds/convert_headers.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "base/strings.h"
#include "xds/convert_format.h"
#include "xds/convert_values.h"

namespace meshlib::xds {
namespace {

using envoy::config::core::v3::HeaderValueOption;

bool IsModifiable(std::string_view name) {
  return (name.empty() || name[0] != ':') &&
         !base::EqualsIgnoreCase(name, "host");
}

model::AppendAction ConvertAppendAction(const HeaderValueOption& in,
                                        FieldErrors& errors) {
  if (!in.has_append()) {
    return static_cast<model::AppendAction>(in.append_action());
  }
  if (in.append_action() != HeaderValueOption::APPEND_IF_EXISTS_OR_ADD) {
    errors.ErrorAt("append", "cannot be combined with append_action");
  }
  return in.append().value() ? model::AppendAction::kAppendIfExistsOrAdd
                             : model::AppendAction::kOverwriteIfExistsOrAdd;
}

model::HeaderValueOption ConvertOption(const HeaderValueOption& in,
                                       FieldErrors& errors) {
  model::HeaderValueOption out;
  out.name = base::LowerAscii(in.header().key());
  out.action = ConvertAppendAction(in, errors);
  out.keep_empty_value = in.keep_empty_value();
  ScopedField scope(errors, "header");
  if (!IsModifiable(out.name)) {
    errors.ErrorAt("key", absl::StrCat(Quoted(in.header().key()),
                                       " cannot be set: neither can headers "
                                       "that begin with ':' nor host"));
  }
  // raw_value holds where it is set, and takes no commands.
  const bool raw = !in.header().raw_value().empty();
  out.value = raw ? in.header().raw_value() : in.header().value();
  if (!raw) {
    const std::string why = CheckFormat(out.value);
    if (!why.empty()) {
      errors.ErrorAt("value", absl::StrCat(Quoted(out.value), ": ", why));
    }
  }
  return out;
}

}  // namespace

std::vector<model::HeaderValueOption> ConvertHeadersToAdd(
    const HeaderOptions& in, std::string_view field, FieldErrors& errors) {
  std::vector<model::HeaderValueOption> out;
  out.reserve(static_cast<size_t>(in.size()));
  for (int i = 0; i < in.size(); ++i) {
    ScopedField scope(errors, field, i);
    out.push_back(ConvertOption(in[i], errors));
  }
  return out;
}

std::vector<std::string> ConvertHeadersToRemove(const HeaderNames& in,
                                                std::string_view field,
                                                FieldErrors& errors) {
  std::vector<std::string> out;
  out.reserve(static_cast<size_t>(in.size()));
  for (int i = 0; i < in.size(); ++i) {
    if (!IsModifiable(in[i])) {
      ScopedField scope(errors, field, i);
      errors.Error(absl::StrCat(Quoted(in[i]),
                                " cannot be removed: neither can headers "
                                "that begin with ':' nor host"));
    }
    out.push_back(base::LowerAscii(in[i]));
  }
  return out;
}

}  // namespace meshlib::xds
