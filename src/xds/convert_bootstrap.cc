#include "xds/convert_bootstrap.h"

#include <set>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "xds/check_bootstrap.h"
#include "xds/convert_config_source.h"
#include "xds/convert_control_plane.h"
#include "xds/convert_dns.h"
#include "xds/convert_values.h"

namespace meshlib::xds {
namespace {

namespace bootstrap = envoy::config::bootstrap::v3;
using RuntimeMap = std::map<std::string, model::Value, std::less<>>;

constexpr int kMaxDepth = 100;  // of structs in structs; parsers stop earlier

bool IsFraction(const ::google::protobuf::Struct& in) {
  return in.fields().count("numerator") > 0 ||
         in.fields().count("denominator") > 0;
}

// Adds the entries of a layer, nested structs as dotted keys, so that later
// layers override single entries.
void AddEntries(const ::google::protobuf::Struct& in, const std::string& prefix,
                int depth, FieldErrors& errors, RuntimeMap& out) {
  for (const auto& [name, value] : in.fields()) {
    const std::string key =
        prefix.empty() ? name : absl::StrCat(prefix, ".", name);
    ScopedField scope(errors, name);
    switch (value.kind_case()) {
      case ::google::protobuf::Value::kStructValue:
        if (!IsFraction(value.struct_value()) && depth < kMaxDepth) {
          AddEntries(value.struct_value(), key, depth + 1, errors, out);
          break;
        }
        out[key] = ConvertValue(value);
        break;
      case ::google::protobuf::Value::kNumberValue:
      case ::google::protobuf::Value::kStringValue:
      case ::google::protobuf::Value::kBoolValue:
        out[key] = ConvertValue(value);
        break;
      default:
        errors.Error(absl::StrCat("the runtime value of ", Quoted(key),
                                  " is null or a list, want a number, text, "
                                  "true, false or a struct"));
        break;
    }
  }
}

void ConvertRuntime(const bootstrap::LayeredRuntime& in, FieldErrors& errors,
                    RuntimeMap& out) {
  using Layer = bootstrap::RuntimeLayer;
  ScopedField scope(errors, "layered_runtime");
  std::set<std::string> names;
  bool has_admin = false;
  for (int i = 0; i < in.layers_size(); ++i) {
    const Layer& layer = in.layers(i);
    ScopedField item(errors, "layers", i);
    if (!names.insert(layer.name()).second) {
      errors.ErrorAt(
          "name", absl::StrCat("duplicate layer name ", Quoted(layer.name())));
    }
    switch (layer.layer_specifier_case()) {
      case Layer::kStaticLayer: {
        ScopedField field(errors, "static_layer");
        AddEntries(layer.static_layer(), "", 0, errors, out);
        break;
      }
      case Layer::kAdminLayer:
        if (has_admin) {
          errors.ErrorAt("admin_layer", "at most one admin layer can be set");
        }
        has_admin = true;
        break;
      case Layer::kDiskLayer:
        errors.UnsupportedAt("disk_layer",
                             "runtime layers on disk are not supported");
        break;
      case Layer::kRtdsLayer:
        errors.UnsupportedAt("rtds_layer",
                             "runtime layers of a control plane (RTDS) are "
                             "not supported yet");
        break;
      case Layer::LAYER_SPECIFIER_NOT_SET:
        break;  // refused by the rules
    }
  }
}

void ConvertDynamicResources(const bootstrap::Bootstrap::DynamicResources& in,
                             FieldErrors& errors, DeferredChecks* deferred) {
  ScopedField scope(errors, "dynamic_resources");
  ConvertConfigSource(in.cds_config(), "cds_config", errors, deferred);
  ConvertConfigSource(in.lds_config(), "lds_config", errors, deferred);
  if (in.has_ads_config()) {
    ConvertApiConfigSource(in.ads_config(), "ads_config", true, errors,
                           deferred);
  }
}

}  // namespace

model::Node ConvertNode(const envoy::config::core::v3::Node& in) {
  model::Node out;
  out.id = in.id();
  out.cluster = in.cluster();
  out.locality = ConvertLocality(in.locality());
  if (in.has_metadata()) out.metadata = ConvertStruct(in.metadata());
  return out;
}

model::Node ConvertGrpcNode(const GrpcBootstrap::Node& in) {
  model::Node out;
  out.id = in.id;
  out.cluster = in.cluster;
  out.locality = {in.region, in.zone, in.sub_zone};
  out.metadata = ConvertStruct(in.metadata);
  return out;
}

void ConvertBootstrap(const bootstrap::Bootstrap& in, FieldErrors& errors,
                      DeferredChecks* deferred, model::Config& out) {
  if (in.has_node()) out.node = ConvertNode(in.node());
  out.local_cluster_name = in.cluster_manager().local_cluster_name();
  if (in.has_layered_runtime()) {
    ConvertRuntime(in.layered_runtime(), errors, out.runtime);
  }
  out.dns_resolver = ConvertDefaultDnsResolver(in, errors);
  if (in.has_dynamic_resources()) {
    ConvertDynamicResources(in.dynamic_resources(), errors, deferred);
    out.control_plane = ConvertControlPlane(in, errors);
  }
  CheckBootstrap(in, errors);
}

}  // namespace meshlib::xds
