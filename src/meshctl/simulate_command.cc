#include <chrono>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/strings.h"
#include "meshctl/arguments.h"
#include "meshctl/commands.h"
#include "meshctl/host_match.h"
#include "meshctl/json.h"
#include "meshctl/open_mesh.h"
#include "meshctl/simulation.h"
#include "meshctl/text_table.h"

namespace meshlib::meshctl {
namespace {

using HostCount = Simulation::HostCount;

template <typename Key>
using Sums = std::vector<std::pair<Key, uint64_t>>;

// Sums of the hosts' requests: first of `keys` in their order, then of others
// in the order in which they first stand among the hosts.
template <typename Key, typename KeyOf>
Sums<Key> SumBy(const std::vector<HostCount>& hosts, const KeyOf& key_of,
                const std::vector<Key>& keys = {}) {
  Sums<Key> sums;
  absl::flat_hash_map<Key, size_t> index;
  const auto add = [&](const Key& key, uint64_t requests) {
    const auto place = index.try_emplace(key, sums.size());
    if (place.second) sums.emplace_back(key, 0);
    sums[place.first->second].second += requests;
  };
  for (const Key& key : keys) add(key, 0);
  for (const HostCount& host : hosts) add(key_of(host), host.requests);
  return sums;
}

Sums<uint32_t> ByPriority(const Simulation& simulation) {
  std::vector<uint32_t> all(simulation.priorities());
  std::iota(all.begin(), all.end(), 0);
  return SumBy<uint32_t>(
      simulation.hosts(), [](const HostCount& host) { return host.priority; },
      all);
}

Sums<model::Locality> ByLocality(const Simulation& simulation) {
  return SumBy<model::Locality>(
      simulation.hosts(), [](const HostCount& host) { return host.locality; },
      simulation.localities());
}

// Hosts of several localities or clusters may share one address.
Sums<std::string> ByAddress(const std::vector<HostCount>& hosts) {
  return SumBy<std::string>(hosts,
                            [](const HostCount& host) { return host.address; });
}

void WritePicks(const Simulation& simulation, Json& json) {
  json.Key("picks").Begin('[');
  for (const uint32_t index : simulation.picks()) {
    json.String(simulation.hosts()[index].address);
  }
  json.End(']');
}

std::string SimulateJson(const SimulateOptions& options,
                         const Simulation& simulation) {
  Json json;
  json.Begin('{').Field("requests", options.requests);
  json.Key("hosts").Begin('[');
  for (const auto& [address, requests] : ByAddress(simulation.hosts())) {
    json.Begin('{').Field("address", address).Field("requests", requests);
    json.End('}');
  }
  json.End(']').Key("priorities").Begin('[');
  for (const auto& [priority, requests] : ByPriority(simulation)) {
    json.Begin('{').Field("priority", uint64_t{priority});
    json.Field("requests", requests).End('}');
  }
  json.End(']').Key("localities").Begin('[');
  for (const auto& [locality, requests] : ByLocality(simulation)) {
    json.Begin('{')
        .LocalityFields(locality)
        .Field("requests", requests)
        .End('}');
  }
  json.End(']')
      .Field("failures", simulation.failures())
      .Field("retries", simulation.retries());
  if (simulation.delays() > 0) json.Field("delays", simulation.delays());
  json.Key("failure_reasons").Begin('[');
  for (const Simulation::Reason& reason : simulation.FailureReasons()) {
    json.Begin('{').Field("reason", reason.text);
    json.Field("requests", reason.requests).End('}');
  }
  json.End(']');
  if (options.picks) WritePicks(simulation, json);
  json.End('}');
  return json.Finish();
}

std::string Share(uint64_t part, uint64_t whole) {
  if (whole == 0) return "-";
  return absl::StrFormat(
      "%.2f%%", 100.0 * static_cast<double>(part) / static_cast<double>(whole));
}

uint64_t Attempts(const std::vector<HostCount>& hosts) {
  uint64_t sum = 0;
  for (const HostCount& host : hosts) sum += host.requests;
  return sum;
}

std::string HostsText(const std::vector<HostCount>& hosts) {
  if (hosts.empty()) return "";
  const uint64_t all = Attempts(hosts);
  TextTable table({"ADDRESS", ">PRIORITY", "REGION", "ZONE", "SUB-ZONE",
                   ">REQUESTS", ">SHARE"});
  for (const HostCount& host : hosts) {
    table.AddRow({host.address, absl::StrCat(host.priority),
                  host.locality.region, host.locality.zone,
                  host.locality.sub_zone, absl::StrCat(host.requests),
                  Share(host.requests, all)});
  }
  return absl::StrCat("\n", table.ToString());
}

std::string GroupsText(const Simulation& simulation) {
  if (simulation.priorities() == 0) return "";
  const uint64_t all = Attempts(simulation.hosts());
  TextTable priorities({">PRIORITY", ">REQUESTS", ">SHARE"});
  for (const auto& [priority, requests] : ByPriority(simulation)) {
    priorities.AddRow(
        {absl::StrCat(priority), absl::StrCat(requests), Share(requests, all)});
  }
  TextTable localities({"REGION", "ZONE", "SUB-ZONE", ">REQUESTS", ">SHARE"});
  for (const auto& [locality, requests] : ByLocality(simulation)) {
    localities.AddRow({locality.region, locality.zone, locality.sub_zone,
                       absl::StrCat(requests), Share(requests, all)});
  }
  return absl::StrCat("\n", priorities.ToString(), "\n", localities.ToString());
}

std::string SimulateText(const SimulateOptions& options,
                         const Simulation& simulation) {
  const RequestOptions& request = options.request;
  std::string out = TextFields({
      {"Request",
       absl::StrCat(request.method, " ", request.authority, " ", request.path)},
      {"Requests", absl::StrCat(options.requests, ", seed ", request.seed)},
      {"Failures",
       absl::StrCat(simulation.failures(), " (",
                    Share(simulation.failures(), options.requests), ")")},
      {"Retries", absl::StrCat(simulation.retries())},
  });
  if (simulation.delays() > 0) {
    absl::StrAppend(&out, "Delayed by faults: ", simulation.delays(), "\n");
  }
  for (const Simulation::Reason& reason : simulation.FailureReasons()) {
    absl::StrAppend(&out, "  failed ", reason.requests, ": ", reason.text,
                    "\n");
  }
  absl::StrAppend(&out, HostsText(simulation.hosts()), GroupsText(simulation));
  if (!options.picks) return out;
  absl::StrAppend(&out, "\nPICKS\n");
  for (const uint32_t index : simulation.picks()) {
    absl::StrAppend(&out, simulation.hosts()[index].address, "\n");
  }
  return out;
}

// A MATCH without effect is most likely a slip.
void WarnOfUnmatched(const model::Config& config, const char* option,
                     const std::vector<HostMatch>& matches, std::ostream& log) {
  for (const std::string& text : Unmatched(config, matches)) {
    log << "meshctl: warning: " << option << " \"" << base::Excerpt(text)
        << "\" matches no endpoint; want an address as in the configuration, "
           "or region/zone, with * for any text\n";
  }
}

void LogSpeed(uint64_t requests, std::chrono::steady_clock::duration elapsed,
              std::ostream& log) {
  const double seconds = std::chrono::duration<double>(elapsed).count();
  log << absl::StrFormat("meshctl: %d requests in %.3f s", requests, seconds);
  if (seconds > 0 && requests > 0) {
    log << absl::StrFormat(", %.2f million a second",
                           static_cast<double>(requests) / seconds / 1e6);
  }
  log << "\n";
}

}  // namespace

absl::StatusOr<CommandResult> Simulate(const SimulateOptions& options,
                                       std::ostream& log) {
  const RequestOptions& request = options.request;
  const auto headers = ParseHeaders(request.headers);
  if (!headers.ok()) return headers.status();
  const auto config = LoadConfig(request.config, log);
  if (!config.ok()) return config.status();
  const std::vector<HostMatch> down = MakeMatches(options.down);
  const std::vector<HostMatch> degrade = MakeMatches(options.degrade);
  Simulation::Plan plan;
  plan.refuse = MakeMatches(options.refuse);
  WarnOfUnmatched(**config, "--down", down, log);
  WarnOfUnmatched(**config, "--degrade", degrade, log);
  WarnOfUnmatched(**config, "--refuse", plan.refuse, log);

  const auto open = Open(request.config, WithHealth(*config, down, degrade),
                         request.seed, request.nearest_first, log);
  if (!open.ok()) return open.status();
  const auto target = ResolveAuthority(*open, request.authority);
  if (!target.ok()) return target.status();
  plan.request = MakeRequest(request, *headers);
  plan.requests = options.requests;
  plan.keep_picks = options.picks;

  WarnOfUnknownHost(*open, request.authority, target->Explain(plan.request),
                    log);
  Simulation simulation(&*open, &*target, std::move(plan));
  const auto begin = std::chrono::steady_clock::now();
  simulation.Run();
  if (!request.json) {
    LogSpeed(options.requests, std::chrono::steady_clock::now() - begin, log);
  }
  CommandResult result;
  result.output = request.json ? SimulateJson(options, simulation)
                               : SimulateText(options, simulation);
  return result;
}

}  // namespace meshlib::meshctl
