#ifndef MESHLIB_ROUTING_REDIRECT_H_
#define MESHLIB_ROUTING_REDIRECT_H_

#include <string>

#include "absl/status/statusor.h"
#include "meshlib/request.h"
#include "model/route.h"
#include "routing/path_rewriter.h"

namespace meshlib::routing {

// Where a redirect route sends a client. Immutable and thread-safe.
class Redirect {
 public:
  static absl::StatusOr<Redirect> Compile(const model::RedirectAction& config,
                                          const model::PathMatcher& match);

  // The value of `location`. The port of the request's authority stays unless
  // another is configured, or the scheme changes and it was the old scheme's
  // own (x-forwarded-proto says which that was, if it stands).
  std::string Location(const Request& request) const;

  uint32_t response_code() const { return config_.response_code; }

 private:
  Redirect(const model::RedirectAction& config, PathRewriter path_rewriter)
      : config_(config), path_rewriter_(std::move(path_rewriter)) {}

  std::string NewPath(const Request& request) const;

  model::RedirectAction config_;
  PathRewriter path_rewriter_;
};

// Where a virtual host with require_tls sends a client, with a 301.
std::string TlsRedirectLocation(const Request& request);

}  // namespace meshlib::routing

#endif  // MESHLIB_ROUTING_REDIRECT_H_
