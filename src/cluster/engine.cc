#include "cluster/engine.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/hash.h"
#include "base/strings.h"
#include "cluster/dns_cluster.h"
#include "cluster/resolve.h"
#include "cluster/route_binding.h"

namespace meshlib::cluster {
namespace {

constexpr absl::Duration kReclaimInterval = absl::Milliseconds(100);
constexpr size_t kMostErrors = 100;  // in one message

}  // namespace

// What a resolved authority is bound to.
struct Engine::Target {
  std::string authority;
  bool used = false;
  TargetBinding binding;
  absl::Status status;
};

// One cluster by its id: what is configured, and what was built of it.
struct Engine::Slot {
  std::string name;
  std::shared_ptr<const model::Cluster> config;  // null: not configured
  std::shared_ptr<const model::Endpoints> endpoints;
  std::unique_ptr<DnsCluster> dns;  // of active clusters that look names up
  std::unique_ptr<RuntimeCluster> runtime;  // null: not asked for yet
  bool active = false;                      // some target's routes lead here
  absl::Time interval_at = absl::InfiniteFuture();  // scheduled
};

Engine::Engine(EngineOptions options)
    : options_(std::move(options)),
      slots_(options_.exclusive_stripes, options_.seed),
      config_(std::make_shared<const model::Config>()),
      names_(std::make_shared<const Snapshot::Names>()) {
  context_.clock = options_.clock;
  context_.slots = &slots_;
  context_.load_balancers = options_.load_balancers;
  context_.seed = options_.seed;
  context_.nearest_first = options_.nearest_first;
  context_.attach = options_.attach;
  context_.attention = &attention_;
  context_.wake = [loop = options_.loop, signal = options_.loop->AddSignal(
                                             [this] { OnAttention(); })] {
    loop->Raise(signal);
  };
  Publish();
}

Engine::~Engine() = default;

void Engine::Log(LogLevel level, std::string_view text) {
  if (options_.log) options_.log(level, text);
}

void Engine::LogStatus(ClusterId id, LogLevel level,
                       const absl::Status& status) {
  Log(level, base::ToStd(absl::StrCat("cluster \"", clusters_[id]->name,
                                      "\": ", status.message())));
}

ClusterId Engine::IdOf(const std::string& name) {
  const auto [found, inserted] =
      ids_.emplace(name, static_cast<ClusterId>(clusters_.size()));
  if (inserted) {
    clusters_.push_back(std::make_unique<Slot>());
    clusters_.back()->name = name;
  }
  return found->second;
}

void Engine::SetChunk(ClusterId id,
                      std::shared_ptr<const ClusterVersion> version) {
  const size_t index = id / Snapshot::kChunk;
  if (chunks_.size() <= index) chunks_.resize(index + 1);
  // Chunks of published snapshots are never written: copy on the first
  // change since.
  std::shared_ptr<Snapshot::Chunk>& chunk = chunks_[index];
  if (changed_chunks_.insert(index).second) {
    chunk = chunk == nullptr ? std::make_shared<Snapshot::Chunk>()
                             : std::make_shared<Snapshot::Chunk>(*chunk);
  }
  (*chunk)[id % Snapshot::kChunk] = std::move(version);
}

absl::Status Engine::UpdateCluster(ClusterId id) {
  Slot& slot = *clusters_[id];
  if (slot.config == nullptr || !slot.active) return absl::OkStatus();
  if (slot.runtime == nullptr) {
    slot.runtime = std::make_unique<RuntimeCluster>(id, slot.name, &context_);
  }
  UpdateDns(id);
  absl::Status status =
      slot.runtime->Update(slot.config, slot.endpoints, local_cluster_);
  draining_.insert(slot.runtime.get());
  if (slot.runtime->version() != nullptr) SetChunk(id, slot.runtime->version());
  ScheduleInterval(id);
  return status;
}

void Engine::Activate(ClusterId id) {
  Slot& slot = *clusters_[id];
  if (slot.active) return;
  slot.active = true;
  const absl::Status status = UpdateCluster(id);
  if (!status.ok()) LogStatus(id, LogLevel::kError, status);
}

void Engine::ActivateFor(const RouteBinding& binding) {
  if (binding.any_cluster()) {
    for (ClusterId id = 0; id < clusters_.size(); ++id) Activate(id);
    return;
  }
  for (const BoundRoute& route : binding.routes()) {
    for (const ClusterId id : route.clusters) {
      if (id != kNoCluster) Activate(id);
    }
  }
}

absl::StatusOr<RouteBinding*> Engine::BindRoutes(
    const std::string& listener,
    std::shared_ptr<const model::RouteConfig> routes) {
  std::unique_ptr<RouteBinding>& binding = route_bindings_[routes.get()];
  if (binding == nullptr) {
    auto made = RouteBinding::Make(
        listener, std::move(routes), runtime_, slots_.stripes(),
        [this](const std::string& name) { return IdOf(name); });
    if (!made.ok()) return made.status();
    binding = *std::move(made);
  }
  ActivateFor(*binding);
  return binding.get();
}

void Engine::BindTarget(Target& target) {
  auto resolution = ResolveAuthority(*config_, target.authority);
  target.binding = {};
  if (!resolution.ok()) {
    target.status = resolution.status();
    // A control plane may yet name it.
    if (config_->control_plane != nullptr && absl::IsNotFound(target.status)) {
      target.status = absl::UnavailableError(target.status.message());
    }
    return;
  }
  target.status = absl::OkStatus();
  if (!resolution->cluster.empty()) {
    target.binding.cluster = IdOf(resolution->cluster);
    Activate(target.binding.cluster);
    return;
  }
  if (resolution->routes == nullptr) {
    target.status = absl::UnavailableError(absl::StrCat(
        "listener \"", resolution->listener, "\": no route configuration \"",
        resolution->http->rds_route_config_name, "\""));
    return;
  }
  auto routes = BindRoutes(resolution->listener, resolution->routes);
  if (routes.ok()) {
    target.binding.routes = *routes;
    if (resolution->normalization.active()) {
      target.binding.normalization =
          std::make_shared<const model::RequestNormalization>(
              resolution->normalization);
    }
    if (resolution->http == nullptr) return;  // a TCP proxy's
    target.binding.faults = ChainOf(*resolution->http, **routes);
    target.binding.stream_limits = std::make_shared<const model::StreamLimits>(
        resolution->http->stream_limits);
  } else {
    target.status = routes.status();
  }
}

std::shared_ptr<const resilience::FaultChain> Engine::ChainOf(
    const model::HttpConnectionManager& http, const RouteBinding& routes) {
  if (http.faults.empty()) return nullptr;
  auto& stats = fault_stats_[http.stat_prefix];
  if (stats == nullptr) stats = std::make_unique<resilience::FaultStats>();
  auto chain = std::make_shared<resilience::FaultChain>();
  chain->stats = stats.get();
  for (const model::FaultFilter& filter : http.faults) {
    chain->filters.push_back({filter.name, filter.disabled,
                              std::make_shared<const resilience::CompiledFault>(
                                  filter.fault, runtime_)});
  }
  // Istio has the filter in each chain, mostly for nothing.
  if (!chain->active() && !routes.overrides_filters()) return nullptr;
  return chain;
}

const resilience::FaultStats* Engine::FaultStatsOf(
    std::string_view stat_prefix) const {
  const auto found = fault_stats_.find(base::ToAbsl(stat_prefix));
  return found == fault_stats_.end() ? nullptr : found->second.get();
}

void Engine::SetNews(bool awaited, std::string why_not) {
  base::MutexLock lock(publish_mutex_);
  why_no_news_ = std::move(why_not);
  // Release pairs with the acquire in awaits_news().
  awaits_news_.store(awaited, std::memory_order_release);
}

std::string Engine::WhyNoNews() const {
  base::MutexLock lock(publish_mutex_);
  return why_no_news_;
}

absl::StatusOr<uint32_t> Engine::Bind(std::string_view authority) {
  uint32_t id = 0;
  while (id < targets_.size() && targets_[id]->used) ++id;
  if (id == targets_.size()) targets_.push_back(std::make_unique<Target>());
  Target& target = *targets_[id];
  target.authority = std::string(authority);
  target.used = true;
  BindTarget(target);
  if (!target.status.ok() && !absl::IsUnavailable(target.status)) {
    target.used = false;
    return target.status;
  }
  Publish();
  return id;
}

void Engine::Unbind(uint32_t target) {
  targets_[target]->used = false;
  targets_[target]->binding = {};
  // The binding in the snapshot is harmless: nobody asks for it any more.
}

std::vector<std::string> Engine::BoundAuthorities() const {
  std::vector<std::string> out;
  for (const auto& target : targets_) {
    if (target->used) out.push_back(target->authority);
  }
  return out;
}

const std::string& Engine::AuthorityOf(uint32_t target) const {
  return targets_[target]->authority;
}

absl::Status Engine::TargetStatus(uint32_t target) const {
  return targets_[target]->status;
}

absl::Status Engine::Apply(std::shared_ptr<const model::Config> config) {
  // Bindings point into the configuration: the old one stays alive in them.
  config_ = std::move(config);
  runtime_ = std::make_shared<const model::Runtime>(config_->runtime);
  context_.own_locality =
      config_->node.locality.empty()
          ? nullptr
          : std::make_shared<const model::Locality>(config_->node.locality);

  absl::flat_hash_map<std::string, std::shared_ptr<const model::Endpoints>>
      endpoints;
  for (const auto& e : config_->endpoints) endpoints[e->cluster_name] = e;
  std::vector<bool> present(clusters_.size(), false);
  std::vector<ClusterId> order;
  for (const auto& cluster : config_->clusters) {
    const ClusterId id = IdOf(cluster->name);
    if (id >= present.size()) present.resize(id + 1, false);
    present[id] = true;
    order.push_back(id);
    Slot& slot = *clusters_[id];
    slot.config = cluster;
    if (LooksUp(*cluster)) {
      // What there is serves until the first answer.
      if (slot.runtime == nullptr) slot.endpoints = nullptr;
    } else {
      slot.endpoints = cluster->endpoints;
    }
    if (cluster->type == model::DiscoveryType::kEds) {
      const auto found = endpoints.find(cluster->eds_service_name.empty()
                                            ? cluster->name
                                            : cluster->eds_service_name);
      slot.endpoints = found == endpoints.end() ? nullptr : found->second;
    }
  }
  for (ClusterId id = 0; id < present.size(); ++id) {
    Slot& slot = *clusters_[id];
    if (present[id] || slot.config == nullptr) continue;
    slot.config = nullptr;
    slot.endpoints = nullptr;
    slot.dns = nullptr;
    if (slot.runtime == nullptr) continue;
    SetChunk(id, nullptr);
    draining_.erase(slot.runtime.get());
    old_clusters_.push_back({0, std::move(slot.runtime)});
  }
  UpdateLocalCluster();
  std::vector<std::string> errors;
  for (const ClusterId id : order) {
    const absl::Status status = UpdateCluster(id);
    if (!status.ok() && errors.size() < kMostErrors) {
      errors.push_back(absl::StrCat("cluster \"", clusters_[id]->name,
                                    "\": ", status.message()));
    }
  }
  Snapshot::Names names;
  names.reserve(order.size());
  for (const ClusterId id : order) names.emplace(clusters_[id]->name, id);
  names_ = std::make_shared<const Snapshot::Names>(std::move(names));

  for (auto& [routes, binding] : route_bindings_) {
    old_bindings_.push_back({0, std::move(binding)});
  }
  route_bindings_.clear();
  for (const auto& target : targets_) {
    if (target->used) BindTarget(*target);
  }
  Publish();
  if (errors.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrJoin(errors, "\n"));
}

void Engine::UpdateLocalCluster() {
  if (config_->local_cluster_name.empty()) {
    local_cluster_ = nullptr;
    return;
  }
  const auto found = ids_.find(config_->local_cluster_name);
  if (found == ids_.end() || clusters_[found->second]->config == nullptr) {
    local_cluster_ = nullptr;
    return;
  }
  Slot& slot = *clusters_[found->second];
  slot.active = true;
  const absl::Status status = UpdateCluster(found->second);
  if (!status.ok() || slot.runtime == nullptr) return;
  local_cluster_ = std::make_shared<const lb::LocalCluster>(
      slot.runtime->hosts().ZoneCounts());
}

bool Engine::LooksUp(const model::Cluster& cluster) const {
  return HasDnsNames(cluster) && options_.make_resolver;
}

void Engine::UpdateDns(ClusterId id) {
  Slot& slot = *clusters_[id];
  if (!LooksUp(*slot.config) || shut_down()) {
    slot.dns = nullptr;
    return;
  }
  if (slot.dns == nullptr) {
    DnsCluster::Events events;
    events.changed = [this, id] { OnDnsChange(id); };
    events.failed = [this, id](const absl::Status& why) {
      LogStatus(id, LogLevel::kWarning, why);
    };
    slot.dns = std::make_unique<DnsCluster>(
        options_.loop, base::XxHash64(slot.name, options_.seed),
        std::move(events));
  }
  const auto& dns = slot.config->dns;
  slot.dns->Update(slot.config,
                   ResolverFor(dns.has_value() && dns->resolver.has_value()
                                   ? *dns->resolver
                                   : config_->dns_resolver));
  if (slot.dns->endpoints() != nullptr) slot.endpoints = slot.dns->endpoints();
}

std::shared_ptr<event::Resolver> Engine::ResolverFor(
    const base::DnsResolverOptions& options) {
  for (auto& [known, resolver] : resolvers_) {
    if (!(known == options)) continue;
    if (auto there = resolver.lock()) return there;
  }
  resolvers_.erase(
      std::remove_if(resolvers_.begin(), resolvers_.end(),
                     [](const auto& r) { return r.second.expired(); }),
      resolvers_.end());
  std::shared_ptr<event::Resolver> made = options_.make_resolver(options);
  resolvers_.emplace_back(options, made);
  return made;
}

// Answers come in bursts: what came together is published together.
void Engine::OnDnsChange(ClusterId id) {
  if (dns_changes_.empty()) {
    options_.loop->Post([this] { ApplyDnsChanges(); });
  }
  dns_changes_.insert(id);
}

void Engine::ApplyDnsChanges() {
  const auto changes = std::exchange(dns_changes_, {});
  const auto update = [this](ClusterId id) {
    const absl::Status status = UpdateCluster(id);
    if (!status.ok()) LogStatus(id, LogLevel::kError, status);
  };
  bool local = false;
  for (const ClusterId id : changes) {
    update(id);
    local |= clusters_[id]->name == config_->local_cluster_name;
  }
  if (local) {
    UpdateLocalCluster();
    for (ClusterId id = 0; id < clusters_.size(); ++id) update(id);
  }
  Publish();
}

void Engine::StopDns() {
  for (const auto& slot : clusters_) slot->dns = nullptr;
}

std::shared_ptr<const ClusterVersion> Engine::Find(std::string_view cluster) {
  const auto found = ids_.find(std::string(cluster));
  if (found == ids_.end() || clusters_[found->second]->config == nullptr) {
    return nullptr;
  }
  if (!clusters_[found->second]->active) {
    Activate(found->second);
    Publish();
  }
  const Slot& slot = *clusters_[found->second];
  return slot.runtime == nullptr ? nullptr : slot.runtime->version();
}

const RuntimeCluster* Engine::Runtime(ClusterId id) const {
  return id < clusters_.size() ? clusters_[id]->runtime.get() : nullptr;
}

const RuntimeCluster* Engine::Runtime(std::string_view cluster) const {
  const auto found = ids_.find(base::ToAbsl(cluster));
  return found == ids_.end() ? nullptr : Runtime(found->second);
}

void Engine::ScheduleInterval(ClusterId id) {
  Slot& slot = *clusters_[id];
  if (slot.runtime == nullptr) return;
  const absl::Time next = slot.runtime->NextInterval();
  if (next >= slot.interval_at) return;
  slot.interval_at = next;
  options_.loop->RunAt(next, [this, id, next] {
    Slot& due = *clusters_[id];
    if (due.interval_at != next) return;  // an earlier one took over
    due.interval_at = absl::InfiniteFuture();
    if (due.runtime == nullptr) return;
    if (due.runtime->OnInterval(options_.loop->Now())) {
      SetChunk(id, due.runtime->version());
      Publish();
    }
    ScheduleInterval(id);
  });
}

void Engine::OnAttention() {
  const absl::Time now = options_.loop->Now();
  bool changed = false;
  attention_.TakeAll([&](RuntimeCluster& cluster) {
    if (!cluster.OnAttention(now)) return;
    if (clusters_[cluster.id()]->runtime.get() != &cluster) return;  // removed
    SetChunk(cluster.id(), cluster.version());
    changed = true;
  });
  if (changed) Publish();
}

void Engine::Publish() {
  auto next = std::make_unique<Snapshot>();
  next->chunks.assign(chunks_.begin(), chunks_.end());
  next->names = names_;
  next->targets.reserve(targets_.size());
  for (const auto& target : targets_) {
    next->targets.push_back(target->binding);
    TargetBinding& binding = next->targets.back();
    if (binding.cluster != kNoCluster) {
      binding.version = next->cluster(binding.cluster);
    }
  }
  changed_chunks_.clear();
  // Release pairs with the acquire in snapshot().
  snapshot_.store(next.get(), std::memory_order_release);
  const uint64_t epoch = slots_.Advance();
  if (current_ != nullptr) {
    old_snapshots_.push_back({epoch, std::move(current_)});
  }
  current_ = std::move(next);
  for (auto& binding : old_bindings_) {
    if (binding.epoch == 0) binding.epoch = epoch;
  }
  for (auto& cluster : old_clusters_) {
    if (cluster.epoch == 0) {
      cluster.epoch = epoch;
      cluster.what->Retire(epoch);
    }
  }
  for (RuntimeCluster* cluster : draining_) cluster->Retire(epoch);
  {
    base::MutexLock lock(publish_mutex_);
    ++publications_;
  }
  published_.NotifyAll();
  Reclaim();
}

void Engine::Reclaim() {
  const uint64_t oldest = slots_.OldestReader();
  const auto drop = [&](auto& list, auto&& unused) {
    list.erase(std::remove_if(list.begin(), list.end(),
                              [&](auto& retired) {
                                return retired.epoch != 0 &&
                                       oldest >= retired.epoch &&
                                       unused(*retired.what);
                              }),
               list.end());
  };
  // In this order: snapshots hold versions, versions refer to clusters.
  drop(old_snapshots_, [](const Snapshot&) { return true; });
  drop(old_bindings_, [](const RouteBinding& b) { return b.unused(); });
  for (auto it = draining_.begin(); it != draining_.end();) {
    const bool done = (*it)->Reclaim(oldest);
    const auto current = it++;
    if (done) draining_.erase(current);
  }
  drop(old_clusters_,
       [](const RuntimeCluster& cluster) { return cluster.unused(); });
  ScheduleReclaim();
}

void Engine::ScheduleReclaim() {
  if (reclaim_scheduled_ || (old_snapshots_.empty() && old_bindings_.empty() &&
                             old_clusters_.empty() && draining_.empty())) {
    return;
  }
  reclaim_scheduled_ = true;
  options_.loop->RunAt(options_.loop->Now() + kReclaimInterval, [this] {
    reclaim_scheduled_ = false;
    Reclaim();
  });
}

uint64_t Engine::WaitForPublish(uint64_t seen, absl::Duration timeout) {
  base::MutexLock lock(publish_mutex_);
  if (publications_ == seen) published_.WaitFor(publish_mutex_, timeout);
  return publications_;
}

void Engine::Shutdown() {
  shut_down_.store(true, std::memory_order_release);
  published_.NotifyAll();
}

}  // namespace meshlib::cluster
