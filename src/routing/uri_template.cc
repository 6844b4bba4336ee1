#include "routing/uri_template.h"

#include <re2/re2.h>

#include <algorithm>
#include <map>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/strings.h"

namespace meshlib::routing {
namespace {

constexpr size_t kMaxVariables = 5;
constexpr size_t kMaxVariableName = 16;

// RFC 3986's pchar, as a class of RE2.
constexpr char kPathGlob[] = "[a-zA-Z0-9-._~%!$&'()+,;:@=*]+";
constexpr char kTextGlob[] = "[a-zA-Z0-9-._~%!$&'()+,;:@=*/]*";
// What no text matches.
constexpr char kNothing[] = "[^\\x00-\\xff]";

bool IsLiteralChar(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
         std::string_view("-._~%!$&'()+,;:@=*").find(c) !=
             std::string_view::npos;
}

bool IsName(std::string_view name) {
  return !name.empty() &&
         absl::ascii_isalpha(static_cast<unsigned char>(name[0])) &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
                  c == '_';
         });
}

// Reads a pattern from left to right and writes the regex that means it.
class Parser {
 public:
  explicit Parser(std::string_view pattern) : all_(pattern), rest_(pattern) {}

  absl::StatusOr<std::string> Parse();

  // After Parse: a regex with the same groups that matches nothing.
  std::string Nothing() const;

 private:
  absl::Status Error(std::string_view what) const {
    return absl::InvalidArgumentError(absl::StrCat(
        "URI template \"", base::Excerpt(all_), "\": ", base::ToAbsl(what),
        " at byte ", all_.size() - rest_.size()));
  }

  absl::Status Segment();
  absl::Status GlobSegment();
  absl::Status Glob();
  absl::Status Literal(size_t size);
  absl::Status Variable();
  absl::Status VariablePattern(std::string_view pattern);

  std::string_view all_;
  std::string_view rest_;
  std::string regex_;
  std::vector<std::string_view> names_;
  bool seen_text_glob_ = false;
};

absl::StatusOr<std::string> Parser::Parse() {
  if (all_.empty() || all_[0] != '/') return Error("does not begin with \"/\"");
  rest_.remove_prefix(1);
  regex_ = "/";
  while (!rest_.empty()) {
    const absl::Status status = rest_[0] == '*' ? GlobSegment() : Segment();
    if (!status.ok()) return status;
    if (rest_.empty()) break;
    rest_.remove_prefix(1);
    regex_ += '/';
  }
  return regex_;
}

std::string Parser::Nothing() const {
  std::string regex = kNothing;
  for (const std::string_view name : names_) {
    absl::StrAppend(&regex, "(?P<", base::ToAbsl(name), ">)");
  }
  return regex;
}

// "*" or "**", and perhaps a suffix that ends the whole pattern.
absl::Status Parser::GlobSegment() {
  absl::Status status = Glob();
  if (!status.ok() || rest_.empty() || rest_[0] == '/') return status;
  status = Literal(rest_.find('/'));
  if (status.ok() && !rest_.empty()) {
    return Error("only a literal suffix may follow");
  }
  return status;
}

// "literal", "{variable}", or a variable between literals. The slashes of a
// variable's pattern are its own only where the variable begins the segment.
absl::Status Parser::Segment() {
  if (rest_[0] != '{') {
    const std::string_view segment = rest_.substr(0, rest_.find('/'));
    const size_t open = segment.find('{');
    absl::Status status = Literal(std::min(open, segment.size()));
    if (!status.ok() || open == std::string_view::npos) return status;
    if (segment.find('}', open) == std::string_view::npos) {
      return Error("\"{\" without \"}\" in its segment");
    }
  }
  absl::Status status = Variable();
  if (!status.ok() || rest_.empty() || rest_[0] == '/') return status;
  return Literal(rest_.find('/'));
}

absl::Status Parser::Glob() {
  if (seen_text_glob_) return Error("a glob after \"**\"");
  rest_.remove_prefix(1);
  if (!rest_.empty() && rest_[0] == '*') {
    rest_.remove_prefix(1);
    seen_text_glob_ = true;
    regex_ += kTextGlob;
  } else {
    regex_ += kPathGlob;
  }
  return absl::OkStatus();
}

// Reads `size` bytes, or to the end.
absl::Status Parser::Literal(size_t size) {
  size = std::min(size, rest_.size());
  if (size == 0) return Error("an empty segment");
  for (size_t i = 0; i < size; ++i) {
    const char c = rest_[0];
    if (!IsLiteralChar(c)) return Error("not a character of a literal");
    // Envoy 1.40 lets "*" through to the regex, where it repeats what is
    // before it.
    if (!absl::ascii_isalnum(static_cast<unsigned char>(c)) && c != '*') {
      regex_ += '\\';
    }
    regex_ += c;
    rest_.remove_prefix(1);
  }
  return absl::OkStatus();
}

