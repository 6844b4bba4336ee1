#ifndef MESHLIB_XDS_RESOURCE_TYPE_H_
#define MESHLIB_XDS_RESOURCE_TYPE_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace meshlib::xds {

// The types that the library asks control planes for, in the order in which a
// new stream asks: what others refer to comes first.
enum class ResourceType : uint8_t {
  kCluster,
  kEndpoints,
  kListener,
  kRouteConfig,
  kSecret,
};
inline constexpr size_t kResourceTypes = 5;

// "type.googleapis.com/envoy.config.cluster.v3.Cluster"
std::string_view TypeUrlOf(ResourceType type);
// For messages to people: "Cluster".
std::string_view NameOf(ResourceType type);
// Nothing for others. What stands before the last slash does not matter.
std::optional<ResourceType> ResourceTypeOf(std::string_view type_url);

// Whether a state-of-the-world response of the type is all that there is, so
// that what it does not have is gone. Of the others it may be a part.
inline bool AbsenceIsDeletion(ResourceType type) {
  return type == ResourceType::kCluster || type == ResourceType::kListener;
}

}  // namespace meshlib::xds

#endif  // MESHLIB_XDS_RESOURCE_TYPE_H_
