#include "cluster/cluster_hosts.h"

#include <algorithm>
#include <cstddef>

namespace meshlib::cluster {
namespace {

model::HostHealth HealthOf(model::HealthStatus eds, bool ejected) {
  if (ejected) return model::HostHealth::kUnhealthy;
  switch (eds) {
    case model::HealthStatus::kUnknown:
    case model::HealthStatus::kHealthy:
      return model::HostHealth::kHealthy;
    case model::HealthStatus::kDegraded:
      return model::HostHealth::kDegraded;
    case model::HealthStatus::kUnhealthy:
    case model::HealthStatus::kDraining:
    case model::HealthStatus::kTimeout:
      return model::HostHealth::kUnhealthy;
  }
  return model::HostHealth::kUnhealthy;
}

bool SameMetadata(const std::shared_ptr<const model::Metadata>& a,
                  const std::shared_ptr<const model::Metadata>& b) {
  return a == b || (a != nullptr && b != nullptr && *a == *b);
}

// Whether `host`, which has the key of `endpoint`, is the host of it.
bool SameIdentity(const model::Host& host, const model::Endpoint& endpoint,
                  uint32_t priority) {
  return host.address() == endpoint.address &&
         host.hostname() == endpoint.hostname && host.priority() == priority &&
         host.additional_addresses() ==
             absl::MakeConstSpan(endpoint.additional_addresses) &&
         SameMetadata(host.identity().metadata, endpoint.metadata);
}

bool SameEntry(const lb::HostEntry& a, const lb::HostEntry& b) {
  return a.host == b.host && a.weight == b.weight && a.health == b.health;
}

// Whether the endpoint at a place is what it was. Fingerprints are 64-bit
// hashes: that two endpoints have the same is not expected in the life of a
// control plane.
bool SameAt(const model::LocalityEndpoints& a,
            const model::LocalityEndpoints& b, size_t at) {
  if (!a.has_fingerprints() || !b.has_fingerprints()) {
    return a.endpoints[at] == b.endpoints[at];
  }
  const uint64_t fingerprint = a.fingerprints[at];
  if (fingerprint != b.fingerprints[at]) return false;
  return !model::FingerprintHasMetadata(fingerprint) ||
         SameMetadata(a.endpoints[at].metadata, b.endpoints[at].metadata);
}

}  // namespace

// A host and what is known about it.
struct ClusterHosts::Record {
  std::unique_ptr<model::Host> host;
  uint32_t weight = 1;
  model::HealthStatus eds = model::HealthStatus::kUnknown;
  bool ejected = false;
  Group* group = nullptr;  // null: displaced
  uint32_t position = 0;   // in group->hosts

