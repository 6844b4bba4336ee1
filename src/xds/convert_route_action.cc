#include "xds/convert_route_action.h"
#include "xds/convert_data_source.h"

#include <cstdint>
#include <iterator>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/strings.h"
#include "xds/convert_fault.h"
#include "xds/convert_headers.h"
#include "xds/convert_retry.h"
#include "xds/convert_values.h"

namespace meshlib::xds {
namespace {

namespace route = envoy::config::route::v3;

model::WeightedCluster ConvertClusterWeight(
    const route::WeightedCluster::ClusterWeight& in,
    const RouteContext& context) {
  FieldErrors& errors = context.errors;
  model::WeightedCluster out;
  out.name = in.name();
  out.cluster_header = base::LowerAscii(in.cluster_header());
  out.weight = in.weight().value();
  if (in.name().empty() == in.cluster_header().empty()) {
    errors.Error("needs exactly one of name and cluster_header");
  }
  if (!in.has_weight()) errors.ErrorAt("weight", "is required");
  out.filters = ConvertFilterOverrides(in.typed_per_filter_config(), errors,
                                       context.deferred);
  out.headers = ConvertHeaderMutations(in, errors);
  out.host_rewrite_literal = in.host_rewrite_literal();
  context.NeedCluster("name", in.name());
  return out;
}

model::WeightedClusters ConvertWeightedClusters(
    const route::WeightedCluster& in, const RouteContext& context) {
  FieldErrors& errors = context.errors;
  ScopedField scope(errors, "weighted_clusters");
  model::WeightedClusters out;
  for (int i = 0; i < in.clusters_size(); ++i) {
    ScopedField item(errors, "clusters", i);
    out.clusters.push_back(ConvertClusterWeight(in.clusters(i), context));
    out.total_weight += out.clusters.back().weight;
  }
  if (out.total_weight == 0 && in.clusters_size() > 0) {
    errors.ErrorAt("clusters", "the weights sum to 0");
  }
  if (out.total_weight > UINT32_MAX) {
    errors.ErrorAt("clusters",
                   absl::StrCat("the weights sum to ", out.total_weight, " > ",
                                UINT32_MAX));
  }
  if (in.has_total_weight() && in.total_weight().value() != out.total_weight) {
    errors.WarningAt("total_weight",
                     absl::StrCat("has no effect; the sum of the weights, ",
                                  out.total_weight, ", holds"));
  }
  out.random_value_header = base::LowerAscii(in.header_name());
  out.use_hash_policy = in.use_hash_policy().value();
  out.runtime_key_prefix = in.runtime_key_prefix();
  return out;
}

void ConvertCluster(const route::RouteAction& in, const RouteContext& context,
                    model::RouteAction& out) {
  FieldErrors& errors = context.errors;
  switch (in.cluster_specifier_case()) {
    case route::RouteAction::kCluster:
      out.cluster = in.cluster();
      context.NeedCluster("cluster", in.cluster());
      break;
    case route::RouteAction::kClusterHeader:
      out.cluster = model::ClusterHeader{base::LowerAscii(in.cluster_header())};
      break;
    case route::RouteAction::kWeightedClusters:
      out.cluster = ConvertWeightedClusters(in.weighted_clusters(), context);
      break;
    case route::RouteAction::kClusterSpecifierPlugin:
      errors.ErrorAt("cluster_specifier_plugin",
                     "cluster specifier plugins are not supported; the "
                     "cluster would be unknown");
      break;
    case route::RouteAction::kInlineClusterSpecifierPlugin:
      errors.ErrorAt("inline_cluster_specifier_plugin",
                     "cluster specifier plugins are not supported; the "
                     "cluster would be unknown");
      break;
    case route::RouteAction::CLUSTER_SPECIFIER_NOT_SET:
      break;  // refused by the rules
  }
  switch (in.cluster_not_found_response_code()) {
    case route::RouteAction::NOT_FOUND:
      out.cluster_not_found_response_code = 404;
      break;
    case route::RouteAction::INTERNAL_SERVER_ERROR:
      out.cluster_not_found_response_code = 500;
      break;
    default:
      break;
  }
}

void ConvertRewrites(const route::RouteAction& in, const RouteContext& context,
                     model::RouteAction& out) {
  FieldErrors& errors = context.errors;
  out.prefix_rewrite = in.prefix_rewrite();
  if (in.has_regex_rewrite()) {
    ScopedField scope(errors, "regex_rewrite");
    out.regex_rewrite = ConvertRegexRewrite(in.regex_rewrite(), context);
  }
  if (in.has_path_rewrite_policy()) {
    ScopedField scope(errors, "path_rewrite_policy");
    out.path_rewrite_template =
        UriTemplateText(in.path_rewrite_policy(), true, errors);
  }
  if (!in.prefix_rewrite().empty() + in.has_regex_rewrite() +
          in.has_path_rewrite_policy() >
      1) {
    errors.Error(
        "only one of prefix_rewrite, regex_rewrite and path_rewrite_policy "
        "can be set");
  }
  out.host_rewrite_literal = in.host_rewrite_literal();
  if (!in.host_rewrite().empty()) {
    // A format; without "%" and line breaks it is literal text.
    if (in.host_rewrite().find_first_of(std::string_view("%\r\n\0", 4)) !=
        std::string::npos) {
      errors.ErrorAt(
          "host_rewrite",
          "formats are not supported yet, and not safe to pass over");
    }
    out.host_rewrite_literal = in.host_rewrite();
  }
  out.host_rewrite_header = base::LowerAscii(in.host_rewrite_header());
  if (in.has_host_rewrite_path_regex()) {
    ScopedField scope(errors, "host_rewrite_path_regex");
    out.host_rewrite_path_regex =
        ConvertRegexRewrite(in.host_rewrite_path_regex(), context);
  }
  out.auto_host_rewrite = in.auto_host_rewrite().value();
  out.append_x_forwarded_host = in.append_x_forwarded_host();
}

void ConvertTimeouts(const route::RouteAction& in, FieldErrors& errors,
                     model::RouteAction& out) {
  out.timeout = ConvertOptionalDuration(in.has_timeout(), in.timeout(),
                                        "timeout", errors);
  out.idle_timeout = ConvertOptionalDuration(
      in.has_idle_timeout(), in.idle_timeout(), "idle_timeout", errors);
  out.max_grpc_timeout =
      ConvertOptionalDuration(in.has_max_grpc_timeout(), in.max_grpc_timeout(),
                              "max_grpc_timeout", errors);
  out.grpc_timeout_offset = ConvertOptionalDuration(
      in.has_grpc_timeout_offset(), in.grpc_timeout_offset(),
      "grpc_timeout_offset", errors);
  if (!in.has_max_stream_duration()) return;
  ScopedField scope(errors, "max_stream_duration");
  const auto& max = in.max_stream_duration();
  out.max_stream_duration = model::MaxStreamDuration{
      ConvertOptionalDuration(max.has_max_stream_duration(),
                              max.max_stream_duration(), "max_stream_duration",
                              errors),
      ConvertOptionalDuration(max.has_grpc_timeout_header_max(),
                              max.grpc_timeout_header_max(),
                              "grpc_timeout_header_max", errors),
      ConvertOptionalDuration(max.has_grpc_timeout_header_offset(),
                              max.grpc_timeout_header_offset(),
                              "grpc_timeout_header_offset", errors)};
}

// Nothing for a policy that has no effect.
std::optional<model::HashPolicy> ConvertHashPolicy(
    const route::RouteAction::HashPolicy& in, const RouteContext& context) {
  using Kind = model::HashPolicy::Kind;
  using HashPolicy = route::RouteAction::HashPolicy;
  model::HashPolicy out;
  out.terminal = in.terminal();
  switch (in.policy_specifier_case()) {
    case HashPolicy::kHeader: {
      out.kind = Kind::kHeader;
      out.name = base::LowerAscii(in.header().header_name());
      if (!in.header().has_regex_rewrite()) break;
      ScopedField scope(context.errors, "header");
      ScopedField field(context.errors, "regex_rewrite");
      out.regex_rewrite =
          ConvertRegexRewrite(in.header().regex_rewrite(), context);
      break;
    }
    case HashPolicy::kCookie: {
      out.kind = Kind::kCookie;
      out.name = in.cookie().name();
      out.cookie_path = in.cookie().path();
      ScopedField scope(context.errors, "cookie");
      out.cookie_ttl = ConvertOptionalDuration(
          in.cookie().has_ttl(), in.cookie().ttl(), "ttl", context.errors);
      if (in.cookie().attributes_size() > 0) {
        context.errors.UnsupportedAt(
            "attributes", "attributes of cookies are not supported yet");
      }
      break;
    }
    case HashPolicy::kConnectionProperties:
      if (!in.connection_properties().source_ip()) return std::nullopt;
      out.kind = Kind::kSourceIp;
      break;
    case HashPolicy::kQueryParameter:
      out.kind = Kind::kQueryParameter;
      out.name = in.query_parameter().name();
      break;
    case HashPolicy::kFilterState:
      out.kind = Kind::kFilterState;
      out.name = in.filter_state().key();
      break;
    case HashPolicy::POLICY_SPECIFIER_NOT_SET:
      return std::nullopt;  // refused by the rules
  }
  return out;
}

void CheckUpgrades(const route::RouteAction& in, FieldErrors& errors) {
  std::set<std::string> seen;
  for (int i = 0; i < in.upgrade_configs_size(); ++i) {
    const auto& upgrade = in.upgrade_configs(i);
    ScopedField scope(errors, "upgrade_configs", i);
    const std::string type = base::LowerAscii(upgrade.upgrade_type());
    if (!seen.insert(type).second) {
      errors.ErrorAt("upgrade_type",
                     absl::StrCat("duplicate upgrade ", Quoted(type)));
    }
    if (upgrade.has_connect_config() && type != "connect" &&
        type != "connect-udp") {
      errors.ErrorAt("connect_config",
                     "is for the upgrades CONNECT and CONNECT-UDP only");
    }
  }
}

void CheckInternalRedirect(const route::RouteAction& in, FieldErrors& errors) {
  ScopedField scope(errors, "internal_redirect_policy");
  const auto& headers =
      in.internal_redirect_policy().response_headers_to_copy();
  for (int i = 0; i < headers.size(); ++i) {
    if (headers[i].empty() ||
        (headers[i][0] != ':' && !base::EqualsIgnoreCase(headers[i], "host"))) {
      continue;
    }
    ScopedField item(errors, "response_headers_to_copy", i);
    errors.Error(absl::StrCat(Quoted(headers[i]), " cannot be copied"));
  }
}

void NoteUnsupported(const route::RouteAction& in, FieldErrors& errors) {
  const struct {
    bool has;
    const char* field;
    const char* message;
  } notes[] = {
      {in.rate_limits_size() > 0, "rate_limits",
       "rate limits are not supported yet"},
      {in.has_cors(), "cors", "is not supported yet"},
      {in.upgrade_configs_size() > 0, "upgrade_configs",
       "upgrades are not supported yet"},
      {in.has_internal_redirect_policy(), "internal_redirect_policy",
       "internal redirects are not supported yet; redirects are answers"},
      {in.internal_redirect_action() ==
           route::RouteAction::HANDLE_INTERNAL_REDIRECT,
       "internal_redirect_action",
       "internal redirects are not supported yet; redirects are answers"},
  };
  for (const auto& note : notes) {
    if (note.has) errors.UnsupportedAt(note.field, note.message);
  }
}

void ConvertPolicies(const route::RouteAction& in, const RouteContext& context,
                     model::RouteAction& out) {
  FieldErrors& errors = context.errors;
  ConvertRetryAndHedge(in, context, out);
  out.request_mirror_policies =
      ConvertMirrorPolicies(in.request_mirror_policies(), context);
  out.request_mirror_policies_set = in.request_mirror_policies_size() > 0;
  for (int i = 0; i < in.hash_policy_size(); ++i) {
    ScopedField scope(errors, "hash_policy", i);
    if (auto policy = ConvertHashPolicy(in.hash_policy(i), context)) {
      out.hash_policy.push_back(*std::move(policy));
    }
  }
  out.priority = in.priority() == envoy::config::core::v3::HIGH
                     ? model::RoutingPriority::kHigh
                     : model::RoutingPriority::kDefault;
  if (in.has_metadata_match()) {
    out.metadata_match = ConvertMetadata(in.metadata_match());
  }
}

}  // namespace

std::vector<model::MirrorPolicy> ConvertMirrorPolicies(
    const ::google::protobuf::RepeatedPtrField<
        route::RouteAction::RequestMirrorPolicy>& in,
    const RouteContext& context) {
  std::vector<model::MirrorPolicy> out;
  for (int i = 0; i < in.size(); ++i) {
    ScopedField scope(context.errors, "request_mirror_policies", i);
    model::MirrorPolicy& policy = out.emplace_back();
    policy.cluster = in[i].cluster();
    policy.cluster_header = base::LowerAscii(in[i].cluster_header());
    if (policy.cluster.empty() == policy.cluster_header.empty()) {
      context.errors.Error("needs exactly one of cluster and cluster_header");
    }
    if (in[i].has_runtime_fraction()) {
      policy.runtime_fraction = ConvertFraction(in[i].runtime_fraction());
    }
    policy.disable_shadow_host_suffix_append =
        in[i].disable_shadow_host_suffix_append();
    policy.host_rewrite_literal = in[i].host_rewrite_literal();
    if (in[i].request_headers_mutations_size() > 0) {
      context.errors.UnsupportedAt(
          "request_headers_mutations",
          "header mutations of mirrored requests are not supported yet");
    }
    context.NeedCluster("cluster", in[i].cluster());
  }
  return out;
}

model::RouteAction ConvertRouteAction(const route::RouteAction& in,
                                      const RouteContext& context) {
  model::RouteAction out;
  ConvertCluster(in, context, out);
  ConvertRewrites(in, context, out);
  ConvertTimeouts(in, context.errors, out);
  ConvertPolicies(in, context, out);
  CheckUpgrades(in, context.errors);
  CheckInternalRedirect(in, context.errors);
  NoteUnsupported(in, context.errors);
  return out;
}

model::RedirectAction ConvertRedirect(const route::RedirectAction& in,
                                      const RouteContext& context) {
  constexpr uint32_t kCodes[] = {301, 302, 303, 307, 308};
  model::RedirectAction out;
  out.host_redirect = in.host_redirect();
  if (in.port_redirect() != 0) out.port_redirect = in.port_redirect();
  if (in.port_redirect() > 65535) {
    context.errors.WarningAt("port_redirect",
                             absl::StrCat(in.port_redirect(), " > 65535"));
  }
  out.scheme_redirect = in.scheme_redirect();
  out.https_redirect = in.https_redirect();
  out.path_redirect = in.path_redirect();
  out.prefix_rewrite = in.prefix_rewrite();
  if (in.has_regex_rewrite()) {
    ScopedField scope(context.errors, "regex_rewrite");
    out.regex_rewrite = ConvertRegexRewrite(in.regex_rewrite(), context);
  }
  if (!in.path_rewrite().empty()) {
    context.errors.ErrorAt("path_rewrite",
                           "is not supported; requests would be redirected "
                           "to another path");
  }
  const auto code = static_cast<size_t>(in.response_code());
  if (code < std::size(kCodes)) out.response_code = kCodes[code];
  out.strip_query = in.strip_query();
  return out;
}

model::DirectResponseAction ConvertDirectResponse(
    const route::DirectResponseAction& in, const RouteContext& context) {
  model::DirectResponseAction out;
  out.status = in.status();
  if (in.has_body()) {
    ScopedField scope(context.errors, "body");
    const size_t limit = context.max_direct_response_body_size;
    if (auto body = ReadDataSource(in.body(), limit, context.errors)) {
      if (body->size() > limit) {
        context.errors.Error(absl::StrCat("the body has ", body->size(),
                                          " bytes or more, want at most ",
                                          limit));
      }
      out.body = *std::move(body);
    }
  }
  if (in.has_body_format()) {
    context.errors.UnsupportedAt("body_format",
                                 "formats of bodies are not supported yet");
  }
  return out;
}

}  // namespace meshlib::xds
