#include "xds/convert_route.h"

#include <algorithm>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/strings.h"
#include "meshlib/xds/envoy/extensions/path/match/uri_template/v3/uri_template_match.pb.h"
#include "meshlib/xds/envoy/extensions/path/rewrite/uri_template/v3/uri_template_rewrite.pb.h"
#include "routing/uri_template.h"
#include "xds/convert_fault.h"
#include "xds/convert_headers.h"
#include "xds/convert_matchers.h"
#include "xds/convert_retry.h"
#include "xds/convert_route_action.h"
#include "xds/convert_values.h"

namespace meshlib::xds {

namespace route = envoy::config::route::v3;
using envoy::config::core::v3::TypedExtensionConfig;
using envoy::extensions::path::match::uri_template::v3::UriTemplateMatchConfig;
using envoy::extensions::path::rewrite::uri_template::v3::
    UriTemplateRewriteConfig;

std::string UriTemplateText(const TypedExtensionConfig& in, bool rewrite,
                            FieldErrors& errors) {
  ScopedField scope(errors, "typed_config");
  const auto& any = in.typed_config();
  if (!rewrite && HoldsA<UriTemplateMatchConfig>(any)) {
    UriTemplateMatchConfig config;
    return UnpackInto(any, config, errors) ? config.path_template() : "";
  }
  if (rewrite && HoldsA<UriTemplateRewriteConfig>(any)) {
    UriTemplateRewriteConfig config;
    return UnpackInto(any, config, errors) ? config.path_template_rewrite()
                                           : "";
  }
  errors.Error(absl::StrCat(Quoted(AnyTypeName(any)), " is not supported; ",
                            rewrite ? "requests would go out with another path"
                                    : "the route would match other requests"));
  return "";
}

namespace {

std::string Message(const absl::Status& status) {
  return std::string(base::ToStd(status.message()));
}

// Compiles the templates of match and rewrite, to see that they are good.
void CheckTemplates(const route::Route& in, FieldErrors& errors) {
  FieldErrors ignored;  // other problems have been reported before
  const std::string pattern =
      UriTemplateText(in.match().path_match_policy(), false, ignored);
  if (pattern.empty()) return;
  const auto compiled = routing::UriTemplate::Compile(pattern);
  if (!compiled.ok()) {
    ScopedField match(errors, "match");
    ScopedField policy(errors, "path_match_policy");
    ScopedField config(errors, "typed_config");
    errors.ErrorAt("path_template", Message(compiled.status()));
    return;
  }
  if (!in.route().has_path_rewrite_policy()) return;
  const std::string rewrite =
      UriTemplateText(in.route().path_rewrite_policy(), true, ignored);
  if (rewrite.empty()) return;
  const auto rewriter =
      routing::UriTemplateRewriter::Compile(rewrite, *compiled);
  if (rewriter.ok()) return;
  ScopedField route(errors, "route");
  ScopedField policy(errors, "path_rewrite_policy");
  ScopedField config(errors, "typed_config");
  errors.ErrorAt("path_template_rewrite", Message(rewriter.status()));
}

}  // namespace

void CheckPathRewrite(const route::Route& in, FieldErrors& errors) {
  const bool has_template = in.match().has_path_match_policy();
  const auto& action = in.route();
  if (action.has_path_rewrite_policy() && !has_template) {
    ScopedField scope(errors, "route");
    errors.ErrorAt("path_rewrite_policy",
                   "needs match.path_match_policy, whose variables it uses");
  }
  if (!action.prefix_rewrite().empty() && has_template) {
    ScopedField scope(errors, "route");
    errors.ErrorAt("prefix_rewrite",
                   "cannot be combined with match.path_match_policy");
  }
  if (has_template) CheckTemplates(in, errors);
}

namespace {

model::PathMatcher ConvertPath(const route::RouteMatch& in,
                               const RouteContext& context) {
  using Kind = model::PathMatcher::Kind;
  model::PathMatcher out;
  out.case_sensitive =
      ValueOr(in.has_case_sensitive(), in.case_sensitive(), true);
  switch (in.path_specifier_case()) {
    case route::RouteMatch::kPrefix:
      out.value = in.prefix();
      break;
    case route::RouteMatch::kPath:
      out.kind = Kind::kExact;
      out.value = in.path();
      break;
    case route::RouteMatch::kSafeRegex: {
      out.kind = Kind::kRegex;
      out.value = in.safe_regex().regex();
      ScopedField scope(context.errors, "safe_regex");
      CheckRegex(in.safe_regex(), context);
      break;
    }
    case route::RouteMatch::kConnectMatcher:
      out.kind = Kind::kConnect;
      out.value.clear();
      break;
    case route::RouteMatch::kPathSeparatedPrefix:
      out.kind = Kind::kPathSeparatedPrefix;
      out.value = in.path_separated_prefix();
      break;
    case route::RouteMatch::kPathMatchPolicy: {
      out.kind = Kind::kUriTemplate;
      ScopedField scope(context.errors, "path_match_policy");
      out.value =
          UriTemplateText(in.path_match_policy(), false, context.errors);
      break;
    }
    case route::RouteMatch::PATH_SPECIFIER_NOT_SET:
      break;  // refused by the rules
  }
  return out;
}

model::RouteMatch ConvertMatch(const route::RouteMatch& in,
                               const RouteContext& context) {
  ScopedField scope(context.errors, "match");
  model::RouteMatch out;
  out.path = ConvertPath(in, context);
  out.headers = ConvertHeaderMatchers(in.headers(), "headers", context);
  for (int i = 0; i < in.query_parameters_size(); ++i) {
    ScopedField item(context.errors, "query_parameters", i);
    out.query_parameters.push_back(
        ConvertQueryParameterMatcher(in.query_parameters(i), context));
  }
  for (int i = 0; i < in.cookies_size(); ++i) {
    ScopedField item(context.errors, "cookies", i);
    out.cookies.push_back(ConvertCookieMatcher(in.cookies(i), context));
  }
  if (in.has_runtime_fraction()) {
    out.runtime_fraction = ConvertFraction(in.runtime_fraction());
  }
  out.grpc = in.has_grpc();
  return out;
}

// request_body_buffer_limit is the newer form of the first.
template <typename Message>
std::optional<uint32_t> BufferLimit(const Message& in) {
  if (in.has_request_body_buffer_limit()) {
    return static_cast<uint32_t>(
        std::min<uint64_t>(in.request_body_buffer_limit().value(), UINT32_MAX));
  }
  if (in.has_per_request_buffer_limit_bytes()) {
    return in.per_request_buffer_limit_bytes().value();
  }
  return std::nullopt;
}

void ConvertAction(const route::Route& in, const RouteContext& context,
                   model::Route& out) {
  switch (in.action_case()) {
    case route::Route::kRoute: {
      ScopedField scope(context.errors, "route");
      out.action = ConvertRouteAction(in.route(), context);
      break;
    }
    case route::Route::kRedirect: {
      ScopedField scope(context.errors, "redirect");
      out.action = ConvertRedirect(in.redirect(), context);
      break;
    }
    case route::Route::kDirectResponse: {
      ScopedField scope(context.errors, "direct_response");
      out.action = ConvertDirectResponse(in.direct_response(), context);
      break;
    }
    case route::Route::kNonForwardingAction:
      out.action = model::NonForwardingAction{};
      break;
    case route::Route::ACTION_NOT_SET:
      break;  // refused by the rules
  }
}

model::Route ConvertRoute(const route::Route& in, const RouteContext& context) {
  FieldErrors& errors = context.errors;
  model::Route out;
  out.name = in.name();
  out.match = ConvertMatch(in.match(), context);
  ConvertAction(in, context, out);
  CheckPathRewrite(in, errors);
  out.headers = ConvertHeaderMutations(in, errors);
  if (in.has_metadata()) out.metadata = ConvertMetadata(in.metadata());
  out.per_request_buffer_limit_bytes = BufferLimit(in);
  out.filters = ConvertFilterOverrides(in.typed_per_filter_config(), errors,
                                       context.deferred);
  return out;
}

void ConvertVirtualHostPolicies(const route::VirtualHost& in,
                                const RouteContext& context,
                                model::VirtualHost& out) {
  FieldErrors& errors = context.errors;
  ConvertRetryAndHedge(in, context, out);
  // Without routes nobody inherits the policies, and Envoy does not look.
  RouteContext mirrors = context;
  mirrors.validate_clusters = context.validate_clusters && in.routes_size() > 0;
  out.request_mirror_policies =
      ConvertMirrorPolicies(in.request_mirror_policies(), mirrors);
  for (int i = 0; i < in.virtual_clusters_size(); ++i) {
    if (in.virtual_clusters(i).headers_size() > 0) continue;
    ScopedField scope(errors, "virtual_clusters", i);
    errors.ErrorAt("headers", "is required, with at least one");
  }
  if (in.rate_limits_size() > 0) {
    errors.UnsupportedAt("rate_limits", "rate limits are not supported yet");
  }
  if (in.has_cors()) errors.UnsupportedAt("cors", "is not supported yet");
  out.filters = ConvertFilterOverrides(in.typed_per_filter_config(), errors,
                                       context.deferred);
}

model::VirtualHost ConvertVirtualHost(const route::VirtualHost& in,
                                      const RouteContext& context) {
  using Tls = model::VirtualHost::TlsRequirement;
  model::VirtualHost out;
  out.name = in.name();
  for (const std::string& domain : in.domains()) {
    out.domains.push_back(base::LowerAscii(domain));
  }
  out.routes.reserve(static_cast<size_t>(in.routes_size()));
  for (int i = 0; i < in.routes_size(); ++i) {
    ScopedField scope(context.errors, "routes", i);
    out.routes.push_back(ConvertRoute(in.routes(i), context));
  }
  out.headers = ConvertHeaderMutations(in, context.errors);
  if (in.require_tls() == route::VirtualHost::ALL) {
    out.require_tls = Tls::kAll;
  } else if (in.require_tls() == route::VirtualHost::EXTERNAL_ONLY) {
    out.require_tls = Tls::kExternalOnly;
  }
  ConvertVirtualHostPolicies(in, context, out);
  out.include_request_attempt_count = in.include_request_attempt_count();
  out.include_attempt_count_in_response =
      in.include_attempt_count_in_response();
  out.include_is_timeout_retry_header = in.include_is_timeout_retry_header();
  out.per_request_buffer_limit_bytes = BufferLimit(in);
  return out;
}

// A plugin that nobody knows must say that it is optional. Routes that use one
// are refused in any case.
void CheckPlugins(const route::RouteConfiguration& in, FieldErrors& errors) {
  for (int i = 0; i < in.cluster_specifier_plugins_size(); ++i) {
    const auto& plugin = in.cluster_specifier_plugins(i);
    const std::string_view type =
        AnyTypeName(plugin.extension().typed_config());
    if (plugin.is_optional() || type.substr(0, 6) == "envoy." ||
        type.substr(0, 5) == "grpc.") {
      continue;
    }
    ScopedField scope(errors, "cluster_specifier_plugins", i);
    ScopedField extension(errors, "extension");
    errors.ErrorAt("typed_config",
                   absl::StrCat("cluster specifier plugin ", Quoted(type),
                                " is not supported, and not optional"));
  }
}

// Each domain belongs to one virtual host, without regard to case.
class UniqueDomains {
 public:
  void Check(const route::VirtualHost& host, FieldErrors& errors) {
    if (!names_.insert(host.name()).second) {
      errors.WarningAt("name", absl::StrCat("another virtual host is called ",
                                            Quoted(host.name()), " too"));
    }
    for (int i = 0; i < host.domains_size(); ++i) {
      if (domains_.insert(base::LowerAscii(host.domains(i))).second) continue;
      ScopedField scope(errors, "domains", i);
      errors.Error(host.domains(i) == "*"
                       ? "only a single wildcard domain is permitted; "
                         "duplicate \"*\""
                       : absl::StrCat("duplicate domain ",
                                      Quoted(host.domains(i)),
                                      "; domains must be unique"));
    }
  }

