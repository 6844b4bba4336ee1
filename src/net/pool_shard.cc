#include "net/pool_shard.h"

#include <algorithm>
#include <utility>

#include "net/http2_client_codec.h"

namespace meshlib::net {
namespace {

// How many requests a connection that is not there yet will probably take.
size_t ExpectedRoom(const UpstreamOptions& options) {
  return options.protocol == HttpProtocol::kHttp1
             ? 1
             : options.max_concurrent_streams;
}

std::vector<std::string> OfferedProtocols(HttpProtocol protocol) {
  switch (protocol) {
    case HttpProtocol::kHttp1:
      return {"http/1.1"};
    case HttpProtocol::kHttp2:
      return {"h2"};
    case HttpProtocol::kAlpn:
      return {"h2", "http/1.1"};
  }
  return {};
}

// `in_handshake`: of TLS.
void CountFailure(UpstreamCounters& counters, const absl::Status& status,
                  bool in_handshake) {
  counters.Add(UpstreamCounter::kCxConnectFail);
  if (absl::IsDeadlineExceeded(status)) {
    counters.Add(UpstreamCounter::kCxConnectTimeout);
  }
  if (in_handshake) counters.Add(UpstreamCounter::kSslConnectionError);
  if (absl::IsUnauthenticated(status)) {
    counters.Add(UpstreamCounter::kSslFailVerifyError);
  }
}

// Null: it is not there.
template <typename T>
std::shared_ptr<T> TakeOut(std::vector<std::shared_ptr<T>>& list,
                           const T& one) {
  const auto found =
      std::find_if(list.begin(), list.end(),
                   [&](const auto& held) { return held.get() == &one; });
  if (found == list.end()) return nullptr;
  std::shared_ptr<T> taken = std::move(*found);
  list.erase(found);
  return taken;
}

}  // namespace

// A connection that is being made.
struct PoolShard::Connecting {
  std::shared_ptr<const UpstreamOptions> options;
  std::shared_ptr<Dialer> dialer;

