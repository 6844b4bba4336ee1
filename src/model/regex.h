#ifndef MESHLIB_MODEL_REGEX_H_
#define MESHLIB_MODEL_REGEX_H_

#include <re2/re2.h>

#include <memory>
#include <string_view>

namespace meshlib::model {

// How Envoy compiles a regex: "." is one byte, and any bytes are a text.
re2::RE2::Options RegexOptions();

re2::StringPiece ToRe2(std::string_view text);

// A regex as Envoy compiles it. Ask ok() before it is used.
std::shared_ptr<const re2::RE2> CompileRegex(std::string_view pattern);

// Whether it matches the whole text.
bool MatchesWhole(const re2::RE2& regex, std::string_view text);

}  // namespace meshlib::model

#endif  // MESHLIB_MODEL_REGEX_H_
