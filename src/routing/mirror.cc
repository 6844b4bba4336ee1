#include "routing/mirror.h"

#include <algorithm>

#include "base/strings.h"
#include "routing/request_fields.h"

namespace meshlib::routing {

Mirror::Mirror(const model::MirrorPolicy& config, const model::Runtime& runtime)
    : config_(config),
      fraction_(runtime.GetFraction(
          config.runtime_fraction.value_or(model::Fraction()))) {
  config_.cluster_header = base::LowerAscii(config.cluster_header);
}

std::string_view Mirror::ClusterFor(const Request& request) const {
  if (config_.cluster_header.empty()) return config_.cluster;
  return ClusterInHeader(request, config_.cluster_header);
}

std::string Mirror::Authority(std::string_view authority) const {
  if (!config_.host_rewrite_literal.empty()) {
    return config_.host_rewrite_literal;
  }
  std::string out(authority);
  if (!config_.disable_shadow_host_suffix_append) {
    out.insert(std::min(PortStart(authority), out.size()), "-shadow");
  }
  return out;
}

}  // namespace meshlib::routing
