#ifndef MESHLIB_XDS_CONFIG_CHECKS_H_
#define MESHLIB_XDS_CONFIG_CHECKS_H_

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "model/config.h"
#include "xds/convert_deferred.h"
#include "xds/problem.h"

namespace meshlib::xds {

// What resources say about each other, checked when all of them are known.
// Not thread-safe.
class ConfigChecks {
 public:
  // A problem in waiting: where it would be.
  struct Place {
    std::string file;
    int line = 0;
    int column = 0;
    std::string path;
  };

  // Every cluster, also one that has errors: who names it is not to blame.
  // `remote`: its hosts come from a control plane.
  void AddCluster(const std::string& name, bool remote, Place place);
  bool HasCluster(const std::string& name) const {
    return clusters_.contains(name);
  }
  // A need that AddCluster may yet fulfil.
  void NeedCluster(const DeferredChecks::ClusterReference& reference,
                   Place place);
  // A static secret, for those who name it without an sds_config.
  void AddSecret(const std::string& name, bool certificate) {
    secrets_.insert({name, certificate});
  }
  // One that TLS could not load: an error if somebody names it.
  void AddBadSecret(const std::string& name, std::string message, Place place) {
    bad_secrets_.insert({name, {std::move(message), std::move(place)}});
  }
  void NeedSecret(const std::string& name, bool certificate, Place place) {
    secret_needs_.push_back({{name, certificate}, std::move(place)});
  }
  void AddLargeRegex(int program_size, Place place);
  // A listener that has the address for itself.
  void AddListener(const model::Listener& listener, Place place,
                   Problems& problems);
  // There is a bootstrap, which names its local cluster there.
  void AddBootstrap(Place local_cluster_place) {
    has_bootstrap_ = true;
    local_cluster_place_ = std::move(local_cluster_place);
  }

  // The end: reports what is wrong between the resources.
  void Finish(const model::Config& config, Problems& problems) const;

 private:
  struct Need {
    std::string cluster;
    bool required;
    bool local;
    Place place;
  };
  using SecretKey = std::pair<std::string, bool>;  // name, a certificate
  struct SecretNeed {
    SecretKey key;
    Place place;
  };
  struct LargeRegex {
    int program_size;
    Place place;
  };

  void CheckNeeds(Problems& problems) const;
  void CheckSecrets(Problems& problems) const;
  void CheckRegexes(const model::Config& config, Problems& problems) const;
  void CheckLocalCluster(const model::Config& config, Problems& problems) const;
  void CheckAggregates(const model::Config& config, Problems& problems) const;
  void NoteMissingResources(const model::Config& config,
                            Problems& problems) const;
  const Place& PlaceOf(const std::string& cluster) const;

  absl::flat_hash_map<std::string, Place> clusters_;
  absl::flat_hash_set<std::string> remote_clusters_;
  std::vector<Need> needs_;
  absl::flat_hash_set<SecretKey> secrets_;
  absl::flat_hash_map<std::string, std::pair<std::string, Place>> bad_secrets_;
  std::vector<SecretNeed> secret_needs_;
  std::vector<LargeRegex> regexes_;
  absl::flat_hash_map<std::string, std::string> listener_addresses_;
  bool has_bootstrap_ = false;
  Place local_cluster_place_;
  Place nowhere_;
};

}  // namespace meshlib::xds

#endif  // MESHLIB_XDS_CONFIG_CHECKS_H_
