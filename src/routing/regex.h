#ifndef MESHLIB_ROUTING_REGEX_H_
#define MESHLIB_ROUTING_REGEX_H_

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "model/route.h"

namespace re2 {
class RE2;
}  // namespace re2

namespace meshlib::routing {

// RE2's syntax, as everywhere in Envoy's API. Matching takes time linear in
// the text and bounded memory, whatever the regex is. RE2 builds its automaton
// while it matches, under a lock of its own: the first matches of a regex
// allocate.
class Regex {
 public:
  // InvalidArgument with RE2's own words, and the regex, if it does not
  // compile.
  static absl::StatusOr<Regex> Compile(std::string_view pattern);

  // The whole text must match.
  bool Matches(std::string_view text) const;

  // What every text that matches begins with, as far as RE2 tells: cut after
  // some bytes, and maybe empty.
  std::string Prefix() const;

  const re2::RE2& re2() const { return *regex_; }

 private:
  explicit Regex(std::shared_ptr<const re2::RE2> regex)
      : regex_(std::move(regex)) {}

  std::shared_ptr<const re2::RE2> regex_;
};

// Several regexes in one automaton: one pass over a text tells whether any of
// them matches it all. As Regex otherwise.
class RegexGroup {
 public:
  // With more regexes the automaton grows faster than it saves time.
  static constexpr size_t kSize = 32;

  explicit RegexGroup(const std::vector<const Regex*>& regexes);
  RegexGroup(RegexGroup&& other) noexcept;
  RegexGroup& operator=(RegexGroup&& other) noexcept;
  ~RegexGroup();

  // False only if none of the regexes matches. True without a match if RE2 has
  // too little memory for the group.
  bool MayMatch(std::string_view text) const;

 private:
  struct Automaton;  // keeps RE2 out of this header

  std::unique_ptr<const Automaton> automaton_;  // null: not to be had
};

// Replaces every match in a text by a substitution with \0 to \9.
class RegexReplacer {
 public:
  // InvalidArgument too if the substitution names a group that is not there.
  static absl::StatusOr<RegexReplacer> Compile(
      const model::RegexRewrite& config);

  std::string Replace(std::string_view text) const;

 private:
  RegexReplacer(Regex regex, std::string substitution)
      : regex_(std::move(regex)), substitution_(std::move(substitution)) {}

  Regex regex_;
  std::string substitution_;
};

}  // namespace meshlib::routing

#endif  // MESHLIB_ROUTING_REGEX_H_
