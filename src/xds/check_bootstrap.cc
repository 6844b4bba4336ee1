#include "xds/check_bootstrap.h"

#include <regex>
#include <set>
#include <string>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "meshlib/xds/envoy/config/metrics/v3/stats.pb.h"
#include "meshlib/xds/envoy/config/overload/v3/overload.pb.h"
#include "xds/convert_values.h"

namespace meshlib::xds {
namespace {

namespace metrics = envoy::config::metrics::v3;
namespace overload = envoy::config::overload::v3;

bool StartsWith(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}

// Tags are the one place where Envoy takes ECMAScript's regexes. The rules cap
// the length at 1024 bytes, which bounds what this costs.
void CheckTagRegex(const std::string& text, FieldErrors& errors) {
  try {
    const std::regex compiled(text, std::regex::optimize);
  } catch (const std::regex_error& error) {
    errors.ErrorAt("regex", absl::StrCat("invalid regex ", Quoted(text), ": ",
                                         error.what()));
  }
}

void CheckTag(const metrics::TagSpecifier& in, FieldErrors& errors) {
  if (in.tag_value_case() == metrics::TagSpecifier::kFixedValue) return;
  if (in.tag_name().empty()) return errors.ErrorAt("tag_name", "is required");
  // Envoy knows regexes for tags of its own.
  if (in.regex().empty() && !StartsWith(in.tag_name(), "envoy.")) {
    return errors.ErrorAt(
        "regex", absl::StrCat("is required: there is no default for the tag ",
                              Quoted(in.tag_name())));
  }
  CheckTagRegex(in.regex(), errors);
}

void CheckStats(const metrics::StatsConfig& in, FieldErrors& errors) {
  for (int i = 0; i < in.stats_tags_size(); ++i) {
    ScopedField scope(errors, "stats_tags", i);
    CheckTag(in.stats_tags(i), errors);
  }
}

void CheckOverload(const overload::OverloadManager& in, FieldErrors& errors) {
  ConvertOptionalDuration(in.has_refresh_interval(), in.refresh_interval(),
                          "refresh_interval", errors);
  std::set<std::string> names;
  for (int i = 0; i < in.resource_monitors_size(); ++i) {
    const overload::ResourceMonitor& monitor = in.resource_monitors(i);
    ScopedField scope(errors, "resource_monitors", i);
    if (!names.insert(monitor.name()).second) {
      errors.ErrorAt("name", absl::StrCat("duplicate resource monitor ",
                                          Quoted(monitor.name())));
    }
    if (!StartsWith(monitor.name(), "envoy.resource_monitors.") &&
        !StartsWith(AnyTypeName(monitor.typed_config()),
                    "envoy.extensions.resource_monitors.")) {
      errors.ErrorAt("name", absl::StrCat("unknown resource monitor ",
                                          Quoted(monitor.name())));
    }
  }
}

}  // namespace

void CheckBootstrap(const envoy::config::bootstrap::v3::Bootstrap& in,
                    FieldErrors& errors) {
  {
    ScopedField scope(errors, "stats_config");
    CheckStats(in.stats_config(), errors);
  }
  ScopedField scope(errors, "overload_manager");
  CheckOverload(in.overload_manager(), errors);
}

}  // namespace meshlib::xds
