#include "xds/config_checks.h"

#include <cstdint>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/strings.h"
#include "model/runtime.h"
#include "xds/convert_values.h"

namespace meshlib::xds {
namespace {

constexpr std::string_view kRegexLimitKey = "re2.max_program_size.error_level";
constexpr uint64_t kRegexLimit = 100;  // Envoy's default

void Report(const ConfigChecks::Place& place, Severity severity,
            ProblemKind kind, std::string_view field, std::string message,
            Problems& problems) {
  Problem problem;
  problem.severity = severity;
  problem.kind = kind;
  problem.file = place.file;
  problem.line = place.line;
  problem.column = place.column;
  problem.path = place.path;
  if (!field.empty()) {
    if (!problem.path.empty()) problem.path += '.';
    problem.path += field;
  }
  problem.message = std::move(message);
  problems.Add(std::move(problem));
}

// Depth-first search for cycles of aggregate clusters.
class CycleFinder {
 public:
  explicit CycleFinder(const model::Config& config) {
    for (const auto& cluster : config.clusters) {
      if (!cluster->aggregate.empty()) by_name_[cluster->name] = &*cluster;
    }
  }

  // Whether the cluster can come to itself through its members.
  bool InCycle(const model::Cluster& start) const {
    absl::flat_hash_set<std::string_view> seen;
    std::vector<const model::Cluster*> open = {&start};
    while (!open.empty()) {
      const model::Cluster* const cluster = open.back();
      open.pop_back();
      for (const std::string& member : cluster->aggregate) {
        if (member == start.name) return true;
        const auto found = by_name_.find(member);
        if (found != by_name_.end() && seen.insert(member).second) {
          open.push_back(found->second);
        }
      }
    }
    return false;
  }

