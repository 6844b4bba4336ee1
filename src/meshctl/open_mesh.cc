#include "meshctl/open_mesh.h"

#include <cstddef>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/strings.h"
#include "lb/host_set.h"
#include "mesh/core.h"
#include "meshctl/names.h"
#include "xds/config_loader.h"
#include "xds/problem.h"

namespace meshlib::meshctl {
namespace {

constexpr std::string_view kClusterScheme = "cluster:";

void AddDomains(const model::RouteConfig* routes,
                std::vector<std::string>& names) {
  if (routes == nullptr) return;
  for (const model::VirtualHost& host : routes->virtual_hosts) {
    for (const std::string& domain : host.domains) {
      if (domain.find('*') == std::string::npos) names.push_back(domain);
    }
  }
}

// Authorities that the configuration knows.
std::vector<std::string> KnownAuthorities(const model::Config& config,
                                          bool clusters) {
  std::vector<std::string> names;
  if (clusters) {
    for (const auto& cluster : config.clusters) {
      names.push_back(
          absl::StrCat(base::ToAbsl(kClusterScheme), cluster->name));
    }
    return names;
  }
  for (const auto& routes : config.route_configs) {
    AddDomains(routes.get(), names);
  }
  for (const auto& listener : config.listeners) {
    if (listener->api_listener.has_value()) {
      names.push_back(listener->name);
      AddDomains(listener->api_listener->route_config.get(), names);
    }
    for (const model::FilterChain& chain : listener->filter_chains) {
      if (chain.http.has_value()) {
        AddDomains(chain.http->route_config.get(), names);
      }
    }
  }
  return names;
}

mesh::Core& CoreOf(const OpenMesh& open) {
  return mesh::MeshFactory::CoreOf(*open.mesh);
}

}  // namespace

absl::StatusOr<std::shared_ptr<const model::Config>> LoadConfig(
    const std::string& path, std::ostream& log) {
  xds::LoadResult loaded = xds::LoadConfig(path);
  loaded.problems.Sort();
  log << loaded.problems.ToString();
  if (!loaded.problems.has_errors() && loaded.config != nullptr) {
    return std::shared_ptr<const model::Config>(std::move(loaded.config));
  }
  const size_t errors = loaded.problems.errors();
  std::string message =
      absl::StrCat(path, ": ", errors, errors == 1 ? " error" : " errors",
                   " in the configuration");
  for (const xds::Problem& problem : loaded.problems.list()) {
    if (problem.severity != xds::Severity::kError) continue;
    absl::StrAppend(
        &message, errors == 1 ? ": " : "; the first: ", xds::ToString(problem));
    break;
  }
  return absl::InvalidArgumentError(message);
}

absl::StatusOr<OpenMesh> Open(std::string path,
                              std::shared_ptr<const model::Config> config,
                              uint64_t seed, bool nearest_first,
                              std::ostream& log) {
  OpenMesh open;
  open.path = std::move(path);
  open.clock = std::make_unique<testing::FakeClock>();
  open.config = config;
  MeshOptions options;
  options.clock = open.clock.get();
  options.seed = seed;
  options.nearest_first = nearest_first;
  options.own_thread = false;
  options.resolve_names = false;  // offline
  options.thread_stripes = 1;
  options.log = [&log](LogLevel level, std::string_view text) {
    if (level == LogLevel::kInfo) return;
    log << "meshctl: " << (level == LogLevel::kError ? "error: " : "warning: ")
        << text << "\n";
  };
  auto mesh = mesh::MeshFactory::Create(std::move(config), std::move(options));
  if (!mesh.ok()) {
    return absl::Status(mesh.status().code(),
                        absl::StrCat(open.path, ": ", mesh.status().message()));
  }
  open.mesh = *std::move(mesh);
  return open;
}

absl::StatusOr<Target> ResolveAuthority(const OpenMesh& open,
                                        std::string_view authority) {
  absl::StatusOr<Target> target = open.mesh->Resolve(authority);
  if (target.ok() || !absl::IsNotFound(target.status())) return target;
  const bool cluster =
      authority.substr(0, kClusterScheme.size()) == kClusterScheme;
  return absl::NotFoundError(absl::StrCat(
      "--authority ", base::Excerpt(authority), ": ", target.status().message(),
      NearHint(authority, KnownAuthorities(*open.config, cluster))));
}

void WarnOfUnknownHost(const OpenMesh& open, std::string_view authority,
                       const Explanation& found, std::ostream& log) {
  if (found.route_config.empty() || !found.virtual_host.empty()) return;
  log << "meshctl: warning: no virtual host of route config \""
      << base::Excerpt(found.route_config) << "\" has a domain for \""
      << base::Excerpt(authority) << "\""
      << NameHint(authority, KnownAuthorities(*open.config, false)) << "\n";
}

std::shared_ptr<const lb::Balancer> BalancerOf(const OpenMesh& open,
                                               std::string_view cluster) {
  return CoreOf(open).BalancerOf(cluster);
}

}  // namespace meshlib::meshctl
