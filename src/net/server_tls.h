#ifndef MESHLIB_NET_SERVER_TLS_H_
#define MESHLIB_NET_SERVER_TLS_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "event/loop.h"
#include "net/http_server.h"
#include "security/tls_context.h"

namespace meshlib::net {

// PEM files; a value. With a client CA, clients must show certificates.
struct ServerTlsFiles {
  std::string certificate_file;
  std::string private_key_file;
  std::string client_ca_file;
  std::vector<std::string> alpn_protocols = {"h2"};
};
// Blocks while it reads them.
absl::StatusOr<std::shared_ptr<const security::TlsContext>> ReadServerTls(
    const ServerTlsFiles& files);

// TLS for an HttpServer. Which protocols ALPN may choose is the context's.
class ServerTls final : public ServerSecurity {
 public:
  using Context = std::shared_ptr<const security::TlsContext>;

  // `loop` is the server's, borrowed; the context is one for servers.
  ServerTls(event::Loop* loop, Context context)
      : loop_(loop), context_(std::move(context)) {}

  // For connections to come. On the loop.
  void SetContext(Context context) { context_ = std::move(context); }

  std::unique_ptr<event::Stream> Secure(
      std::unique_ptr<event::Stream> accepted) override;
  void Describe(event::Stream& secured, ServerPeer& peer) override;

 private:
  event::Loop* const loop_;
  Context context_;
};

}  // namespace meshlib::net

#endif  // MESHLIB_NET_SERVER_TLS_H_
