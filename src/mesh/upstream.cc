#include "mesh/upstream.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/strings.h"

namespace meshlib::mesh {
namespace {

using model::RoutingPriority;
using resilience::Resource;

class ClusterBreakers final : public net::PoolBreakers {
 public:
  ClusterBreakers(const model::CircuitBreakerThresholds& limits,
                  std::shared_ptr<resilience::SharedResources> resources)
      : max_connections_(limits.max_connections),
        max_pending_requests_(limits.max_pending_requests),
        resources_(std::move(resources)) {}

  bool TryConnect(bool force) override {
    if (resources_->TryAcquire(Resource::kConnections, kPriority,
                               max_connections_)) {
      return true;
    }
    if (force) resources_->Acquire(Resource::kConnections, kPriority);
    return force;
  }
  void Disconnected() override {
    resources_->Release(Resource::kConnections, kPriority);
  }
  bool TryWait() override {
    return resources_->TryAcquire(Resource::kPendingRequests, kPriority,
                                  max_pending_requests_);
  }
  void StoppedWaiting() override {
    resources_->Release(Resource::kPendingRequests, kPriority);
  }

 private:
  // Pools are not kept apart by routing priority.
  static constexpr RoutingPriority kPriority = RoutingPriority::kDefault;

  const uint32_t max_connections_;
  const uint32_t max_pending_requests_;
  const std::shared_ptr<resilience::SharedResources> resources_;
};

net::HttpProtocol ProtocolOf(model::UpstreamProtocol protocol, bool grpc) {
  switch (protocol) {
    case model::UpstreamProtocol::kHttp1:
      return net::HttpProtocol::kHttp1;
    case model::UpstreamProtocol::kHttp2:
      return net::HttpProtocol::kHttp2;
    case model::UpstreamProtocol::kAlpn:
      return net::HttpProtocol::kAlpn;
    case model::UpstreamProtocol::kCaller:
      return grpc ? net::HttpProtocol::kHttp2 : net::HttpProtocol::kHttp1;
  }
  return net::HttpProtocol::kHttp1;
}

// 0 means never.
absl::Duration Never0(absl::Duration duration) {
  return duration <= absl::ZeroDuration() ? absl::InfiniteDuration() : duration;
}

// Makes TLS parameters of what is newest when a connection is made.
net::TlsChooser ChooserOf(const std::string& cluster,
                          std::shared_ptr<security::ClientTlsSource> source) {
  if (source == nullptr) return nullptr;
  return [cluster, source = std::move(source)](
             std::string_view hostname,
             std::string_view address) -> absl::StatusOr<net::TlsParameters> {
    auto context = source->Latest();
    if (!context.ok()) return context.status();
    auto options = source->SessionOptions(
        hostname, absl::StrCat(cluster, "|", base::ToAbsl(address)));
    if (!options.ok()) return options.status();
    return net::TlsParameters{*std::move(context), *std::move(options),
                              !source->config().common.alpn_protocols.empty()};
  };
}

std::shared_ptr<const net::UpstreamOptions> OptionsOf(
    const model::Cluster& config, bool grpc, net::TlsChooser tls) {
  const model::UpstreamHttp& http = config.http;
  auto out = std::make_shared<net::UpstreamOptions>();
  out->connect_timeout = config.connect_timeout;
  out->protocol = ProtocolOf(http.protocol, grpc);
  if (http.idle_timeout) out->idle_timeout = Never0(*http.idle_timeout);
  out->max_requests_per_connection = http.max_requests_per_connection;
  out->http1.limits.max_header_bytes = http.max_response_headers_kb << 10;
  out->http1.limits.max_headers = http.max_headers_count;
  net::Http2Options& http2 = out->http2;
  http2.max_header_list_size = http.max_response_headers_kb << 10;
  if (http.hpack_table_size) http2.header_table_size = *http.hpack_table_size;
  if (http.max_concurrent_streams) {
    out->max_concurrent_streams = *http.max_concurrent_streams;
  }
  if (http.initial_stream_window_size) {
    http2.initial_stream_window = *http.initial_stream_window_size;
  }
  if (http.initial_connection_window_size) {
    http2.connection_window = *http.initial_connection_window_size;
  }
  if (http.keepalive_interval) {
    http2.keepalive_interval = *http.keepalive_interval;
    http2.keepalive_timeout = http.keepalive_timeout;
    http2.keepalive_without_streams = true;
  }
  out->tls = std::move(tls);
  return out;
}

}  // namespace

Upstream::Upstream(std::shared_ptr<const model::Cluster> config,
                   std::shared_ptr<resilience::SharedResources> resources,
                   security::ClientTlsSources& sources)
    : config_(std::move(config)),
      matches_(!config_->transport_socket_matches.empty()),
      breakers_(std::make_shared<ClusterBreakers>(
          config_->circuit_breakers.thresholds[0], std::move(resources))) {
  const auto add = [&](const std::shared_ptr<const model::UpstreamTls>& tls) {
    auto source = tls == nullptr ? nullptr : sources.Get(tls);
    choices_.push_back(
        {OptionsOf(*config_, false, ChooserOf(config_->name, source)),
         OptionsOf(*config_, true, ChooserOf(config_->name, source))});
  };
  add(config_->tls);
  for (const auto& match : config_->transport_socket_matches) add(match.tls);
}

bool Upstream::Covers(const model::Cluster& config) const {
  const auto same_tls = [](const auto& a, const auto& b) {
    return a == b || (a != nullptr && b != nullptr && *a == *b);
  };
  return config.connect_timeout == config_->connect_timeout &&
         config.http == config_->http && same_tls(config.tls, config_->tls) &&
         config.transport_socket_matches == config_->transport_socket_matches &&
         config.circuit_breakers == config_->circuit_breakers;
}

size_t Upstream::ChoiceFor(const model::Host& host) const {
  const auto& matches = config_->transport_socket_matches;
  for (size_t i = 0; i < matches.size(); ++i) {
    if (matches[i].Matches(host.metadata())) return i + 1;
  }
  return 0;
}

}  // namespace meshlib::mesh
