#include "routing/redirect.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/strings.h"
#include "routing/request_fields.h"

namespace meshlib::routing {
namespace {

// Like PortStart, but an IPv6 address must stand in brackets to have a port.
size_t UriPortStart(std::string_view host) {
  if (host.empty() || host[0] != '[') return host.rfind(':');
  const size_t end = host.rfind("]:");
  return end == std::string_view::npos ? end : end + 1;
}

std::string_view HostFor(const Request& request, std::string_view scheme,
                         bool new_port) {
  const std::string_view host = request.authority;
  const size_t port_start = UriPortStart(host);
  if (port_start == std::string_view::npos) return host;
  const std::string_view port = host.substr(port_start);
  std::string storage;
  const std::string_view old_scheme = ClientScheme(request, storage);
  bool remove = new_port;
  if (scheme != old_scheme) {
    remove |= base::EqualsIgnoreCase(old_scheme, "https") && port == ":443";
    remove |= base::EqualsIgnoreCase(old_scheme, "http") && port == ":80";
  }
  return remove ? host.substr(0, port_start) : host;
}

}  // namespace

absl::StatusOr<Redirect> Redirect::Compile(const model::RedirectAction& config,
                                           const model::PathMatcher& match) {
  absl::StatusOr<PathRewriter> rewriter =
      PathRewriter::ForRedirect(config, match);
  if (!rewriter.ok()) return rewriter.status();
  return Redirect(config, *std::move(rewriter));
}

std::string Redirect::NewPath(const Request& request) const {
  std::string path =
      path_rewriter_.Rewrite(request.path).value_or(std::string(request.path));
  bool own_query = false;
  if (!config_.path_redirect.empty()) {
    own_query = config_.path_redirect.find('?') != std::string::npos;
    const size_t query = path.find('?');
    path = own_query || query == std::string::npos
               ? config_.path_redirect
               : config_.path_redirect + path.substr(query);
  }
  if (path.empty() || path[0] != '/') path.insert(0, 1, '/');
  // A query of path_redirect's own is meant to stay.
  if (config_.strip_query && !own_query) {
    path.erase(std::min(path.find('?'), path.size()));
  }
  return path;
}

std::string Redirect::Location(const Request& request) const {
  std::string_view scheme = request.scheme;
  if (!config_.scheme_redirect.empty()) {
    scheme = config_.scheme_redirect;
  } else if (config_.https_redirect) {
    scheme = "https";
  }
  const bool new_port = config_.port_redirect.value_or(0) != 0;
  const std::string_view host = config_.host_redirect.empty()
                                    ? HostFor(request, scheme, new_port)
                                    : std::string_view(config_.host_redirect);
  std::string location =
      absl::StrCat(base::ToAbsl(scheme), "://", base::ToAbsl(host));
  if (new_port) absl::StrAppend(&location, ":", *config_.port_redirect);
  return location + NewPath(request);
}

std::string TlsRedirectLocation(const Request& request) {
  return absl::StrCat("https://", base::ToAbsl(request.authority),
                      base::ToAbsl(request.path));
}

}  // namespace meshlib::routing
