#include "xds/legacy.h"

#include <algorithm>
#include <iterator>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/strings.h"
#include "google/protobuf/message.h"
#include "meshlib/xds/envoy/config/cluster/v3/cluster.pb.h"

namespace meshlib::xds {
namespace {

using ::meshlib::xds::envoy::config::cluster::v3::Cluster;

constexpr std::string_view kCluster = "envoy.config.cluster.v3.Cluster";

constexpr std::string_view kTypePrefix = "type.googleapis.com/";

struct LegacyField {
  std::string_view message;  // the end of the original's full name
  std::string_view field;
  LegacyForm form;
};

constexpr LegacyField kLegacyFields[] = {
    {"cluster.v3.Cluster",
     "tls_context",
     {"transport_socket with an UpstreamTlsContext", "transport_socket",
      "envoy.transport_sockets.tls",
      "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext"}},
    {"listener.v3.FilterChain",
     "tls_context",
     {"transport_socket with a DownstreamTlsContext", "transport_socket",
      "envoy.transport_sockets.tls",
      "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext"}},
    {"cluster.v3.Cluster",
     "extension_protocol_options",
     {"typed_extension_protocol_options", "typed_extension_protocol_options"}},
    {"bootstrap.v3.Bootstrap", "runtime", {"layered_runtime"}},
    {"route.v3.RouteMatch", "regex", {"safe_regex", "safe_regex.regex"}},
    {"route.v3.HeaderMatcher",
     "regex_match",
     {"string_match.safe_regex", "string_match.safe_regex.regex"}},
    {"route.v3.QueryParameterMatcher",
     "value",
     {"string_match.exact", "string_match.exact"}},
    {"route.v3.QueryParameterMatcher", "regex", {"string_match.safe_regex"}},
    {"route.v3.CorsPolicy",
     "allow_origin",
     {"allow_origin_string_match", "", "", "", true}},
    {"route.v3.CorsPolicy",
     "allow_origin_regex",
     {"allow_origin_string_match", "", "", "", true}},
    {"route.v3.CorsPolicy", "enabled", {"filter_enabled", "", "", "", true}},
    {"route.v3.RouteAction",
     "auto_host_rewrite_header",
     {"host_rewrite_header", "host_rewrite_header"}},
    {"route.v3.RouteAction",
     "request_mirror_policy",
     {"request_mirror_policies", "request_mirror_policies.[]"}},
    {"route.v3.VirtualHost", "per_filter_config", {"typed_per_filter_config"}},
    {"route.v3.Route", "per_filter_config", {"typed_per_filter_config"}},
    {"route.v3.WeightedCluster.ClusterWeight",
     "per_filter_config",
     {"typed_per_filter_config"}},
    {"http_connection_manager.v3.HttpConnectionManager",
     "idle_timeout",
     {"common_http_protocol_options.idle_timeout",
      "common_http_protocol_options.idle_timeout"}},
    {"core.v3.HealthCheck.HttpHealthCheck", "use_http2", {"codec_client_type"}},
    {"core.v3.HealthCheck.HttpHealthCheck",
     "service_name",
     {"service_name_matcher", "service_name_matcher.prefix"}},
    {"matcher.v3.StringMatcher", "regex", {"safe_regex", "safe_regex.regex"}},
};

struct Extension {
  std::string_view old;
  std::string_view today;  // its name since Envoy 1.14
  std::string_view type;
};

constexpr Extension kExtensions[] = {
    {"envoy.http_connection_manager",
     "envoy.filters.network.http_connection_manager",
     "envoy.extensions.filters.network.http_connection_manager.v3."
     "HttpConnectionManager"},
    {"envoy.tcp_proxy", "envoy.filters.network.tcp_proxy",
     "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy"},
    {"envoy.router", "envoy.filters.http.router",
     "envoy.extensions.filters.http.router.v3.Router"},
    {"envoy.cors", "envoy.filters.http.cors",
     "envoy.extensions.filters.http.cors.v3.Cors"},
    {"envoy.fault", "envoy.filters.http.fault",
     "envoy.extensions.filters.http.fault.v3.HTTPFault"},
    {"envoy.buffer", "envoy.filters.http.buffer",
     "envoy.extensions.filters.http.buffer.v3.Buffer"},
    {"envoy.grpc_web", "envoy.filters.http.grpc_web",
     "envoy.extensions.filters.http.grpc_web.v3.GrpcWeb"},
    {"envoy.grpc_http1_bridge", "envoy.filters.http.grpc_http1_bridge",
     "envoy.extensions.filters.http.grpc_http1_bridge.v3.Config"},
    {"envoy.grpc_json_transcoder", "envoy.filters.http.grpc_json_transcoder",
     "envoy.extensions.filters.http.grpc_json_transcoder.v3."
     "GrpcJsonTranscoder"},
    {"envoy.health_check", "envoy.filters.http.health_check",
     "envoy.extensions.filters.http.health_check.v3.HealthCheck"},
    {"envoy.lua", "envoy.filters.http.lua",
     "envoy.extensions.filters.http.lua.v3.Lua"},
    {"envoy.rate_limit", "envoy.filters.http.ratelimit",
     "envoy.extensions.filters.http.ratelimit.v3.RateLimit"},
    {"envoy.ext_authz", "envoy.filters.http.ext_authz",
     "envoy.extensions.filters.http.ext_authz.v3.ExtAuthz"},
    {"envoy.file_access_log", "envoy.access_loggers.file",
     "envoy.extensions.access_loggers.file.v3.FileAccessLog"},
    {"envoy.listener.tls_inspector", "envoy.filters.listener.tls_inspector",
     "envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector"},
    {"envoy.listener.original_dst", "envoy.filters.listener.original_dst",
     "envoy.extensions.filters.listener.original_dst.v3.OriginalDst"},
    {"envoy.listener.http_inspector", "envoy.filters.listener.http_inspector",
     "envoy.extensions.filters.listener.http_inspector.v3.HttpInspector"},
    {"envoy.zipkin", "envoy.tracers.zipkin",
     "envoy.config.trace.v3.ZipkinConfig"},
};

std::string_view TypeName(std::string_view type_url) {
  const size_t slash = type_url.rfind('/');
  return type_url.substr(slash == std::string_view::npos ? 0 : slash + 1);
}

void SendExtension(const LegacyForm& form, Position at,
                   const EventBuffer& value, EventSink& sink) {
  if (!form.extension.empty()) {
    sink.BeginMap(at);
    sink.Key(at, "name");
    sink.Scalar(at, ScalarStyle::kString, form.extension);
    sink.Key(at, "typed_config");
  }
  sink.BeginMap(at);
  sink.Key(at, "@type");
  sink.Scalar(at, ScalarStyle::kString,
              absl::StrCat(base::ToAbsl(kTypePrefix), base::ToAbsl(form.type)));
  // Without the map's begin and end.
  if (value.size() > 2) value.Replay(1, value.size() - 1, sink);
  sink.End();
  if (!form.extension.empty()) sink.End();
}

}  // namespace

LegacyForm TodaysForm(std::string_view message, std::string_view field) {
  for (const LegacyField& row : kLegacyFields) {
    if (row.field == field && message.size() > row.message.size() &&
        message.substr(message.size() - row.message.size()) == row.message) {
      return row.form;
    }
  }
  return {};
}

void SendInTodaysForm(const LegacyForm& form, Position at,
                      const EventBuffer& value, EventSink& sink) {
  std::string_view keys = form.keys;
  int opened = 0;
  for (bool first = true; !keys.empty(); first = false) {
    const std::string_view key = keys.substr(0, keys.find('.'));
    keys.remove_prefix(std::min(key.size() + 1, keys.size()));
    if (key == "[]") {
      sink.BeginList(at);
      ++opened;
      continue;
    }
    if (!first) {
      sink.BeginMap(at);
      ++opened;
    }
    sink.Key(at, key);
  }
  if (!form.type.empty() && value.is_map()) {
    SendExtension(form, at, value, sink);
  } else {
    value.Replay(sink);
  }
  for (; opened > 0; --opened) sink.End();
}

std::string_view TypeOfExtension(std::string_view name) {
  for (const Extension& row : kExtensions) {
    if (row.old == name || row.today == name) return row.type;
  }
  return {};
}

bool IsOldExtensionName(std::string_view name) {
  return std::any_of(std::begin(kExtensions), std::end(kExtensions),
                     [name](const Extension& row) { return row.old == name; });
}

std::string_view TodaysType(std::string_view type_url) {
  const std::string_view name = TypeName(type_url);
  constexpr struct {
    std::string_view old;
    std::string_view today;
  } kTypes[] = {
      {"envoy.api.v2.Cluster", "envoy.config.cluster.v3.Cluster"},
      {"envoy.api.v2.Listener", "envoy.config.listener.v3.Listener"},
      {"envoy.api.v2.RouteConfiguration",
       "envoy.config.route.v3.RouteConfiguration"},
      {"envoy.api.v2.ClusterLoadAssignment",
       "envoy.config.endpoint.v3.ClusterLoadAssignment"},
      {"envoy.api.v2.auth.Secret",
       "envoy.extensions.transport_sockets.tls.v3.Secret"},
      {"envoy.api.v2.auth.UpstreamTlsContext",
       "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext"},
      {"envoy.api.v2.auth.DownstreamTlsContext",
       "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext"},
      {"envoy.config.filter.network.http_connection_manager.v2."
       "HttpConnectionManager",
       "envoy.extensions.filters.network.http_connection_manager.v3."
       "HttpConnectionManager"},
      {"envoy.config.filter.network.tcp_proxy.v2.TcpProxy",
       "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy"},
      {"envoy.config.accesslog.v2.FileAccessLog",
       "envoy.extensions.access_loggers.file.v3.FileAccessLog"},
      {"envoy.config.filter.http.router.v2.Router",
       "envoy.extensions.filters.http.router.v3.Router"},
  };
  for (const auto& row : kTypes) {
    if (row.old == name) return row.today;
  }
  return {};
}

bool IsOldType(std::string_view type_url) {
  const absl::string_view text = base::ToAbsl(TypeName(type_url));
  return absl::StartsWith(text, "envoy.") &&
         (absl::StrContains(text, ".v2.") ||
          absl::StrContains(text, ".v2alpha"));
}

bool IsLegacyHosts(std::string_view message, std::string_view field) {
  return field == "hosts" && message == kCluster;
}

google::protobuf::Message* AddLegacyHost(google::protobuf::Message& cluster) {
  auto* assignment = static_cast<Cluster&>(cluster).mutable_load_assignment();
  auto* endpoints = assignment->endpoints_size() > 0
                        ? assignment->mutable_endpoints(0)
                        : assignment->add_endpoints();
  return endpoints->add_lb_endpoints()->mutable_endpoint()->mutable_address();
}

void FinishLegacyHosts(google::protobuf::Message& cluster) {
  auto& typed = static_cast<Cluster&>(cluster);
  typed.mutable_load_assignment()->set_cluster_name(typed.name());
}

std::string TodaysPath(std::string_view path) {
  constexpr std::string_view kOld = "envoy.config.";
  if (path.substr(0, kOld.size()) != kOld) return std::string(path);
  return absl::StrCat("static_resources.",
                      base::ToAbsl(path.substr(kOld.size())));
}

}  // namespace meshlib::xds
