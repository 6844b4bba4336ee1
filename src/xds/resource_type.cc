#include "xds/resource_type.h"

#include <string>

namespace meshlib::xds {
namespace {

constexpr std::string_view kUrls[kResourceTypes] = {
    "type.googleapis.com/envoy.config.cluster.v3.Cluster",
    "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
    "type.googleapis.com/envoy.config.listener.v3.Listener",
    "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
    "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret",
};

}  // namespace

std::string_view TypeUrlOf(ResourceType type) {
  return kUrls[static_cast<size_t>(type)];
}

std::string_view NameOf(ResourceType type) {
  const std::string_view url = TypeUrlOf(type);
  return url.substr(url.rfind('.') + 1);
}

std::optional<ResourceType> ResourceTypeOf(std::string_view type_url) {
  const std::string_view name = type_url.substr(type_url.rfind('/') + 1);
  for (size_t i = 0; i < kResourceTypes; ++i) {
    if (kUrls[i].substr(kUrls[i].rfind('/') + 1) == name) {
      return static_cast<ResourceType>(i);
    }
  }
  return std::nullopt;
}

}  // namespace meshlib::xds
