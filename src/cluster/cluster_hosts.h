#ifndef MESHLIB_CLUSTER_CLUSTER_HOSTS_H_
#define MESHLIB_CLUSTER_CLUSTER_HOSTS_H_

#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "cluster/stripe_block.h"
#include "lb/host_set.h"
#include "model/endpoints.h"
#include "model/host.h"
#include "model/locality.h"
#include "resilience/outlier_detection.h"

namespace meshlib::cluster {

// The hosts of one cluster: from lists of endpoints to Host objects that keep
// their state from list to list, and to what load balancing reads. A host's
// key is (locality, Host::key()). Control thread only.
//
// An update costs what changed: endpoints at their old place are recognised by
// their fingerprints, without a look at the hosts.
class ClusterHosts {
 public:
  // `blocks` is borrowed: its counters are made to cover all hosts, and say
  // when a host that left is free.
  explicit ClusterHosts(StripeBlocks* blocks);
  ~ClusterHosts();
  ClusterHosts(const ClusterHosts&) = delete;
  ClusterHosts& operator=(const ClusterHosts&) = delete;

  // Puts `endpoints` (null: none) in the place of the last ones. `priorities`,
  // unless empty, are those of its localities, in its order. `outlier`, if
  // not null, is told of hosts that come, move and go.
  void Update(std::shared_ptr<const model::Endpoints> endpoints,
              const std::vector<uint32_t>& priorities, int64_t now_ns,
              resilience::OutlierDetector* outlier);

  // Tells it of all hosts there are.
  void AddAllTo(resilience::OutlierDetector& outlier) const;

  // By Host::index().
  void SetEjected(uint32_t index, bool ejected);

  // The hosts by priority and locality. Lists without a change since the last
  // call are the same objects, so that what was computed from them is kept.
  std::vector<lb::PriorityHosts> Priorities();

  // Hosts by locality, for the zone-aware routing of other clusters.
  lb::LocalCluster ZoneCounts() const;

  bool Ejected(const model::Host& host) const;
  model::HealthStatus EdsHealth(const model::Host& host) const;
  bool IsPresent(uint32_t index) const {
    return index < by_index_.size() && by_index_[index] != nullptr;
  }
  // Whether the state is that of a host that is present.
  bool Owns(const model::HostState& state) const;
  // Indices are below this.
  uint32_t indices() const { return static_cast<uint32_t>(by_index_.size()); }

  // Marks what left since the last call with the epoch of its removal.
  void Retire(uint64_t epoch);
  // Destroys hosts that left and that no request uses. `oldest_reader` as
  // from ThreadSlots. True if none is left waiting.
  bool Reclaim(uint64_t oldest_reader);

 private:
  struct Record;
  struct Group;
  struct Key {
    const model::Locality* locality;
    std::string_view host;  // Host::key()
    friend bool operator==(const Key& a, const Key& b) {
      return a.locality == b.locality && a.host == b.host;
    }
    template <typename H>
    friend H AbslHashValue(H h, const Key& key) {
      return H::combine(std::move(h), key.locality, key.host);
    }
  };
  struct Draining {
    std::unique_ptr<model::Host> host;
    uint64_t epoch;  // 0: not retired yet
  };
  struct Scope {  // of one Update()
    int64_t now_ns;
    resilience::OutlierDetector* outlier;
    // Hosts that lost their place; those that find no other one leave.
    std::vector<Record*> displaced;
  };

  std::unique_ptr<Group> TakeGroup(std::unique_ptr<Group> before,
                                   const model::LocalityEndpoints& from,
                                   uint32_t priority, Scope& scope);
  static void Displace(Group& group, Scope& scope);
  void Fill(Group& group, Scope& scope);
  Record* Upsert(const model::Endpoint& endpoint, const Group& group,
                 Scope& scope);
  void Remove(Record* record, Scope& scope);
  std::unique_ptr<model::Host> NewHost(const model::Endpoint& endpoint,
                                       const Group& group,
                                       const model::Host* replaced,
                                       int64_t now_ns);
  static void Refresh(Group& group);
  std::shared_ptr<const model::Locality> Intern(const model::Locality& l);

  StripeBlocks* const blocks_;
  std::shared_ptr<const model::Endpoints> endpoints_;
  absl::flat_hash_map<Key, std::unique_ptr<Record>> records_;
  std::vector<Record*> by_index_;  // null where an index is free
  std::vector<uint32_t> free_indices_;
  std::vector<std::unique_ptr<Group>> groups_;  // as configured
  std::vector<std::shared_ptr<const model::Locality>> localities_;
  std::vector<Draining> draining_;
};

}  // namespace meshlib::cluster

#endif  // MESHLIB_CLUSTER_CLUSTER_HOSTS_H_
