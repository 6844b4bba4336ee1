#include "net/pool_shard.h"

#include <algorithm>
#include <utility>

#include "net/http2_client_codec.h"
#include "net/tls_stream.h"

namespace meshlib::net {
namespace {

constexpr absl::Duration kTlsInterval = absl::Milliseconds(10);

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
class PoolShard::Connecting final
    : public event::StreamHandler,
      public std::enable_shared_from_this<Connecting> {
 public:
  Connecting(PoolShard* shard, std::shared_ptr<const UpstreamOptions> options,
             std::shared_ptr<const Endpoint> endpoint)
      : shard_(shard),
        options_(std::move(options)),
        endpoint_(std::move(endpoint)),
        begun_(shard->io_->loop().Now()) {}

  void Begin() {
    ClientIo& io = *shard_->io_;
    if (options_->tls == nullptr) {
      stream_ = io.network().Connect(endpoint_->address,
                                     options_->connect_timeout, this);
      return;
    }
    absl::StatusOr<TlsParameters> tls =
        options_->tls(endpoint_->hostname, endpoint_->address);
    if (!tls.ok()) return WaitForTls(tls.status());
    if (!tls->offers_alpn && tls->options.alpn_protocols.empty()) {
      tls->options.alpn_protocols = OfferedProtocols(options_->protocol);
    }
    auto stream = TlsStream::Connect(
        &io.loop(), &io.network(), endpoint_->address,
        options_->connect_timeout, tls->context, tls->options, this);
    tls_ = stream.get();
    stream_ = std::move(stream);
  }

  // Certificates may be on their way: they have as long as a connect has.
  void WaitForTls(const absl::Status& status) {
    event::IoLoop& loop = shard_->io_->loop();
    const absl::Time now = loop.Now();
    const bool over = !absl::IsUnavailable(status) ||
                      now >= begun_ + options_->connect_timeout;
    loop.RunAt(over ? now : now + kTlsInterval,
               [self = shared_from_this(), shard = shard_->shared_from_this(),
                over, status] {
                 if (self->abandoned_) return;
                 if (over) return shard->OnConnected(*self, status);
                 self->Begin();
               });
  }

  void Abandon() {
    abandoned_ = true;
    stream_.reset();
  }

  void OnConnect(absl::Status status) override {
    shard_->OnConnected(*this, std::move(status));
  }
  void OnReadable() override {}
  void OnWritable() override {}

  bool speaks_http2() const {
    if (options_->protocol != HttpProtocol::kAlpn) {
      return options_->protocol == HttpProtocol::kHttp2;
    }
    return tls_ != nullptr && tls_->alpn() == "h2";
  }
  const std::shared_ptr<const UpstreamOptions>& options() { return options_; }
  std::unique_ptr<event::Stream> TakeStream() { return std::move(stream_); }

 private:
  PoolShard* const shard_;
  const std::shared_ptr<const UpstreamOptions> options_;
  const std::shared_ptr<const Endpoint> endpoint_;
  const absl::Time begun_;
  bool abandoned_ = false;
  std::unique_ptr<event::Stream> stream_;
  TlsStream* tls_ = nullptr;  // stream_, if it is one
};

PoolShard::PoolShard(ClientIo* io, std::shared_ptr<PoolBreakers> breakers)
    : io_(io), breakers_(std::move(breakers)) {}

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
      if (endpoint_ == nullptr || endpoint_->address != host.address_view()) {
        endpoint_ = std::make_shared<const Endpoint>(
            Endpoint{host.hostname(), host.address()});
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
  std::shared_ptr<const Endpoint> endpoint;
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
  connecting_.push_back(std::make_shared<Connecting>(this, std::move(options),
                                                     std::move(endpoint)));
  connecting_.back()->Begin();
}

void PoolShard::OnConnected(Connecting& connecting, absl::Status status) {
  const auto self = shared_from_this();
  const std::shared_ptr<Connecting> held = TakeOut(connecting_, connecting);
  if (held == nullptr) return;
  {
    base::MutexLock lock(mutex_);
    --connecting_count_;
  }
  if (status.ok()) {
    Establish(*held);
    return ServeWaiters();
  }
  held->TakeStream().reset();
  breakers_->Disconnected();
  FailWaiters(absl::IsDeadlineExceeded(status)
                  ? ExchangeFailure::kConnectTimeout
                  : ExchangeFailure::kConnectFailure,
              status);
  Unregister();
}

void PoolShard::Establish(Connecting& connecting) {
  const UpstreamOptions& options = *connecting.options();
  const bool http2 = connecting.speaks_http2();
  ClientConnection::Limits limits;
  limits.max_requests = options.max_requests_per_connection;
  limits.idle_timeout = options.idle_timeout;
  limits.read_until_blocked = options.tls != nullptr;
  auto codec = [&, now = io_->loop().Now()](
                   ChangedExchanges* changed) -> std::unique_ptr<ClientCodec> {
    if (!http2) {
      return std::make_unique<Http1ClientCodec>(options.http1, changed);
    }
    return std::make_unique<Http2ClientCodec>(
        options.http2, options.max_concurrent_streams, now, changed);
  };
  auto connection = ClientConnection::Create(
      &io_->loop(), connecting.TakeStream(), codec, limits, this);
  base::MutexLock lock(mutex_);
  if (options_ == connecting.options() && !closed_) {
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
    one->Abandon();
    breakers_->Disconnected();
  }
  for (const auto& connection : connections) {
    connection->Close(reason);
    breakers_->Disconnected();
  }
  FailWaiters(ExchangeFailure::kConnectFailure, reason);
}

}  // namespace meshlib::net
