#ifndef MESHLIB_TEST_NET_HTTP2_PAIR_H_
#define MESHLIB_TEST_NET_HTTP2_PAIR_H_

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "net/http2/session.h"

namespace meshlib::net {

// Writes down what happens on one stream.
class RecordingHandler : public StreamHandler {
 public:
  void OnHeaders(Http2Stream& stream, absl::Span<const Header> headers,
                 bool end_stream) override {
    log += Text(headers) + (end_stream ? "." : "");
    ended |= end_stream;
    if (on_headers) on_headers(stream);
  }
  void OnData(Http2Stream& stream, std::string_view bytes,
              bool end_stream) override {
    body.append(bytes);
    ended |= end_stream;
    if (auto_consume) stream.Consume(bytes.size());
    if (end_stream && on_end) on_end(stream);
  }
  void OnTrailers(Http2Stream& stream,
                  absl::Span<const Header> trailers) override {
    log += "T" + Text(trailers);
    ended = true;
    if (on_end) on_end(stream);
  }
  void OnReset(Http2Stream&, const StreamReset& r) override { reset = r; }
  void OnClosed(Http2Stream&) override { ++closed; }
  void OnWritable(Http2Stream& stream) override {
    ++writable;
    if (on_writable) on_writable(stream);
  }

  static std::string Text(absl::Span<const Header> headers) {
    std::string text = "[";
    for (const Header& h : headers) {
      text.append(h.name).append("=").append(h.value).append(" ");
    }
    return text + "]";
  }

  bool auto_consume = true;
  std::string log;
  std::string body;
  bool ended = false;
  int closed = 0;
  int writable = 0;
  std::optional<StreamReset> reset;
  std::function<void(Http2Stream&)> on_headers;
  std::function<void(Http2Stream&)> on_end;
  std::function<void(Http2Stream&)> on_writable;
};

class RecordingServer : public Http2SessionHandler {
 public:
  StreamHandler* OnRequest(Http2Stream& stream) override {
    if (refuse) return nullptr;
    requests.push_back(std::make_unique<RecordingHandler>());
    streams.push_back(&stream);
    requests.back()->on_headers = on_headers;
    requests.back()->on_end = on_end;
    requests.back()->auto_consume = auto_consume;
    return requests.back().get();
  }
  void OnGoAway(uint32_t code, int32_t last) override {
    goaways.emplace_back(code, last);
  }

  bool refuse = false;
  bool auto_consume = true;
  std::function<void(Http2Stream&)> on_headers;
  std::function<void(Http2Stream&)> on_end;
  std::vector<std::unique_ptr<RecordingHandler>> requests;
  std::vector<Http2Stream*> streams;
  std::vector<std::pair<uint32_t, int32_t>> goaways;
};

// A client and a server whose bytes go from one to the other when asked.
struct Http2Pair {
  explicit Http2Pair(const Http2Options& client_options = {},
                     const Http2Options& server_options = {})
      : client(Http2Session::Client(client_options, client_events, now)),
        server(Http2Session::Server(server_options, server_events, now)) {}

  // One way, in pieces of 1..max_piece bytes.
  size_t Move(Http2Session& from, Http2Session& to) {
    std::string bytes;
    (void)from.TakeOutput(bytes);
    std::string_view rest = bytes;
    while (!rest.empty()) {
      const size_t n =
          std::min<size_t>(1 + random.Next() % max_piece, rest.size());
      // A copy of its own, so that a sanitizer sees reads past the piece.
      const std::vector<char> piece(rest.begin(), rest.begin() + n);
      rest.remove_prefix(n);
      (void)to.Receive(piece, now);
    }
    return bytes.size();
  }
  void Run() {
    for (int i = 0; i < 10000; ++i) {
      if (Move(*client, *server) + Move(*server, *client) == 0) return;
    }
  }

  absl::Time now = absl::UnixEpoch();
  base::Random random{1};
  size_t max_piece = 100000;
  RecordingServer client_events;
  RecordingServer server_events;
  std::unique_ptr<Http2Session> client;
  std::unique_ptr<Http2Session> server;
};

inline const std::vector<Header>& Get() {
  static const auto& headers = *new std::vector<Header>{
      {":method", "GET"},
      {":scheme", "http"},
      {":authority", "a"},
      {":path", "/"},
  };
  return headers;
}

}  // namespace meshlib::net

#endif  // MESHLIB_TEST_NET_HTTP2_PAIR_H_
