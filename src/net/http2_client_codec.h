#ifndef MESHLIB_NET_HTTP2_CLIENT_CODEC_H_
#define MESHLIB_NET_HTTP2_CLIENT_CODEC_H_

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "net/client_codec.h"
#include "net/http2/options.h"
#include "net/http2/session.h"
#include "net/upstream_counters.h"

namespace meshlib::net {

// HTTP/2 on one client connection.
class Http2ClientCodec final : public ClientCodec, private Http2SessionHandler {
 public:
  // `changed` is borrowed. The connection takes at most `most_streams` at a
  // time, and fewer if the peer says so.
  Http2ClientCodec(const Http2Options& options, size_t most_streams,
                   absl::Time now, ChangedExchanges* changed,
                   std::shared_ptr<UpstreamCounters> counters);
  ~Http2ClientCodec() override;

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
  bool HasOutput() const override { return session_->HasOutput(); }
  absl::Status TakeOutput(std::string& out) override;
  size_t active() const override { return active_; }
  size_t active_async() const override { return active_async_; }
  size_t capacity() const override;
  bool draining() const override { return !session_->AcceptsRequests(); }
  void Drain(absl::Time now) override { session_->Drain(now); }
  void Trim() override { session_->Trim(); }
  absl::Status Tick(absl::Time now) override;
  absl::Time NextTick() const override { return session_->NextTick(); }

 private:
  friend class Http2Exchange;

  Http2Exchange& NewExchange(ClientExchange& exchange);
  void Release(Http2Exchange& exchange);
  absl::Status Count(absl::Status status);
  ExchangeFailure FailureOf(const StreamReset& reset) const;
  std::string TextOf(const StreamReset& reset) const;
  void CountReset(const StreamReset& reset);

  const size_t most_streams_;
  ChangedExchanges* const changed_;
  const std::shared_ptr<UpstreamCounters> counters_;
  std::vector<std::unique_ptr<Http2Exchange>> exchanges_;  // all
  std::vector<Http2Exchange*> free_;
  size_t active_ = 0;
  size_t active_async_ = 0;
  absl::Status lost_;
  bool broken_ = false;     // by what the peer sent
  bool destroyed_ = false;  // counted as destroyed with requests
  std::unique_ptr<Http2Session> session_;
};

}  // namespace meshlib::net

#endif  // MESHLIB_NET_HTTP2_CLIENT_CODEC_H_
