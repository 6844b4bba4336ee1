#include "routing/compiled_virtual_host.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/strings.h"
#include "routing/request_fields.h"

namespace meshlib::routing {
namespace {

absl::Status Annotate(const absl::Status& status, const std::string& where) {
  return absl::Status(status.code(),
                      absl::StrCat(where, ": ", status.message()));
}

}  // namespace

absl::StatusOr<std::unique_ptr<const CompiledVirtualHost>>
CompiledVirtualHost::Compile(const model::VirtualHost& config,
                             const model::RouteConfig& table,
                             const HeaderRules& table_request_headers,
                             const HeaderRules& table_response_headers,
                             size_t routes_before,
                             const model::Runtime& runtime) {
  const std::string where =
      absl::StrCat("virtual host \"", base::Excerpt(config.name), "\"");
  std::unique_ptr<CompiledVirtualHost> host(new CompiledVirtualHost(config));
  absl::StatusOr<HeaderRules> rules =
      HeaderRules::Compile(config.headers.request_headers_to_add,
                           config.headers.request_headers_to_remove);
  if (!rules.ok()) return Annotate(rules.status(), where);
  host->request_headers_ = *std::move(rules);
  rules = HeaderRules::Compile(config.headers.response_headers_to_add,
                               config.headers.response_headers_to_remove);
  if (!rules.ok()) return Annotate(rules.status(), where);
  host->response_headers_ = *std::move(rules);

  const RouteParents parents{&table,
                             &config,
                             &table_request_headers,
                             &table_response_headers,
                             &host->request_headers_,
                             &host->response_headers_,
                             routes_before};
  for (size_t i = 0; i < config.routes.size(); ++i) {
    absl::StatusOr<std::unique_ptr<const CompiledRoute>> route =
        CompiledRoute::Compile(config.routes[i], parents, i, runtime);
    if (!route.ok()) {
      return Annotate(route.status(), absl::StrCat(where, ": routes[", i, "]"));
    }
    host->routes_.push_back(*std::move(route));
  }
  host->IndexRoutes();
  return std::unique_ptr<const CompiledVirtualHost>(std::move(host));
}

void CompiledVirtualHost::IndexRoutes() {
  for (size_t i = 0; i < routes_.size(); ++i) {
    const auto position = static_cast<uint32_t>(i);
    unconditional_.push_back(routes_[i]->matcher().unconditional());
    const model::PathMatcher& path = config_->routes[i].match.path;
    PathTrie& trie = path.case_sensitive ? exact_case_ : any_case_;
    switch (path.kind) {
      case model::PathMatcher::Kind::kPrefix:
        trie.Add(path.value, PathTrie::Kind::kPrefix, position);
        break;
      case model::PathMatcher::Kind::kExact:
        trie.Add(path.value, PathTrie::Kind::kExact, position);
        break;
      case model::PathMatcher::Kind::kPathSeparatedPrefix:
        trie.Add(path.value, PathTrie::Kind::kPathSeparatedPrefix, position);
        break;
      case model::PathMatcher::Kind::kConnect:
        connects_.Add(position);
        break;
      case model::PathMatcher::Kind::kRegex:
      case model::PathMatcher::Kind::kUriTemplate:
        break;
    }
  }
  IndexRegexes();
  exact_case_.Build(routes_);
  any_case_.Build(routes_);
  connects_.Index(routes_);
}

void CompiledVirtualHost::IndexRegexes() {
  std::map<std::string, std::vector<uint32_t>> by_prefix;
  for (size_t i = 0; i < routes_.size(); ++i) {
    const Regex* regex = routes_[i]->matcher().path_regex();
    if (regex == nullptr) continue;
    by_prefix[regex->Prefix()].push_back(static_cast<uint32_t>(i));
  }
  regex_group_of_.resize(routes_.size(), kNoGroup);
  for (const auto& [prefix, positions] : by_prefix) {
    for (const uint32_t position : positions) {
      regexes_.Add(prefix, PathTrie::Kind::kPrefix, position);
    }
    // One group alone would save nothing where one of its regexes matches.
    if (positions.size() > RegexGroup::kSize) GroupRegexes(positions);
  }
  regexes_.Build(routes_);
}

void CompiledVirtualHost::GroupRegexes(const std::vector<uint32_t>& positions) {
  for (size_t begin = 0; begin < positions.size(); begin += RegexGroup::kSize) {
    const size_t end = std::min(begin + RegexGroup::kSize, positions.size());
    std::vector<const Regex*> regexes;
    for (size_t i = begin; i < end; ++i) {
      regexes.push_back(routes_[positions[i]]->matcher().path_regex());
      regex_group_of_[positions[i]] =
          static_cast<uint32_t>(regex_groups_.size());
    }
    regex_groups_.emplace_back(regexes);
  }
}

// Every list gives its own first match; the least of them is the first in the
// order of the routes. Whatever cannot beat it is not tried.
class CompiledVirtualHost::Search {
 public:
  Search(const CompiledVirtualHost& host, const Request& request,
         uint64_t random)
      : host_(host),
        request_(request),
        random_(random),
        best_(static_cast<uint32_t>(host.routes_.size())) {}

