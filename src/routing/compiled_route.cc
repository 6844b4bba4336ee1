#include "routing/compiled_route.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/strings.h"
#include "routing/request_fields.h"

namespace meshlib::routing {
namespace {

constexpr char kForwardedHost[] = "x-forwarded-host";
constexpr char kOriginalHost[] = "x-envoy-original-host";
constexpr char kOriginalPath[] = "x-envoy-original-path";

std::string_view Trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) {
    text.remove_prefix(1);
  }
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) {
    text.remove_suffix(1);
  }
  return text;
}

// Appends to the list unless the host is its last entry already.
void AppendForwardedHost(std::string_view host, HeaderList& headers) {
  const std::optional<std::string_view> before = headers.First(kForwardedHost);
  if (!before.has_value() || before->empty()) {
    headers.Set(kForwardedHost, std::string(host));
    return;
  }
  const size_t comma = before->rfind(',');
  const std::string_view last =
      comma == std::string_view::npos ? *before : before->substr(comma + 1);
  if (Trim(last) == host) return;
  headers.Set(kForwardedHost,
              absl::StrCat(base::ToAbsl(*before), ",", base::ToAbsl(host)));
}

absl::Status CompileLevel(const model::HeaderMutations& config,
                          HeaderRules* request, HeaderRules* response) {
  absl::StatusOr<HeaderRules> rules = HeaderRules::Compile(
      config.request_headers_to_add, config.request_headers_to_remove);
  if (!rules.ok()) return rules.status();
  *request = *std::move(rules);
  rules = HeaderRules::Compile(config.response_headers_to_add,
                               config.response_headers_to_remove);
  if (!rules.ok()) return rules.status();
  *response = *std::move(rules);
  return absl::OkStatus();
}

}  // namespace

CompiledRoute::CompiledRoute(const model::Route& config,
                             const RouteParents& parents, size_t index,
                             RouteMatcher matcher)
    : config_(&config),
      parents_(parents),
      matcher_(std::move(matcher)),
      label_(config.name.empty() ? absl::StrCat("#", index) : config.name),
      ordinal_(static_cast<uint32_t>(parents.routes_before + index)),
      action_(std::get_if<model::RouteAction>(&config.action)) {}

absl::StatusOr<std::unique_ptr<const CompiledRoute>> CompiledRoute::Compile(
    const model::Route& config, const RouteParents& parents, size_t index,
    const model::Runtime& runtime) {
  absl::StatusOr<RouteMatcher> matcher =
      RouteMatcher::Compile(config.match, runtime);
  if (!matcher.ok()) return matcher.status();
  std::unique_ptr<CompiledRoute> route(
      new CompiledRoute(config, parents, index, *std::move(matcher)));
  absl::Status status = route->CompileAction(runtime);
  if (!status.ok()) return status;
  status = route->CompileHeaders();
  if (!status.ok()) return status;
  route->CompileInherited(runtime);
  route->rewrites_requests_ = route->RewritesRequests();
  route->rewrites_responses_ = ChangesAny(route->response_headers_);
  return std::unique_ptr<const CompiledRoute>(std::move(route));
}

absl::Status CompiledRoute::CompileAction(const model::Runtime& runtime) {
  if (const auto* redirect =
          std::get_if<model::RedirectAction>(&config_->action)) {
    absl::StatusOr<Redirect> compiled =
        Redirect::Compile(*redirect, config_->match.path);
    if (!compiled.ok()) return compiled.status();
    redirect_ = *std::move(compiled);
  }
  if (action_ == nullptr) return absl::OkStatus();
  absl::StatusOr<ClusterChooser> clusters =
      ClusterChooser::Compile(action_->cluster, runtime);
  if (!clusters.ok()) return clusters.status();
  clusters_ = *std::move(clusters);
  absl::StatusOr<HashPolicies> hash =
      HashPolicies::Compile(action_->hash_policy);
  if (!hash.ok()) return hash.status();
  hash_policies_ = *std::move(hash);
  absl::StatusOr<PathRewriter> path = PathRewriter::ForRoute(
      *action_, config_->match.path, matcher_.uri_template());
  if (!path.ok()) return path.status();
  path_rewriter_ = *std::move(path);
  host_rewrite_header_ = base::LowerAscii(action_->host_rewrite_header);
  if (action_->host_rewrite_path_regex.has_value()) {
    absl::StatusOr<RegexReplacer> regex =
        RegexReplacer::Compile(*action_->host_rewrite_path_regex);
    if (!regex.ok()) return regex.status();
    host_regex_ = *std::move(regex);
  }
  return absl::OkStatus();
}

