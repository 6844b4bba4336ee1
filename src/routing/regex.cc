#include "routing/regex.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/strings.h"
#include "model/regex.h"

namespace meshlib::routing {

absl::StatusOr<Regex> Regex::Compile(std::string_view pattern) {
  std::shared_ptr<const re2::RE2> regex = model::CompileRegex(pattern);
  if (!regex->ok()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "regex \"", base::Excerpt(pattern), "\": ", regex->error()));
  }
  return Regex(std::move(regex));
}

bool Regex::Matches(std::string_view text) const {
  return model::MatchesWhole(*regex_, text);
}

absl::StatusOr<RegexReplacer> RegexReplacer::Compile(
    const model::RegexRewrite& config) {
  absl::StatusOr<Regex> regex = Regex::Compile(config.regex);
  if (!regex.ok()) return regex.status();
  std::string error;
  if (!regex->re2().CheckRewriteString(config.substitution, &error)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "substitution \"", base::Excerpt(config.substitution), "\" of regex \"",
        base::Excerpt(config.regex), "\": ", error));
  }
  return RegexReplacer(*std::move(regex), config.substitution);
}

std::string RegexReplacer::Replace(std::string_view text) const {
  std::string out(text);
  re2::RE2::GlobalReplace(&out, regex_.re2(), substitution_);
  return out;
}

}  // namespace meshlib::routing
