#ifndef MESHLIB_ROUTING_MIRROR_H_
#define MESHLIB_ROUTING_MIRROR_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "meshlib/request.h"
#include "model/route.h"
#include "model/runtime.h"

namespace meshlib::routing {

// One request_mirror_policies entry. Immutable and thread-safe.
class Mirror {
 public:
  Mirror(const model::MirrorPolicy& config, const model::Runtime& runtime);

  // Whether this request is mirrored.
  bool Selects(uint64_t random) const {
    return model::InFraction(fraction_, random);
  }

  // The cluster to mirror to; views this or the request, may be empty if
  // the request does not name one.
  std::string_view ClusterFor(const Request& request) const;

  // The mirrored request's authority: host_rewrite_literal, else "-shadow"
  // behind the host (before the port), unless that is disabled.
  std::string Authority(std::string_view authority) const;

  const model::MirrorPolicy& config() const { return config_; }

 private:
  model::MirrorPolicy config_;
  model::Fraction fraction_;
};

}  // namespace meshlib::routing

#endif  // MESHLIB_ROUTING_MIRROR_H_
