#include "routing/path_rewriter.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "routing/request_fields.h"

namespace meshlib::routing {
namespace {

std::optional<size_t> MatchedSize(const model::PathMatcher& match) {
  switch (match.kind) {
    case model::PathMatcher::Kind::kPrefix:
    case model::PathMatcher::Kind::kExact:
    case model::PathMatcher::Kind::kPathSeparatedPrefix:
      return match.value.size();
    case model::PathMatcher::Kind::kRegex:
    case model::PathMatcher::Kind::kConnect:
    case model::PathMatcher::Kind::kUriTemplate:
      break;
  }
  return std::nullopt;
}

}  // namespace

absl::Status PathRewriter::CompileRegex(
    const std::optional<model::RegexRewrite>& config) {
  if (!config.has_value()) return absl::OkStatus();
  absl::StatusOr<RegexReplacer> regex = RegexReplacer::Compile(*config);
  if (!regex.ok()) return regex.status();
  regex_ = *std::move(regex);
  return absl::OkStatus();
}

absl::StatusOr<PathRewriter> PathRewriter::ForRoute(
    const model::RouteAction& action, const model::PathMatcher& match,
    const UriTemplate* match_template) {
  PathRewriter rewriter;
  rewriter.prefix_ = action.prefix_rewrite;
  rewriter.matched_size_ = MatchedSize(match);
  const int rewrites = (action.prefix_rewrite.empty() ? 0 : 1) +
                       (action.regex_rewrite.has_value() ? 1 : 0) +
                       (action.path_rewrite_template.empty() ? 0 : 1);
  if (rewrites > 1) {
    return absl::InvalidArgumentError(
        "more than one of prefix_rewrite, regex_rewrite and "
        "path_rewrite_policy");
  }
  if (match_template != nullptr && !action.prefix_rewrite.empty()) {
    return absl::InvalidArgumentError(
        "prefix_rewrite does not go with path_match_policy");
  }
  const absl::Status compiled = rewriter.CompileRegex(action.regex_rewrite);
  if (!compiled.ok()) return compiled;
  if (!action.path_rewrite_template.empty()) {
    if (match_template == nullptr) {
      return absl::InvalidArgumentError(
          "path_rewrite_policy needs a path_match_policy");
    }
    absl::StatusOr<UriTemplateRewriter> uri = UriTemplateRewriter::Compile(
        action.path_rewrite_template, *match_template);
    if (!uri.ok()) return uri.status();
    rewriter.template_ = *std::move(uri);
  }
  return rewriter;
}

absl::StatusOr<PathRewriter> PathRewriter::ForRedirect(
    const model::RedirectAction& action, const model::PathMatcher& match) {
  PathRewriter rewriter;
  rewriter.prefix_ = action.prefix_rewrite;
  rewriter.matched_size_ = MatchedSize(match);
  rewriter.ignore_empty_ = true;
  const absl::Status compiled = rewriter.CompileRegex(action.regex_rewrite);
  if (!compiled.ok()) return compiled;
  return rewriter;
}

std::optional<std::string> PathRewriter::Rewrite(
    std::string_view path_and_query) const {
  if (empty()) return std::nullopt;
  const std::string_view path = PathOf(path_and_query);
  std::string out;
  size_t replaced = path.size();
  if (regex_.has_value()) {
    out = regex_->Replace(path);
    if (out.empty() && ignore_empty_) return std::nullopt;
  } else if (template_.has_value()) {
    out = template_->Rewrite(path);
  } else {
    out = prefix_;
    replaced = std::min(matched_size_.value_or(path.size()), path.size());
  }
  out += path_and_query.substr(replaced);
  return out;
}

}  // namespace meshlib::routing
