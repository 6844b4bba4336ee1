// A server for a look with other people's clients:
//   meshlib_http_server [--host=IP] [--port=N] [--body=BYTES] [--http2]
//                       [--cert=PEM --key=PEM [--client-ca=PEM]]
//     prints the address it listens on; answers GET with BYTES bytes and
//     anything else with what it was sent; --http2: nothing but HTTP/2
//   h2load -n 200000 -m 64 http://127.0.0.1:PORT/
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>

#include "event/epoll_loop.h"
#include "meshlib/clock.h"
#include "net/http_server.h"
#include "net/server_tls.h"
#include "net/socket_network.h"
#include "security/tls_context.h"
#include "security/tls_material.h"

namespace meshlib::net {
namespace {

// Echoes a body in step with its client, or sends the one that there is.
class Answer final : public ServerHandler {
 public:
  Answer(const std::string& body, const std::string& length)
      : body_(body), length_(length) {}

  void OnRequest(ServerStream& stream, absl::Span<const Header> headers,
                 bool end_stream) override {
    echo_ = !end_stream;
    if (echo_) {
      stream.SendHeaders({{":status", "200"}}, false).IgnoreError();
      return;
    }
    stream
        .SendHeaders({{":status", "200"},
                      {"content-type", "text/plain"},
                      {"content-length", length_}},
                     false)
        .IgnoreError();
    left_ = body_;
    Send(stream);
  }
  void OnData(ServerStream& stream, std::string_view bytes) override {
    if (kept_.empty()) {
      const size_t taken = stream.Write(bytes, false);
      stream.Consume(taken);
      bytes.remove_prefix(taken);
    }
    kept_.append(bytes);
  }
  void OnEnd(ServerStream& stream) override {
    ended_ = true;
    if (echo_ && kept_.empty()) stream.End().IgnoreError();
  }
  void OnWritable(ServerStream& stream) override {
    if (!echo_) return Send(stream);
    const size_t taken = stream.Write(kept_, ended_);
    kept_.erase(0, taken);
    stream.Consume(taken);
  }

 private:
  void Send(ServerStream& stream) {
    left_.remove_prefix(stream.Write(left_, true));
  }

  const std::string& body_;
  const std::string& length_;
  std::string_view left_;
  std::string kept_;
  bool echo_ = false;
  bool ended_ = false;
};

class Answers final : public ServerHandlerFactory {
 public:
  explicit Answers(size_t bytes)
      : body_(bytes, 'x'), length_(std::to_string(bytes)) {}
  std::unique_ptr<ServerHandler> NewRequest(ServerStream&) override {
    return std::make_unique<Answer>(body_, length_);
  }

 private:
  const std::string body_;
  const std::string length_;
};

absl::StatusOr<ServerTls::Context> MakeContext(
    const security::TlsSources& files) {
  auto material = security::ReadTlsSources(files);
  if (!material.ok()) return material.status();
  security::TlsOptions options;
  options.material = *std::move(material);
  options.alpn_protocols = {"h2", "http/1.1"};
  options.require_client_certificate = !files.trusted_ca.empty();
  return security::TlsContext::Create(security::TlsContext::Role::kServer,
                                      options);
}

int Run(const std::string& host_port, size_t bytes,
        const ServerOptions& options, const security::TlsSources& files) {
  const auto loop = event::EpollLoop::Create(SystemClock());
  if (!loop.ok()) return 1;
  SocketNetwork network(loop->get());
  Answers answers(bytes);
  std::unique_ptr<ServerTls> tls;
  if (!files.certificate.empty()) {
    const auto context = MakeContext(files);
    if (!context.ok()) {
      fprintf(stderr, "%s\n", context.status().ToString().c_str());
      return 1;
    }
    tls = std::make_unique<ServerTls>(loop->get(), *context);
  }
  HttpServer server(loop->get(), options, &answers, tls.get());
  const auto address = server.Listen(network, host_port);
  if (!address.ok()) {
    fprintf(stderr, "%s\n", address.status().ToString().c_str());
    return 1;
  }
  printf("%s\n", address->c_str());
  fflush(stdout);
  while (true) (*loop)->RunOnce(absl::Hours(1));
}

}  // namespace
}  // namespace meshlib::net

int main(int argc, char** argv) {
  std::string host = "127.0.0.1";
  std::string port = "0";
  size_t bytes = 2;
  meshlib::net::ServerOptions options;
  meshlib::security::TlsSources files;
  for (int i = 1; i < argc; ++i) {
    if (strncmp(argv[i], "--host=", 7) == 0) {
      host = argv[i] + 7;
    } else if (strncmp(argv[i], "--port=", 7) == 0) {
      port = argv[i] + 7;
    } else if (strncmp(argv[i], "--body=", 7) == 0) {
      bytes = strtoul(argv[i] + 7, nullptr, 10);
    } else if (strncmp(argv[i], "--cert=", 7) == 0) {
      files.certificate.certificate_chain =
          meshlib::model::DataSource::File(argv[i] + 7);
    } else if (strncmp(argv[i], "--key=", 6) == 0) {
      files.certificate.private_key =
          meshlib::model::DataSource::File(argv[i] + 6);
    } else if (strncmp(argv[i], "--client-ca=", 12) == 0) {
      files.trusted_ca = meshlib::model::DataSource::File(argv[i] + 12);
    } else if (strcmp(argv[i], "--http2") == 0) {
      options.protocol = meshlib::net::ServerProtocol::kHttp2;
    } else {
      fprintf(stderr, "unknown argument %s\n", argv[i]);
      return 2;
    }
  }
  return meshlib::net::Run(host + ":" + port, bytes, options, files);
}
