#include "resilience/outlier_detection.h"

#include <algorithm>
#include <atomic>
#include <cmath>

namespace meshlib::resilience {
namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;

void ResetRuns(model::HostState& state) {
  state.consecutive_5xx.store(0, kRelaxed);
  state.consecutive_gateway_failure.store(0, kRelaxed);
  state.consecutive_local_origin_failure.store(0, kRelaxed);
}

size_t IndexOf(OutlierType type) { return static_cast<size_t>(type); }

}  // namespace

OutlierDetector::OutlierDetector(const model::OutlierDetection& config,
                                 uint64_t seed, absl::Time now)
    : config_(config), random_(seed), next_interval_(now + config.interval) {}

void OutlierDetector::AddHost(uint32_t index, model::HostState* state) {
  if (index >= hosts_.size()) hosts_.resize(size_t{index} + 1);
  if (hosts_[index].state != nullptr) RemoveHost(index);
  hosts_[index] = HostEntry();
  hosts_[index].state = state;
  ++host_count_;
}

void OutlierDetector::RemoveHost(uint32_t index) {
  HostEntry* host = Find(index);
  if (host == nullptr) return;
  if (host->ejected) --ejections_active_;
  *host = HostEntry();
  --host_count_;
}

void OutlierDetector::MoveHost(uint32_t from, uint32_t to) {
  if (from == to || Find(from) == nullptr) return;
  const HostEntry host = hosts_[from];
  RemoveHost(from);
  AddHost(to, host.state);
  hosts_[to] = host;
  if (host.ejected) ++ejections_active_;
}

OutlierDetector::HostEntry* OutlierDetector::Find(uint32_t index) {
  return index < hosts_.size() && hosts_[index].state != nullptr
             ? &hosts_[index]
             : nullptr;
}

uint32_t OutlierDetector::Enforcing(OutlierType type) const {
  switch (type) {
    case OutlierType::kConsecutive5xx:
      return config_.enforcing_consecutive_5xx;
    case OutlierType::kConsecutiveGatewayFailure:
      return config_.enforcing_consecutive_gateway_failure;
    case OutlierType::kSuccessRate:
      return config_.enforcing_success_rate;
    case OutlierType::kConsecutiveLocalOriginFailure:
      return config_.enforcing_consecutive_local_origin_failure;
    case OutlierType::kSuccessRateLocalOrigin:
      return config_.enforcing_local_origin_success_rate;
    case OutlierType::kFailurePercentage:
      return config_.enforcing_failure_percentage;
    case OutlierType::kFailurePercentageLocalOrigin:
      return config_.enforcing_failure_percentage_local_origin;
  }
  return 0;
}

// Over all priorities together, as in Envoy.
bool OutlierDetector::MayEject() const {
  if (config_.always_eject_one_host && ejections_active_ == 0) return true;
  const double percent = 100.0 * (ejections_active_ + 1) / host_count_;
  return percent <= std::min(config_.max_ejection_percent, 100u);
}

// min(base * backoff, max) + jitter.
absl::Duration OutlierDetector::EjectionTime(const HostEntry& host) const {
  return std::min(config_.base_ejection_time * host.backoff,
                  config_.max_ejection_time) +
         host.jitter;
}

// The event has host, type, time and rates; this completes it. Ejects the
// host if the configuration lets it.
void OutlierDetector::Detect(OutlierEvent event, Events& events) {
  HostEntry& host = hosts_[event.host];
  ++stats_.detected[IndexOf(event.type)];
  event.last_action = host.last_unejection;
  event.num_ejections = host.num_ejections;
  if (!MayEject()) {
    ++stats_.overflow;
    event.action = OutlierEvent::Action::kOverflow;
    events.push_back(event);
    return;
  }
  if (random_.Next() % 100 >= Enforcing(event.type)) {
    event.action = OutlierEvent::Action::kNotEnforced;
    events.push_back(event);
    return;
  }
  ++stats_.enforced[IndexOf(event.type)];
  ++ejections_active_;
  host.ejected = true;
  host.reason = event.type;
  host.last_ejection = event.time;
  ++host.num_ejections;
  const int64_t jitter_ms = std::max<int64_t>(
      absl::ToInt64Milliseconds(config_.max_ejection_time_jitter), 0);
  host.jitter = absl::Milliseconds(static_cast<int64_t>(
      random_.Next() % (static_cast<uint64_t>(jitter_ms) + 1)));
  if (config_.base_ejection_time * host.backoff <
      config_.max_ejection_time + config_.base_ejection_time) {
    ++host.backoff;
  }
  event.action = OutlierEvent::Action::kEjected;
  event.num_ejections = host.num_ejections;
  event.ejection_time = EjectionTime(host);
  events.push_back(event);
}

