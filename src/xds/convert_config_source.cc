#include "xds/convert_config_source.h"

#include "meshlib/xds/envoy/config/core/v3/grpc_service.pb.h"

namespace meshlib::xds {

namespace core = envoy::config::core::v3;

void ConvertApiConfigSource(const core::ApiConfigSource& in,
                            std::string_view field, FieldErrors& errors,
                            DeferredChecks* deferred) {
  if (deferred == nullptr) return;
  ScopedField scope(errors, field);
  for (int i = 0; i < in.grpc_services_size(); ++i) {
    const auto& service = in.grpc_services(i);
    if (!service.has_envoy_grpc()) continue;
    ScopedField item(errors, "grpc_services", i);
    ScopedField grpc(errors, "envoy_grpc");
    ScopedField name(errors, "cluster_name");
    deferred->clusters.push_back(
        {errors.path(), service.envoy_grpc().cluster_name(), true});
  }
}

void ConvertConfigSource(const core::ConfigSource& in, std::string_view field,
                         FieldErrors& errors, DeferredChecks* deferred) {
  if (deferred == nullptr) return;
  ScopedField scope(errors, field);
  if (in.has_api_config_source()) {
    ConvertApiConfigSource(in.api_config_source(), "api_config_source", errors,
                           deferred);
  }
  if (in.has_path_config_source()) {
    ScopedField source(errors, "path_config_source");
    ScopedField path(errors, "path");
    deferred->files.push_back({errors.path(), in.path_config_source().path()});
  } else if (!in.path().empty()) {
    ScopedField path(errors, "path");
    deferred->files.push_back({errors.path(), in.path()});
  }
}

bool IsUnset(const core::ConfigSource& in) {
  return in.config_source_specifier_case() ==
         core::ConfigSource::CONFIG_SOURCE_SPECIFIER_NOT_SET;
}

}  // namespace meshlib::xds
