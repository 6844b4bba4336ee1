#include "cluster/resolve.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/strings.h"
#include "routing/domains.h"
#include "routing/normalize.h"

namespace meshlib::cluster {
namespace {

constexpr std::string_view kClusterScheme = "cluster:";
constexpr std::string_view kXdsScheme = "xds:///";
constexpr std::string_view kTcpScheme = "tcp://";
constexpr uint32_t kDefaultPort = 80;

struct Candidate {
  const model::Listener* listener;
  const model::HttpConnectionManager* http;
  std::shared_ptr<const model::RouteConfig> routes;
};

std::shared_ptr<const model::RouteConfig> RoutesOf(
    const model::Config& config, const model::HttpConnectionManager& http) {
  if (http.route_config != nullptr) return http.route_config;
  for (const auto& routes : config.route_configs) {
    if (routes->name == http.rds_route_config_name) return routes;
  }
  return nullptr;
}

// The socket listeners with HTTP routes, one candidate a filter chain.
std::vector<Candidate> HttpListeners(const model::Config& config) {
  std::vector<Candidate> found;
  for (const auto& listener : config.listeners) {
    for (const model::FilterChain& chain : listener->filter_chains) {
      if (!chain.http.has_value()) continue;
      found.push_back(
          {listener.get(), &*chain.http, RoutesOf(config, *chain.http)});
    }
  }
  return found;
}

std::vector<Candidate> Keep(const std::vector<Candidate>& from,
                            bool (*keep)(const Candidate&,
                                         std::string_view host),
                            std::string_view host) {
  std::vector<Candidate> kept;
  for (const Candidate& candidate : from) {
    if (keep(candidate, host)) kept.push_back(candidate);
  }
  return kept;
}

model::RequestNormalization NormalizationOf(const Candidate& candidate) {
  model::RequestNormalization rules = candidate.http->normalization;
  rules.listener_port = candidate.listener->port.value_or(0);
  return rules;
}

bool KnowsHost(const Candidate& candidate, std::string_view host) {
  routing::NormalizedText text;
  return candidate.routes != nullptr &&
         routing::KnowsHost(*candidate.routes,
                            routing::NormalizeAuthority(
                                NormalizationOf(candidate), host, text));
}

bool NamesHost(const Candidate& candidate, std::string_view host) {
  routing::NormalizedText text;
  return candidate.routes != nullptr &&
         routing::NamesHost(*candidate.routes,
                            routing::NormalizeAuthority(
                                NormalizationOf(candidate), host, text));
}

absl::StatusOr<Resolution> Take(const Candidate& candidate) {
  Resolution resolution;
  resolution.listener = candidate.listener->name;
  resolution.http = candidate.http;
  resolution.routes = candidate.routes;
  resolution.normalization = NormalizationOf(candidate);
  return resolution;
}

absl::Status Ambiguous(std::string_view authority,
                       const std::vector<Candidate>& candidates) {
  std::vector<std::string> names;
  for (const Candidate& candidate : candidates) {
    names.push_back(absl::StrCat("\"", candidate.listener->name, "\" (",
                                 candidate.listener->address, ")"));
  }
  return absl::FailedPreconditionError(absl::StrCat(
      "authority \"", base::Excerpt(authority),
      "\": several listeners could route it: ", absl::StrJoin(names, ", "),
      "; name one by its port"));
}

absl::StatusOr<Resolution> ResolveCluster(const model::Config& config,
                                          std::string_view name) {
  for (const auto& cluster : config.clusters) {
    if (cluster->name != name) continue;
    Resolution resolution;
    resolution.cluster = std::string(name);
    return resolution;
  }
  return absl::NotFoundError(absl::StrCat("no cluster \"", base::Excerpt(name),
                                          "\"; there is ", KnownNames(config)));
}

// The port of "host:port" and "[v6]:port"; nothing if there is none.
std::optional<uint32_t> PortOf(std::string_view authority) {
  const size_t colon = authority.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  if (authority.find(':') != colon && authority[colon - 1] != ']') {
    return std::nullopt;  // an IPv6 address without a port
  }
  uint32_t port = 0;
  if (!absl::SimpleAtoi(base::ToAbsl(authority.substr(colon + 1)), &port)) {
    return std::nullopt;
  }
  return port;
}

absl::StatusOr<Resolution> ResolveListener(const model::Config& config,
                                           std::string_view authority) {
  const std::vector<Candidate> all = HttpListeners(config);
  std::vector<Candidate> on_port;
  const uint32_t port = PortOf(authority).value_or(kDefaultPort);
  for (const Candidate& candidate : all) {
    if (candidate.listener->port == port) on_port.push_back(candidate);
  }
  on_port = Keep(on_port, KnowsHost, authority);
  if (on_port.size() == 1) return Take(on_port.front());
  // Several listeners on one port, or none: the one that names the host
  // itself, not only by "*".
  const std::vector<Candidate>& from = on_port.empty() ? all : on_port;
  const std::vector<Candidate> naming = Keep(from, NamesHost, authority);
  if (naming.size() == 1) return Take(naming.front());
  if (!naming.empty()) return Ambiguous(authority, naming);
  if (from.size() == 1) return Take(from.front());
  if (!from.empty()) return Ambiguous(authority, from);
  return absl::NotFoundError(absl::StrCat(
      "authority \"", base::Excerpt(authority),
      "\": no listener has HTTP routes; there is ", KnownNames(config)));
}

// --- TCP ---

struct TcpCandidate {
  const model::Listener* listener;
  const model::TcpProxy* tcp;
};

bool IsNamedFor(std::string_view cluster, std::string_view host) {
  const size_t bar = cluster.rfind('|');
  return bar != std::string_view::npos && cluster.substr(bar + 1) == host;
}

bool LeadsTo(const model::TcpProxy& tcp, std::string_view host) {
  if (const auto* name = std::get_if<std::string>(&tcp.cluster)) {
    return IsNamedFor(*name, host);
  }
  const auto& weighted = std::get<model::WeightedClusters>(tcp.cluster);
  return std::any_of(
      weighted.clusters.begin(), weighted.clusters.end(),
      [host](const auto& cluster) { return IsNamedFor(cluster.name, host); });
}

std::vector<TcpCandidate> TcpListeners(
    const model::Config& config,
    absl::FunctionRef<bool(const TcpCandidate&)> keep) {
  std::vector<TcpCandidate> found;
  for (const auto& listener : config.listeners) {
    for (const model::FilterChain& chain : listener->filter_chains) {
      if (!chain.tcp.has_value()) continue;
      const TcpCandidate candidate{listener.get(), &*chain.tcp};
      if (keep(candidate)) found.push_back(candidate);
    }
  }
  return found;
}

std::vector<TcpCandidate> FindTcp(const model::Config& config,
                                  std::string_view name) {
  auto found = TcpListeners(config, [&](const TcpCandidate& candidate) {
    return candidate.listener->name == name;
  });
  if (!found.empty()) return found;
  found = TcpListeners(config, [&](const TcpCandidate& candidate) {
    return candidate.listener->address == name;
  });
  if (!found.empty()) return found;
  const std::optional<uint32_t> port = PortOf(name);
  return TcpListeners(config, [&](const TcpCandidate& candidate) {
    return !port.has_value() || candidate.listener->port == port;
  });
}

absl::StatusOr<Resolution> ResolveTcp(const model::Config& config,
                                      std::string_view name) {
  std::vector<TcpCandidate> found = FindTcp(config, name);
  if (found.size() > 1) {
    const std::string_view host =
        PortOf(name).has_value() ? name.substr(0, name.rfind(':')) : name;
    std::vector<TcpCandidate> named;
    for (const TcpCandidate& candidate : found) {
      if (LeadsTo(*candidate.tcp, host)) named.push_back(candidate);
    }
    if (!named.empty()) found = std::move(named);
  }
  if (found.empty()) {
    return absl::NotFoundError(
        absl::StrCat("authority \"", base::Excerpt(name),
                     "\": no listener has a TCP proxy for it; there is ",
                     KnownNames(config)));
  }
  if (found.size() > 1) {
    std::vector<Candidate> candidates;
    for (const TcpCandidate& candidate : found) {
      candidates.push_back({candidate.listener, nullptr, nullptr});
    }
    return Ambiguous(name, candidates);
  }
  Resolution resolution;
  resolution.listener = found.front().listener->name;
  resolution.routes = found.front().tcp->routes;
  return resolution;
}

}  // namespace

std::string KnownNames(const model::Config& config) {
  constexpr size_t kMost = 20;
  std::vector<std::string> names;
  size_t left_out = 0;
  const auto add = [&](std::string_view kind, const std::string& name) {
    if (names.size() >= kMost) {
      ++left_out;
      return;
    }
    names.push_back(absl::StrCat(base::ToAbsl(kind), base::Excerpt(name)));
  };
  for (const auto& listener : config.listeners) {
    add("listener ", listener->name);
  }
  for (const auto& cluster : config.clusters) add("cluster:", cluster->name);
  if (names.empty()) return "no listener and no cluster";
  std::string text = absl::StrJoin(names, ", ");
  if (left_out > 0) absl::StrAppend(&text, " and ", left_out, " more");
  return text;
}

absl::StatusOr<Resolution> ResolveAuthority(const model::Config& config,
                                            std::string_view authority) {
  if (authority.substr(0, kClusterScheme.size()) == kClusterScheme) {
    return ResolveCluster(config, authority.substr(kClusterScheme.size()));
  }
  if (authority.substr(0, kTcpScheme.size()) == kTcpScheme) {
    return ResolveTcp(config, authority.substr(kTcpScheme.size()));
  }
  std::string_view name = authority;
  const bool xds = name.substr(0, kXdsScheme.size()) == kXdsScheme;
  if (xds) name.remove_prefix(kXdsScheme.size());
  for (const auto& listener : config.listeners) {
    if (listener->name != name || !listener->api_listener.has_value()) {
      continue;
    }
    Resolution resolution;
    resolution.listener = listener->name;
    resolution.http = &*listener->api_listener;
    resolution.routes = RoutesOf(config, *listener->api_listener);
    resolution.normalization = listener->api_listener->normalization;
    return resolution;
  }
  if (xds) {
    return absl::NotFoundError(
        absl::StrCat("no API listener \"", base::Excerpt(name), "\"; there is ",
                     KnownNames(config)));
  }
  return ResolveListener(config, authority);
}

}  // namespace meshlib::cluster
