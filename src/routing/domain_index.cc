#include "routing/domain_index.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/strings.h"

namespace meshlib::routing {
namespace {

// Longer than any host name of the DNS with a port.
constexpr size_t kEverydaySize = 320;

uint32_t Lookup(const absl::flat_hash_map<std::string, uint32_t>& targets,
                std::string_view key) {
  const auto it = targets.find(base::ToAbsl(key));
  return it == targets.end() ? DomainIndex::kNone : it->second;
}

// The same without folding the case of the key first: for hosts that no stack
// buffer holds, one comparison per domain.
uint32_t LookupByScan(const absl::flat_hash_map<std::string, uint32_t>& targets,
                      std::string_view key) {
  for (const auto& [domain, target] : targets) {
    if (base::EqualsIgnoreCase(domain, key)) return target;
  }
  return DomainIndex::kNone;
}

}  // namespace

absl::Status DomainIndex::Add(std::string_view domain, uint32_t target) {
  std::string key = base::LowerAscii(domain);
  bool added = false;
  if (key.empty()) return absl::InvalidArgumentError("an empty domain");
  if (key == "*") {
    added = any_ == kNone;
    any_ = target;
  } else if (key.front() == '*') {
    added = InsertWildcard(suffixes_, key.substr(1), target);
  } else if (key.back() == '*') {
    key.pop_back();
    added = InsertWildcard(prefixes_, std::move(key), target);
  } else {
    added = Insert(exact_, std::move(key), target);
  }
  if (added) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "domain \"", base::Excerpt(domain), "\" stands more than once"));
}

bool DomainIndex::Insert(Targets& targets, std::string&& key, uint32_t target) {
  return targets.emplace(std::move(key), target).second;
}

bool DomainIndex::InsertWildcard(std::vector<Wildcards>& groups,
                                 std::string key, uint32_t target) {
  const size_t size = key.size();
  auto it = std::lower_bound(
      groups.begin(), groups.end(), size,
      [](const Wildcards& group, size_t s) { return group.size > s; });
  if (it == groups.end() || it->size != size) {
    it = groups.insert(it, Wildcards());
    it->size = size;
  }
  return Insert(it->targets, std::move(key), target);
}

uint32_t DomainIndex::Find(std::string_view host) const {
  if (exact_.empty() && suffixes_.empty() && prefixes_.empty()) return any_;
  std::array<char, kEverydaySize> lower;
  if (host.size() > lower.size()) return FindBy(host, LookupByScan);
  std::transform(host.begin(), host.end(), lower.begin(),
                 [](char c) { return base::LowerAscii(c); });
  return FindBy(std::string_view(lower.data(), host.size()), Lookup);
}

template <typename LookupIn>
uint32_t DomainIndex::FindBy(std::string_view host, LookupIn lookup) const {
  const uint32_t exact = lookup(exact_, host);
  if (exact != kNone) return exact;
  for (const Wildcards& group : suffixes_) {
    if (group.size >= host.size()) continue;
    const uint32_t found =
        lookup(group.targets, host.substr(host.size() - group.size));
    if (found != kNone) return found;
  }
  for (const Wildcards& group : prefixes_) {
    if (group.size >= host.size()) continue;
    const uint32_t found = lookup(group.targets, host.substr(0, group.size));
    if (found != kNone) return found;
  }
  return any_;
}

}  // namespace meshlib::routing
