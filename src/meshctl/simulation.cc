#include "meshctl/simulation.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/strings.h"
#include "lb/balancer.h"
#include "lb/host_set.h"
#include "model/host.h"

namespace meshlib::meshctl {
namespace {

// What --picks may reserve at once; more grows as it comes.
constexpr uint64_t kMaxReserve = 1 << 22;

std::string_view WhyNotRetried(RetryDecision::Reason reason) {
  switch (reason) {
    case RetryDecision::Reason::kNotRetriable:
      return "the retry policy does not name it";
    case RetryDecision::Reason::kNoPolicy:
      return "no retry policy";
    case RetryDecision::Reason::kLimitExceeded:
      return "num_retries used up";
    case RetryDecision::Reason::kOverflow:
      return "circuit breaker or retry budget";
    case RetryDecision::Reason::kDeadline:
      return "the request's timeout would pass first";
    default:
      return "not retried";
  }
}

}  // namespace

Simulation::Simulation(const OpenMesh* open, const Target* target, Plan plan)
    : open_(open),
      target_(target),
      plan_(std::move(plan)),
      now_(open->clock->Now()) {
  for (const std::string& cluster :
       ReachableClusters(*open, *target, plan_.request)) {
    AddCluster(cluster);
  }
  if (plan_.keep_picks) picks_.reserve(std::min(plan_.requests, kMaxReserve));
}

void Simulation::AddCluster(std::string_view name) {
  const auto balancer = BalancerOf(*open_, name);
  if (balancer == nullptr) return;
  const auto& priorities = balancer->input().priorities;
  priorities_ = std::max(priorities_, static_cast<uint32_t>(priorities.size()));
  for (const lb::PriorityHosts& priority : priorities) {
    for (const lb::LocalityHosts& group : priority.localities) {
      AddLocality(group.locality == nullptr ? model::Locality()
                                            : *group.locality);
      if (group.hosts == nullptr) continue;
      for (const lb::HostEntry& entry : *group.hosts) AddHost(*entry.host);
    }
  }
}

void Simulation::AddLocality(const model::Locality& locality) {
  if (known_localities_.insert(locality).second) {
    localities_.push_back(locality);
  }
}

void Simulation::AddHost(const model::Host& host) {
  const auto index = static_cast<uint32_t>(hosts_.size());
  if (!index_.try_emplace(host.address().data(), index).second) return;
  HostCount count;
  count.address = host.address();
  count.locality = host.locality();
  count.priority = host.priority();
  count.refuses = MatchesAny(plan_.refuse, count.address, count.locality);
  hosts_.push_back(std::move(count));
}

uint32_t Simulation::HostIndex(const PickResult& pick) {
  const char* const key = pick.address.data();
  const auto known = index_.find(key);
  if (known != index_.end()) return known->second;
  AddCluster(pick.cluster);
  const auto added =
      index_.try_emplace(key, static_cast<uint32_t>(hosts_.size()));
  if (added.second) {
    HostCount count;
    count.address = std::string(pick.address);
    count.refuses = MatchesAny(plan_.refuse, count.address, count.locality);
    hosts_.push_back(std::move(count));
  }
  return added.first->second;
}

void Simulation::MoveTo(absl::Time now) {
  now_ = now;
  open_->clock->SetTime(now);
  if (now >= control_due_) control_due_ = open_->mesh->RunPending();
}

void Simulation::Run() {
  const absl::Time start = now_;
  for (uint64_t i = 0; i < plan_.requests; ++i) {
    const absl::Time begin =
        start + absl::Milliseconds(static_cast<int64_t>(i));
    while (!waiting_.empty() && waiting_.front().due <= begin) RunWaiting();
    MoveTo(begin);
    PickResult pick = target_->Pick(plan_.request);
    HandlePick(i, pick);
  }
  while (!waiting_.empty()) RunWaiting();
}

void Simulation::RunWaiting() {
  std::pop_heap(waiting_.begin(), waiting_.end());
  Waiting next = std::move(waiting_.back());
  waiting_.pop_back();
  MoveTo(std::max(now_, next.due));
  PickResult pick = target_->Pick(plan_.request, std::move(next.token));
  HandlePick(next.number, pick);
}

void Simulation::HandlePick(uint64_t number, PickResult& pick) {
  if (pick.failure == PickFailure::kDelayed) {
    ++delays_;
    PickLater(number, pick.fault.delay, std::move(pick.token));
    return;
  }
  if (!pick.ok()) {
    ++failures_;
    ++by_pick_failure_[static_cast<size_t>(pick.failure)];
    return;
  }
  const uint32_t index = HostIndex(pick);
  HostCount& host = hosts_[index];
  ++host.requests;
  if (plan_.keep_picks) picks_.push_back(index);
  if (pick.attempt > 1) ++retries_;

  if (!host.refuses) {
    target_->Report(pick.token, Outcome::Ok());
    return;
  }
  const RetryDecision decision = target_->Report(
      pick.token, Outcome::Failure(Outcome::Kind::kConnectFailure));
  control_due_ = open_->mesh->RunPending();
  if (decision.retry) {
    PickLater(number, decision.after, std::move(pick.token));
    return;
  }
  ++failures_;
  ++by_decision_[static_cast<size_t>(decision.reason)];
}

void Simulation::PickLater(uint64_t number, absl::Duration after,
                           PickToken token) {
  waiting_.push_back(Waiting{now_ + after, number, std::move(token)});
  std::push_heap(waiting_.begin(), waiting_.end());
}

std::vector<Simulation::Reason> Simulation::FailureReasons() const {
  std::vector<Reason> reasons;
  for (size_t i = 0; i < by_pick_failure_.size(); ++i) {
    if (by_pick_failure_[i] == 0) continue;
    reasons.push_back(
        {std::string(PickFailureName(static_cast<PickFailure>(i))),
         by_pick_failure_[i]});
  }
  for (size_t i = 0; i < by_decision_.size(); ++i) {
    if (by_decision_[i] == 0) continue;
    const std::string_view why =
        WhyNotRetried(static_cast<RetryDecision::Reason>(i));
    reasons.push_back(
        {absl::StrCat("connection refused; not retried: ", base::ToAbsl(why)),
         by_decision_[i]});
  }
  std::stable_sort(
      reasons.begin(), reasons.end(),
      [](const Reason& a, const Reason& b) { return a.requests > b.requests; });
  return reasons;
}

}  // namespace meshlib::meshctl
