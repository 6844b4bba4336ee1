#include "cluster/dns_cluster.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/backoff.h"
#include "base/strings.h"

namespace meshlib::cluster {
namespace {

// A name and a port; nothing for what is an address already.
struct Name {
  std::string name;
  uint16_t port = 0;
};
std::optional<Name> NameIn(std::string_view address) {
  constexpr std::string_view kUnix = "unix:";
  const size_t colon = address.rfind(':');
  if (colon == std::string_view::npos ||
      address.substr(0, kUnix.size()) == kUnix) {
    return std::nullopt;
  }
  uint32_t port = 0;
  if (!absl::SimpleAtoi(base::ToAbsl(address.substr(colon + 1)), &port) ||
      port > UINT16_MAX) {
    return std::nullopt;
  }
  const std::string_view name = address.substr(0, colon);
  if (!event::LiteralAddress(name, 0).empty()) return std::nullopt;
  return Name{std::string(name), static_cast<uint16_t>(port)};
}

bool IsLogical(const model::Cluster& cluster) {
  return cluster.type == model::DiscoveryType::kLogicalDns;
}

// `now` with what was there before in its old order: servers shuffle.
std::vector<std::string> InOldOrder(const std::vector<std::string>& before,
                                    std::vector<std::string> now) {
  absl::flat_hash_set<std::string> left(now.begin(), now.end());
  std::vector<std::string> out;
  out.reserve(now.size());
  for (const std::string& address : before) {
    if (left.erase(address) > 0) out.push_back(address);
  }
  for (std::string& address : now) {
    if (left.erase(address) > 0) out.push_back(std::move(address));
  }
  return out;
}

bool SameEndpoints(const std::shared_ptr<const model::Endpoints>& a,
                   const std::shared_ptr<const model::Endpoints>& b) {
  return a == b || (a != nullptr && b != nullptr && *a == *b);
}

}  // namespace

// A name that is looked up.
struct DnsCluster::Target {
  Name name;
  std::vector<std::string> addresses;
  bool resolved = false;                 // has been, once
  bool answered = false;                 // that, or has failed
  bool failing = false;                  // the last lookup gave no address
  event::Resolver::LookupId lookup = 0;  // under way; 0: none
  event::Loop::TimerId timer = 0;        // for the next one; 0: none
  std::optional<base::JitteredExponentialBackoff> backoff;  // after a failure
};

bool HasDnsNames(const model::Cluster& cluster) {
  return cluster.type == model::DiscoveryType::kStrictDns ||
         cluster.type == model::DiscoveryType::kLogicalDns;
}

DnsCluster::DnsCluster(event::Loop* loop, uint64_t seed, Events events)
    : loop_(loop), random_(seed), events_(std::move(events)) {}

DnsCluster::~DnsCluster() {
  for (const auto& [key, target] : targets_) Stop(*target);
}

void DnsCluster::Stop(Target& target) {
  if (target.lookup != 0) resolver_->Cancel(std::exchange(target.lookup, 0));
  if (target.timer != 0) loop_->Cancel(std::exchange(target.timer, 0));
}

void DnsCluster::Update(std::shared_ptr<const model::Cluster> config,
                        std::shared_ptr<event::Resolver> resolver) {
  if (config == config_ && resolver == resolver_) return;
  const model::DnsDiscovery dns = config->dns.value_or(model::DnsDiscovery());
  const bool same = config_ != nullptr && resolver == resolver_ &&
                    dns == dns_ && config->type == config_->type;
  if (same && SameEndpoints(config->endpoints, config_->endpoints)) {
    config_ = std::move(config);
    return;
  }
  auto before = std::exchange(targets_, {});
  if (!same) {
    for (const auto& [key, target] : before) Stop(*target);
    before.clear();
  }
  config_ = std::move(config);
  resolver_ = std::move(resolver);
  dns_ = dns;
  std::vector<Target*> fresh;
  if (config_->endpoints != nullptr) {
    for (const model::LocalityEndpoints& l : config_->endpoints->localities) {
      for (const model::Endpoint& endpoint : l.endpoints) {
        std::optional<Name> name = NameIn(endpoint.address);
        if (!name) continue;
        std::unique_ptr<Target>& target = targets_[endpoint.address];
        if (target != nullptr) continue;
        const auto known = before.find(endpoint.address);
        if (known != before.end()) target = std::move(known->second);
        if (target != nullptr) continue;
        target = std::make_unique<Target>();
        target->name = *std::move(name);
        fresh.push_back(target.get());
      }
    }
  }
  for (const auto& [key, target] : before) {
    if (target != nullptr) Stop(*target);
  }
  for (Target* target : fresh) Start(*target);
  Rebuild();
}

void DnsCluster::Start(Target& target) {
  target.lookup = resolver_->Resolve(
      target.name.name, target.name.port, dns_.lookup_family,
      [this, &target](absl::StatusOr<event::Resolution> result) {
        target.lookup = 0;
        OnAnswer(target, std::move(result));
      });
}

void DnsCluster::OnAnswer(Target& target,
                          absl::StatusOr<event::Resolution> result) {
  // Envoy takes nothing from a logical host that has an address.
  const bool ok =
      result.ok() && !(IsLogical(*config_) && result->addresses.empty());
  const bool was_ready = endpoints_ != nullptr;
  target.answered = true;
  TellOfFailure(target, result);
  bool changed = false;
  absl::Duration wait;
  if (ok) {
    wait = NextRefresh(result->addresses.empty() ? absl::ZeroDuration()
                                                 : result->ttl);
    changed = Take(target, *result);
    target.backoff.reset();
  } else {
    wait = NextRetry(target);
  }
  target.timer = loop_->RunAt(loop_->Now() + wait, [this, &target] {
    target.timer = 0;
    Start(target);
  });
  if (!changed && (was_ready || !Ready())) return;
  Rebuild();
  events_.changed();
}

void DnsCluster::TellOfFailure(
    Target& target, const absl::StatusOr<event::Resolution>& result) {
  const bool failed = !result.ok() || result->addresses.empty();
  if (std::exchange(target.failing, failed) || !failed) return;
  events_.failed(result.ok() ? absl::NotFoundError(absl::StrCat(
                                   "DNS lookup of \"", target.name.name,
                                   "\": no addresses"))
                             : result.status());
}

// Whether the target's addresses have changed.
bool DnsCluster::Take(Target& target, event::Resolution& resolution) const {
  std::vector<std::string> now = std::move(resolution.addresses);
  // The order matters only where the first is the one to connect to.
  if (!IsLogical(*config_)) now = InOldOrder(target.addresses, std::move(now));
  if (std::exchange(target.resolved, true) && now == target.addresses) {
    return false;
  }
  target.addresses = std::move(now);
  return true;
}

absl::Duration DnsCluster::NextRefresh(absl::Duration ttl) {
  absl::Duration wait = dns_.refresh_rate;
  if (dns_.respect_dns_ttl && ttl > absl::ZeroDuration() &&
      ttl < absl::InfiniteDuration()) {
    wait = ttl;
  }
  const int64_t jitter = absl::ToInt64Milliseconds(dns_.jitter);
  if (jitter <= 0) return wait;
  return wait + absl::Milliseconds(static_cast<int64_t>(
                    random_.Next() % static_cast<uint64_t>(jitter)));
}

absl::Duration DnsCluster::NextRetry(Target& target) const {
  if (!dns_.failure_base_interval.has_value()) return dns_.refresh_rate;
  if (!target.backoff.has_value()) {
    const absl::Duration base =
        std::max(*dns_.failure_base_interval, absl::Milliseconds(1));
    target.backoff.emplace(
        base, std::max(base, dns_.failure_max_interval.value_or(10 * base)));
  }
  return target.backoff->Next(random_.Next());
}

bool DnsCluster::Ready() const {
  if (!dns_.wait_for_warm_on_init) return true;
  return std::any_of(targets_.begin(), targets_.end(),
                     [](const auto& t) { return t.second->resolved; }) ||
         std::all_of(targets_.begin(), targets_.end(),
                     [](const auto& t) { return t.second->answered; });
}

void DnsCluster::Rebuild() {
  if (!Ready()) {
    endpoints_ = nullptr;
    return;
  }
  auto out = std::make_shared<model::Endpoints>();
  if (config_->endpoints != nullptr) {
    const model::Endpoints& from = *config_->endpoints;
    out->cluster_name = from.cluster_name;
    out->drops = from.drops;
    out->overprovisioning_factor = from.overprovisioning_factor;
    out->weighted_priority_health = from.weighted_priority_health;
    for (const model::LocalityEndpoints& l : from.localities) {
      model::LocalityEndpoints& locality = out->localities.emplace_back();
      locality.locality = l.locality;
      locality.priority = IsLogical(*config_) ? 0 : l.priority;  // as Envoy
      locality.weight = l.weight;
      for (const model::Endpoint& endpoint : l.endpoints) {
        Expand(endpoint, locality);
      }
      model::AddFingerprints(locality);
    }
  }
  endpoints_ = std::move(out);
}

void DnsCluster::Expand(const model::Endpoint& endpoint,
                        model::LocalityEndpoints& out) const {
  const auto found = targets_.find(endpoint.address);
  if (found == targets_.end()) {
    out.endpoints.push_back(endpoint);
    return;
  }
  const Target& target = *found->second;
  model::Endpoint host = endpoint;
  if (host.hostname.empty()) host.hostname = target.name.name;
  host.additional_addresses.clear();
  if (!IsLogical(*config_)) {
    for (const std::string& address : target.addresses) {
      host.address = address;
      out.endpoints.push_back(host);
    }
  } else if (!target.addresses.empty()) {
    host.logical_name = std::exchange(host.address, target.addresses.front());
    host.additional_addresses.assign(target.addresses.begin() + 1,
                                     target.addresses.end());
    out.endpoints.push_back(std::move(host));
  }
}

}  // namespace meshlib::cluster
