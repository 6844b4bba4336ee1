#ifndef MESHLIB_MODEL_HOST_H_
#define MESHLIB_MODEL_HOST_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "model/endpoints.h"
#include "model/locality.h"

namespace meshlib::model {

// What a host last said about its load, for client-side weighted round robin
// (gRFC A58). Written by whoever reports a request, read by the control
// thread. Each field for itself is right; between them a report may be half
// seen, which moves a weight by no more than that report.
struct alignas(64) HostLoad {
  static constexpr int64_t kNever = INT64_MIN;

  std::atomic<double> weight{0};
  // Of the mesh's clock, in ns: the first report of the present series, and
  // the last one.
  std::atomic<int64_t> first_report_ns{kNever};
  std::atomic<int64_t> last_report_ns{kNever};
};

// The connections to a host, whoever keeps them.
class HostConnections {
 public:
  virtual ~HostConnections() = default;
};

// What only some hosts need, made when they do.
struct HostExtras {
  HostExtras() = default;
  HostExtras(const HostExtras&) = delete;
  HostExtras& operator=(const HostExtras&) = delete;
  ~HostExtras() { delete pool.load(std::memory_order_relaxed); }

  HostLoad load;
  std::atomic<bool> wants_load{false};
  // Null until somebody connects. Owned; stays once it is there: who makes it
  // stores it with release, readers acquire.
  std::atomic<HostConnections*> pool{nullptr};
};

// What changes about a host while requests use it. It lives on when an
// update replaces the Host object (new metadata, say), so that outlier state
// is kept. All fields that request threads touch are atomics: they and the
// control thread meet here and nowhere else.
struct alignas(64) HostState {
  HostState() = default;
  HostState(const HostState&) = delete;
  HostState& operator=(const HostState&) = delete;
  ~HostState() { delete extras.load(std::memory_order_relaxed); }

  // load_balancing_weight, as last configured. Written by the control thread.
  std::atomic<uint32_t> weight{1};

  // The index of the Host that has this state now. Control thread only.
  uint32_t host_index = 0;

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

  // Thresholds of outlier detection that were reached and not acted on yet
  // (bits of its own); while not 0 the state is on its cluster's list.
  std::atomic<uint32_t> reached{0};
  HostState* next_flagged = nullptr;  // the list's

  // Null until somebody needs them. Owned; stay once they are there.
  std::atomic<HostExtras*> extras{nullptr};

  // Null until a policy wants load reports. Any thread.
  HostLoad* load() const {
    // Acquire pairs with the release of who made them, and of EnsureLoad().
    HostExtras* const there = extras.load(std::memory_order_acquire);
    return there != nullptr && there->wants_load.load(std::memory_order_acquire)
               ? &there->load
               : nullptr;
  }
  // Makes load() be there. Control thread only.
  HostLoad& EnsureLoad() {
    HostExtras& there = EnsureExtras();
    there.wants_load.store(true, std::memory_order_release);
    return there.load;
  }
  // Any thread.
  HostExtras& EnsureExtras() {
    HostExtras* there = extras.load(std::memory_order_acquire);
    if (there != nullptr) return *there;
    auto made = std::make_unique<HostExtras>();
    // Release: the others see it whole.
    if (extras.compare_exchange_strong(there, made.get(),
                                       std::memory_order_acq_rel,
                                       std::memory_order_acquire)) {
      return *made.release();
    }
    return *there;
  }
};
static_assert(sizeof(HostState) == 64, "one cache line per host");

// Where the counters of an index are in a table that grows by blocks, each
// twice as long as the one before.
struct CounterPlace {
  uint32_t block = 0;
  uint32_t offset = 0;

  static constexpr uint32_t kFirst = 16;  // entries of block 0

  static CounterPlace Of(uint32_t index) {
    const uint32_t block =
        31u - static_cast<uint32_t>(__builtin_clz(index + kFirst)) - 4u;
    return {block, index + kFirst - (kFirst << block)};
  }
};

// One endpoint of one cluster at run time: an identity that never changes.
// Owned by its cluster; a host that left the configuration is destroyed only
// when no request that picked it is left. Thread-safe.
class alignas(64) Host {
 public:
  // What few hosts have.
  struct Addresses {
    std::string logical_name;  // as in Endpoint
    std::vector<std::string> additional;
  };
  struct Identity {
    std::string address;
    std::string hostname;
    std::shared_ptr<const Locality> locality;  // never null
    std::shared_ptr<const Metadata> metadata;  // may be null
    uint32_t priority = 0;
    std::unique_ptr<const Addresses> addresses;  // null: `address` is all
  };
  static constexpr uint32_t kNoIndex = UINT32_MAX;

  // `index` is the host's place in its cluster's counters, stable while the
  // object lives. `inherited` is that of the host that it replaces.
  Host(uint32_t index, Identity identity, std::shared_ptr<HostState> state,
       uint32_t inherited = kNoIndex)
      : index_(index),
        inherited_index_(inherited),
        place_(CounterPlace::Of(index)),
        state_(state.get()),
        metadata_(identity.metadata.get()),
        identity_(std::move(identity)),
        state_owner_(std::move(state)) {
    address_ = identity_.address;
    hostname_ = identity_.hostname;
  }
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  uint32_t index() const { return index_; }
  // The same as HostCounterTable has it.
  CounterPlace counter_place() const { return place_; }
  // Where requests in flight to the host that this one replaced are counted,
  // kNoIndex once there are none.
  uint32_t inherited_index() const {
    return inherited_index_.load(std::memory_order_relaxed);
  }
  void ForgetInherited() {
    inherited_index_.store(kNoIndex, std::memory_order_relaxed);
  }
  HostState& state() const { return *state_; }
  uint32_t weight() const {
    return state_->weight.load(std::memory_order_relaxed);
  }
  const std::string& address() const { return identity_.address; }
  const std::string& hostname() const { return identity_.hostname; }
  // The same from the host's first cache line, for the request path.
  std::string_view address_view() const { return address_; }
  std::string_view hostname_view() const { return hostname_; }
  const Locality& locality() const { return *identity_.locality; }
  const Metadata* metadata() const { return metadata_; }
  uint32_t priority() const { return identity_.priority; }
  // What tells the host from others of its locality: its address, unless that
  // may change. A host whose address did is another object with the same state.
  const std::string& key() const {
    return identity_.addresses == nullptr ||
                   identity_.addresses->logical_name.empty()
               ? identity_.address
               : identity_.addresses->logical_name;
  }
  // Further addresses, for Happy Eyeballs. `address` is the first to try.
  absl::Span<const std::string> additional_addresses() const {
    if (identity_.addresses == nullptr) return {};
    return identity_.addresses->additional;
  }
  const Identity& identity() const { return identity_; }
  const std::shared_ptr<HostState>& shared_state() const {
    return state_owner_;
  }

 private:
  // What a pick reads, in one cache line.
  const uint32_t index_;
  std::atomic<uint32_t> inherited_index_;
  const CounterPlace place_;
  HostState* const state_;
  const Metadata* const metadata_;
  std::string_view address_;
  std::string_view hostname_;

  const Identity identity_;
  const std::shared_ptr<HostState> state_owner_;
};

// How a host counts for load balancing, after EDS health, active health
// checks and ejections have been put together (Envoy's coarse health).
enum class HostHealth : uint8_t { kHealthy, kDegraded, kUnhealthy, kExcluded };

}  // namespace meshlib::model

#endif  // MESHLIB_MODEL_HOST_H_