  void Run() {
    const std::string_view path = PathOf(request_.path);
    if (!request_.path.empty()) {
      const auto visit = [this](const auto& found) { Try(found); };
      host_.exact_case_.Walk(path, visit);
      host_.any_case_.Walk(path, visit);
      // Last, as they cost most.
      host_.regexes_.Walk(
          path, [this, path](const auto& found) { TryRegexes(found, path); });
    }
    if (host_.connects_.empty() || !IsConnect(request_)) return;
    Try(host_.connects_);
  }

  const CompiledRoute* found() const {
    return best_ == host_.routes_.size() ? nullptr : host_.routes_[best_].get();
  }

 private:
  void Try(uint32_t position) {
    if (position < best_ && ConditionsHold(position)) best_ = position;
  }
  void Try(const Candidates& list) {
    best_ = list.FirstBelow(best_, request_, [this](uint32_t position) {
      return ConditionsHold(position);
    });
  }
  void TryRegexes(uint32_t position, std::string_view path) {
    if (position < best_ && RegexHolds(position, path)) best_ = position;
  }
  void TryRegexes(const Candidates& list, std::string_view path) {
    best_ = list.FirstBelow(best_, request_, [this, path](uint32_t position) {
      return RegexHolds(position, path);
    });
  }
  // The conditions first, as they cost less than a regex.
  bool RegexHolds(uint32_t position, std::string_view path) {
    return ConditionsHold(position) && GroupMayMatch(position, path) &&
           host_.routes_[position]->matcher().path_regex()->Matches(path);
  }
  // The routes of a group come one after the other: its answer is kept.
  bool GroupMayMatch(uint32_t position, std::string_view path) {
    const uint32_t group = host_.regex_group_of_[position];
    if (group == kNoGroup) return true;
    if (group != group_) {
      group_ = group;
      group_may_match_ = host_.regex_groups_[group].MayMatch(path);
    }
    return group_may_match_;
  }
  bool ConditionsHold(uint32_t position) const {
    return host_.unconditional_[position] ||
           host_.routes_[position]->matcher().ConditionsHold(request_, random_);
  }

  const CompiledVirtualHost& host_;
  const Request& request_;
  const uint64_t random_;
  uint32_t best_;
  uint32_t group_ = kNoGroup;  // the one asked last
  bool group_may_match_ = false;
};

const CompiledRoute* CompiledVirtualHost::Find(const Request& request,
                                               uint64_t random) const {
  Search search(*this, request, random);
  search.Run();
  return search.found();
}

bool CompiledVirtualHost::WantsTls(const Request& request) const {
  using Requirement = model::VirtualHost::TlsRequirement;
  if (config_->require_tls == Requirement::kNone) return false;
  std::string storage;
  if (ClientScheme(request, storage) == "https") return false;
  return config_->require_tls == Requirement::kAll ||
         FirstHeader(request, "x-envoy-internal").value_or("") != "true";
}

}  // namespace meshlib::routing
