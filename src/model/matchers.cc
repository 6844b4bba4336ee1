#include "model/matchers.h"

#include <algorithm>
#include <array>

#include "absl/strings/numbers.h"
#include "base/strings.h"
#include "model/headers.h"
#include "model/regex.h"

namespace meshlib::model {
namespace {

// `lower` is in lower case already.
bool SameFolded(std::string_view text, std::string_view lower) {
  return text.size() == lower.size() &&
         std::equal(text.begin(), text.end(), lower.begin(),
                    [](char a, char b) { return base::LowerAscii(a) == b; });
}

bool ContainsFolded(std::string_view text, std::string_view lower) {
  return std::search(text.begin(), text.end(), lower.begin(), lower.end(),
                     [](char a, char b) { return base::LowerAscii(a) == b; }) !=
             text.end() ||
         lower.empty();
}

bool SamePart(bool ignore_case, std::string_view part, std::string_view value) {
  return ignore_case ? SameFolded(part, value) : part == value;
}

std::optional<std::string_view> NonEmpty(std::string_view text) {
  if (text.empty()) return std::nullopt;
  return text;
}

}  // namespace

CompiledStringMatcher::CompiledStringMatcher(const StringMatcher& config)
    : kind_(config.kind),
      ignore_case_(config.ignore_case && kind_ != StringMatcher::Kind::kRegex),
      value_(ignore_case_ ? base::LowerAscii(config.value) : config.value) {
  if (kind_ == StringMatcher::Kind::kRegex) regex_ = CompileRegex(value_);
}

bool CompiledStringMatcher::Matches(std::string_view text) const {
  const size_t size = value_.size();
  switch (kind_) {
    case StringMatcher::Kind::kExact:
      return SamePart(ignore_case_, text, value_);
    case StringMatcher::Kind::kPrefix:
      return text.size() >= size &&
             SamePart(ignore_case_, text.substr(0, size), value_);
    case StringMatcher::Kind::kSuffix:
      return text.size() >= size &&
             SamePart(ignore_case_, text.substr(text.size() - size), value_);
    case StringMatcher::Kind::kContains:
      return ignore_case_ ? ContainsFolded(text, value_)
                          : text.find(value_) != std::string_view::npos;
    case StringMatcher::Kind::kRegex:
      return regex_->ok() && MatchesWhole(*regex_, text);
  }
  return false;
}

CompiledHeaderMatcher::CompiledHeaderMatcher(const HeaderMatcher& config)
    : name_(base::LowerAscii(config.name)),
      source_(SourceOf(name_)),
      joined_(IsJoinedHeader(name_)),
      kind_(config.kind),
      invert_(config.invert_match),
      missing_is_empty_(config.treat_missing_header_as_empty),
      range_start_(config.range_start),
      range_end_(config.range_end),
      string_(config.string) {}

CompiledHeaderMatcher::Source CompiledHeaderMatcher::SourceOf(
    std::string_view name) {
  if (name == "host") return Source::kHost;
  if (name == ":authority") return Source::kAuthority;
  if (name == ":path") return Source::kPath;
  if (name == ":method") return Source::kMethod;
  if (name == ":scheme") return Source::kScheme;
  if (name == ":status") return Source::kStatus;
  return Source::kHeader;
}

bool CompiledHeaderMatcher::Matches(const Request& request) const {
  switch (source_) {
    case Source::kAuthority:
      return MatchesValue(NonEmpty(request.authority));
    case Source::kPath:
      return MatchesValue(NonEmpty(request.path));
    case Source::kMethod:
      return MatchesValue(NonEmpty(request.method));
    case Source::kScheme:
      return MatchesValue(NonEmpty(request.scheme));
    case Source::kHost:
      if (FindHeader(request.headers, name_) != nullptr) {
        return MatchesHeaders(request.headers);
      }
      return MatchesValue(NonEmpty(request.authority));
    case Source::kStatus:
    case Source::kHeader:
      break;
  }
  return joined_ ? MatchesJoined(request.headers)
                 : MatchesHeaders(request.headers);
}

bool CompiledHeaderMatcher::MatchesJoined(
    absl::Span<const Header> headers) const {
  std::string storage;
  return MatchesValue(JoinedHeader(headers, name_, storage));
}

bool CompiledHeaderMatcher::MatchesResponse(absl::Span<const Header> headers,
                                            int status) const {
  if (source_ != Source::kStatus) return MatchesHeaders(headers);
  if (status < 100 || status > 999) return MatchesValue(std::nullopt);
  const std::array<char, 3> digits = {static_cast<char>('0' + status / 100),
                                      static_cast<char>('0' + status / 10 % 10),
                                      static_cast<char>('0' + status % 10)};
  return MatchesValue(std::string_view(digits.data(), digits.size()));
}

bool CompiledHeaderMatcher::MatchesHeaders(
    absl::Span<const Header> headers) const {
  bool found = false;
  for (const Header& header : headers) {
    if (!SameHeaderName(header.name, name_)) continue;
    if (Hits(header.value)) return !invert_;
    found = true;
  }
  return found ? invert_ : MatchesValue(std::nullopt);
}

bool CompiledHeaderMatcher::MatchesValue(
    std::optional<std::string_view> value) const {
  if (value.has_value()) return Hits(*value) != invert_;
  if (missing_is_empty_) return Hits({}) != invert_;
  if (kind_ == HeaderMatcher::Kind::kPresent) return invert_;
  if (kind_ == HeaderMatcher::Kind::kAbsent) return !invert_;
  return false;
}

bool CompiledHeaderMatcher::Hits(std::string_view value) const {
  switch (kind_) {
    case HeaderMatcher::Kind::kPresent:
      return true;
    case HeaderMatcher::Kind::kAbsent:
      return false;
    case HeaderMatcher::Kind::kString:
      return string_.Matches(value);
    case HeaderMatcher::Kind::kRange: {
      int64_t number = 0;
      return absl::SimpleAtoi(base::ToAbsl(value), &number) &&
             number >= range_start_ && number < range_end_;
    }
  }
  return false;
}

std::vector<CompiledHeaderMatcher> CompileHeaderMatchers(
    const std::vector<HeaderMatcher>& configs) {
  return {configs.begin(), configs.end()};
}

}  // namespace meshlib::model
