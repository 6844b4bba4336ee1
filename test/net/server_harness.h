#ifndef MESHLIB_TEST_NET_SERVER_HARNESS_H_
#define MESHLIB_TEST_NET_SERVER_HARNESS_H_

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "event/epoll_loop.h"
#include "gtest/gtest.h"
#include "meshlib/testing/fake_clock.h"
#include "net/http2/session.h"
#include "net/http_server.h"
#include "net/socket_network.h"
#include "net/tls_stream.h"
#include "test/net/run_until.h"

namespace meshlib::net {

// A client that sends and reads bytes.
class ByteClient : public event::StreamHandler {
 public:
  void Connect(SocketNetwork& network, const std::string& address) {
    stream_ = network.Connect(address, absl::InfiniteDuration(), this);
    stream_->WantRead(true);
  }
  void ConnectTls(event::Loop* loop, SocketNetwork& network,
                  const std::string& address, TlsStream::Context context,
                  const security::TlsSessionOptions& options) {
    stream_ =
        TlsStream::Connect(loop, &network, address, absl::InfiniteDuration(),
                           std::move(context), options, this);
    stream_->WantRead(true);
  }
  void Send(std::string_view text) {
    unsent_.append(text);
    stream_->WantWrite(true);
  }
  void EndWrite() { stream_->CloseWrite(); }
  void Read(bool on) { stream_->WantRead(on); }
  void Drop() { stream_.reset(); }
  void ResetIt() { stream_->Reset(); }

  void OnConnect(absl::Status status) override {
    connected = status.ok();
    if (!connected) {
      reset = true;
      OnReceived();
    }
  }
  void OnReadable() override {
    char buffer[10'000];
    const event::IoResult result = stream_->Read(absl::MakeSpan(buffer));
    received.append(buffer, result.bytes);
    if (result.code == event::IoResult::Code::kEnded ||
        result.code == event::IoResult::Code::kFailed) {
      (result.code == event::IoResult::Code::kEnded ? ended : reset) = true;
      stream_->WantRead(false);
    }
    OnReceived();
  }
  void OnWritable() override {
    if (!unsent_.empty()) {
      const std::string_view piece = unsent_;
      const event::IoResult result = stream_->Write({&piece, 1});
      unsent_.erase(0, result.bytes);
    }
    if (unsent_.empty()) stream_->WantWrite(false);
  }
  virtual void OnReceived() {}

  bool connected = false;
  bool over() const { return ended || reset; }
  bool all_sent() const { return unsent_.empty(); }
  bool ended = false;
  bool reset = false;
  std::string received;

 private:
  std::unique_ptr<event::Stream> stream_;
  std::string unsent_;
};

// What the server's requests did, by what their path asks for.
struct ServerLog {
  std::vector<std::string> requests;  // in the order of their heads
  int open = 0;
  int resets = 0;
  ServerStream* last = nullptr;
};

class LoggingHandler final : public ServerHandler {
 public:
  LoggingHandler(ServerLog& log, size_t index) : log_(log), index_(index) {
    ++log_.open;
  }
  ~LoggingHandler() override { --log_.open; }

