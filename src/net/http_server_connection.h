#ifndef MESHLIB_NET_HTTP_SERVER_CONNECTION_H_
#define MESHLIB_NET_HTTP_SERVER_CONNECTION_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "event/loop.h"
#include "event/stream.h"
#include "net/server_session.h"

namespace meshlib::net {

class HttpServer;

// One client of an HttpServer: drives a protocol's session over a stream.
// Everything that happens in one turn of the loop leaves in as few writes as
// there can be.
class HttpServerConnection final : public event::StreamHandler,
                                   public ServerTransport {
 public:
  HttpServerConnection(HttpServer& server,
                       std::unique_ptr<event::Stream> stream, bool handshakes);
  ~HttpServerConnection() override;

  // To be called once, by the server.
  void Start();
  // Looks after what was touched from outside. May destroy this.
  void RunTouched();
  // Whether a call of it is under way; it must not be destroyed then.
  bool in_batch() const { return in_batch_; }

  void OnConnect(absl::Status status) override;
  void OnReadable() override;
  void OnWritable() override;

  const ServerPeer& peer() const override { return peer_; }
  void Drain() override;
  void Abort() override;
  void CloseNow() override;
  void WriteRaw(std::string_view bytes) override;

  const ServerOptions& options() const override;
  ServerStats& stats() override;
  ServerHandlerFactory& factory() override;
  absl::Time now() const override { return now_; }
  std::string& output() override { return out_; }
  size_t unsent() const override { return out_.size() - sent_; }
  void Touch() override;
  void CloseGently() override;
  void EndOutput() override;

  // The server's place for it.
  size_t index = 0;

 private:
  enum class Phase : uint8_t { kHandshake, kDetect, kServe, kLinger, kOver };
  enum class Closing : uint8_t { kNo, kGently, kFlushed, kAbort };

  void BeginBatch();
  // May destroy this.
  void EndBatch();
  void ReadSome();
  void Receive(std::string_view bytes);
  // Where it is known beforehand.
  void ChooseProtocol();
  void Detect(std::string_view bytes);
  void Serve(bool http2);
  void Discard(size_t bytes);
  void Flush();
  void MakeOutput();
  // False when blocked or failed.
  bool WriteOut();
  void CloseIfDue();
  void Fail(const absl::Status& reason);
  void OnTimer();
  absl::Time NextDeadline() const;
  absl::Duration Patience(absl::Duration timeout) const;
  void ArmTimer();
  void UpdateInterest();

  HttpServer& server_;
  const std::unique_ptr<event::Stream> stream_;
  ServerPeer peer_;
  std::unique_ptr<ServerSession> session_;
  std::string first_bytes_;  // while the protocol is not known

  std::string out_;
  size_t sent_ = 0;  // of out_
  std::string raw_;  // WriteRaw() beside an HTTP/2 session's output
  bool in_batch_ = false;
  bool touched_ = false;
  bool blocked_ = false;     // until OnWritable()
  bool in_stream_ = false;   // bytes may wait in the stream still
  bool ended_ = false;       // the peer has ended its side
  bool end_output_ = false;  // our side is to be ended
  bool draining_ = false;
  bool http2_ = false;
  bool last_output_made_ = false;  // before closing
  Phase phase_;
  Closing closing_ = Closing::kNo;
  uint64_t discarded_ = 0;

  absl::Time now_;
  absl::Time phase_began_;
  absl::Time write_began_;  // since when it is blocked
  std::optional<event::Loop::TimerId> timer_;
  absl::Time timer_at_;
};

}  // namespace meshlib::net

#endif  // MESHLIB_NET_HTTP_SERVER_CONNECTION_H_
