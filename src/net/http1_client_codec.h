#ifndef MESHLIB_NET_HTTP1_CLIENT_CODEC_H_
#define MESHLIB_NET_HTTP1_CLIENT_CODEC_H_

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "net/client_codec.h"
#include "net/http1/http1_parser.h"
#include "net/upstream_counters.h"

namespace meshlib::net {

struct Http1ClientOptions {
  Http1Limits limits;
  // What Write() takes beyond what the system has taken.
  size_t send_buffer = size_t{64} << 10;
  // What is read of a body before its owner has taken it.
  size_t receive_buffer = size_t{256} << 10;
  // How long a request with "expect: 100-continue" holds its body back.
  absl::Duration continue_timeout = absl::Seconds(1);
  // 1xx before one response: beyond so many it is refused.
  uint32_t max_informational = 100;
};

// HTTP/1.1 on one client connection: one exchange at a time. A response 101
// makes of the connection a tunnel: the bodies of both directions are what
// goes through it.
class Http1ClientCodec final : public ClientCodec, private Http1Handler {
 public:
  // `changed` is borrowed.
  Http1ClientCodec(const Http1ClientOptions& options, ChangedExchanges* changed,
                   std::shared_ptr<UpstreamCounters> counters);

  absl::Status Start(ClientExchange& exchange) override;
  size_t Write(ClientExchange& exchange, std::string_view bytes,
               bool end) override;
  absl::Status WriteTrailers(ClientExchange& exchange,
                             absl::Span<const Header> trailers) override;
  void Consume(ClientExchange& exchange, size_t bytes) override;
  void Cancel(ClientExchange& exchange) override;
  absl::Status Receive(absl::Span<const char> bytes, absl::Time now) override;
  void ReceiveEnd(bool delivered) override;
  void ConnectionLost(const absl::Status& reason, bool delivered) override;
  bool WantsInput() const override {
    return unconsumed_ < options_.receive_buffer;
  }
  bool HasOutput() const override { return !out_.empty(); }
  absl::Status TakeOutput(std::string& out) override;
  size_t active() const override { return exchange_ == nullptr ? 0 : 1; }
  size_t active_async() const override {
    return exchange_ != nullptr && !exchange_->blocking() ? 1 : 0;
  }
  size_t capacity() const override { return 1; }
  bool draining() const override { return draining_; }
  void Drain(absl::Time now) override { draining_ = true; }
  absl::Status Tick(absl::Time now) override;
  absl::Time NextTick() const override { return continue_at_; }

 private:
  enum class Body : uint8_t { kNone, kLength, kChunked, kTunnel };

  void OnHead(const Http1Head& head) override;
  void OnBody(std::string_view piece) override;
  void OnTrailers(absl::Span<const Header> trailers) override;
  void OnEnd() override;

  absl::Status AppendHead(const WireRequest& request);
  void SendBody();
  void AppendBody(std::string_view bytes, bool end);
  size_t Room() const;
  void EndShort();
  void Give(std::string_view piece);
  void Release();
  void FailExchange(ExchangeFailure failure, std::string text,
                    bool unprocessed = false);
  // Whether the connection ended before the request could reach the peer.
  bool Unprocessed(bool delivered) const;
  absl::Status Refuse(absl::Status status);

  const Http1ClientOptions options_;
  ChangedExchanges* const changed_;
  const std::shared_ptr<UpstreamCounters> counters_;
  Http1Parser parser_;
  ClientExchange* exchange_ = nullptr;
  std::string out_;
  Body body_ = Body::kNone;
  uint64_t body_left_ = 0;   // of kLength
  bool sent_all_ = true;     // the request's end is in out_
  bool wants_room_ = false;  // Write() took less than it was given
  bool end_held_ = false;    // the end comes after what is held back
  bool keep_alive_ = true;   // the response says so
  bool informational_ = false;
  bool used_ = false;            // had an exchange
  bool reused_ = false;          // had one before this one
  bool answering_ = false;       // something of the response is there
  uint32_t informationals_ = 0;  // of this response
  bool unasked_ = false;         // one of them is 101, for no upgrade
  bool given_up_ = false;        // the exchange wants no more of the body
  bool draining_ = false;
  size_t unconsumed_ = 0;
  // The body waits for "100 Continue" until then; infinite: it does not.
  absl::Time continue_at_ = absl::InfiniteFuture();
  bool holds_body_ = false;
};

}  // namespace meshlib::net

#endif  // MESHLIB_NET_HTTP1_CLIENT_CODEC_H_
