#ifndef MESHLIB_TEST_NET_TLS_STREAM_FIXTURE_H_
#define MESHLIB_TEST_NET_TLS_STREAM_FIXTURE_H_

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "net/socket_network.h"
#include "net/tls_stream.h"
#include "test/net/counting_stream.h"
#include "test/net/stream_end.h"
#include "test/security/test_certificates.h"

namespace meshlib::net {

inline constexpr char kServerId[] = "spiffe://cluster.local/ns/demo/sa/echo";
inline constexpr char kClientId[] = "spiffe://cluster.local/ns/demo/sa/client";

inline TlsStream::Context Make(security::TlsContext::Role role,
                               const security::TlsOptions& options) {
  auto out = security::TlsContext::Create(role, options);
  EXPECT_TRUE(out.ok()) << out.status();
  return out.ok() ? *out : nullptr;
}

// Bytes that tell where they stand.
inline std::string Pattern(size_t size) {
  std::string out(size, '\0');
  for (size_t i = 0; i < size; ++i) {
    out[i] = static_cast<char>((i * 2654435761U) >> 16);
  }
  return out;
}

class TlsStreamTest : public ::testing::Test {
 protected:
  TlsStreamTest() {
    security::TestLeaf leaf;
    leaf.alternative_names = std::string("URI:") + kServerId + ",DNS:echo.shop";
    server_options_.material = ca_.Issue(leaf);
    server_options_.alpn_protocols = {"h2", "http/1.1"};
    server_options_.require_client_certificate = true;
    leaf.alternative_names = std::string("URI:") + kClientId;
    client_options_.material = ca_.Issue(leaf);
    client_options_.alpn_protocols = {"istio-h2", "h2"};
    session_.sni = "echo.shop";
  }

  bool Until(const std::function<bool()>& done) {
    return test_loop_.Until(done);
  }

  // Listens for the server's end, of TLS or of plain bytes.
  void Listen(bool tls = true) {
    const auto context =
        Make(security::TlsContext::Role::kServer, server_options_);
    auto listener =
        network_.Listen("127.0.0.1:0", [this, tls, context](auto stream) {
          ++accepted_;
          if (!tls) return server_.Take(std::move(stream));
          auto made = TlsStream::Server(loop_, std::move(stream),
                                        absl::Seconds(5), context, &server_);
          server_tls_ = made.get();
          server_.Take(std::move(made));
        });
    ASSERT_TRUE(listener.ok()) << listener.status();
    listener_ = *std::move(listener);
  }
  void Connect(absl::Duration timeout = absl::Seconds(5)) {
    if (client_context_ == nullptr) {
      client_context_ =
          Make(security::TlsContext::Role::kClient, client_options_);
    }
    auto made =
        TlsStream::Connect(loop_, &network_, listener_->Address(), timeout,
                           client_context_, session_, &client_);
    client_tls_ = made.get();
    client_.Take(std::move(made));
  }
  void ConnectPlain() {
    client_.Take(
        network_.Connect(listener_->Address(), absl::Seconds(5), &client_));
    ASSERT_TRUE(Until([&] { return client_.connects > 0 && accepted_ > 0; }));
    client_.stream().WantRead(true);
  }
  void ConnectBoth() {
    Listen();
    Connect();
    EXPECT_EQ(client_.connects, 0);  // never from within
    ASSERT_TRUE(
        Until([&] { return client_.connects > 0 && server_.connects > 0; }));
    ASSERT_TRUE(client_.connected.ok()) << client_.connected;
    ASSERT_TRUE(server_.connected.ok()) << server_.connected;
    client_.stream().WantRead(true);
    server_.stream().WantRead(true);
  }
  // Of a client that counts, and has read all that comes at first.
  void ConnectCounting() {
    Listen();
    auto inner =
        network_.Connect(listener_->Address(), absl::Seconds(5), &plain_);
    ASSERT_TRUE(Until([&] { return plain_.connects > 0; }));
    client_.Take(TlsStream::Client(
        loop_, std::make_unique<CountingStream>(std::move(inner), &counts_),
        absl::Seconds(5),
        Make(security::TlsContext::Role::kClient, client_options_), session_,
        &client_));
    ASSERT_TRUE(
        Until([&] { return client_.connects > 0 && server_.connects > 0; }));
    while (Read(client_.stream()).code != event::IoResult::Code::kBlocked) {
    }
  }
  // Connects with a server that the client is to refuse.
  std::string Refusal() {
    Listen();
    Connect();
    EXPECT_TRUE(
        Until([&] { return client_.connects > 0 && server_.connects > 0; }));
    EXPECT_EQ(client_.connected.code(), absl::StatusCode::kUnauthenticated);
    EXPECT_EQ(server_.connected.code(), absl::StatusCode::kUnavailable);
    EXPECT_THAT(server_.connected.ToString(), ::testing::HasSubstr("alert"));
    EXPECT_EQ(client_.stream().error(), client_.connected);
    return client_.connected.ToString();
  }
  static event::IoResult Read(event::Stream& stream) {
    char buffer[1000];
    return stream.Read(absl::MakeSpan(buffer));
  }

  const security::TestCa ca_;
  security::TlsOptions client_options_;
  security::TlsOptions server_options_;
  security::TlsSessionOptions session_;
  TlsStream::Context client_context_;
  TestLoop test_loop_;
  event::EpollLoop* const loop_ = test_loop_.loop.get();
  SocketNetwork network_{loop_};
  std::unique_ptr<event::Listener> listener_;
  CountingStream::Counts counts_;  // the streams below count to the last
  StreamEnd plain_;
  StreamEnd client_;
  StreamEnd server_;
  TlsStream* client_tls_ = nullptr;
  TlsStream* server_tls_ = nullptr;
  int accepted_ = 0;
};

}  // namespace meshlib::net

#endif  // MESHLIB_TEST_NET_TLS_STREAM_FIXTURE_H_
