#include "xds/convert_cluster.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "meshlib/xds/envoy/config/core/v3/health_check.pb.h"
#include "meshlib/xds/envoy/extensions/clusters/aggregate/v3/cluster.pb.h"
#include "meshlib/xds/envoy/extensions/clusters/dns/v3/dns_cluster.pb.h"
#include "meshlib/xds/envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer.pb.h"
#include "meshlib/xds/envoy/extensions/upstreams/http/v3/http_protocol_options.pb.h"
#include "xds/convert_config_source.h"
#include "xds/convert_dns.h"
#include "xds/convert_endpoints.h"
#include "xds/convert_http_options.h"
#include "xds/convert_lb.h"
#include "xds/convert_outlier.h"
#include "xds/convert_transport.h"
#include "xds/convert_values.h"

namespace meshlib::xds {
namespace {

namespace core = envoy::config::core::v3;
using envoy::config::cluster::v3::Cluster;
using envoy::config::cluster::v3::UpstreamConnectionOptions;
using envoy::extensions::transport_sockets::raw_buffer::v3::RawBuffer;
using envoy::extensions::upstreams::http::v3::HttpProtocolOptions;
using AggregateConfig =
    envoy::extensions::clusters::aggregate::v3::ClusterConfig;
using envoy::extensions::clusters::dns::v3::DnsCluster;
using Type = model::DiscoveryType;

std::optional<Type> TypeByName(std::string_view name) {
  if (name == "envoy.cluster.static") return Type::kStatic;
  if (name == "envoy.cluster.strict_dns") return Type::kStrictDns;
  if (name == "envoy.cluster.logical_dns") return Type::kLogicalDns;
  if (name == "envoy.cluster.eds") return Type::kEds;
  if (name == "envoy.cluster.original_dst") return Type::kOriginalDst;
  if (name == "envoy.clusters.aggregate") return Type::kAggregate;
  return std::nullopt;
}

// Types that Envoy has and this library does not have yet.
bool IsUnsupportedType(const Cluster::CustomClusterType& in) {
  constexpr std::string_view kTypes[] = {
      "envoy.extensions.clusters.composite.v3.ClusterConfig",
      "envoy.extensions.clusters.dynamic_forward_proxy.v3.ClusterConfig",
      "envoy.extensions.clusters.redis.v3.RedisClusterConfig",
  };
  const std::string_view type = AnyTypeName(in.typed_config());
  return std::find(std::begin(kTypes), std::end(kTypes), type) !=
         std::end(kTypes);
}

void WarnOfType(std::string_view name, FieldErrors& errors) {
  errors.Warning(absl::StrCat("cluster type ", Quoted(name),
                              " is not supported yet; the cluster has no "
                              "hosts"));
}

// cluster_type: its typed_config decides, else its name.
Type ConvertCustomType(const Cluster::CustomClusterType& in,
                       FieldErrors& errors, model::Cluster& out) {
  ScopedField scope(errors, "cluster_type");
  if (HoldsA<AggregateConfig>(in.typed_config())) {
    WarnOfType(in.name(), errors);
    ScopedField config_scope(errors, "typed_config");
    AggregateConfig config;
    if (UnpackInto(in.typed_config(), config, errors)) {
      out.aggregate.assign(config.clusters().begin(), config.clusters().end());
    }
    return Type::kAggregate;
  }
  if (HoldsA<DnsCluster>(in.typed_config())) {
    ScopedField config_scope(errors, "typed_config");
    DnsCluster config;
    if (!UnpackInto(in.typed_config(), config, errors)) return Type::kStrictDns;
    return config.all_addresses_in_single_endpoint() ? Type::kLogicalDns
                                                     : Type::kStrictDns;
  }
  if (IsUnsupportedType(in)) {
    WarnOfType(in.name(), errors);
    // Balances by itself, as these types do.
    return Type::kAggregate;
  }
  const std::optional<Type> type = TypeByName(in.name());
  if (type && *type != Type::kAggregate) {
    if (*type == Type::kOriginalDst) WarnOfType(in.name(), errors);
    return *type;
  }
  if (type) {
    errors.ErrorAt("typed_config", "is required, with at least one cluster");
    return *type;
  }
  errors.ErrorAt("name", absl::StrCat("cluster type ", Quoted(in.name()),
                                      " is not supported"));
  return Type::kStatic;
}

Type ConvertType(const Cluster& in, FieldErrors& errors, model::Cluster& out) {
  if (in.has_cluster_type()) {
    return ConvertCustomType(in.cluster_type(), errors, out);
  }
  switch (in.type()) {
    case Cluster::STRICT_DNS:
      return Type::kStrictDns;
    case Cluster::LOGICAL_DNS:
      return Type::kLogicalDns;
    case Cluster::EDS:
      return Type::kEds;
    case Cluster::ORIGINAL_DST: {
      ScopedField scope(errors, "type");
      WarnOfType("ORIGINAL_DST", errors);
      return Type::kOriginalDst;
    }
    default:
      return Type::kStatic;
  }
}

void ConvertEds(const Cluster& in, FieldErrors& errors,
                DeferredChecks* deferred, model::Cluster& out) {
  if (out.type != Type::kEds) {
    if (in.has_eds_cluster_config()) {
      errors.ErrorAt("eds_cluster_config",
                     absl::StrCat("is for clusters of type EDS, got ",
                                  model::DiscoveryTypeName(out.type)));
    }
    return;
  }
  if (!in.has_eds_cluster_config()) {
    errors.ErrorAt("eds_cluster_config", "is required for type EDS");
    return;
  }
  ScopedField scope(errors, "eds_cluster_config");
  const auto& config = in.eds_cluster_config();
  if (IsUnset(config.eds_config())) {
    errors.ErrorAt("eds_config", "is required, with a source such as ads");
  }
  ConvertConfigSource(config.eds_config(), "eds_config", errors, deferred);
  out.eds_service_name =
      config.service_name().empty() ? in.name() : config.service_name();
}

void CheckLogicalDns(const Cluster& in, FieldErrors& errors) {
  const auto& localities = in.load_assignment().endpoints();
  if (localities.size() == 1 && localities[0].lb_endpoints_size() == 1) return;
  errors.ErrorAt("load_assignment",
                 "a LOGICAL_DNS cluster needs exactly one locality with "
                 "exactly one endpoint");
}

void ConvertAssignment(const Cluster& in, FieldErrors& errors,
                       model::Cluster& out) {
  switch (out.type) {
    case Type::kLogicalDns:
      CheckLogicalDns(in, errors);
      break;
    case Type::kOriginalDst:
      if (in.has_load_assignment()) {
        errors.ErrorAt("load_assignment",
                       "is not for clusters of type ORIGINAL_DST");
      }
      return;
    case Type::kEds:
    case Type::kAggregate:
      if (in.has_load_assignment()) {
        errors.WarningAt("load_assignment",
                         absl::StrCat("has no effect on clusters of type ",
                                      model::DiscoveryTypeName(out.type)));
      }
      return;
    case Type::kStatic:
    case Type::kStrictDns:
      break;
  }
  if (!in.has_load_assignment()) {
    auto none = std::make_shared<model::Endpoints>();
    none->cluster_name = in.name();
    out.endpoints = std::move(none);
    return;
  }
  ScopedField scope(errors, "load_assignment");
  out.endpoints = ConvertEndpoints(in.load_assignment(), errors, out.type);
}

bool UsesHttp2(const Cluster& in, const HttpProtocolOptions* extension) {
  if (extension == nullptr) return in.has_http2_protocol_options();
  return extension->explicit_http_config().has_http2_protocol_options() ||
         extension->use_downstream_protocol_config()
             .has_http2_protocol_options() ||
         extension->has_auto_config();
}

// Text is in hexadecimal.
void CheckPayload(const core::HealthCheck::Payload& in, FieldErrors& errors) {
  const std::string& text = in.text();
  if (text.size() % 2 == 0 && std::all_of(text.begin(), text.end(), [](char c) {
        return absl::ascii_isxdigit(static_cast<unsigned char>(c));
      })) {
    return;
  }
  errors.ErrorAt("text", absl::StrCat("got ", Quoted(text),
                                      ", want pairs of hexadecimal digits"));
}

void CheckPayloads(const core::HealthCheck& in, FieldErrors& errors) {
  const auto check = [&errors](const auto& payloads) {
    for (int i = 0; i < payloads.size(); ++i) {
      ScopedField scope(errors, "receive", i);
      CheckPayload(payloads[i], errors);
    }
  };
  if (in.has_tcp_health_check()) {
    ScopedField scope(errors, "tcp_health_check");
    check(in.tcp_health_check().receive());
    ScopedField send(errors, "send");
    CheckPayload(in.tcp_health_check().send(), errors);
  } else if (in.has_http_health_check()) {
    ScopedField scope(errors, "http_health_check");
    check(in.http_health_check().receive());
  }
}

void CheckHealthCheck(const core::HealthCheck& in, bool http2,
                      FieldErrors& errors) {
  CheckPayloads(in, errors);
  // The other durations have rules.
  ConvertOptionalDuration(in.has_initial_jitter(), in.initial_jitter(),
                          "initial_jitter", errors);
  ConvertOptionalDuration(in.has_interval_jitter(), in.interval_jitter(),
                          "interval_jitter", errors);
  if (in.has_grpc_health_check() && !http2) {
    errors.ErrorAt("grpc_health_check", "needs a cluster that speaks HTTP/2");
  }
  ScopedField scope(errors, "http_health_check");
  const auto check = [&errors](const auto& ranges, std::string_view field) {
    for (int i = 0; i < ranges.size(); ++i) {
      const auto& range = ranges[i];
      ScopedField item(errors, field, i);
      if (range.start() >= range.end() || range.start() < 100 ||
          range.end() > 600) {
        errors.Error(absl::StrCat("got [", range.start(), ", ", range.end(),
                                  "), want 100 <= start < end <= 600"));
      }
    }
  };
  check(in.http_health_check().expected_statuses(), "expected_statuses");
  check(in.http_health_check().retriable_statuses(), "retriable_statuses");
}

void CheckHealthChecks(const Cluster& in, bool http2, FieldErrors& errors) {
  for (int i = 0; i < in.health_checks_size(); ++i) {
    ScopedField scope(errors, "health_checks", i);
    if (in.health_checks_size() > 1 && in.health_checks(i).name().empty()) {
      errors.ErrorAt("name", "is required where there are several checks");
    }
    CheckHealthCheck(in.health_checks(i), http2, errors);
  }
  if (in.health_checks_size() > 0) {
    errors.UnsupportedAt("health_checks",
                         "active health checking is not supported yet; hosts "
                         "count as healthy until detected otherwise");
  }
}

constexpr std::string_view kHttpOptions =
    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

// Reads the HttpProtocolOptions extension, if there is one.
std::optional<HttpProtocolOptions> HttpOptions(const Cluster& in,
                                               FieldErrors& errors) {
  std::optional<HttpProtocolOptions> out;
  for (const auto& [name, any] : in.typed_extension_protocol_options()) {
    ScopedField scope(errors, "typed_extension_protocol_options", name);
    if (!HoldsA<HttpProtocolOptions>(any)) {
      errors.Unsupported(UnknownExtension(any));
      continue;
    }
    // Envoy goes by the key.
    if (name != kHttpOptions) {
      errors.Error(
          absl::StrCat("no such extension; for these options the key "
                       "is ",
                       Quoted(kHttpOptions)));
    }
    HttpProtocolOptions options;
    if (UnpackInto(any, options, errors)) out = std::move(options);
  }
  return out;
}

bool LacksAlpn(bool has_socket, const core::TransportSocket& socket) {
  return !has_socket || HoldsA<RawBuffer>(socket.typed_config());
}

// auto_config lets ALPN choose between HTTP/1 and HTTP/2.
void CheckAutoConfig(const Cluster& in, FieldErrors& errors) {
  ScopedField scope(errors, "typed_extension_protocol_options", kHttpOptions);
  if (LacksAlpn(in.has_transport_socket(), in.transport_socket())) {
    errors.ErrorAt("auto_config",
                   "needs a transport_socket that has ALPN, such as TLS");
    return;
  }
  for (int i = 0; i < in.transport_socket_matches_size(); ++i) {
    const auto& match = in.transport_socket_matches(i);
    if (!LacksAlpn(match.has_transport_socket(), match.transport_socket())) {
      continue;
    }
    errors.ErrorAt("auto_config",
                   absl::StrCat("needs transport sockets that have ALPN; "
                                "transport_socket_matches[",
                                i, "] has none"));
  }
}

void CheckHttpOptions(const Cluster& in, const HttpProtocolOptions* extension,
                      FieldErrors& errors) {
  if (extension == nullptr) {
    if (in.has_http_protocol_options() && in.has_http2_protocol_options() &&
        in.protocol_selection() == Cluster::USE_CONFIGURED_PROTOCOL) {
      errors.ErrorAt("http2_protocol_options",
                     "cannot be combined with http_protocol_options");
    }
    return;
  }
  if (extension->has_auto_config()) CheckAutoConfig(in, errors);
  if (in.has_max_requests_per_connection() &&
      extension->common_http_protocol_options()
          .has_max_requests_per_connection()) {
    errors.ErrorAt("max_requests_per_connection",
                   "is also set in typed_extension_protocol_options");
  }
  const std::pair<bool, std::string_view> unsupported[] = {
      {extension->has_retry_policy(), "retry_policy"},
      {extension->hash_policy_size() > 0, "hash_policy"},
      {extension->request_mirror_policies_size() > 0,
       "request_mirror_policies"},
      {extension->http_filters_size() > 1, "http_filters"},
  };
  for (const auto& [has, field] : unsupported) {
    if (!has) continue;
    errors.UnsupportedAt(
        "typed_extension_protocol_options",
        absl::StrCat(std::string(field),
                     " of a cluster's protocol options is not supported yet"));
  }
}

void CheckOriginalDst(const Cluster& in, FieldErrors& errors) {
  const auto& config = in.original_dst_lb_config();
  if (!config.http_header_name().empty() && !config.use_http_header()) {
    ScopedField scope(errors, "original_dst_lb_config");
    errors.ErrorAt("http_header_name", "needs use_http_header: true");
  }
}

void CheckFilters(const Cluster& in, FieldErrors& errors) {
  for (int i = 0; i < in.filters_size(); ++i) {
    if (in.filters(i).has_typed_config() ||
        in.filters(i).has_config_discovery()) {
      continue;
    }
    ScopedField scope(errors, "filters", i);
    errors.ErrorAt("typed_config", "is required");
  }
}

// What is valid and safe to pass over, but has no effect yet.
void NoteUnsupported(const Cluster& in, FieldErrors& errors) {
  struct Note {
    bool has;
    std::string_view field;
    std::string_view message;
  };
  const Note notes[] = {
      {in.has_upstream_bind_config(), "upstream_bind_config",
       "is not supported yet; the system chooses the source address"},
      {in.has_preconnect_policy(), "preconnect_policy",
       "is not supported yet; connections are made on demand"},
      {in.filters_size() > 0, "filters",
       "upstream network filters are not supported; passed over"},
      {in.connection_pool_per_downstream_connection(),
       "connection_pool_per_downstream_connection",
       "has no meaning in a process without downstream connections"},
      {in.has_lrs_server(), "lrs_server",
       "load reporting is not supported yet"},
      {in.upstream_connection_options()
           .set_local_interface_name_on_upstream_connections(),
       "upstream_connection_options",
       "set_local_interface_name_on_upstream_connections: nobody here looks at "
       "the name"},
  };
  for (const Note& note : notes) {
    if (note.has) errors.UnsupportedAt(note.field, std::string(note.message));
  }
}

// A 0 switches keepalive off.
std::optional<model::TcpKeepalive> ConvertKeepalive(
    const core::TcpKeepalive& in) {
  model::TcpKeepalive out;
  bool off = false;
  const auto take = [&off](bool has, uint32_t value,
                           std::optional<uint32_t>& into) {
    if (!has) return;
    into = value;
    off |= value == 0;
  };
  take(in.has_keepalive_probes(), in.keepalive_probes().value(), out.probes);
  take(in.has_keepalive_time(), in.keepalive_time().value(), out.time_s);
  take(in.has_keepalive_interval(), in.keepalive_interval().value(),
       out.interval_s);
  if (off) return std::nullopt;
  return out;
}

model::UpstreamConnections ConvertConnections(
    const UpstreamConnectionOptions& in) {
  using Family = model::UpstreamConnections::Family;
  model::UpstreamConnections out;
  if (in.has_tcp_keepalive()) {
    out.tcp_keepalive = ConvertKeepalive(in.tcp_keepalive());
  }
  const auto& order = in.happy_eyeballs_config();
  if (order.first_address_family_version() == UpstreamConnectionOptions::V4) {
    out.first_address_family = Family::kV4;
  } else if (order.first_address_family_version() ==
             UpstreamConnectionOptions::V6) {
    out.first_address_family = Family::kV6;
  }
  if (order.has_first_address_family_count()) {
    out.first_address_family_count = order.first_address_family_count().value();
  }
  return out;
}

void ConvertPolicies(const Cluster& in, FieldErrors& errors,
                     absl::Span<const std::string> custom_policies,
                     model::Cluster& out) {
  if (in.has_connect_timeout()) {
    ScopedField scope(errors, "connect_timeout");
    out.connect_timeout = ConvertDuration(in.connect_timeout(), errors);
  }
  out.lb = ConvertLoadBalancing(in, out.type, errors, custom_policies);
  if (in.has_circuit_breakers()) {
    ScopedField scope(errors, "circuit_breakers");
    out.circuit_breakers =
        ConvertCircuitBreakers(in.circuit_breakers(), errors);
  }
  if (in.has_outlier_detection()) {
    ScopedField scope(errors, "outlier_detection");
    out.outlier_detection =
        ConvertOutlierDetection(in.outlier_detection(), errors);
  }
}

}  // namespace

std::shared_ptr<const model::Cluster> ConvertCluster(
    const Cluster& in, FieldErrors& errors, DeferredChecks* deferred,
    absl::Span<const std::string> custom_policies) {
  const size_t errors_before = errors.error_count();
  auto out = std::make_shared<model::Cluster>();
  out->name = in.name();
  out->type = ConvertType(in, errors, *out);
  ConvertEds(in, errors, deferred, *out);
  ConvertAssignment(in, errors, *out);
  ConvertPolicies(in, errors, custom_policies, *out);
  ConvertTransport(in, errors, deferred, *out);
  const std::optional<HttpProtocolOptions> http = HttpOptions(in, errors);
  const HttpProtocolOptions* const extension = http ? &*http : nullptr;
  CheckHttpOptions(in, extension, errors);
  out->http = ConvertUpstreamHttp(in, extension, errors);
  out->connections = ConvertConnections(in.upstream_connection_options());
  CheckHealthChecks(in, UsesHttp2(in, extension), errors);
  out->dns = ConvertDns(in, out->type, errors);
  CheckOriginalDst(in, errors);
  CheckFilters(in, errors);
  NoteUnsupported(in, errors);
  if (in.has_metadata()) out->metadata = ConvertMetadata(in.metadata());
  if (in.has_per_connection_buffer_limit_bytes()) {
    out->per_connection_buffer_limit_bytes =
        in.per_connection_buffer_limit_bytes().value();
  }
  if (errors.error_count() != errors_before) return nullptr;
  return out;
}

}  // namespace meshlib::xds
