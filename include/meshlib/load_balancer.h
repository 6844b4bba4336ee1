#ifndef MESHLIB_LOAD_BALANCER_H_
#define MESHLIB_LOAD_BALANCER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "meshlib/export.h"

namespace meshlib {

// How an application adds load-balancing policies of its own.
//
// Three parts: a LoadBalancerFactory, given to the mesh in
// MeshOptions::load_balancers, is found by the name that a cluster's
// load_balancing_policy gives. For each set of hosts that may be chosen from
// (the healthy hosts of a priority, say, or of one of its localities) it makes
// one immutable LoadBalancer. Priorities, panic, locality weights and
// zone-aware routing are done before it is asked: it only chooses one host of
// a set.

// The hosts of one set, in a fixed order. Owned by the mesh; lives at least as
// long as the LoadBalancer that was made for it. Immutable but for active().
// Thread-safe.
class MESHLIB_EXPORT LoadBalancerHosts {
 public:
  virtual ~LoadBalancerHosts();

  virtual size_t size() const = 0;  // never 0
  // All of these: index < size().
  virtual std::string_view address(size_t index) const = 0;  // "10.0.0.1:80"
  virtual std::string_view hostname(size_t index) const = 0;
  virtual uint32_t weight(size_t index) const = 0;  // load_balancing_weight
  virtual std::string_view region(size_t index) const = 0;
  virtual std::string_view zone(size_t index) const = 0;
  virtual std::string_view sub_zone(size_t index) const = 0;
  // The string at filter_metadata[filter][key], if there is one.
  virtual std::optional<std::string_view> MetadataString(
      size_t index, std::string_view filter, std::string_view key) const = 0;
  // All metadata, {"envoy.lb": {"version": "v1"}}. Allocates.
  virtual std::string MetadataJson(size_t index) const = 0;
  // Requests in flight to the host now, of this mesh's threads.
  virtual uint32_t active(size_t index) const = 0;
};

// What a pick may look at. A value.
struct LoadBalancerContext {
  std::optional<uint64_t> hash;  // the request's, by the route's hash policies
  uint64_t random = 0;           // fresh for every pick
  int64_t now_ns = 0;            // the mesh's clock
  uint32_t attempt = 0;  // how often a host was refused for this request
};

// One policy over one set of hosts. Immutable; its const methods are called
// on any number of threads at once.
class MESHLIB_EXPORT LoadBalancer {
 public:
  // What changes from pick to pick: one per thread slot, used by one thread
  // at a time.
  class MESHLIB_EXPORT State {
   public:
    virtual ~State();
  };
  static constexpr size_t kNoHost = SIZE_MAX;

  virtual ~LoadBalancer();

  // Makes the state of a slot; may be null. Called off the request path,
  // also while other threads pick. Equal seeds must give equal picks.
  virtual std::unique_ptr<State> NewState(uint64_t seed) const;

  // The index of the host to use, or kNoHost. On the request path: must not
  // block, lock, allocate or throw. `state` is null if NewState gave null, and
  // for a thread that found no free slot.
  virtual size_t Pick(State* state,
                      const LoadBalancerContext& context) const = 0;
};

// Makes the policies of one name. Borrowed by no one: the mesh shares it.
// Called where the mesh does its control work, one call at a time: on its own
// thread, or on the one that is in Mesh::Create(), Reload() or Resolve(). Other
// control work waits meanwhile, so it must not call the mesh.
class MESHLIB_EXPORT LoadBalancerFactory {
 public:
  virtual ~LoadBalancerFactory();

  virtual std::string_view name() const = 0;

  // `config` is the policy's configuration as JSON, "{}" if there is none.
  // An error fails the cluster's update, and the last good one stays. The
  // LoadBalancer may keep a reference to `hosts`.
  virtual absl::StatusOr<std::shared_ptr<const LoadBalancer>> Create(
      const LoadBalancerHosts& hosts, std::string_view config) = 0;
};

}  // namespace meshlib

#endif  // MESHLIB_LOAD_BALANCER_H_
