#include "model/regex.h"

namespace meshlib::model {

re2::RE2::Options RegexOptions() {
  re2::RE2::Options options(re2::RE2::Quiet);
  options.set_encoding(re2::RE2::Options::EncodingLatin1);
  return options;
}

re2::StringPiece ToRe2(std::string_view text) {
  return re2::StringPiece(text.data(), text.size());
}

std::shared_ptr<const re2::RE2> CompileRegex(std::string_view pattern) {
  return std::make_shared<const re2::RE2>(ToRe2(pattern), RegexOptions());
}

bool MatchesWhole(const re2::RE2& regex, std::string_view text) {
  return re2::RE2::FullMatch(ToRe2(text), regex);
}

}  // namespace meshlib::model
