#ifndef MESHLIB_MODEL_HOST_H_
#define MESHLIB_MODEL_HOST_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "model/endpoints.h"
#include "model/locality.h"

namespace meshlib::model {

// What changes about a host while requests use it. It lives on when an
// update replaces the Host object (new metadata, say), so that counts and
// outlier state are kept. All fields are atomics: request threads and the
// control thread meet here and nowhere else.
struct alignas(64) HostState {
  // Requests in flight. Kept only for clusters whose policy reads it
  // (HostList::needs_active): it is the one line that picks would share.
  std::atomic<uint32_t> active{0};

  // load_balancing_weight, as last configured. Written by the control thread.
  std::atomic<uint32_t> weight{1};

  // Since when the host takes traffic, in ns of the mesh's clock: slow start
  // counts from here. Written by the control thread.
  std::atomic<int64_t> available_since_ns{0};

  // Until when a pick passes over the host because its last connect failed,
  // in ns; 0: not in backoff. Written by whoever saw the connect.
  std::atomic<int64_t> connect_backoff_until_ns{0};
  std::atomic<uint32_t> connect_failures{0};  // in a row

  // Outlier detection's runs of failures. Written only on a failure, or to
  // reset a run: a host without failures is only read.
  std::atomic<uint32_t> consecutive_5xx{0};
  std::atomic<uint32_t> consecutive_gateway_failure{0};
  std::atomic<uint32_t> consecutive_local_origin_failure{0};

  std::atomic<uint32_t> connections{0};  // for per-host max_connections
};

// One endpoint of one cluster at run time: an identity that never changes.
// Owned by its cluster; a host that left the configuration is destroyed only
// when no request that picked it is left. Thread-safe.
class Host {
 public:
  struct Identity {
    std::string address;
    std::string hostname;
    std::shared_ptr<const Locality> locality;  // never null
    std::shared_ptr<const Metadata> metadata;  // may be null
    uint32_t priority = 0;
  };

  // `index` is the host's place in its cluster's counters, stable while the
  // object lives.
  Host(uint32_t index, Identity identity, std::shared_ptr<HostState> state)
      : index_(index),
        state_(state.get()),
        identity_(std::move(identity)),
        state_owner_(std::move(state)) {}
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  uint32_t index() const { return index_; }
  HostState& state() const { return *state_; }
  uint32_t weight() const {
    return state_->weight.load(std::memory_order_relaxed);
  }
  uint32_t active() const {
    return state_->active.load(std::memory_order_relaxed);
  }
  const std::string& address() const { return identity_.address; }
  const std::string& hostname() const { return identity_.hostname; }
  const Locality& locality() const { return *identity_.locality; }
  const Metadata* metadata() const { return identity_.metadata.get(); }
  uint32_t priority() const { return identity_.priority; }
  const Identity& identity() const { return identity_; }
  const std::shared_ptr<HostState>& shared_state() const {
    return state_owner_;
  }

 private:
  const uint32_t index_;
  HostState* const state_;
  const Identity identity_;
  const std::shared_ptr<HostState> state_owner_;
};

// How a host counts for load balancing, after EDS health, active health
// checks and ejections have been put together (Envoy's coarse health).
enum class HostHealth : uint8_t { kHealthy, kDegraded, kUnhealthy, kExcluded };

}  // namespace meshlib::model

#endif  // MESHLIB_MODEL_HOST_H_
