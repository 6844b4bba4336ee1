#include "routing/hash_policy.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "base/hash.h"
#include "base/strings.h"
#include "routing/request_fields.h"

namespace meshlib::routing {

absl::StatusOr<HashPolicies> HashPolicies::Compile(
    const std::vector<model::HashPolicy>& configs) {
  HashPolicies result;
  for (const model::HashPolicy& config : configs) {
    Policy policy;
    policy.config = config;
    if (config.kind == model::HashPolicy::Kind::kHeader) {
      policy.config.name = base::LowerAscii(config.name);
      if (config.regex_rewrite.has_value()) {
        absl::StatusOr<RegexReplacer> replacer =
            RegexReplacer::Compile(*config.regex_rewrite);
        if (!replacer.ok()) return replacer.status();
        policy.replacer = *std::move(replacer);
      }
    }
    result.policies_.push_back(std::move(policy));
  }
  return result;
}

std::optional<uint64_t> HashPolicies::Hash(const Request& request) const {
  std::optional<uint64_t> hash;
  for (const Policy& policy : policies_) {
    const std::optional<uint64_t> next = HashOf(policy, request);
    if (next.has_value()) {
      // Rotated first, so that two equal policies do not cancel out.
      const uint64_t before = hash.value_or(0);
      hash = ((before << 1) | (before >> 63)) ^ *next;
    }
    if (policy.config.terminal && hash.has_value()) break;
  }
  return hash;
}

std::optional<uint64_t> HashPolicies::HashOf(const Policy& policy,
                                             const Request& request) {
  std::optional<std::string_view> value;
  switch (policy.config.kind) {
    case model::HashPolicy::Kind::kHeader:
      return HashOfHeader(policy, request);
    case model::HashPolicy::Kind::kCookie:
      value = Cookie(request, policy.config.name);
      if (value.has_value() && value->empty()) return std::nullopt;
      break;
    case model::HashPolicy::Kind::kSourceIp:
      if (!request.source_ip.empty()) value = request.source_ip;
      break;
    case model::HashPolicy::Kind::kQueryParameter:
      value = QueryParameter(request.path, policy.config.name);
      break;
    case model::HashPolicy::Kind::kFilterState:
      break;
  }
  if (!value.has_value()) return std::nullopt;
  return base::XxHash64(*value);
}

std::optional<uint64_t> HashPolicies::HashOfHeader(const Policy& policy,
                                                   const Request& request) {
  absl::InlinedVector<std::string_view, 8> values;
  std::string joined;
  if (model::IsJoinedHeader(policy.config.name)) {
    const auto value =
        model::JoinedHeader(request.headers, policy.config.name, joined);
    if (value.has_value()) values.push_back(*value);
  } else {
    ForEachHeader(request, policy.config.name,
                  [&values](std::string_view v) { values.push_back(v); });
  }
  if (values.empty()) {
    const std::optional<std::string_view> pseudo =
        FirstHeader(request, policy.config.name);
    if (!pseudo.has_value()) return std::nullopt;
    values.push_back(*pseudo);
  }
  absl::InlinedVector<std::string, 1> replaced;
  if (policy.replacer.has_value()) {
    replaced.reserve(values.size());
    for (std::string_view& value : values) {
      replaced.push_back(policy.replacer->Replace(value));
      value = replaced.back();
    }
  }
  std::sort(values.begin(), values.end());
  uint64_t hash = 0;
  for (const std::string_view value : values) {
    hash = base::XxHash64(value, hash);
  }
  return hash;
}

}  // namespace meshlib::routing
