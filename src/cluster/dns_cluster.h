#ifndef MESHLIB_CLUSTER_DNS_CLUSTER_H_
#define MESHLIB_CLUSTER_DNS_CLUSTER_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/random.h"
#include "event/loop.h"
#include "event/resolver.h"
#include "model/cluster.h"
#include "model/endpoints.h"

namespace meshlib::cluster {

// Whether the cluster's endpoints are names to look up.
bool HasDnsNames(const model::Cluster& cluster);

// The endpoints of one cluster of type STRICT_DNS (each address of a name is a
// host) or LOGICAL_DNS (the name is one host, whose address may change), looked
// up again and again as Envoy does: after the refresh rate or TTL, after a
// failure with back-off, when what is known stays. An answer without addresses
// takes all from a STRICT_DNS name; for LOGICAL_DNS it is a failure.
// On the loop only.
class DnsCluster {
 public:
  // What is told on the loop, not from within Update(). Must not destroy the
  // object.
  struct Events {
    absl::AnyInvocable<void()> changed;  // endpoints()
    // The first of a row of lookups of a name that give no address.
    absl::AnyInvocable<void(const absl::Status& why)> failed;
  };

  // `loop` is borrowed.
  DnsCluster(event::Loop* loop, uint64_t seed, Events events);
  ~DnsCluster();
  DnsCluster(const DnsCluster&) = delete;
  DnsCluster& operator=(const DnsCluster&) = delete;

  // Takes a configuration, for which HasDnsNames(). What is known of names
  // that stay is kept, if they are looked up in the same way.
  void Update(std::shared_ptr<const model::Cluster> config,
              std::shared_ptr<event::Resolver> resolver);

  // Null until there is something to go by: a name has addresses, or every
  // name has failed. At once with wait_for_warm_on_init false.
  const std::shared_ptr<const model::Endpoints>& endpoints() const {
    return endpoints_;
  }

 private:
  struct Target;

  void Start(Target& target);
  void OnAnswer(Target& target, absl::StatusOr<event::Resolution> result);
  void TellOfFailure(Target& target,
                     const absl::StatusOr<event::Resolution>& result);
  bool Take(Target& target, event::Resolution& resolution) const;
  absl::Duration NextRefresh(absl::Duration ttl);
  absl::Duration NextRetry(Target& target) const;
  void Stop(Target& target);
  bool Ready() const;
  void Rebuild();
  void Expand(const model::Endpoint& endpoint,
              model::LocalityEndpoints& out) const;

  event::Loop* const loop_;
  mutable base::Random random_;
  Events events_;
  std::shared_ptr<event::Resolver> resolver_;
  std::shared_ptr<const model::Cluster> config_;
  model::DnsDiscovery dns_;
  std::map<std::string, std::unique_ptr<Target>> targets_;  // by "name:port"
  std::shared_ptr<const model::Endpoints> endpoints_;
};

}  // namespace meshlib::cluster

#endif  // MESHLIB_CLUSTER_DNS_CLUSTER_H_
