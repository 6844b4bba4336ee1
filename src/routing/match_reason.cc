#include "routing/match_reason.h"

#include "absl/strings/str_cat.h"
#include "base/strings.h"
#include "routing/request_fields.h"

namespace meshlib::routing {
namespace {

const char* KindName(model::PathMatcher::Kind kind) {
  switch (kind) {
    case model::PathMatcher::Kind::kPrefix:
      return "prefix";
    case model::PathMatcher::Kind::kExact:
      return "path";
    case model::PathMatcher::Kind::kRegex:
      return "regex";
    case model::PathMatcher::Kind::kPathSeparatedPrefix:
      return "path-separated prefix";
    case model::PathMatcher::Kind::kConnect:
      return "CONNECT";
    case model::PathMatcher::Kind::kUriTemplate:
      return "URI template";
  }
  return "?";
}

const char* KindName(model::StringMatcher::Kind kind) {
  switch (kind) {
    case model::StringMatcher::Kind::kExact:
      return "exact";
    case model::StringMatcher::Kind::kPrefix:
      return "prefix";
    case model::StringMatcher::Kind::kSuffix:
      return "suffix";
    case model::StringMatcher::Kind::kContains:
      return "contains";
    case model::StringMatcher::Kind::kRegex:
      return "regex";
  }
  return "?";
}

}  // namespace

std::string DescribePath(const model::PathMatcher& matcher) {
  std::string text =
      absl::StrCat(KindName(matcher.kind), " ", base::Excerpt(matcher.value));
  if (!matcher.case_sensitive) text += " (any case)";
  return text;
}

std::string DescribeStringMatcher(const model::StringMatcher& matcher) {
  std::string text = absl::StrCat(KindName(matcher.kind), " \"",
                                  base::Excerpt(matcher.value), "\"");
  if (matcher.ignore_case) text += " (any case)";
  return text;
}

std::string DescribeHeaderMatcher(const model::HeaderMatcher& matcher) {
  std::string text = matcher.invert_match ? "not " : "";
  switch (matcher.kind) {
    case model::HeaderMatcher::Kind::kPresent:
      return text + "present";
    case model::HeaderMatcher::Kind::kAbsent:
      return text + "absent";
    case model::HeaderMatcher::Kind::kString:
      return text + DescribeStringMatcher(matcher.string);
    case model::HeaderMatcher::Kind::kRange:
      absl::StrAppend(&text, "in [", matcher.range_start, ", ",
                      matcher.range_end, ")");
      return text;
  }
  return text;
}

std::string DescribeQueryMatcher(const model::QueryParameterMatcher& matcher) {
  if (!matcher.present_match) return DescribeStringMatcher(matcher.string);
  return matcher.present_match_inverted ? "absent" : "present";
}

std::string DescribeValue(std::optional<std::string_view> value) {
  if (!value.has_value()) return "absent";
  return absl::StrCat("got \"", base::Excerpt(*value), "\"");
}

std::string DescribeHeader(const Request& request, std::string_view name) {
  size_t count = 0;
  const std::optional<std::string_view> first =
      FirstHeader(request, name, &count);
  if (count < 2) return DescribeValue(first);
  std::string text;
  ForEachHeader(request, name, [&text](std::string_view value) {
    text += text.empty() ? DescribeValue(value)
                         : absl::StrCat(" and \"", base::Excerpt(value), "\"");
  });
  return text;
}

}  // namespace meshlib::routing
