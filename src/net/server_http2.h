#ifndef MESHLIB_NET_SERVER_HTTP2_H_
#define MESHLIB_NET_SERVER_HTTP2_H_

#include <memory>
#include <vector>

#include "net/http2/session.h"
#include "net/server_session.h"

namespace meshlib::net {

// A client that speaks HTTP/2.
class Http2ServerSession final : public ServerSession,
                                 public Http2SessionHandler {
 public:
  explicit Http2ServerSession(ServerTransport& transport);
  ~Http2ServerSession() override;

  void Receive(std::string_view bytes) override;
  void ReceiveEnd() override;
  bool WantsInput() const override;
  void MakeOutput() override;
  void Reap() override;
  void Tick() override;
  absl::Time NextTick() const override;
  void Drain() override;
  bool Finished() const override;
  void Lost(const absl::Status& reason) override;

  StreamHandler* OnRequest(Http2Stream& stream) override;
  void OnSettings() override { settled_ = true; }

 private:
  class Stream;

  void Retire(Stream* stream);

  ServerTransport& transport_;
  const std::unique_ptr<Http2Session> session_;
  // All stream objects; those that serve none are in free_.
  std::vector<std::unique_ptr<Stream>> streams_;
  std::vector<Stream*> free_;
  // Their handlers are to be destroyed.
  std::vector<Stream*> retired_;
  bool settled_ = false;  // the client's SETTINGS came
  bool ended_ = false;    // the client ended its side
  absl::Time idle_since_;
};

}  // namespace meshlib::net

#endif  // MESHLIB_NET_SERVER_HTTP2_H_
