#include "routing/regex.h"

#include <re2/set.h>

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/strings.h"
#include "model/regex.h"

namespace meshlib::routing {
namespace {

// Longer prefixes tell hardly more routes apart.
constexpr int kMaxPrefix = 64;

}  // namespace

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

std::string Regex::Prefix() const {
  std::string least;
  std::string greatest;
  if (!regex_->PossibleMatchRange(&least, &greatest, kMaxPrefix)) return "";
  // All that lies between two texts begins as both of them do.
  const auto common =
      static_cast<std::ptrdiff_t>(std::min(least.size(), greatest.size()));
  return std::string(
      least.begin(),
      std::mismatch(least.begin(), least.begin() + common, greatest.begin())
          .first);
}

struct RegexGroup::Automaton {
  re2::RE2::Set set{model::RegexOptions(), re2::RE2::ANCHOR_BOTH};
};

RegexGroup::RegexGroup(const std::vector<const Regex*>& regexes) {
  auto automaton = std::make_unique<Automaton>();
  for (const Regex* regex : regexes) {
    if (automaton->set.Add(regex->re2().pattern(), nullptr) < 0) return;
  }
  if (automaton->set.Compile()) automaton_ = std::move(automaton);
}

RegexGroup::RegexGroup(RegexGroup&& other) noexcept = default;
RegexGroup& RegexGroup::operator=(RegexGroup&& other) noexcept = default;
RegexGroup::~RegexGroup() = default;

bool RegexGroup::MayMatch(std::string_view text) const {
  if (automaton_ == nullptr) return true;
  re2::RE2::Set::ErrorInfo error = {re2::RE2::Set::kNoError};
  return automaton_->set.Match(model::ToRe2(text), nullptr, &error) ||
         error.kind != re2::RE2::Set::kNoError;
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
