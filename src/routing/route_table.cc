#include "routing/route_table.h"

#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/strings.h"
#include "routing/request_fields.h"

namespace meshlib::routing {

absl::StatusOr<std::shared_ptr<const RouteTable>> RouteTable::Compile(
    std::shared_ptr<const model::RouteConfig> config,
    const model::Runtime& runtime) {
  if (config == nullptr) return absl::InvalidArgumentError("no route config");
  std::shared_ptr<RouteTable> table(new RouteTable(std::move(config)));
  const absl::Status status = table->CompileAll(runtime);
  if (status.ok()) return std::shared_ptr<const RouteTable>(std::move(table));
  return absl::Status(
      status.code(),
      absl::StrCat("route config \"", base::Excerpt(table->config_->name),
                   "\": ", status.message()));
}

absl::Status RouteTable::CompileAll(const model::Runtime& runtime) {
  const model::HeaderMutations& headers = config_->headers;
  absl::StatusOr<HeaderRules> rules = HeaderRules::Compile(
      headers.request_headers_to_add, headers.request_headers_to_remove);
  if (!rules.ok()) return rules.status();
  request_headers_ = *std::move(rules);
  rules = HeaderRules::Compile(headers.response_headers_to_add,
                               headers.response_headers_to_remove);
  if (!rules.ok()) return rules.status();
  response_headers_ = *std::move(rules);
  size_t routes = 0;
  for (const model::VirtualHost& host : config_->virtual_hosts) {
    absl::StatusOr<std::unique_ptr<const CompiledVirtualHost>> compiled =
        CompiledVirtualHost::Compile(host, *config_, request_headers_,
                                     response_headers_, routes, runtime);
    if (!compiled.ok()) return compiled.status();
    routes += host.routes.size();
    const auto index = static_cast<uint32_t>(virtual_hosts_.size());
    virtual_hosts_.push_back(*std::move(compiled));
    for (const std::string& domain : host.domains) {
      const absl::Status status = domains_.Add(domain, index);
      if (status.ok()) continue;
      return absl::Status(
          status.code(),
          absl::StrCat("virtual host \"", base::Excerpt(host.name),
                       "\": ", status.message()));
    }
  }
  return absl::OkStatus();
}

const CompiledVirtualHost* RouteTable::FindVirtualHost(
    std::string_view authority) const {
  if (config_->ignore_port_in_host_matching) {
    authority = authority.substr(0, PortStart(authority));
  }
  const uint32_t index = domains_.Find(authority);
  return index == DomainIndex::kNone ? nullptr : virtual_hosts_[index].get();
}

RouteTable::Match RouteTable::Find(const Request& request,
                                   uint64_t random) const {
  Match match;
  match.virtual_host = FindVirtualHost(request.authority);
  if (match.virtual_host == nullptr) return match;
  match.wants_tls = match.virtual_host->WantsTls(request);
  if (!match.wants_tls) {
    match.route = match.virtual_host->Find(request, random);
  }
  return match;
}

RouteTable::Match RouteTable::Explain(const Request& request, uint64_t random,
                                      std::vector<Rejected>* rejected) const {
  Match match;
  match.virtual_host = FindVirtualHost(request.authority);
  if (match.virtual_host == nullptr) {
    rejected->push_back({"", "",
                         absl::StrCat("no virtual host has a domain for \"",
                                      base::Excerpt(request.authority), "\"")});
    return match;
  }
  match.wants_tls = match.virtual_host->WantsTls(request);
  if (match.wants_tls) {
    const model::VirtualHost& host = match.virtual_host->config();
    std::string storage;
    rejected->push_back(
        {host.name, "",
         absl::StrCat(
             "require_tls ",
             host.require_tls == model::VirtualHost::TlsRequirement::kAll
                 ? "ALL"
                 : "EXTERNAL_ONLY",
             ": want https, got \"",
             base::Excerpt(ClientScheme(request, storage)),
             "\", which is answered with 301 to https")});
    return match;
  }
  const std::string_view path = PathOf(request.path);
  for (const auto& route : match.virtual_host->routes()) {
    std::optional<std::string> reason =
        route->matcher().WhyNot(request, path, random);
    if (!reason.has_value()) {
      match.route = route.get();
      break;
    }
    rejected->push_back({match.virtual_host->config().name, route->label(),
                         *std::move(reason)});
  }
  return match;
}

}  // namespace meshlib::routing
