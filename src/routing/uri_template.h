#ifndef MESHLIB_ROUTING_URI_TEMPLATE_H_
#define MESHLIB_ROUTING_URI_TEMPLATE_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "routing/regex.h"

namespace meshlib::routing {

// Envoy's URI template patterns (extensions/path/uri_template_lib), as of 1.40:
// a path of segments between slashes. A segment is
//  - a literal;
//  - `*` (one segment, not empty) or `**` (anything, also nothing), with a
//    literal suffix at the end of the pattern only;
//  - `{name}` (as `*`) or `{name=pattern}`, one a segment, between literals or
//    none; behind a literal the pattern has no slash.
// At most one `**`, and no other glob behind it; at most 5 variables with names
// of 1 to 16 characters, each used once. A `*` that does not begin a segment
// belongs to a literal, but does not stand for itself there: as in Envoy it
// repeats the character or variable before it (`/ab*` matches /a and /abb),
// and two of them make a pattern that matches nothing.
// Immutable and thread-safe.
class UriTemplate {
 public:
  // InvalidArgument that says what is wrong and where.
  static absl::StatusOr<UriTemplate> Compile(std::string_view pattern);

  // `path` has no query.
  bool Matches(std::string_view path) const { return regex_.Matches(path); }

  const Regex& regex() const { return regex_; }

 private:
  explicit UriTemplate(Regex regex) : regex_(std::move(regex)) {}

  Regex regex_;
};

// Envoy's URI template rewriter: literals and `{name}` of the pattern that
// matched, such as "/v2/{user}/{rest}".
class UriTemplateRewriter {
 public:
  // InvalidArgument also if a variable is not in `pattern`.
  static absl::StatusOr<UriTemplateRewriter> Compile(
      std::string_view rewrite, const UriTemplate& pattern);

  // The path itself if the pattern does not match it.
  std::string Rewrite(std::string_view path) const;

 private:
  struct Part {
    std::string literal;
    int group = 0;  // 0: the literal
  };

  explicit UriTemplateRewriter(Regex regex) : regex_(std::move(regex)) {}

  Regex regex_;
  std::vector<Part> parts_;
};

}  // namespace meshlib::routing

#endif  // MESHLIB_ROUTING_URI_TEMPLATE_H_
