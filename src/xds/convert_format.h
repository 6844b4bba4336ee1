#ifndef MESHLIB_XDS_CONVERT_FORMAT_H_
#define MESHLIB_XDS_CONVERT_FORMAT_H_

#include <string>
#include <string_view>

namespace meshlib::xds {

// Checks a header value with %COMMAND%s by Envoy's grammar: %% is a percent
// sign, everything else that begins with one must be a command that Envoy
// knows, with the arguments that it takes. Returns what is wrong, or an empty
// string.
std::string CheckFormat(std::string_view text);

}  // namespace meshlib::xds

#endif  // MESHLIB_XDS_CONVERT_FORMAT_H_
