#include "controlplane/ads_server.h"

#include <limits>
#include <utility>

#include "controlplane/ads_exchange.h"
#include "net/grpc_framing.h"

namespace meshlib::controlplane {
namespace {

net::ServerOptions HttpOptions(const AdsServerOptions& options) {
  net::ServerOptions http;
  http.max_connections = options.max_connections;
  http.http2.max_concurrent_streams = options.max_streams_per_connection;
  http.http2.keepalive_interval = options.keepalive_interval;
  return http;
}

}  // namespace

AdsDelivery DeliveryOf(const AdsResponse& response) {
  AdsDelivery delivery;
  const absl::Status framed = net::AppendGrpcMessage(
      response.message, false, std::numeric_limits<uint32_t>::max(),
      delivery.bytes);
  if (framed.ok()) return delivery;
  delivery.end = {AdsEnd::Kind::kStatus, static_cast<uint32_t>(framed.code()),
                  std::string(framed.message())};
  return delivery;
}

AdsServer::AdsServer(event::Loop* loop, const AdsServerOptions& options,
                     AdsServerObserver* observer, net::ServerSecurity* security)
    : loop_(loop),
      options_(options),
      observer_(observer == nullptr ? &no_observer_ : observer),
      http_(std::make_unique<net::HttpServer>(
          loop, HttpOptions(options),
          static_cast<net::ServerHandlerFactory*>(this), security)) {}

AdsServer::~AdsServer() { http_.reset(); }

std::unique_ptr<net::ServerHandler> AdsServer::NewRequest(net::ServerStream&) {
  return std::make_unique<AdsExchange>(*this);
}

void AdsServer::SetResources(std::shared_ptr<const ResourceSet> resources) {
  resources_ = std::move(resources);
  for (AdsExchange* exchange : Exchanges()) exchange->SetResources();
}

void AdsServer::SetSilent(bool silent) {
  silent_ = silent;
  for (AdsExchange* exchange : Exchanges()) exchange->Pump();
}

std::vector<AdsClient> AdsServer::Clients() const {
  std::vector<AdsClient> clients;
  clients.reserve(exchanges_.size());
  for (const AdsExchange* exchange : exchanges_) {
    clients.push_back(exchange->client());
  }
  return clients;
}

void AdsServer::EndStreams(const AdsEnd& end) {
  for (AdsExchange* exchange : Exchanges()) exchange->End(end);
}

void AdsServer::Drain(absl::Time deadline, absl::AnyInvocable<void()> done) {
  EndStreams({AdsEnd::Kind::kStatus,
              static_cast<uint32_t>(absl::StatusCode::kUnavailable),
              "the control plane is going"});
  http_->Drain(deadline, std::move(done));
}

}  // namespace meshlib::controlplane
