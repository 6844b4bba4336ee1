#ifndef MESHLIB_NET_CLIENT_CODEC_H_
#define MESHLIB_NET_CLIENT_CODEC_H_

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "net/client_exchange.h"

namespace meshlib::net {

// The exchanges to which something has happened since they were last told.
class ChangedExchanges {
 public:
  void Add(ClientExchange& exchange) {
    if (exchange.blocking() || exchange.place.queued) return;
    exchange.place.queued = true;
    list_.push_back(exchange.shared_from_this());
  }
  std::vector<std::shared_ptr<ClientExchange>> Take() {
    for (const auto& exchange : list_) exchange->place.queued = false;
    return std::exchange(list_, {});
  }
  bool empty() const { return list_.empty(); }

 private:
  std::vector<std::shared_ptr<ClientExchange>> list_;
};

// A protocol on one client connection: exchanges on one side, bytes on the
// other, no I/O. Fills the exchanges and puts those that changed on the
// connection's list. Used under the connection's lock.
class ClientCodec {
 public:
  virtual ~ClientCodec() = default;

  // Another status than OK: nothing was begun, the request may go elsewhere
  // (Unavailable, ResourceExhausted), or can go nowhere (InvalidArgument).
  virtual absl::Status Start(ClientExchange& exchange) = 0;
  // For exchanges whose place is `active`.
  virtual size_t Write(ClientExchange& exchange, std::string_view bytes,
                       bool end) = 0;
  virtual absl::Status WriteTrailers(ClientExchange& exchange,
                                     absl::Span<const Header> trailers) = 0;
  virtual void Consume(ClientExchange& exchange, size_t bytes) = 0;
  virtual void Cancel(ClientExchange& exchange) = 0;

  // An error ends the connection, when the output has been sent.
  virtual absl::Status Receive(absl::Span<const char> bytes,
                               absl::Time now) = 0;
  // The peer has closed its side. `delivered`: as far as is known it has got
  // all that was written.
  virtual void ReceiveEnd(bool delivered) = 0;
  // The transport is gone; ends every exchange.
  virtual void ConnectionLost(const absl::Status& reason, bool delivered) = 0;

  // False: owners must take what has come before more is to be read.
  virtual bool WantsInput() const { return true; }
  virtual bool HasOutput() const = 0;
  virtual absl::Status TakeOutput(std::string& out) = 0;

  // How many exchanges are there, and how many there may be at once.
  virtual size_t active() const = 0;
  virtual size_t active_async() const = 0;  // those that do not block
  virtual size_t capacity() const = 0;
  // It takes no more, now or ever.
  virtual bool draining() const = 0;
  virtual void Drain(absl::Time now) = 0;

  // Gives back memory that only exchanges need, when there are none.
  virtual void Trim() {}

  virtual absl::Status Tick(absl::Time now) = 0;
  virtual absl::Time NextTick() const = 0;
};

}  // namespace meshlib::net

#endif  // MESHLIB_NET_CLIENT_CODEC_H_
