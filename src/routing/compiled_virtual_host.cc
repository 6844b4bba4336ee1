#include "routing/compiled_virtual_host.h"

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
      case model::PathMatcher::Kind::kRegex:
      case model::PathMatcher::Kind::kConnect:
      case model::PathMatcher::Kind::kUriTemplate:
        others_.Add(position);
        break;
    }
  }
  exact_case_.Build(routes_);
  any_case_.Build(routes_);
  others_.Index(routes_);
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
    }
    if (host_.others_.empty()) return;
    // The conditions first, as they cost less than a regex.
    best_ = host_.others_.FirstBelow(best_, request_, [&](uint32_t position) {
      return ConditionsHold(position) &&
             host_.routes_[position]->matcher().PathMatches(request_, path);
    });
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
  bool ConditionsHold(uint32_t position) const {
    return host_.unconditional_[position] ||
           host_.routes_[position]->matcher().ConditionsHold(request_, random_);
  }

  const CompiledVirtualHost& host_;
  const Request& request_;
  const uint64_t random_;
  uint32_t best_;
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
  if (request.scheme == "https") return false;
  return config_->require_tls == Requirement::kAll ||
         FirstHeader(request, "x-envoy-internal").value_or("") != "true";
}

}  // namespace meshlib::routing
