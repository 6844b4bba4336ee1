#include "xds/convert_hcm.h"

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/strings.h"
#include "meshlib/xds/envoy/extensions/filters/http/jwt_authn/v3/config.pb.h"
#include "meshlib/xds/envoy/extensions/filters/http/rbac/v3/rbac.pb.h"
#include "meshlib/xds/envoy/extensions/filters/http/router/v3/router.pb.h"
#include "xds/convert_config_source.h"
#include "xds/convert_fault.h"
#include "xds/convert_filters.h"
#include "xds/convert_route.h"
#include "xds/convert_values.h"

namespace meshlib::xds {
namespace {

namespace hcm =
    envoy::extensions::filters::network::http_connection_manager::v3;
namespace http = envoy::extensions::filters::http;
using envoy::extensions::filters::network::tcp_proxy::v3::TcpProxy;
using http::jwt_authn::v3::JwtAuthentication;
using http::rbac::v3::RBAC;
using http::router::v3::Router;

// A router filter without a configuration, as old configurations have it.
bool IsOldRouter(const hcm::HttpFilter& in) {
  return !in.has_typed_config() && !in.has_config_discovery() &&
         (in.name() == "envoy.filters.http.router" ||
          in.name() == "envoy.router");
}

void AddFault(const hcm::HttpFilter& in, FieldErrors& errors,
              DeferredChecks* deferred, model::HttpConnectionManager& out) {
  ScopedField scope(errors, "typed_config");
  auto fault = ConvertFault(in.typed_config(), errors, deferred);
  out.faults.push_back({in.name(), in.disabled(), std::move(fault)});
}

// `out` is null for chains that requests do not pass.
FilterKind ConvertFilter(const hcm::HttpFilter& in, FieldErrors& errors,
                         DeferredChecks* deferred,
                         model::HttpConnectionManager* out) {
  if (IsOldRouter(in)) {
    errors.Outdated(
        "old form; today the router needs a typed_config with @type "
        "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router");
    return FilterKind::kTerminal;
  }
  if (!HasFilterConfig(in, errors)) return FilterKind::kUnknown;
  const auto& any = in.typed_config();
  if (HoldsA<Router>(any)) return FilterKind::kTerminal;
  if (IsUnknownExtension(any)) {
    errors.UnsupportedAt("typed_config", UnknownExtension(any));
    return FilterKind::kUnknown;
  }
  if (HoldsFault(any) && out != nullptr) {
    AddFault(in, errors, deferred, *out);
    return FilterKind::kOther;
  }
  const std::string name = Quoted(AnyTypeName(any));
  if (HoldsA<RBAC>(any) || HoldsA<JwtAuthentication>(any)) {
    errors.WarningAt("typed_config",
                     absl::StrCat("the HTTP filter ", name,
                                  " is not supported yet: what it forbids is "
                                  "not refused"));
    return FilterKind::kOther;
  }
  errors.UnsupportedAt("typed_config",
                       absl::StrCat("the HTTP filter ", name,
                                    " is not supported yet; passed over"));
  return FilterKind::kOther;
}

// The chain must end in its only terminal filter, the router. An empty chain
// is allowed, as in Envoy.
template <typename Filters>
void ConvertFilters(const Filters& in, std::string_view field,
                    FieldErrors& errors, DeferredChecks* deferred,
                    model::HttpConnectionManager* out) {
  for (int i = 0; i < in.size(); ++i) {
    ScopedField scope(errors, field, i);
    if (out != nullptr) out->http_filters.push_back(in[i].name());
    const FilterKind kind = ConvertFilter(in[i], errors, deferred, out);
    const bool last = i + 1 == in.size();
    CheckFilterPlace(kind, in[i].name(), last,
                     "; the chain must end in the router filter", errors);
    if (last && in[i].disabled()) {
      errors.ErrorAt("disabled", "the last filter cannot be disabled");
    }
  }
}

void ConvertRds(const hcm::Rds& in, FieldErrors& errors,
                DeferredChecks* deferred, model::HttpConnectionManager& out) {
  ScopedField scope(errors, "rds");
  out.rds_route_config_name = in.route_config_name();
  const bool by_name = in.route_config_name().rfind("xdstp:", 0) == 0;
  if (!by_name && IsUnset(in.config_source())) {
    errors.ErrorAt("config_source", "is required, with a source such as ads");
  }
  ConvertConfigSource(in.config_source(), "config_source", errors, deferred);
}

void ConvertRoutes(const hcm::HttpConnectionManager& in, FieldErrors& errors,
                   DeferredChecks* deferred,
                   model::HttpConnectionManager& out) {
  switch (in.route_specifier_case()) {
    case hcm::HttpConnectionManager::kRds:
      ConvertRds(in.rds(), errors, deferred, out);
      break;
    case hcm::HttpConnectionManager::kRouteConfig: {
      ScopedField scope(errors, "route_config");
      out.route_config =
          ConvertRouteConfig(in.route_config(), errors, deferred, true);
      break;
    }
    case hcm::HttpConnectionManager::kScopedRoutes:
      errors.ErrorAt("scoped_routes",
                     "is not supported; other routes would be chosen");
      break;
    case hcm::HttpConnectionManager::ROUTE_SPECIFIER_NOT_SET:
      break;  // refused by the rules
  }
}

void ConvertTimes(const hcm::HttpConnectionManager& in, FieldErrors& errors,
                  model::HttpConnectionManager& out) {
  model::StreamLimits& limits = out.stream_limits;
  limits.idle_timeout = ConvertOptionalDuration(in.has_stream_idle_timeout(),
                                                in.stream_idle_timeout(),
                                                "stream_idle_timeout", errors)
                            .value_or(limits.idle_timeout);
  const std::pair<
      bool, std::pair<std::string_view, const ::google::protobuf::Duration*>>
      others[] = {
          {in.has_request_timeout(),
           {"request_timeout", &in.request_timeout()}},
          {in.has_request_headers_timeout(),
           {"request_headers_timeout", &in.request_headers_timeout()}},
          {in.has_drain_timeout(), {"drain_timeout", &in.drain_timeout()}},
          {in.has_delayed_close_timeout(),
           {"delayed_close_timeout", &in.delayed_close_timeout()}},
      };
  for (const auto& [has, field] : others) {
    ConvertOptionalDuration(has, *field.second, field.first, errors);
  }
  const auto& common = in.common_http_protocol_options();
  ScopedField scope(errors, "common_http_protocol_options");
  limits.max_stream_duration =
      ConvertOptionalDuration(common.has_max_stream_duration(),
                              common.max_stream_duration(),
                              "max_stream_duration", errors)
          .value_or(limits.max_stream_duration);
  ConvertOptionalDuration(common.has_idle_timeout(), common.idle_timeout(),
                          "idle_timeout", errors);
}

void CheckUpgrades(const hcm::HttpConnectionManager& in, FieldErrors& errors) {
  std::set<std::string> seen;
  for (int i = 0; i < in.upgrade_configs_size(); ++i) {
    const auto& upgrade = in.upgrade_configs(i);
    ScopedField scope(errors, "upgrade_configs", i);
    if (!seen.insert(base::LowerAscii(upgrade.upgrade_type())).second) {
      errors.ErrorAt(
          "upgrade_type",
          absl::StrCat("duplicate upgrade ", Quoted(upgrade.upgrade_type())));
    }
    ConvertFilters(upgrade.filters(), "filters", errors, nullptr, nullptr);
  }
}

model::RequestNormalization ConvertNormalization(
    const hcm::HttpConnectionManager& in) {
  using Hcm = hcm::HttpConnectionManager;
  using EscapedSlashes = model::RequestNormalization::EscapedSlashes;
  model::RequestNormalization out;
  out.strip_any_host_port = in.strip_any_host_port();
  out.strip_matching_host_port = in.strip_matching_host_port();
  out.strip_trailing_host_dot = in.strip_trailing_host_dot();
  out.normalize_path = in.normalize_path().value();
  out.merge_slashes = in.merge_slashes();
  out.scheme = in.scheme_header_transformation().scheme_to_overwrite();
  switch (in.path_with_escaped_slashes_action()) {
    case Hcm::REJECT_REQUEST:
      out.escaped_slashes = EscapedSlashes::kReject;
      break;
    case Hcm::UNESCAPE_AND_REDIRECT:
      out.escaped_slashes = EscapedSlashes::kRedirect;
      break;
    case Hcm::UNESCAPE_AND_FORWARD:
      out.escaped_slashes = EscapedSlashes::kForward;
      break;
    default:  // the default of Envoy's runtime is to keep them
      break;
  }
  return out;
}

}  // namespace

model::HttpConnectionManager ConvertHttpConnectionManager(
    const hcm::HttpConnectionManager& in, FieldErrors& errors,
    DeferredChecks* deferred) {
  model::HttpConnectionManager out;
  out.stat_prefix = in.stat_prefix();
  ConvertRoutes(in, errors, deferred, out);
  ConvertFilters(in.http_filters(), "http_filters", errors, deferred, &out);
  ConvertTimes(in, errors, out);
  CheckUpgrades(in, errors);
  out.normalization = ConvertNormalization(in);
  if (in.strip_matching_host_port() && in.strip_any_host_port()) {
    errors.ErrorAt("strip_any_host_port",
                   "cannot be combined with strip_matching_host_port");
  }
  return out;
}

namespace {

model::RetryPolicy ConvertConnectAttempts(const TcpProxy& in,
                                          FieldErrors& errors) {
  model::RetryPolicy out;
  const uint32_t attempts =
      in.has_max_connect_attempts() ? in.max_connect_attempts().value() : 1;
  out.num_retries = std::max(attempts, 1u) - 1;
  out.base_interval = absl::ZeroDuration();
  if (in.has_backoff_options()) {
    ScopedField scope(errors, "backoff_options");
    const auto& backoff = in.backoff_options();
    out.base_interval = ConvertOptionalDuration(backoff.has_base_interval(),
                                                backoff.base_interval(),
                                                "base_interval", errors)
                            .value_or(out.base_interval);
    out.max_interval =
        ConvertOptionalDuration(backoff.has_max_interval(),
                                backoff.max_interval(), "max_interval", errors);
  }
  // Envoy would not mind to draw the same host again.
  out.previous_hosts = true;
  out.host_selection_retry_max_attempts = 5;
  return out;
}

std::shared_ptr<const model::RouteConfig> ConvertTcpRoutes(
    const TcpProxy& in, const model::TcpProxy& out, FieldErrors& errors) {
  model::RouteAction action;
  std::visit([&](const auto& cluster) { action.cluster = cluster; },
             out.cluster);
  action.timeout = absl::ZeroDuration();
  action.idle_timeout =
      ConvertOptionalDuration(in.has_idle_timeout(), in.idle_timeout(),
                              "idle_timeout", errors)
          .value_or(absl::Hours(1));
  action.max_stream_duration.emplace().max_stream_duration =
      ConvertOptionalDuration(in.has_max_downstream_connection_duration(),
                              in.max_downstream_connection_duration(),
                              "max_downstream_connection_duration", errors);
  action.retry_policy = ConvertConnectAttempts(in, errors);
  for (const auto& policy : in.hash_policy()) {
    model::HashPolicy& to = action.hash_policy.emplace_back();
    to.kind = policy.has_filter_state() ? model::HashPolicy::Kind::kFilterState
                                        : model::HashPolicy::Kind::kSourceIp;
    to.name = policy.filter_state().key();
  }
  auto routes = std::make_shared<model::RouteConfig>();
  routes->name = in.stat_prefix();
  model::VirtualHost& host = routes->virtual_hosts.emplace_back();
  host.name = in.stat_prefix();
  host.domains = {"*"};
  host.routes.emplace_back().action = std::move(action);
  return routes;
}

void NoteTcpUnsupported(const TcpProxy& in, FieldErrors& errors) {
  if (in.has_metadata_match()) {
    errors.UnsupportedAt("metadata_match",
                         "subsets of hosts are not supported yet");
  }
  if (in.access_log_size() > 0) {
    errors.UnsupportedAt("access_log", "is not supported yet");
  }
  if (in.has_max_downstream_connection_duration_jitter_percentage()) {
    errors.UnsupportedAt("max_downstream_connection_duration_jitter_percentage",
                         "is not supported yet");
  }
}

}  // namespace

model::TcpProxy ConvertTcpProxy(const TcpProxy& in, FieldErrors& errors,
                                DeferredChecks* deferred) {
  model::TcpProxy out;
  out.stat_prefix = in.stat_prefix();
  // Envoy does not ask whether the clusters exist; it closes connections.
  const auto need = [&](std::string_view field, const std::string& cluster) {
    if (deferred == nullptr || cluster.empty()) return;
    ScopedField scope(errors, field);
    deferred->clusters.push_back({errors.path(), cluster, false});
  };
  if (!in.has_weighted_clusters()) {
    out.cluster = in.cluster();
    need("cluster", in.cluster());
  } else {
    model::WeightedClusters weighted;
    ScopedField scope(errors, "weighted_clusters");
    for (int i = 0; i < in.weighted_clusters().clusters_size(); ++i) {
      const auto& cluster = in.weighted_clusters().clusters(i);
      ScopedField item(errors, "clusters", i);
      model::WeightedCluster& to = weighted.clusters.emplace_back();
      to.name = cluster.name();
      to.weight = cluster.weight();
      weighted.total_weight += to.weight;
      need("name", cluster.name());
    }
    out.cluster = std::move(weighted);
  }
  out.routes = ConvertTcpRoutes(in, out, errors);
  NoteTcpUnsupported(in, errors);
  return out;
}

}  // namespace meshlib::xds