 private:
  std::set<std::string> names_;
  std::set<std::string> domains_;
};

}  // namespace

std::shared_ptr<const model::RouteConfig> ConvertRouteConfig(
    const route::RouteConfiguration& in, FieldErrors& errors,
    DeferredChecks* deferred, bool validate_clusters_by_default) {
  const size_t errors_before = errors.error_count();
  RouteContext context{errors, deferred};
  context.validate_clusters =
      ValueOr(in.has_validate_clusters(), in.validate_clusters(),
              validate_clusters_by_default);
  context.max_direct_response_body_size =
      ValueOr(in.has_max_direct_response_body_size_bytes(),
              in.max_direct_response_body_size_bytes(), 4096u);
  auto out = std::make_shared<model::RouteConfig>();
  out->name = in.name();
  UniqueDomains unique;
  out->virtual_hosts.reserve(static_cast<size_t>(in.virtual_hosts_size()));
  for (int i = 0; i < in.virtual_hosts_size(); ++i) {
    ScopedField scope(errors, "virtual_hosts", i);
    unique.Check(in.virtual_hosts(i), errors);
    out->virtual_hosts.push_back(
        ConvertVirtualHost(in.virtual_hosts(i), context));
  }
  out->headers = ConvertHeaderMutations(in, errors);
  out->most_specific_header_mutations_wins =
      in.most_specific_header_mutations_wins();
  out->ignore_port_in_host_matching = in.ignore_port_in_host_matching();
  out->request_mirror_policies =
      ConvertMirrorPolicies(in.request_mirror_policies(), context);
  out->filters =
      ConvertFilterOverrides(in.typed_per_filter_config(), errors, deferred);
  CheckPlugins(in, errors);
  if (in.ignore_path_parameters_in_path_matching()) {
    errors.ErrorAt("ignore_path_parameters_in_path_matching",
                   "is not supported yet; routes would match other requests");
  }
  if (errors.error_count() != errors_before) return nullptr;
  return out;
}

}  // namespace meshlib::xds