absl::Status CompiledRoute::CompileHeaders() {
  absl::Status status = CompileLevel(config_->headers, &request_headers_.route,
                                     &response_headers_.route);
  if (!status.ok()) return status;
  const auto* weighted =
      action_ == nullptr
          ? nullptr
          : std::get_if<model::WeightedClusters>(&action_->cluster);
  if (weighted != nullptr) {
    for (const model::WeightedCluster& cluster : weighted->clusters) {
      status = CompileLevel(cluster.headers,
                            &request_headers_.weighted.emplace_back(),
                            &response_headers_.weighted.emplace_back());
      if (!status.ok()) return status;
    }
  }
  // What is applied last wins.
  request_headers_.order = {&request_headers_.route,
                            parents_.host_request_headers,
                            parents_.config_request_headers};
  response_headers_.order = {&response_headers_.route,
                             parents_.host_response_headers,
                             parents_.config_response_headers};
  if (parents_.config->most_specific_header_mutations_wins) {
    std::swap(request_headers_.order.front(), request_headers_.order.back());
    std::swap(response_headers_.order.front(), response_headers_.order.back());
  }
  return absl::OkStatus();
}

void CompiledRoute::CompileInherited(const model::Runtime& runtime) {
  if (action_ == nullptr) return;
  const model::VirtualHost& host = *parents_.virtual_host;
  if (action_->retry_policy.has_value()) {
    retry_policy_ = &*action_->retry_policy;
  } else if (host.retry_policy.has_value()) {
    retry_policy_ = &*host.retry_policy;
  }
  if (action_->hedge_policy.has_value()) {
    hedge_policy_ = &*action_->hedge_policy;
  } else if (host.hedge_policy.has_value()) {
    hedge_policy_ = &*host.hedge_policy;
  }
  const std::vector<model::MirrorPolicy>* mirrors =
      &action_->request_mirror_policies;
  if (mirrors->empty()) mirrors = &host.request_mirror_policies;
  if (mirrors->empty()) mirrors = &parents_.config->request_mirror_policies;
  for (const model::MirrorPolicy& mirror : *mirrors) {
    mirrors_.emplace_back(mirror, runtime);
  }
}

bool CompiledRoute::ChangesAny(const Levels& levels) {
  for (const HeaderRules* rules : levels.order) {
    if (!rules->empty()) return true;
  }
  for (const HeaderRules& rules : levels.weighted) {
    if (!rules.empty()) return true;
  }
  return false;
}

bool CompiledRoute::RewritesRequests() const {
  if (action_ == nullptr) return false;
  if (ChangesAny(request_headers_)) return true;
  if (const auto* weighted =
          std::get_if<model::WeightedClusters>(&action_->cluster)) {
    for (const model::WeightedCluster& cluster : weighted->clusters) {
      if (!cluster.host_rewrite_literal.empty()) return true;
    }
  }
  return !path_rewriter_.empty() || !action_->host_rewrite_literal.empty() ||
         !host_rewrite_header_.empty() || host_regex_.has_value() ||
         action_->auto_host_rewrite;
}

std::optional<uint32_t> CompiledRoute::per_request_buffer_limit_bytes() const {
  if (config_->per_request_buffer_limit_bytes.has_value()) {
    return config_->per_request_buffer_limit_bytes;
  }
  return parents_.virtual_host->per_request_buffer_limit_bytes;
}

