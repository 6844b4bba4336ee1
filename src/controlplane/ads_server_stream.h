#ifndef MESHLIB_CONTROLPLANE_ADS_SERVER_STREAM_H_
#define MESHLIB_CONTROLPLANE_ADS_SERVER_STREAM_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "controlplane/resource_set.h"

namespace meshlib::xds::envoy::service::discovery::v3 {
class DiscoveryRequest;
}  // namespace meshlib::xds::envoy::service::discovery::v3

namespace meshlib::controlplane {

// What a request of a client says.
struct AdsRequest {
  enum class Kind : uint8_t {
    kSubscribe,  // what the client wants
    kAck,
    kNack,
    kStale,  // of a response before the last one; passed over
  };
  Kind kind = Kind::kSubscribe;
  std::string type_url;
  std::string version;  // of an ACK or NACK: of the response that it is about
  std::string error;    // of a NACK
};

// Where a client stands with one type of resources.
struct SubscriptionStatus {
  bool all = false;             // of the type that there are
  std::set<std::string> names;  // that it asks for
  std::string nonce;            // of the last response
  std::string sent_version;
  std::string acked_version;
  // Of the last NACK; empty once a response was accepted after it.
  std::string nacked_version;
  std::string nack_error;
  uint64_t requests = 0;
  uint64_t responses = 0;
  uint64_t acks = 0;
  uint64_t nacks = 0;
  uint64_t stale = 0;
};

struct AdsClientStatus {
  std::string node_id;
  std::string node_cluster;
  std::string user_agent;  // "envoy", with the version if it says one
  std::map<std::string, SubscriptionStatus, std::less<>> types;  // by type URL
};

// A response that is to be sent at once.
struct AdsResponse {
  std::string type_url;
  std::string version;
  std::string nonce;
  std::string message;  // a serialized DiscoveryResponse
};

struct AdsServerLimits {
  // Types that one stream may ask for.
  size_t types = 64;
  // The names that it asks for, all types together.
  size_t name_bytes = size_t{64} << 20;
};

// One client's ADS stream in its state of the world form, from the server's
// side and without the stream: what the client asks for, what it is owed, what
// it said to what it got.
//
// A response with clusters or listeners is all of them that the client asks
// for; of other types it is what is new or has changed. What is to be sent is
// found when it is taken: a client that reads slowly gets the newest state and
// no others. Clusters go before endpoints, then listeners, then routes (xDS
// protocol, "Eventual consistency considerations").
//
// Not thread-safe. Does no I/O.
class AdsServerStream {
 public:
  explicit AdsServerStream(AdsServerLimits limits = {}) : limits_(limits) {}

  // What is served from now on. Before the first call nothing is answered.
  void SetResources(std::shared_ptr<const ResourceSet> resources);

  // A serialized DiscoveryRequest. An error is for the client: the stream is to
  // end with it.
  absl::StatusOr<AdsRequest> Receive(std::string_view message);
  // The next response; nothing if the client has all that it asks for.
  std::optional<AdsResponse> TakeResponse();

  const AdsClientStatus& status() const { return status_; }

 private:
  using DiscoveryRequest = xds::envoy::service::discovery::v3::DiscoveryRequest;
  struct Subscription {
    SubscriptionStatus* status = nullptr;  // in status_
    // Whether a response as a whole is what there is (clusters, listeners).
    bool complete = false;
    // Names were asked for: no names do not mean all any more.
    bool named = false;
    // The last response was answered.
    bool answered = false;
    size_t name_bytes = 0;
    // As the client has them, of those that it asks for.
    std::map<std::string, std::shared_ptr<const Resource>, std::less<>> sent;
    // Whether there may be something to send.
    bool dirty = false;
    // Whether it is sent even if nothing has changed.
    bool owed = false;
  };
  using Found =
      std::vector<std::pair<std::string_view, std::shared_ptr<const Resource>>>;
  // Between what there is and what the client has.
  struct Difference {
    Found found;    // what there is
    Found changed;  // of it: what the client does not have like this
    std::vector<std::shared_ptr<const Resource>> replaced;  // had otherwise
    bool removed = false;  // the client has more
  };

  absl::StatusOr<Subscription*> Find(const std::string& type_url);
  void TakeNode(const DiscoveryRequest& request);
  void TakeAnswer(const DiscoveryRequest& request, Subscription& subscription,
                  AdsRequest& result);
  absl::Status Subscribe(const DiscoveryRequest& request,
                         Subscription& subscription, bool repeated);
  Found Subscribed(const std::string& type_url,
                   const Subscription& subscription) const;
  Difference Compare(const std::string& type_url,
                     const Subscription& subscription) const;
  bool OwesRoutes(const std::string& type_url) const;
  std::optional<AdsResponse> Respond(const std::string& type_url,
                                     Subscription& subscription);
  AdsResponse Write(const std::string& type_url, Subscription& subscription,
                    const Found& resources, std::string_view version_suffix);
  void OweEndpoints(const Resource& cluster);

  const AdsServerLimits limits_;
  std::shared_ptr<const ResourceSet> resources_;
  AdsClientStatus status_;
  bool began_ = false;  // the first request came
  size_t name_bytes_ = 0;
  uint64_t last_nonce_ = 0;
  // By the order in which types are sent, then by type URL.
  std::map<std::pair<int, std::string>, Subscription> subscriptions_;
};

}  // namespace meshlib::controlplane

#endif  // MESHLIB_CONTROLPLANE_ADS_SERVER_STREAM_H_
