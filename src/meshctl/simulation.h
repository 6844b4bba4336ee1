#ifndef MESHLIB_MESHCTL_SIMULATION_H_
#define MESHLIB_MESHCTL_SIMULATION_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/time/time.h"
#include "meshctl/host_match.h"
#include "meshctl/open_mesh.h"
#include "meshlib/outcome.h"
#include "meshlib/pick.h"
#include "meshlib/request.h"
#include "meshlib/target.h"
#include "model/host.h"
#include "model/locality.h"

namespace meshlib::meshctl {

// Requests through the library's own client API on virtual time. One request
// begins every virtual millisecond; hosts answer at once, or refuse the
// connection; a retry waits its back-off, and one that is due goes before a
// request that begins at the same time. The mesh's control work (ejections)
// runs when it is due, and after every attempt that failed.
//
// Not thread-safe.
class Simulation {
 public:
  struct Plan {
    Request request;  // what it views must outlive the simulation
    uint64_t requests = 0;
    std::vector<HostMatch> refuse;
    bool keep_picks = false;
  };

  // One host of one locality, with the attempts that went to it.
  struct HostCount {
    std::string address;
    model::Locality locality;
    uint32_t priority = 0;
    uint64_t requests = 0;
    bool refuses = false;
  };
  struct Reason {
    std::string text;
    uint64_t requests = 0;
  };

  // All borrowed.
  Simulation(const OpenMesh* open, const Target* target, Plan plan);

  void Run();

  // The results. Hosts of all clusters that could be reached or were, in the
  // order of the configuration.
  const std::vector<HostCount>& hosts() const { return hosts_; }
  // Those of the same clusters, also without hosts: how many priority levels
  // there are at most, and each locality once, in the order of the hosts.
  uint32_t priorities() const { return priorities_; }
  const std::vector<model::Locality>& localities() const { return localities_; }
  // Indices into hosts(), one for each attempt, in order.
  const std::vector<uint32_t>& picks() const { return picks_; }
  uint64_t failures() const { return failures_; }
  uint64_t retries() const { return retries_; }
  // How often fault filters delayed a request.
  uint64_t delays() const { return delays_; }
  // Why requests failed, the most frequent first.
  std::vector<Reason> FailureReasons() const;

 private:
  struct Waiting {
    absl::Time due;
    uint64_t number;  // of the request; decides between equal times
    PickToken token;

    // For a heap whose front is the earliest.
    friend bool operator<(const Waiting& a, const Waiting& b) {
      return a.due != b.due ? a.due > b.due : a.number > b.number;
    }
  };

  void AddCluster(std::string_view name);
  void AddLocality(const model::Locality& locality);
  void AddHost(const model::Host& host);
  uint32_t HostIndex(const PickResult& pick);
  void MoveTo(absl::Time now);
  void RunWaiting();
  void HandlePick(uint64_t number, PickResult& pick);
  void PickLater(uint64_t number, absl::Duration after, PickToken token);

  const OpenMesh* const open_;
  const Target* const target_;
  const Plan plan_;

  absl::Time now_;
  absl::Time control_due_ = absl::InfinitePast();
  std::vector<Waiting> waiting_;  // a heap

  std::vector<HostCount> hosts_;
  uint32_t priorities_ = 0;
  std::vector<model::Locality> localities_;
  absl::flat_hash_set<model::Locality> known_localities_;
  // By where the host keeps its address: that tells apart hosts that share
  // one, and costs no string comparison.
  absl::flat_hash_map<const char*, uint32_t> index_;
  std::vector<uint32_t> picks_;
  uint64_t failures_ = 0;
  uint64_t retries_ = 0;
  uint64_t delays_ = 0;
  std::array<uint64_t, 16> by_pick_failure_ = {};
  std::array<uint64_t, 16> by_decision_ = {};
};

}  // namespace meshlib::meshctl

#endif  // MESHLIB_MESHCTL_SIMULATION_H_
