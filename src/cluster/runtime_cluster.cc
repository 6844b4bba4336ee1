#include "cluster/runtime_cluster.h"

#include <algorithm>
#include <utility>

#include "base/hash.h"
#include "lb/nearest_first.h"

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

bool SameEntry(const lb::HostEntry& a, const lb::HostEntry& b) {
  return a.host == b.host && a.weight == b.weight && a.health == b.health;
}

}  // namespace

// A host and what the control thread knows about it.
struct RuntimeCluster::Record {
  std::unique_ptr<model::Host> host;
  uint32_t weight = 1;
  model::HealthStatus eds = model::HealthStatus::kUnknown;
  bool ejected = false;
  Group* group = nullptr;
  uint64_t generation = 0;  // of the last update that named the host
};

// The hosts of one locality in one priority.
struct RuntimeCluster::Group {
  std::shared_ptr<const model::Locality> locality;
  uint32_t priority = 0;
  uint32_t weight = 0;
  bool weight_set = false;
  std::vector<Record*> hosts;
  std::shared_ptr<const lb::HostEntries> entries;
  bool stale = true;  // `entries` must be made anew
};

RuntimeCluster::RuntimeCluster(ClusterId id, std::string name,
                               ClusterContext* context)
    : id_(id),
      name_(std::move(name)),
      context_(context),
      blocks_(context->slots->stripes()),
      breakers_(context->slots->stripes()) {}

RuntimeCluster::~RuntimeCluster() = default;

std::shared_ptr<const model::Locality> RuntimeCluster::Intern(
    const model::Locality& locality) {
  for (const auto& known : localities_) {
    if (*known == locality) return known;
  }
  localities_.push_back(std::make_shared<const model::Locality>(locality));
  return localities_.back();
}

std::unique_ptr<model::Host> RuntimeCluster::NewHost(
    const model::Endpoint& endpoint, const Group& group, uint32_t priority,
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
    index = static_cast<uint32_t>(by_index_.size());
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
  identity.priority = priority;
  state->host_index = index;
  return std::make_unique<model::Host>(
      index, std::move(identity), std::move(state),
      replaced != nullptr ? replaced->index() : model::Host::kNoIndex);
}

RuntimeCluster::Record* RuntimeCluster::Upsert(const model::Endpoint& endpoint,
                                               Group& group, uint32_t priority,
                                               Record* guess, int64_t now_ns) {
  Record* record = nullptr;
  // Most updates keep the order: then the guess saves the look-up.
  if (guess != nullptr && guess->host->address() == endpoint.address &&
      guess->host->identity().locality == group.locality) {
    record = guess;
  } else {
    const auto found =
        records_.find(Key{group.locality.get(), endpoint.address});
    if (found != records_.end()) record = found->second.get();
  }
  if (record == nullptr) {
    auto fresh = std::make_unique<Record>();
    record = fresh.get();
    record->host = NewHost(endpoint, group, priority, nullptr, now_ns);
    by_index_[record->host->index()] = record;
    if (outlier_) {
      outlier_->AddHost(record->host->index(), &record->host->state());
    }
    records_.emplace(Key{group.locality.get(), record->host->address()},
                     std::move(fresh));
  } else if (record->generation == generation_) {
    return nullptr;  // the same address twice in a locality: the first counts
  } else if (record->host->hostname() != endpoint.hostname ||
             record->host->priority() != priority ||
             !SameMetadata(record->host->identity().metadata,
                           endpoint.metadata)) {
    // A host's identity never changes: a new object takes over its state.
    std::unique_ptr<model::Host> old = std::move(record->host);
    record->host = NewHost(endpoint, group, priority, old.get(), now_ns);
    by_index_[old->index()] = nullptr;
    by_index_[record->host->index()] = record;
    if (outlier_) outlier_->MoveHost(old->index(), record->host->index());
    auto node = records_.extract(Key{group.locality.get(), old->address()});
    auto owned = std::move(node.mapped());
    records_.emplace(Key{group.locality.get(), record->host->address()},
                     std::move(owned));
    draining_.push_back({std::move(old), 0});
  }
  record->generation = generation_;
  record->group = &group;
  record->weight = endpoint.weight;
  record->eds = endpoint.health;
  record->host->state().weight.store(endpoint.weight,
                                     std::memory_order_relaxed);
  return record;
}

