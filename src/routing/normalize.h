#ifndef MESHLIB_ROUTING_NORMALIZE_H_
#define MESHLIB_ROUTING_NORMALIZE_H_

#include <string>
#include <string_view>
#include <vector>

#include "meshlib/request.h"
#include "model/listener.h"

namespace meshlib::routing {

// The text of a request that was changed: what its views point to then.
struct NormalizedText {
  std::string authority;
  std::string path;
  std::vector<Header> headers;
};

enum class Normalized {
  kRoutable,
  kRejected,    // the path is none, or has slashes that are refused
  kRedirected,  // the client is to ask again with the path
};

// Changes a request's scheme, authority and path as Envoy's connection manager
// does before it routes: escaped slashes, then the path's canonical form, then
// double slashes; the host's last dot, then its port. A new scheme is also that
// of x-forwarded-proto, if it stands. Allocates only what changes. `rules` and
// `text` must live as long as the request is used.
Normalized NormalizeRequest(const model::RequestNormalization& rules,
                            Request& request, NormalizedText& text);

// The authority alone.
std::string_view NormalizeAuthority(const model::RequestNormalization& rules,
                                    std::string_view authority,
                                    NormalizedText& text);

}  // namespace meshlib::routing

#endif  // MESHLIB_ROUTING_NORMALIZE_H_