Timeouts CompiledRoute::TimeoutsFor(const Request& request) const {
  if (action_ == nullptr) return Timeouts();
  return routing::TimeoutsFor(request, *action_, retry_policy_);
}

const HeaderRules* CompiledRoute::WeightedRules(const Levels& levels,
                                                const ClusterChoice& choice) {
  const auto index = static_cast<size_t>(choice.weighted_index);
  return choice.weighted_index >= 0 && index < levels.weighted.size()
             ? &levels.weighted[index]
             : nullptr;
}

const model::WeightedCluster* CompiledRoute::Weighted(
    const ClusterChoice& choice) const {
  if (action_ == nullptr || choice.weighted_index < 0) return nullptr;
  const auto* weighted =
      std::get_if<model::WeightedClusters>(&action_->cluster);
  const auto index = static_cast<size_t>(choice.weighted_index);
  return weighted != nullptr && index < weighted->clusters.size()
             ? &weighted->clusters[index]
             : nullptr;
}

RewrittenRequest CompiledRoute::RewriteRequest(
    const Request& request, const ClusterChoice& choice,
    std::string_view endpoint_hostname) const {
  RewrittenRequest out{std::string(request.authority),
                       std::string(request.path), HeaderList(request.headers)};
  const FormatContext context{request, out.headers, nullptr, config_->name,
                              choice.name};
  if (const HeaderRules* rules = WeightedRules(request_headers_, choice)) {
    rules->Apply(context, out.headers);
  }
  if (const model::WeightedCluster* cluster = Weighted(choice)) {
    if (!cluster->host_rewrite_literal.empty()) {
      out.authority = cluster->host_rewrite_literal;
    }
  }
  for (const HeaderRules* rules : request_headers_.order) {
    rules->Apply(context, out.headers);
  }
  ChangeHost(request, endpoint_hostname, out);
  std::optional<std::string> path = path_rewriter_.Rewrite(request.path);
  if (path.has_value()) {
    out.headers.Set(kOriginalPath, std::string(request.path));
    out.path = *std::move(path);
  }
  return out;
}

std::string CompiledRoute::NewHost(const Request& request,
                                   const HeaderList& headers,
                                   std::string_view endpoint_hostname) const {
  if (!action_->host_rewrite_literal.empty()) {
    return action_->host_rewrite_literal;
  }
  if (!host_rewrite_header_.empty()) {
    Request changed = request;
    changed.headers = headers.headers();
    return std::string(FirstHeader(changed, host_rewrite_header_).value_or(""));
  }
  if (host_regex_.has_value()) {
    return host_regex_->Replace(PathOf(request.path));
  }
  if (action_->auto_host_rewrite) return std::string(endpoint_hostname);
  return "";
}

void CompiledRoute::ChangeHost(const Request& request,
                               std::string_view endpoint_hostname,
                               RewrittenRequest& out) const {
  if (action_ == nullptr) return;
  std::string host = NewHost(request, out.headers, endpoint_hostname);
  if (host.empty()) return;
  if (!out.authority.empty()) {
    out.headers.Set(kOriginalHost, out.authority);
    if (action_->append_x_forwarded_host) {
      AppendForwardedHost(out.authority, out.headers);
    }
  }
  out.authority = std::move(host);
}

void CompiledRoute::RewriteResponse(const Request& request,
                                    const ClusterChoice& choice,
                                    HeaderList& headers) const {
  const HeaderList request_headers(request.headers);
  const FormatContext context{request, request_headers, &headers, config_->name,
                              choice.name};
  if (const HeaderRules* rules = WeightedRules(response_headers_, choice)) {
    rules->Apply(context, headers);
  }
  for (const HeaderRules* rules : response_headers_.order) {
    rules->Apply(context, headers);
  }
}

}  // namespace meshlib::routing
