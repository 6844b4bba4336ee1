#ifndef MESHLIB_TEST_CLIENT_ECHO_SERVER_H_
#define MESHLIB_TEST_CLIENT_ECHO_SERVER_H_

#include <gtest/gtest.h>

#include <array>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "base/mutex.h"
#include "event/epoll_loop.h"
#include "meshlib/clock.h"
#include "net/socket_network.h"
#include "net/tls_stream.h"

namespace meshlib::client {

// Gives back what it gets, byte by byte, on a thread of its own; ends a
// connection when its client has ended it.
class EchoServer {
 public:
  // With a context it speaks TLS. Port 0: a free one.
  explicit EchoServer(net::TlsStream::Context tls = nullptr,
                      const std::string& address = "127.0.0.1:0")
      : tls_(std::move(tls)), loop_(*event::EpollLoop::Create(SystemClock())) {
    EXPECT_TRUE(loop_->Start().ok());
    loop_->RunNow([&] {
      auto listener = network_.Listen(
          address, [this](auto stream) { Accept(std::move(stream)); });
      ASSERT_TRUE(listener.ok()) << listener.status();
      listener_ = *std::move(listener);
      address_ = listener_->Address();
    });
  }
  ~EchoServer() {
    Kill();
    loop_->Stop();
  }

  const std::string& address() const { return address_; }
  // Nobody connects any more, and all connections are reset.
  void Kill() {
    loop_->RunNow([&] {
      listener_.reset();
      for (auto& [key, connection] : connections_) connection->Reset();
      connections_.clear();
    });
  }
  // Whether it reads from connections to come.
  void SetReads(bool reads) {
    loop_->RunNow([&] { reads_ = reads; });
  }
  // Sends to all connections, then ends its half of them, and echoes no more.
  void SendAndEnd(const std::string& text) {
    loop_->RunNow([&] {
      for (auto& [key, connection] : connections_) {
        connection->SendAndEnd(text);
      }
    });
  }
  size_t accepted() {
    return loop_->RunNow([&] { return accepted_; });
  }
  // Without an echo.
  size_t received() {
    return loop_->RunNow([&] { return received_; });
  }
  size_t open() {
    return loop_->RunNow([&] { return connections_.size(); });
  }
  // Those that were served a handshake with a certificate of that name.
  std::string last_peer() {
    return loop_->RunNow([&] { return last_peer_; });
  }

 private:
  class Connection final : public event::StreamHandler {
   public:
    Connection(EchoServer* server, bool tls) : server_(server), tls_(tls) {}
    void Take(std::unique_ptr<event::Stream> stream) {
      stream_ = std::move(stream);
      stream_->SetHandler(this);
      if (!tls_) stream_->WantRead(server_->reads_);
    }
    void Reset() { stream_->Reset(); }
    void SendAndEnd(const std::string& text) {
      out_ += text;
      echoes_ = false;
      stream_->WantRead(false);
      stream_->WantWrite(true);
    }
    void OnConnect(absl::Status status) override {
      if (!status.ok()) return server_->Forget(this);
      auto& tls = static_cast<net::TlsStream&>(*stream_);
      if (!tls.peer().uris.empty()) server_->last_peer_ = tls.peer().uris[0];
      stream_->WantRead(server_->reads_);
    }
    void OnReadable() override {
      std::array<char, 16384> buffer;  // NOLINT: filled by Read()
      const event::IoResult got = stream_->Read(absl::MakeSpan(buffer));
      if (echoes_) {
        out_.append(buffer.data(), got.bytes);
      } else {
        server_->received_ += got.bytes;
      }
      if (got.code == event::IoResult::Code::kFailed) {
        return server_->Forget(this);
      }
      ended_ |= got.code == event::IoResult::Code::kEnded;
      if (out_.empty() && !ended_) return;
      stream_->WantRead(false);
      stream_->WantWrite(true);
    }
    void OnWritable() override {
      if (out_.empty()) {
        stream_->WantWrite(false);
        if (!echoes_) stream_->CloseWrite();
        if (!ended_) return stream_->WantRead(true);
        stream_->CloseWrite();
        return server_->Forget(this);
      }
      const event::IoResult put = stream_->Write({std::string_view(out_)});
      out_.erase(0, put.bytes);
      if (put.code == event::IoResult::Code::kFailed) server_->Forget(this);
    }

   private:
    EchoServer* const server_;
    const bool tls_;
    std::unique_ptr<event::Stream> stream_;
    std::string out_;
    bool ended_ = false;  // by the client
    bool echoes_ = true;
  };

  void Accept(std::unique_ptr<event::Stream> stream) {
    ++accepted_;
    auto made = std::make_unique<Connection>(this, tls_ != nullptr);
    Connection* const connection = made.get();
    connections_[connection] = std::move(made);
    if (tls_ == nullptr) return connection->Take(std::move(stream));
    connection->Take(net::TlsStream::Server(
        loop_.get(), std::move(stream), absl::Seconds(5), tls_, connection));
  }
  void Forget(Connection* connection) {
    loop_->Post([this, connection] { connections_.erase(connection); });
  }

  const net::TlsStream::Context tls_;
  const std::unique_ptr<event::EpollLoop> loop_;
  net::SocketNetwork network_{loop_.get()};
  std::unique_ptr<event::Listener> listener_;
  std::string address_;
  // On the loop.
  std::map<Connection*, std::unique_ptr<Connection>> connections_;
  size_t accepted_ = 0;
  size_t received_ = 0;
  bool reads_ = true;
  std::string last_peer_;
};

}  // namespace meshlib::client

#endif  // MESHLIB_TEST_CLIENT_ECHO_SERVER_H_
