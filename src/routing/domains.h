#ifndef MESHLIB_ROUTING_DOMAINS_H_
#define MESHLIB_ROUTING_DOMAINS_H_

#include <string_view>

#include "model/route.h"

namespace meshlib::routing {

// Which route tables could be meant by an authority: for choosing a listener,
// not for routing. The authority is tried with and without its port. Pure;
// looks at every domain.

// Some virtual host matches the authority.
bool KnowsHost(const model::RouteConfig& routes, std::string_view authority);

// Some virtual host matches it by more than "*".
bool NamesHost(const model::RouteConfig& routes, std::string_view authority);

}  // namespace meshlib::routing

#endif  // MESHLIB_ROUTING_DOMAINS_H_
