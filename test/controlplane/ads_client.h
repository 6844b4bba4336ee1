#ifndef MESHLIB_TEST_CONTROLPLANE_ADS_CLIENT_H_
#define MESHLIB_TEST_CONTROLPLANE_ADS_CLIENT_H_

#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "event/epoll_loop.h"
#include "gtest/gtest.h"
#include "meshlib/clock.h"
#include "meshlib/xds/envoy/service/discovery/v3/discovery.pb.h"
#include "net/grpc_framing.h"
#include "net/socket_network.h"
#include "security/tls_context.h"
#include "test/net/server_harness.h"

namespace meshlib::controlplane {

inline constexpr char kAdsPath[] =
    "/envoy.service.discovery.v3.AggregatedDiscoveryService/"
    "StreamAggregatedResources";

// A client of a control plane that says what a test tells it to. Runs its own
// loop while it waits.
class AdsClientPeer {
 public:
  using Request = xds::envoy::service::discovery::v3::DiscoveryRequest;
  using Response = xds::envoy::service::discovery::v3::DiscoveryResponse;
  using Answer = net::Http2Client::Answer;

  explicit AdsClientPeer(const std::string& address) : address_(address) {}
  AdsClientPeer(const std::string& address, const security::TlsOptions& tls)
      : address_(address),
        tls_(security::TlsContext::Create(security::TlsContext::Role::kClient,
                                          tls)
                 .value()) {}

  // Opens a connection, if there is none, and a stream.
  void Open(std::string_view path = kAdsPath,
            std::string_view type = "application/grpc",
            const net::Http2Options& options = {}) {
    if (client_ == nullptr || client_->over()) {
      client_ = std::make_unique<net::Http2Client>(absl::Now(), options);
      if (tls_ == nullptr) {
        client_->Connect(network_, address_);
      } else {
        client_->ConnectTls(loop_.get(), network_, address_, tls_, {});
      }
    }
    answer_ = &client_->Request(path, false,
                                {{"content-type", type}, {"te", "trailers"}});
    decoder_ = net::GrpcDecoder(std::numeric_limits<uint32_t>::max());
    read_ = 0;
  }

  void Send(const Request& request) {
    SendMessage(request.SerializeAsString());
  }
  void SendMessage(std::string_view message) {
    std::string framed;
    ASSERT_TRUE(net::AppendGrpcMessage(message, false,
                                       std::numeric_limits<uint32_t>::max(),
                                       framed)
                    .ok());
    SendBytes(framed);
  }
  void SendBytes(std::string_view bytes) {
    while (!bytes.empty() && !answer_->closed && !client_->over()) {
      bytes.remove_prefix(answer_->stream->Write(bytes, false));
      client_->Flush();
      loop_->RunOnce(absl::ZeroDuration());
    }
  }
  void EndRequest() {
    answer_->stream->SendTrailers({}).IgnoreError();
    client_->Flush();
  }
  Request Ask(const std::string& type,
              const std::vector<std::string>& names = {}) {
    Request request;
    request.set_type_url(type);
    for (const std::string& name : names) request.add_resource_names(name);
    request.mutable_node()->set_id("test");
    Send(request);
    return request;
  }
  // ACK, or NACK with an error, of what was received last.
  void Reply(const std::string& error = "",
             const std::vector<std::string>& names = {}) {
    Request request;
    request.set_type_url(last_.type_url());
    request.set_response_nonce(last_.nonce());
    request.set_version_info(last_.version_info());
    for (const std::string& name : names) request.add_resource_names(name);
    if (!error.empty()) request.mutable_error_detail()->set_message(error);
    Send(request);
  }

  // Waits for the next message; nothing if the stream ends before.
  std::optional<std::string> ReadMessage() {
    std::optional<std::string> message;
    Until([&] {
      message = Next();
      return message.has_value() || !framing_.ok() || answer_->closed ||
             client_->over();
    });
    return message;
  }
  std::optional<Response> Read() {
    const auto message = ReadMessage();
    if (!message.has_value()) return std::nullopt;
    Response response;
    EXPECT_TRUE(response.ParseFromString(*message));
    last_ = response;
    return response;
  }
  // Whether nothing comes for as long as a round trip takes.
  bool Quiet() {
    for (int i = 0; i < 20; ++i) loop_->RunOnce(absl::Milliseconds(1));
    return !Next().has_value();
  }
  // What the server said at the end, of the head and the trailers:
  // "grpc-status=12\n".
  std::string ReadEnd() {
    Until([&] { return answer_->closed || client_->over(); });
    return answer_->head;
  }

  bool Until(const std::function<bool()>& done) {
    const absl::Time end = absl::Now() + absl::Seconds(20);
    while (!done()) {
      if (absl::Now() > end) return false;
      loop_->RunOnce(absl::Milliseconds(5));
    }
    return true;
  }
  const Response& last() const { return last_; }
  const absl::Status& framing() const { return framing_; }
  Answer& answer() { return *answer_; }
  net::Http2Client& connection() { return *client_; }

 private:
  std::optional<std::string> Next() {
    if (!framing_.ok()) return std::nullopt;
    auto message = decoder_.Next();
    if (message.ok() && !message->has_value()) {
      piece_ = answer_->body.substr(read_);
      read_ = answer_->body.size();
      decoder_.Add(piece_);
      message = decoder_.Next();
    }
    framing_ = message.status();
    if (!message.ok() || !message->has_value()) return std::nullopt;
    return std::string((*message)->bytes);
  }

  const std::string address_;
  const std::shared_ptr<const security::TlsContext> tls_;  // null: plaintext
  const std::unique_ptr<event::EpollLoop> loop_ =
      event::EpollLoop::Create(SystemClock()).value();
  net::SocketNetwork network_{loop_.get()};
  std::unique_ptr<net::Http2Client> client_;
  Answer* answer_ = nullptr;
  net::GrpcDecoder decoder_;
  absl::Status framing_;
  std::string piece_;
  size_t read_ = 0;  // of the answer's body
  Response last_;
};

}  // namespace meshlib::controlplane

#endif  // MESHLIB_TEST_CONTROLPLANE_ADS_CLIENT_H_
