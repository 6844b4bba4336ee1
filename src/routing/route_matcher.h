#ifndef MESHLIB_ROUTING_ROUTE_MATCHER_H_
#define MESHLIB_ROUTING_ROUTE_MATCHER_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "meshlib/request.h"
#include "model/matchers.h"
#include "model/route.h"
#include "model/runtime.h"
#include "routing/regex.h"
#include "routing/uri_template.h"

namespace meshlib::routing {

// One route's RouteMatch, compiled. Envoy's rules: every condition must hold;
// paths match without query and fragment, query parameters are compared as
// they stand (not decoded), by their first value; a request without a path
// matches connect_matcher alone. Immutable and thread-safe.
//
// Matching does not allocate, but for RE2's automaton while it grows.
class RouteMatcher {
 public:
  static absl::StatusOr<RouteMatcher> Compile(const model::RouteMatch& config,
                                              const model::Runtime& runtime);

  // `path` is PathOf(request.path). `random` decides runtime_fraction.
  bool Matches(const Request& request, std::string_view path,
               uint64_t random) const {
    return PathMatches(request, path) && ConditionsHold(request, random);
  }

  bool PathMatches(const Request& request, std::string_view path) const;

  // Everything but the path.
  bool ConditionsHold(const Request& request, uint64_t random) const;

  // There are no conditions but the path.
  bool unconditional() const { return unconditional_; }

  // What speaks against the route, the first reason only: "header x-canary:
  // want exact \"true\", absent". Nothing if it matches. Allocates.
  std::optional<std::string> WhyNot(const Request& request,
                                    std::string_view path,
                                    uint64_t random) const;

  const model::RouteMatch& config() const { return config_; }

  // What the whole path must match; null for other conditions of the path.
  const Regex* path_regex() const {
    if (template_.has_value()) return &template_->regex();
    return path_regex_.has_value() ? &*path_regex_ : nullptr;
  }

  // Set for kUriTemplate.
  const UriTemplate* uri_template() const {
    return template_.has_value() ? &*template_ : nullptr;
  }

 private:
  struct QueryMatcher {
    std::string name;
    bool present_match;
    bool want_present;
    model::CompiledStringMatcher string;
  };
  // A cookie matcher's inversion also turns the answer for a missing cookie,
  // other than a header matcher's.
  struct CookieMatcher {
    std::string name;
    bool invert;
    model::CompiledHeaderMatcher matcher;  // not inverted
  };

  explicit RouteMatcher(const model::RouteMatch& config);

  bool FractionHolds(uint64_t random) const;
  static bool Holds(const QueryMatcher& matcher, const Request& request);
  static bool Holds(const CookieMatcher& matcher, const Request& request);

  std::string WhyNotPath(std::string_view path) const;
  std::optional<std::string> WhyNotConditions(const Request& request,
                                              uint64_t random) const;

  bool unconditional_ = false;
  std::optional<model::Fraction> fraction_;
  std::vector<model::CompiledHeaderMatcher> headers_;
  std::vector<QueryMatcher> queries_;
  std::vector<CookieMatcher> cookies_;
  std::optional<Regex> path_regex_;
  std::optional<UriTemplate> template_;
  model::RouteMatch config_;
};

}  // namespace meshlib::routing

#endif  // MESHLIB_ROUTING_ROUTE_MATCHER_H_