void RuntimeCluster::Remove(Record* record) {
  const uint32_t index = record->host->index();
  by_index_[index] = nullptr;
  if (outlier_) outlier_->RemoveHost(index);
  const Key key{record->host->identity().locality.get(),
                record->host->address()};
  draining_.push_back({std::move(record->host), 0});
  records_.erase(key);
}

void RuntimeCluster::UpdateHosts(const model::Endpoints* endpoints,
                                 int64_t now_ns) {
  ++generation_;
  std::vector<std::unique_ptr<Group>> old_groups;
  old_groups.swap(groups_);
  if (endpoints != nullptr) {
    std::vector<uint32_t> priorities;
    if (context_->nearest_first && context_->own_locality != nullptr) {
      priorities =
          lb::NearestFirstPriorities(*endpoints, *context_->own_locality);
    }
    for (size_t i = 0; i < endpoints->localities.size(); ++i) {
      const model::LocalityEndpoints& from = endpoints->localities[i];
      auto group = std::make_unique<Group>();
      group->locality = Intern(from.locality);
      group->priority = priorities.empty() ? from.priority : priorities[i];
      group->weight = from.weight.value_or(0);
      group->weight_set = from.weight.has_value();
      group->hosts.reserve(from.endpoints.size());
      const Group* before =
          i < old_groups.size() && old_groups[i]->locality == group->locality
              ? old_groups[i].get()
              : nullptr;
      for (size_t j = 0; j < from.endpoints.size(); ++j) {
        Record* guess = before != nullptr && j < before->hosts.size()
                            ? before->hosts[j]
                            : nullptr;
        Record* record =
            Upsert(from.endpoints[j], *group, group->priority, guess, now_ns);
        if (record != nullptr) group->hosts.push_back(record);
      }
      if (before != nullptr) group->entries = before->entries;
      groups_.push_back(std::move(group));
    }
  }
  std::vector<Record*> gone;
  for (const auto& [key, record] : records_) {
    if (record->generation != generation_) gone.push_back(record.get());
  }
  for (Record* record : gone) Remove(record);
  blocks_.Reserve(static_cast<uint32_t>(by_index_.size()));
  last_totals_.resize(by_index_.size());
}

void RuntimeCluster::RefreshEntries(Group& group) {
  lb::HostEntries entries;
  entries.reserve(group.hosts.size());
  for (const Record* record : group.hosts) {
    entries.push_back({record->host.get(), record->weight,
                       HealthOf(record->eds, record->ejected)});
  }
  group.stale = false;
  // The same list is shared with the version before: what the balancer
  // computed from it is then kept.
  if (group.entries != nullptr && group.entries->size() == entries.size() &&
      std::equal(entries.begin(), entries.end(), group.entries->begin(),
                 SameEntry)) {
    return;
  }
  group.entries = std::make_shared<const lb::HostEntries>(std::move(entries));
}

