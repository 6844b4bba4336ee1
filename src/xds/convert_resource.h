#ifndef MESHLIB_XDS_CONVERT_RESOURCE_H_
#define MESHLIB_XDS_CONVERT_RESOURCE_H_

#include <memory>
#include <string>
#include <string_view>
#include <variant>

#include "absl/types/span.h"
#include "google/protobuf/message.h"
#include "model/cluster.h"
#include "model/endpoints.h"
#include "model/listener.h"
#include "model/route.h"
#include "model/tls.h"
#include "xds/convert_deferred.h"
#include "xds/convert_errors.h"

namespace meshlib::xds {

// A resource as a value; null if it has errors, and std::monostate for types
// of which the model has nothing yet (Runtime, other kinds of secrets, ...).
using ModelResource =
    std::variant<std::monostate, std::shared_ptr<const model::Cluster>,
                 std::shared_ptr<const model::Listener>,
                 std::shared_ptr<const model::RouteConfig>,
                 std::shared_ptr<const model::Endpoints>,
                 std::shared_ptr<const model::TlsSecret>>;

struct ConvertOptions {
  // Names of the application's own load balancing policies.
  absl::Span<const std::string> custom_policies;
  bool legacy = false;  // as in ConvertListener()
};

// Converts a message of any type, from a file or a control plane.
ModelResource ConvertResource(const ::google::protobuf::Message& message,
                              FieldErrors& errors, DeferredChecks& deferred,
                              const ConvertOptions& options = {});

// Whether control planes send resources of the type, by the full name of the
// original: "envoy.config.cluster.v3.Cluster".
bool IsResourceType(std::string_view original_name);

// The name that a resource says it has; empty for other messages.
std::string ResourceNameOf(const ::google::protobuf::Message& message);

}  // namespace meshlib::xds

#endif  // MESHLIB_XDS_CONVERT_RESOURCE_H_
