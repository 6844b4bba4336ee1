#ifndef MESHLIB_ROUTING_CLUSTER_CHOICE_H_
#define MESHLIB_ROUTING_CLUSTER_CHOICE_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "meshlib/request.h"
#include "model/route.h"
#include "model/runtime.h"
#include "routing/hash_policy.h"

namespace meshlib::routing {

// The cluster that a route leads a request to. `name` views the route's
// configuration or, for cluster_header, the request; it is empty if the
// request lacks that header (Envoy then answers as for an unknown cluster).
struct ClusterChoice {
  std::string_view name;
  int weighted_index = -1;  // in weighted_clusters.clusters; -1: not weighted
};

// `cluster`, `cluster_header` or `weighted_clusters` of a RouteAction (or of a
// TCP proxy). Weighted: value % total weight, where the value is the number in
// random_value_header if the request has exactly one such header that is a
// number, else, with use_hash_policy, the request's hash if there is one, else
// `random`. Runtime keys "runtime_key_prefix.CLUSTER" override weights.
// Immutable and thread-safe; choosing does not allocate.
class ClusterChooser {
 public:
  using Config =
      std::variant<std::string, model::ClusterHeader, model::WeightedClusters>;

  // InvalidArgument if the weights sum to 0 or more than 2^32 - 1.
  static absl::StatusOr<ClusterChooser> Compile(const Config& config,
                                                const model::Runtime& runtime);

  ClusterChoice Choose(const Request& request, uint64_t random,
                       const HashPolicies& hash_policies) const {
    if (entries_.empty()) return {literal_, -1};
    return ChooseEntry(request, random, hash_policies);
  }

 private:
  struct Entry {
    std::string name;
    std::string header;  // in lower case; decides if not empty
    uint64_t weights_up_to_here = 0;
  };

  ClusterChoice ChooseEntry(const Request& request, uint64_t random,
                            const HashPolicies& hash_policies) const;
  absl::Status AddWeighted(const model::WeightedClusters& config,
                           const model::Runtime& runtime);
  uint64_t WeightedValue(const Request& request, uint64_t random,
                         const HashPolicies& hash_policies) const;

  std::string literal_;         // if there are no entries
  std::vector<Entry> entries_;  // one entry if not weighted
  bool weighted_ = false;
  uint64_t total_weight_ = 0;
  std::string random_value_header_;
  bool use_hash_policy_ = false;
};

}  // namespace meshlib::routing

#endif  // MESHLIB_ROUTING_CLUSTER_CHOICE_H_
