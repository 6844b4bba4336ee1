#include "model/regex.h"

namespace meshlib::model {
namespace {

re2::StringPiece ToRe2(std::string_view text) {
  return re2::StringPiece(text.data(), text.size());
}

}  // namespace

std::shared_ptr<const re2::RE2> CompileRegex(std::string_view pattern) {
  re2::RE2::Options options(re2::RE2::Quiet);
  // As Envoy: "." is one byte, and any bytes are a text.
  options.set_encoding(re2::RE2::Options::EncodingLatin1);
  return std::make_shared<const re2::RE2>(ToRe2(pattern), options);
}

bool MatchesWhole(const re2::RE2& regex, std::string_view text) {
  return re2::RE2::FullMatch(ToRe2(text), regex);
}

}  // namespace meshlib::model