absl::Status RuntimeCluster::Rebuild() {
  lb::BalancerInput input;
  if (endpoints_ != nullptr) {
    input.overprovisioning_factor = endpoints_->overprovisioning_factor;
    input.weighted_priority_health = endpoints_->weighted_priority_health;
  }
  input.own_locality = context_->own_locality;
  input.local_cluster = local_cluster_;
  input.config =
      std::shared_ptr<const model::LoadBalancing>(config_, &config_->lb);
  input.now_ns = absl::ToUnixNanos(context_->clock->Now());
  input.active = blocks_.active();
  for (const auto& group : groups_) {
    if (group->stale) RefreshEntries(*group);
    if (input.priorities.size() <= group->priority) {
      input.priorities.resize(group->priority + 1);
    }
    lb::LocalityHosts hosts;
    hosts.locality = group->locality.get();
    hosts.weight = group->weight;
    hosts.weight_set = group->weight_set;
    hosts.hosts = group->entries;
    input.priorities[group->priority].localities.push_back(std::move(hosts));
  }
  auto balancer = lb::Balancer::Create(
      input, version_ == nullptr ? nullptr : &version_->balancer(),
      context_->load_balancers);
  if (!balancer.ok()) return balancer.status();
  auto version = std::make_shared<const ClusterVersion>(
      this, config_, endpoints_, std::move(input), *std::move(balancer),
      context_->slots->stripes(), base::XxHash64(name_, context_->seed));
  if (version_ != nullptr) version->PrepareSlots(*version_);
  version_ = std::move(version);
  return absl::OkStatus();
}

absl::Status RuntimeCluster::Update(
    std::shared_ptr<const model::Cluster> config,
    std::shared_ptr<const model::Endpoints> endpoints,
    std::shared_ptr<const lb::LocalCluster> local_cluster) {
  const absl::Time now = context_->clock->Now();
  const bool new_endpoints = version_ == nullptr || endpoints != endpoints_;
  auto old_config = std::exchange(config_, std::move(config));
  endpoints_ = std::move(endpoints);
  local_cluster_ = std::move(local_cluster);
  if (new_endpoints) UpdateHosts(endpoints_.get(), absl::ToUnixNanos(now));
  ConfigureOutlier(now);
  absl::Status status = Rebuild();
  if (!status.ok()) config_ = std::move(old_config);
  return status;
}

void RuntimeCluster::ConfigureOutlier(absl::Time now) {
  resilience::OutlierDetector::Events events;
  const auto& wanted = config_->outlier_detection;
  if (outlier_ && wanted) {
    outlier_->SetConfig(*wanted, now, events);
  } else if (outlier_) {
    outlier_->UnejectAll(now, events);
    outlier_.reset();
  } else if (wanted) {
    outlier_.emplace(*wanted, base::XxHash64(name_, context_->seed), now);
    for (Record* record : by_index_) {
      if (record == nullptr) continue;
      outlier_->AddHost(record->host->index(), &record->host->state());
    }
  }
  MarkEjections(events);
}

bool RuntimeCluster::MarkEjections(
    const resilience::OutlierDetector::Events& events) {
  using Action = resilience::OutlierEvent::Action;
  bool changed = false;
  for (const resilience::OutlierEvent& event : events) {
    Record* record = by_index_[event.host];
    if (record == nullptr) continue;
    if (event.action == Action::kEjected) {
      record->ejected = true;
    } else if (event.action == Action::kUnejected) {
      record->ejected = false;
    } else {
      continue;
    }
    record->group->stale = true;
    changed = true;
  }
  return changed;
}

bool RuntimeCluster::Apply(const resilience::OutlierDetector::Events& events) {
  // A failing rebuild is of a configuration that was built before: it cannot
  // fail for another reason now.
  return MarkEjections(events) && Rebuild().ok();
}

void RuntimeCluster::Attention(const model::Host& host,
                               resilience::Thresholds reached) {
  model::HostState& state = host.state();
  // Each flag is set before its item is pushed, and cleared, by the control
  // thread alone, after the item was taken: nothing is on a list twice, and
  // what is flagged while it is being taken is pushed again.
  if (state.reached.fetch_or(reached.bits(), std::memory_order_acq_rel) != 0) {
    return;
  }
  flagged_.Push(&state);
  if (wants_attention_.exchange(true, std::memory_order_acq_rel)) return;
  context_->attention->Push(this);
  context_->wake();
}

bool RuntimeCluster::OnAttention(absl::Time now) {
  wants_attention_.exchange(false, std::memory_order_acq_rel);
  resilience::OutlierDetector::Events events;
  flagged_.TakeAll([&](model::HostState& state) {
    const auto reached = resilience::Thresholds::FromBits(
        state.reached.exchange(0, std::memory_order_acq_rel));
    const Record* record = by_index_[state.host_index];
    // Null, or another host: it has left meanwhile.
    if (record == nullptr || &record->host->state() != &state) return;
    if (outlier_) outlier_->OnThreshold(state.host_index, reached, now, events);
  });
  return Apply(events);
}

