#ifndef MESHLIB_ROUTING_PATH_REWRITER_H_
#define MESHLIB_ROUTING_PATH_REWRITER_H_

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "model/route.h"
#include "routing/regex.h"
#include "routing/uri_template.h"

namespace meshlib::routing {

// The path change of a route or redirect, one of:
//   prefix_rewrite  the matched part (the prefix or path of the match; of a
//                   regex, the whole path) becomes this text, byte for byte
//   regex_rewrite   every match in the path is replaced
//   URI template    built from the variables of the match
// The query stays as it is. Immutable and thread-safe.
class PathRewriter {
 public:
  PathRewriter() = default;

  // `match_template` is set if the route matches by URI template.
  static absl::StatusOr<PathRewriter> ForRoute(
      const model::RouteAction& action, const model::PathMatcher& match,
      const UriTemplate* match_template);
  static absl::StatusOr<PathRewriter> ForRedirect(
      const model::RedirectAction& action, const model::PathMatcher& match);

  bool empty() const {
    return prefix_.empty() && !regex_.has_value() && !template_.has_value();
  }

  // The whole new path with query; nothing if there is nothing to rewrite.
  // `path_and_query` must be one that the route matched.
  std::optional<std::string> Rewrite(std::string_view path_and_query) const;

 private:
  // Into regex_, if there is one.
  absl::Status CompileRegex(const std::optional<model::RegexRewrite>& config);

  std::string prefix_;
  // How much of the path prefix_ replaces; unset: all of it.
  std::optional<size_t> matched_size_;
  std::optional<RegexReplacer> regex_;
  std::optional<UriTemplateRewriter> template_;
  // A redirect whose regex leaves nothing keeps the path.
  bool ignore_empty_ = false;
};

}  // namespace meshlib::routing

#endif  // MESHLIB_ROUTING_PATH_REWRITER_H_
