#ifndef MESHLIB_MODEL_STRING_MATCHER_H_
#define MESHLIB_MODEL_STRING_MATCHER_H_

#include <string>

namespace meshlib::model {

// envoy.type.matcher.v3.StringMatcher. A regex is RE2's, and must match the
// whole text.
struct StringMatcher {
  enum class Kind { kExact, kPrefix, kSuffix, kContains, kRegex };
  Kind kind = Kind::kExact;
  std::string value;
  bool ignore_case = false;  // not for kRegex

  friend bool operator==(const StringMatcher& a, const StringMatcher& b) {
    return a.kind == b.kind && a.value == b.value &&
           a.ignore_case == b.ignore_case;
  }
};

}  // namespace meshlib::model

#endif  // MESHLIB_MODEL_STRING_MATCHER_H_
