#ifndef MESHLIB_CONTROLPLANE_ADS_SERVER_H_
#define MESHLIB_CONTROLPLANE_ADS_SERVER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "controlplane/ads_server_stream.h"
#include "controlplane/resource_set.h"
#include "event/loop.h"
#include "event/stream.h"
#include "net/http_server.h"
#include "net/server_stream.h"

namespace meshlib::controlplane {

class AdsExchange;

// A value type. Sizes are bytes.
struct AdsServerOptions {
  AdsServerLimits limits;  // of one stream
  // A longer request ends its stream with RESOURCE_EXHAUSTED.
  size_t max_request_bytes = size_t{64} << 20;
  size_t max_connections = 10000;
  uint32_t max_streams_per_connection = 16;
  // Clients that are gone without a word are found by pings.
  absl::Duration keepalive_interval = absl::Seconds(30);
};

// The client of one stream; borrowed, for the length of a call.
struct AdsClient {
  uint64_t id = 0;  // 1, 2, ... in the order in which streams begin
  const net::ServerPeer* peer = nullptr;
  const AdsClientStatus* status = nullptr;
};

// How a stream ends by the server's will.
struct AdsEnd {
  enum class Kind : uint8_t {
    kNone,
    kStatus,  // gRPC's status `code`, with `message`
    kReset,   // RST_STREAM with HTTP/2's error `code`
    kClose,   // of its connection, after what was written
    kAbort,   // of its connection, with a reset
  };
  Kind kind = Kind::kNone;
  uint32_t code = 0;
  std::string message;
};

// What is sent in the place of a response.
struct AdsDelivery {
  std::string bytes;     // with gRPC's prefix
  absl::Duration delay;  // before it
  AdsEnd end;            // after it
};

// A response as it is sent.
AdsDelivery DeliveryOf(const AdsResponse& response);

// Told what goes on at a server: on its loop. Must not call the server.
class AdsServerObserver {
 public:
  virtual ~AdsServerObserver() = default;
  // A connection came or went.
  virtual void OnConnections(size_t open) {}
  virtual AdsEnd OnOpen(const AdsClient& client) { return {}; }
  // The status has it already.
  virtual void OnRequest(const AdsClient& client, const AdsRequest& request) {}
  virtual AdsDelivery OnResponse(const AdsClient& client,
                                 const AdsResponse& response) {
    return DeliveryOf(response);
  }
  // The last call for the client.
  virtual void OnClose(const AdsClient& client, const absl::Status& why) {}
};

// Serves resources over ADS in its state of the world form: gRPC's
// envoy.service.discovery.v3.AggregatedDiscoveryService over our own HTTP/2.
// Of a client that reads slowly one response is held, never more; whatever a
// client sends costs at most its stream.
//
// Belongs to its loop: everything is called there, and it is destroyed there,
// but not from within the observer. What it is given is borrowed.
class AdsServer final : private net::ServerHandlerFactory {
 public:
  // `observer` and `security` may be null; without the latter it speaks
  // plaintext.
  AdsServer(event::Loop* loop, const AdsServerOptions& options,
            AdsServerObserver* observer, net::ServerSecurity* security);
  ~AdsServer() override;
  AdsServer(const AdsServer&) = delete;
  AdsServer& operator=(const AdsServer&) = delete;

  // Listens at one more address, and gives it with its port.
  absl::StatusOr<std::string> Listen(event::Network& network,
                                     std::string_view address) {
    return http_->Listen(network, address);
  }
  // At all of them; connections stay.
  void StopListening() { http_->StopListening(); }
  // Serves a connection that came in another way.
  void Accept(std::unique_ptr<event::Stream> stream) {
    http_->Accept(std::move(stream));
  }

  // From now on. Before the first call, clients wait.
  void SetResources(std::shared_ptr<const ResourceSet> resources);
  // While silent it hears everything and answers nothing; afterwards clients
  // get what they have missed.
  void SetSilent(bool silent);

  // Of the streams that are open.
  std::vector<AdsClient> Clients() const;
  const net::ServerStats& stats() const { return http_->stats(); }

  // Of all open streams.
  void EndStreams(const AdsEnd& end);
  // As if the process had been killed.
  void AbortConnections() { http_->AbortConnections(); }
  // Tells all clients that it is going, and calls `done` when they are gone, or
  // at `deadline`, when the rest is reset.
  void Drain(absl::Time deadline, absl::AnyInvocable<void()> done);

 private:
  friend class AdsExchange;

  std::unique_ptr<net::ServerHandler> NewRequest(
      net::ServerStream& stream) override;
  void OnConnections(size_t open) override { observer_->OnConnections(open); }

  // A copy: streams may end while it is gone through.
  std::vector<AdsExchange*> Exchanges() const { return exchanges_; }

  event::Loop* const loop_;
  const AdsServerOptions options_;
  AdsServerObserver no_observer_;
  AdsServerObserver* const observer_;
  std::shared_ptr<const ResourceSet> resources_;
  bool silent_ = false;
  uint64_t last_id_ = 0;
  // With a stream that is open, by their ids.
  std::vector<AdsExchange*> exchanges_;
  std::unique_ptr<net::HttpServer> http_;  // last: its handlers use the rest
};

}  // namespace meshlib::controlplane

#endif  // MESHLIB_CONTROLPLANE_ADS_SERVER_H_
