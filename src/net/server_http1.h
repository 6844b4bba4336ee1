#ifndef MESHLIB_NET_SERVER_HTTP1_H_
#define MESHLIB_NET_SERVER_HTTP1_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "net/http1/http1_parser.h"
#include "net/server_session.h"

namespace meshlib::net {

// A client that speaks HTTP/1.1 or 1.0. Requests are served one after the
// other; those that are sent ahead wait, unread beyond a buffer. A client that
// ends its side before it has its response has given up.
class Http1ServerSession final : public ServerSession,
                                 public ServerStream,
                                 private Http1Handler {
 public:
  explicit Http1ServerSession(ServerTransport& transport);
  ~Http1ServerSession() override;

  void Receive(std::string_view bytes) override;
  void ReceiveEnd() override;
  bool WantsInput() const override;
  void MakeOutput() override;
  void Reap() override;
  void Tick() override;
  absl::Time NextTick() const override;
  void Drain() override { draining_ = true; }
  bool Finished() const override;
  void Lost(const absl::Status& reason) override;

  HttpVersion version() const override {
    return version_ >= 11 ? HttpVersion::kHttp11 : HttpVersion::kHttp10;
  }
  ServerConnection& connection() override { return transport_; }
  absl::Status SendHeaders(absl::Span<const Header> headers,
                           bool end_stream) override;
  size_t Write(std::string_view bytes, bool end_stream) override;
  absl::Status SendTrailers(absl::Span<const Header> trailers) override;
  void Consume(size_t bytes) override;
  void Reset(uint32_t error_code) override;

 private:
  // How the response's end is told.
  enum class Framing : uint8_t { kNone, kLength, kChunked, kClose, kTunnel };
  enum class Response : uint8_t { kNone, kBegun, kDone };

  void OnHead(const Http1Head& head) override;
  void OnBody(std::string_view piece) override;
  void OnTrailers(absl::Span<const Header> trailers) override;
  void OnEnd() override;

  // The headers as HTTP/2 would have them.
  void Translate(const Http1Head& head);
  bool CanParse() const;
  bool HasRoom() const;
  // Gives what it took.
  size_t Parse(std::string_view bytes);
  void ParseBuffered();
  void PassOn(std::string_view tunnelled);
  void NextRequest();
  // Answers what no handler sees, and closes.
  void Refuse(int status);
  void FailRequest();
  void EndHandler();

  absl::Status SendInformational(int status, absl::Span<const Header> headers);
  // Chooses the framing and keeps the headers to send in head_.
  void Frame(int status, absl::Span<const Header> headers, bool end_stream);
  void EndBody(absl::Span<const Header> trailers);

  ServerTransport& transport_;
  Http1Parser parser_;
  std::string input_;  // not parsed yet
  std::vector<Header> request_head_;
  std::vector<Header> head_;  // of the response

  std::unique_ptr<ServerHandler> handler_;  // of the present request
  std::vector<std::unique_ptr<ServerHandler>> retired_;
  uint64_t requests_ = 0;

  // Of the present request.
  int version_ = 11;
  bool head_request_ = false;
  bool connect_ = false;
  bool upgrade_ = false;
  bool must_continue_ = false;  // the client waits for a word
  bool end_told_ = false;
  uint64_t body_bytes_ = 0;
  size_t unconsumed_ = 0;
  uint64_t discarded_ = 0;  // after the response
  int refusal_ = 0;         // a status to answer with

  Response response_ = Response::kNone;
  Framing framing_ = Framing::kNone;
  uint64_t left_ = 0;  // of kLength
  bool wants_room_ = false;

  // Of the connection.
  bool close_ = false;     // after this response
  bool stopped_ = false;   // nothing is read any more
  bool draining_ = false;  // no further request
  bool ended_ = false;     // the client has ended its side
  absl::Time progress_;    // of the client's, or the last response's end
};

}  // namespace meshlib::net

#endif  // MESHLIB_NET_SERVER_HTTP1_H_