bool RuntimeCluster::OnInterval(absl::Time now) {
  if (!outlier_ || now < outlier_->next_interval()) return false;
  std::vector<Totals> totals(by_index_.size());
  blocks_.ForEach([&](const StripeBlock& block) {
    for (uint32_t i = 0; i < totals.size(); ++i) {
      const model::HostCounters* counters = block.hosts.At(i);
      if (counters == nullptr) break;
      totals[i].total += counters->total.load(std::memory_order_relaxed);
      totals[i].failed += counters->failed.load(std::memory_order_relaxed);
      totals[i].local_total +=
          counters->local_total.load(std::memory_order_relaxed);
      totals[i].local_failed +=
          counters->local_failed.load(std::memory_order_relaxed);
    }
  });
  std::vector<resilience::HostSample> samples;
  for (uint32_t i = 0; i < totals.size(); ++i) {
    const Totals& now_at = totals[i];
    const Totals& before = last_totals_[i];
    // Unsigned: right also where a counter has wrapped.
    const uint32_t total = now_at.total - before.total;
    const uint32_t failed = now_at.failed - before.failed;
    const uint32_t local_total = now_at.local_total - before.local_total;
    const uint32_t local_failed = now_at.local_failed - before.local_failed;
    if (by_index_[i] == nullptr || (total == 0 && local_total == 0)) continue;
    samples.push_back({i, total - std::min(failed, total), total,
                       local_total - std::min(local_failed, local_total),
                       local_total});
  }
  last_totals_ = std::move(totals);
  resilience::OutlierDetector::Events events;
  outlier_->OnInterval(now, samples, events);
  return Apply(events);
}

lb::LocalCluster RuntimeCluster::ZoneCounts() const {
  lb::LocalCluster counts;
  for (const auto& group : groups_) {
    if (group->priority != 0) continue;  // zone-aware routing is of P0 alone
    lb::LocalCluster::Zone zone;
    zone.locality = *group->locality;
    for (const Record* record : group->hosts) {
      ++zone.hosts;
      switch (HealthOf(record->eds, record->ejected)) {
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

bool RuntimeCluster::Ejected(const model::Host& host) const {
  const Record* record = by_index_[host.index()];
  return record != nullptr && record->ejected;
}

model::HealthStatus RuntimeCluster::EdsHealth(const model::Host& host) const {
  const Record* record = by_index_[host.index()];
  return record == nullptr ? model::HealthStatus::kUnknown : record->eds;
}

void RuntimeCluster::Retire(uint64_t epoch) {
  for (Draining& draining : draining_) {
    if (draining.epoch == 0) draining.epoch = epoch;
  }
}

bool RuntimeCluster::Reclaim(uint64_t oldest_reader) {
  const auto finished = [&](const Draining& draining) {
    if (draining.epoch == 0 || oldest_reader < draining.epoch) return false;
    const model::Host& host = *draining.host;
    if (blocks_.Used(host.index())) return false;
    // Acquire: who flagged it is done with it.
    if (host.state().reached.load(std::memory_order_acquire) != 0) return false;
    Record* successor = by_index_[host.state().host_index];
    if (successor != nullptr &&
        successor->host->inherited_index() == host.index()) {
      successor->host->ForgetInherited();
    }
    free_indices_.push_back(host.index());
    return true;
  };
  draining_.erase(std::remove_if(draining_.begin(), draining_.end(), finished),
                  draining_.end());
  return draining_.empty();
}

bool RuntimeCluster::unused() const {
  // The order matters: who holds a token may still ask for attention.
  return blocks_.Tokens() == 0 &&
         !wants_attention_.load(std::memory_order_acquire);
}

}  // namespace meshlib::cluster
