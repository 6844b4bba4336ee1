#ifndef MESHLIB_TEST_FUZZ_DECODER_INPUT_H_
#define MESHLIB_TEST_FUZZ_DECODER_INPUT_H_

#include <iterator>
#include <string>
#include <string_view>

namespace meshlib::xds {

// An input of fuzz_decoder: one byte that stands for the type, then the bytes
// of a resource.
inline constexpr std::string_view kFuzzedTypes[] = {
    "envoy.config.listener.v3.Listener",
    "envoy.config.route.v3.RouteConfiguration",
    "envoy.config.cluster.v3.Cluster",
    "envoy.config.endpoint.v3.ClusterLoadAssignment",
    "envoy.extensions.transport_sockets.tls.v3.Secret",
    "envoy.config.route.v3.ScopedRouteConfiguration",
    "envoy.config.route.v3.VirtualHost",
    "envoy.config.core.v3.TypedExtensionConfig",
    "envoy.service.runtime.v3.Runtime",
    "envoy.service.discovery.v3.Resource",
};

inline std::string FuzzedUrl(unsigned char selector) {
  return "type.googleapis.com/" +
         std::string(kFuzzedTypes[selector % std::size(kFuzzedTypes)]);
}

}  // namespace meshlib::xds

#endif  // MESHLIB_TEST_FUZZ_DECODER_INPUT_H_