void OutlierDetector::Uneject(uint32_t index, absl::Time now, Events& events) {
  HostEntry& host = hosts_[index];
  host.ejected = false;
  --ejections_active_;
  // A run that stood close to another threshold must not eject the host again
  // on its first new error.
  ResetRuns(*host.state);
  host.last_unejection = now;
  OutlierEvent event;
  event.host = index;
  event.action = OutlierEvent::Action::kUnejected;
  event.type = host.reason;
  event.time = now;
  event.num_ejections = host.num_ejections;
  event.last_action = host.last_ejection;
  events.push_back(event);
}

void OutlierDetector::OnThreshold(uint32_t index, OutlierType type,
                                  absl::Time now, Events& events) {
  HostEntry* host = Find(index);
  if (host == nullptr || host->ejected) return;
  OutlierEvent event;
  event.host = index;
  event.type = type;
  event.time = now;
  Detect(event, events);
  // The run starts over, so that a host that could not be ejected now is
  // found again without a success in between.
  switch (type) {
    case OutlierType::kConsecutive5xx:
      host->state->consecutive_5xx.store(0, kRelaxed);
      break;
    case OutlierType::kConsecutiveGatewayFailure:
      host->state->consecutive_gateway_failure.store(0, kRelaxed);
      break;
    case OutlierType::kConsecutiveLocalOriginFailure:
      host->state->consecutive_local_origin_failure.store(0, kRelaxed);
      break;
    default:
      break;
  }
}

void OutlierDetector::OnThreshold(uint32_t index, const Thresholds& reached,
                                  absl::Time now, Events& events) {
  if (reached.gateway_failure) {
    OnThreshold(index, OutlierType::kConsecutiveGatewayFailure, now, events);
  }
  if (reached.consecutive_5xx) {
    OnThreshold(index, OutlierType::kConsecutive5xx, now, events);
  }
  if (reached.local_origin_failure) {
    OnThreshold(index, OutlierType::kConsecutiveLocalOriginFailure, now,
                events);
  }
}

void OutlierDetector::OnInterval(absl::Time now,
                                 absl::Span<const HostSample> samples,
                                 Events& events) {
  for (uint32_t i = 0; i < hosts_.size(); ++i) {
    if (hosts_[i].ejected &&
        EjectionTime(hosts_[i]) <= now - hosts_[i].last_ejection) {
      Uneject(i, now, events);
    }
  }
  EjectByRates(now, samples, false, events);
  if (config_.split_external_local_origin_errors) {
    EjectByRates(now, samples, true, events);
  }
  Forgive(now);
  next_interval_ = now + config_.interval;
}