absl::Status Parser::Variable() {
  const size_t end = rest_.find('}');
  if (end == std::string_view::npos) return Error("\"{\" without \"}\"");
  const std::string_view inside = rest_.substr(1, end - 1);
  const size_t equals = inside.find('=');
  const std::string_view name = inside.substr(0, equals);
  if (!IsName(name) || name.size() > kMaxVariableName) {
    return Error("not a variable's name of 1 to 16 characters");
  }
  if (names_.size() == kMaxVariables) return Error("more than 5 variables");
  if (std::count(names_.begin(), names_.end(), name) > 0) {
    return Error("a variable's name again");
  }
  names_.push_back(name);
  absl::StrAppend(&regex_, "(?P<", base::ToAbsl(name), ">");
  const std::string_view after = rest_.substr(end + 1);
  absl::Status status = VariablePattern(equals == std::string_view::npos
                                            ? std::string_view("*")
                                            : inside.substr(equals + 1));
  if (!status.ok()) return status;
  regex_ += ')';
  rest_ = after;
  return absl::OkStatus();
}

absl::Status Parser::VariablePattern(std::string_view pattern) {
  if (pattern.empty()) return Error("an empty pattern of a variable");
  rest_ = pattern;
  for (;;) {
    absl::Status status = rest_[0] == '*' ? Glob() : Literal(rest_.find('/'));
    if (!status.ok()) return status;
    if (rest_.empty()) return absl::OkStatus();
    if (rest_[0] != '/' || rest_.size() == 1) {
      return Error("not a pattern of a variable");
    }
    rest_.remove_prefix(1);
    regex_ += '/';
  }
}

absl::Status RewriteError(std::string_view rewrite, std::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("URI template rewrite \"",
                                                 base::Excerpt(rewrite),
                                                 "\": ", base::ToAbsl(what)));
}

}  // namespace

absl::StatusOr<UriTemplate> UriTemplate::Compile(std::string_view pattern) {
  Parser parser(pattern);
  absl::StatusOr<std::string> text = parser.Parse();
  if (!text.ok()) return text.status();
  absl::StatusOr<Regex> regex = Regex::Compile(*text);
  // "**" in a literal is no regex. Envoy takes the pattern, and it matches
  // nothing.
  if (!regex.ok()) regex = Regex::Compile(parser.Nothing());
  if (!regex.ok()) return regex.status();
  return UriTemplate(*std::move(regex));
}

absl::StatusOr<UriTemplateRewriter> UriTemplateRewriter::Compile(
    std::string_view rewrite, const UriTemplate& pattern) {
  if (rewrite.empty() || rewrite[0] != '/') {
    return RewriteError(rewrite, "does not begin with \"/\"");
  }
  if (rewrite.find("//") != std::string_view::npos) {
    return RewriteError(rewrite, "an empty segment");
  }
  UriTemplateRewriter result(pattern.regex());
  const std::map<std::string, int>& groups =
      pattern.regex().re2().NamedCapturingGroups();
  for (std::string_view rest = rewrite; !rest.empty();) {
    const size_t open = std::min(rest.find('{'), rest.size());
    const std::string_view literal = rest.substr(0, open);
    if (!std::all_of(literal.begin(), literal.end(),
                     [](char c) { return IsLiteralChar(c) || c == '/'; })) {
      return RewriteError(rewrite, "not a character of a literal");
    }
    if (!literal.empty()) result.parts_.push_back({std::string(literal), 0});
    if (open == rest.size()) break;
    const size_t close = rest.find('}', open);
    if (close == std::string_view::npos) {
      return RewriteError(rewrite, "\"{\" without \"}\"");
    }
    const auto group =
        groups.find(std::string(rest.substr(open + 1, close - open - 1)));
    if (group == groups.end()) {
      return RewriteError(rewrite, "a variable that is not in the pattern");
    }
    result.parts_.push_back({std::string(), group->second});
    rest.remove_prefix(close + 1);
  }
  return result;
}

std::string UriTemplateRewriter::Rewrite(std::string_view path) const {
  std::vector<re2::StringPiece> groups(
      1 + static_cast<size_t>(regex_.re2().NumberOfCapturingGroups()));
  if (!regex_.re2().Match(re2::StringPiece(path.data(), path.size()), 0,
                          path.size(), re2::RE2::ANCHOR_BOTH, groups.data(),
                          static_cast<int>(groups.size()))) {
    return std::string(path);
  }
  std::string out;
  for (const Part& part : parts_) {
    if (part.group == 0) {
      out += part.literal;
    } else {
      const re2::StringPiece& group = groups[static_cast<size_t>(part.group)];
      out.append(group.data(), group.size());
    }
  }
  return out;
}

}  // namespace meshlib::routing
