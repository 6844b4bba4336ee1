#ifndef MESHLIB_MESH_ADS_CLIENT_H_
#define MESHLIB_MESH_ADS_CLIENT_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/backoff.h"
#include "cluster/attempt.h"
#include "cluster/call.h"
#include "event/io_loop.h"
#include "event/loop.h"
#include "mesh/transport.h"
#include "model/config.h"
#include "net/client_exchange.h"
#include "net/grpc_framing.h"
#include "net/host_pool.h"
#include "xds/ads_config.h"

namespace meshlib::mesh {

class Core;

// Keeps a mesh's configuration as its control plane has it: one ADS stream
// (gRPC over the mesh's own HTTP/2) to a host of the cluster that the file
// names, by cluster::Call like any request, and another one after a jittered
// back-off when it ends. What was accepted stays in use meanwhile.
//
// On the control loop, but where something else is said.
class AdsClient final : public std::enable_shared_from_this<AdsClient>,
                        public net::ExchangeSink,
                        private cluster::Attempt {
 public:
  // `core` is borrowed until Stop(). `base` has a control_plane.
  AdsClient(Core* core, std::shared_ptr<const model::Config> base,
            std::vector<std::string> custom_policies);
  ~AdsClient() override;

  // The first stream follows soon. The cluster of the control plane must be in
  // the engine's configuration.
  void Begin();
  // Nothing follows, and nothing is called. May be called again.
  void Stop();

  // The file says something else now: the new configuration, or null if that
  // leads to another control plane.
  std::shared_ptr<const model::Config> Rebase(
      std::shared_ptr<const model::Config> base);

  void AddTarget(std::string_view authority);
  void RemoveTarget(std::string_view authority);

  // Why nothing comes; OK: the stream stands.
  const absl::Status& status() const { return status_; }

 private:
  void OnExchange(net::ClientExchange& exchange) override;  // any loop
  void Start(const cluster::AttemptPlan& plan) override;
  void Fail(PickFailure reason) override { refused_ = reason; }

  void Connect();
  void Work();
  // False: the stream has ended.
  bool TakeMessages();
  void SendRequests();
  void Apply();
  void EndStream(absl::Status why);
  void ConnectLater(absl::Duration delay);
  void SetExpiry();
  void SetStatus(absl::Status status);
  void TellNews();
  std::string Describe() const;
  absl::Status EndOfExchange() const;
  template <typename What>
  event::Loop::TimerId RunAt(absl::Time when, What what);

  Core* core_;  // null: stopped
  event::IoLoop* const loop_;
  const std::vector<std::string> custom_policies_;
  xds::AdsConfig config_;
  std::shared_ptr<const model::ControlPlane> control_plane_;
  std::string request_path_;
  std::vector<Header> headers_;  // of the request
  std::optional<uint32_t> target_;
  base::JitteredExponentialBackoff backoff_;
  std::optional<event::Loop::TimerId> retry_timer_;
  std::optional<event::Loop::TimerId> expiry_timer_;
  absl::Time expiry_at_;
  absl::Status status_;
  bool tried_ = false;  // a stream has ended, or could not begin

  // Of the present stream.
  cluster::Call call_;
  const model::Host* host_ = nullptr;  // pinned by call_
  net::HostPool* pool_ = nullptr;
  std::shared_ptr<const net::UpstreamOptions> upstream_;
  PickFailure refused_ = PickFailure::kNone;
  std::shared_ptr<net::ClientExchange> exchange_;
  bool open_ = false;      // requests can be sent
  bool answered_ = false;  // its headers came
  std::string out_;        // what the connection has not taken yet
  std::string in_;         // the decoder has a view of it
  net::GrpcDecoder decoder_;
  std::atomic<bool> posted_{false};
};

}  // namespace meshlib::mesh

#endif  // MESHLIB_MESH_ADS_CLIENT_H_
