#include "xds/convert_resource.h"

#include "google/protobuf/descriptor.h"
#include "meshlib/xds/envoy/config/cluster/v3/cluster.pb.h"
#include "meshlib/xds/envoy/config/endpoint/v3/endpoint.pb.h"
#include "meshlib/xds/envoy/config/listener/v3/listener.pb.h"
#include "meshlib/xds/envoy/config/route/v3/route.pb.h"
#include "meshlib/xds/envoy/extensions/transport_sockets/tls/v3/secret.pb.h"
#include "xds/convert_cluster.h"
#include "xds/convert_endpoints.h"
#include "xds/convert_listener.h"
#include "xds/convert_route.h"
#include "xds/convert_tls.h"

namespace meshlib::xds {
namespace {

using envoy::config::cluster::v3::Cluster;
using envoy::config::endpoint::v3::ClusterLoadAssignment;
using envoy::config::listener::v3::Listener;
using envoy::config::route::v3::RouteConfiguration;
using envoy::extensions::transport_sockets::tls::v3::Secret;
using ::google::protobuf::FieldDescriptor;
using ::google::protobuf::Message;

constexpr std::string_view kResourceTypes[] = {
    "envoy.config.cluster.v3.Cluster",
    "envoy.config.core.v3.TypedExtensionConfig",
    "envoy.config.endpoint.v3.ClusterLoadAssignment",
    "envoy.config.listener.v3.Listener",
    "envoy.config.route.v3.RouteConfiguration",
    "envoy.config.route.v3.ScopedRouteConfiguration",
    "envoy.config.route.v3.VirtualHost",
    "envoy.extensions.transport_sockets.tls.v3.Secret",
    "envoy.service.runtime.v3.Runtime",
};

// `message` as a T; null if it is another.
template <typename T>
const T* As(const Message& message) {
  return message.GetDescriptor() == T::descriptor()
             ? static_cast<const T*>(&message)
             : nullptr;
}

}  // namespace

ModelResource ConvertResource(const Message& message, FieldErrors& errors,
                              DeferredChecks& deferred,
                              const ConvertOptions& options) {
  if (const auto* cluster = As<Cluster>(message)) {
    return ConvertCluster(*cluster, errors, &deferred, options.custom_policies);
  }
  if (const auto* listener = As<Listener>(message)) {
    return ConvertListener(*listener, errors, &deferred, options.legacy);
  }
  if (const auto* routes = As<RouteConfiguration>(message)) {
    return ConvertRouteConfig(*routes, errors, &deferred);
  }
  if (const auto* endpoints = As<ClusterLoadAssignment>(message)) {
    return ConvertEndpoints(*endpoints, errors);
  }
  if (const auto* secret = As<Secret>(message)) {
    if (!secret->has_tls_certificate() && !secret->has_validation_context()) {
      return std::monostate();
    }
    return ConvertSecret(*secret, errors, &deferred);
  }
  return std::monostate();
}

bool IsResourceType(std::string_view original_name) {
  for (const std::string_view type : kResourceTypes) {
    if (type == original_name) return true;
  }
  return false;
}

std::string ResourceNameOf(const Message& message) {
  const auto* type = message.GetDescriptor();
  const FieldDescriptor* field = type->FindFieldByName("name");
  if (field == nullptr) field = type->FindFieldByName("cluster_name");
  if (field == nullptr || field->is_repeated() ||
      field->cpp_type() != FieldDescriptor::CPPTYPE_STRING) {
    return {};
  }
  return message.GetReflection()->GetString(message, field);
}

}  // namespace meshlib::xds
