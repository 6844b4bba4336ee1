#ifndef MESHLIB_NET_CLIENT_EXCHANGE_H_
#define MESHLIB_NET_CLIENT_EXCHANGE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "base/mutex.h"
#include "meshlib/clock.h"
#include "meshlib/request.h"
#include "net/http2/header_copy.h"

namespace meshlib::net {

class ClientConnection;
class ClientExchange;
class Http2Exchange;

// A request as it goes over the wire. A view. Header names are lower case,
// without those that belong to one connection (RFC 9110, 7.6.1).
struct WireRequest {
  std::string_view method;
  std::string_view scheme;
  std::string_view authority;
  std::string_view path;
  absl::Span<const Header> headers;
  std::string_view body;  // what is known of it now
  bool end = true;        // nothing follows `body`
};

// Why an exchange ended before its response was whole.
enum class ExchangeFailure : uint8_t {
  kNone,
  kConnectFailure,  // refused, unreachable, or the TLS handshake failed
  kConnectTimeout,
  kOverflow,         // a breaker let it neither wait nor connect
  kRefused,          // the peer has not acted on it: it may go out again
  kReset,            // by the peer
  kConnectionLost,   // and with it the response
  kHeadersTooLarge,  // of the response
  kBodyTooLarge,     // more than max_body of a response that is collected
  kProtocolError,    // what came is no response
  kCancelled,
};
const char* ExchangeFailureName(ExchangeFailure failure);

// Told what happens to exchanges of callers that do not block.
class ExchangeSink {
 public:
  virtual ~ExchangeSink() = default;
  // On the loop of the exchange's connection, without locks. Calls may be
  // fewer than the things that happened.
  virtual void OnExchange(ClientExchange& exchange) = 0;
};

// One request and its response on a client's connection: whoever reads the
// connection fills it, its owner takes out of it. Made by the owner, given to
// a pool (HostPool::Start) and once only. Thread-safe.
class ClientExchange : public std::enable_shared_from_this<ClientExchange> {
 public:
  // What has happened, as bits.
  enum Event : uint32_t {
    kHeaders = 1,   // the response's headers are there
    kBody = 2,      // a piece of the body can be taken
    kComplete = 4,  // the response is whole
    kFailed = 8,    // it never will be: see failure()
    kWritable = 16,
    kLead = 32,     // the connection's business
    kStarted = 64,  // it has a connection
  };
  static constexpr uint32_t kOver = kComplete | kFailed;

  struct Options {
    // The whole body is collected, up to max_body; else its pieces are to be
    // taken, and the peer sends no more than a window of it.
    bool collect = true;
    size_t max_body = size_t{64} << 20;
    // Nobody cancels it while its owner is in Wait(): that one may wait in a
    // way that cannot be interrupted.
    bool undisturbed = false;
    // Null: the owner blocks in Wait().
    std::shared_ptr<ExchangeSink> sink;
    // What Wait() measures its deadline by; borrowed.
    Clock* clock = SystemClock();
  };

  // `request` must live until the exchange is over or cancelled.
  ClientExchange(const WireRequest& request, Options options)
      : request_(request),
        sink_(std::move(options.sink)),
        blocking_(sink_ == nullptr),
        options_(std::move(options)) {}
  // Cancels.
  ~ClientExchange();
  ClientExchange(const ClientExchange&) = delete;
  ClientExchange& operator=(const ClientExchange&) = delete;

  // Blocks until one of `events`, or the end, is there, or `deadline`: gives
  // what is there of them (0: the deadline passed). The waiting thread may
  // read the connection meanwhile, for others too. Only without a sink.
  uint32_t Wait(uint32_t events, absl::Time deadline);

  // What has happened so far.
  uint32_t events() const;

  // More of the request's body; gives what was taken of it. kWritable comes
  // when there is room again. Only after kStarted.
  size_t Write(std::string_view bytes, bool end);
  absl::Status WriteTrailers(absl::Span<const Header> trailers);

