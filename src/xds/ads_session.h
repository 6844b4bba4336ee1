#ifndef MESHLIB_XDS_ADS_SESSION_H_
#define MESHLIB_XDS_ADS_SESSION_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "xds/resource_decoder.h"
#include "xds/resource_type.h"

namespace meshlib::xds::envoy::service::discovery::v3 {
class DiscoveryResponse;
}  // namespace meshlib::xds::envoy::service::discovery::v3

namespace meshlib::xds {

// What is known of a resource that is asked for (envoy.admin.v3
// ClientResourceStatus has the same words).
enum class ResourceStatus : uint8_t {
  kRequested,
  kDoesNotExist,
  kAcked,
  kNacked,  // the newest is refused; an older one may be in use
};

struct ResourceState {
  ResourceStatus status = ResourceStatus::kRequested;
  // The last that was accepted; std::monostate: none.
  ModelResource value;
  std::string bytes;  // as they came
  std::string version;
  absl::Time updated = absl::InfinitePast();
  // Of the newest, if it is refused: what is wrong with it.
  std::string error;
  std::string rejected_version;
  // Fields of the one in use that are passed over.
  std::vector<FieldProblem> notes;

  bool has_value() const { return value.index() != 0; }
};

// Told what a control plane says.
class AdsObserver {
 public:
  virtual ~AdsObserver() = default;
  // Of `names` the value is another now, or gone, or it is known now that there
  // is none. Without names only received() may be new. Once for each response.
  // May call Subscribe().
  virtual void OnResources(ResourceType type,
                           absl::Span<const std::string> names) = 0;
};

struct AdsOptions {
  // A serialized envoy.config.core.v3.Node.
  std::string node;
  ConvertOptions convert;
  // How long after a request on a stream that stands a resource that never
  // came is taken for one that does not exist (Envoy's initial_fetch_timeout;
  // gRFC A57). Infinite: for ever.
  absl::Duration fetch_timeout = absl::Seconds(15);
};

struct AdsStats {
  uint64_t responses = 0;
  uint64_t accepted = 0;  // ACKs
  uint64_t rejected = 0;  // NACKs
  uint64_t ignored = 0;   // of a type that was not asked for
};

// The state of the world form of ADS, without its stream: what to ask, what
// the answers say, what to acknowledge. It lives longer than a stream, and what
// was accepted stays when the stream or the control plane is gone.
//
// Of a response with errors the good resources are used, the bad ones keep
// their last good value, and the NACK names every bad field. A resource is gone
// when the protocol says so: a listener or cluster that a response, complete by
// its type, does not have. (xDS protocol, "Knowing When a Requested Resource
// Does Not Exist", "Deleting Resources".)
//
// Not thread-safe. Does no I/O.
class AdsSession {
 public:
  // `observer` is borrowed; called from within Receive() and Expire().
  AdsSession(AdsOptions options, AdsObserver* observer);
  ~AdsSession();
  AdsSession(const AdsSession&) = delete;
  AdsSession& operator=(const AdsSession&) = delete;

  // --- What is wanted ---

  // All resources of the type that there are.
  void SubscribeToAll(ResourceType type);
  // These, no others; none: the type is not asked for any more.
  void Subscribe(ResourceType type, const std::set<std::string>& names);

  // --- The stream ---

  void OnOpen();
  void OnClose();
  // A serialized DiscoveryResponse. An error: these are other bytes, and the
  // stream is to be closed.
  absl::Status Receive(std::string_view message, absl::Time now);
  // The next serialized DiscoveryRequest, nothing if there is none to send.
  // The caller sends it at once.
  std::optional<std::string> TakeRequest(absl::Time now);
  // Declares what has not come in time not to exist.
  void Expire(absl::Time now);
  // When Expire() and TakeRequest() have something to do by themselves;
  // InfiniteFuture() if never.
  absl::Time NextExpiry() const;

  // --- What is there ---

  // Null: nobody asked for it, or, of all resources of a type, it is not there.
  const ResourceState* Find(ResourceType type, std::string_view name) const;
  // In the order of their names.
  const std::map<std::string, ResourceState, std::less<>>& resources(
      ResourceType type) const {
    return Of(type).resources;
  }
  // Whether an answer has come, or the time for it is over.
  bool received(ResourceType type) const { return Of(type).received; }
  // Whether something that was asked for has neither come nor is known not to
  // exist.
  bool waiting() const;
  const std::string& version(ResourceType type) const {
    return Of(type).version;
  }
  const AdsStats& stats() const { return stats_; }

 private:
  using DiscoveryResponse = envoy::service::discovery::v3::DiscoveryResponse;
  struct TypeState {
    bool subscribed = false;
    bool all = false;
    std::map<std::string, ResourceState, std::less<>> resources;
    // The names of resources by the hash of their bytes.
    absl::flat_hash_map<uint64_t, std::string> by_bytes;
    std::string version;  // of the last response without errors
    bool received = false;

    // Of the present stream.
    bool asked = false;                // a request was sent
    bool dirty = false;                // one is to be
    std::vector<std::string> untimed;  // names that it is the first to ask for
    std::string nonce;
    std::string error;  // for it: makes it a NACK
    // Some servers answer a NACK at once with what was refused: how often the
    // same version was, and until when the next NACK is held back.
    uint32_t refusals = 0;
    std::string refused_version;
    absl::Time held_until = absl::InfinitePast();
  };
  struct Expiry {
    absl::Time when;
    ResourceType type;
    std::string name;  // empty: all resources of the type
  };
  // The work on one response.
  struct Response {
    const DiscoveryResponse& message;
    ResourceType type;
    absl::Time now;
    std::set<std::string, std::less<>> seen;
    std::vector<std::string> changed;
    std::vector<std::string> errors;
    bool nameless = false;  // one that does not tell its name is bad
  };

  TypeState& Of(ResourceType type) { return types_[static_cast<size_t>(type)]; }
  const TypeState& Of(ResourceType type) const {
    return types_[static_cast<size_t>(type)];
  }
  static void HoldBack(TypeState& type, const std::string& version,
                       absl::Time now);
  bool TakeKnown(Response& response, const std::string& bytes);
  void TakeResource(Response& response, int index);
  void Refuse(Response& response, const DecodedResource& decoded,
              ResourceState& state);
  void Accept(Response& response, DecodedResource decoded,
              const std::string& bytes, ResourceState& state);
  void TakeErrors(Response& response);
  void DropAbsent(Response& response);
  static void Clear(TypeState& type, ResourceState& state);
  void StartTimers(ResourceType type, absl::Time now);

  const AdsOptions options_;
  AdsObserver* const observer_;
  ResourceDecoder decoder_;
  std::array<TypeState, kResourceTypes> types_;
  std::deque<Expiry> expiries_;  // of this stream, the next first
  bool open_ = false;
  bool node_sent_ = false;
  AdsStats stats_;
};

}  // namespace meshlib::xds

#endif  // MESHLIB_XDS_ADS_SESSION_H_
