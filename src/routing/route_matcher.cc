#include "routing/route_matcher.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/strings.h"
#include "model/headers.h"
#include "routing/match_reason.h"
#include "routing/request_fields.h"

namespace meshlib::routing {
namespace {

bool PartEquals(std::string_view part, const model::PathMatcher& matcher) {
  return matcher.case_sensitive ? part == matcher.value
                                : base::EqualsIgnoreCase(part, matcher.value);
}

bool HasPrefix(std::string_view path, const model::PathMatcher& matcher) {
  return path.size() >= matcher.value.size() &&
         PartEquals(path.substr(0, matcher.value.size()), matcher);
}

model::HeaderMatcher WithoutInversion(model::HeaderMatcher cookie) {
  cookie.invert_match = false;
  // Only a value can be taken as empty, not a presence.
  if (cookie.kind == model::HeaderMatcher::Kind::kPresent ||
      cookie.kind == model::HeaderMatcher::Kind::kAbsent) {
    cookie.treat_missing_header_as_empty = false;
  }
  return cookie;
}

absl::Status CheckRegex(const model::StringMatcher& matcher) {
  if (matcher.kind != model::StringMatcher::Kind::kRegex) {
    return absl::OkStatus();
  }
  return Regex::Compile(matcher.value).status();
}

absl::Status CheckRegexes(const model::RouteMatch& config) {
  for (const auto* matchers : {&config.headers, &config.cookies}) {
    for (const model::HeaderMatcher& matcher : *matchers) {
      if (matcher.kind != model::HeaderMatcher::Kind::kString) continue;
      absl::Status status = CheckRegex(matcher.string);
      if (!status.ok()) return status;
    }
  }
  for (const model::QueryParameterMatcher& matcher : config.query_parameters) {
    if (matcher.present_match) continue;
    absl::Status status = CheckRegex(matcher.string);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace

RouteMatcher::RouteMatcher(const model::RouteMatch& config)
    : headers_(model::CompileHeaderMatchers(config.headers)), config_(config) {
  for (const model::QueryParameterMatcher& query : config.query_parameters) {
    queries_.push_back({query.name, query.present_match,
                        !query.present_match_inverted,
                        model::CompiledStringMatcher(query.string)});
  }
  for (const model::HeaderMatcher& cookie : config.cookies) {
    cookies_.push_back(
        {cookie.name, cookie.invert_match,
         model::CompiledHeaderMatcher(WithoutInversion(cookie))});
  }
}

absl::StatusOr<RouteMatcher> RouteMatcher::Compile(
    const model::RouteMatch& config, const model::Runtime& runtime) {
  const absl::Status regexes = CheckRegexes(config);
  if (!regexes.ok()) return regexes;
  RouteMatcher matcher(config);
  if (config.runtime_fraction.has_value()) {
    matcher.fraction_ = runtime.GetFraction(*config.runtime_fraction);
  }
  if (config.path.kind == model::PathMatcher::Kind::kRegex) {
    absl::StatusOr<Regex> regex = Regex::Compile(config.path.value);
    if (!regex.ok()) return regex.status();
    matcher.path_regex_ = *std::move(regex);
  } else if (config.path.kind == model::PathMatcher::Kind::kUriTemplate) {
    absl::StatusOr<UriTemplate> uri = UriTemplate::Compile(config.path.value);
    if (!uri.ok()) return uri.status();
    matcher.template_ = *std::move(uri);
  }
  matcher.unconditional_ = !matcher.fraction_.has_value() && !config.grpc &&
                           config.headers.empty() && config.cookies.empty() &&
                           config.query_parameters.empty();
  return matcher;
}

bool RouteMatcher::PathMatches(const Request& request,
                               std::string_view path) const {
  const model::PathMatcher& matcher = config_.path;
  if (matcher.kind == model::PathMatcher::Kind::kConnect) {
    return IsConnect(request);
  }
  if (request.path.empty()) return false;
  switch (matcher.kind) {
    case model::PathMatcher::Kind::kPrefix:
      return HasPrefix(path, matcher);
    case model::PathMatcher::Kind::kExact:
      return PartEquals(path, matcher);
    case model::PathMatcher::Kind::kRegex:
      return path_regex_->Matches(path);
    case model::PathMatcher::Kind::kPathSeparatedPrefix:
      return HasPrefix(path, matcher) && (path.size() == matcher.value.size() ||
                                          path[matcher.value.size()] == '/');
    case model::PathMatcher::Kind::kUriTemplate:
      return template_->Matches(path);
    case model::PathMatcher::Kind::kConnect:
      break;
  }
  return false;
}

bool RouteMatcher::ConditionsHold(const Request& request,
                                  uint64_t random) const {
  if (unconditional_) return true;
  if (!FractionHolds(random)) return false;
  if (config_.grpc && !model::IsGrpc(request)) return false;
  for (const model::CompiledHeaderMatcher& header : headers_) {
    if (!header.Matches(request)) return false;
  }
  for (const QueryMatcher& query : queries_) {
    if (!Holds(query, request)) return false;
  }
  for (const CookieMatcher& cookie : cookies_) {
    if (!Holds(cookie, request)) return false;
  }
  return true;
}

bool RouteMatcher::FractionHolds(uint64_t random) const {
  return !fraction_.has_value() || model::InFraction(*fraction_, random);
}

bool RouteMatcher::Holds(const QueryMatcher& matcher, const Request& request) {
  const std::optional<std::string_view> value =
      QueryParameter(request.path, matcher.name);
  if (matcher.present_match) return value.has_value() == matcher.want_present;
  return value.has_value() && matcher.string.Matches(*value);
}

bool RouteMatcher::Holds(const CookieMatcher& matcher, const Request& request) {
  return matcher.matcher.MatchesValue(Cookie(request, matcher.name)) !=
         matcher.invert;
}

std::optional<std::string> RouteMatcher::WhyNot(const Request& request,
                                                std::string_view path,
                                                uint64_t random) const {
  if (!PathMatches(request, path)) return WhyNotPath(path);
  return WhyNotConditions(request, random);
}

std::string RouteMatcher::WhyNotPath(std::string_view path) const {
  if (config_.path.kind == model::PathMatcher::Kind::kConnect) {
    return "want a CONNECT request";
  }
  return absl::StrCat("path ", base::Excerpt(path), ": want ",
                      DescribePath(config_.path));
}

std::optional<std::string> RouteMatcher::WhyNotConditions(
    const Request& request, uint64_t random) const {
  if (!FractionHolds(random)) {
    return absl::StrCat("runtime_fraction: ", random % fraction_->denominator,
                        " is not below ", fraction_->numerator, " of ",
                        fraction_->denominator);
  }
  if (config_.grpc && !model::IsGrpc(request)) {
    return absl::StrCat("header content-type: want application/grpc, ",
                        DescribeValue(FirstHeader(request, "content-type")));
  }
  for (size_t i = 0; i < headers_.size(); ++i) {
    if (headers_[i].Matches(request)) continue;
    return absl::StrCat("header ", config_.headers[i].name, ": want ",
                        DescribeHeaderMatcher(config_.headers[i]), ", ",
                        DescribeHeader(request, config_.headers[i].name));
  }
  for (size_t i = 0; i < queries_.size(); ++i) {
    if (Holds(queries_[i], request)) continue;
    return absl::StrCat(
        "query parameter ", queries_[i].name, ": want ",
        DescribeQueryMatcher(config_.query_parameters[i]), ", ",
        DescribeValue(QueryParameter(request.path, queries_[i].name)));
  }
  for (size_t i = 0; i < cookies_.size(); ++i) {
    if (Holds(cookies_[i], request)) continue;
    return absl::StrCat("cookie ", cookies_[i].name, ": want ",
                        DescribeHeaderMatcher(config_.cookies[i]), ", ",
                        DescribeValue(Cookie(request, cookies_[i].name)));
  }
  return std::nullopt;
}

}  // namespace meshlib::routing
