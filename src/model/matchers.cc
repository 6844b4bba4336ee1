#include "model/matchers.h"

#include <algorithm>
#include <array>
#include <cstring>

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
  return MatchesHeaders(request.headers);
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
  const Header* found = nullptr;
  size_t first = 0;
  size_t count = 0;
  size_t length = 0;
  for (size_t i = 0; i < headers.size(); ++i) {
    if (!SameHeaderName(headers[i].name, name_)) continue;
    if (found == nullptr) {
      found = &headers[i];
      first = i;
    }
    ++count;
    length += headers[i].value.size();
  }
  if (count == 0) return MatchesValue(std::nullopt);
  if (count == 1) return MatchesPresentValue(found->value);
  return MatchesJoined(headers, first, length + count - 1);
}

bool CompiledHeaderMatcher::MatchesJoined(absl::Span<const Header> headers,
                                          size_t first, size_t length) const {
  // Values of everyday size are joined on the stack.
  std::array<char, 1024> small;
  std::unique_ptr<char[]> large;
  char* text = small.data();
  if (length > small.size()) {
    large.reset(new char[length]);
    text = large.get();
  }
  char* end = text;
  for (size_t i = first; i < headers.size(); ++i) {
    if (!SameHeaderName(headers[i].name, name_)) continue;
    if (i != first) *end++ = ',';
    end = std::copy(headers[i].value.begin(), headers[i].value.end(), end);
  }
  return MatchesPresentValue(std::string_view(text, length));
}

bool CompiledHeaderMatcher::MatchesValue(
    std::optional<std::string_view> value) const {
  if (value.has_value()) return MatchesPresentValue(*value);
  if (missing_is_empty_) return MatchesPresentValue({});
  if (kind_ == HeaderMatcher::Kind::kPresent) return invert_;
  if (kind_ == HeaderMatcher::Kind::kAbsent) return !invert_;
  return false;
}

bool CompiledHeaderMatcher::MatchesPresentValue(std::string_view value) const {
  bool match = false;
  switch (kind_) {
    case HeaderMatcher::Kind::kPresent:
      match = true;
      break;
    case HeaderMatcher::Kind::kAbsent:
      match = false;
      break;
    case HeaderMatcher::Kind::kString:
      match = string_.Matches(value);
      break;
    case HeaderMatcher::Kind::kRange: {
      int64_t number = 0;
      match = absl::SimpleAtoi(base::ToAbsl(value), &number) &&
              number >= range_start_ && number < range_end_;
      break;
    }
  }
  return match != invert_;
}

std::vector<CompiledHeaderMatcher> CompileHeaderMatchers(
    const std::vector<HeaderMatcher>& configs) {
  return {configs.begin(), configs.end()};
}

}  // namespace meshlib::model
