#include "cluster/runtime_cluster.h"

#include <algorithm>
#include <utility>

#include "base/hash.h"
#include "lb/nearest_first.h"
#include "lb/random_subset.h"

namespace meshlib::cluster {
RuntimeCluster::RuntimeCluster(ClusterId id, std::string name,
                               ClusterContext* context)
    : id_(id),
      name_(std::move(name)),
      context_(context),
      blocks_(context->slots->stripes()),
      breakers_(context->slots->stripes()),
      hosts_(&blocks_) {}

RuntimeCluster::~RuntimeCluster() = default;

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
  input.priorities = hosts_.Priorities();
  if (config_->lb.random_subset_size > 0) KeepSubset(input.priorities);
  auto balancer = lb::Balancer::Create(
      input, version_ == nullptr ? nullptr : &version_->balancer(),
      context_->load_balancers);
  if (!balancer.ok()) return balancer.status();
  if (context_->attach != nullptr && attached_config_ != config_) {
    attachment_ =
        context_->attach(config_, breakers_.shared_resources(), attachment_);
    attached_config_ = config_;
  }
  auto version = std::make_shared<const ClusterVersion>(
      this, config_, endpoints_, std::move(input), *std::move(balancer),
      context_->slots->stripes(), base::XxHash64(name_, context_->seed),
      attachment_);
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
  if (new_endpoints) UpdateHosts(now);
  ConfigureOutlier(now);
  absl::Status status = Rebuild();
  if (!status.ok()) config_ = std::move(old_config);
  ScheduleWeights(now);
  return status;
}

void RuntimeCluster::UpdateHosts(absl::Time now) {
  std::vector<uint32_t> priorities;
  if (endpoints_ != nullptr && context_->nearest_first &&
      context_->own_locality != nullptr) {
    priorities =
        lb::NearestFirstPriorities(*endpoints_, *context_->own_locality);
  }
  hosts_.Update(endpoints_, priorities, absl::ToUnixNanos(now),
                outlier_.has_value() ? &*outlier_ : nullptr);
  last_totals_.resize(hosts_.indices());
}

void RuntimeCluster::KeepSubset(
    std::vector<lb::PriorityHosts>& priorities) const {
  lb::RandomSubsetOptions options;
  options.size = config_->lb.random_subset_size;
  options.by_locality = config_->lb.random_subset_by_locality;
  options.seed = base::XxHash64("random_subsetting",
                                base::XxHash64(name_, context_->seed));
  // By EDS alone: ejections do not change the subset.
  const auto candidate = [this](const model::Host& host) {
    const model::HealthStatus eds = hosts_.EdsHealth(host);
    return eds == model::HealthStatus::kUnknown ||
           eds == model::HealthStatus::kHealthy ||
           eds == model::HealthStatus::kDegraded;
  };
  lb::KeepRandomSubset(
      options, candidate,
      version_ == nullptr ? nullptr : &version_->input().priorities,
      priorities);
}

void RuntimeCluster::ScheduleWeights(absl::Time now) {
  if (config_ == nullptr ||
      config_->lb.policy != model::LbPolicy::kClientSideWeightedRoundRobin) {
    next_weights_ = absl::InfiniteFuture();
    return;
  }
  // No later than before: updates that come all the time hold nothing up.
  next_weights_ =
      std::min(next_weights_,
               now + config_->lb.load_report_weights.weight_update_period);
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
    hosts_.AddAllTo(*outlier_);
  }
  MarkEjections(events);
}

bool RuntimeCluster::MarkEjections(
    const resilience::OutlierDetector::Events& events) {
  using Action = resilience::OutlierEvent::Action;
  bool changed = false;
  for (const resilience::OutlierEvent& event : events) {
    if (event.action != Action::kEjected &&
        event.action != Action::kUnejected) {
      continue;
    }
    hosts_.SetEjected(event.host, event.action == Action::kEjected);
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
    // Unless it has left meanwhile.
    if (!outlier_ || !hosts_.Owns(state)) return;
    outlier_->OnThreshold(state.host_index, reached, now, events);
  });
  return Apply(events);
}

bool RuntimeCluster::OnInterval(absl::Time now) {
  if (now >= next_weights_) {
    // Not a new version: the weights of the present one change.
    if (version_ != nullptr) {
      version_->balancer().UpdateWeights(absl::ToUnixNanos(now));
    }
    next_weights_ = absl::InfiniteFuture();
    ScheduleWeights(now);
  }
  return OnOutlierInterval(now);
}

std::vector<RuntimeCluster::Totals> RuntimeCluster::HostTotals() const {
  std::vector<Totals> totals(hosts_.indices());
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
  return totals;
}

ClusterTotals RuntimeCluster::CountAll() const {
  ClusterTotals out;
  blocks_.ForEach([&](const StripeBlock& block) {
    const auto read = [](const std::atomic<uint64_t>& counter) {
      return counter.load(std::memory_order_relaxed);
    };
    out.attempts += read(block.rq_total);
    out.succeeded += read(block.rq_success);
    out.failed += read(block.rq_error);
    out.cancelled += read(block.rq_cancelled);
    out.retries += read(block.rq_retry);
    out.retries_refused += read(block.rq_retry_overflow);
    out.refused += read(block.rq_overflow);
    out.without_host += read(block.rq_no_host);
  });
  if (outlier_) {
    for (const uint64_t ejections : outlier_->stats().enforced) {
      out.ejections += ejections;
    }
  }
  if (version_ == nullptr) return out;
  const std::vector<Totals> totals = HostTotals();
  const model::ActiveRequests active = blocks_.active();
  for (const lb::PriorityHosts& priority : version_->input().priorities) {
    for (const lb::LocalityHosts& locality : priority.localities) {
      if (locality.hosts == nullptr) continue;
      for (const lb::HostEntry& entry : *locality.hosts) {
        const Totals& total = totals[entry.host->index()];
        out.hosts.push_back({std::string(entry.host->address_view()),
                             total.total, total.failed, active.Of(*entry.host),
                             hosts_.Ejected(*entry.host)});
      }
    }
  }
  return out;
}

bool RuntimeCluster::OnOutlierInterval(absl::Time now) {
  if (!outlier_ || now < outlier_->next_interval()) return false;
  std::vector<Totals> totals = HostTotals();
  std::vector<resilience::HostSample> samples;
  for (uint32_t i = 0; i < totals.size(); ++i) {
    const Totals& now_at = totals[i];
    const Totals& before = last_totals_[i];
    // Unsigned: right also where a counter has wrapped.
    const uint32_t total = now_at.total - before.total;
    const uint32_t failed = now_at.failed - before.failed;
    const uint32_t local_total = now_at.local_total - before.local_total;
    const uint32_t local_failed = now_at.local_failed - before.local_failed;
    if (!hosts_.IsPresent(i) || (total == 0 && local_total == 0)) continue;
    samples.push_back({i, total - std::min(failed, total), total,
                       local_total - std::min(local_failed, local_total),
                       local_total});
  }
  last_totals_ = std::move(totals);
  resilience::OutlierDetector::Events events;
  outlier_->OnInterval(now, samples, events);
  return Apply(events);
}

bool RuntimeCluster::unused() const {
  // The order matters: who holds a token may still ask for attention.
  return blocks_.Tokens() == 0 &&
         !wants_attention_.load(std::memory_order_acquire);
}

}  // namespace meshlib::cluster