// The success rate and failure percentage detectors, for external results or
// for those of local origin.
void OutlierDetector::EjectByRates(absl::Time now,
                                   absl::Span<const HostSample> samples,
                                   bool local, Events& events) {
  if (host_count_ < config_.success_rate_minimum_hosts &&
      host_count_ < config_.failure_percentage_minimum_hosts) {
    return;
  }
  std::vector<Rate> for_success_rate;
  std::vector<Rate> for_failure_percentage;
  for (const HostSample& sample : samples) {
    const HostEntry* host = Find(sample.host);
    const uint64_t total = local ? sample.local_total : sample.total;
    if (host == nullptr || host->ejected || total == 0) continue;
    const uint64_t success = local ? sample.local_success : sample.success;
    const Rate rate{sample.host, static_cast<double>(success) * 100.0 /
                                     static_cast<double>(total)};
    if (total >= config_.success_rate_request_volume) {
      for_success_rate.push_back(rate);
    }
    if (total >= config_.failure_percentage_request_volume) {
      for_failure_percentage.push_back(rate);
    }
  }
  EjectBySuccessRate(
      for_success_rate, now,
      local ? OutlierType::kSuccessRateLocalOrigin : OutlierType::kSuccessRate,
      events);
  EjectByFailurePercentage(for_failure_percentage, now,
                           local ? OutlierType::kFailurePercentageLocalOrigin
                                 : OutlierType::kFailurePercentage,
                           events);
}

// Ejects below mean - stdev * success_rate_stdev_factor / 1000, with the
// population's standard deviation.
void OutlierDetector::EjectBySuccessRate(const std::vector<Rate>& rates,
                                         absl::Time now, OutlierType type,
                                         Events& events) {
  if (rates.empty() || rates.size() < config_.success_rate_minimum_hosts) {
    return;
  }
  const double count = static_cast<double>(rates.size());
  double sum = 0;
  for (const Rate& rate : rates) sum += rate.success;
  const double mean = sum / count;
  double squares = 0;
  for (const Rate& rate : rates) {
    squares += (rate.success - mean) * (rate.success - mean);
  }
  const double stdev = std::sqrt(squares / count);
  const double threshold =
      mean - config_.success_rate_stdev_factor / 1000.0 * stdev;
  for (const Rate& rate : rates) {
    if (rate.success >= threshold) continue;
    OutlierEvent event;
    event.host = rate.host;
    event.type = type;
    event.time = now;
    event.success_rate = rate.success;
    event.average_success_rate = mean;
    event.success_rate_threshold = threshold;
    Detect(event, events);
  }
}

void OutlierDetector::EjectByFailurePercentage(const std::vector<Rate>& rates,
                                               absl::Time now, OutlierType type,
                                               Events& events) {
  if (rates.empty() ||
      rates.size() < config_.failure_percentage_minimum_hosts) {
    return;
  }
  for (const Rate& rate : rates) {
    if (100.0 - rate.success < config_.failure_percentage_threshold) continue;
    // The success rate may have ejected it just now; a host is not ejected
    // twice.
    if (hosts_[rate.host].ejected) continue;
    OutlierEvent event;
    event.host = rate.host;
    event.type = type;
    event.time = now;
    event.success_rate = rate.success;
    Detect(event, events);
  }
}

// Each interval in which a host stayed in takes one step off the time of its
// next ejection.
void OutlierDetector::Forgive(absl::Time now) {
  for (HostEntry& host : hosts_) {
    if (host.state == nullptr || host.ejected || host.backoff == 0) continue;
    if (host.last_unejection.has_value() &&
        now - *host.last_unejection >= config_.interval) {
      --host.backoff;
    }
  }
}

void OutlierDetector::OnHealthCheckSuccess(uint32_t index, absl::Time now,
                                           Events& events) {
  if (!config_.successful_active_health_check_uneject_host) return;
  const HostEntry* host = Find(index);
  if (host != nullptr && host->ejected) Uneject(index, now, events);
}

void OutlierDetector::UnejectAll(absl::Time now, Events& events) {
  for (uint32_t i = 0; i < hosts_.size(); ++i) {
    if (hosts_[i].ejected) Uneject(i, now, events);
  }
}

void OutlierDetector::SetConfig(const model::OutlierDetection& config,
                                absl::Time now, Events& events) {
  if (config == config_) return;
  UnejectAll(now, events);
  config_ = config;
  for (HostEntry& host : hosts_) {
    if (host.state == nullptr) continue;
    model::HostState* const state = host.state;
    ResetRuns(*state);
    host = HostEntry();
    host.state = state;
  }
  next_interval_ = now + config_.interval;
}

}  // namespace meshlib::resilience
