#include "cluster/explain.h"

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "cluster/call.h"
#include "cluster/fallback.h"
#include "lb/balancer.h"
#include "lb/pick_context.h"
#include "lb/weighted_round_robin/load_weight.h"
#include "model/cluster.h"
#include "resilience/connect_backoff.h"
#include "routing/normalize.h"
#include "routing/route_table.h"

namespace meshlib::cluster {
namespace {

using HostSet = absl::flat_hash_set<const model::Host*>;

std::string Text(PickFailure failure) {
  return std::string(PickFailureName(failure));
}

// What normalization makes of a request that is not to be routed.
Explanation::Response AnswerTo(routing::Normalized normalized,
                               const Request& request) {
  if (normalized == routing::Normalized::kRedirected) {
    return {307, std::string(request.path), ""};
  }
  return {400, "", ""};
}

// What is answered in place of forwarding the request; nothing where it is
// forwarded, or where the configuration does not say.
std::optional<Explanation::Response> AnswerTo(
    const routing::RouteTable::Match& match, const Request& request) {
  if (match.wants_tls) {
    return Explanation::Response{301, routing::TlsRedirectLocation(request),
                                 ""};
  }
  if (match.route == nullptr) return std::nullopt;
  if (const routing::Redirect* redirect = match.route->redirect()) {
    return Explanation::Response{redirect->response_code(),
                                 redirect->Location(request), ""};
  }
  if (const auto* direct = match.route->direct_response()) {
    return Explanation::Response{direct->status, "", direct->body};
  }
  return std::nullopt;
}

// Whether every such request is aborted.
bool ExplainFaults(const TargetBinding& binding,
                   const routing::RouteTable::Match& match,
                   const Request& request, uint64_t random, Explanation& out) {
  if (binding.faults == nullptr) return false;
  const FaultScope at = FaultScope::Of(request, *binding.routes, match, random);
  for (size_t i = 0; i < binding.faults->filters.size(); ++i) {
    const resilience::CompiledFault* fault =
        binding.faults->At(i, at.overrides);
    if (fault == nullptr || fault->max_active() == 0 ||
        !fault->Matches(request, at.cluster)) {
      continue;
    }
    const resilience::CompiledFault::Chances chances =
        fault->ChancesOf(request);
    if (chances.delay_part <= 0 && chances.abort_part <= 0) continue;
    out.faults.push_back(
        {binding.faults->filters[i].name, chances.delay, chances.delay_part,
         static_cast<uint32_t>(chances.abort.http_status),
         chances.abort.GrpcStatusFor(request), chances.abort_part});
    if (chances.abort_part < 1) continue;
    out.failure = Text(PickFailure::kFaultAbort);
    out.response =
        Explanation::Response{static_cast<uint32_t>(chances.abort.http_status),
                              "", std::string(chances.abort.body)};
    return true;
  }
  return false;
}

// The route's part. Gives the cluster, or kNoCluster with `failure` set.
ClusterId ExplainRoute(const Snapshot& snapshot, const TargetBinding& binding,
                       const Request& request, uint64_t random,
                       const BoundRoute** bound, Explanation& out,
                       routing::ClusterChoice& choice) {
  const RouteBinding& routes = *binding.routes;
  out.listener = routes.listener();
  out.route_config = routes.table().config().name;
  std::vector<routing::RouteTable::Rejected> rejected;
  const routing::RouteTable::Match match =
      routes.table().Explain(request, random, &rejected);
  for (routing::RouteTable::Rejected& r : rejected) {
    out.rejected.push_back(
        {std::move(r.virtual_host), std::move(r.route), std::move(r.reason)});
  }
  if (match.virtual_host != nullptr) {
    out.virtual_host = match.virtual_host->config().name;
  }
  if (match.route != nullptr) out.route = match.route->label();
  if (ExplainFaults(binding, match, request, random, out)) return kNoCluster;
  out.response = AnswerTo(match, request);
  if (match.route == nullptr) {
    out.failure = Text(match.wants_tls ? PickFailure::kTlsRequired
                                       : PickFailure::kNoRoute);
    return kNoCluster;
  }
  if (match.route->action() == nullptr) {
    out.failure = Text(PickFailure::kNotForwarded);
    return kNoCluster;
  }
  *bound = &routes.bound(*match.route);
  choice = match.route->ClusterFor(request, random);
  out.cluster = std::string(choice.name);
  const auto found = snapshot.names->find(out.cluster);
  if (found == snapshot.names->end()) {
    out.failure = Text(PickFailure::kUnknownCluster);
    out.response = Explanation::Response{
        match.route->action()->cluster_not_found_response_code, "", ""};
    return kNoCluster;
  }
  return found->second;
}

// What stands in `a` and not in `b`, counting what stands twice.
std::vector<Explanation::HeaderValue> Without(absl::Span<const Header> a,
                                              absl::Span<const Header> b) {
  std::vector<const Header*> left;
  for (const Header& header : b) left.push_back(&header);
  std::vector<Explanation::HeaderValue> found;
  for (const Header& header : a) {
    const auto same =
        std::find_if(left.begin(), left.end(), [&](const Header* other) {
          return model::SameHeaderName(other->name, header.name) &&
                 other->value == header.value;
        });
    if (same != left.end()) {
      left.erase(same);
    } else {
      found.push_back({std::string(header.name), std::string(header.value)});
    }
  }
  return found;
}

// How `asked`, which was normalized to `request`, goes to a host of that name.
std::optional<Explanation::Rewrite> ExplainRewrite(
    const Request& asked, const Request& request, const BoundRoute* bound,
    const routing::ClusterChoice& choice, std::string_view hostname) {
  std::string authority(request.authority);
  std::string path(request.path);
  Explanation::Rewrite rewrite;
  if (bound != nullptr && bound->route->rewrites_requests()) {
    routing::RewrittenRequest out =
        bound->route->RewriteRequest(request, choice, hostname);
    authority = std::move(out.authority);
    path = std::move(out.path);
    const absl::Span<const Header> headers = out.headers.headers();
    rewrite.headers_added = Without(headers, asked.headers);
    rewrite.headers_removed = Without(asked.headers, headers);
  } else {
    rewrite.headers_added = Without(request.headers, asked.headers);
    rewrite.headers_removed = Without(asked.headers, request.headers);
  }
  if (authority != asked.authority) rewrite.authority = std::move(authority);
  if (path != asked.path) rewrite.path = std::move(path);
  const bool stays =
      !rewrite.authority.has_value() && !rewrite.path.has_value() &&
      rewrite.headers_added.empty() && rewrite.headers_removed.empty();
  return stays ? std::nullopt : std::make_optional(std::move(rewrite));
}

void ExplainLocalities(const lb::Balancer& balancer, Explanation& out) {
  for (const auto& report : balancer.DescribeLocalities()) {
    Explanation::Locality locality;
    if (report.locality != nullptr) {
      locality.region = report.locality->region;
      locality.zone = report.locality->zone;
      locality.sub_zone = report.locality->sub_zone;
    }
    locality.priority = report.priority;
    locality.effective_weight = report.effective_weight;
    out.localities.push_back(std::move(locality));
  }
}

double ReportedWeight(const model::Host& host,
                      const model::LoadBalancing& config, int64_t now_ns) {
  const model::HostLoad* load = host.state().load();
  if (load == nullptr ||
      config.policy != model::LbPolicy::kClientSideWeightedRoundRobin) {
    return 0;
  }
  return lb::UsableWeight(*load, config.load_report_weights, now_ns);
}

template <typename F>
void ForEachHost(const lb::PriorityHosts& priority, const F& f) {
  for (const lb::LocalityHosts& locality : priority.localities) {
    if (locality.hosts == nullptr) continue;
    for (const lb::HostEntry& entry : *locality.hosts) f(entry);
  }
}

// Picks pass over hosts in connect back-off and may choose what they turn to
// instead.
void ExplainBackoff(const ClusterVersion& cluster, int64_t now_ns,
                    HostSet& available) {
  const auto backs_off = [now_ns](const model::Host& host) {
    return resilience::InConnectBackoff(host.state(), now_ns);
  };
  const auto suits = [&](const model::Host& host) { return !backs_off(host); };
  const auto& priorities = cluster.input().priorities;
  HostSet added;
  HostSet removed;
  for (uint32_t p = 0; p < priorities.size(); ++p) {
    bool turns = false;
    ForEachHost(priorities[p], [&](const lb::HostEntry& entry) {
      if (!available.contains(entry.host) || !backs_off(*entry.host)) return;
      removed.insert(entry.host);
      turns = true;
    });
    if (!turns) continue;
    const Fallback to = FindFallback(cluster, p, 0, suits);
    if (to.host == nullptr) return;  // then there is none for any priority
    ForEachHost(priorities[to.priority], [&](const lb::HostEntry& entry) {
      if (entry.health == to.health && entry.weight != 0 &&
          suits(*entry.host)) {
        added.insert(entry.host);
      }
    });
  }
  for (const model::Host* host : removed) available.erase(host);
  available.insert(added.begin(), added.end());
}

void ExplainHosts(const ClusterVersion& cluster, const RuntimeCluster& runtime,
                  int64_t now_ns, Explanation& out) {
  HostSet available = cluster.balancer().Eligible();
  ExplainBackoff(cluster, now_ns, available);
  const auto& priorities = cluster.input().priorities;
  for (uint32_t p = 0; p < priorities.size(); ++p) {
    ForEachHost(priorities[p], [&](const lb::HostEntry& entry) {
      Explanation::Host host;
      host.address = entry.host->address();
      host.priority = p;
      host.region = entry.host->locality().region;
      host.zone = entry.host->locality().zone;
      host.sub_zone = entry.host->locality().sub_zone;
      host.weight = entry.weight;
      host.reported_weight =
          ReportedWeight(*entry.host, cluster.config().lb, now_ns);
      const model::HealthStatus eds = runtime.hosts().EdsHealth(*entry.host);
      host.health = model::HealthStatusName(eds == model::HealthStatus::kUnknown
                                                ? model::HealthStatus::kHealthy
                                                : eds);
      host.ejected = runtime.hosts().Ejected(*entry.host);
      host.connect_backoff =
          resilience::InConnectBackoff(entry.host->state(), now_ns);
      host.available = available.contains(entry.host);
      out.hosts.push_back(std::move(host));
    });
  }
}

}  // namespace

Explanation ExplainRequest(Engine& engine, uint32_t target,
                           const Request& asked) {
  Explanation out;
  if (engine.shut_down()) {
    out.failure = Text(PickFailure::kShutdown);
    return out;
  }
  base::ThreadSlot& slot = engine.slots().Current();
  const base::ReadSection section(engine.slots(), slot);
  const Snapshot& snapshot = engine.snapshot();
  if (target >= snapshot.targets.size()) {
    out.failure = Text(PickFailure::kNotReady);
    return out;
  }
  const TargetBinding& binding = snapshot.targets[target];
  ClusterId id = binding.cluster;
  const BoundRoute* bound = nullptr;
  base::Random random = slot.random;  // a copy: nothing is used up
  Request request = asked;
  routing::NormalizedText text;
  if (binding.normalization != nullptr) {
    const routing::Normalized normalized =
        routing::NormalizeRequest(*binding.normalization, request, text);
    if (normalized != routing::Normalized::kRoutable) {
      out.listener = binding.routes->listener();
      out.response = AnswerTo(normalized, request);
      out.failure = Text(PickFailure::kNotForwarded);
      return out;
    }
  }
  routing::ClusterChoice to;
  if (binding.routes != nullptr) {
    const uint64_t drawn =
        request.random.has_value() ? *request.random : random.Next();
    id = ExplainRoute(snapshot, binding, request, drawn, &bound, out, to);
    if (id == kNoCluster) return out;
  }
  const ClusterVersion* cluster =
      id == kNoCluster ? nullptr : snapshot.cluster(id);
  const RuntimeCluster* runtime =
      id == kNoCluster ? nullptr : engine.Runtime(id);
  if (cluster == nullptr || runtime == nullptr) {
    const absl::Status status = engine.TargetStatus(target);
    out.failure = status.ok() ? Text(PickFailure::kNotReady)
                              : std::string(status.message());
    return out;
  }
  out.cluster = cluster->config().name;
  out.policy = cluster->config().lb.policy == model::LbPolicy::kCustom
                   ? cluster->config().lb.custom_name
                   : model::LbPolicyName(cluster->config().lb.policy);
  const lb::Balancer& balancer = cluster->balancer();
  for (size_t p = 0; p < balancer.loads().size(); ++p) {
    const lb::PriorityLoad& load = balancer.loads()[p];
    out.priorities.push_back({static_cast<uint32_t>(p), load.healthy_load,
                              load.degraded_load, load.panic});
  }
  ExplainLocalities(balancer, out);
  const int64_t now_ns = absl::ToUnixNanos(engine.clock().Now());
  ExplainHosts(*cluster, *runtime, now_ns, out);
  out.drop_probability = Call::DropProbability(*cluster);
  const lb::HostChoice choice =
      Call::Preview(engine, slot, random, request, bound, *cluster);
  std::string_view hostname;
  if (choice.host != nullptr) {
    out.pick = choice.host->address();
    hostname = choice.host->hostname_view();
  } else {
    out.failure = Text(choice.failure);
  }
  out.rewrite = ExplainRewrite(asked, request, bound, to, hostname);
  return out;
}

}  // namespace meshlib::cluster
