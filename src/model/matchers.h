#ifndef MESHLIB_MODEL_MATCHERS_H_
#define MESHLIB_MODEL_MATCHERS_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/types/span.h"
#include "meshlib/request.h"
#include "model/route.h"

namespace re2 {
class RE2;
}  // namespace re2

namespace meshlib::model {

// Matchers in the form that requests meet: regexes compiled, case folded
// once. Immutable and copyable (copies share the regex), so any number of
// threads may match at once. Matching allocates nothing of its own; RE2 fills
// its cache of states during a regex's first matches.

// Envoy's StringMatcher. A regex must match the whole text; one that does not
// compile (the loader refuses it) matches nothing.
class CompiledStringMatcher {
 public:
  explicit CompiledStringMatcher(const StringMatcher& config);

  bool Matches(std::string_view text) const;

 private:
  StringMatcher::Kind kind_;
  bool ignore_case_;
  std::string value_;  // in lower case if ignore_case_
  std::shared_ptr<const re2::RE2> regex_;
};

// Envoy's HeaderMatcher, as Envoy 1.40 matches:
//  - of a header that stands more than once each value is tested by itself,
//    and one hit is enough (none, if inverted), but for the names of a request
//    whose values are joined (IsJoinedHeader);
//  - a missing header matches "absent" (and "present" inverted), and nothing
//    else, inverted or not, unless treat_missing_header_as_empty makes it the
//    empty value;
//  - a range matches a value that is a decimal int64 as a whole.
class CompiledHeaderMatcher {
 public:
  explicit CompiledHeaderMatcher(const HeaderMatcher& config);

  // Knows the pseudo-headers :authority, :path, :method and :scheme; "host"
  // is :authority unless the request carries a host header. An empty part of
  // the request counts as missing.
  bool Matches(const Request& request) const;

  // For a response; `status` (0: none) is the value of :status.
  bool MatchesResponse(absl::Span<const Header> headers, int status) const;

  // For a value found elsewhere (a cookie, say); nullopt: missing.
  bool MatchesValue(std::optional<std::string_view> value) const;

  const std::string& name() const { return name_; }

 private:
  bool MatchesHeaders(absl::Span<const Header> headers) const;
  bool MatchesJoined(absl::Span<const Header> headers) const;
  // Whether one value does, before inversion.
  bool Hits(std::string_view value) const;

  // Which part of a request or response the name means.
  enum class Source : uint8_t {
    kHeader,
    kHost,
    kAuthority,
    kPath,
    kMethod,
    kScheme,
    kStatus,
  };
  static Source SourceOf(std::string_view name);

  std::string name_;
  Source source_;
  bool joined_;
  HeaderMatcher::Kind kind_;
  bool invert_;
  bool missing_is_empty_;
  int64_t range_start_;
  int64_t range_end_;
  CompiledStringMatcher string_;
};

std::vector<CompiledHeaderMatcher> CompileHeaderMatchers(
    const std::vector<HeaderMatcher>& configs);

}  // namespace meshlib::model

#endif  // MESHLIB_MODEL_MATCHERS_H_
