#include "xds/legacy.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/strings.h"
#include "google/protobuf/message.h"
#include "meshlib/xds/envoy/config/cluster/v3/cluster.pb.h"

namespace meshlib::xds {
namespace {

using ::meshlib::xds::envoy::config::cluster::v3::Cluster;

constexpr std::string_view kCluster = "envoy.config.cluster.v3.Cluster";

struct LegacyField {
  std::string_view message;  // the end of the original's full name
  std::string_view field;
  std::string_view today;
};

constexpr LegacyField kLegacyFields[] = {
    {"cluster.v3.Cluster", "tls_context",
     "transport_socket with an UpstreamTlsContext"},
    {"cluster.v3.Cluster", "extension_protocol_options",
     "typed_extension_protocol_options"},
    {"listener.v3.FilterChain", "tls_context",
     "transport_socket with a DownstreamTlsContext"},
    {"bootstrap.v3.Bootstrap", "runtime", "layered_runtime"},
    {"route.v3.RouteMatch", "regex", "safe_regex"},
    {"route.v3.HeaderMatcher", "regex_match", "string_match.safe_regex"},
    {"route.v3.QueryParameterMatcher", "value", "string_match.exact"},
    {"route.v3.QueryParameterMatcher", "regex", "string_match.safe_regex"},
    {"route.v3.CorsPolicy", "allow_origin", "allow_origin_string_match"},
    {"route.v3.CorsPolicy", "allow_origin_regex", "allow_origin_string_match"},
    {"route.v3.CorsPolicy", "enabled", "filter_enabled"},
    {"route.v3.RouteAction", "request_mirror_policy",
     "request_mirror_policies"},
    {"route.v3.VirtualHost", "per_filter_config", "typed_per_filter_config"},
    {"route.v3.Route", "per_filter_config", "typed_per_filter_config"},
    {"route.v3.WeightedCluster.ClusterWeight", "per_filter_config",
     "typed_per_filter_config"},
    {"http_connection_manager.v3.HttpConnectionManager", "idle_timeout",
     "common_http_protocol_options.idle_timeout"},
    {"core.v3.HealthCheck.HttpHealthCheck", "use_http2", "codec_client_type"},
    {"core.v3.HealthCheck.HttpHealthCheck", "service_name",
     "service_name_matcher"},
    {"matcher.v3.StringMatcher", "regex", "safe_regex"},
};

}  // namespace

std::string_view TodaysForm(std::string_view message, std::string_view field,
                            bool has_typed_config) {
  if (field == "config" && has_typed_config) {
    return "typed_config with an \"@type\"";
  }
  for (const LegacyField& row : kLegacyFields) {
    if (row.field == field && message.size() > row.message.size() &&
        message.substr(message.size() - row.message.size()) == row.message) {
      return row.today;
    }
  }
  return {};
}

std::string TodaysType(std::string_view type_url) {
  const size_t slash = type_url.rfind('/');
  const std::string_view name =
      type_url.substr(slash == std::string_view::npos ? 0 : slash + 1);
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
      {"envoy.config.filter.http.router.v2.Router",
       "envoy.extensions.filters.http.router.v3.Router"},
  };
  for (const auto& row : kTypes) {
    if (row.old == name) {
      return absl::StrCat("it is of Envoy's v2 API; today's form is ",
                          base::ToAbsl(row.today));
    }
  }
  const absl::string_view text = base::ToAbsl(name);
  if (absl::StartsWith(text, "envoy.") &&
      (absl::StrContains(text, ".v2.") ||
       absl::StrContains(text, ".v2alpha"))) {
    return "it is of Envoy's v2 API; write its v3 form";
  }
  return {};
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
