#ifndef MESHLIB_XDS_LOADER_NAMES_H_
#define MESHLIB_XDS_LOADER_NAMES_H_

#include <string>
#include <string_view>

#include "absl/types/span.h"

namespace meshlib::xds {

// How many letters must be inserted, removed, replaced or swapped with their
// neighbour to get from one name to the other; `limit` + 1 if it takes more
// than `limit`.
int EditDistance(std::string_view a, std::string_view b, int limit);

// The candidate that `name` is probably a slip of; empty if none is near.
std::string_view NearestName(std::string_view name,
                             absl::Span<const std::string_view> candidates);

// " (did you mean lb_policy?)", or nothing.
std::string DidYouMean(std::string_view name,
                       absl::Span<const std::string_view> candidates);

// "lb_policy" -> "lbPolicy", as proto3's JSON form has it.
std::string ToLowerCamel(std::string_view snake);

}  // namespace meshlib::xds

#endif  // MESHLIB_XDS_LOADER_NAMES_H_
