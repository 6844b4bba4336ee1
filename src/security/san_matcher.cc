#include "security/san_matcher.h"

#include <arpa/inet.h>

#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"
#include "base/strings.h"
#include "model/regex.h"

namespace meshlib::security {
namespace {

using Kind = model::StringMatcher::Kind;

const char* TypeName(SanMatcher::Type type) {
  switch (type) {
    case SanMatcher::Type::kEmail:
      return "EMAIL";
    case SanMatcher::Type::kDns:
      return "DNS";
    case SanMatcher::Type::kUri:
      return "URI";
    case SanMatcher::Type::kIpAddress:
      return "IP_ADDRESS";
    case SanMatcher::Type::kOtherName:
      return "OTHER_NAME";
  }
  return "?";
}

const char* KindName(Kind kind) {
  switch (kind) {
    case Kind::kExact:
      return "exact";
    case Kind::kPrefix:
      return "prefix";
    case Kind::kSuffix:
      return "suffix";
    case Kind::kContains:
      return "contains";
    case Kind::kRegex:
      return "regex";
  }
  return "?";
}

const std::vector<std::string>& NamesOf(const PeerIdentity& identity,
                                        SanMatcher::Type type) {
  switch (type) {
    case SanMatcher::Type::kEmail:
      return identity.emails;
    case SanMatcher::Type::kDns:
      return identity.dns_names;
    case SanMatcher::Type::kUri:
      return identity.uris;
    case SanMatcher::Type::kIpAddress:
    case SanMatcher::Type::kOtherName:
      break;
  }
  return identity.ip_addresses;
}

// The address as inet_ntop writes it; nullopt: no address.
std::optional<std::string> NormalAddress(const std::string& text) {
  const int family = text.find(':') == std::string::npos ? AF_INET : AF_INET6;
  unsigned char bytes[16];
  char out[INET6_ADDRSTRLEN];
  if (inet_pton(family, text.c_str(), bytes) != 1 ||
      inet_ntop(family, bytes, out, sizeof(out)) == nullptr) {
    return std::nullopt;
  }
  return out;
}

std::string Describe(const SanMatcher& config) {
  return absl::StrCat(TypeName(config.san_type), " ",
                      KindName(config.matcher.kind), " ",
                      base::Excerpt(config.matcher.value, 200));
}

}  // namespace

bool DnsNameMatches(std::string_view pattern, std::string_view name) {
  if (base::EqualsIgnoreCase(pattern, name)) return true;
  if (pattern.substr(0, 2) != "*.") return false;
  const std::string_view parent = pattern.substr(1);
  const size_t dot = name.find('.');
  // One label at least below a parent of two ("*.com" covers nothing), and
  // no "*" in the name: a wildcard is no host.
  return dot != std::string_view::npos && dot > 0 &&
         parent.find('.', 1) != std::string_view::npos &&
         name.find('*') == std::string_view::npos &&
         base::EqualsIgnoreCase(name.substr(dot), parent);
}

absl::StatusOr<CompiledSanMatcher> CompiledSanMatcher::Create(
    const SanMatcher& config) {
  SanMatcher normal = config;
  if (config.matcher.value.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "match_typed_subject_alt_names: ", Describe(config), ": is empty"));
  }
  if (config.san_type == SanMatcher::Type::kOtherName && config.oid.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "match_typed_subject_alt_names: ", Describe(config), ": has no oid"));
  }
  if (config.matcher.kind == Kind::kRegex &&
      !model::CompileRegex(config.matcher.value)->ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("match_typed_subject_alt_names: ", Describe(config),
                     ": does not compile"));
  }
  if (config.san_type == SanMatcher::Type::kIpAddress &&
      config.matcher.kind == Kind::kExact) {
    const auto address = NormalAddress(config.matcher.value);
    if (!address) {
      return absl::InvalidArgumentError(
          absl::StrCat("match_typed_subject_alt_names: ", Describe(config),
                       ": is no IP address"));
    }
    normal.matcher.value = *address;
  }
  return CompiledSanMatcher(normal);
}

CompiledSanMatcher::CompiledSanMatcher(const SanMatcher& config)
    : config_(config), text_(config.matcher) {}

bool CompiledSanMatcher::Matches(const PeerIdentity& identity) const {
  if (config_.san_type == SanMatcher::Type::kOtherName) {
    const auto& others = identity.other_names;
    return std::any_of(others.begin(), others.end(), [&](const auto& other) {
      return other.oid == config_.oid && text_.Matches(other.value);
    });
  }
  const auto& names = NamesOf(identity, config_.san_type);
  const bool as_dns = config_.san_type == SanMatcher::Type::kDns &&
                      config_.matcher.kind == Kind::kExact;
  return std::any_of(names.begin(), names.end(), [&](const std::string& name) {
    return as_dns ? DnsNameMatches(name, config_.matcher.value)
                  : text_.Matches(name);
  });
}

std::string CompiledSanMatcher::ToString() const { return Describe(config_); }

}  // namespace meshlib::security
