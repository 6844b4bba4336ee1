#ifndef MESHLIB_TEST_LB_FAKE_CLUSTER_H_
#define MESHLIB_TEST_LB_FAKE_CLUSTER_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "lb/balancer.h"
#include "lb/host_set.h"
#include "model/cluster.h"
#include "model/host.h"
#include "model/host_counters.h"
#include "model/locality.h"

namespace meshlib::lb {

// The hosts of a cluster for tests, and the inputs made of them.
class FakeCluster {
 public:
  FakeCluster() { config.healthy_panic_threshold = 50; }

  model::Host* NewHost(
      const std::string& address, const model::Locality& locality = {},
      uint32_t priority = 0, const std::string& hostname = "",
      std::shared_ptr<const model::Metadata> metadata = nullptr) {
    model::Host::Identity identity;
    identity.address = address;
    identity.hostname = hostname;
    identity.locality = std::make_shared<const model::Locality>(locality);
    identity.metadata = std::move(metadata);
    identity.priority = priority;
    hosts_.push_back(std::make_unique<model::Host>(
        static_cast<uint32_t>(hosts_.size()), std::move(identity),
        std::make_shared<model::HostState>()));
    return hosts_.back().get();
  }

  // Adds a locality with hosts "PRIORITY-REGION-0:80", ... of these weights;
  // of them the first `healthy` are healthy, then `degraded` degraded, the
  // rest unhealthy.
  LocalityHosts& AddLocality(size_t priority, const std::string& region,
                             const std::vector<uint32_t>& weights,
                             size_t healthy = SIZE_MAX, size_t degraded = 0) {
    if (input.priorities.size() <= priority) {
      input.priorities.resize(priority + 1);
    }
    localities_.push_back(
        std::make_unique<model::Locality>(model::Locality{region, "", ""}));
    HostEntries entries;
    for (size_t i = 0; i < weights.size(); ++i) {
      model::Host* host =
          NewHost(std::to_string(priority) + "-" + region + "-" +
                      std::to_string(i) + ":80",
                  *localities_.back(), static_cast<uint32_t>(priority));
      host->state().weight = weights[i];
      model::HostHealth health = model::HostHealth::kUnhealthy;
      if (i < healthy) {
        health = model::HostHealth::kHealthy;
      } else if (i - healthy < degraded) {
        health = model::HostHealth::kDegraded;
      }
      entries.push_back({host, weights[i], health});
    }
    LocalityHosts group;
    group.locality = localities_.back().get();
    group.hosts = std::make_shared<const HostEntries>(std::move(entries));
    auto& localities = input.priorities[priority].localities;
    localities.push_back(std::move(group));
    return localities.back();
  }

  std::vector<uint32_t> Equal(size_t count) const {
    return std::vector<uint32_t>(count, 1);
  }

  void SetLocalityWeight(size_t priority, size_t index, uint32_t weight) {
    LocalityHosts& group = input.priorities[priority].localities[index];
    group.weight = weight;
    group.weight_set = true;
  }

  void SetHealth(size_t priority, size_t locality, size_t index,
                 model::HostHealth health) {
    LocalityHosts& group = input.priorities[priority].localities[locality];
    HostEntries changed = *group.hosts;
    changed[index].health = health;
    group.hosts = std::make_shared<const HostEntries>(std::move(changed));
  }

  // Requests in flight to a host.
  void SetActive(const model::Host& host, int64_t active) {
    At(host).store(active * model::HostCounters::kInFlight);
  }
  void AddActive(const model::Host& host, int64_t active) {
    At(host).fetch_add(active * model::HostCounters::kInFlight);
  }
  model::ActiveRequests active() const { return {&table_, &tables_}; }

  BalancerInput Input() const {
    BalancerInput result = input;
    result.active = active();
    result.config = std::make_shared<const model::LoadBalancing>(config);
    return result;
  }

  std::shared_ptr<const Balancer> Create(const Balancer* previous = nullptr) {
    auto balancer = Balancer::Create(Input(), previous, factories);
    return balancer.ok() ? *std::move(balancer) : nullptr;
  }

  model::Host& host(size_t index) { return *hosts_[index]; }
  size_t size() const { return hosts_.size(); }

  BalancerInput input;
  model::LoadBalancing config;
  std::vector<std::shared_ptr<LoadBalancerFactory>> factories;

 private:
  std::atomic<int64_t>& At(const model::Host& host) {
    counters_.Reserve(static_cast<uint32_t>(hosts_.size()));
    return counters_.At(host.index())->uses;
  }

  model::HostCounterTable counters_;
  std::atomic<const model::HostCounterTable*> table_{&counters_};
  std::atomic<uint32_t> tables_{1};
  std::vector<std::unique_ptr<model::Host>> hosts_;
  std::vector<std::unique_ptr<model::Locality>> localities_;
};

using Counts = std::map<std::string, int>;

// How often each host is picked; "" counts picks without a host.
inline Counts PickMany(const Balancer& balancer, int picks, uint64_t seed = 1,
                       PickContext context = {}) {
  const auto slot = balancer.NewSlotState(seed);
  Counts counts;
  for (int i = 0; i < picks; ++i) {
    const HostChoice choice = balancer.Pick(*slot, context);
    ++counts[choice.host == nullptr ? "" : choice.host->address()];
  }
  return counts;
}

}  // namespace meshlib::lb

#endif  // MESHLIB_TEST_LB_FAKE_CLUSTER_H_
