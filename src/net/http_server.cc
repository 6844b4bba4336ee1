#include "net/http_server.h"

#include <algorithm>
#include <utility>

namespace meshlib::net {

HttpServer::HttpServer(event::Loop* loop, const ServerOptions& options,
                       ServerHandlerFactory* factory, ServerSecurity* security)
    : loop_(loop),
      options_(options),
      factory_(factory),
      security_(security),
      read_buffer_(std::make_unique<char[]>(kReadBytes)),
      self_(std::make_shared<HttpServer*>(this)) {}

HttpServer::~HttpServer() {
  *self_ = nullptr;
  if (drain_timer_ != 0) loop_->Cancel(drain_timer_);
  listeners_.clear();
  drained_ = nullptr;
  while (!connections_.empty()) Destroy(connections_.back().get());
}

absl::StatusOr<std::string> HttpServer::Listen(event::Network& network,
                                               std::string_view address) {
  auto listener =
      network.Listen(address, [this](std::unique_ptr<event::Stream> stream) {
        Accept(std::move(stream));
      });
  if (!listener.ok()) return listener.status();
  listeners_.push_back(*std::move(listener));
  return listeners_.back()->Address();
}

void HttpServer::Accept(std::unique_ptr<event::Stream> stream) {
  ++stats_.connections;
  if (draining_ || connections_.size() >= options_.max_connections) {
    ++stats_.refused_connections;
    return;
  }
  if (security_ != nullptr) stream = security_->Secure(std::move(stream));
  auto connection = std::make_unique<HttpServerConnection>(
      *this, std::move(stream), security_ != nullptr);
  HttpServerConnection* const added = connection.get();
  added->index = connections_.size();
  connections_.push_back(std::move(connection));
  stats_.open_connections = connections_.size();
  factory_->OnConnections(connections_.size());
  added->Start();
}

void HttpServer::Touch(HttpServerConnection* connection) {
  touched_.push_back(connection);
  if (std::exchange(posted_, true)) return;
  loop_->Post([self = self_] {
    if (*self != nullptr) (*self)->RunTouched();
  });
}

void HttpServer::RunTouched() {
  posted_ = false;
  // What these touch is run by the next task, so that others have their turn.
  const size_t count = touched_.size();
  for (size_t i = 0; i < count; ++i) {
    HttpServerConnection* const connection =
        std::exchange(touched_[i], nullptr);
    if (connection != nullptr) connection->RunTouched();
  }
  touched_.erase(touched_.begin(),
                 touched_.begin() + static_cast<ptrdiff_t>(count));
}

void HttpServer::Destroy(HttpServerConnection* connection) {
  std::replace(touched_.begin(), touched_.end(), connection,
               static_cast<HttpServerConnection*>(nullptr));
  const size_t index = connection->index;
  std::unique_ptr<HttpServerConnection> gone = std::move(connections_[index]);
  if (index + 1 < connections_.size()) {
    connections_[index] = std::move(connections_.back());
    connections_[index]->index = index;
  }
  connections_.pop_back();
  stats_.open_connections = connections_.size();
  factory_->OnConnections(connections_.size());
  gone.reset();
  CheckDrained();
}

void HttpServer::Drain(absl::Time deadline, absl::AnyInvocable<void()> done) {
  drained_ = std::move(done);
  draining_ = true;
  StopListening();
  DrainConnections();
  if (drain_timer_ != 0) loop_->Cancel(drain_timer_);
  drain_timer_ = loop_->RunAt(deadline, [this] {
    drain_timer_ = 0;
    AbortConnections();
  });
  CheckDrained();
}

void HttpServer::DrainConnections() {
  for (const auto& connection : connections_) connection->Drain();
}

void HttpServer::CheckDrained() {
  if (!connections_.empty() || drained_ == nullptr) return;
  if (drain_timer_ != 0) loop_->Cancel(std::exchange(drain_timer_, 0));
  loop_->Post(
      [self = self_, done = std::exchange(drained_, nullptr)]() mutable {
        if (*self != nullptr) done();
      });
}

void HttpServer::AbortConnections() {
  // From the back: the last one takes the place of one that goes.
  for (size_t i = connections_.size(); i-- > 0;) {
    HttpServerConnection* const connection = connections_[i].get();
    connection->Abort();
    if (!connection->in_batch()) connection->RunTouched();
  }
}

}  // namespace meshlib::net
