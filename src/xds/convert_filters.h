#ifndef MESHLIB_XDS_CONVERT_FILTERS_H_
#define MESHLIB_XDS_CONVERT_FILTERS_H_

#include <string>
#include <string_view>

#include "xds/convert_errors.h"

namespace meshlib::xds {

// What the chains of listeners and of HTTP connection managers have in common.

// What a filter is to the end of its chain.
enum class FilterKind {
  kTerminal,
  kOther,
  kUnknown,  // not known here; may be terminal
};

// A chain ends in its only terminal filter. `remedy` goes on with the sentence
// that the last filter is not terminal. The caller has entered the filter.
void CheckFilterPlace(FilterKind kind, const std::string& name, bool last,
                      std::string_view remedy, FieldErrors& errors);

// Whether the filter brings its configuration along; reports if not.
template <typename Filter>
bool HasFilterConfig(const Filter& in, FieldErrors& errors) {
  if (in.has_config_discovery()) {
    errors.UnsupportedAt("config_discovery",
                         "filters fetched apart (ECDS) are not supported yet; "
                         "passed over");
    return false;
  }
  if (!in.has_typed_config()) errors.ErrorAt("typed_config", "is required");
  return in.has_typed_config();
}

}  // namespace meshlib::xds

#endif  // MESHLIB_XDS_CONVERT_FILTERS_H_
