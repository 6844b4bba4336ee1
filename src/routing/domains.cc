#include "routing/domains.h"

#include <string>

#include "routing/domain_index.h"
#include "routing/request_fields.h"

namespace meshlib::routing {
namespace {

bool AnyMatch(const model::RouteConfig& routes, std::string_view authority,
              bool with_any) {
  DomainIndex index;
  for (const model::VirtualHost& host : routes.virtual_hosts) {
    for (const std::string& domain : host.domains) {
      if (!with_any && domain == "*") continue;
      // A domain that stands twice is refused elsewhere.
      index.Add(domain, 0).IgnoreError();
    }
  }
  if (index.Find(authority) != DomainIndex::kNone) return true;
  const size_t port = PortStart(authority);
  return port != std::string_view::npos &&
         index.Find(authority.substr(0, port)) != DomainIndex::kNone;
}

}  // namespace

bool KnowsHost(const model::RouteConfig& routes, std::string_view authority) {
  return AnyMatch(routes, authority, true);
}

bool NamesHost(const model::RouteConfig& routes, std::string_view authority) {
  return AnyMatch(routes, authority, false);
}

}  // namespace meshlib::routing
