#include "xds/convert_config_source.h"

#include "absl/strings/str_cat.h"
#include "meshlib/xds/envoy/config/core/v3/grpc_service.pb.h"
#include "xds/convert_values.h"

namespace meshlib::xds {

namespace core = envoy::config::core::v3;
using ApiConfigSource = core::ApiConfigSource;

namespace {

constexpr char kOneService[] = "GRPC and DELTA_GRPC need exactly one service";

void CheckGrpc(const ApiConfigSource& in, FieldErrors& errors) {
  if (in.grpc_services().empty()) {
    errors.ErrorAt("grpc_services", absl::StrCat("is required: ", kOneService));
  } else if (in.grpc_services_size() > 1) {
    errors.ErrorAt("grpc_services", absl::StrCat(kOneService, ", got ",
                                                 in.grpc_services_size()));
  }
  if (!in.cluster_names().empty()) {
    errors.ErrorAt("cluster_names",
                   "is for REST; GRPC names its cluster in grpc_services");
  }
}

void CheckRest(const ApiConfigSource& in, FieldErrors& errors) {
  if (!in.grpc_services().empty()) {
    errors.ErrorAt("grpc_services",
                   "is for GRPC; REST names its cluster in cluster_names");
  }
  if (in.cluster_names_size() != 1) {
    errors.ErrorAt("cluster_names",
                   absl::StrCat("REST needs exactly one cluster, got ",
                                in.cluster_names_size()));
  }
  if (!in.has_refresh_delay()) {
    errors.ErrorAt("refresh_delay", "is required for REST");
  }
  errors.UnsupportedAt("api_type", "control planes are not polled by REST");
}

void CheckApi(const ApiConfigSource& in, bool ads, FieldErrors& errors) {
  switch (in.api_type()) {
    case ApiConfigSource::GRPC:
    case ApiConfigSource::DELTA_GRPC:
      CheckGrpc(in, errors);
      break;
    case ApiConfigSource::REST:
      if (ads) {
        errors.ErrorAt("api_type",
                       "got REST, want GRPC or DELTA_GRPC: ADS is "
                       "a stream");
      } else {
        CheckRest(in, errors);
      }
      break;
    case ApiConfigSource::AGGREGATED_GRPC:
    case ApiConfigSource::AGGREGATED_DELTA_GRPC:
      errors.ErrorAt("api_type",
                     absl::StrCat(ApiConfigSource::ApiType_Name(in.api_type()),
                                  " is not for this source; the "
                                  "ADS stream is named by ads: {}"));
      break;
    default:
      errors.ErrorAt("api_type", "is required: GRPC or DELTA_GRPC");
      break;
  }
  if (in.transport_api_version() == core::V2) {
    errors.ErrorAt("transport_api_version", "got V2, want V3: V2 is no more");
  }
  ConvertOptionalDuration(in.has_refresh_delay(), in.refresh_delay(),
                          "refresh_delay", errors);
}

// The clusters that lead to a control plane must be known without one.
void DeferClusters(const ApiConfigSource& in, FieldErrors& errors,
                   DeferredChecks& deferred) {
  for (int i = 0; i < in.grpc_services_size(); ++i) {
    const auto& service = in.grpc_services(i);
    if (!service.has_envoy_grpc()) continue;
    ScopedField item(errors, "grpc_services", i);
    ScopedField grpc(errors, "envoy_grpc");
    ScopedField name(errors, "cluster_name");
    deferred.clusters.push_back(
        {errors.path(), service.envoy_grpc().cluster_name(), true, true});
  }
  for (int i = 0; i < in.cluster_names_size(); ++i) {
    ScopedField item(errors, "cluster_names", i);
    deferred.clusters.push_back(
        {errors.path(), in.cluster_names(i), true, true});
  }
}

}  // namespace

void ConvertApiConfigSource(const ApiConfigSource& in, std::string_view field,
                            bool ads, FieldErrors& errors,
                            DeferredChecks* deferred) {
  ScopedField scope(errors, field);
  CheckApi(in, ads, errors);
  for (int i = 0; i < in.grpc_services_size(); ++i) {
    ScopedField item(errors, "grpc_services", i);
    ConvertOptionalDuration(in.grpc_services(i).has_timeout(),
                            in.grpc_services(i).timeout(), "timeout", errors);
  }
  if (deferred != nullptr) DeferClusters(in, errors, *deferred);
}

void ConvertConfigSource(const core::ConfigSource& in, std::string_view field,
                         FieldErrors& errors, DeferredChecks* deferred) {
  ScopedField scope(errors, field);
  if (in.has_api_config_source()) {
    ConvertApiConfigSource(in.api_config_source(), "api_config_source", false,
                           errors, deferred);
  }
  if (deferred == nullptr) return;
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

bool NeedsControlPlane(const core::ConfigSource& in) {
  return in.has_ads() || in.has_self() || in.has_api_config_source();
}

}  // namespace meshlib::xds
