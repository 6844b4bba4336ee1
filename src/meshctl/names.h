#ifndef MESHLIB_MESHCTL_NAMES_H_
#define MESHLIB_MESHCTL_NAMES_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace meshlib::meshctl {

// How many single-character edits turn `a` into `b`, without regard to case
// (Levenshtein distance).
size_t EditDistance(std::string_view a, std::string_view b);

// The end of a message about a name that is not known, if there are names that
// look like it: `; did you mean "echo"?`, else nothing.
std::string NearHint(std::string_view unknown, std::vector<std::string> known);

// The end of an error message about a name that is not known: names that look
// like it (`; did you mean "echo"?`), else the first few that there are
// (`; there is "a", "b" and 3 more`), else "; there is none".
std::string NameHint(std::string_view unknown, std::vector<std::string> known);

}  // namespace meshlib::meshctl

#endif  // MESHLIB_MESHCTL_NAMES_H_
