#ifndef MESHLIB_ROUTING_MATCH_REASON_H_
#define MESHLIB_ROUTING_MATCH_REASON_H_

#include <optional>
#include <string>
#include <string_view>

#include "meshlib/request.h"
#include "model/route.h"

namespace meshlib::routing {

// Words for what a matcher wants and what a request has, for Explain. Long
// values are shortened, unprintable bytes escaped.

std::string DescribePath(const model::PathMatcher& matcher);  // "prefix /a"
std::string DescribeStringMatcher(const model::StringMatcher& matcher);
std::string DescribeHeaderMatcher(const model::HeaderMatcher& matcher);
std::string DescribeQueryMatcher(const model::QueryParameterMatcher& matcher);

// "absent" or "got \"x\"".
std::string DescribeValue(std::optional<std::string_view> value);
// The same of a header; of several values each: "got \"a\" and \"b\"".
std::string DescribeHeader(const Request& request, std::string_view name);

}  // namespace meshlib::routing

#endif  // MESHLIB_ROUTING_MATCH_REASON_H_