  lb::HostEntry Entry() const {
    return {host.get(), weight, HealthOf(eds, ejected)};
  }
};

// The hosts of one locality in one priority.
struct ClusterHosts::Group {
  std::shared_ptr<const model::Locality> locality;
  uint32_t priority = 0;
  const model::LocalityEndpoints* from = nullptr;  // of endpoints_
  std::vector<Record*> hosts;  // null: to be filled, within Update() only
  std::shared_ptr<const lb::HostEntries> entries;
  std::vector<uint32_t> dirty;  // positions whose entries are not up to date
  bool stale = true;            // all of them
};

ClusterHosts::ClusterHosts(StripeBlocks* blocks) : blocks_(blocks) {}
ClusterHosts::~ClusterHosts() = default;

std::shared_ptr<const model::Locality> ClusterHosts::Intern(
    const model::Locality& locality) {
  for (const auto& known : localities_) {
    if (*known == locality) return known;
  }
  localities_.push_back(std::make_shared<const model::Locality>(locality));
  return localities_.back();
}

void ClusterHosts::Update(std::shared_ptr<const model::Endpoints> endpoints,
                          const std::vector<uint32_t>& priorities,
                          int64_t now_ns,
                          resilience::OutlierDetector* outlier) {
  Scope scope{now_ns, outlier, {}};
  std::vector<std::unique_ptr<Group>> before;
  before.swap(groups_);
  const size_t count = endpoints == nullptr ? 0 : endpoints->localities.size();
  for (size_t i = 0; i < count; ++i) {
    const model::LocalityEndpoints& from = endpoints->localities[i];
    groups_.push_back(
        TakeGroup(i < before.size() ? std::move(before[i]) : nullptr, from,
                  priorities.empty() ? from.priority : priorities[i], scope));
  }
  for (const auto& group : before) {
    if (group != nullptr) Displace(*group, scope);
  }
  // Only now is it known who has kept its place.
  for (const auto& group : groups_) Fill(*group, scope);
  for (Record* record : scope.displaced) {
    if (record->group == nullptr) Remove(record, scope);
  }
  endpoints_ = std::move(endpoints);  // the last ones are not needed any more
  blocks_->Reserve(indices());
}

// A group for `from`, with the hosts of `before` at the places that are as
// they were.
std::unique_ptr<ClusterHosts::Group> ClusterHosts::TakeGroup(
    std::unique_ptr<Group> before, const model::LocalityEndpoints& from,
    uint32_t priority, Scope& scope) {
  std::shared_ptr<const model::Locality> locality = Intern(from.locality);
  const size_t size = from.endpoints.size();
  // With an address twice, places are not those of the list.
  const bool fits = before != nullptr && before->locality == locality &&
                    before->priority == priority &&
                    before->hosts.size() == before->from->endpoints.size();
  if (!fits) {
    if (before != nullptr) Displace(*before, scope);
    before = std::make_unique<Group>();
    before->locality = std::move(locality);
    before->priority = priority;
  }
  Group& group = *before;
  if (group.hosts.size() != size) group.stale = true;
  for (size_t i = 0; i < group.hosts.size(); ++i) {
    if (i < size && SameAt(*group.from, from, i)) continue;
    group.hosts[i]->group = nullptr;
    scope.displaced.push_back(group.hosts[i]);
    group.hosts[i] = nullptr;
    group.dirty.push_back(static_cast<uint32_t>(i));
  }
  for (size_t i = group.hosts.size(); i < size; ++i) {
    group.dirty.push_back(static_cast<uint32_t>(i));
  }
  group.hosts.resize(size);
  group.from = &from;
  return before;
}

void ClusterHosts::Displace(Group& group, Scope& scope) {
  for (Record* record : group.hosts) record->group = nullptr;
  scope.displaced.insert(scope.displaced.end(), group.hosts.begin(),
                         group.hosts.end());
  group.hosts.clear();
}

// Finds hosts for the places that have none.
void ClusterHosts::Fill(Group& group, Scope& scope) {
  bool gaps = false;
  for (const uint32_t i : group.dirty) {
    if (i >= group.hosts.size() || group.hosts[i] != nullptr) continue;
    Record* record = Upsert(group.from->endpoints[i], group, scope);
    gaps |= record == nullptr;
    if (record == nullptr) continue;
    record->group = &group;
    record->position = i;
    group.hosts[i] = record;
  }
  if (!gaps) return;
  // An address stands twice. Which of them counts must not depend on what was
  // there before: once more, from the first place on.
  auto& hosts = group.hosts;
  for (Record* record : hosts) {
    if (record != nullptr) record->group = nullptr;
  }
  for (uint32_t i = 0; i < hosts.size(); ++i) {
    hosts[i] = Upsert(group.from->endpoints[i], group, scope);
    if (hosts[i] != nullptr) hosts[i]->group = &group;
  }
  hosts.erase(std::remove(hosts.begin(), hosts.end(), nullptr), hosts.end());
  for (uint32_t i = 0; i < hosts.size(); ++i) hosts[i]->position = i;
  group.stale = true;
}

// The host of an endpoint; null if another endpoint has it: of an address
// that stands twice in a locality the first counts.
ClusterHosts::Record* ClusterHosts::Upsert(const model::Endpoint& endpoint,
                                           const Group& group, Scope& scope) {
  const Key key{group.locality.get(), endpoint.logical_name.empty()
                                          ? endpoint.address
                                          : endpoint.logical_name};
  const auto found = records_.find(key);
  Record* record = found == records_.end() ? nullptr : found->second.get();
  if (record == nullptr) {
    auto fresh = std::make_unique<Record>();
    record = fresh.get();
    record->host = NewHost(endpoint, group, nullptr, scope.now_ns);
    const uint32_t index = record->host->index();
    by_index_[index] = record;
    if (scope.outlier != nullptr) {
      scope.outlier->AddHost(index, &record->host->state());
    }
    records_.emplace(Key{key.locality, record->host->key()}, std::move(fresh));
  } else if (record->group != nullptr) {
    return nullptr;
  } else if (!SameIdentity(*record->host, endpoint, group.priority)) {
    // A host's identity never changes: a new object takes over its state.
    std::unique_ptr<model::Host> old = std::move(record->host);
    record->host = NewHost(endpoint, group, old.get(), scope.now_ns);
    by_index_[old->index()] = nullptr;
    by_index_[record->host->index()] = record;
    if (scope.outlier != nullptr) {
      scope.outlier->MoveHost(old->index(), record->host->index());
    }
    // The key's text is the old object's.
    auto owned = std::move(found->second);
    records_.erase(found);
    records_.emplace(Key{key.locality, record->host->key()}, std::move(owned));
    draining_.push_back({std::move(old), 0});
  }
  record->weight = endpoint.weight;
  record->eds = endpoint.health;
  record->host->state().weight.store(endpoint.weight,
                                     std::memory_order_relaxed);
  return record;
}

std::unique_ptr<model::Host> ClusterHosts::NewHost(
    const model::Endpoint& endpoint, const Group& group,
    const model::Host* replaced, int64_t now_ns) {
  std::shared_ptr<model::HostState> state;
  if (replaced != nullptr) {
    state = replaced->shared_state();
  } else {
    state = std::make_shared<model::HostState>();
    state->available_since_ns.store(now_ns, std::memory_order_relaxed);
  }
  uint32_t index;
  if (free_indices_.empty()) {
    index = indices();
    by_index_.push_back(nullptr);
  } else {
    index = free_indices_.back();
    free_indices_.pop_back();
  }
  model::Host::Identity identity;
  identity.address = endpoint.address;
  identity.hostname = endpoint.hostname;
  identity.locality = group.locality;
  identity.metadata = endpoint.metadata;
  identity.priority = group.priority;
  if (!endpoint.logical_name.empty() ||
      !endpoint.additional_addresses.empty()) {
    identity.addresses =
        std::make_unique<const model::Host::Addresses>(model::Host::Addresses{
            endpoint.logical_name, endpoint.additional_addresses});
  }
  state->host_index = index;
  return std::make_unique<model::Host>(
      index, std::move(identity), std::move(state),
      replaced != nullptr ? replaced->index() : model::Host::kNoIndex);
}

void ClusterHosts::Remove(Record* record, Scope& scope) {
  const uint32_t index = record->host->index();
  by_index_[index] = nullptr;
  if (scope.outlier != nullptr) scope.outlier->RemoveHost(index);
  const Key key{record->host->identity().locality.get(), record->host->key()};
  draining_.push_back({std::move(record->host), 0});
  records_.erase(key);
}

void ClusterHosts::AddAllTo(resilience::OutlierDetector& outlier) const {
  for (const Record* record : by_index_) {
    if (record == nullptr) continue;
    outlier.AddHost(record->host->index(), &record->host->state());
  }
}

void ClusterHosts::SetEjected(uint32_t index, bool ejected) {
  if (!IsPresent(index)) return;
  Record& record = *by_index_[index];
  record.ejected = ejected;
  record.group->dirty.push_back(record.position);
}

void ClusterHosts::Refresh(Group& group) {
  lb::HostEntries entries;
  bool changed = true;
  if (group.stale || group.entries == nullptr) {
    entries.reserve(group.hosts.size());
    for (const Record* record : group.hosts) entries.push_back(record->Entry());
    changed = group.entries == nullptr ||
              group.entries->size() != entries.size() ||
              !std::equal(entries.begin(), entries.end(),
                          group.entries->begin(), SameEntry);
  } else {
    changed = std::any_of(group.dirty.begin(), group.dirty.end(),
                          [&](uint32_t position) {
                            return !SameEntry((*group.entries)[position],
                                              group.hosts[position]->Entry());
                          });
    if (changed) {
      entries = *group.entries;
      for (const uint32_t position : group.dirty) {
        entries[position] = group.hosts[position]->Entry();
      }
    }
  }
  group.stale = false;
  group.dirty.clear();
  if (!changed) return;
  group.entries = std::make_shared<const lb::HostEntries>(std::move(entries));
}

std::vector<lb::PriorityHosts> ClusterHosts::Priorities() {
  std::vector<lb::PriorityHosts> priorities;
  for (const auto& group : groups_) {
    if (group->stale || !group->dirty.empty()) Refresh(*group);
    if (priorities.size() <= group->priority) {
      priorities.resize(group->priority + 1);
    }
    lb::LocalityHosts hosts;
    hosts.locality = group->locality.get();
    hosts.weight = group->from->weight.value_or(0);
    hosts.weight_set = group->from->weight.has_value();
    hosts.hosts = group->entries;
    priorities[group->priority].localities.push_back(std::move(hosts));
  }
  return priorities;
}

lb::LocalCluster ClusterHosts::ZoneCounts() const {
  lb::LocalCluster counts;
  for (const auto& group : groups_) {
    if (group->priority != 0) continue;  // zone-aware routing is of P0 alone
    lb::LocalCluster::Zone zone;
    zone.locality = *group->locality;
    for (const Record* record : group->hosts) {
      ++zone.hosts;
      switch (record->Entry().health) {
        case model::HostHealth::kHealthy:
          ++zone.healthy;
          zone.healthy_weight += record->weight;
          break;
        case model::HostHealth::kDegraded:
          ++zone.degraded;
          break;
        case model::HostHealth::kExcluded:
          ++zone.excluded;
          break;
        case model::HostHealth::kUnhealthy:
          break;
      }
    }
    counts.zones.push_back(std::move(zone));
  }
  return counts;
}

bool ClusterHosts::Ejected(const model::Host& host) const {
  return IsPresent(host.index()) && by_index_[host.index()]->ejected;
}

model::HealthStatus ClusterHosts::EdsHealth(const model::Host& host) const {
  return IsPresent(host.index()) ? by_index_[host.index()]->eds
                                 : model::HealthStatus::kUnknown;
}

bool ClusterHosts::Owns(const model::HostState& state) const {
  return IsPresent(state.host_index) &&
         &by_index_[state.host_index]->host->state() == &state;
}

void ClusterHosts::Retire(uint64_t epoch) {
  for (Draining& draining : draining_) {
    if (draining.epoch == 0) draining.epoch = epoch;
  }
}

bool ClusterHosts::Reclaim(uint64_t oldest_reader) {
  const auto finished = [&](const Draining& draining) {
    if (draining.epoch == 0 || oldest_reader < draining.epoch) return false;
    const model::Host& host = *draining.host;
    if (blocks_->Used(host.index())) return false;
    // Acquire: who flagged it is done with it.
    if (host.state().reached.load(std::memory_order_acquire) != 0) return false;
    if (Owns(host.state())) {
      model::Host& successor = *by_index_[host.state().host_index]->host;
      if (successor.inherited_index() == host.index()) {
        successor.ForgetInherited();
      }
    }
    free_indices_.push_back(host.index());
    return true;
  };
  draining_.erase(std::remove_if(draining_.begin(), draining_.end(), finished),
                  draining_.end());
  return draining_.empty();
}

}  // namespace meshlib::cluster