  void OnRequest(ServerStream& stream, absl::Span<const Header> headers,
                 bool end_stream) override {
    log_.last = &stream;
    for (const Header& h : headers) {
      if (h.name == ":path") path_ = h.value;
      text().append(h.name).append("=").append(h.value).append(" ");
    }
    if (path_ == "/echo") Head(stream, {});
    if (path_ == "/early") Fixed(stream, "early");
    if (path_ == "/reset") stream.Reset(11);
    if (path_ == "/upgrade") {
      stream
          .SendHeaders({{":status", "101"},
                        {"connection", "upgrade"},
                        {"upgrade", "test"}},
                       false)
          .IgnoreError();
    }
  }
  void OnData(ServerStream& stream, std::string_view bytes) override {
    text().append("<").append(bytes).append(">");
    if (path_ == "/hold") return;
    if (path_ == "/echo" || path_ == "/upgrade") {
      stream.Write(bytes, false);
    }
    stream.Consume(bytes.size());
  }
  void OnTrailers(ServerStream&, absl::Span<const Header> trailers) override {
    for (const Header& h : trailers) {
      text().append("T").append(h.name).append("=").append(h.value);
    }
  }
  void OnEnd(ServerStream& stream) override {
    text().append(".");
    ++ends_;
    if (path_ == "/echo") stream.SendTrailers({{"t", "1"}}).IgnoreError();
    if (path_ == "/upgrade" && ends_ == 2) stream.End().IgnoreError();
    if (path_ == "/big") {
      Head(stream, {"content-length", "30000000"});
      left_ = 30'000'000;
      OnWritable(stream);
    }
    if (path_ == "/short") {
      Head(stream, {"content-length", "10"});
      stream.Write("short", true);
    }
    if (path_.substr(0, 3) == "/ok") Fixed(stream, path_);
  }
  void OnWritable(ServerStream& stream) override {
    while (left_ > 0) {
      const std::string piece(std::min<size_t>(left_, 50'000), 'b');
      const size_t taken = stream.Write(piece, left_ <= piece.size());
      left_ -= taken;
      if (taken < piece.size()) return;
    }
  }
  void OnReset(ServerStream&, const StreamReset&) override {
    text().append("R");
    ++log_.resets;
  }

 private:
  std::string& text() { return log_.requests[index_]; }
  static void Head(ServerStream& stream, const Header& extra) {
    std::vector<Header> headers = {{":status", "200"}};
    if (!extra.name.empty()) headers.push_back(extra);
    stream.SendHeaders(headers, false).IgnoreError();
  }
  static void Fixed(ServerStream& stream, const std::string& body) {
    const std::string length = std::to_string(body.size());
    Head(stream, {"content-length", length});
    stream.Write(body, true);
  }

  ServerLog& log_;
  const size_t index_;
  std::string path_;
  size_t left_ = 0;
  int ends_ = 0;
};

class ServerTest : public ::testing::Test, public ServerHandlerFactory {
 protected:
  std::unique_ptr<ServerHandler> NewRequest(ServerStream&) override {
    if (refuse_) return nullptr;
    log_.requests.emplace_back();
    return std::make_unique<LoggingHandler>(log_, log_.requests.size() - 1);
  }

  void Serve(const ServerOptions& options = {}) {
    server_ = std::make_unique<HttpServer>(loop_.get(), options, this);
    const auto address = server_->Listen(network_, "127.0.0.1:0");
    ASSERT_TRUE(address.ok()) << address.status();
    address_ = *address;
  }
  // Runs the loop until something holds; false if it does not within seconds.
  bool Until(const std::function<bool()>& done) {
    return RunUntil(*loop_, done);
  }
  // Runs what there is to run, as far as one can know.
  void Settle() {
    for (int i = 0; i < 5; ++i) loop_->RunOnce(absl::Milliseconds(2));
  }
  void Connect(ByteClient& client) { client.Connect(network_, address_); }
  // What a client gets for `sent` until the server closes.
  std::string Ask(std::string_view sent) {
    ByteClient client;
    Connect(client);
    client.Send(sent);
    EXPECT_TRUE(Until([&] { return client.over(); })) << client.received;
    return client.received;
  }
  void Advance(absl::Duration step) {
    clock_.Advance(step);
    Settle();
  }
  const ServerStats& stats() const { return server_->stats(); }

  ::meshlib::testing::FakeClock clock_;
  std::unique_ptr<event::EpollLoop> loop_ =
      event::EpollLoop::Create(&clock_).value();
  SocketNetwork network_{loop_.get()};
  ServerLog log_;
  bool refuse_ = false;
  std::unique_ptr<HttpServer> server_;
  std::string address_;
};

// A client that speaks HTTP/2.
class Http2Client final : public ByteClient, public Http2SessionHandler {
 public:
  explicit Http2Client(absl::Time now, const Http2Options& options = {})
      : now_(now), session_(Http2Session::Client(options, *this, now)) {}

  struct Answer final : public net::StreamHandler {
    void OnHeaders(Http2Stream&, absl::Span<const Header> headers,
                   bool end_stream) override {
      statuses.append(headers[0].value).append(" ");
      for (const Header& h : headers) {
        head.append(h.name).append("=").append(h.value).append("\n");
      }
      ended |= end_stream;
    }
    void OnData(Http2Stream& stream, std::string_view bytes,
                bool end_stream) override {
      body.append(bytes);
      ended |= end_stream;
      if (consume) stream.Consume(bytes.size());
    }
    void OnTrailers(Http2Stream&, absl::Span<const Header> t) override {
      trailers.append(t[0].name).append("=").append(t[0].value);
      for (const Header& h : t) {
        head.append(h.name).append("=").append(h.value).append("\n");
      }
      ended = true;
    }
    void OnReset(Http2Stream&, const StreamReset& r) override { reset = r; }
    void OnClosed(Http2Stream&) override { closed = true; }

    Http2Stream* stream = nullptr;
    std::string statuses;
    std::string head;  // each header and trailer: "name=value\n"
    std::string body;
    std::string trailers;
    bool ended = false;
    bool closed = false;
    bool consume = true;
    std::optional<StreamReset> reset;
  };

  Answer& Request(std::string_view path, bool end_stream = true,
                  std::vector<Header> more = {}, std::string_view method = {}) {
    answers_.push_back(std::make_unique<Answer>());
    if (method.empty()) method = end_stream ? "GET" : "POST";
    std::vector<Header> headers = {{":method", method},
                                   {":scheme", "http"},
                                   {":authority", "a"},
                                   {":path", path}};
    headers.insert(headers.end(), more.begin(), more.end());
    auto stream = session_->Request(headers, end_stream, *answers_.back());
    if (stream.ok()) answers_.back()->stream = *stream;
    Flush();
    return *answers_.back();
  }
  void Flush() {
    std::string out;
    session_->TakeOutput(out).IgnoreError();
    if (!out.empty()) Send(out);
  }
  void OnReceived() override {
    if (over()) {
      session_->ConnectionLost(absl::UnavailableError("gone"));
      return;
    }
    session_->Receive(received, now_).IgnoreError();
    received.clear();
    Flush();
  }
  void OnGoAway(uint32_t error_code, int32_t) override {
    goaways.push_back(error_code);
  }
  Http2Session& session() { return *session_; }

  std::vector<uint32_t> goaways;

 private:
  const absl::Time now_;
  std::vector<std::unique_ptr<Answer>> answers_;
  std::unique_ptr<Http2Session> session_;
};

}  // namespace meshlib::net

#endif  // MESHLIB_TEST_NET_SERVER_HARNESS_H_