 private:
  absl::flat_hash_map<std::string_view, const model::Cluster*> by_name_;
};

}  // namespace

void ConfigChecks::AddCluster(const std::string& name, bool remote,
                              Place place) {
  clusters_.emplace(name, std::move(place));
  if (remote) remote_clusters_.insert(name);
}

void ConfigChecks::NeedCluster(
    const DeferredChecks::ClusterReference& reference, Place place) {
  needs_.push_back({reference.cluster, reference.required, reference.local,
                    std::move(place)});
}

void ConfigChecks::AddLargeRegex(int program_size, Place place) {
  regexes_.push_back({program_size, std::move(place)});
}

void ConfigChecks::AddListener(const model::Listener& listener, Place place,
                               Problems& problems) {
  // Port 0 asks the system for a free port, if the listener binds at all.
  const bool any_port =
      listener.port.has_value() && *listener.port == 0 && listener.bind_to_port;
  if (listener.address.empty() || any_port) return;
  const auto [it, inserted] =
      listener_addresses_.emplace(listener.address, listener.name);
  if (inserted) return;
  Report(place, Severity::kError, ProblemKind::kInvalid, "address",
         absl::StrCat("has the address ", listener.address, " of listener ",
                      Quoted(it->second)),
         problems);
}

void ConfigChecks::Finish(const model::Config& config,
                          Problems& problems) const {
  CheckNeeds(problems);
  CheckSecrets(problems);
  CheckRegexes(config, problems);
  CheckLocalCluster(config, problems);
  CheckAggregates(config, problems);
  NoteMissingResources(config, problems);
}

void ConfigChecks::CheckNeeds(Problems& problems) const {
  // Single resources without any cluster are a part of something.
  const bool part = !has_bootstrap_ && clusters_.empty();
  for (const Need& need : needs_) {
    if (clusters_.contains(need.cluster)) {
      if (!need.local || !remote_clusters_.contains(need.cluster)) continue;
      Report(need.place, Severity::kError, ProblemKind::kInvalid, "",
             absl::StrCat("cluster ", Quoted(need.cluster),
                          " is of type EDS: its hosts would come from a "
                          "control plane"),
             problems);
      continue;
    }
    Report(need.place,
           need.required && !part ? Severity::kError : Severity::kWarning,
           ProblemKind::kInvalid, "",
           absl::StrCat("unknown cluster ", Quoted(need.cluster)), problems);
  }
}

void ConfigChecks::CheckSecrets(Problems& problems) const {
  // As with clusters: single resources may be a part of something.
  const bool part = !has_bootstrap_ && secrets_.empty();
  absl::flat_hash_set<std::string_view> told;
  for (const SecretNeed& need : secret_needs_) {
    const auto bad = bad_secrets_.find(need.key.first);
    if (bad != bad_secrets_.end() && told.insert(bad->first).second) {
      Report(bad->second.second, Severity::kError, ProblemKind::kInvalid, "",
             bad->second.first, problems);
    }
    if (secrets_.contains(need.key)) continue;
    Report(need.place, part ? Severity::kWarning : Severity::kError,
           ProblemKind::kInvalid, "",
           absl::StrCat("without an sds_config it names a static secret, but ",
                        "no ",
                        need.key.second ? "certificate" : "validation context",
                        " ", Quoted(need.key.first), " is among the secrets"),
           problems);
  }
}

void ConfigChecks::CheckRegexes(const model::Config& config,
                                Problems& problems) const {
  const uint64_t limit =
      model::Runtime(config.runtime).GetInteger(kRegexLimitKey, kRegexLimit);
  for (const LargeRegex& regex : regexes_) {
    if (static_cast<uint64_t>(regex.program_size) <= limit) continue;
    Report(regex.place, Severity::kError, ProblemKind::kInvalid, "",
           absl::StrCat("the regex has a program size of ", regex.program_size,
                        " > ", limit, "; the runtime key ",
                        base::ToAbsl(kRegexLimitKey), " can raise the limit"),
           problems);
  }
}

void ConfigChecks::CheckLocalCluster(const model::Config& config,
                                     Problems& problems) const {
  const std::string& name = config.local_cluster_name;
  if (name.empty()) return;
  if (!clusters_.contains(name)) {
    Report(local_cluster_place_, Severity::kError, ProblemKind::kInvalid, "",
           absl::StrCat("local cluster ", Quoted(name), " must be defined"),
           problems);
    return;
  }
  for (const auto& cluster : config.clusters) {
    if (cluster->name != name || cluster->endpoints == nullptr) continue;
    for (const model::LocalityEndpoints& l : cluster->endpoints->localities) {
      if (l.priority == 0) continue;
      Report(PlaceOf(name), Severity::kError, ProblemKind::kInvalid,
             "load_assignment",
             absl::StrCat("has endpoints of priority ", l.priority,
                          ", but the local cluster has priority 0 only"),
             problems);
      return;
    }
  }
}

void ConfigChecks::CheckAggregates(const model::Config& config,
                                   Problems& problems) const {
  const CycleFinder cycles(config);
  for (const auto& cluster : config.clusters) {
    if (cluster->aggregate.empty()) continue;
    const Place& place = PlaceOf(cluster->name);
    for (const std::string& member : cluster->aggregate) {
      if (clusters_.contains(member)) continue;
      Report(place, Severity::kWarning, ProblemKind::kInvalid,
             "cluster_type.typed_config.clusters",
             absl::StrCat("unknown cluster ", Quoted(member)), problems);
    }
    if (cycles.InCycle(*cluster)) {
      Report(place, Severity::kError, ProblemKind::kInvalid,
             "cluster_type.typed_config.clusters",
             absl::StrCat("cluster ", Quoted(cluster->name),
                          " is a member of itself"),
             problems);
    }
  }
}

void ConfigChecks::NoteMissingResources(const model::Config& config,
                                        Problems& problems) const {
  if (config.control_plane != nullptr) return;  // it sends them
  absl::flat_hash_set<std::string_view> assignments;
  for (const auto& endpoints : config.endpoints) {
    assignments.insert(endpoints->cluster_name);
  }
  for (const auto& cluster : config.clusters) {
    if (cluster->type != model::DiscoveryType::kEds ||
        assignments.contains(cluster->eds_service_name)) {
      continue;
    }
    Report(PlaceOf(cluster->name), Severity::kNote, ProblemKind::kUnsupported,
           "eds_cluster_config",
           "the endpoints of this EDS cluster are not in the configuration; "
           "it has no hosts until a control plane sends them",
           problems);
  }
}

const ConfigChecks::Place& ConfigChecks::PlaceOf(
    const std::string& cluster) const {
  const auto found = clusters_.find(cluster);
  return found == clusters_.end() ? nowhere_ : found->second;
}

}  // namespace meshlib::xds
