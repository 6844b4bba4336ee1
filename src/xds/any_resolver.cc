#include "xds/any_resolver.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/strings.h"
#include "proto/ledger.h"
#include "xds/legacy.h"
#include "xds/loader_names.h"

namespace meshlib::xds {
namespace {

using ::google::protobuf::Message;
using ::google::protobuf::MessageFactory;

// A hostile file must not make us remember a million names.
constexpr size_t kMaxRemembered = 10000;
// Nor compare a million names with all that we know.
constexpr int kMaxSuggestions = 1000;

// The type that `name` is a slip of the pen for. Type names are long and alike,
// so that only two letters may differ.
std::string_view NearbyType(std::string_view name) {
  constexpr int kLimit = 2;
  if (name.size() > 200) return {};
  for (const proto::MessageRow& row : proto::Messages()) {
    if (EditDistance(name, row.name, kLimit) <= kLimit) return row.name;
  }
  return {};
}

ResolvedType Invalid(std::string problem) {
  return {ResolvedType::Kind::kInvalid, nullptr, std::move(problem), {}};
}

}  // namespace

ResolvedType AnyResolver::Find(const std::string& type_url) {
  const std::string shown = base::Excerpt(type_url, 200);
  const size_t slash = type_url.rfind('/');
  if (slash == std::string::npos) {
    return Invalid(absl::StrCat("\"@type\" is \"", shown,
                                "\", want a type URL such as "
                                "type.googleapis.com/",
                                shown.empty() ? "NAME" : shown));
  }
  const auto* descriptor = proto::FindMessageTypeByUrl(type_url);
  if (descriptor != nullptr) {
    const Message* prototype =
        MessageFactory::generated_factory()->GetPrototype(descriptor);
    if (prototype != nullptr) {
      return {ResolvedType::Kind::kKnown, prototype, {}, {}};
    }
  }
  const std::string today(TodaysType(type_url));
  if (!today.empty()) {
    ResolvedType type = Find(absl::StrCat("type.googleapis.com/", today));
    type.url = absl::StrCat("type.googleapis.com/", today);
    type.problem =
        absl::StrCat("type ", shown, " is of Envoy's v2 API; write ", today);
    return type;
  }
  if (IsOldType(type_url)) {
    return Invalid(absl::StrCat("type ", shown,
                                " is not supported: it is of Envoy's v2 API; "
                                "write its v3 form"));
  }
  const std::string_view near =
      ++suggestions_ > kMaxSuggestions
          ? std::string_view()
          : NearbyType(std::string_view(type_url).substr(slash + 1));
  if (!near.empty()) {
    return Invalid(absl::StrCat("unknown type ", shown, " (did you mean ",
                                base::ToAbsl(near), "?)"));
  }
  return {ResolvedType::Kind::kUnknown,
          nullptr,
          absl::StrCat("extension ", shown, " is not supported"),
          {}};
}

const ResolvedType& AnyResolver::Resolve(std::string_view type_url) {
  const std::string key(type_url);
  const auto it = known_.find(key);
  if (it != known_.end()) return it->second;
  if (known_.size() >= kMaxRemembered) known_.clear();
  return known_.emplace(key, Find(key)).first->second;
}

}  // namespace meshlib::xds