  // Moves what came of the body to the end of `out`. kBody is unset.
  void TakeBody(std::string& out);

  // Ends it, if it has not ended: kFailed with kCancelled. The sink is not
  // called any more, but for a call that is under way.
  void Cancel();

  // Once kHeaders is set and for as long as it lives.
  int status() const { return status_; }
  absl::Span<const Header> headers() const { return headers_.headers(); }
  // Once kComplete is set.
  absl::Span<const Header> trailers() const { return trailers_.headers(); }
  // Once kFailed is set.
  ExchangeFailure failure() const { return failure_; }
  const std::string& failure_text() const { return failure_text_; }
  // Once kFailed is set: whether a part of the request may have gone out.
  bool request_sent() const { return sent_; }
  // Once kFailed is set: the connection was ending, and the peer has not acted
  // on the request or may be asked twice (RFC 9113, 8.7; RFC 9112, 9.3.1): it
  // can go out once more without anybody's leave.
  bool unprocessed() const { return unprocessed_; }

  const WireRequest& request() const { return request_; }
  // Without the sink.
  const Options& options() const { return options_; }

  // --- For connections, codecs and pools ---

  // From the pool: fails without a connection.
  // From codecs too, under the connection's lock.
  void Fail(ExchangeFailure failure, std::string text,
            bool unprocessed = false);
  // Whether it waits for a connection and takes this one.
  bool Attach(std::shared_ptr<ClientConnection> connection);
  // The connection did not take it after all.
  void Detach();
  // From codecs, under the connection's lock.
  void ReceiveHeaders(int status, absl::Span<const Header> headers, bool end);
  // Gives the bytes that the peer may send anew at once; nothing: the exchange
  // wants no more, and has failed.
  std::optional<size_t> ReceiveBody(std::string_view bytes, bool end);
  void ReceiveTrailers(absl::Span<const Header> trailers);
  void ReceiveEnd();
  void ReceiveWritable();
  void Notify(uint32_t events);
  // Calls the sink, if there is one still.
  void Tell();

  bool blocking() const { return blocking_; }

  // What a connection and its codec keep, under the connection's lock.
  struct Place {
    bool active = false;   // known to the codec
    bool queued = false;   // on the list of those to be told
    size_t body_sent = 0;  // of request().body
    Http2Exchange* http2 = nullptr;
    // How often the connection had written when the exchange began, and has.
    struct Writes {
      uint64_t done = 0;
      bool under_way = false;  // the lock is not held meanwhile
    };
    uint64_t writes_before = 0;
    const Writes* writes = nullptr;
  };
  Place place;

 private:
  friend class ClientConnection;

  void Set(uint32_t events) MESHLIB_REQUIRES(mutex_);

  const WireRequest request_;
  mutable base::Mutex mutex_;
  // Null once cancelled: whoever holds the exchange still, a pool whose loop
  // has ended for one, does not keep its owner alive.
  std::shared_ptr<ExchangeSink> sink_ MESHLIB_GUARDED_BY(mutex_);
  const bool blocking_;
  const Options options_;
  base::CondVar changed_;
  uint32_t events_ MESHLIB_GUARDED_BY(mutex_) = 0;
  bool waiting_ MESHLIB_GUARDED_BY(mutex_) = false;
  bool silent_ MESHLIB_GUARDED_BY(mutex_) = false;
  std::string body_ MESHLIB_GUARDED_BY(mutex_);
  // Written before the event that announces them, read after it.
  int status_ = 0;
  HeaderCopy headers_;
  HeaderCopy trailers_;
  ExchangeFailure failure_ = ExchangeFailure::kNone;
  bool sent_ = false;
  bool unprocessed_ = false;
  std::string failure_text_;
  std::shared_ptr<ClientConnection> connection_ MESHLIB_GUARDED_BY(mutex_);
};

}  // namespace meshlib::net

#endif  // MESHLIB_NET_CLIENT_EXCHANGE_H_
