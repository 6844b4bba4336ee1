#include "mesh/upstream.h"

#include <algorithm>
#include <atomic>
#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/strings.h"

namespace meshlib::mesh {
namespace {

using model::RoutingPriority;
using resilience::Resource;

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

event::HappyEyeballsOrder OrderOf(const model::UpstreamConnections& config) {
  using From = model::UpstreamConnections::Family;
  using To = event::HappyEyeballsOrder::Family;
  event::HappyEyeballsOrder out;
  if (config.first_address_family == From::kV4) {
    out.first_address_family = To::kV4;
  } else if (config.first_address_family == From::kV6) {
    out.first_address_family = To::kV6;
  }
  out.first_address_family_count = config.first_address_family_count;
  return out;
}

// 0 means never.
absl::Duration Never0(absl::Duration duration) {
  return duration <= absl::ZeroDuration() ? absl::InfiniteDuration() : duration;
}

// Makes TLS parameters of what is newest when a connection is made.
net::TlsChooser ChooserOf(const model::Cluster& cluster,
                          std::shared_ptr<security::ClientTlsSource> source) {
  if (source == nullptr) return nullptr;
  return [name = cluster.name, auto_sni = cluster.http.auto_sni,
          validates = cluster.http.auto_san_validation,
          source = std::move(source)](
             std::string_view hostname, std::string_view address,
             std::string_view server) -> absl::StatusOr<net::TlsParameters> {
    auto context = source->Latest();
    if (!context.ok()) return context.status();
    auto options = source->SessionOptions(
        hostname, absl::StrCat(name, "|", base::ToAbsl(address)),
        auto_sni ? server : std::string_view());
    if (!options.ok()) return options.status();
    // Besides what the context asks; Envoy would not ask that then.
    if (validates && !server.empty()) options->expected_name = server;
    return net::TlsParameters{*std::move(context), *std::move(options),
                              !source->config().common.alpn_protocols.empty()};
  };
}

std::shared_ptr<const net::UpstreamOptions> OptionsOf(
    const model::Cluster& config, bool grpc, net::TlsChooser tls,
    const std::shared_ptr<net::UpstreamCounters>& counters) {
  const model::UpstreamHttp& http = config.http;
  auto out = std::make_shared<net::UpstreamOptions>();
  out->connect_timeout = config.connect_timeout;
  out->buffer_limit = config.per_connection_buffer_limit_bytes;
  out->happy_eyeballs = OrderOf(config.connections);
  out->tcp_keepalive = config.connections.tcp_keepalive;
  out->protocol = ProtocolOf(http.protocol, grpc);
  if (http.idle_timeout) out->idle_timeout = Never0(*http.idle_timeout);
  if (http.max_connection_duration) {
    out->max_connection_duration = Never0(*http.max_connection_duration);
  }
  if (http.max_stream_duration) {
    out->max_stream_duration = Never0(*http.max_stream_duration);
  }
  out->max_requests_per_connection = http.max_requests_per_connection;
  out->http1.limits.max_header_bytes = http.max_response_headers_kb << 10;
  out->http1.limits.max_headers = http.max_headers_count;
  net::Http2Options& http2 = out->http2;
  http2.max_header_list_size = http.max_response_headers_kb << 10;
  http2.max_headers = http.max_headers_count;
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
  out->names_server =
      out->tls != nullptr && (http.auto_sni || http.auto_san_validation);
  out->server_name_header = http.override_auto_sni_header;
  out->counters = counters;
  return out;
}

}  // namespace

// Lives on when the limits change, as the connections do that it counts.
class Upstream::Breakers final : public net::PoolBreakers {
 public:
  explicit Breakers(std::shared_ptr<resilience::SharedResources> resources)
      : resources_(std::move(resources)) {}

  void SetLimits(const model::CircuitBreakers& config) {
    const auto& limits = config.thresholds[static_cast<size_t>(kPriority)];
    max_connections_.store(limits.max_connections, kRelaxed);
    max_pending_requests_.store(limits.max_pending_requests, kRelaxed);
    max_connections_per_host_.store(config.per_host_max_connections, kRelaxed);
  }
  bool CountsIn(const resilience::SharedResources& resources) const {
    return resources_.get() == &resources;
  }

  bool TryConnect(bool force) override {
    if (resources_->TryAcquire(Resource::kConnections, kPriority,
                               max_connections_.load(kRelaxed))) {
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
                                  max_pending_requests_.load(kRelaxed));
  }
  void StoppedWaiting() override {
    resources_->Release(Resource::kPendingRequests, kPriority);
  }
  uint32_t max_connections_per_host() const override {
    return max_connections_per_host_.load(kRelaxed);
  }

 private:
  // Pools are not kept apart by routing priority.
  static constexpr RoutingPriority kPriority = RoutingPriority::kDefault;
  static constexpr auto kRelaxed = std::memory_order_relaxed;

  const std::shared_ptr<resilience::SharedResources> resources_;
  std::atomic<uint32_t> max_connections_{0};
  std::atomic<uint32_t> max_pending_requests_{0};
  std::atomic<uint32_t> max_connections_per_host_{0};
};

Upstream::Upstream(std::shared_ptr<const model::Cluster> config,
                   std::shared_ptr<resilience::SharedResources> resources,
                   security::ClientTlsSources& sources,
                   const Upstream* previous)
    : config_(std::move(config)),
      matches_(!config_->transport_socket_matches.empty()),
      counters_(previous == nullptr ? std::make_shared<net::UpstreamCounters>()
                                    : previous->counters_) {
  if (previous != nullptr && previous->breakers_->CountsIn(*resources)) {
    breakers_ = previous->breakers_;
  } else {
    breakers_ = std::make_shared<Breakers>(std::move(resources));
  }
  breakers_->SetLimits(config_->circuit_breakers);
  if (previous != nullptr && previous->ConnectsAs(*config_)) {
    choices_ = previous->choices_;
    return;
  }
  const auto add = [&](const std::shared_ptr<const model::UpstreamTls>& tls) {
    auto source = tls == nullptr ? nullptr : sources.Get(tls);
    choices_.push_back(
        {OptionsOf(*config_, false, ChooserOf(*config_, source), counters_),
         OptionsOf(*config_, true, ChooserOf(*config_, source), counters_)});
  };
  add(config_->tls);
  for (const auto& match : config_->transport_socket_matches) add(match.tls);
}

std::shared_ptr<net::PoolBreakers> Upstream::breakers() const {
  return breakers_;
}

bool Upstream::Covers(const model::Cluster& config) const {
  return ConnectsAs(config) &&
         config.circuit_breakers == config_->circuit_breakers;
}

bool Upstream::ConnectsAs(const model::Cluster& config) const {
  const auto same_tls = [](const auto& a, const auto& b) {
    return a == b || (a != nullptr && b != nullptr && *a == *b);
  };
  return config.connect_timeout == config_->connect_timeout &&
         config.per_connection_buffer_limit_bytes ==
             config_->per_connection_buffer_limit_bytes &&
         config.http == config_->http &&
         config.connections == config_->connections &&
         same_tls(config.tls, config_->tls) &&
         config.transport_socket_matches == config_->transport_socket_matches;
}

size_t Upstream::ChoiceFor(const model::Host& host) const {
  const auto& matches = config_->transport_socket_matches;
  for (size_t i = 0; i < matches.size(); ++i) {
    if (matches[i].Matches(host.metadata())) return i + 1;
  }
  return 0;
}

}  // namespace meshlib::mesh
