// A client's bytes against a whole HTTP server, whichever protocol they are:
// detection, both sessions, timeouts. The first byte says how large the pieces
// are, and how much the client reads at a time.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "event/epoll_loop.h"
#include "meshlib/testing/fake_clock.h"
#include "net/http_server.h"

namespace meshlib::net {
namespace {

// The client's end of a MemoryStream.
struct Client {
  std::string_view unread;  // by the server
  bool ended = false;
  size_t takes = 0;  // bytes of what the server writes
  event::StreamHandler* server = nullptr;
  bool server_reads = false;
  bool server_writes = false;
};

class MemoryStream final : public event::Stream {
 public:
  explicit MemoryStream(Client& client) : client_(client) {}
  ~MemoryStream() override { client_.server = nullptr; }

  event::IoResult Read(absl::Span<char> into) override {
    using Code = event::IoResult::Code;
    if (client_.unread.empty()) {
      return {client_.ended ? Code::kEnded : Code::kBlocked, 0};
    }
    const size_t n = std::min(into.size(), client_.unread.size());
    std::copy_n(client_.unread.data(), n, into.data());
    client_.unread.remove_prefix(n);
    return {Code::kDone, n};
  }
  event::IoResult Write(absl::Span<const std::string_view> pieces) override {
    size_t n = 0;
    for (const std::string_view piece : pieces) n += piece.size();
    n = std::min(n, client_.takes);
    client_.takes -= n;
    return {
        n > 0 ? event::IoResult::Code::kDone : event::IoResult::Code::kBlocked,
        n};
  }
  void WantRead(bool want) override { client_.server_reads = want; }
  void WantWrite(bool want) override { client_.server_writes = want; }
  void CloseWrite() override {}
  void Reset() override {}
  int Descriptor() const override { return -1; }
  absl::Status error() const override { return absl::OkStatus(); }
  void SetHandler(event::StreamHandler* handler) override {
    client_.server = handler;
  }
  std::string LocalAddress() const override { return "server"; }
  std::string PeerAddress() const override { return "client"; }

 private:
  Client& client_;
};

// Echoes; what the path begins with makes it do otherwise.
class Handler final : public ServerHandler {
 public:
  void OnRequest(ServerStream& stream, absl::Span<const Header> headers,
                 bool end_stream) override {
    for (const Header& h : headers) {
      if (h.name == ":path" && h.value.size() > 1) kind_ = h.value[1];
    }
    if (kind_ == 'r') return stream.Reset(8);
    if (kind_ == 's') return;  // stalls
    if (kind_ == 'd') stream.connection().Drain();
    if (kind_ == 'a') stream.connection().Abort();
    stream.SendHeaders({{":status", "200"}}, false).IgnoreError();
    if (kind_ == 'b') {
      stream.Write(std::string(size_t{1} << 20, 'b'), false);
    }
  }
  void OnData(ServerStream& stream, std::string_view bytes) override {
    stream.Write(bytes, false);
    stream.Consume(bytes.size());
  }
  void OnEnd(ServerStream& stream) override {
    if (kind_ == 's') return;
    stream.SendTrailers({{"t", "1"}}).IgnoreError();
  }

 private:
  char kind_ = 0;
};

class Handlers final : public ServerHandlerFactory {
 public:
  std::unique_ptr<ServerHandler> NewRequest(ServerStream&) override {
    return std::make_unique<Handler>();
  }
};

void Check(bool ok) {
  if (!ok) abort();
}

void Fuzz(size_t piece, size_t takes, std::string_view input) {
  testing::FakeClock clock;
  const auto loop = event::EpollLoop::Create(&clock);
  Check(loop.ok());
  Handlers handlers;
  ServerOptions options;
  options.max_request_body = 100000;
  HttpServer server(loop->get(), options, &handlers);
  Client client;
  server.Accept(std::make_unique<MemoryStream>(client));
  while (client.server != nullptr && !input.empty()) {
    client.unread = input.substr(0, piece);
    input.remove_prefix(client.unread.size());
    while (client.server != nullptr && client.server_reads &&
           !client.unread.empty()) {
      client.server->OnReadable();
      (*loop)->RunReady();
    }
    client.takes = takes;
    if (client.server != nullptr && client.server_writes) {
      client.server->OnWritable();
    }
    (*loop)->RunReady();
    clock.Advance(absl::Milliseconds(1));
  }
  // Nobody says anything any more: each connection ends by itself.
  for (int i = 0; i < 100 && client.server != nullptr; ++i) {
    clock.Advance(absl::Minutes(10));
    (*loop)->RunReady();
  }
  if (client.server != nullptr) {
    // But one whose handler does not answer.
    Check(server.stats().open_requests > 0);
    client.ended = true;
    client.unread = {};
    if (client.server_reads) client.server->OnReadable();
    server.AbortConnections();
    (*loop)->RunReady();
  }
  Check(server.stats().open_connections == 0);
  Check(server.stats().open_requests == 0);
}

}  // namespace
}  // namespace meshlib::net

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  meshlib::net::Fuzz(size_t{1} + (data[0] & 0x0f) * 64,
                     size_t{1} << (data[0] >> 4),
                     {reinterpret_cast<const char*>(data) + 1, size - 1});
  return 0;
}
