#ifndef MESHLIB_ROUTING_REQUEST_FIELDS_H_
#define MESHLIB_ROUTING_REQUEST_FIELDS_H_

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "meshlib/request.h"
#include "model/headers.h"

namespace meshlib::routing {

// Parts of a request as Envoy's router cuts them. Nothing here allocates; the
// answers are views into the request.

// The path up to the first '?' or '#'.
std::string_view PathOf(std::string_view path_and_query);

// The first value of a query parameter, not decoded ("" for a bare name).
std::optional<std::string_view> QueryParameter(std::string_view path_and_query,
                                               std::string_view name);

// The first value of a cookie, without the double quotes around it.
std::optional<std::string_view> Cookie(const Request& request,
                                       std::string_view name);

// What a header name in lower case says; knows :authority, :path, :method and
// :scheme, and "host" as a name of :authority where no such header stands.
// An empty pseudo-header counts as missing. `count`, if given, becomes the
// number of values.
std::optional<std::string_view> FirstHeader(const Request& request,
                                            std::string_view name,
                                            size_t* count = nullptr);

// The same as Envoy's router reads one value: a name that its codec joins
// (model::IsJoinedHeader) has all values in one, others the first. With several
// to join it allocates and points into `storage`.
std::optional<std::string_view> HeaderValue(const Request& request,
                                            std::string_view name,
                                            std::string& storage);

// The cluster that a header names: "" for none, and where it has several values
// to join, whose list is no name.
std::string_view ClusterInHeader(const Request& request, std::string_view name);

// Calls visit(value) for each value of an ordinary header, in order.
template <typename Visit>
void ForEachHeader(const Request& request, std::string_view name, Visit visit) {
  for (const Header& header : request.headers) {
    if (model::SameHeaderName(header.name, name)) visit(header.value);
  }
}

// By which scheme the client came: x-forwarded-proto, as a proxy in between
// may have said, else the request's own. `storage` as above.
std::string_view ClientScheme(const Request& request, std::string& storage);

// CONNECT, or an upgrade to connect-udp.
bool IsConnect(const Request& request);

// Where ":port" begins; npos if there is none. Knows IPv6 in brackets.
size_t PortStart(std::string_view authority);

}  // namespace meshlib::routing

#endif  // MESHLIB_ROUTING_REQUEST_FIELDS_H_
