#ifndef MESHLIB_BASE_STRINGS_H_
#define MESHLIB_BASE_STRINGS_H_

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/strings/string_view.h"

namespace meshlib::base {

// Debian's absl::string_view is a class of its own that does not convert to
// or from std::string_view; these two do it.
inline absl::string_view ToAbsl(std::string_view text) {
  return absl::string_view(text.data(), text.size());
}
inline std::string_view ToStd(absl::string_view text) {
  return std::string_view(text.data(), text.size());
}

// Text for an error message: at most `limit` bytes, non-printable bytes
// escaped, "..." where something was cut. Input of any size and content
// is safe.
std::string Excerpt(std::string_view text, size_t limit = 80);

// The text of an errno. Thread-safe, unlike strerror().
std::string SystemError(int error);

// ASCII only, as header names and domain names compare.
inline char LowerAscii(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}
bool EqualsIgnoreCase(std::string_view a, std::string_view b);
std::string LowerAscii(std::string_view text);

}  // namespace meshlib::base

#endif  // MESHLIB_BASE_STRINGS_H_
