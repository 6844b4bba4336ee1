#include "xds/convert_matchers.h"

#include <re2/re2.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/strings.h"
#include "model/regex.h"
#include "xds/convert_values.h"

namespace meshlib::xds {
namespace {

namespace matcher = envoy::type::matcher::v3;
namespace route = envoy::config::route::v3;

constexpr int kDefaultMaxProgramSize = 100;  // Envoy's
constexpr size_t kMaxRegexBytes = 64 * 1024;

void CheckProgramSize(const matcher::RegexMatcher& in, int size,
                      const RouteContext& context) {
  const auto& engine = in.google_re2();
  if (engine.has_max_program_size()) {
    const uint32_t limit = engine.max_program_size().value();
    if (static_cast<uint32_t>(size) > limit) {
      context.errors.Error(absl::StrCat("the regex has a program size of ",
                                        size, " > max_program_size ", limit));
    }
    return;
  }
  if (size > kDefaultMaxProgramSize && context.deferred != nullptr) {
    context.deferred->regexes.push_back({context.errors.path(), size});
  }
}

model::StringMatcher Exactly(model::StringMatcher::Kind kind,
                             const std::string& value) {
  model::StringMatcher out;
  out.kind = kind;
  out.value = value;
  return out;
}

model::StringMatcher FromRegex(const matcher::RegexMatcher& in,
                               std::string_view field,
                               const RouteContext& context) {
  ScopedField scope(context.errors, field);
  CheckRegex(in, context);
  return Exactly(model::StringMatcher::Kind::kRegex, in.regex());
}

}  // namespace

void RouteContext::NeedCluster(std::string_view field,
                               const std::string& cluster) const {
  if (deferred == nullptr || !validate_clusters || cluster.empty()) return;
  ScopedField scope(errors, field);
  deferred->clusters.push_back({errors.path(), cluster, true});
}

void CheckRegex(const matcher::RegexMatcher& in, const RouteContext& context) {
  if (in.regex().size() > kMaxRegexBytes) {
    context.errors.ErrorAt(
        "regex", absl::StrCat("is ", in.regex().size(),
                              " bytes long, want at most ", kMaxRegexBytes));
    return;
  }
  const re2::RE2 regex(in.regex(), model::RegexOptions());
  if (!regex.ok()) {
    context.errors.ErrorAt("regex",
                           absl::StrCat(Quoted(in.regex()), ": ",
                                        base::Excerpt(regex.error(), 200)));
    return;
  }
  CheckProgramSize(in, regex.ProgramSize(), context);
}

model::StringMatcher ConvertStringMatcher(const matcher::StringMatcher& in,
                                          const RouteContext& context) {
  using Kind = model::StringMatcher::Kind;
  model::StringMatcher out;
  switch (in.match_pattern_case()) {
    case matcher::StringMatcher::kExact:
      out = Exactly(Kind::kExact, in.exact());
      break;
    case matcher::StringMatcher::kPrefix:
      out = Exactly(Kind::kPrefix, in.prefix());
      break;
    case matcher::StringMatcher::kSuffix:
      out = Exactly(Kind::kSuffix, in.suffix());
      break;
    case matcher::StringMatcher::kContains:
      out = Exactly(Kind::kContains, in.contains());
      break;
    case matcher::StringMatcher::kSafeRegex:
      if (in.ignore_case()) {
        context.errors.ErrorAt("ignore_case",
                               "has no effect on safe_regex; write (?i) into "
                               "the regex");
      }
      return FromRegex(in.safe_regex(), "safe_regex", context);
    case matcher::StringMatcher::kCustom:
    case matcher::StringMatcher::MATCH_PATTERN_NOT_SET:
      break;  // refused by the ledger or the rules
  }
  out.ignore_case = in.ignore_case();
  return out;
}

namespace {

void ConvertHeaderPattern(const route::HeaderMatcher& in,
                          const RouteContext& context,
                          model::HeaderMatcher& out) {
  using StringKind = model::StringMatcher::Kind;
  using Kind = model::HeaderMatcher::Kind;
  out.kind = Kind::kString;
  switch (in.header_match_specifier_case()) {
    case route::HeaderMatcher::kExactMatch:
      // As in Envoy: an empty exact_match asks for presence.
      if (in.exact_match().empty()) out.kind = Kind::kPresent;
      out.string = Exactly(StringKind::kExact, in.exact_match());
      break;
    case route::HeaderMatcher::kSafeRegexMatch:
      out.string =
          FromRegex(in.safe_regex_match(), "safe_regex_match", context);
      break;
    case route::HeaderMatcher::kRangeMatch:
      out.kind = Kind::kRange;
      out.range_start = in.range_match().start();
      out.range_end = in.range_match().end();
      if (out.range_start >= out.range_end) {
        context.errors.WarningAt("range_match",
                                 "is empty: no header ever matches");
      }
      break;
    case route::HeaderMatcher::kPresentMatch:
      out.kind = in.present_match() ? Kind::kPresent : Kind::kAbsent;
      break;
    case route::HeaderMatcher::kPrefixMatch:
      out.string = Exactly(StringKind::kPrefix, in.prefix_match());
      break;
    case route::HeaderMatcher::kSuffixMatch:
      out.string = Exactly(StringKind::kSuffix, in.suffix_match());
      break;
    case route::HeaderMatcher::kContainsMatch:
      out.string = Exactly(StringKind::kContains, in.contains_match());
      break;
    case route::HeaderMatcher::kStringMatch: {
      ScopedField scope(context.errors, "string_match");
      out.string = ConvertStringMatcher(in.string_match(), context);
      break;
    }
    case route::HeaderMatcher::HEADER_MATCH_SPECIFIER_NOT_SET:
      out.kind = Kind::kPresent;
      break;
  }
}

}  // namespace

model::HeaderMatcher ConvertHeaderMatcher(const route::HeaderMatcher& in,
                                          const RouteContext& context) {
  model::HeaderMatcher out;
  out.name = base::LowerAscii(in.name());
  out.invert_match = in.invert_match();
  out.treat_missing_header_as_empty = in.treat_missing_header_as_empty();
  ConvertHeaderPattern(in, context, out);
  return out;
}

std::vector<model::HeaderMatcher> ConvertHeaderMatchers(
    const ::google::protobuf::RepeatedPtrField<route::HeaderMatcher>& in,
    std::string_view field, const RouteContext& context) {
  std::vector<model::HeaderMatcher> out;
  for (int i = 0; i < in.size(); ++i) {
    ScopedField scope(context.errors, field, i);
    out.push_back(ConvertHeaderMatcher(in[i], context));
  }
  return out;
}

model::QueryParameterMatcher ConvertQueryParameterMatcher(
    const route::QueryParameterMatcher& in, const RouteContext& context) {
  model::QueryParameterMatcher out;
  out.name = in.name();
  if (in.has_string_match()) {
    out.present_match = false;
    ScopedField scope(context.errors, "string_match");
    out.string = ConvertStringMatcher(in.string_match(), context);
  } else if (in.query_parameter_match_specifier_case() ==
             route::QueryParameterMatcher::kPresentMatch) {
    out.present_match_inverted = !in.present_match();
  }
  return out;
}

model::HeaderMatcher ConvertCookieMatcher(const route::CookieMatcher& in,
                                          const RouteContext& context) {
  model::HeaderMatcher out;
  out.name = in.name();
  out.kind = model::HeaderMatcher::Kind::kString;
  out.invert_match = in.invert_match();
  ScopedField scope(context.errors, "string_match");
  out.string = ConvertStringMatcher(in.string_match(), context);
  return out;
}

model::Fraction ConvertFraction(
    const envoy::config::core::v3::RuntimeFractionalPercent& in) {
  using Percent = envoy::type::v3::FractionalPercent;
  model::Fraction out;
  out.numerator = in.default_value().numerator();
  switch (in.default_value().denominator()) {
    case Percent::TEN_THOUSAND:
      out.denominator = 10000;
      break;
    case Percent::MILLION:
      out.denominator = 1000000;
      break;
    default:
      out.denominator = 100;
      break;
  }
  out.runtime_key = in.runtime_key();
  return out;
}

model::RegexRewrite ConvertRegexRewrite(
    const matcher::RegexMatchAndSubstitute& in, const RouteContext& context) {
  const size_t errors_before = context.errors.error_count();
  {
    ScopedField scope(context.errors, "pattern");
    CheckRegex(in.pattern(), context);
  }
  if (context.errors.error_count() == errors_before) {
    const re2::RE2 regex(in.pattern().regex(), model::RegexOptions());
    std::string why;
    if (regex.ok() && !regex.CheckRewriteString(in.substitution(), &why)) {
      context.errors.ErrorAt("substitution",
                             absl::StrCat(Quoted(in.substitution()), ": ",
                                          base::Excerpt(why, 200)));
    }
  }
  return {in.pattern().regex(), in.substitution()};
}

}  // namespace meshlib::xds