  bool SpeaksHttp2(const Dialer::Connection& made) const {
    if (options->protocol != HttpProtocol::kAlpn) {
      return options->protocol == HttpProtocol::kHttp2;
    }
    return made.alpn == "h2";
  }
};

PoolShard::PoolShard(ClientIo* io, std::shared_ptr<PoolBreakers> breakers,
                     std::string_view server_name)
    : io_(io), breakers_(std::move(breakers)), server_name_(server_name) {}

PoolShard::~PoolShard() = default;

// --- Any thread ---

void PoolShard::Start(const model::Host& host,
                      const std::shared_ptr<const UpstreamOptions>& options,
                      const std::shared_ptr<ClientExchange>& exchange) {
  while (true) {
    std::shared_ptr<ClientConnection> connection;
    {
      base::MutexLock lock(mutex_);
      if (closed_) break;
      if (options_ != options) UseOptions(options);
      // That of a LOGICAL_DNS host changes; its connections go on.
      if (endpoint_ == nullptr || !endpoint_->IsOf(host)) {
        endpoint_ = std::make_shared<const DialEndpoint>(
            DialEndpoint::Of(host, options->happy_eyeballs, server_name_));
      }
      if (waiters_.empty()) connection = WithRoom();
    }
    if (connection == nullptr) return Enqueue(exchange);
    if (StartOn(*connection, *exchange)) return;
  }
  exchange->Fail(ExchangeFailure::kConnectFailure, "the mesh is shut down");
}

void PoolShard::UseOptions(
    const std::shared_ptr<const UpstreamOptions>& options) {
  options_ = options;
  endpoint_ = nullptr;  // they order its addresses
  for (const auto& connection : std::exchange(connections_, {})) {
    connection->Drain();
    io_->loop().Post([self = shared_from_this(), connection] {
      self->OnDraining(*connection);
    });
  }
}

std::shared_ptr<ClientConnection> PoolShard::WithRoom() {
  for (const auto& connection : connections_) {
    if (connection->HasRoom()) return connection;
  }
  return nullptr;
}

// Whether the exchange is settled, one way or the other.
bool PoolShard::StartOn(ClientConnection& connection,
                        ClientExchange& exchange) {
  const absl::Status status = connection.Start(exchange);
  if (absl::IsInvalidArgument(status)) {
    exchange.Fail(ExchangeFailure::kProtocolError,
                  std::string(status.message()));
    return true;
  }
  return status.ok();
}

void PoolShard::Enqueue(const std::shared_ptr<ClientExchange>& exchange) {
  if (!breakers_->TryWait()) {
    return exchange->Fail(ExchangeFailure::kOverflow,
                          "circuit breaker max_pending_requests is open");
  }
  base::MutexLock lock(mutex_);
  if (closed_) {  // in the meantime: nobody would serve it
    breakers_->StoppedWaiting();
    return exchange->Fail(ExchangeFailure::kConnectFailure,
                          "the mesh is shut down");
  }
  waiters_.push_back(exchange);
  SetWaits(true);
  // Room may have come just before.
  if (WithRoom() != nullptr) {
    io_->loop().Post([self = shared_from_this()] { self->ServeWaiters(); });
    return;
  }
  ConnectMore();
}

void PoolShard::SetWaits(bool waits) {
  for (const auto& connection : connections_) connection->SetOwnerWaits(waits);
}

// Begins as many connections as those that wait will need.
void PoolShard::ConnectMore() {
  const size_t expected = ExpectedRoom(*options_);
  while (!closed_ && connecting_count_ * expected < waiters_.size()) {
    // The first one is always allowed, so that the host can be used at all.
    const bool first = connections_.empty() && connecting_count_ == 0;
    if (!breakers_->TryConnect(first)) return;
    ++connecting_count_;
    io_->loop().Post([self = shared_from_this()] { self->Connect(); });
  }
}

void PoolShard::Abandon() {
  io_->loop().Post([self = shared_from_this()] {
    Connections connections;
    {
      base::MutexLock lock(self->mutex_);
      self->closed_ = true;
      connections = self->connections_;
    }
    for (const auto& connection : connections) connection->Drain();
    self->FailWaiters(ExchangeFailure::kConnectFailure,
                      absl::UnavailableError("the host is gone"));
    self->Unregister();
  });
}

// --- On the loop ---

void PoolShard::Connect() {
  std::shared_ptr<const UpstreamOptions> options;
  std::shared_ptr<const DialEndpoint> endpoint;
  {
    base::MutexLock lock(mutex_);
    options = options_;
    endpoint = endpoint_;
  }
  if (io_->shut_down_) {
    breakers_->Disconnected();
    return Shutdown(absl::UnavailableError("the mesh is shut down"));
  }
  io_->shards_.insert(shared_from_this());
  auto connecting = std::make_shared<Connecting>();
  connecting->options = options;
  connecting_.push_back(connecting);
  connecting->dialer =
      Dialer::Begin(&io_->loop(), &io_->network(), options, std::move(endpoint),
                    OfferedProtocols(options->protocol),
                    [self = shared_from_this(), &one = *connecting](auto made) {
                      self->OnConnected(one, std::move(made));
                    });
}

void PoolShard::OnConnected(Connecting& connecting,
                            absl::StatusOr<Dialer::Connection> made) {
  const auto self = shared_from_this();
  const std::shared_ptr<Connecting> held = TakeOut(connecting_, connecting);
  if (held == nullptr) return;
  {
    base::MutexLock lock(mutex_);
    --connecting_count_;
  }
  if (made.ok()) {
    Establish(*held, *std::move(made));
    return ServeWaiters();
  }
  CountFailure(*held->options->counters, made.status(),
               held->dialer->began_handshake());
  breakers_->Disconnected();
  FailWaiters(absl::IsDeadlineExceeded(made.status())
                  ? ExchangeFailure::kConnectTimeout
                  : ExchangeFailure::kConnectFailure,
              made.status());
  Unregister();
}

void PoolShard::Establish(const Connecting& connecting,
                          Dialer::Connection made) {
  const UpstreamOptions& options = *connecting.options;
  const bool http2 = connecting.SpeaksHttp2(made);
  ClientConnection::Limits limits;
  limits.max_requests = options.max_requests_per_connection;
  limits.idle_timeout = options.idle_timeout;
  limits.max_duration = options.max_connection_duration;
  limits.read_until_blocked = options.tls != nullptr;
  options.counters->Add(UpstreamCounter::kCxTotal);
  auto codec = [&, now = io_->loop().Now()](
                   ChangedExchanges* changed) -> std::unique_ptr<ClientCodec> {
    if (!http2) {
      return std::make_unique<Http1ClientCodec>(options.http1, changed,
                                                options.counters);
    }
    return std::make_unique<Http2ClientCodec>(options.http2,
                                              options.max_concurrent_streams,
                                              now, changed, options.counters);
  };
  auto connection = ClientConnection::Create(
      &io_->loop(), std::move(made.stream), codec, limits, this);
  base::MutexLock lock(mutex_);
  if (options_ == connecting.options && !closed_) {
    connections_.push_back(std::move(connection));
    SetWaits(!waiters_.empty());
    return;
  }
  draining_.push_back(connection);
  connection->Drain();
  ConnectMore();
}

void PoolShard::ServeWaiters() {
  while (true) {
    std::shared_ptr<ClientConnection> connection;
    std::shared_ptr<ClientExchange> exchange;
    {
      base::MutexLock lock(mutex_);
      if (!waiters_.empty()) connection = WithRoom();
      if (connection == nullptr) {
        SetWaits(!waiters_.empty());
        if (!waiters_.empty()) ConnectMore();
        return;
      }
      exchange = std::move(waiters_.front());
      waiters_.pop_front();
    }
    if (StartOn(*connection, *exchange)) {
      breakers_->StoppedWaiting();
      exchange->Tell();
      continue;
    }
    base::MutexLock lock(mutex_);
    waiters_.push_front(std::move(exchange));
  }
}

void PoolShard::FailWaiters(ExchangeFailure failure,
                            const absl::Status& reason) {
  std::list<std::shared_ptr<ClientExchange>> waiters;
  {
    base::MutexLock lock(mutex_);
    waiters.swap(waiters_);
    SetWaits(false);
  }
  for (const auto& exchange : waiters) {
    breakers_->StoppedWaiting();
    exchange->Fail(failure, std::string(reason.message()));
    exchange->Tell();
  }
}

void PoolShard::OnRoom(ClientConnection& connection) { ServeWaiters(); }

void PoolShard::OnDraining(ClientConnection& connection) {
  base::MutexLock lock(mutex_);
  auto held = TakeOut(connections_, connection);
  if (held == nullptr) return;
  draining_.push_back(std::move(held));
  if (!waiters_.empty()) ConnectMore();
}

void PoolShard::OnClosed(ClientConnection& connection) {
  OnDraining(connection);
  const auto self = shared_from_this();
  const auto held = TakeOut(draining_, connection);
  if (held == nullptr) return;
  breakers_->Disconnected();
  {
    // The limit may have kept those that wait from connecting.
    base::MutexLock lock(mutex_);
    if (!waiters_.empty()) ConnectMore();
  }
  Unregister();
}

// A shard without connections is not kept alive by its loop.
void PoolShard::Unregister() {
  base::MutexLock lock(mutex_);
  if (connections_.empty() && draining_.empty() && connecting_.empty()) {
    io_->shards_.erase(shared_from_this());
  }
}

void PoolShard::Shutdown(const absl::Status& reason) {
  Connections connections;
  {
    base::MutexLock lock(mutex_);
    closed_ = true;
    connections = std::exchange(connections_, {});
    connecting_count_ = 0;
  }
  connections.insert(connections.end(), draining_.begin(), draining_.end());
  draining_.clear();
  for (const auto& one : std::exchange(connecting_, {})) {
    one->dialer->Abandon();
    breakers_->Disconnected();
  }
  for (const auto& connection : connections) {
    connection->Close(reason);
    breakers_->Disconnected();
  }
  FailWaiters(ExchangeFailure::kConnectFailure, reason);
}

}  // namespace meshlib::net
