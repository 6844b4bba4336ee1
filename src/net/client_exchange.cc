#include "net/client_exchange.h"

#include <algorithm>
#include <utility>

#include "net/client_connection.h"

namespace meshlib::net {
namespace {

constexpr absl::Duration kLongestWait = absl::Hours(1);

}  // namespace

const char* ExchangeFailureName(ExchangeFailure failure) {
  switch (failure) {
    case ExchangeFailure::kNone:
      return "none";
    case ExchangeFailure::kConnectFailure:
      return "connect failure";
    case ExchangeFailure::kConnectTimeout:
      return "connect timeout";
    case ExchangeFailure::kOverflow:
      return "overflow";
    case ExchangeFailure::kRefused:
      return "refused";
    case ExchangeFailure::kReset:
      return "reset";
    case ExchangeFailure::kConnectionLost:
      return "connection lost";
    case ExchangeFailure::kHeadersTooLarge:
      return "response headers too large";
    case ExchangeFailure::kBodyTooLarge:
      return "response body too large";
    case ExchangeFailure::kProtocolError:
      return "protocol error";
    case ExchangeFailure::kCancelled:
      return "cancelled";
  }
  return "unknown";
}

ClientExchange::~ClientExchange() {
  // Nobody else knows of it now: no lock is needed to see that it is over.
  if (connection_ != nullptr || (events_ & kOver) == 0) Cancel();
}

void ClientExchange::Set(uint32_t events) {
  events_ |= events;
  if (waiting_) changed_.NotifyOne();
}

uint32_t ClientExchange::Wait(uint32_t events, absl::Time deadline) {
  const uint32_t wanted = events | kOver;
  while (true) {
    std::shared_ptr<ClientConnection> connection;
    {
      base::MutexLock lock(mutex_);
      if ((events_ & wanted) != 0) return events_ & wanted;
      connection = connection_;
      if (connection == nullptr) {  // the pool works on it
        const absl::Duration left = deadline - options_.clock->Now();
        if (left <= absl::ZeroDuration()) return 0;
        waiting_ = true;
        changed_.WaitFor(mutex_, std::min(left, kLongestWait));
        waiting_ = false;
        continue;
      }
    }
    if (!connection->WaitFor(*this, wanted, deadline)) {
      base::MutexLock lock(mutex_);
      return events_ & wanted;
    }
  }
}

uint32_t ClientExchange::events() const {
  base::MutexLock lock(mutex_);
  return events_;
}

size_t ClientExchange::Write(std::string_view bytes, bool end) {
  std::shared_ptr<ClientConnection> connection;
  {
    base::MutexLock lock(mutex_);
    events_ &= ~kWritable;
    connection = connection_;
  }
  return connection == nullptr ? 0 : connection->Write(*this, bytes, end);
}

absl::Status ClientExchange::WriteTrailers(absl::Span<const Header> trailers) {
  std::shared_ptr<ClientConnection> connection;
  {
    base::MutexLock lock(mutex_);
    connection = connection_;
  }
  if (connection == nullptr) {
    return absl::FailedPreconditionError("the request has not begun");
  }
  return connection->WriteTrailers(*this, trailers);
}

void ClientExchange::TakeBody(std::string& out) {
  std::shared_ptr<ClientConnection> connection;
  size_t taken = 0;
  {
    base::MutexLock lock(mutex_);
    taken = body_.size();
    if (out.empty()) {
      out.swap(body_);
    } else {
      out += body_;
    }
    body_.clear();
    events_ &= ~kBody;
    if (!options_.collect) connection = connection_;
  }
  if (connection != nullptr && taken != 0) connection->Consume(*this, taken);
}

void ClientExchange::Cancel() {
  std::shared_ptr<ClientConnection> connection;
  std::shared_ptr<ExchangeSink> sink;  // not under the lock
  {
    base::MutexLock lock(mutex_);
    silent_ = true;
    sink = std::move(sink_);
    connection = std::move(connection_);
    if ((events_ & kOver) == 0) {
      failure_ = ExchangeFailure::kCancelled;
      Set(kFailed);
    }
  }
  if (connection != nullptr) connection->Cancel(*this);
}

void ClientExchange::Fail(ExchangeFailure failure, std::string text,
                          bool unprocessed) {
  base::MutexLock lock(mutex_);
  if ((events_ & kOver) != 0) return;
  failure_ = failure;
  failure_text_ = std::move(text);
  sent_ = place.writes != nullptr &&
          (place.writes->under_way || place.writes->done > place.writes_before);
  unprocessed_ =
      unprocessed || (failure == ExchangeFailure::kConnectionLost && !sent_);
  Set(kFailed);
}

bool ClientExchange::Attach(std::shared_ptr<ClientConnection> connection) {
  base::MutexLock lock(mutex_);
  if (silent_ || (events_ & kOver) != 0) return false;
  connection_ = std::move(connection);
  Set(kStarted);
  return true;
}

void ClientExchange::Detach() {
  base::MutexLock lock(mutex_);
  connection_ = nullptr;
  events_ &= ~kStarted;
}

void ClientExchange::ReceiveHeaders(int status,
                                    absl::Span<const Header> headers,
                                    bool end) {
  base::MutexLock lock(mutex_);
  if ((events_ & (kOver | kHeaders)) != 0) return;
  status_ = status;
  headers_.Assign(headers);
  Set(kHeaders | (end ? uint32_t{kComplete} : 0));
}

std::optional<size_t> ClientExchange::ReceiveBody(std::string_view bytes,
                                                  bool end) {
  base::MutexLock lock(mutex_);
  if ((events_ & kOver) != 0) return std::nullopt;
  if (options_.collect && bytes.size() > options_.max_body - body_.size()) {
    failure_ = ExchangeFailure::kBodyTooLarge;
    sent_ = true;
    Set(kFailed);
    return std::nullopt;
  }
  body_ += bytes;
  if (options_.collect) {
    if (end) Set(kBody | kComplete);
    return bytes.size();
  }
  Set(kBody | (end ? uint32_t{kComplete} : 0));
  return 0;
}

void ClientExchange::ReceiveTrailers(absl::Span<const Header> trailers) {
  base::MutexLock lock(mutex_);
  if ((events_ & kOver) != 0) return;
  trailers_.Assign(trailers);
  Set(kComplete);
}

void ClientExchange::ReceiveEnd() {
  base::MutexLock lock(mutex_);
  if ((events_ & kOver) == 0) Set(kComplete);
}

void ClientExchange::ReceiveWritable() {
  base::MutexLock lock(mutex_);
  Set(kWritable);
}

void ClientExchange::Notify(uint32_t events) {
  base::MutexLock lock(mutex_);
  Set(events);
}

void ClientExchange::Tell() {
  std::shared_ptr<ExchangeSink> sink;
  {
    base::MutexLock lock(mutex_);
    if (silent_) return;
    sink = sink_;
  }
  if (sink != nullptr) sink->OnExchange(*this);
}

}  // namespace meshlib::net
