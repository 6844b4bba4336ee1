#ifndef MESHLIB_TEST_XDS_ADS_MESSAGES_H_
#define MESHLIB_TEST_XDS_ADS_MESSAGES_H_

#include <string>
#include <string_view>

#include "google/protobuf/message.h"
#include "meshlib/xds/envoy/service/discovery/v3/discovery.pb.h"
#include "xds/resource_type.h"

namespace meshlib::xds {

// The type URL of the original of one of our messages.
inline std::string OriginalUrl(std::string url) {
  constexpr std::string_view kOurs = "meshlib.xds.";
  const size_t at = url.find(kOurs);
  return at == std::string::npos ? url : url.erase(at, kOurs.size());
}

// Packs a message as others would pack the original.
inline void PackOriginal(const ::google::protobuf::Message& message,
                         ::google::protobuf::Any& any) {
  any.PackFrom(message);
  any.set_type_url(OriginalUrl(any.type_url()));
}

inline envoy::service::discovery::v3::DiscoveryResponse EmptyResponse(
    ResourceType type, const std::string& version) {
  envoy::service::discovery::v3::DiscoveryResponse response;
  response.set_type_url(std::string(TypeUrlOf(type)));
  response.set_version_info(version);
  response.set_nonce("nonce " + version);
  return response;
}

// A serialized DiscoveryResponse.
template <typename... M>
std::string ResponseOf(ResourceType type, const std::string& version,
                       const M&... messages) {
  auto response = EmptyResponse(type, version);
  (PackOriginal(messages, *response.add_resources()), ...);
  return response.SerializeAsString();
}

}  // namespace meshlib::xds

#endif  // MESHLIB_TEST_XDS_ADS_MESSAGES_H_
