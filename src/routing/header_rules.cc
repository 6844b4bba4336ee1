#include "routing/header_rules.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/strings.h"

namespace meshlib::routing {
namespace {

absl::Status CheckName(const std::string& name) {
  if (!name.empty() && name[0] != ':' &&
      !base::EqualsIgnoreCase(name, "host")) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("header \"", base::Excerpt(name),
                   "\" may not be added or removed, only rewritten"));
}

}  // namespace

absl::StatusOr<HeaderRules> HeaderRules::Compile(
    const std::vector<model::HeaderValueOption>& add,
    const std::vector<std::string>& remove) {
  HeaderRules rules;
  for (const model::HeaderValueOption& option : add) {
    const absl::Status status = CheckName(option.name);
    if (!status.ok()) return status;
    rules.add_.push_back({base::LowerAscii(option.name),
                          ValueFormat(option.value), option.action,
                          option.keep_empty_value});
  }
  for (const std::string& name : remove) {
    const absl::Status status = CheckName(name);
    if (!status.ok()) return status;
    rules.remove_.push_back(name);
  }
  return rules;
}

void HeaderRules::Apply(const FormatContext& context,
                        HeaderList& target) const {
  for (const std::string& name : remove_) target.Remove(name);
  std::vector<std::pair<const Addition*, std::string>> set;
  std::vector<std::pair<const Addition*, std::string>> added;
  for (const Addition& addition : add_) {
    std::string value = addition.value.Format(context);
    if (value.empty() && !addition.keep_empty_value) continue;
    const bool exists = target.First(addition.name).has_value();
    switch (addition.action) {
      case model::AppendAction::kAppendIfExistsOrAdd:
        added.emplace_back(&addition, std::move(value));
        break;
      case model::AppendAction::kAddIfAbsent:
        if (!exists) added.emplace_back(&addition, std::move(value));
        break;
      case model::AppendAction::kOverwriteIfExists:
        if (exists) set.emplace_back(&addition, std::move(value));
        break;
      case model::AppendAction::kOverwriteIfExistsOrAdd:
        set.emplace_back(&addition, std::move(value));
        break;
    }
  }
  for (auto& [addition, value] : set) {
    target.Set(addition->name, std::move(value));
  }
  for (auto& [addition, value] : added) {
    target.Add(addition->name, std::move(value));
  }
}

}  // namespace meshlib::routing
