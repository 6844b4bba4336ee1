#include <cstddef>
#include <cstdint>
#include <memory>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/strings.h"
#include "lb/balancer.h"
#include "lb/hash_table.h"
#include "meshctl/commands.h"
#include "meshctl/json.h"
#include "meshctl/names.h"
#include "meshctl/open_mesh.h"
#include "meshctl/text_table.h"

namespace meshlib::meshctl {
namespace {

void WriteJson(const TableOptions& options, model::LbPolicy policy,
               const lb::HashTable& table, std::ostream& out) {
  const bool ring = policy == model::LbPolicy::kRingHash;
  Json json;
  json.Begin('{')
      .Field("cluster", options.cluster)
      .Field("policy", model::LbPolicyName(policy))
      .Field("priority", options.priority)
      .Field("size", uint64_t{table.size()});
  json.Key(ring ? "entries" : "slots").Begin('[');
  for (size_t place = 0; place < table.size() && out; ++place) {
    json.Spill(out);
    const std::string& address = table.HostAt(place)->address();
    if (!ring) {
      json.String(address);
      continue;
    }
    // A string: most readers of JSON keep 53 bits of a number.
    json.Begin('{').Field("hash", absl::StrCat(table.HashAt(place)));
    json.Field("address", address).End('}');
  }
  json.End(']').End('}');
  out << json.Finish();
}

void WriteText(const TableOptions& options, model::LbPolicy policy,
               const lb::HashTable& table, std::ostream& out) {
  const bool ring = policy == model::LbPolicy::kRingHash;
  out << TextFields({
             {"Cluster", options.cluster},
             {"Policy", model::LbPolicyName(policy)},
             {"Priority", absl::StrCat(options.priority)},
             {ring ? "Entries" : "Slots", absl::StrCat(table.size())},
         })
      << "\n";
  TextTable places({ring ? ">HASH" : ">SLOT", "ADDRESS"});
  // Sorted: the last number is the longest. Nothing stands to the right of
  // the addresses.
  if (table.size() > 0) {
    places.Widen({absl::StrCat(table.HashAt(table.size() - 1)), ""});
  }
  out << places.Header();
  for (size_t place = 0; place < table.size() && out; ++place) {
    out << places.Line(
        {absl::StrCat(table.HashAt(place)), table.HostAt(place)->address()});
  }
}

absl::Status UnknownCluster(const TableOptions& options,
                            const model::Config& config) {
  std::vector<std::string> known;
  for (const auto& cluster : config.clusters) known.push_back(cluster->name);
  return absl::NotFoundError(absl::StrCat(
      "--cluster: ", options.config, " has no cluster \"",
      base::Excerpt(options.cluster), "\"", NameHint(options.cluster, known)));
}

}  // namespace

absl::StatusOr<CommandResult> ShowTable(const TableOptions& options,
                                        std::ostream& log) {
  const auto config = LoadConfig(options.config, log);
  if (!config.ok()) return config.status();
  const model::Cluster* cluster = nullptr;
  for (const auto& candidate : (*config)->clusters) {
    if (candidate->name == options.cluster) cluster = candidate.get();
  }
  if (cluster == nullptr) return UnknownCluster(options, **config);
  const model::LbPolicy policy = cluster->lb.policy;
  if (policy != model::LbPolicy::kRingHash &&
      policy != model::LbPolicy::kMaglev) {
    return absl::FailedPreconditionError(
        absl::StrCat("cluster \"", base::Excerpt(options.cluster),
                     "\" has the policy ", model::LbPolicyName(policy),
                     ", which has no table; want RING_HASH or MAGLEV"));
  }
  auto open = Open(options.config, *config, 0, options.nearest_first, log);
  if (!open.ok()) return open.status();
  const auto balancer = BalancerOf(*open, options.cluster);
  if (balancer == nullptr) return UnknownCluster(options, **config);
  const lb::HashTable* table = options.priority < balancer->priorities()
                                   ? balancer->table(options.priority)
                                   : nullptr;
  if (table == nullptr) {
    return absl::NotFoundError(absl::StrCat(
        "cluster \"", base::Excerpt(options.cluster), "\" has no table for ",
        "priority ", options.priority, "; it has ", balancer->priorities(),
        balancer->priorities() == 1 ? " priority" : " priorities",
        ", counted from 0"));
  }
  CommandResult result;
  result.write =
      [options, policy, table, balancer,
       mesh = std::make_shared<OpenMesh>(*std::move(open))](std::ostream& out) {
        options.json ? WriteJson(options, policy, *table, out)
                     : WriteText(options, policy, *table, out);
      };
  return result;
}

}  // namespace meshlib::meshctl
